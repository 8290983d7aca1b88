package core

import (
	"cmp"
	"context"
	"errors"
	"math"
	"slices"

	"github.com/cprs-go/cprs/core/fusion"
	"github.com/cprs-go/cprs/core/label"
	"github.com/cprs-go/cprs/core/window"
)

// Where a deadline may pass before all is read, what is read first matters. An input of rankedBytes or more is then not read from its
// beginning, but in stretches of windows in a row, those with the question's rare words first. The words are counted at many times the
// critic's speed. Where the time is enough for all, the result is the same.
const (
	rankedBytes    = 1 << 20
	stretchWindows = 16 // about a batch
)

// A tier of stretches is read in one pass over the text, in its order. Each is tierGrowth times as large as the one before, so that the
// passes are few and the best stretches come early.
const (
	firstTier  = 4
	tierGrowth = 4
)

// scoreRanked is score for an input that the deadline may cut short.
func (r *run) scoreRanked(ctx context.Context) error {
	order, err := r.promising(ctx)
	if err != nil {
		return err
	}
	scores := map[int]*label.Scores{} // of the windows that were read
	for n := firstTier; len(order) > 0 && ctx.Err() == nil; n *= tierGrowth {
		tier := map[int]bool{}
		for _, stretch := range order[:min(n, len(order))] {
			tier[stretch] = true
		}
		order = order[len(tier):]
		err := r.read(ctx, func(number int) bool { return tier[number/stretchWindows] }, func(number int, _ *window.Window, s *label.Scores) {
			if s != nil {
				scores[number] = s
			}
		})
		if err != nil {
			return err
		}
	}
	if err := ctx.Err(); errors.Is(err, context.Canceled) {
		return err
	}
	return r.windows(ctx, func(number int, w *window.Window) { r.add(w, scores[number]) })
}

// promising are the stretches of the input, best first: by the rarity of the question's words that their best window holds.
func (r *run) promising(ctx context.Context) ([]int, error) {
	question := cmp.Or(r.fusion, fusion.New(nil, r.question()))
	var held [][]int         // words of each window
	windows := map[int]int{} // that hold each word
	err := r.windows(ctx, func(_ int, w *window.Window) {
		var words []int
		question.Match(r.req.Documents[w.Doc].Text[w.Range.Start:w.Range.End], func(word int) {
			if !slices.Contains(words, word) {
				words = append(words, word)
				windows[word]++
			}
		})
		held = append(held, words)
	})
	if err != nil {
		return nil, err
	}
	best := make([]float64, (len(held)+stretchWindows-1)/stretchWindows)
	for i, words := range held {
		var rarity float64
		for _, word := range words {
			rarity += math.Log1p(float64(len(held)) / float64(windows[word]))
		}
		best[i/stretchWindows] = max(best[i/stretchWindows], rarity)
	}
	order := make([]int, len(best))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(best[b], best[a]) })
	return order, nil
}
