// Package eval measures what a compressor retains at what compression, without a language model.
//
// The way of a measurement:
//
//	JSONL of cases
//	     │  Load            records with gold byte spans → some questions of each set, by seed
//	     │  Corpus          a record's text cut into the passages that every baseline ranks
//	     ▼  Method          question, token budget → kept spans (BM25, embeddings, …, any core.Compressor)
//	        Measure         kept and gold spans → Scores
//	        Report          means over questions, then over sets, with bootstrap intervals → Markdown, JSON, SVG, Gate
//
// core/eval/needle makes cases of any length; core/eval/minilm is the sentence encoder of the embedding baseline.
// The package stands above core and beside core/train; cmd/cprs is its user.
package eval

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"github.com/cprs-go/cprs/core/tokenizer"
)

// Threshold stands for a share where there is no budget and the method's own threshold decides.
const Threshold = 0.0

// Options say what Run measures.
type Options struct {
	Methods   []Method
	Tokenizer tokenizer.Tokenizer // counts budgets for all methods
	Shares    []float64           // of the tokens of a record that may be kept, each in (0,1]
	PerSet    int                 // questions with an answer that are drawn from each set, and as many without; 0: all
	Seed      uint64              // of the draw and of the bootstrap

	// Progress, if set, is told how many of the questions are done.
	Progress func(done, total int)
}

// Run asks every method the questions drawn from sets and returns what was measured.
func Run(ctx context.Context, sets []*Set, opt Options) (*Report, error) {
	for _, s := range opt.Shares {
		if !(s > 0 && s <= 1) {
			return nil, fmt.Errorf("share %v is not in (0,1]", s)
		}
	}
	names := map[string]bool{}
	var tasks []task
	total := 0
	for _, s := range sets {
		if names[s.Name] {
			return nil, fmt.Errorf("two sets are called %s", s.Name)
		}
		names[s.Name] = true
		for _, t := range sample(s, opt.PerSet, opt.Seed) {
			tasks = append(tasks, t)
			total += len(t.queries)
		}
	}
	r := &run{opt: opt, total: total}
	for _, t := range tasks {
		if err := r.task(ctx, t); err != nil {
			return nil, fmt.Errorf("record %s: %w", t.record.ID, err)
		}
	}
	return newReport(sets, opt, r.outcomes), nil
}

// run is one measurement.
type run struct {
	opt         Options
	outcomes    []outcome
	done, total int
}

// outcome is what one method kept for one question at one share.
type outcome struct {
	set, method string
	share       float64
	question    int // equal for the outcomes of one question
	tokens      int // of the record
	answerable  bool
	scores      Scores
}

// task asks every method the questions on one record, those of the same grain together, so that what a method
// computes of the text serves them all.
func (r *run) task(ctx context.Context, t task) error {
	byUnit := slices.Clone(t.queries)
	slices.SortStableFunc(byUnit, func(a, b *Query) int { return cmp.Compare(a.Unit(t.record), b.Unit(t.record)) })
	var corpus *Corpus
	var keepers []Keeper
	for _, q := range byUnit {
		if u := q.Unit(t.record); corpus == nil || corpus.Unit != u {
			corpus = NewCorpus(t.record, u, r.opt.Tokenizer)
			keepers = keepers[:0]
			for _, m := range r.opt.Methods {
				k, err := m.Open(ctx, corpus)
				if err != nil {
					return fmt.Errorf("%s: %w", m.Name(), err)
				}
				keepers = append(keepers, k)
			}
		}
		for i, m := range r.opt.Methods {
			if err := r.ask(ctx, t.set, m.Name(), keepers[i], corpus, q); err != nil {
				return fmt.Errorf("%s on %q: %w", m.Name(), q.Text, err)
			}
		}
		r.done++
		if r.opt.Progress != nil {
			r.opt.Progress(r.done, r.total)
		}
	}
	return nil
}

// ask records what one method keeps for one question. Without an answer there is nothing to retain: only the method's own
// threshold is of interest then.
func (r *run) ask(ctx context.Context, set, method string, k Keeper, c *Corpus, q *Query) error {
	shares := []float64{Threshold}
	if len(q.Spans) > 0 {
		shares = append(shares, r.opt.Shares...)
	}
	for _, share := range shares {
		kept, err := k.Keep(ctx, q, share)
		if err != nil {
			return err
		}
		if kept == nil {
			continue
		}
		r.outcomes = append(r.outcomes, outcome{
			set: set, method: method, share: share, question: r.done, tokens: c.Tokens,
			answerable: len(q.Spans) > 0, scores: Measure(c, q, kept, share),
		})
	}
	return nil
}
