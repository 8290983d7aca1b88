package httpapi

import (
	"context"
	"errors"
	"sync/atomic"
)

// Gate lets a number of calls run and a number wait. It is safe for concurrent use.
type Gate struct {
	running chan struct{}
	inside  atomic.Int64 // running or waiting
	most    int64
}

// ErrBusy is what Enter returns if as many calls wait as may.
var ErrBusy = errors.New("too many calls")

// NewGate lets so many calls run, one at least, and so many wait.
func NewGate(running, waiting int) *Gate {
	running = max(running, 1)
	return &Gate{running: make(chan struct{}, running), most: int64(running + max(waiting, 0))}
}

// Enter waits for its turn: ErrBusy if too many wait, or the error of ctx. A call that was let in must leave.
func (g *Gate) Enter(ctx context.Context) (leave func(), err error) {
	if g.inside.Add(1) > g.most {
		g.inside.Add(-1)
		return nil, ErrBusy
	}
	select {
	case g.running <- struct{}{}:
		return func() { <-g.running; g.inside.Add(-1) }, nil
	case <-ctx.Done():
		g.inside.Add(-1)
		return nil, ctx.Err()
	}
}

// Inside is how many calls are running or waiting.
func (g *Gate) Inside() int { return int(g.inside.Load()) }

// Running is how many calls are running.
func (g *Gate) Running() int { return len(g.running) }
