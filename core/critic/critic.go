// Package critic is the contract between the pipeline and the models that judge tokens.
//
// A Critic is the only stage that runs a model. core/critic/critictest has deterministic critics for tests;
// core/model/… has the real ones.
package critic

import (
	"context"
	"errors"

	"github.com/cprs-go/cprs/core/label"
	"github.com/cprs-go/cprs/core/window"
)

// ErrWindowTooLong is wrapped by errors that say which window holds more ids than the critic reads.
var ErrWindowTooLong = errors.New("window too long for the critic")

// Critic scores windows. It is safe for concurrent use.
type Critic interface {
	// Score returns one label.Scores per window, in order, each with one row per id of the window's own text.
	// The scores of a window do not depend on the other windows of the call. Score returns ctx.Err() promptly, within the work of
	// one window, and wraps ErrWindowTooLong if a window does not fit.
	Score(ctx context.Context, ws []window.Window) ([]label.Scores, error)
}

// Caching is a Critic that keeps what it has made of texts that may be asked about again.
type Caching interface {
	Critic
	CacheStats() CacheStats
}

// CacheStats are the figures of a cache since it was made: look-ups that found something and that did not, and the bytes that are
// kept now.
type CacheStats struct{ Hits, Misses, Bytes int64 }
