package graph

import (
	"fmt"
	"math"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	gx "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/layers/activation"
	"github.com/gomlx/gomlx/ml/nn"
)

// Weights are the parameters of a model in one graph, by their names in the checkpoint. What the nodes are is up to
// whoever builds the graph: inputs of an execution, variables of a training, constants.
type Weights map[string]*gx.Node

// node is the parameter called name. Like all graph building it panics on a fault; backend.Try stands above.
func (w Weights) node(name string) *gx.Node {
	n, ok := w[name]
	if !ok {
		panic(fmt.Errorf("the graph needs a tensor %q", name))
	}
	return n
}

// linear is x·Wᵀ + b along the last axis, for name.weight [out, in] and name.bias [out].
func (w Weights) linear(name string, x *gx.Node) *gx.Node {
	return nn.Dense(x, w.node(name+".weight"), w.node(name+".bias"), compute.DenseLayoutOutputsInput)
}

// layerNorm normalizes along the last axis, with name.weight and name.bias.
func (w Weights) layerNorm(name string, x *gx.Node, epsilon float64) *gx.Node {
	return nn.LayerNorm(x, []int{x.Rank() - 1}, epsilon, w.node(name+".weight"), w.node(name+".bias"), nil)
}

// embed looks the ids up in the rows of the tensor called name: int32 [...] to [..., hidden].
func (w Weights) embed(name string, ids *gx.Node) *gx.Node {
	return gx.Gather(w.node(name), gx.InsertAxes(ids, -1))
}

// Geometry is what the shapes of a BERT's tensors do not say.
type Geometry struct {
	Heads   int     // of attention; they divide the hidden size
	Epsilon float64 // of every LayerNorm
}

// Encoder is a BERT: prefix+"embeddings.…", then as many layers prefix+"encoder.layer.N.…" as asked for. The ids are int32
// [batch, tokens], rows padded at their right end; types are the token types in the same shape, nil for zeros; lengths are int32
// [batch]. The result is [batch, tokens, hidden], undefined at the padding. A row's states depend on nothing but
// its own ids.
func (g Geometry) Encoder(w Weights, prefix string, layers int, ids, types, lengths *gx.Node) *gx.Node {
	tokens := ids.Shape().Dimensions[1]
	x := w.embed(prefix+"embeddings.word_embeddings.weight", ids)
	positions := gx.Slice(w.node(prefix+"embeddings.position_embeddings.weight"), gx.AxisRange(0, tokens))
	x = gx.Add(x, gx.InsertAxes(positions, 0))
	if types == nil {
		types = gx.ZerosLike(ids)
	}
	x = gx.Add(x, w.embed(prefix+"embeddings.token_type_embeddings.weight", types))
	x = w.layerNorm(prefix+"embeddings.LayerNorm", x, g.Epsilon)
	mask := Mask(lengths, tokens)
	for i := range layers {
		x = g.Layer(w, fmt.Sprintf("%sencoder.layer.%d.", prefix, i), x, mask)
	}
	return x
}

// Layer is one post-LayerNorm BERT layer with the tensors prefix+"attention.…", "intermediate.…" and "output.…". x is
// [batch, tokens, hidden]; mask, bool [batch, tokens], says which positions are attended to.
func (g Geometry) Layer(w Weights, prefix string, x, mask *gx.Node) *gx.Node {
	attended := w.linear(prefix+"attention.output.dense", g.attention(w, prefix+"attention.self.", x, mask))
	x = w.layerNorm(prefix+"attention.output.LayerNorm", gx.Add(attended, x), g.Epsilon)
	inner := activation.Gelu(w.linear(prefix+"intermediate.dense", x))
	return w.layerNorm(prefix+"output.LayerNorm", gx.Add(w.linear(prefix+"output.dense", inner), x), g.Epsilon)
}

func (g Geometry) attention(w Weights, prefix string, x, mask *gx.Node) *gx.Node {
	batch, tokens, hidden := x.Shape().Dimensions[0], x.Shape().Dimensions[1], x.Shape().Dimensions[2]
	size := hidden / g.Heads
	heads := func(name string) *gx.Node { // [batch, heads, tokens, size]
		return gx.Transpose(gx.Reshape(w.linear(prefix+name, x), batch, tokens, g.Heads, size), 1, 2)
	}
	query := gx.MulScalar(heads("query"), 1/math.Sqrt(float64(size)))
	scores := gx.Einsum("bhqd,bhkd->bhqk", query, heads("key"))
	scores = gx.Add(scores, gx.Reshape(masked(mask, x.DType()), batch, 1, 1, tokens))
	context := gx.Einsum("bhqk,bhkd->bhqd", gx.Softmax(scores, -1), heads("value"))
	return gx.Reshape(gx.Transpose(context, 1, 2), batch, tokens, hidden)
}

// Mask marks the positions of rows that are no padding: int32 lengths [batch] to bool [batch, tokens].
func Mask(lengths *gx.Node, tokens int) *gx.Node {
	batch := lengths.Shape().Dimensions[0]
	positions := gx.Iota(lengths.Graph(), shapes.Make(dtypes.Int32, batch, tokens), 1)
	return gx.LessThan(positions, gx.BroadcastToDims(gx.InsertAxes(lengths, -1), batch, tokens))
}

// masked is what to add to logits so that a softmax gives exactly zero where the mask is false.
func masked(mask *gx.Node, dtype dtypes.DType) *gx.Node {
	g := mask.Graph()
	return gx.Where(mask, gx.Scalar(g, dtype, 0), gx.Scalar(g, dtype, -1e9))
}
