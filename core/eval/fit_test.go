package eval_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/cprs-go/cprs/core"
	"github.com/cprs-go/cprs/core/critic/critictest"
	"github.com/cprs-go/cprs/core/eval"
	"github.com/cprs-go/cprs/core/fusion"
	"github.com/cprs-go/cprs/core/window"
)

// stays is a set of questions on sentences that only the words of the question tell apart, and one question without an answer.
func stays(t *testing.T) *eval.Set {
	t.Helper()
	var b strings.Builder
	towns := []string{"Arles", "Bergen", "Cadiz", "Delft", "Essen", "Fano", "Graz", "Hull", "Izola", "Jena"}
	for i, town := range towns {
		text := ""
		span := [3]int{}
		for j, other := range towns {
			s := fmt.Sprintf("The guest from %s stayed for %d nights in the old house. ", other, j+2)
			if i == j {
				span = [3]int{0, len(text), len(text) + len(s) - 1}
			}
			text += s
		}
		fmt.Fprintf(&b, `{"id":"%d","docs":[{"title":"","text":%q}],"queries":[{"q":"guest %s","spans":[[0,%d,%d]],"level":"sentence"},{"q":"ostrich","spans":[],"level":"sentence"}]}`+"\n",
			i, text, town, span[1], span[2])
	}
	records, err := eval.Read(strings.NewReader(b.String()))
	if err != nil {
		t.Fatal(err)
	}
	return &eval.Set{Name: "stays", Records: records}
}

func fit(t *testing.T, recall float64, kind int) (*eval.Fit, error) {
	t.Helper()
	// The critic says the same of all.
	c := core.NewPipeline(core.PipelineOptions{
		Critic: critictest.Func(func(*window.Window, int) float32 { return 0.5 }), Layout: critictest.Layout(64), Tokenizer: critictest.Tokenizer{}, Threshold: 0.5, Fusion: &fusion.Options{},
	})
	return eval.FitFusion(context.Background(), []*eval.Set{stays(t)}, eval.Kinds[kind], eval.FitOptions{
		Judge: c, Tokenizer: critictest.Tokenizer{}, Shares: []float64{0.05, 0.1, 0.2}, Recall: recall,
	})
}

func TestFitFusion(t *testing.T) {
	f, err := fit(t, 0.8, 0)
	if err != nil {
		t.Fatal(err)
	}
	if w := f.Weights; w.Critic != 1 || w.Lexical == 0 || f.Questions != 10 {
		t.Errorf("weights %+v on %d questions", w, f.Questions)
	}
	if f.Alone[1] > 0.2 || f.Fused[1] < 0.9 {
		t.Errorf("recall at a tenth: alone %.2f, with the words %.2f", f.Alone[1], f.Fused[1])
	}
	if f.Recall < 0.8 || f.Kept > 0.15 || f.FalseKeep != 0 {
		t.Errorf("at one half: recall %.2f, kept %.2f, without an answer %.2f", f.Recall, f.Kept, f.FalseKeep)
	}
}

func TestFitFusionWithoutQuestions(t *testing.T) {
	if _, err := fit(t, 0.8, 1); !errors.Is(err, eval.ErrNoQuestion) || !strings.Contains(err.Error(), "line") {
		t.Errorf("got %v", err)
	}
}
