package graph

import (
	"fmt"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	gx "github.com/gomlx/gomlx/core/graph"

	"github.com/cprs-go/cprs/core/model/latejoin"
)

// directReach is how many positions on either side the direct path averages the similarity over.
const directReach = 8

// cosineFloor keeps the cosine of a zero vector, and its gradient, finite.
const cosineFloor = 1e-12

// LateJoin is the graph of the late-join critic. All floats have the type of the weights.
type LateJoin struct {
	Geometry
	EncoderLayers, JointLayers int
}

// New is the graph of a critic of that shape.
func New(cfg latejoin.Config) LateJoin {
	return LateJoin{
		Geometry:      Geometry{Heads: cfg.Encoder.Heads, Epsilon: float64(cfg.Encoder.Epsilon)},
		EncoderLayers: cfg.Encoder.Layers,
		JointLayers:   cfg.JointLayers,
	}
}

// Questions is a batch of header rows, or one row for a whole batch of windows.
type Questions struct {
	States  *gx.Node // [batch or 1, tokens, hidden], of Encode
	Lengths *gx.Node // int32 [batch or 1]: tokens without the padding
	Pool    *gx.Node // bool [batch or 1, tokens]: the positions that stand for the question, at least one in a row
}

// Windows is a batch of window rows.
type Windows struct {
	States   *gx.Node // [batch, tokens, hidden], of Encode
	Lengths  *gx.Node // int32 [batch]: tokens without the padding
	Segments *gx.Node // int32 [batch, tokens]: rows of segment.weight, 2 for a token that the header has too, else 1
	Units    *gx.Node // int32 [batch]: rows of unit.weight
}

// Verdict is what the critic says of each window.
type Verdict struct {
	Tags       *gx.Node // [batch, tokens, 4]: logits of B, I, O, E, undefined at the padding
	Relevance  *gx.Node // [batch]: logit
	Similarity *gx.Node // [batch, tokens]: cosine with the pooled question, undefined at the padding
}

// Encode gives the states of headers or of windows: int32 ids [batch, tokens], rows padded at their right end, and lengths
// [batch] to [batch, tokens, hidden]. The states of a window do not depend on the question.
func (m LateJoin) Encode(w Weights, ids, lengths *gx.Node) *gx.Node {
	return m.Encoder(w, "encoder.", m.EncoderLayers, ids, nil, lengths)
}

// Judge joins questions and windows. A verdict depends on nothing but its window and question.
func (m LateJoin) Judge(w Weights, q Questions, c Windows) Verdict {
	batch, tokens := c.States.Shape().Dimensions[0], c.States.Shape().Dimensions[1]
	headerTokens := q.States.Shape().Dimensions[1]
	mask := Mask(c.Lengths, tokens)
	similarity := Similarity(w, q, c)

	header := gx.Add(repeat(q.States, batch), gx.InsertAxes(w.embed("unit.weight", c.Units), 1))
	header = gx.Add(header, gx.InsertAxes(gx.Slice(w.node("segment.weight"), gx.AxisElem(0)), 0))
	context := gx.Add(c.States, w.embed("segment.weight", c.Segments))
	context = gx.Add(context, gx.Einsum("bt,h->bth", similarity, w.node("similarity.weight")))

	x := w.layerNorm("norm", gx.Concatenate([]*gx.Node{header, context}, 1), m.Epsilon)
	both := gx.Concatenate([]*gx.Node{repeat(Mask(q.Lengths, headerTokens), batch), mask}, 1)
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

// Similarity is the cosine of each state of a window with the pooled states of its question: [batch, tokens].
func Similarity(w Weights, q Questions, c Windows) *gx.Node {
	logits := gx.Einsum("bth,h->bt", q.States, w.node("pool.weight"))
	share := gx.Softmax(gx.Add(logits, masked(q.Pool, logits.DType())), -1)
	question := repeat(gx.Einsum("bt,bth->bh", share, q.States), c.States.Shape().Dimensions[0])
	return gx.Einsum("bth,bh->bt", toUnit(c.States), toUnit(question))
}

// toUnit scales vectors along the last axis to length one.
func toUnit(x *gx.Node) *gx.Node {
	return gx.Div(x, gx.Sqrt(gx.AddScalar(gx.L2NormSquare(x, -1), cosineFloor)))
}

// direct is the direct path from similarity to tag logits: [batch, tokens, 4]. The similarity is averaged over the positions
// around each token, those of the window alone.
func direct(w Weights, similarity, mask *gx.Node) *gx.Node {
	inside := gx.ConvertDType(mask, similarity.DType())
	near := neighbours(similarity)
	sum := gx.Einsum("bs,st->bt", gx.Mul(similarity, inside), near)
	count := gx.Einsum("bs,st->bt", inside, near)
	mean := gx.Div(sum, gx.MaxScalar(count, 1))
	return gx.Einsum("bt,k->btk", gx.Sub(mean, w.node("direct.bias")), w.node("direct.weight"))
}

// neighbours is 1 where two positions are at most directReach apart, else 0: [tokens, tokens], for x [batch, tokens].
func neighbours(x *gx.Node) *gx.Node {
	tokens := x.Shape().Dimensions[1]
	square := shapes.Make(dtypes.Int32, tokens, tokens)
	apart := gx.Abs(gx.Sub(gx.Iota(x.Graph(), square, 0), gx.Iota(x.Graph(), square, 1)))
	return gx.ConvertDType(gx.LessOrEqual(apart, gx.Scalar(x.Graph(), dtypes.Int32, directReach)), x.DType())
}

// repeat makes one row stand for the whole batch; a batch stays as it is.
func repeat(x *gx.Node, batch int) *gx.Node {
	dims := append([]int{batch}, x.Shape().Dimensions[1:]...)
	return gx.BroadcastToDims(x, dims...)
}
