package eval

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"io"
	"math/rand/v2"
	"slices"
	"strings"

	"github.com/cprs-go/cprs/core"
	"github.com/cprs-go/cprs/core/selector"
)

// Method is a way to keep parts of a text.
type Method interface {
	// Name names the method in tables.
	Name() string
	// Open prepares the method for the questions on one corpus.
	Open(ctx context.Context, c *Corpus) (Keeper, error)
}

// Keeper answers the questions on one corpus.
type Keeper interface {
	// Keep keeps at most share of the corpus' tokens. A share of Threshold leaves the choice to the method; the result
	// is nil if it has no threshold of its own.
	Keep(ctx context.Context, q *Query, share float64) (*Kept, error)
}

// Compressor is the method that asks c, a real compressor. Each question is asked once, under Explain: the budgets are then filled from
// the scores of all units with the pipeline's own selector, which gives what one call a budget would (a test holds it to
// that). Gap marks and the headings of kept parts are left out, since no baseline pays for them: what is compared is the
// choice of text.
func Compressor(name string, c core.Compressor) Method { return &compressor{name, c} }

type compressor struct {
	name string
	c    core.Compressor
}

func (m *compressor) Name() string { return m.name }

func (m *compressor) Open(_ context.Context, c *Corpus) (Keeper, error) {
	var last *Query
	var res *core.Result
	var units []selector.Unit
	return keeperFunc(func(ctx context.Context, q *Query, share float64) (*Kept, error) {
		if q != last {
			var err error
			res, err = m.c.Compress(ctx, core.Request{
				Query: q.Text, Unit: c.Unit, Documents: c.Docs, Explain: true, Gap: core.GapNone, NoLabels: true,
			})
			if err != nil {
				return nil, err
			}
			if len(res.Units) == 0 && c.Tokens > 0 {
				return nil, errors.New("the compressor does not explain its choice: it gave no units")
			}
			last, units = q, units[:0]
			for _, s := range res.Units {
				units = append(units, c.unit(s))
			}
		}
		if share > Threshold {
			return c.choose(units, c.limit(share))
		}
		k := c.kept(res.Spans)
		k.Refused = res.Status == core.NothingRelevant
		return k, nil
	}), nil
}

type keeperFunc func(context.Context, *Query, float64) (*Kept, error)

func (f keeperFunc) Keep(ctx context.Context, q *Query, share float64) (*Kept, error) {
	return f(ctx, q, share)
}

// Ranker gives each passage of a corpus a score for a question; the best are kept.
type Ranker interface {
	Name() string
	// Index prepares the ranker for one corpus. The result gives one score a passage.
	Index(ctx context.Context, c *Corpus) (func(context.Context, *Query) ([]float32, error), error)
}

// Ranked is the method that fills a budget with the passages that r ranks best, by the same selector as the pipeline.
func Ranked(r Ranker) Method { return ranked{r} }

type ranked struct{ Ranker }

func (m ranked) Open(ctx context.Context, c *Corpus) (Keeper, error) {
	rank, err := m.Index(ctx, c)
	if err != nil {
		return nil, err
	}
	var last *Query
	var scores []float32
	return keeperFunc(func(ctx context.Context, q *Query, share float64) (*Kept, error) {
		if share == Threshold {
			return nil, nil
		}
		if q != last {
			if scores, err = rank(ctx, q); err != nil {
				return nil, err
			}
			last = q
		}
		return fill(c, scores, c.limit(share))
	}), nil
}

// fill keeps the passages of highest score that fit into limit tokens.
func fill(c *Corpus, scores []float32, limit int) (*Kept, error) {
	var order []int
	for i, p := range c.Passages {
		if p.Tokens > 0 {
			order = append(order, i)
		}
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(scores[b], scores[a]) })
	// The selector's scores are probabilities and it leaves out what is half as likely as what did not fit. A ranker only
	// ranks: scores from 1 down to above 1/2 keep its order and let it fill the budget.
	units := slices.Clone(c.Passages)
	for rank, i := range order {
		units[i].Score = 1 - float32(rank)/float32(2*len(order))
	}
	return c.choose(units, limit)
}

// simpleRanker scores passages without an index.
type simpleRanker struct {
	name  string
	score func(c *Corpus, q *Query) []float32
}

func (r simpleRanker) Name() string { return r.name }

func (r simpleRanker) Index(_ context.Context, c *Corpus) (func(context.Context, *Query) ([]float32, error), error) {
	return func(_ context.Context, q *Query) ([]float32, error) { return r.score(c, q), nil }, nil
}

// First keeps the beginning of the text.
func First() Method {
	return Ranked(simpleRanker{"first", func(c *Corpus, _ *Query) []float32 {
		s := make([]float32, len(c.Passages))
		for i := range s {
			s[i] = -float32(i)
		}
		return s
	}})
}

// Last keeps the end of the text.
func Last() Method {
	return Ranked(simpleRanker{"last", func(c *Corpus, _ *Query) []float32 {
		s := make([]float32, len(c.Passages))
		for i := range s {
			s[i] = float32(i)
		}
		return s
	}})
}

// Random keeps passages by lot, by seed and question.
func Random(seed uint64) Method {
	return Ranked(simpleRanker{"random", func(c *Corpus, q *Query) []float32 { return randomScores(c, q, seed) }})
}

func randomScores(c *Corpus, q *Query, seed uint64) []float32 {
	h := fnv.New64a()
	io.WriteString(h, q.Text)
	rng := rand.New(rand.NewPCG(seed, h.Sum64()))
	s := make([]float32, len(c.Passages))
	for i := range s {
		s[i] = rng.Float32()
	}
	return s
}

// Oracle keeps the passages that hold the most evidence for their length and fills up by lot: what no choice of passages
// can beat by much. Its own threshold keeps all passages with evidence and nothing else.
func Oracle(seed uint64) Method {
	return oracle{ranked{simpleRanker{"oracle", func(c *Corpus, q *Query) []float32 {
		s := randomScores(c, q, seed)
		for i, d := range c.density(q) {
			if d > 0 {
				s[i] = 1 + d
			}
		}
		return s
	}}}}
}

type oracle struct{ ranked }

func (m oracle) Open(ctx context.Context, c *Corpus) (Keeper, error) {
	k, err := m.ranked.Open(ctx, c)
	if err != nil {
		return nil, err
	}
	return keeperFunc(func(ctx context.Context, q *Query, share float64) (*Kept, error) {
		if share > Threshold {
			return k.Keep(ctx, q, share)
		}
		kept := &Kept{Refused: len(q.Spans) == 0}
		for i, d := range c.density(q) {
			if d > 0 {
				kept.Spans = append(kept.Spans, c.Passages[i].Span)
				kept.Tokens += c.Passages[i].Tokens
			}
		}
		return kept, nil
	}), nil
}

// BaselineNames are the names that Baselines knows; the last ones need an encoder.
func BaselineNames() []string {
	return []string{"bm25", "first", "last", "random", "oracle", "minilm", "bm25+minilm"}
}

// Baselines makes baselines by name. e may be nil if no name needs it.
func Baselines(names []string, e Encoder, seed uint64) ([]Method, error) {
	bm25, minilm := BM25(), Embeddings("minilm", e)
	var out []Method
	for _, name := range names {
		if e == nil && strings.HasSuffix(name, "minilm") {
			return nil, fmt.Errorf("baseline %s needs the weights of a sentence encoder", name)
		}
		switch name {
		case "bm25":
			out = append(out, Ranked(bm25))
		case "minilm":
			out = append(out, Ranked(minilm))
		case "bm25+minilm":
			out = append(out, Ranked(Fusion(bm25, minilm)))
		case "first":
			out = append(out, First())
		case "last":
			out = append(out, Last())
		case "random":
			out = append(out, Random(seed))
		case "oracle":
			out = append(out, Oracle(seed))
		default:
			return nil, fmt.Errorf("there is no baseline %q: give some of %s", name, strings.Join(BaselineNames(), ", "))
		}
	}
	return out, nil
}
