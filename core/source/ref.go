package source

import (
	"fmt"
	"net/url"
	"regexp"
	"strconv"
	"strings"

	"github.com/bmatcuk/doublestar/v4"

	"github.com/cprs-go/cprs/core"
)

// Ref names text: exactly one of Path, Glob and URI is set.
type Ref struct {
	Path string // a file or folder, with slashes
	Glob string // such as src/**/*.go
	URI  string // file://…
	// StartLine and EndLine bound the part of a file that is wanted, counted from 1, both included; 0 and 0: all of it.
	StartLine, EndLine int
}

// String is how a Ref is written: its path with ":START-END", its glob, its URI.
func (r Ref) String() string { return r.Path + r.Glob + r.URI + r.lines() }

// lines is the range of r as it is written; "" for all lines.
func (r Ref) lines() string {
	switch {
	case r.StartLine == 0:
		return ""
	case r.StartLine == r.EndLine:
		return fmt.Sprintf(":%d", r.StartLine)
	}
	return fmt.Sprintf(":%d-%d", r.StartLine, r.EndLine)
}

var lineRange = regexp.MustCompile(`^(.+):([0-9]{1,9})(?:-([0-9]{1,9}))?$`)

// The time to try a pattern on a name multiplies with the alternatives in each pair of braces.
const (
	maxBraces = 4
	maxCommas = 16
)

// ParseRef reads a Ref as String writes it. It looks at no file: whether a Ref may be read is for a Resolver to say.
func ParseRef(s string) (Ref, error) {
	switch {
	case s == "" || strings.ContainsRune(s, 0):
		return Ref{}, invalid(s, "is no path")
	case strings.Contains(s, "://"):
		return Ref{URI: s}, nil
	}
	r := Ref{Path: s}
	if m := lineRange.FindStringSubmatch(s); m != nil {
		r.Path = m[1]
		r.StartLine, _ = strconv.Atoi(m[2]) // nine digits at most
		r.EndLine = r.StartLine
		if m[3] != "" {
			r.EndLine, _ = strconv.Atoi(m[3])
		}
		if r.StartLine == 0 || r.EndLine < r.StartLine {
			return Ref{}, invalid(s, "has no such lines: they are counted from 1")
		}
	}
	if strings.ContainsAny(r.Path, "*?[{") {
		if r.StartLine > 0 {
			return Ref{}, invalid(s, "names lines of more than one file")
		}
		if strings.Count(s, "{") > maxBraces || strings.Count(s, ",") > maxCommas {
			return Ref{}, invalid(s, fmt.Sprintf("has more than %d braces or %d commas", maxBraces, maxCommas))
		}
		if !doublestar.ValidatePattern(s) {
			return Ref{}, invalid(s, "is no valid pattern")
		}
		return Ref{Glob: s}, nil
	}
	return r, nil
}

// cut is the part of text that r wants.
func (r Ref) cut(text string) (string, error) {
	if r.StartLine == 0 {
		return text, nil
	}
	at := 0
	for n := 1; n < r.StartLine; n++ {
		i := strings.IndexByte(text[at:], '\n')
		if i < 0 || at+i+1 == len(text) {
			return "", &core.Error{Code: core.CodeInvalidArgument, Message: fmt.Sprintf("%q has only %d lines", r.Path, n), Hint: "name lines that it has"}
		}
		at += i + 1
	}
	end := at
	for n := r.StartLine; n <= r.EndLine && end < len(text); n++ {
		i := strings.IndexByte(text[end:], '\n')
		if i < 0 {
			return text[at:], nil
		}
		end += i + 1
	}
	return text[at:end], nil
}

// filePath is the path that a file URI names, in the form of the system: with a drive letter on Windows.
func filePath(uri string, windows bool) (string, error) {
	u, err := url.Parse(uri)
	switch {
	case err != nil:
		return "", invalid(uri, "is no URI")
	case u.Scheme != "file":
		return "", &core.Error{Code: core.CodeInvalidArgument, Message: fmt.Sprintf("URIs of the kind %q are not read", u.Scheme), Hint: "use a path or a file:// URI"}
	case u.Host != "" && u.Host != "localhost":
		return "", outside(uri, "is on another machine")
	case u.User != nil, u.RawQuery != "", u.Fragment != "", u.Opaque != "", !strings.HasPrefix(u.Path, "/"):
		return "", invalid(uri, "is no plain file URI")
	case windows && hasDrive(u.Path[1:]):
		return u.Path[1:], nil
	}
	return u.Path, nil
}

// hasDrive reports whether path starts with a Windows drive such as C:, with or without a slash after it.
func hasDrive(path string) bool {
	return len(path) >= 2 && path[1] == ':' && (path[0]|0x20 >= 'a' && path[0]|0x20 <= 'z')
}

// place says what kind of path a caller wrote.
type place int

const (
	relative place = iota // inside some root
	absolute              // as the system has it
	nowhere               // on no root: another machine, a device, another system, a folder above
)

// placeOf tells the kind of path. It is the one place that knows the shapes of paths, of both families of systems, on each of them: whatever Windows would
// read as absolute is never relative.
func placeOf(path string, windows bool) place {
	slashed := strings.ReplaceAll(path, `\`, "/")
	switch {
	case strings.ContainsRune(path, 0), path == "":
		return nowhere
	case strings.HasPrefix(slashed, "//"): // \\server\share, \\?\C:\, \\.\pipe\x
		return nowhere
	case hasDrive(path):
		if windows && len(path) > 2 && slashed[2] == '/' {
			return absolute
		}
		return nowhere
	case path[0] == '/':
		if windows {
			return nowhere // on the current drive, whichever that is
		}
		return absolute
	case path[0] == '\\':
		return nowhere
	}
	return relative
}

func outside(name, why string) error {
	return &core.Error{Code: core.CodeOutsideRoots, Message: fmt.Sprintf("%q %s", name, why), Hint: "name a file below the roots"}
}
