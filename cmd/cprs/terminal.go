package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"
	"unicode"

	"github.com/schollz/progressbar/v3"
	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/cprs-go/cprs/cmd/cprs/internal/report"
	"github.com/cprs-go/cprs/core"
	"github.com/cprs-go/cprs/core/wire"
	"github.com/cprs-go/cprs/mcpserver"
)

// What cprs says to people, and how:
//
//   - Data on stdout only, so that it can be piped. All else on stderr.
//   - A fault is "error: what is wrong, where", then "hint: what to do", where there is something to do.
//   - "warning:" is for what the result does not show, for example files that were skipped.
//   - Progress shows on a terminal only, once work has taken two seconds, and leaves nothing behind.
//   - Exit status: 0 done, 1 fault, 2 wrong use, 3 nothing relevant, 130 interrupted.
const (
	exitFault       = 1
	exitUsage       = 2
	exitNothing     = 3
	exitInterrupted = 130
)

// errNothingRelevant ends a command whose result is that no text is relevant.
var errNothingRelevant = errors.New("nothing relevant")

// usageError is a fault of the command line, told by cobra.
type usageError struct{ error }

func (e usageError) Unwrap() error { return e.error }

// invalid is a fault of the command line that has a hint of its own.
func invalid(err error, hint string) error {
	return &core.Error{Code: core.CodeInvalidArgument, Message: err.Error(), Hint: hint}
}

// exitStatus tells people of err, which cmd ended with, and turns it into the exit status.
func exitStatus(cmd *cobra.Command, err error) int {
	var known *core.Error
	var wrong usageError
	w := cmd.ErrOrStderr()
	switch {
	case err == nil:
		return 0
	case errors.Is(err, errNothingRelevant):
		complain(w, err.Error(), "lower --threshold, or give --max-tokens or --ratio for the best there is")
		return exitNothing
	case errors.Is(err, context.Canceled):
		complain(w, "interrupted", "")
		return exitInterrupted
	case errors.As(err, &known):
		complain(w, known.Error(), known.Hint)
		if known.Code == core.CodeInvalidArgument {
			return exitUsage
		}
		return exitFault
	case errors.As(err, &wrong) || strings.HasPrefix(err.Error(), "unknown command") || strings.HasPrefix(err.Error(), "required flag"):
		complain(w, err.Error(), fmt.Sprintf("see: %s --help", cmd.CommandPath()))
		return exitUsage
	}
	complain(w, err.Error(), "")
	return exitFault
}

func complain(w io.Writer, message, hint string) {
	fmt.Fprintln(w, "error:", printable(message))
	if hint != "" {
		fmt.Fprintln(w, "hint:", printable(hint))
	}
}

func warn(w io.Writer, format string, args ...any) {
	fmt.Fprintln(w, "warning:", printable(fmt.Sprintf(format, args...)))
}

// printable is s without what a name from elsewhere could do to a terminal.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) && r != '\n' && r != '\t' {
			return unicode.ReplacementChar
		}
		return r
	}, s)
}

func isTerminal(f any) bool {
	file, ok := f.(*os.File)
	return ok && term.IsTerminal(int(file.Fd()))
}

// columns is the width of a terminal, or what is usual elsewhere.
func columns(w io.Writer) int {
	if isTerminal(w) {
		if n, _, err := term.GetSize(int(w.(*os.File).Fd())); err == nil {
			return n
		}
	}
	return 120
}

// patience is how long work may take before its progress shows.
const patience = 2 * time.Second

// progressOn shows on a terminal how much of what has been done; elsewhere show is nil. A total below zero is unknown. done
// removes it.
func progressOn(w io.Writer, what string, opts ...progressbar.Option) (show func(done, total int64), done func()) {
	if !isTerminal(w) {
		return nil, func() {}
	}
	var bar *progressbar.ProgressBar
	opts = append(opts, progressbar.OptionSetWriter(patient{w, time.Now()}), progressbar.OptionSetDescription(what),
		progressbar.OptionClearOnFinish(), progressbar.OptionThrottle(100*time.Millisecond))
	show = func(done, total int64) {
		if bar == nil {
			bar = progressbar.NewOptions64(total, opts...)
		}
		bar.Set64(done)
	}
	return show, func() {
		if bar != nil {
			bar.Finish()
		}
	}
}

// patient writes to w what comes later than patience after it began.
type patient struct {
	w     io.Writer
	began time.Time
}

func (p patient) Write(b []byte) (int, error) {
	if time.Since(p.began) < patience {
		return len(b), nil
	}
	return p.w.Write(b)
}

// summary is one line about a result.
func summary(res *core.Result) string {
	s := res.Stats
	return fmt.Sprintf("%s: %d → %d tokens, %s saved, %.1f s, %s", strings.ReplaceAll(res.Status.String(), "_", " "),
		s.TokensIn, s.TokensOut, report.Saved(s), s.Elapsed.Seconds(), s.Critic)
}

// interruptible is r, read ahead at once, except that reading ends with ctx, even where r waits for input.
func interruptible(ctx context.Context, r io.Reader) io.Reader {
	pr, pw := io.Pipe()
	go func() {
		_, err := io.Copy(pw, r)
		pw.CloseWithError(err)
	}()
	context.AfterFunc(ctx, func() { pw.CloseWithError(ctx.Err()) })
	return pr
}

// completions of flags whose values are names.
var completions = map[string][]string{
	"unit": wire.Units, "gap": wire.Gaps, "format": {"text", "json", "html"}, "backend": {"go", "xla:cpu", "xla:cuda"}, "pin": wire.PinSets, "use-client-roots": {"narrow", "add"}, "structured": mcpserver.Structureds,
}
