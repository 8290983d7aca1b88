package eval

import (
	"context"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/cprs-go/cprs/core"
)

// TestFillIsCeiling: whatever the scores and the budget, no more is kept than fits, and the rest would not fit.
func TestFillIsCeiling(t *testing.T) {
	set := sampleSet(t)
	rng := rand.New(rand.NewPCG(1, 2))
	for i := range set.Records {
		for _, unit := range []core.Unit{core.UnitSentence, core.UnitLine, core.UnitParagraph} {
			c := NewCorpus(&set.Records[i], unit, wordTokens{})
			for limit := 0; limit <= c.Tokens+1; limit++ {
				scores := make([]float32, len(c.Passages))
				for j := range scores {
					scores[j] = rng.Float32()*2 - 1
				}
				k, err := fill(c, scores, limit)
				if err != nil {
					t.Fatal(err)
				}
				if k.Tokens > limit {
					t.Errorf("%d tokens kept of a budget of %d", k.Tokens, limit)
				}
				if limit > 0 && k.Tokens == 0 {
					t.Errorf("nothing kept of a budget of %d", limit)
				}
				if limit >= c.Tokens && k.Tokens != c.Tokens {
					t.Errorf("%d tokens of %d kept of a budget of %d", k.Tokens, c.Tokens, limit)
				}
				text := 0
				for _, s := range k.Spans {
					text += countWords(c.Docs[s.Doc].Text[s.Start:s.End])
				}
				if text != k.Tokens {
					t.Errorf("%d tokens are said to be kept, the spans have %d", k.Tokens, text)
				}
			}
		}
	}
}

func TestFirstAndLast(t *testing.T) {
	c := NewCorpus(&Record{Docs: []Doc{{Text: "One two. Three four. "}, {Text: "Five six. Seven eight."}}}, sentence, wordTokens{})
	for _, tc := range []struct {
		m    Method
		want string
	}{{First(), "One two. Three four."}, {Last(), "Five six. Seven eight."}} {
		keeper, err := tc.m.Open(context.Background(), c)
		if err != nil {
			t.Fatal(err)
		}
		k, err := keeper.Keep(context.Background(), &Query{Text: "x"}, 0.5)
		if err != nil {
			t.Fatal(err)
		}
		if got := normalise(k.text(c)); got != normalise(tc.want) {
			t.Errorf("%s keeps %q, want %q", tc.m.Name(), got, tc.want)
		}
	}
}

func TestEmbeddingsEncodeOnce(t *testing.T) {
	set := sampleSet(t)
	c := NewCorpus(&set.Records[0], sentence, wordTokens{})
	e := &letters{}
	emb := Embeddings("letters", e)
	for _, r := range []Ranker{emb, Fusion(BM25(), emb)} {
		if _, err := r.Index(context.Background(), c); err != nil {
			t.Fatal(err)
		}
	}
	if e.calls != 1 {
		t.Errorf("the passages were encoded %d times", e.calls)
	}
}

func TestStandardise(t *testing.T) {
	s := []float32{1, 3}
	standardise(s)
	if !slices.Equal(s, []float32{-1, 1}) {
		t.Errorf("standardise: %v", s)
	}
	s = []float32{2, 2, 2}
	standardise(s)
	if !slices.Equal(s, []float32{0, 0, 0}) {
		t.Errorf("equal scores: %v", s)
	}
	standardise(nil)
}

// TestFillLongBest: a first choice that is longer than the budget is cut, not passed over for what merely fits.
func TestFillLongBest(t *testing.T) {
	c := NewCorpus(&Record{Docs: []Doc{{Text: "One two three four. Five. Six seven."}}}, sentence, wordTokens{})
	for _, tc := range []struct {
		limit int
		want  string
	}{{1, "One"}, {3, "One two three"}, {4, "One two three four."}, {5, "One two three four. Five."}} {
		k, err := fill(c, []float32{3, 1, 2}, tc.limit)
		if err != nil {
			t.Fatal(err)
		}
		if got := normalise(k.text(c)); got != normalise(tc.want) || k.Tokens != tc.limit {
			t.Errorf("%d tokens: kept %q, want %q", tc.limit, got, tc.want)
		}
	}
}
