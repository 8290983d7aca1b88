package core

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/cprs-go/cprs/core/label"
	"github.com/cprs-go/cprs/core/prompt"
	"github.com/cprs-go/cprs/core/selector"
	"github.com/cprs-go/cprs/core/span"
	"github.com/cprs-go/cprs/core/unit"
	"github.com/cprs-go/cprs/core/window"
)

// A batch is what the critic gets at once: windows of up to batchTokens ids, or PipelineOptions.BatchTokens, or batchWindows windows. inFlight batches are read at a time, so
// that memory is bounded and the critic never waits for the tokenizer.
const (
	batchTokens  = 4096
	batchWindows = 256
	inFlight     = 3
)

// batch is a group of windows on its way through the critic.
type batch struct {
	windows []window.Window
	numbers []int          // of the windows, counted over all documents
	scores  []label.Scores // nil if unread
	err     error
	done    chan struct{}
}

// score reads all documents and fills r.units. After the deadline of ctx it goes on without the critic: what is left
// becomes unread units, since pins must be found in it too.
func (r *run) score(ctx context.Context) error {
	for i := range r.req.Documents {
		r.total += int64(len(r.req.Documents[i].Text))
	}
	var err error
	if _, limited := ctx.Deadline(); limited && r.total >= rankedBytes {
		err = r.scoreRanked(ctx)
	} else {
		err = r.read(ctx, nil, func(_ int, w *window.Window, s *label.Scores) { r.add(w, s) })
	}
	if err == nil && r.res.Stats.Windows == 0 && len(r.res.Unread) > 0 {
		return &Error{CodeDeadline, "the deadline passed before anything was read", "allow more time, or send less text", ctx.Err()}
	}
	return err
}

// read has the critic read the windows whose numbers are wanted; nil: all. It hands each to take, in order, with its scores: nil if the
// deadline came first.
func (r *run) read(ctx context.Context, wanted func(number int) bool, take func(number int, w *window.Window, s *label.Scores)) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	queue := make(chan *batch, inFlight)
	var cutErr error
	go func() {
		defer close(queue)
		cutErr = r.cut(ctx, wanted, queue)
	}()
	var failed error
	for b := range queue {
		<-b.done
		if b.err != nil && failed == nil && !errors.Is(b.err, context.DeadlineExceeded) {
			failed = b.err
			cancel()
		}
		if failed != nil {
			continue
		}
		for i := range b.windows {
			var s *label.Scores
			if b.scores != nil {
				s = &b.scores[i]
			}
			take(b.numbers[i], &b.windows[i], s)
			r.done += int64(b.windows[i].Range.Len())
		}
		if r.req.Progress != nil {
			r.req.Progress(r.done, r.total)
		}
	}
	switch {
	case failed != nil && errors.Is(failed, context.Canceled):
		return failed
	case failed != nil:
		return &Error{CodeCriticFailed, "the critic failed", "check the checkpoint with: cprs model inspect", failed}
	}
	return cutErr
}

// cut cuts the documents to windows and starts the critic on those that are wanted, batch by batch.
func (r *run) cut(ctx context.Context, wanted func(number int) bool, queue chan<- *batch) error {
	b, tokens, most := &batch{}, 0, cmp.Or(r.p.opt.BatchTokens, batchTokens)
	send := func() {
		if len(b.windows) > 0 {
			r.start(ctx, b)
			queue <- b
			b, tokens = &batch{}, 0
		}
	}
	defer send()
	return r.windows(ctx, func(number int, w *window.Window) {
		if wanted != nil && !wanted(number) {
			return
		}
		b.windows, b.numbers = append(b.windows, *w), append(b.numbers, number)
		if tokens += w.Len(); w.Header.InRow {
			tokens += len(w.Header.IDs)
		}
		if tokens >= most || len(b.windows) == batchWindows {
			send()
		}
	})
}

// windows yields the windows of all documents, in order, until ctx is cancelled.
func (r *run) windows(ctx context.Context, yield func(number int, w *window.Window)) error {
	number := 0
	for i := range r.req.Documents {
		d := &r.req.Documents[i]
		u := r.req.Unit
		if u == UnitAuto {
			u = unit.Choose(r.req.Instruction, r.req.Query, d.Text)
		}
		p := r.p.opt
		windows, err := window.Cut(window.Document{Index: i, Title: d.Title, Text: d.Text, Unit: u}, r.header, p.Layout, p.Tokenizer)
		if err != nil {
			return &Error{CodeInvalidArgument, fmt.Sprintf("%s leaves no room for text", d.name(i)), "shorten the instruction or the title", err}
		}
		for w := range windows {
			if yield(number, &w); errors.Is(ctx.Err(), context.Canceled) {
				return ctx.Err()
			}
			number++
		}
	}
	return nil
}

// start runs the critic on b; once the deadline has passed it leaves b unread.
func (r *run) start(ctx context.Context, b *batch) {
	b.done = make(chan struct{})
	if ctx.Err() != nil {
		b.err = ctx.Err()
		close(b.done)
		return
	}
	go func() {
		defer close(b.done)
		b.scores, b.err = r.p.opt.Critic.Score(ctx, b.windows)
		if b.err == nil {
			b.err = fit(b)
		}
	}()
}

// fit checks that the critic gave one row of probabilities per token: a score less would shift all that follow.
func fit(b *batch) error {
	if len(b.scores) != len(b.windows) {
		return fmt.Errorf("%d windows have %d scores", len(b.windows), len(b.scores))
	}
	for i, s := range b.scores {
		if w := &b.windows[i]; len(s.Probs) != len(w.IDs) {
			return fmt.Errorf("document %d, bytes %d to %d: %d tokens have %d scores", w.Doc, w.Range.Start, w.Range.End, len(w.IDs), len(s.Probs))
		}
		if !fitCategories(s, b.windows[i].Header) {
			return fmt.Errorf("window %d: its categories are not those of its tokens and header", i)
		}
	}
	return nil
}

// fitCategories checks that s has no categories, or all of h for every token.
func fitCategories(s label.Scores, h *prompt.Header) bool {
	other := func(p []float32) bool { return len(p) != len(h.Categories) || len(p) == 0 }
	return len(s.Categories) == 0 || len(s.Categories) == len(s.Probs) && !slices.ContainsFunc(s.Categories, other)
}

// add appends the units of w, which comes next in the input, with their scores; nil: it is unread.
func (r *run) add(w *window.Window, s *label.Scores) {
	r.res.Stats.TokensIn += len(w.IDs)
	if s == nil {
		r.addUnread(w)
		return
	}
	r.res.Stats.Windows++
	units := w.Units
	if w.Unit == UnitPhrase {
		units = phrases(w, r.req.Documents[w.Doc].Text, *s)
	}
	for _, u := range units {
		r.units = append(r.units, selector.Unit{
			Span:   span.Span{Doc: w.Doc, Start: u.Range.Start, End: u.Range.End, Category: category(w.Header, *s, u.First, u.Last)},
			Tokens: u.Last - u.First,
		})
		if r.fusion == nil {
			r.units[len(r.units)-1].Score = mean(*s, u.First, u.Last)
		} else {
			r.keep = r.keep[:0]
			for j := u.First; j < u.Last; j++ {
				r.keep = append(r.keep, s.Keep(j))
			}
			r.fusion.Add(w.Doc, w.Unit, r.req.Documents[w.Doc].Text[u.Range.Start:u.Range.End], r.keep, s.Relevance)
		}
	}
}

// fuse joins the critic's scores with those of the words, once all units are known.
func (r *run) fuse() {
	if r.fusion == nil {
		return
	}
	scores := r.fusion.Scores()
	for i := range r.units {
		if !r.units[i].Unread {
			r.units[i].Score, scores = scores[0], scores[1:]
		}
	}
}

func (r *run) addUnread(w *window.Window) {
	for _, u := range w.Units {
		r.units = append(r.units, selector.Unit{
			Span:   span.Span{Doc: w.Doc, Start: u.Range.Start, End: u.Range.End},
			Tokens: u.Last - u.First,
			Unread: true,
		})
	}
	un := r.res.Unread
	if n := len(un); n > 0 && un[n-1].Doc == w.Doc && un[n-1].End == w.Range.Start {
		un[n-1].End = w.Range.End
		return
	}
	r.res.Unread = append(un, Span{Doc: w.Doc, Start: w.Range.Start, End: w.Range.End})
}

// mean is the mean keep probability of tokens first to last; 0 without tokens.
func mean(s label.Scores, first, last int) float32 {
	if first == last {
		return 0
	}
	var sum float32
	for i := first; i < last; i++ {
		sum += s.Keep(i)
	}
	return sum / float32(last-first)
}

// category is the most probable category of tokens first to last, each counted by its keep probability; empty without categories.
func category(h *prompt.Header, s label.Scores, first, last int) string {
	if len(s.Categories) == 0 || first == last {
		return ""
	}
	sums := make([]float32, len(h.Categories))
	for i := first; i < last; i++ {
		for k, p := range s.Categories[i] {
			sums[k] += s.Keep(i) * p
		}
	}
	best := 0
	for k := range sums {
		if sums[k] > sums[best] {
			best = k
		}
	}
	return h.Categories[best].Name
}
