package graph

import (
	"fmt"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	gx "github.com/gomlx/gomlx/core/graph"
)

// directReach is how many positions on either side the direct path averages the similarity over.
const directReach = 8

// cosineFloor keeps the cosine of a zero vector, and its gradient, finite.
const cosineFloor = 1e-12

// LateJoin is the graph of the late-join critic. Header and context are encoded apart, with Encode; Judge joins them.
type LateJoin struct {
	Geometry
	EncoderLayers, JointLayers int
}

// Header is a batch of questions, or one question for the whole batch of contexts.
type Header struct {
	States  *gx.Node // float32 [batch or 1, tokens, hidden], of Encode
	Lengths *gx.Node // int32 [batch or 1]
	Pool    *gx.Node // bool [batch or 1, tokens]: the positions that stand for the question, at least one in a row
}

// Context is a batch of windows.
type Context struct {
	States   *gx.Node // float32 [batch, tokens, hidden], of Encode
	Lengths  *gx.Node // int32 [batch]
	Segments *gx.Node // int32 [batch, tokens]: rows of segment.weight, 1 or 2 for a token that the header has too
	Units    *gx.Node // int32 [batch]: rows of unit.weight
}

// Verdict is what the critic says of each window.
type Verdict struct {
	Tags       *gx.Node // float32 [batch, tokens, 4]: logits of B, I, O, E, undefined at the padding
	Relevance  *gx.Node // float32 [batch]: logit
	Similarity *gx.Node // float32 [batch, tokens]: cosine with the pooled question, undefined at the padding
}

// Encode gives the states of headers or of windows: int32 ids [batch, tokens] and lengths [batch] to float32
// [batch, tokens, hidden].
func (m LateJoin) Encode(w Weights, ids, lengths *gx.Node) *gx.Node {
	return m.Encoder(w, "encoder.", m.EncoderLayers, ids, nil, lengths)
}

// Judge joins questions and windows. A window's verdict depends on nothing but itself and its header.
func (m LateJoin) Judge(w Weights, h Header, c Context) Verdict {
	batch := c.States.Shape().Dimensions[0]
	headerTokens, tokens := h.States.Shape().Dimensions[1], c.States.Shape().Dimensions[1]
	mask := Mask(c.Lengths, tokens)
	similarity := Similarity(w, h, c)

	segment := gx.Slice(w.node("segment.weight"), gx.AxisElem(0))
	asked := gx.Add(w.embed("unit.weight", c.Units), gx.BroadcastToDims(segment, batch, segment.Shape().Dimensions[1]))
	header := gx.Add(repeat(h.States, batch), gx.InsertAxes(asked, 1))
	context := gx.Add(c.States, w.embed("segment.weight", c.Segments))
	context = gx.Add(context, gx.Einsum("bt,h->bth", similarity, w.node("similarity.weight")))

	x := w.layerNorm("norm", gx.Concatenate([]*gx.Node{header, context}, 1), m.Epsilon)
	both := gx.Concatenate([]*gx.Node{repeat(Mask(h.Lengths, headerTokens), batch), mask}, 1)
	for i := range m.JointLayers {
		x = m.Layer(w, fmt.Sprintf("joint.%d.", i), x, both)
	}
	tags := w.linear("tag", gx.Slice(x, gx.AxisRange(), gx.AxisRangeToEnd(headerTokens)))
	first := gx.Squeeze(gx.Slice(x, gx.AxisRange(), gx.AxisElem(0)), 1)
	return Verdict{
		Tags:       gx.Add(tags, direct(w, similarity, mask)),
		Relevance:  gx.Squeeze(w.linear("relevance", first), 1),
		Similarity: similarity,
	}
}

// Similarity is the cosine of each state of a window with its pooled question: [batch, tokens].
func Similarity(w Weights, h Header, c Context) *gx.Node {
	logits := gx.Einsum("bth,h->bt", h.States, w.node("pool.weight"))
	share := gx.Softmax(gx.Add(logits, masked(h.Pool)), -1)
	question := repeat(gx.Einsum("bt,bth->bh", share, h.States), c.States.Shape().Dimensions[0])
	return gx.Einsum("bth,bh->bt", unit(c.States), unit(question))
}

// unit scales vectors along the last axis to length one.
func unit(x *gx.Node) *gx.Node {
	return gx.Mul(x, gx.Rsqrt(gx.AddScalar(gx.L2NormSquare(x, -1), cosineFloor)))
}

// direct is the direct path from similarity to tag logits: [batch, tokens, 4]. The similarity is averaged over the positions
// around each token, those of the window alone.
func direct(w Weights, similarity, mask *gx.Node) *gx.Node {
	inside := gx.ConvertDType(mask, similarity.DType())
	near := neighbours(similarity.Graph(), similarity.Shape().Dimensions[1])
	sum := gx.Einsum("bs,st->bt", gx.Mul(similarity, inside), near)
	count := gx.Einsum("bs,st->bt", inside, near)
	mean := gx.Div(sum, gx.MaxScalar(count, 1))
	return gx.Einsum("bt,k->btk", gx.Sub(mean, w.node("direct.bias")), w.node("direct.weight"))
}

// neighbours is 1 where two positions are at most directReach apart, else 0: [tokens, tokens].
func neighbours(g *gx.Graph, tokens int) *gx.Node {
	square := shapes.Make(dtypes.Int32, tokens, tokens)
	apart := gx.Abs(gx.Sub(gx.Iota(g, square, 0), gx.Iota(g, square, 1)))
	return gx.ConvertDType(gx.LessOrEqual(apart, gx.Const(g, int32(directReach))), dtypes.Float32)
}

// repeat makes one row stand for the whole batch; a batch stays as it is.
func repeat(x *gx.Node, batch int) *gx.Node {
	dims := append([]int{batch}, x.Shape().Dimensions[1:]...)
	return gx.BroadcastToDims(x, dims...)
}
