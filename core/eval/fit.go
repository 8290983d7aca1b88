package eval

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"slices"

	"github.com/cprs-go/cprs/core"
	"github.com/cprs-go/cprs/core/fusion"
	"github.com/cprs-go/cprs/core/tokenizer"
)

// FitOptions say how Fit chooses weights.
type FitOptions struct {
	Critic    core.Compressor     // the critic alone, without fusion
	Tokenizer tokenizer.Tokenizer // of the critic
	Stop      []int32             // ids that are no evidence, as in fusion.Options
	Shares    []float64           // of the tokens that may be kept: their mean recall decides on the lexical weight
	Recall    float64             // that the threshold one half shall give where there is an answer, in (0,1)
	PerSet    int                 // questions with an answer from each set, and as many without; 0: all
	Seed      uint64              // of the draw

	// Progress, if set, is told how many of the questions are done.
	Progress func(done, total int)
}

// Fit is what a fit chose, and what it gives on the questions it was chosen by.
type Fit struct {
	Weights   fusion.Weights
	Questions int       // with an answer
	Alone     []float64 // recall at each share with the critic's scores alone, mean over sets
	Fused     []float64 // recall at each share with Weights
	Recall    float64   // at the threshold one half
	Kept      float64   // share of the tokens that the threshold keeps where there is an answer
	FalseKeep float64   // and where there is none
}

// ErrNoQuestion is wrapped by FitFusion if no set has a question for the grain.
var ErrNoQuestion = errors.New("no question with an answer is kept")

// lexicalWeights are tried against the critic's weight of 1; thresholds, on the scale of logits, for the bias.
var (
	lexicalWeights = []float64{0, 1, 2, 3, 4, 5, 6, 7, 8}
	thresholds     = steps(-4, 4, 0.05)
)

func steps(from, to, by float64) []float64 {
	var out []float64
	for i := 0; from+float64(i)*by <= to; i++ {
		out = append(out, from+float64(i)*by)
	}
	return out
}

// FitFusion chooses the weights of core/fusion for one grain, UnitSentence or UnitLine: the lexical weight by recall at the shares, then the
// bias, so that a score of one half means the recall asked for. Questions that are kept at another grain are passed over.
func FitFusion(ctx context.Context, sets []*Set, grain core.Unit, opt FitOptions) (*Fit, error) {
	questions, err := judge(ctx, sets, grain, opt)
	if err != nil {
		return nil, err
	}
	f := &Fit{Weights: fusion.Weights{Critic: 1}}
	for _, q := range questions {
		if q.evidence > 0 {
			f.Questions++
		}
	}
	if f.Questions == 0 {
		return nil, fmt.Errorf("%w by the %v", ErrNoQuestion, grain)
	}
	best := math.Inf(-1)
	for _, w := range lexicalWeights {
		recall := meansBySet(questions, true, func(q *judged) []float64 { return q.recallAt(w, opt.Shares) })
		if w == 0 {
			f.Alone = recall
		}
		if m := sum(recall); m > best+1e-4 {
			best, f.Weights.Lexical, f.Fused = m, w, recall
		}
	}
	for _, t := range slices.Backward(thresholds) { // the highest that recalls enough
		at := meansBySet(questions, true, func(q *judged) []float64 { return q.above(f.Weights.Lexical, t) })
		f.Recall, f.Kept, f.Weights.Bias = at[0], at[1], -t
		if f.Recall >= opt.Recall {
			break
		}
	}
	if none := meansBySet(questions, false, func(q *judged) []float64 { return q.above(f.Weights.Lexical, -f.Weights.Bias) }); none != nil {
		f.FalseKeep = none[1]
	}
	return f, nil
}

// judged is a question with what critic and words say of each unit.
type judged struct {
	set             string
	critic, lexical []float64 // logits of the critic; lexical scores
	gold, tokens    []float64 // bytes of evidence; tokens
	evidence, total float64   // their sums
}

// judge asks the critic about the questions of one grain.
func judge(ctx context.Context, sets []*Set, grain core.Unit, opt FitOptions) ([]*judged, error) {
	var tasks []task
	total, done := 0, 0
	for _, s := range sets {
		for _, t := range sample(s, opt.PerSet, opt.Seed) {
			t.queries = slices.DeleteFunc(t.queries, func(q *Query) bool { return q.Unit(t.record) != grain })
			total += len(t.queries)
			tasks = append(tasks, t)
		}
	}
	var out []*judged
	for _, t := range tasks {
		for _, q := range t.queries {
			j, err := judgeOne(ctx, t, q, grain, opt)
			if err != nil {
				return nil, fmt.Errorf("record %s: %q: %w", t.record.ID, q.Text, err)
			}
			if len(j.critic) > 0 {
				out = append(out, j)
			}
			if done++; opt.Progress != nil {
				opt.Progress(done, total)
			}
		}
	}
	return out, nil
}

func judgeOne(ctx context.Context, t task, q *Query, grain core.Unit, opt FitOptions) (*judged, error) {
	req := core.Request{Query: q.Text, Unit: grain, Explain: true}
	for _, d := range t.record.Docs {
		req.Documents = append(req.Documents, core.Document{Title: d.Title, Text: d.Text})
	}
	res, err := opt.Critic.Compress(ctx, req)
	if err != nil {
		return nil, err
	}
	if len(res.Units) == 0 {
		return nil, errors.New("the critic does not explain its choice: it gave no units")
	}
	ids := func(text string) []int32 {
		var e tokenizer.Encoding
		opt.Tokenizer.Encode(&e, text)
		return e.IDs
	}
	words := fusion.New(&fusion.Options{Stop: opt.Stop}, ids(q.Text))
	j := &judged{set: t.set}
	for _, u := range res.Units {
		of := ids(req.Documents[u.Doc].Text[u.Start:u.End])
		words.Add(u.Doc, grain, of, u.Score)
		gold := 0
		for _, s := range q.Spans {
			if s[0] == u.Doc {
				gold += max(0, min(s[2], u.End)-max(s[1], u.Start))
			}
		}
		j.critic = append(j.critic, fusion.Logit(float64(u.Score)))
		j.gold, j.tokens = append(j.gold, float64(gold)), append(j.tokens, float64(len(of)))
		j.evidence, j.total = j.evidence+float64(gold), j.total+float64(len(of))
	}
	j.lexical = words.Lexical()
	return j, nil
}

func (j *judged) score(i int, lexical float64) float64 { return j.critic[i] + lexical*j.lexical[i] }

// recallAt is the share of the evidence in the best units that fit into each share of the tokens.
func (j *judged) recallAt(lexical float64, shares []float64) []float64 {
	order := make([]int, len(j.critic))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(j.score(b, lexical), j.score(a, lexical)) })
	var out []float64
	for _, share := range shares {
		room, got := share*j.total, 0.0
		for _, i := range order {
			if j.tokens[i] <= room {
				room -= j.tokens[i]
				got += j.gold[i]
			}
		}
		out = append(out, got/j.evidence)
	}
	return out
}

// above is the share of the evidence, if any, and of the tokens in units that score t or more.
func (j *judged) above(lexical, t float64) []float64 {
	got, kept := 0.0, 0.0
	for i := range j.critic {
		if j.score(i, lexical) >= t {
			got += j.gold[i]
			kept += j.tokens[i]
		}
	}
	return []float64{got / max(1, j.evidence), kept / max(1, j.total)}
}

// meansBySet is the mean over sets of the means over the questions with an answer, or without; nil if there are none.
func meansBySet(questions []*judged, answerable bool, f func(*judged) []float64) []float64 {
	sums, n := map[string][]float64{}, map[string]float64{}
	var sets []string
	for _, q := range questions {
		if (q.evidence > 0) != answerable {
			continue
		}
		if n[q.set]++; n[q.set] == 1 {
			sets = append(sets, q.set)
			sums[q.set] = make([]float64, len(f(q)))
		}
		for i, v := range f(q) {
			sums[q.set][i] += v
		}
	}
	var out []float64
	for _, s := range sets {
		if out == nil {
			out = make([]float64, len(sums[s]))
		}
		for i, v := range sums[s] {
			out[i] += v / n[s] / float64(len(sets))
		}
	}
	return out
}

func sum(v []float64) (s float64) {
	for _, x := range v {
		s += x
	}
	return s
}
