package hybrid

import (
	"encoding/json"
	"errors"
	"fmt"

	"github.com/cprs-go/cprs/core/model/checkpoint"
)

// ModelType is the model_type of a config.json that this package reads.
const ModelType = "qwen2"

// DefaultSplit is the first layer that sees the whole window where the configuration does not say: the released code has it fixed.
const DefaultSplit = 21

// ErrForeign is wrapped by errors about a configuration of another architecture.
var ErrForeign = errors.New("not a hybrid Qwen2 critic")

// Config is the shape of a critic, from config.json.
type Config struct {
	Type          string          `json:"model_type"`
	Layers        int             `json:"num_hidden_layers"`
	Hidden        int             `json:"hidden_size"`
	Heads         int             `json:"num_attention_heads"`
	KVHeads       int             `json:"num_key_value_heads"` // 0: as Heads
	HeadSize      int             `json:"head_dim"`            // 0: Hidden / Heads
	Intermediate  int             `json:"intermediate_size"`
	Vocab         int             `json:"vocab_size"`
	Positions     int             `json:"max_position_embeddings"`
	Theta         float64         `json:"rope_theta"`
	Epsilon       float64         `json:"rms_norm_eps"`
	Activation    string          `json:"hidden_act"`
	Labels        string          `json:"bi_label_type"` // BIOE; BIO has no end tag
	Tied          bool            `json:"tie_word_embeddings"`
	SlidingWindow bool            `json:"use_sliding_window"`
	Scaling       json.RawMessage `json:"rope_scaling"`
	// Split is the first layer that sees the whole window; those below it are causal.
	Split *int `json:"bidirectional_start_layer"`
}

// ParseConfig reads and checks a config.json.
func ParseConfig(text []byte) (Config, error) {
	var c Config
	if err := json.Unmarshal(text, &c); err != nil {
		return c, fmt.Errorf("reading the configuration: %w", err)
	}
	if c.Type != ModelType {
		return c, fmt.Errorf("configuration: %w: model_type is %q, not %s", ErrForeign, c.Type, ModelType)
	}
	if c.KVHeads == 0 {
		c.KVHeads = c.Heads
	}
	if c.HeadSize == 0 && c.Heads > 0 {
		c.HeadSize = c.Hidden / c.Heads
	}
	if c.Split == nil {
		split := DefaultSplit
		c.Split = &split
	}
	if c.Labels == "" {
		c.Labels = "BIOE"
	}
	return c, c.validate()
}

func (c *Config) validate() error {
	for _, f := range []struct {
		name            string
		value, min, max int
	}{
		{"num_hidden_layers", c.Layers, 1, 1024},
		{"hidden_size", c.Hidden, 1, 1 << 17},
		{"num_attention_heads", c.Heads, 1, 1 << 12},
		{"num_key_value_heads", c.KVHeads, 1, c.Heads},
		{"head_dim", c.HeadSize, 2, 1 << 12},
		{"intermediate_size", c.Intermediate, 1, 1 << 20},
		{"vocab_size", c.Vocab, 1, 1 << 24},
		{"max_position_embeddings", c.Positions, 1, 1 << 30},
		{"bidirectional_start_layer", *c.Split, 0, 1024},
	} {
		if f.value < f.min || f.value > f.max {
			return fmt.Errorf("configuration: %s is %d, not in %d to %d", f.name, f.value, f.min, f.max)
		}
	}
	switch {
	case c.Heads%c.KVHeads != 0:
		return fmt.Errorf("configuration: %d attention heads are no multiple of %d key/value heads", c.Heads, c.KVHeads)
	case c.HeadSize%2 != 0:
		return fmt.Errorf("configuration: head_dim is %d, an odd number", c.HeadSize)
	case !(c.Theta > 0):
		return fmt.Errorf("configuration: rope_theta is %v", c.Theta)
	case !(c.Epsilon > 0):
		return fmt.Errorf("configuration: rms_norm_eps is %v", c.Epsilon)
	case c.Activation != "silu":
		return fmt.Errorf("configuration: hidden_act is %q, not silu", c.Activation)
	case c.SlidingWindow:
		return errors.New("configuration: use_sliding_window is set, which the released model does not have")
	case len(c.Scaling) > 0 && string(c.Scaling) != "null":
		return fmt.Errorf("configuration: rope_scaling is %.80s, which the released model does not have", c.Scaling)
	case c.Labels != "BIOE" && c.Labels != "BIO":
		return fmt.Errorf("configuration: bi_label_type is %q, not BIOE or BIO", c.Labels)
	}
	return nil
}

// Causal says whether a layer, counted from 0, sees only what stands before each token.
func (c *Config) Causal(layer int) bool { return layer < *c.Split }

// CausalLayers is the number of layers that do.
func (c *Config) CausalLayers() int { return min(*c.Split, c.Layers) }

// shape is the name of a tensor in a checkpoint and its size along each axis.
type shape struct {
	name string
	dims []int
}

// The tensors outside the layers.
const (
	embeddings = "model.embed_tokens.weight"
	finalNorm  = "model.norm.weight"
	tagHead    = "cls_head"
	wordHead   = "lm_head.weight"
)

// Tensors are the tensors of a checkpoint of this shape, without their data, in the order of the layers, the heads last.
func (c *Config) Tensors(t checkpoint.DType) []checkpoint.Tensor {
	all := c.shapes()
	if !c.Tied {
		all = append(all, shape{wordHead, []int{c.Vocab, c.Hidden}})
	}
	out := make([]checkpoint.Tensor, len(all))
	for i, s := range all {
		out[i] = checkpoint.Tensor{Name: s.name, DType: t, Shape: s.dims}
	}
	return out
}

// ActivationBytes is about the most memory that a batch of full windows takes beside the weights, for each device: the states, the
// widest step of a layer, and the scores of a block of queries where the backend has no attention of its own.
func (c *Config) ActivationBytes(windows, tokens int, p Precision, fused bool) int64 {
	rows, size := int64(windows)*int64(tokens), int64(2)
	if p == F32 {
		size = 4
	}
	states := 4 * rows * int64(c.Hidden) * size
	widest := 3 * rows * int64(c.Intermediate) * size
	if !fused {
		scores := 2 * int64(windows) * int64(c.Heads) * int64(min(queryBlock, tokens)) * int64(tokens) * 4
		widest = max(widest, scores+3*rows*int64(c.Heads*c.HeadSize)*size)
	}
	return states + widest
}

// FLOPs are the floating-point operations that a row of n ids takes: two for each weight and id, and those of attention, in causal layers
// over half of the pairs.
func (c *Config) FLOPs(n int) float64 {
	weights := 0.0
	for _, s := range c.shapes() {
		if len(s.dims) == 2 && s.name != embeddings {
			weights += float64(s.dims[0]) * float64(s.dims[1])
		}
	}
	pairs := float64(n) * float64(n)
	attention := 4 * pairs * float64(c.Heads*c.HeadSize)
	causal := float64(c.CausalLayers())
	return 2*weights*float64(n) + attention*(causal/2+float64(c.Layers)-causal)
}

// shapes are the tensors of a critic but for the word head.
func (c *Config) shapes() []shape {
	all := []shape{{embeddings, []int{c.Vocab, c.Hidden}}}
	for i := range c.Layers {
		add := func(name string, dims ...int) {
			all = append(all, shape{fmt.Sprintf("model.layers.%d.%s", i, name), dims})
		}
		q, kv := c.Heads*c.HeadSize, c.KVHeads*c.HeadSize
		add("input_layernorm.weight", c.Hidden)
		for _, p := range []shape{{"q", []int{q}}, {"k", []int{kv}}, {"v", []int{kv}}} {
			add("self_attn."+p.name+"_proj.weight", p.dims[0], c.Hidden)
			add("self_attn."+p.name+"_proj.bias", p.dims...)
		}
		add("self_attn.o_proj.weight", c.Hidden, q)
		add("post_attention_layernorm.weight", c.Hidden)
		add("mlp.gate_proj.weight", c.Intermediate, c.Hidden)
		add("mlp.up_proj.weight", c.Intermediate, c.Hidden)
		add("mlp.down_proj.weight", c.Hidden, c.Intermediate)
	}
	return append(all, shape{finalNorm, []int{c.Hidden}},
		shape{tagHead + ".weight", []int{len(c.Labels), c.Hidden}}, shape{tagHead + ".bias", []int{len(c.Labels)}})
}
