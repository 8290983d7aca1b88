package bert

import (
	"encoding/json"
	"fmt"
)

// Config is the shape of a BERT, with the names of a Hugging Face config.json.
type Config struct {
	Hidden       int     `json:"hidden_size"`
	Intermediate int     `json:"intermediate_size"`
	Heads        int     `json:"num_attention_heads"`
	Layers       int     `json:"num_hidden_layers"`
	Positions    int     `json:"max_position_embeddings"`
	Types        int     `json:"type_vocab_size"`
	Vocab        int     `json:"vocab_size"`
	Epsilon      float32 `json:"layer_norm_eps"`
	Activation   string  `json:"hidden_act"`
	Position     string  `json:"position_embedding_type"` // "absolute" or nothing
}

// ParseConfig reads and checks a config.json.
func ParseConfig(text []byte) (Config, error) {
	var c Config
	if err := json.Unmarshal(text, &c); err != nil {
		return c, fmt.Errorf("reading the configuration: %w", err)
	}
	return c, c.Validate()
}

// Validate refuses shapes that no BERT has and variants that this package does not compute.
func (c *Config) Validate() error {
	for _, f := range []struct {
		name       string
		value, max int
	}{
		{"hidden_size", c.Hidden, 1 << 14},
		{"intermediate_size", c.Intermediate, 1 << 16},
		{"num_attention_heads", c.Heads, 1 << 10},
		{"num_hidden_layers", c.Layers, 1 << 10},
		{"max_position_embeddings", c.Positions, 1 << 20},
		{"type_vocab_size", c.Types, 1 << 10},
		{"vocab_size", c.Vocab, 1 << 24},
	} {
		if f.value < 1 || f.value > f.max {
			return fmt.Errorf("configuration: %s is %d, not in 1 to %d", f.name, f.value, f.max)
		}
	}
	switch {
	case c.Hidden%c.Heads != 0:
		return fmt.Errorf("configuration: num_attention_heads %d does not divide hidden_size %d", c.Heads, c.Hidden)
	case !(c.Epsilon >= 0 && c.Epsilon < 1):
		return fmt.Errorf("configuration: layer_norm_eps is %v", c.Epsilon)
	case c.Activation != "gelu":
		return fmt.Errorf("configuration: hidden_act is %q, not gelu", c.Activation)
	case c.Position != "" && c.Position != "absolute":
		return fmt.Errorf("configuration: position_embedding_type is %q, not absolute", c.Position)
	}
	return nil
}
