package latejoin

import (
	"encoding/json"
	"fmt"
	"slices"

	"github.com/cprs-go/cprs/core/fusion"
	"github.com/cprs-go/cprs/core/model/bert"
	"github.com/cprs-go/cprs/core/unit"
)

// ModelType is the model_type of a config.json that this package reads.
const ModelType = "cprs_late_join"

// Config is the shape of a critic, from config.json.
type Config struct {
	Type         string      `json:"model_type"`
	Labels       []string    `json:"labels"` // B, I, O, E
	Units        []string    `json:"units"`  // phrase, sentence, paragraph, line
	JointLayers  int         `json:"joint_layers"`
	HeaderTokens int         `json:"header_tokens"` // most ids of a header row
	WindowTokens int         `json:"window_tokens"` // most ids of a window row that the layout makes
	TitleTokens  int         `json:"title_tokens"`
	MatchStop    []int32     `json:"match_stop"` // ids that do not count as a match with the header
	Encoder      bert.Config `json:"encoder"`

	// Fusion holds the weights that join the critic's scores with those of the words, by the names of Units, and for questions in other
	// scripts by fusion.OtherScripts; without, the critic alone scores.
	Fusion map[string]fusion.Weights `json:"fusion,omitempty"`
}

// grains are the names of Units in their order, the rows of unit.weight.
var grains = []unit.Unit{unit.Phrase, unit.Sentence, unit.Paragraph, unit.Line}

// ParseConfig reads and checks a config.json.
func ParseConfig(text []byte) (Config, error) {
	var c Config
	if err := json.Unmarshal(text, &c); err != nil {
		return c, fmt.Errorf("reading the configuration: %w", err)
	}
	if c.Type != ModelType {
		return c, fmt.Errorf("configuration: model_type is %q, not %s", c.Type, ModelType)
	}
	if err := c.Encoder.Validate(); err != nil {
		return c, fmt.Errorf("encoder: %w", err)
	}
	if want := []string{"B", "I", "O", "E"}; !slices.Equal(c.Labels, want) {
		return c, fmt.Errorf("configuration: labels are %q, not %q", c.Labels, want)
	}
	if want := []string{"phrase", "sentence", "paragraph", "line"}; !slices.Equal(c.Units, want) {
		return c, fmt.Errorf("configuration: units are %q, not %q", c.Units, want)
	}
	for _, f := range []struct {
		name            string
		value, min, max int
	}{
		{"joint_layers", c.JointLayers, 1, 64},
		{"header_tokens", c.HeaderTokens, 3, c.Encoder.Positions},
		{"window_tokens", c.WindowTokens, 4, c.Encoder.Positions},
		{"title_tokens", c.TitleTokens, 0, c.WindowTokens - 4}, // [CLS], colon, a token and [SEP] are left
	} {
		if f.value < f.min || f.value > f.max {
			return c, fmt.Errorf("configuration: %s is %d, not in %d to %d", f.name, f.value, f.min, f.max)
		}
	}
	for name := range c.Fusion {
		if name != fusion.OtherScripts && !slices.Contains(c.Units, name) {
			return c, fmt.Errorf("configuration: fusion of %q, not one of %q or %s", name, c.Units, fusion.OtherScripts)
		}
	}
	if err := c.fusion().Validate(); err != nil {
		return c, fmt.Errorf("configuration: %w", err)
	}
	return c, nil
}

// fusion is how the critic's scores join with those of the words.
func (c *Config) fusion() *fusion.Options {
	o := &fusion.Options{Grains: map[unit.Unit]fusion.Weights{}}
	for name, w := range c.Fusion {
		if name == fusion.OtherScripts {
			o.NonLatin = &w
		} else {
			o.Grains[grains[slices.Index(c.Units, name)]] = w
		}
	}
	return o
}

// unitRow is the row of unit.weight for a grain, -1 if there is none.
func unitRow(u unit.Unit) int { return slices.Index(grains, u) }
