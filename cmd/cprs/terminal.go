package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/schollz/progressbar/v3"
	"golang.org/x/term"

	"github.com/cprs-go/cprs/core"
	"github.com/cprs-go/cprs/core/wire"
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

// usageError is a fault of the command line.
type usageError struct{ error }

func (e usageError) Unwrap() error { return e.error }

func usage(err error) error { return usageError{err} }

// exitStatus reports err to people and turns it into the exit status.
func exitStatus(err error) int {
	var known *core.Error
	var wrong usageError
	switch {
	case err == nil:
		return 0
	case errors.Is(err, errNothingRelevant):
		return exitNothing
	case errors.Is(err, context.Canceled):
		fmt.Fprintln(os.Stderr, "error: interrupted")
		return exitInterrupted
	case errors.As(err, &known):
		complain(known.Error(), known.Hint)
		if known.Code == core.CodeInvalidArgument {
			return exitUsage
		}
		return exitFault
	case errors.As(err, &wrong) || strings.HasPrefix(err.Error(), "unknown command") || strings.HasPrefix(err.Error(), "required flag"):
		complain(err.Error(), "see: cprs --help")
		return exitUsage
	}
	complain(err.Error(), "")
	return exitFault
}

func complain(message, hint string) {
	fmt.Fprintln(os.Stderr, "error:", message)
	if hint != "" {
		fmt.Fprintln(os.Stderr, "hint:", hint)
	}
}

func warn(w io.Writer, format string, args ...any) {
	fmt.Fprintf(w, "warning: "+format+"\n", args...)
}

// warnings writes what a result warns of.
func warnings(w io.Writer, res *core.Result) {
	for _, s := range res.Warnings {
		warn(w, "%s", s)
	}
}

func isTerminal(f any) bool {
	file, ok := f.(*os.File)
	return ok && term.IsTerminal(int(file.Fd()))
}

// patience is how long work may take before its progress shows.
const patience = 2 * time.Second

// progressOn shows on a terminal how many bytes have been read; elsewhere it is nil. done removes it.
func progressOn(w io.Writer) (show func(done, total int64), done func()) {
	if !isTerminal(w) {
		return nil, func() {}
	}
	began := time.Now()
	var bar *progressbar.ProgressBar
	show = func(done, total int64) {
		if bar == nil {
			if time.Since(began) < patience {
				return
			}
			bar = progressbar.NewOptions64(total, progressbar.OptionSetWriter(w), progressbar.OptionSetDescription("reading"),
				progressbar.OptionShowBytes(true), progressbar.OptionClearOnFinish(), progressbar.OptionThrottle(100*time.Millisecond))
		}
		bar.Set64(done)
	}
	return show, func() {
		if bar != nil {
			bar.Clear()
		}
	}
}

// summary is one line about a result.
func summary(res *core.Result) string {
	s := res.Stats
	return fmt.Sprintf("%s: %d of %d tokens kept in %d parts, %.0f ms, %s", strings.ReplaceAll(res.Status.String(), "_", " "),
		s.TokensOut, s.TokensIn, len(res.Spans), float64(s.Elapsed.Microseconds())/1000, s.Critic)
}

// completions of flags whose values are names.
var completions = map[string][]string{
	"unit": wire.Units, "gap": wire.Gaps, "format": {"text", "json", "html"}, "backend": {"go", "xla:cpu", "xla:cuda"},
}
