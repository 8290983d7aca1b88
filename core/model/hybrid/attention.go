package hybrid

import (
	"fmt"
	"math"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	gx "github.com/gomlx/gomlx/core/graph"

	"github.com/cprs-go/cprs/core/backend"
)

// queryBlock is how many queries attend at a time where the backend has no attention of its own: their scores are all that is held of
// the [heads, tokens, tokens] that a window has.
const queryBlock = 512

// attend is softmax(q·kᵀ/√size)·v for query [batch, tokens, heads, size] and key and value [batch, tokens, kv heads, size], each of
// which serves as many query heads in a row as there are more of them. A token attends to the first lengths[row] tokens; in causal
// layers only up to itself. Lengths are compared where scores are made: no mask is held, and one that is all true is never built. Rows
// are masked even where none is padded, so that a row's result does not depend on its neighbours.
func attend(query, key, value, lengths *gx.Node, causal bool) *gx.Node {
	if out, ok := fused(query, key, value, lengths, causal); ok {
		return out
	}
	dims := query.Shape().Dimensions
	batch, tokens, heads, size := dims[0], dims[1], dims[2], dims[3]
	kv := key.Shape().Dimensions[2]
	group := heads / kv
	query = gx.TransposeAllAxes(gx.Reshape(query, batch, tokens, kv, group, size), 0, 2, 3, 1, 4)
	key, value = gx.TransposeAllAxes(key, 0, 2, 1, 3), gx.TransposeAllAxes(value, 0, 2, 1, 3)
	var blocks []*gx.Node
	for first := 0; first < tokens; first += queryBlock {
		last := min(first+queryBlock, tokens)
		seen := tokens
		if causal {
			seen = last
		}
		all := gx.AxisRange()
		q := gx.Slice(query, all, all, all, gx.AxisRange(first, last))
		k, v := gx.Slice(key, all, all, gx.AxisRange(0, seen)), gx.Slice(value, all, all, gx.AxisRange(0, seen))
		scores := gx.ConvertDType(gx.Einsum("bhgqd,bhkd->bhgqk", q, k), dtypes.Float32)
		scores = gx.MulScalar(scores, 1/math.Sqrt(float64(size)))
		scores = gx.Where(gx.BroadcastToDims(visible(lengths, first, last, seen, causal), scores.Shape().Dimensions...),
			scores, gx.BroadcastToDims(gx.Scalar(scores.Graph(), dtypes.Float32, -1e9), scores.Shape().Dimensions...))
		share := gx.ConvertDType(gx.Softmax(scores, -1), value.DType())
		blocks = append(blocks, gx.Einsum("bhgqk,bhkd->bhgqd", share, v))
	}
	out := blocks[0]
	if len(blocks) > 1 {
		out = gx.Concatenate(blocks, 3)
	}
	return gx.Reshape(gx.TransposeAllAxes(out, 0, 3, 1, 2, 4), batch, tokens, heads, size)
}

// visible is bool [batch, 1, 1, queries, keys]: which of the first seen keys the queries from first to last attend to.
func visible(lengths *gx.Node, first, last, seen int, causal bool) *gx.Node {
	g, batch, queries := lengths.Graph(), lengths.Shape().Dimensions[0], last-first
	keys := gx.Iota(g, shapes.Make(dtypes.Int32, batch, 1, 1, queries, seen), 4)
	mask := gx.LessThan(keys, gx.BroadcastToDims(gx.Reshape(lengths, batch, 1, 1, 1, 1), keys.Shape().Dimensions...))
	if causal {
		at := gx.AddScalar(gx.Iota(g, keys.Shape(), 3), first)
		mask = gx.LogicalAnd(mask, gx.LessOrEqual(keys, at))
	}
	return mask
}

// fused is the backend's own attention (cuDNN's flash attention on xla:cuda), where it has one for these shapes and types.
func fused(query, key, value, lengths *gx.Node, causal bool) (out *gx.Node, ok bool) {
	if !query.Graph().Backend().Capabilities().Operations[compute.OpTypeFusedScaledDotProductAttention] {
		return nil, false
	}
	seen := gx.InternalBackendOutputs(lengths)[0]
	err := backend.Try(func() error {
		out, _ = gx.BackendFusedScaledDotProductAttention(query, key, value, compute.AttentionAxesLayoutBSHD,
			&compute.ScaledDotProductAttentionConfig{Causal: causal, QuerySeqLen: seen, KeyValueSeqLen: seen})
		return nil
	})
	switch {
	case compute.IsNotImplemented(err):
		return nil, false
	case err != nil:
		panic(fmt.Errorf("the backend's attention: %w", err))
	}
	return zeroPadding(out, lengths), true
}

// zeroPadding makes what stands at the padding of x [batch, tokens, heads, size] zero. Nobody promises what a backend's attention leaves
// there, and a NaN would spread to every token in the next layer.
func zeroPadding(x, lengths *gx.Node) *gx.Node {
	dims := x.Shape().Dimensions
	at := gx.Iota(x.Graph(), shapes.Make(dtypes.Int32, dims[0], dims[1], 1, 1), 1)
	inside := gx.LessThan(at, gx.BroadcastToDims(gx.Reshape(lengths, dims[0], 1, 1, 1), dims[0], dims[1], 1, 1))
	return gx.Where(gx.BroadcastToDims(inside, dims...), x, gx.ZerosLike(x))
}
