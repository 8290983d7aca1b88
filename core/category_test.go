package core_test

import (
	"context"
	"slices"
	"strings"
	"testing"

	"github.com/cprs-go/cprs/core"
	"github.com/cprs-go/cprs/core/critic/critictest"
	"github.com/cprs-go/cprs/core/label"
	"github.com/cprs-go/cprs/core/prompt"
	"github.com/cprs-go/cprs/core/window"
)

// sorter is a critic that keeps all and sorts it: into the first category, and "two" into the second. Short: it forgets the second.
type sorter struct{ short bool }

func (s sorter) Score(ctx context.Context, ws []window.Window) ([]label.Scores, error) {
	out, err := critictest.Func(func(*window.Window, int) float32 { return 0.9 }).Score(ctx, ws)
	for i := range out {
		for _, id := range ws[i].IDs {
			p := []float32{0.6, 0.4}
			if id == tokenID("two") {
				p = []float32{0, 1}
			}
			if s.short {
				p = p[:1]
			}
			out[i].Categories = append(out[i].Categories, p)
		}
	}
	return out, err
}

func tokenID(word string) int32 {
	h, _ := critictest.Layout(64).Header(word, "")
	return h.IDs[1]
}

// sorting is a layout whose headers carry two categories.
type sorting struct{ prompt.Layout }

func (s sorting) Header(instruction, query string) (*prompt.Header, error) {
	h, err := s.Layout.Header(instruction, query)
	h.Categories = []prompt.Category{{Name: "one", ID: 1}, {Name: "two", ID: 2}}
	return h, err
}

// Spans carry the category that most of their tokens, counted by how sure they are kept, belong to.
func TestCategory(t *testing.T) {
	pipeline := func(s sorter) *core.Pipeline {
		return core.NewPipeline(core.PipelineOptions{Critic: s, Layout: sorting{critictest.Layout(64)}, Tokenizer: critictest.Tokenizer{}, Threshold: 0.5})
	}
	req := core.Request{Instruction: "all", Unit: core.UnitSentence, Explain: true, Documents: []core.Document{{Text: "Cats sleep.  Two two two dogs.  Birds sing."}}}
	res, err := pipeline(sorter{}).Compress(t.Context(), req)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, u := range res.Units {
		got = append(got, u.Category)
	}
	if want := []string{"one", "two", "one"}; !slices.Equal(got, want) {
		t.Errorf("categories %v, want %v", got, want)
	}
	if _, err := pipeline(sorter{short: true}).Compress(t.Context(), req); err == nil || !strings.Contains(err.Error(), "categories") {
		t.Errorf("a critic that forgets a category: %v", err)
	}
}
