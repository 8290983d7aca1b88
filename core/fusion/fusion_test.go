package fusion_test

import (
	"math"
	"slices"
	"testing"

	"github.com/cprs-go/cprs/core/fusion"
	"github.com/cprs-go/cprs/core/unit"
)

// a sentence of a document.
type sentence struct {
	doc    int
	critic float32
	ids    []int32
}

func scores(o *fusion.Options, question []int32, list []sentence) []float32 {
	s := fusion.New(o, question)
	for _, u := range list {
		s.Add(u.doc, unit.Sentence, u.ids, repeat(u.critic, len(u.ids)), 0.5)
	}
	return s.Scores()
}

func repeat(p float32, n int) []float32 { return slices.Repeat([]float32{p}, n) }

func lexical() *fusion.Options {
	return &fusion.Options{Weights: map[unit.Unit]fusion.Weights{unit.Sentence: {Critic: 1, Lexical: 5, Bias: -1}}, Stop: []int32{1}}
}

func TestScores(t *testing.T) {
	tests := []struct {
		name     string
		question []int32
		list     []sentence
		want     []float64
	}{
		{"no unit", []int32{5}, nil, nil},
		{"no word of the question", []int32{5}, []sentence{{0, 0.5, []int32{8, 9}}, {0, 0.9, []int32{8}}},
			[]float64{sigma(-1), sigma(math.Log(9) - 1)}},
		{"stop words count for nothing", []int32{1}, []sentence{{0, 0.5, []int32{1, 1}}}, []float64{sigma(-1)}},
		{"the critic's 0 and 1", nil, []sentence{{0, 0, []int32{8}}, {0, 1, []int32{8}}},
			[]float64{sigma(math.Log(0.001/0.999) - 1), sigma(math.Log(0.999/0.001) - 1)}},
		// Both units have the mean length, so a word that occurs once counts 1/(1+1.2), and one that occurs twice 2/(2+1.2), of its part.
		{"the only word", []int32{5}, []sentence{{0, 0.5, []int32{5, 8}}, {0, 0.5, []int32{8, 9}}}, []float64{sigma(5/2.2 - 1), sigma(-1)}},
		{"twice", []int32{5, 5}, []sentence{{0, 0.5, []int32{5, 5}}, {0, 0.5, []int32{8, 9}}}, []float64{sigma(5*2/3.2 - 1), sigma(-1)}},
		{"a word in no unit counts for nothing", []int32{5, 6}, []sentence{{0, 0.5, []int32{5, 8}}, {0, 0.5, []int32{8, 9}}},
			[]float64{sigma(5/2.2 - 1), sigma(-1)}},
		{"a word in every unit counts for little", []int32{5, 6}, []sentence{{0, 0.5, []int32{5, 6}}, {0, 0.5, []int32{5, 9}}},
			[]float64{sigma(5/2.2 - 1), sigma(5/2.2*math.Log(1.2)/(math.Log(1.2)+math.Log(2)) - 1)}},
		{"an empty unit", []int32{5}, []sentence{{0, 0.5, nil}}, []float64{sigma(math.Log(0.001/0.999) - 1)}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := scores(lexical(), tt.question, tt.list)
			if len(got) != len(tt.want) {
				t.Fatalf("%d scores, want %d", len(got), len(tt.want))
			}
			for i := range got {
				if math.Abs(float64(got[i])-tt.want[i]) > 1e-6 {
					t.Errorf("score %d is %v, want %v", i, got[i], tt.want[i])
				}
			}
		})
	}
}

func sigma(x float64) float64 { return 1 / (1 + math.Exp(-x)) }

// TestOtherDocuments: what else is read changes nothing.
func TestOtherDocuments(t *testing.T) {
	one := []sentence{{0, 0.2, []int32{5, 8, 6}}, {0, 0.7, []int32{5}}, {0, 0.4, []int32{9, 9}}}
	other := []sentence{{1, 0.3, []int32{5, 6}}, {1, 0.1, []int32{6, 6, 6, 6}}}
	question := []int32{5, 6, 7}
	want := slices.Concat(scores(lexical(), question, one), scores(lexical(), question, other))
	if got := scores(lexical(), question, slices.Concat(one, other)); !slices.Equal(got, want) {
		t.Errorf("together %v, alone %v", got, want)
	}
}

// TestFeatures: the critic's part is the mean of the higher half of the tokens, the middle one with it.
func TestFeatures(t *testing.T) {
	logit := func(p float64) float64 { return math.Log(p / (1 - p)) }
	for _, tt := range []struct {
		keep []float32
		want float64
	}{
		{[]float32{0.3}, 0.3},
		{[]float32{0.2, 0.9}, 0.9},
		{[]float32{0.9, 0.1, 0.5}, 0.7},
		{[]float32{0.1, 0.2, 0.8, 0.6}, 0.7},
	} {
		s := fusion.New(lexical(), nil)
		s.Add(0, unit.Sentence, make([]int32, len(tt.keep)), tt.keep, 0.25)
		f := s.Features()[0]
		if math.Abs(f.Critic-logit(tt.want)) > 1e-6 || math.Abs(f.Relevance-logit(0.25)) > 1e-6 || f.Lexical != 0 {
			t.Errorf("%v: %+v, want the logit of %v", tt.keep, f, tt.want)
		}
	}
}

// TestWithoutWeights: a grain that has none is scored by the critic alone.
func TestWithoutWeights(t *testing.T) {
	s := fusion.New(lexical(), []int32{5})
	s.Add(0, unit.Phrase, []int32{5, 6}, []float32{0.25, 0.75}, 0.9)
	if got := s.Scores(); !slices.Equal(got, []float32{0.5}) {
		t.Errorf("got %v", got)
	}
}

func TestValidate(t *testing.T) {
	for name, w := range map[string]fusion.Weights{
		"negative": {Critic: -1}, "negative words": {Lexical: -0.1}, "negative relevance": {Relevance: -0.1}, "not a number": {Bias: math.NaN()}, "infinite": {Critic: math.Inf(1)},
	} {
		if err := (&fusion.Options{Weights: map[unit.Unit]fusion.Weights{unit.Line: w}}).Validate(); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	if err := lexical().Validate(); err != nil {
		t.Error(err)
	}
}
