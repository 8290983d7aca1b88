package train

import (
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	gx "github.com/gomlx/gomlx/core/graph"

	"github.com/cprs-go/cprs/core/model/graph"
)

// relevanceShare is the weight of the relevance of windows in a loss.
const relevanceShare = 0.25

// keepFloor bounds a unit's mean keep probability in the ranking, so that its odds stay finite.
const keepFloor = 1e-4

// tagWeights are those of B, I, O, E: the ends of a span are few.
var tagWeights = [4]float64{2, 1.5, 1, 2}

// losses are the parts of a loss, each a scalar.
type losses struct {
	tags      *gx.Node // weighted cross-entropy of B, I, O, E over all positions that count
	relevance *gx.Node // binary cross-entropy of whether a window holds anything asked for
	rank      *gx.Node // softmax cross-entropy of each unit of evidence among the others asked the same
	total     *gx.Node
}

// lossOf is the graph of the loss of a batch, whose tensors are in. ranking is the weight of the ranking.
func lossOf(m graph.LateJoin, w graph.Weights, in batchNodes, ranking float64) losses {
	states := m.Encode(w, in.windows, in.windowLengths)
	headers := m.Encode(w, in.headers, in.headerLengths)
	of := func(rows, index *gx.Node) *gx.Node { return gx.Gather(rows, gx.InsertAxes(index, -1)) }
	v := m.Judge(w, graph.Questions{
		States:  pick(headers, in.pairHeader),
		Lengths: of(in.headerLengths, in.pairHeader),
		Pool:    of(in.pool, in.pairHeader),
	}, graph.Windows{
		States:   pick(states, in.pairWindow),
		Lengths:  of(in.windowLengths, in.pairWindow),
		Segments: in.segments,
		Units:    in.grains,
	})
	tags := logSoftmax(gx.ConvertDType(v.Tags, dtypes.Float32))
	l := losses{
		tags:      tagLoss(tags, in),
		relevance: relevanceLoss(gx.ConvertDType(v.Relevance, dtypes.Float32), in),
		rank:      rankLoss(tags, in),
	}
	l.total = gx.Add(l.tags, gx.Add(gx.MulScalar(l.relevance, relevanceShare), gx.MulScalar(l.rank, ranking)))
	return l
}

// pick is rows[index] for states, [rows, tokens, hidden]. As a matrix product it has a matrix product for a gradient, where that of
// a gather is scattered additions.
func pick(rows, index *gx.Node) *gx.Node {
	one := gx.OneHot(index, rows.Shape().Dimensions[0], rows.DType())
	return gx.Einsum("pr,rth->pth", one, rows)
}

// logSoftmax is along the last axis.
func logSoftmax(x *gx.Node) *gx.Node {
	x = gx.Sub(x, gx.StopGradient(gx.ReduceAndKeep(x, gx.ReduceMax, -1)))
	return gx.Sub(x, gx.Log(gx.ReduceAndKeep(gx.Exp(x), gx.ReduceSum, -1)))
}

// tagLoss is the mean cross-entropy of logs, [pairs, tokens, 4], weighted by tag and by position.
func tagLoss(logs *gx.Node, in batchNodes) *gx.Node {
	weight := gx.InsertAxes(gx.Const(logs.Graph(), []float32{float32(tagWeights[0]), float32(tagWeights[1]), float32(tagWeights[2]), float32(tagWeights[3])}), 0, 0)
	weight = gx.Mul(gx.Mul(gx.OneHot(in.tags, 4, dtypes.Float32), weight), gx.InsertAxes(in.counts, -1))
	sum := gx.Neg(gx.ReduceAllSum(gx.Mul(weight, logs)))
	return gx.Div(sum, gx.MaxScalar(gx.ReduceAllSum(weight), 1))
}

// relevanceLoss is the mean over the pairs that count.
func relevanceLoss(logits *gx.Node, in batchNodes) *gx.Node {
	loss := gx.Sub(softplus(logits), gx.Mul(logits, in.relevant))
	return gx.Div(gx.ReduceAllSum(gx.Mul(loss, in.pairCounts)), gx.MaxScalar(gx.ReduceAllSum(in.pairCounts), 1))
}

// rankLoss sets the log-odds of each unit of evidence against those of all other units of the windows that were asked the same
// question. A unit's odds are those of its mean keep probability, by which the selector orders units.
func rankLoss(logs *gx.Node, in batchNodes) *gx.Node {
	g := logs.Graph()
	outside := gx.Squeeze(gx.Slice(logs, gx.AxisRange(), gx.AxisRange(), gx.AxisElem(2)), -1)
	keep := gx.OneMinus(gx.Exp(outside)) // [pairs, tokens]
	units := in.roles.Shape().Dimensions[1]
	member := gx.ConvertDType(gx.Equal(gx.InsertAxes(in.units, -1), gx.Iota(g, shapes.Make(dtypes.Int32, 1, 1, units), 2)), dtypes.Float32)
	size := gx.MaxScalar(gx.ReduceSum(member, 1), 1)
	mean := gx.Div(gx.Einsum("pt,ptu->pu", keep, member), size)
	mean = gx.AddScalar(gx.MulScalar(mean, 1-2*keepFloor), keepFloor)
	odds := gx.Div(mean, gx.OneMinus(mean)) // [pairs, units], up to 1/keepFloor
	role := func(r int32) *gx.Node {
		return gx.ConvertDType(gx.Equal(in.roles, gx.Scalar(g, dtypes.Int32, r)), dtypes.Float32)
	}
	other := gx.ReduceSum(gx.Mul(odds, role(roleOther)), 1) // [pairs]
	pairs := in.pairHeader.Shape().Dimensions[0]
	row := gx.BroadcastToDims(gx.InsertAxes(in.pairHeader, 0), pairs, pairs)
	column := gx.BroadcastToDims(gx.InsertAxes(in.pairHeader, 1), pairs, pairs)
	same := gx.Mul(gx.ConvertDType(gx.Equal(row, column), dtypes.Float32), gx.InsertAxes(in.pairCounts, 0))
	rivals := gx.Einsum("pq,q->p", same, other)
	loss := gx.Log(gx.AddScalar(gx.Div(gx.InsertAxes(rivals, -1), odds), 1))
	evidence := gx.Mul(role(roleEvidence), gx.InsertAxes(in.pairCounts, -1))
	// Each question counts the same, however many units answer it.
	ofQuestion := gx.Einsum("pq,q->p", same, gx.ReduceSum(evidence, 1))
	evidence = gx.Div(evidence, gx.MaxScalar(gx.InsertAxes(ofQuestion, -1), 1))
	sum := gx.ReduceAllSum(gx.Mul(loss, evidence))
	return gx.Div(sum, gx.MaxScalar(gx.ReduceAllSum(evidence), 1))
}

// softplus is log(1 + eˣ) without overflow.
func softplus(x *gx.Node) *gx.Node {
	return gx.Add(gx.MaxScalar(x, 0), gx.Log1P(gx.Exp(gx.Neg(gx.Abs(x)))))
}
