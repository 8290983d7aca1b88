package httpapi

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/cprs-go/cprs/core"
)

// Limited bounds the calls of a Compressor: how many run and wait, and how long each takes. What has been read when the
// time is over is the result.
type Limited struct {
	Compressor core.Compressor
	Gate       *Gate
	Timeout    time.Duration // of a call, waiting included
}

// Compress implements core.Compressor. A call more than may wait fails with CodeBusy.
func (l *Limited) Compress(ctx context.Context, req core.Request) (res *core.Result, err error) {
	err = l.Do(ctx, func(ctx context.Context) error {
		res, err = l.Compressor.Compress(ctx, req)
		return err
	})
	return res, err
}

// Do runs f as Compress runs the Compressor.
func (l *Limited) Do(ctx context.Context, f func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, l.Timeout)
	defer cancel()
	leave, err := l.Gate.Enter(ctx)
	switch {
	case errors.Is(err, ErrBusy):
		return &core.Error{Code: CodeBusy, Message: "as many calls are waiting as may", Hint: "send the request again in a second"}
	case errors.Is(err, context.DeadlineExceeded):
		return &core.Error{Code: core.CodeDeadline, Message: fmt.Sprintf("the call waited %v for its turn", l.Timeout), Hint: "send the request again, or fewer at a time"}
	case err != nil:
		return err
	}
	defer leave()
	return f(ctx)
}
