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

// Judge tells what the scores of a request's units are made of; *core.Pipeline is one.
type Judge interface {
	Features(context.Context, core.Request) ([]core.Span, []fusion.Features, error)
}

// FitOptions say how FitFusion chooses weights.
type FitOptions struct {
	Judge     Judge
	Tokenizer tokenizer.Tokenizer // of the critic
	Shares    []float64           // of the tokens that may be kept, whose mean recall is wanted
	Recall    float64             // that the threshold one half shall give where there is an answer, in (0,1)
	PerSet    int                 // questions with an answer from each set, and as many without; 0: all
	Seed      uint64              // of the draw

	// Progress, if set, is told how many of the questions are done.
	Progress func(done, total int)
}

// Fit is what FitFusion chose, and what it gives on the questions it was chosen by.
type Fit struct {
	Weights   fusion.Weights
	Questions int       // with an answer
	Alone     []float64 // recall at each share by the tokens' keep probabilities alone, mean over sets
	Fused     []float64 // recall at each share with Weights
	Recall    float64   // at the threshold one half
	Kept      float64   // share of the tokens that the threshold keeps where there is an answer
	FalseKeep float64   // and where there is none
}

// ErrNoQuestion is wrapped by FitFusion if no set has a question of the kind.
var ErrNoQuestion = errors.New("there is no question with an answer")

// The weights that are tried: those of the words beside a critic's of 1, then less of the critic beside the most of the words; that of
// relevance as a share of the critic's. And thresholds, on the scale of logits, for the bias.
var (
	lexicalWeights  = steps(0, 8, 1)
	criticWeights   = []float64{0.6, 0.4, 0.2, 0.1, 0.05}
	relevanceShares = steps(0, 1, 0.2)
	thresholds      = steps(-6, 6, 0.05)
)

// hundredths rounds to them, so that a configuration reads well.
func hundredths(x float64) float64 { return math.Round(100*x) / 100 }

func steps(from, to, by float64) []float64 {
	var out []float64
	for i := 0; from+float64(i)*by < to+by/2; i++ {
		out = append(out, hundredths(from+float64(i)*by))
	}
	return out
}

// Kind is the questions that share weights.
type Kind struct {
	Name    string // in a critic's config.json
	matches func(*Query, *Record) bool
}

// Kinds are those of core/fusion: by the grain that a question is kept at, and by its script.
var Kinds = []Kind{
	{core.UnitSentence.String(), func(q *Query, r *Record) bool { return !fusion.NonLatin(q.Text) && q.Unit(r) == core.UnitSentence }},
	{core.UnitLine.String(), func(q *Query, r *Record) bool { return !fusion.NonLatin(q.Text) && q.Unit(r) == core.UnitLine }},
	{fusion.OtherScripts, func(q *Query, r *Record) bool { return fusion.NonLatin(q.Text) }},
}

// FitFusion chooses the weights of core/fusion for one kind of questions, by recall at the shares and by how little a threshold of one half
// keeps, whose bias gives the recall asked for.
func FitFusion(ctx context.Context, sets []*Set, kind Kind, opt FitOptions) (*Fit, error) {
	questions, err := judge(ctx, sets, kind, opt)
	if err != nil {
		return nil, err
	}
	f := &Fit{}
	for _, q := range questions {
		if q.evidence > 0 {
			f.Questions++
		}
	}
	if f.Questions == 0 {
		return nil, fmt.Errorf("%w: kind %s", ErrNoQuestion, kind.Name)
	}
	best := math.Inf(-1)
	for _, w := range candidates() {
		recall := meansBySet(questions, true, func(q *judged) []float64 { return q.recallAt(w, opt.Shares) })
		if f.Alone == nil {
			f.Alone = recall
		}
		with := Fit{Weights: w, Questions: f.Questions, Alone: f.Alone, Fused: recall}
		with.setBias(questions, opt.Recall)
		if v := with.value(); v > best+1e-4 {
			best, *f = v, with
		}
	}
	return f, nil
}

// value is what weights are chosen by: recall at the shares, less half of the text that the threshold keeps.
func (f *Fit) value() float64 {
	return sum(f.Fused)/float64(len(f.Fused)) - (f.Kept+f.FalseKeep)/2
}

// setBias puts the highest threshold that recalls enough at one half.
func (f *Fit) setBias(questions []*judged, recall float64) {
	w := f.Weights
	for _, t := range slices.Backward(thresholds) {
		at := meansBySet(questions, true, func(q *judged) []float64 { return q.above(w, t) })
		f.Recall, f.Kept, f.Weights.Bias = at[0], at[1], hundredths(-t)
		if f.Recall >= recall {
			break
		}
	}
	if none := meansBySet(questions, false, func(q *judged) []float64 { return q.above(w, -f.Weights.Bias) }); none != nil {
		f.FalseKeep = none[1]
	}
}

// candidates are the weights that are tried, without bias; the first is the critic's labels alone.
func candidates() []fusion.Weights {
	var out []fusion.Weights
	for _, share := range relevanceShares {
		for _, lexical := range lexicalWeights {
			out = append(out, fusion.Weights{Critic: 1, Relevance: share, Lexical: lexical})
		}
		for _, critic := range criticWeights {
			out = append(out, fusion.Weights{Critic: critic, Relevance: hundredths(critic * share), Lexical: slices.Max(lexicalWeights)})
		}
	}
	return out
}

// judged is a question with what is known of each unit.
type judged struct {
	set             string
	features        []fusion.Features
	gold, tokens    []float64 // bytes of evidence; tokens
	evidence, total float64   // their sums
}

// judge asks the critic about the questions of one kind.
func judge(ctx context.Context, sets []*Set, kind Kind, opt FitOptions) ([]*judged, error) {
	var tasks []task
	total, done := 0, 0
	for _, s := range sets {
		for _, t := range sample(s, opt.PerSet, opt.Seed) {
			t.queries = slices.DeleteFunc(t.queries, func(q *Query) bool { return !kind.matches(q, t.record) })
			total += len(t.queries)
			tasks = append(tasks, t)
		}
	}
	var out []*judged
	for _, t := range tasks {
		for _, q := range t.queries {
			j, err := judgeOne(ctx, t, q, opt)
			if err != nil {
				return nil, fmt.Errorf("record %s: %q: %w", t.record.ID, q.Text, err)
			}
			if len(j.features) > 0 {
				out = append(out, j)
			}
			if done++; opt.Progress != nil {
				opt.Progress(done, total)
			}
		}
	}
	return out, nil
}

func judgeOne(ctx context.Context, t task, q *Query, opt FitOptions) (*judged, error) {
	req := core.Request{Query: q.Text, Unit: q.Unit(t.record)}
	for _, d := range t.record.Docs {
		req.Documents = append(req.Documents, core.Document{Title: d.Title, Text: d.Text})
	}
	units, features, err := opt.Judge.Features(ctx, req)
	if err != nil {
		return nil, err
	}
	j := &judged{set: t.set, features: features}
	for _, u := range units {
		gold := 0
		for _, s := range q.Spans {
			if s[0] == u.Doc {
				gold += max(0, min(s[2], u.End)-max(s[1], u.Start))
			}
		}
		tokens := tokenizer.Count(opt.Tokenizer, req.Documents[u.Doc].Text[u.Start:u.End])
		j.gold, j.tokens = append(j.gold, float64(gold)), append(j.tokens, float64(tokens))
		j.evidence, j.total = j.evidence+float64(gold), j.total+float64(tokens)
	}
	return j, nil
}

// recallAt is the share of the evidence in the best units that fit into each share of the tokens; where the best one does not fit, in its
// beginning, which is taken to hold its share of what the unit holds.
func (j *judged) recallAt(w fusion.Weights, shares []float64) []float64 {
	order := make([]int, len(j.features))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(w.Logit(j.features[b]), w.Logit(j.features[a])) })
	var out []float64
	for _, share := range shares {
		room, got := share*j.total, 0.0
		if best := order[0]; j.tokens[best] > room {
			out = append(out, j.gold[best]*room/j.tokens[best]/j.evidence)
			continue
		}
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
func (j *judged) above(w fusion.Weights, t float64) []float64 {
	got, kept := 0.0, 0.0
	for i, f := range j.features {
		if w.Logit(f) >= t {
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
