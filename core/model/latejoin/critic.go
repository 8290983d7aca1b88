// Package latejoin is the embedded kind of critic: a small BERT that reads question and text apart and joins them late.
//
//	header ids ──► encoder ──► header states ─┐
//	                                          ├─► joint layers ─┬─► B I O E of every token
//	window ids ──► encoder ──► window states ─┘                 └─► relevance of the window
//	                  └ kept for the next question on the same text
//
// The forward pass is pure Go on core/kernel and core/model/bert, with f32 or int8 weights as the checkpoint has them. The same
// network as a GoMLX graph, for other backends, is core/model/graph. Critic implements critic.Critic.
//
// Windows are never padded and never see each other, so the scores of a window are the same bytes whatever shares the call,
// with any number of workers, and with or without the cache.
package latejoin

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"

	"github.com/cprs-go/cprs/core/critic"
	"github.com/cprs-go/cprs/core/label"
	"github.com/cprs-go/cprs/core/model/checkpoint"
	"github.com/cprs-go/cprs/core/prompt"
	"github.com/cprs-go/cprs/core/window"
)

// DefaultCacheBytes is the size of the cache where Options do not say.
const DefaultCacheBytes = 256 << 20

// maxWorkers bounds the workers that a slip of the pen can ask for.
const maxWorkers = 1024

// Options set up a Critic. The zero value is ready.
type Options struct {
	// Workers is the most goroutines that compute at a time, over all calls of Score; 0: GOMAXPROCS. More than 1024 are not started.
	Workers int
	// CacheBytes bounds the states of windows that are kept for the next question on the same text; 0: DefaultCacheBytes, negative:
	// none are kept.
	CacheBytes int64
}

// Critic scores windows with a Model.
type Critic struct {
	*Model
	cache   *cache
	workers chan *worker // those that are idle
}

var _ critic.Caching = (*Critic)(nil)

// Open loads a critic, f32 or int8 as ckpt holds it. It keeps nothing of ckpt. opts may be nil.
func Open(ckpt *checkpoint.Checkpoint, opts *Options) (*Critic, error) {
	m, err := Load(ckpt, "")
	if err != nil {
		return nil, err
	}
	return New(m, opts), nil
}

// New makes a critic with a cache and workers of its own. opts may be nil.
func New(m *Model, opts *Options) *Critic {
	var o Options
	if opts != nil {
		o = *opts
	}
	if o.CacheBytes == 0 {
		o.CacheBytes = DefaultCacheBytes
	}
	if o.Workers <= 0 {
		o.Workers = runtime.GOMAXPROCS(0)
	}
	o.Workers = min(o.Workers, maxWorkers)
	c := &Critic{Model: m, cache: newCache(o.CacheBytes), workers: make(chan *worker, o.Workers)}
	for range o.Workers {
		c.workers <- &worker{}
	}
	return c
}

// CacheStats implements critic.Caching. What is looked up are rows: headers, and texts of a window.
func (c *Critic) CacheStats() critic.CacheStats { return c.cache.stats() }

// jobRows is about how many rows, header and text, go through the network at once: enough to keep the weights busy, few
// enough to stay in the cache and to stop soon.
const jobRows = 512

// job is the windows first to last of a call, which share a question.
type job struct {
	question    *question
	first, last int
}

// Score implements critic.Critic. A window longer than the encoder's positions is critic.ErrWindowTooLong.
func (c *Critic) Score(ctx context.Context, ws []window.Window) ([]label.Scores, error) {
	tokens := 0
	for i := range ws {
		if err := c.check(&ws[i]); err != nil {
			return nil, fmt.Errorf("scoring window %d, bytes %d to %d of document %d: %w", i, ws[i].Range.Start, ws[i].Range.End, ws[i].Doc, err)
		}
		tokens += len(ws[i].IDs)
	}
	out, probs := make([]label.Scores, len(ws)), make([][4]float32, tokens)
	for i := range ws {
		n := len(ws[i].IDs)
		out[i].Probs, probs = probs[:n:n], probs[n:]
	}
	jobs := c.jobs(ws)
	var next atomic.Int64
	var wg sync.WaitGroup
	for range min(cap(c.workers), len(jobs)) {
		wg.Go(func() {
			for ctx.Err() == nil {
				select {
				case <-ctx.Done():
				case w := <-c.workers:
					i := int(next.Add(1)) - 1
					if i < len(jobs) {
						w.run(c, jobs[i], ws, out)
					}
					c.workers <- w
					if i >= len(jobs) {
						return
					}
				}
			}
		})
	}
	wg.Wait()
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	return out, nil
}

// jobs groups neighbouring windows of one question.
func (c *Critic) jobs(ws []window.Window) []job {
	questions := map[*prompt.Header]*question{}
	var jobs []job
	rows := 0
	for i := range ws {
		w := &ws[i]
		q := questions[w.Header]
		if q == nil {
			q = &question{header: w.Header, request: c.cache.request(w.Header)}
			questions[w.Header] = q
		}
		n := len(w.Header.IDs) + w.Len()
		if rows += n; i == 0 || rows > jobRows || jobs[len(jobs)-1].question != q {
			jobs = append(jobs, job{question: q, first: i})
			q.left.Add(1)
			rows = n
		}
		jobs[len(jobs)-1].last = i + 1
	}
	return jobs
}

// check refuses a window that the critic cannot read.
func (c *Critic) check(w *window.Window) error {
	h := w.Header
	switch {
	case h == nil:
		return errors.New("no header")
	case len(h.Pool) != len(h.IDs):
		return fmt.Errorf("header of %d ids with %d pool marks", len(h.IDs), len(h.Pool))
	case unitRow(w.Unit) < 0:
		return fmt.Errorf("the critic does not know the unit %s", w.Unit)
	case w.Len() > c.cfg.Encoder.Positions:
		return fmt.Errorf("%w: %d ids, it reads %d", critic.ErrWindowTooLong, w.Len(), c.cfg.Encoder.Positions)
	}
	if err := c.encoder.Check(h.IDs); err != nil {
		return fmt.Errorf("header: %w", err)
	}
	for _, ids := range [][]int32{w.Before, w.IDs, w.After} {
		if len(ids) == 0 && w.Len() > 0 {
			continue
		}
		if err := c.encoder.Check(ids); err != nil {
			return err
		}
	}
	return nil
}

// concat appends the ids of the row of w to ids.
func concat(ids []int32, w *window.Window) []int32 {
	return append(append(append(ids, w.Before...), w.IDs...), w.After...)
}
