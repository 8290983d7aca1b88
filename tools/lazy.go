package tools

import (
	"context"
	"errors"
	"io"

	"github.com/cprs-go/cprs/core"
)

// Lazy is a Compressor that is opened in the background: a server can answer its host while the critic is loaded, and the
// first call waits for it.
type Lazy struct {
	stop  context.CancelFunc
	ready chan struct{} // closed once c or err is set
	c     core.Compressor
	err   error
}

// NewLazy begins to open. A fault of open is that of every call. Close closes what was opened, if it is an io.Closer.
func NewLazy(open func(ctx context.Context) (core.Compressor, error)) *Lazy {
	ctx, cancel := context.WithCancel(context.Background())
	l := &Lazy{stop: cancel, ready: make(chan struct{})}
	go func() {
		defer close(l.ready)
		l.c, l.err = open(ctx)
	}()
	return l
}

// Compress implements core.Compressor.
func (l *Lazy) Compress(ctx context.Context, req core.Request) (*core.Result, error) {
	if err := l.Wait(ctx); err != nil {
		return nil, err
	}
	return l.c.Compress(ctx, req)
}

// Wait returns once the compressor is open, with the fault of open or that of ctx.
func (l *Lazy) Wait(ctx context.Context) error {
	select {
	case <-l.ready:
		return l.err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// ErrOpening is what Ready returns while the compressor is still being opened.
var ErrOpening = errors.New("the critic is still being loaded")

// Ready is nil once calls will be answered, ErrOpening before, or the fault of open. It does not wait.
func (l *Lazy) Ready() error {
	select {
	case <-l.ready:
		return l.err
	default:
		return ErrOpening
	}
}

// Close waits for what is being opened and closes it. No call may be under way.
func (l *Lazy) Close() error {
	l.stop()
	<-l.ready
	if l.err != nil {
		if errors.Is(l.err, context.Canceled) {
			return nil
		}
		return l.err
	}
	if c, ok := l.c.(io.Closer); ok {
		return c.Close()
	}
	return nil
}
