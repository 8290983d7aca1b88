package graph

import (
	"encoding/json"
	"fmt"
)

// config is config.json of a late-join checkpoint.
type config struct {
	Units        []string `json:"units"`
	Labels       []string `json:"labels"`
	JointLayers  int      `json:"joint_layers"`
	HeaderTokens int      `json:"header_tokens"`
	MatchStop    []int32  `json:"match_stop"`
	Encoder      struct {
		Hidden    int     `json:"hidden_size"`
		Inner     int     `json:"intermediate_size"`
		Heads     int     `json:"num_attention_heads"`
		Layers    int     `json:"num_hidden_layers"`
		Positions int     `json:"max_position_embeddings"`
		Types     int     `json:"type_vocab_size"`
		Vocab     int     `json:"vocab_size"`
		Epsilon   float64 `json:"layer_norm_eps"`
	} `json:"encoder"`
}

func parseConfig(text []byte) (*config, error) {
	c := new(config)
	if err := json.Unmarshal(text, c); err != nil {
		return nil, fmt.Errorf("reading config.json: %w", err)
	}
	return c, nil
}

// tensors calls yield for each tensor of the checkpoint.
func (c *config) tensors(yield func(name string, shape ...int)) {
	e := c.Encoder
	norm := func(name string) {
		yield(name+".weight", e.Hidden)
		yield(name+".bias", e.Hidden)
	}
	linear := func(name string, out, in int) {
		yield(name+".weight", out, in)
		yield(name+".bias", out)
	}
	layer := func(prefix string) {
		for _, part := range []string{"query", "key", "value"} {
			linear(prefix+"attention.self."+part, e.Hidden, e.Hidden)
		}
		linear(prefix+"attention.output.dense", e.Hidden, e.Hidden)
		norm(prefix + "attention.output.LayerNorm")
		linear(prefix+"intermediate.dense", e.Inner, e.Hidden)
		linear(prefix+"output.dense", e.Hidden, e.Inner)
		norm(prefix + "output.LayerNorm")
	}
	yield("encoder.embeddings.word_embeddings.weight", e.Vocab, e.Hidden)
	yield("encoder.embeddings.position_embeddings.weight", e.Positions, e.Hidden)
	yield("encoder.embeddings.token_type_embeddings.weight", e.Types, e.Hidden)
	norm("encoder.embeddings.LayerNorm")
	for i := range e.Layers {
		layer(fmt.Sprintf("encoder.encoder.layer.%d.", i))
	}
	for i := range c.JointLayers {
		layer(fmt.Sprintf("joint.%d.", i))
	}
	yield("unit.weight", len(c.Units), e.Hidden)
	yield("segment.weight", 3, e.Hidden)
	yield("similarity.weight", e.Hidden)
	yield("pool.weight", e.Hidden)
	yield("direct.weight", len(c.Labels))
	yield("direct.bias")
	norm("norm")
	linear("tag", len(c.Labels), e.Hidden)
	linear("relevance", 1, e.Hidden)
}

// graph is the shape of the critic's graph.
func (c *config) graph() LateJoin {
	return LateJoin{
		Geometry:      Geometry{Heads: c.Encoder.Heads, Epsilon: c.Encoder.Epsilon},
		EncoderLayers: c.Encoder.Layers,
		JointLayers:   c.JointLayers,
	}
}
