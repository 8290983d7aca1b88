package tools

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/cprs-go/cprs/core"
	"github.com/cprs-go/cprs/tools/store"
)

// refusalBytes bounds a part of a refusal: it may quote what the caller sent, and hosts cut long ones.
const refusalBytes = 1000

// refusal tells a model why a call failed: "[code] what is wrong. What is allowed. What to do next."
func refusal(tool string, e *core.Error) string {
	return fmt.Sprintf("[%s] %s %s %s", e.Code, stopped(e.Error()), sentence(e.Hint), next(tool, e.Code))
}

// next is what to do about a failure.
func next(tool string, c core.Code) string {
	switch c {
	case core.CodeTooLarge, core.CodeDeadline:
		return "Call " + tool + " again with less text: fewer files, or lines as in app.log:1-2000."
	case core.CodeOutsideRoots, core.CodeUnreadable:
		return "Else leave it out, or send its text in documents."
	case core.CodeCriticFailed:
		return "Call " + tool + " once more; if it fails again, go on without it and tell the user."
	case store.CodeExpiredHandle:
		return "Call compress_context again for a new handle."
	}
	return "Then call " + tool + " again."
}

// sentence makes one of a phrase.
func sentence(s string) string {
	r, w := utf8.DecodeRuneInString(s)
	return stopped(string(unicode.ToUpper(r)) + s[w:])
}

// stopped is a phrase with a full stop, cut to what a message can hold.
func stopped(s string) string {
	if len(s) > refusalBytes {
		s = strings.ToValidUTF8(s[:refusalBytes], "") + "…"
	}
	if s != "" && strings.ContainsAny(s[len(s)-1:], ".?!") {
		return s
	}
	return s + "."
}

// invalid is a fault of the arguments: what is wrong, and what is allowed.
func invalid(hint, message string, args ...any) error {
	return &core.Error{Code: core.CodeInvalidArgument, Message: fmt.Sprintf(message, args...), Hint: hint}
}

// quoted quotes what a caller sent, cut to what a message can hold.
func quoted(s string) string {
	const longest = 80
	if len(s) > longest {
		s = strings.ToValidUTF8(s[:longest], "") + "…"
	}
	return fmt.Sprintf("%q", s)
}
