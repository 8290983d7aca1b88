package eval_test

import (
	"context"
	"strings"
	"testing"

	"github.com/cprs-go/cprs/core"
	"github.com/cprs-go/cprs/core/engine"
	"github.com/cprs-go/cprs/core/eval"
)

// TestCompressorIsThePipeline: filling budgets from explained scores keeps what the pipeline keeps when it is asked for
// each budget.
func TestCompressorIsThePipeline(t *testing.T) {
	ctx := context.Background()
	e, err := engine.Open(ctx, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	set, err := eval.Load("testdata/sample.jsonl")
	if err != nil {
		t.Fatal(err)
	}
	for i := range set.Records {
		r := &set.Records[i]
		for j := range r.Queries {
			q := &r.Queries[j]
			c := eval.NewCorpus(r, q.Unit(r), e.Tokenizer())
			keeper, err := eval.Compressor("cprs", e).Open(ctx, c)
			if err != nil {
				t.Fatal(err)
			}
			for _, share := range []float64{eval.Threshold, 0.02, 0.05, 0.1, 0.2, 0.5} {
				kept, err := keeper.Keep(ctx, q, share)
				if err != nil {
					t.Fatal(err)
				}
				res, err := e.Compress(ctx, core.Request{
					Query: q.Text, Unit: c.Unit, Documents: c.Docs, Budget: core.Budget{Ratio: share}, Gap: core.GapNone, NoLabels: true,
				})
				if err != nil {
					t.Fatal(err)
				}
				if got, want := ink(c.Docs, kept.Spans), ink(c.Docs, res.Spans); got != want || kept.Tokens != res.Stats.TokensOut {
					t.Errorf("%q at %v: %d tokens\n%s\nthe pipeline keeps %d\n%s", q.Text, share, kept.Tokens, got, res.Stats.TokensOut, want)
				}
			}
		}
	}
}

// ink is the text of spans without white space.
func ink(docs []core.Document, spans []core.Span) string {
	var b strings.Builder
	for _, s := range spans {
		for _, f := range strings.Fields(docs[s.Doc].Text[s.Start:s.End]) {
			b.WriteString(f)
		}
	}
	return b.String()
}
