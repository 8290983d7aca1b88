package train

import (
	"bytes"
	_ "embed" // for the recipe
	"encoding/json"
	"fmt"
	"os"

	"github.com/cprs-go/cprs/core"
)

//go:embed recipe.json
var defaultRecipe []byte

// Recipe says how the sources of a training are mixed and what is made of their records. All shares are in [0,1].
type Recipe struct {
	// Sources are the weights of files, by their names without folder and endings, and of generators, as "synth:KIND". A source
	// without a file is left out; a file without a source gets OtherWeight.
	Sources     []SourceRecipe `json:"sources"`
	OtherWeight float64        `json:"other_weight"`

	// Unanswerable is the share of draws that hold no answer: questions that have none, and questions moved to a text without.
	Unanswerable float64 `json:"unanswerable"`
	// Distractors is the share of short texts that are put among up to MostDistractors others of their source.
	Distractors     float64 `json:"distractors"`
	MostDistractors int     `json:"most_distractors"`
	// Windows is the most windows that a question is asked of; Questions is the most questions on the same windows.
	Windows   int `json:"windows"`
	Questions int `json:"questions"`
	// ShortWindows is the share of batches whose windows are half as long as the critic's longest.
	ShortWindows float64 `json:"short_windows"`
	// DropTitles is the share of draws without titles.
	DropTitles float64 `json:"drop_titles"`
	// Instructions is the share of questions that synth.Instruction words; the others stay alone.
	Instructions float64 `json:"instructions"`
	// Varied is the share of questions that synth.Vary may reword.
	Varied float64 `json:"varied"`
	// OutsideMasked is the share of positions outside the evidence that do not count in the loss.
	OutsideMasked float64 `json:"outside_masked"`
	// Phrases is the share of keyword questions that are asked for phrases; Paragraphs that of others asked for paragraphs.
	Phrases    float64 `json:"phrases"`
	Paragraphs float64 `json:"paragraphs"`
}

// SourceRecipe is one source of a recipe.
type SourceRecipe struct {
	Name   string  `json:"name"`
	Weight float64 `json:"weight"` // draws, in proportion to those of the other sources
	// Cap is the most questions for which a record is drawn as often as it has questions; 0: 4.
	Cap int `json:"cap,omitempty"`
	// OutsideMasked, if set, replaces that of the recipe: unmarked text of some sources is a weak negative.
	OutsideMasked *float64 `json:"outside_masked,omitempty"`
}

// defaultCap is the Cap of a source that does not say.
const defaultCap = 4

// LoadRecipe reads a recipe; an empty path stands for the one that the embedded critic is trained with.
func LoadRecipe(path string) (*Recipe, error) {
	text := defaultRecipe
	if path != "" {
		var err error
		if text, err = os.ReadFile(path); err != nil {
			return nil, &core.Error{Code: core.CodeNotFound, Message: "the recipe cannot be read", Hint: "give a JSON file, or leave --recipe out", Err: err}
		}
	}
	r, err := parseRecipe(text)
	if err != nil {
		return nil, &core.Error{Code: core.CodeInvalidArgument, Message: fmt.Sprintf("the recipe %s is wrong", path), Hint: "core/train/recipe.json is an example", Err: err}
	}
	return r, nil
}

func parseRecipe(text []byte) (*Recipe, error) {
	dec := json.NewDecoder(bytes.NewReader(text))
	dec.DisallowUnknownFields()
	var r Recipe
	if err := dec.Decode(&r); err != nil {
		return nil, err
	}
	return &r, r.check()
}

func (r *Recipe) check() error {
	for _, s := range []struct {
		name  string
		value float64
	}{
		{"unanswerable", r.Unanswerable}, {"distractors", r.Distractors}, {"short_windows", r.ShortWindows}, {"drop_titles", r.DropTitles},
		{"instructions", r.Instructions}, {"varied", r.Varied}, {"outside_masked", r.OutsideMasked},
		{"phrases", r.Phrases}, {"paragraphs", r.Paragraphs},
	} {
		if !(s.value >= 0 && s.value <= 1) {
			return fmt.Errorf("%s is %v, not in [0,1]", s.name, s.value)
		}
	}
	for _, c := range []struct {
		name       string
		value, min int
	}{{"windows", r.Windows, 1}, {"questions", r.Questions, 1}, {"most_distractors", r.MostDistractors, 0}} {
		if c.value < c.min || c.value > 64 {
			return fmt.Errorf("%s is %d, not in %d to 64", c.name, c.value, c.min)
		}
	}
	if !(r.OtherWeight >= 0) {
		return fmt.Errorf("other_weight is %v", r.OtherWeight)
	}
	seen := map[string]bool{}
	for _, s := range r.Sources {
		switch {
		case s.Name == "" || seen[s.Name]:
			return fmt.Errorf("source %q is named twice or not at all", s.Name)
		case !(s.Weight >= 0) || s.Cap < 0:
			return fmt.Errorf("source %s: weight %v, cap %d", s.Name, s.Weight, s.Cap)
		case s.OutsideMasked != nil && !(*s.OutsideMasked >= 0 && *s.OutsideMasked <= 1):
			return fmt.Errorf("source %s: outside_masked is %v, not in [0,1]", s.Name, *s.OutsideMasked)
		}
		seen[s.Name] = true
	}
	return nil
}
