package hybrid

import (
	"fmt"
	"math"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	gx "github.com/gomlx/gomlx/core/graph"
)

// Model is the graph of a critic. All activations have the type DType; norms, softmax and the tables of positions are computed in
// float32. Weights are widened or narrowed to DType where they are used, and keep their own type in memory.
type Model struct {
	Config
	DType dtypes.DType
}

// Weights are the parameters of a model in one graph, by their names in the checkpoint. What the nodes are is up to whoever builds the
// graph.
type Weights map[string]*gx.Node

// States are the hidden states of a batch of rows, [batch, tokens, hidden] each, undefined at the padding.
type States struct {
	Causal        *gx.Node // after the last causal layer
	Bidirectional *gx.Node // after the last layer
	Final         *gx.Node // normed, what the heads read
}

// Forward gives the states of rows: int32 ids [batch, tokens], padded at their right end, and int32 lengths [batch] of at least 1. A
// row's states depend on its own ids alone.
func (m *Model) Forward(w Weights, ids, lengths *gx.Node) States {
	var s States
	x := m.cast(gx.Gather(w.node(embeddings), gx.InsertAxes(ids, -1)))
	rotate := m.rotation(x.Graph(), ids.Shape().Dimensions[1])
	s.Causal = x
	for i := range m.Layers {
		x = m.layer(w, fmt.Sprintf("model.layers.%d.", i), x, lengths, rotate, m.Causal(i))
		if m.Causal(i) {
			s.Causal = x
		}
	}
	s.Bidirectional = x
	s.Final = m.norm(w, finalNorm, x)
	return s
}

// Tags are the logits of the tags, float32 [batch, tokens, tags].
func (m *Model) Tags(w Weights, final *gx.Node) *gx.Node {
	return gx.ConvertDType(m.linear(w, tagHead, final, true), dtypes.Float32)
}

// Words are the logits of some words of the vocabulary, int32 [words]: float32 [batch, tokens, words].
func (m *Model) Words(w Weights, final, words *gx.Node) *gx.Node {
	head := wordHead
	if m.Tied {
		head = embeddings
	}
	rows := m.cast(gx.Gather(w.node(head), gx.InsertAxes(words, -1)))
	return gx.ConvertDType(gx.Einsum("bth,wh->btw", final, rows), dtypes.Float32)
}

// node is the parameter called name. Like all graph building it panics on a fault; backend.Try stands above.
func (w Weights) node(name string) *gx.Node {
	n, ok := w[name]
	if !ok {
		panic(fmt.Errorf("the graph needs a tensor %q", name))
	}
	return n
}

func (m *Model) cast(x *gx.Node) *gx.Node {
	if x.DType() == m.DType {
		return x
	}
	return gx.ConvertDType(x, m.DType)
}

// linear is x·Wᵀ, for name.weight [out, in], plus name.bias [out] where there is one.
func (m *Model) linear(w Weights, name string, x *gx.Node, biased bool) *gx.Node {
	y := gx.Einsum("bti,oi->bto", x, m.cast(w.node(name+".weight")))
	if biased {
		y = gx.Add(y, gx.InsertAxes(m.cast(w.node(name+".bias")), 0, 0))
	}
	return y
}

// norm is the RMSNorm along the last axis: in float32, then rounded, then weighted, as Qwen2 has it.
func (m *Model) norm(w Weights, name string, x *gx.Node) *gx.Node {
	wide := gx.ConvertDType(x, dtypes.Float32)
	mean := gx.ReduceAndKeep(gx.Square(wide), gx.ReduceMean, -1)
	wide = gx.Div(wide, gx.Sqrt(gx.AddScalar(mean, m.Epsilon)))
	weight := m.cast(w.node(name))
	return gx.Mul(m.cast(wide), gx.InsertAxes(weight, 0, 0))
}

// layer is one pre-norm layer with the tensors prefix+"….weight".
func (m *Model) layer(w Weights, prefix string, x, lengths *gx.Node, rotate *rotation, causal bool) *gx.Node {
	x = gx.Add(x, m.attention(w, prefix+"self_attn.", m.norm(w, prefix+"input_layernorm.weight", x), lengths, rotate, causal))
	y := m.norm(w, prefix+"post_attention_layernorm.weight", x)
	gate := m.linear(w, prefix+"mlp.gate_proj", y, false)
	gate = gx.Mul(gate, gx.Sigmoid(gate))
	up := m.linear(w, prefix+"mlp.up_proj", y, false)
	return gx.Add(x, m.linear(w, prefix+"mlp.down_proj", gx.Mul(gate, up), false))
}

func (m *Model) attention(w Weights, prefix string, x, lengths *gx.Node, rotate *rotation, causal bool) *gx.Node {
	batch, tokens := x.Shape().Dimensions[0], x.Shape().Dimensions[1]
	heads := func(name string, n int) *gx.Node { // [batch, tokens, n, head size]
		return gx.Reshape(m.linear(w, prefix+name+"_proj", x, true), batch, tokens, n, m.HeadSize)
	}
	query, key, value := rotate.apply(heads("q", m.Heads)), rotate.apply(heads("k", m.KVHeads)), heads("v", m.KVHeads)
	out := attend(query, key, value, lengths, causal)
	return m.linear(w, prefix+"o_proj", gx.Reshape(out, batch, tokens, m.Heads*m.HeadSize), false)
}

// rotation turns each pair of numbers, the first half of a head with the second, by an angle that grows with the position.
type rotation struct{ cos, sin *gx.Node } // [1, tokens, 1, head size / 2]

// rotation is the same for all rows: positions count from 0 in each. Angles are float32, as in the released code.
func (m *Model) rotation(g *gx.Graph, tokens int) *rotation {
	half := m.HeadSize / 2
	frequency := make([]float32, half)
	for i := range frequency {
		exponent := float32(2*i) / float32(m.HeadSize)
		frequency[i] = 1 / float32(math.Pow(m.Theta, float64(exponent)))
	}
	positions := gx.Iota(g, shapes.Make(dtypes.Float32, 1, tokens, 1, half), 1)
	angles := gx.Mul(positions, gx.Reshape(gx.Const(g, frequency), 1, 1, 1, half))
	return &rotation{m.cast(gx.Cos(angles)), m.cast(gx.Sin(angles))}
}

func (r *rotation) apply(x *gx.Node) *gx.Node {
	half := x.Shape().Dimensions[3] / 2
	all := gx.AxisRange()
	a := gx.Slice(x, all, all, all, gx.AxisRange(0, half))
	b := gx.Slice(x, all, all, all, gx.AxisRange(half))
	return gx.Concatenate([]*gx.Node{
		gx.Sub(gx.Mul(a, r.cos), gx.Mul(b, r.sin)),
		gx.Add(gx.Mul(b, r.cos), gx.Mul(a, r.sin)),
	}, 3)
}
