package core_test

import (
	"strings"
	"testing"

	"github.com/cprs-go/cprs/core"
)

func TestGapLabels(t *testing.T) {
	long := strings.Repeat("Nobody reads this line at all, they say.\n", 20)
	part := core.Document{ID: "log", FirstLine: 100, Text: "Cats sleep. Dogs bark and bark and bark and bark and bark. Cats purr.\n" + long + "Cats eat.\nCats purr.\n"}
	req := core.Request{Instruction: "cats sleep purr eat", Unit: core.UnitSentence, Budget: core.Budget{Threshold: 0.6}, NoLabels: true, Gap: core.GapLabels,
		Documents: []core.Document{part, {Text: long + "Cats eat."}}}
	tests := []struct {
		name, want string
		docs       int
		budget     core.Budget
	}{
		{"one document", "[log:100]\nCats sleep. […] Cats purr.\n[…:121-122]\nCats eat.\nCats purr.", 1, core.Budget{Threshold: 0.6}},
		{"several", "[log:100]\nCats sleep. […] Cats purr.\n[…:121-122]\nCats eat.\nCats purr.\n\n[doc 2:21]\nCats eat.", 2, core.Budget{Threshold: 0.6}},
		{"all of it", "[log:100-122]\n" + part.Text, 1, core.Budget{MaxTokens: 1000}},
		{"all of several", "[log:100-122]\n" + part.Text + "\n\n[doc 2:1-21]\n" + long + "Cats eat.", 2, core.Budget{MaxTokens: 1000}},
		{"all of it without room for labels", part.Text, 1, core.Budget{Ratio: 1}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			req := req
			req.Documents, req.Budget = req.Documents[:tt.docs], tt.budget
			if got := compress(t, req).Text; got != tt.want {
				t.Errorf("got\n%s\nwant\n%s", got, tt.want)
			}
		})
	}
}

func TestGapLabelsCoverPartsThatFollowEachOther(t *testing.T) {
	res := compress(t, core.Request{Instruction: "cats welcome are", Unit: core.UnitSentence, Budget: core.Budget{Threshold: 0.6}, Gap: core.GapLabels, Documents: []core.Document{lease}})
	if want := "[lease:9-10]\n## Pets\nCats are welcome."; res.Text != want {
		t.Errorf("got %q, want %q", res.Text, want)
	}
}

func TestGapLabelsFitTheBudget(t *testing.T) {
	docs := []core.Document{{ID: "a", Text: strings.Repeat("Cats sleep.\nDogs bark.\n", 30)}, {Text: "Cats."}, {Text: " \n"}, {}}
	for n := 1; n <= 250; n++ {
		for _, threshold := range []float64{0, 0.6} {
			compress(t, core.Request{Instruction: "cats", Unit: core.UnitSentence, Budget: core.Budget{MaxTokens: n, Threshold: threshold}, Gap: core.GapLabels, Documents: docs})
		}
	}
}
