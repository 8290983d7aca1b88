package fusion_test

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/cprs-go/cprs/core/fusion"
	"github.com/cprs-go/cprs/core/unit"
)

// a sentence of a document.
type sentence struct {
	doc    int
	critic float32
	text   string
}

func scores(o *fusion.Options, question string, list []sentence) []float32 {
	s := fusion.New(o, question)
	for _, u := range list {
		s.Add(u.doc, unit.Sentence, u.text, repeat(u.critic, len(strings.Fields(u.text))), 0.5)
	}
	return s.Scores()
}

func repeat(p float32, n int) []float32 { return slices.Repeat([]float32{p}, n) }

func lexical() *fusion.Options {
	return &fusion.Options{Grains: map[unit.Unit]fusion.Weights{unit.Sentence: {Critic: 1, Lexical: 5, Bias: -1}}}
}

func TestScores(t *testing.T) {
	tests := []struct {
		name     string
		question string
		list     []sentence
		want     []float64
	}{
		{"no unit", "lease", nil, nil},
		{"no word of the question", "lease", []sentence{{0, 0.5, "cat dog"}, {0, 0.9, "cat"}},
			[]float64{sigma(-1), sigma(math.Log(9) - 1)}},
		{"stop words count for nothing", "the", []sentence{{0, 0.5, "the the"}}, []float64{sigma(-1)}},
		{"the critic's 0 and 1", "", []sentence{{0, 0, "cat"}, {0, 1, "cat"}},
			[]float64{sigma(math.Log(0.001/0.999) - 1), sigma(math.Log(0.999/0.001) - 1)}},
		// Both units have the mean length, so a word that occurs once counts 1/(1+1.2), and one that occurs twice 2/(2+1.2), of its part.
		{"the only word", "lease", []sentence{{0, 0.5, "lease cat"}, {0, 0.5, "cat dog"}}, []float64{sigma(5/2.2 - 1), sigma(-1)}},
		{"twice", "lease lease", []sentence{{0, 0.5, "lease lease"}, {0, 0.5, "cat dog"}}, []float64{sigma(5*2/3.2 - 1), sigma(-1)}},
		{"a word in no unit counts for nothing", "lease rent", []sentence{{0, 0.5, "lease cat"}, {0, 0.5, "cat dog"}},
			[]float64{sigma(5/2.2 - 1), sigma(-1)}},
		{"a word in every unit counts for little", "lease rent", []sentence{{0, 0.5, "lease rent"}, {0, 0.5, "lease dog"}},
			[]float64{sigma(5/2.2 - 1), sigma(5/2.2*math.Log(1.2)/(math.Log(1.2)+math.Log(2)) - 1)}},
		{"an empty unit", "lease", []sentence{{0, 0.5, ""}}, []float64{sigma(math.Log(0.001/0.999) - 1)}},
		{"marks alone", "lease", []sentence{{0, 0.9, "\t}) //"}, {0, 0.9, "\t}) // a"}},
			[]float64{sigma(math.Log(0.001/0.999) - 1), sigma(math.Log(9) - 1)}},
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
	one := []sentence{{0, 0.2, "lease cat rent"}, {0, 0.7, "lease"}, {0, 0.4, "dog dog"}}
	other := []sentence{{1, 0.3, "lease rent"}, {1, 0.1, "rent rent rent rent"}}
	question := "lease rent zebra"
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
		s := fusion.New(lexical(), "")
		s.Add(0, unit.Sentence, "cat", tt.keep, 0.25)
		f := s.Features()[0]
		if math.Abs(f.Critic-logit(tt.want)) > 1e-6 || math.Abs(f.Relevance-logit(0.25)) > 1e-6 || f.Lexical != 0 {
			t.Errorf("%v: %+v, want the logit of %v", tt.keep, f, tt.want)
		}
	}
}

// TestWithoutWeights: a grain that has none is scored by the critic alone.
func TestWithoutWeights(t *testing.T) {
	s := fusion.New(lexical(), "lease")
	s.Add(0, unit.Phrase, "lease rent", []float32{0.25, 0.75}, 0.9)
	if got := s.Scores(); !slices.Equal(got, []float32{0.5}) {
		t.Errorf("got %v", got)
	}
}

func TestValidate(t *testing.T) {
	for name, w := range map[string]fusion.Weights{
		"negative": {Critic: -1}, "negative words": {Lexical: -0.1}, "negative relevance": {Relevance: -0.1}, "not a number": {Bias: math.NaN()}, "infinite": {Critic: math.Inf(1)},
	} {
		if err := (&fusion.Options{Grains: map[unit.Unit]fusion.Weights{unit.Line: w}}).Validate(); err == nil {
			t.Errorf("%s: no error", name)
		}
		if err := (&fusion.Options{NonLatin: &w}).Validate(); err == nil {
			t.Errorf("%s, other scripts: no error", name)
		}
	}
	if err := lexical().Validate(); err != nil {
		t.Error(err)
	}
}

// TestNonLatin: the script of the question decides which weights count.
func TestNonLatin(t *testing.T) {
	o := lexical()
	o.NonLatin = &fusion.Weights{Critic: 1, Bias: 2}
	for question, want := range map[string]float64{"lease": -1, "租约": 2, "аренда": 2, "": -1, "3.5": -1, "KI 租": -1, "K 租约": 2} {
		if got := scores(o, question, []sentence{{0, 0.5, "cat"}}); math.Abs(float64(got[0])-sigma(want)) > 1e-6 {
			t.Errorf("%q: %v", question, got)
		}
	}
}

func TestTerms(t *testing.T) {
	tests := []struct{ text, want string }{
		{"", ""},
		{"The lease's TERM, ends: 3.5 days!", "The|lease's|TERM|ends|3.5|days"},
		{"退租须知", "退|租|退租|须|租须|知|须知"},
		{"見 本ab 东", "見|本|ab|东"},
		{"-- \x00 \xff", ""},
		{"max_retries=3 _x __init__ A_b", "max_retries|max|retries|3|_x|__init__|init|A_b"},
		{"maxRetries HTTPServer2 getURL iPad NATO Cat McX", "maxRetries|max|Retries|HTTPServer2|HTTP|Server2|getURL|get|URL|iPad|Pad|NATO|Cat|McX|Mc"},
		{"log.level 10.0.0.1 v1.2 e.g. user:admin", "log.level|log|level|10.0.0.1|v1.2|e.g|user:admin|user|admin"},
		{"größe_maß", "größe_maß|größe|maß"},
	}
	for _, tt := range tests {
		var got []string
		fusion.Terms(tt.text, func(w string) { got = append(got, w) })
		if strings.Join(got, "|") != tt.want {
			t.Errorf("%q: %q", tt.text, got)
		}
	}
}

func TestFold(t *testing.T) {
	for form, want := range map[string]string{
		"Terminating": "termin", "termination": "termin", "ＡＢＣ１": "abc1", "Straße": "straße", "I386": "i386", "退租": "退租", "": "",
	} {
		if got := fusion.Fold(form); got != want {
			t.Errorf("%q: %q, want %q", form, got, want)
		}
	}
}

// TestLongQuestion: what is beyond the first terms changes nothing.
func TestLongQuestion(t *testing.T) {
	var question strings.Builder
	for i := range 128 {
		fmt.Fprintf(&question, "w%d ", i)
	}
	list := []sentence{{0, 0.5, "w127 cat"}, {0, 0.5, "w128 cat"}}
	if got := scores(lexical(), question.String()+"w128", list); got[0] <= got[1] || got[1] != float32(sigma(-1)) {
		t.Errorf("got %v", got)
	}
}

// FuzzScorer: whatever the texts, scores are in [0,1], and the words of a question never lower what a unit scores without them.
func FuzzScorer(f *testing.F) {
	f.Add("When does the lease end?", "The lease ends in May.", "Cats purr.", float32(0.3))
	f.Add("退租", "退租须知", "\xff\x00", float32(1))
	f.Fuzz(func(t *testing.T, question, a, b string, p float32) {
		if !(p >= 0 && p <= 1) {
			return
		}
		s := fusion.New(lexical(), question)
		s.Add(0, unit.Sentence, a, []float32{p}, p)
		s.Add(0, unit.Sentence, b, []float32{p}, p)
		without := fusion.New(lexical(), "")
		without.Add(0, unit.Sentence, a, []float32{p}, p)
		without.Add(0, unit.Sentence, b, []float32{p}, p)
		floor := without.Scores()
		for i, got := range s.Scores() {
			if !(got >= floor[i] && got <= 1) {
				t.Errorf("score %v, without the question %v", got, floor[i])
			}
		}
	})
}

// BenchmarkMatch looks for the words of a question in lines of a log, most of whose words are numbers that stand there once.
func BenchmarkMatch(b *testing.B) {
	var text strings.Builder
	for i := range 10_000 {
		fmt.Fprintf(&text, "2026-11-03T%02d:%02d:%02d.%03dZ INFO [worker] request %d served in %d ms\n", i/3600%24, i/60%60, i%60, i*7%1000, i*7919, i%977)
	}
	s := fusion.New(nil, "Why was the nightly job aborted?")
	b.SetBytes(int64(text.Len()))
	for b.Loop() {
		s.Match(text.String(), func(int) { b.Fatal("a match") })
	}
}
