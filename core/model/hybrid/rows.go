package hybrid

import (
	"errors"
	"fmt"
	"slices"

	"github.com/cprs-go/cprs/core/critic"
	"github.com/cprs-go/cprs/core/window"
)

// leastRow is the shortest padded row.
const leastRow = 64

// wordStep is what the number of words is padded to, so that few programs are compiled.
const wordStep = 8

// row is a header with a window as the graph takes it, and what comes out.
type row struct {
	index       int // in the call
	ids         []int32
	first, last int     // the window's own are ids[first:last]
	words       []int32 // "outside" and the categories; none without categories

	tags       []float32 // [tokens][tags]
	wordLogits []float32 // [tokens][width]
	width      int       // of a row of wordLogits, padding included
}

// row lays out a window. Only windows whose header opens their row are read.
func (c *Critic) row(w *window.Window, index int) (*row, error) {
	if w.Header == nil || !w.Header.InRow {
		return nil, errors.New("its header is not laid out for this critic")
	}
	r := &row{index: index, ids: slices.Concat(w.Header.IDs, w.Before, w.IDs, w.After)}
	r.first = len(w.Header.IDs) + len(w.Before)
	r.last = r.first + len(w.IDs)
	if c.opt.Categories && len(w.Header.Categories) > 0 {
		r.words = append(r.words, w.Header.Outside)
		for _, k := range w.Header.Categories {
			r.words = append(r.words, k.ID)
		}
	}
	return r, nil
}

// check refuses a row that the model cannot read.
func (c *Critic) check(r *row, most int) error {
	switch {
	case len(r.ids) == 0:
		return errors.New("it has no ids")
	case len(r.ids) > most:
		return fmt.Errorf("%w: %d ids with the header, it reads %d", critic.ErrWindowTooLong, len(r.ids), most)
	}
	for _, ids := range [][]int32{r.ids, r.words} {
		for i, id := range ids {
			if id < 0 || int(id) >= c.cfg.Vocab {
				return fmt.Errorf("id %d at position %d is outside the vocabulary of %d", id, i, c.cfg.Vocab)
			}
		}
	}
	return nil
}

// mostRows is how many short rows go together at most: with more, little is gained where there are many and much lost where there is one.
const mostRows = 8

// job is up to size rows of one padded length and the same words.
type job struct {
	rows         []*row
	tokens, size int
}

// jobs puts rows of the same padded length and words together. That length is a row's own affair, and the size of its batch depends on
// the length alone: one program reads it whatever its neighbours are, so that its result does not depend on them.
func (c *Critic) jobs(rows []*row) []job {
	sorted := slices.Clone(rows)
	length := func(r *row) int { return padded(len(r.ids), c.opt.WindowTokens) }
	slices.SortStableFunc(sorted, func(a, b *row) int { return length(b) - length(a) })
	var out []job
	for len(sorted) > 0 {
		first, n := sorted[0], 1
		for n < len(sorted) && length(sorted[n]) == length(first) && slices.Equal(sorted[n].words, first.words) {
			n++
		}
		size := min(max(int(c.limit.Load())/length(first), 1), mostRows)
		n = min(n, size)
		out = append(out, job{sorted[:n], length(first), size})
		sorted = sorted[n:]
	}
	return out
}

// padded is the length of a row of n ids with its padding: 64, 96, 128, 192, 256, 384 and so on, up to most; a longer row has none.
func padded(n, most int) int {
	for p := leastRow; ; p *= 2 {
		for _, q := range []int{p, p + p/2} {
			if n <= q {
				return max(n, min(q, most))
			}
		}
	}
}

// batch is the input of a job. Rows that there are none for are of one id.
func (j *job) batch() *batch {
	b := &batch{}
	for _, r := range j.rows {
		b.ids = append(b.ids, append(r.ids[:len(r.ids):len(r.ids)], make([]int32, j.tokens-len(r.ids))...))
		b.lengths = append(b.lengths, int32(len(r.ids)))
	}
	for range j.size - len(j.rows) {
		b.ids = append(b.ids, make([]int32, j.tokens))
		b.lengths = append(b.lengths, 1)
	}
	if words := j.rows[0].words; len(words) > 0 {
		for b.words = slices.Clone(words); len(b.words)%wordStep != 0; {
			b.words = append(b.words, words[0])
		}
	}
	return b
}

// take hands the logits of a run to its rows.
func (j *job) take(out *output, tags int) error {
	n := j.size * j.tokens
	if len(out.tags) != n*tags || len(out.words)%n != 0 {
		return fmt.Errorf("%d rows of %d ids have %d and %d logits", j.size, j.tokens, len(out.tags), len(out.words))
	}
	width := len(out.words) / n
	for i, r := range j.rows {
		at := i * j.tokens
		r.tags = slices.Clone(out.tags[at*tags : (at+len(r.ids))*tags])
		r.wordLogits = slices.Clone(out.words[at*width : (at+len(r.ids))*width])
		r.width = width
	}
	return nil
}
