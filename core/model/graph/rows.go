package graph

import (
	"cmp"
	"errors"
	"fmt"
	"iter"
	"math/bits"
	"slices"

	"github.com/gomlx/gomlx/core/tensors"

	"github.com/cprs-go/cprs/core/critic"
	"github.com/cprs-go/cprs/core/model/latejoin"
	"github.com/cprs-go/cprs/core/prompt"
	"github.com/cprs-go/cprs/core/window"
)

// Rows are padded to multiples of these, so that few shapes are compiled.
const (
	headerStep = 32
	windowStep = 64
)

// group is a question and the windows that it is asked of.
type group struct {
	question *question
	rows     []*row // the longest first
}

// question is a header as the graph takes it: a batch of one row.
type question struct {
	ids     [][]int32
	lengths []int32
	pool    [][]bool
	match   map[int32]bool  // the ids that count as a match in a window
	states  *tensors.Tensor // on the backend, once asked
}

// free gives the memory of the states back.
func (q *question) free() { _ = q.states.FinalizeAll() }

// row is a window as the graph takes it.
type row struct {
	index         int // of the window in the call
	ids, segments []int32
	unit          int32
	first, last   int // the window's own tokens are ids[first:last]
}

// group checks the windows of a call and sorts them by header and length.
func (c *Critic) group(ws []window.Window) ([]*group, error) {
	var groups []*group
	byHeader := map[*prompt.Header]*group{}
	for i := range ws {
		w := &ws[i]
		g := byHeader[w.Header]
		if g == nil {
			q, err := c.question(w.Header)
			if err != nil {
				return nil, fmt.Errorf("reading the header of window %d: %w", i, err)
			}
			g = &group{question: q}
			groups, byHeader[w.Header] = append(groups, g), g
		}
		r, err := c.row(w, g.question)
		if err != nil {
			return nil, fmt.Errorf("reading window %d: %w", i, err)
		}
		r.index = i
		g.rows = append(g.rows, r)
	}
	for _, g := range groups {
		slices.SortStableFunc(g.rows, func(a, b *row) int { return cmp.Compare(len(b.ids), len(a.ids)) })
	}
	return groups, nil
}

func (c *Critic) question(h *prompt.Header) (*question, error) {
	switch {
	case h == nil || len(h.IDs) == 0:
		return nil, errors.New("it is empty")
	case len(h.IDs) > c.cfg.Encoder.Positions:
		return nil, fmt.Errorf("%d ids are more than the %d that the critic reads", len(h.IDs), c.cfg.Encoder.Positions)
	case len(h.Pool) != len(h.IDs) || !slices.Contains(h.Pool, true):
		return nil, errors.New("no position stands for the question")
	}
	tokens := padded(len(h.IDs), headerStep, c.cfg.Encoder.Positions)
	q := &question{
		ids:     [][]int32{pad(h.IDs, tokens)},
		lengths: []int32{int32(len(h.IDs))},
		pool:    [][]bool{pad(h.Pool, tokens)},
		match:   Match(c.cfg, h),
	}
	return q, c.checkIDs(h.IDs)
}

// Match are the ids of a header that count as a match in a window.
func Match(cfg latejoin.Config, h *prompt.Header) map[int32]bool {
	match := map[int32]bool{}
	for _, id := range h.IDs[1:max(1, len(h.IDs)-1)] { // the first and last frame every row
		match[id] = !slices.Contains(cfg.MatchStop, id)
	}
	return match
}

// Segments are the rows of segment.weight for the ids of a window's row.
func Segments(ids []int32, match map[int32]bool) []int32 {
	segments := make([]int32, len(ids))
	for i, id := range ids {
		segments[i] = 1
		if match[id] {
			segments[i] = 2
		}
	}
	return segments
}

func (c *Critic) row(w *window.Window, q *question) (*row, error) {
	if w.Len() == 0 {
		return nil, errors.New("it has no ids")
	}
	if w.Len() > c.cfg.Encoder.Positions {
		return nil, fmt.Errorf("%d ids, more than %d: %w", w.Len(), c.cfg.Encoder.Positions, critic.ErrWindowTooLong)
	}
	grain := slices.Index(c.cfg.Units, w.Unit.String())
	if grain < 0 {
		return nil, fmt.Errorf("the critic knows no unit %q", w.Unit)
	}
	r := &row{ids: slices.Concat(w.Before, w.IDs, w.After), unit: int32(grain)}
	r.first, r.last = len(w.Before), len(w.Before)+len(w.IDs)
	if err := c.checkIDs(r.ids); err != nil {
		return nil, err
	}
	r.segments = Segments(r.ids, q.match)
	return r, nil
}

func (c *Critic) checkIDs(ids []int32) error {
	for i, id := range ids {
		if id < 0 || int(id) >= c.cfg.Encoder.Vocab {
			return fmt.Errorf("id %d at position %d is outside the vocabulary of %d", id, i, c.cfg.Encoder.Vocab)
		}
	}
	return nil
}

// batches cuts rows into runs of 1, 2, 4, … up to most of them.
func batches(rows []*row, most int) iter.Seq[[]*row] {
	return func(yield func([]*row) bool) {
		for len(rows) > 0 {
			n := min(most, 1<<(bits.Len(uint(len(rows)))-1))
			if !yield(rows[:n]) {
				return
			}
			rows = rows[n:]
		}
	}
}

// padded is the length of a row of n ids with its padding.
func padded(n, step, most int) int { return min(most, (n+step-1)/step*step) }

// pad fills a row with zeros.
func pad[T any](row []T, n int) []T { return append(row[:len(row):len(row)], make([]T, n-len(row))...) }
