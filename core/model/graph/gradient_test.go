package graph

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/gomlx/compute"
	gx "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"

	"github.com/cprs-go/cprs/core/model/checkpoint"
	"github.com/cprs-go/cprs/core/model/latejoin"
)

// TestGradient holds the gradient of a loss to finite differences in float64, for some elements of every tensor, and the gradient
// in float32 to that in float64.
func TestGradient(t *testing.T) {
	ckpt := tiny(t)
	cfg, err := latejoin.ParseConfig(ckpt.Config())
	if err != nil {
		t.Fatal(err)
	}
	loss := func(w Weights, in []*gx.Node) *gx.Node {
		m := New(cfg)
		v := m.Judge(w,
			Questions{States: m.Encode(w, in[0], in[1]), Lengths: in[1], Pool: in[2]},
			Windows{States: m.Encode(w, in[3], in[4]), Lengths: in[4], Segments: in[5], Units: in[6]})
		inside := gx.ConvertDType(Mask(in[4], in[3].Shape().Dimensions[1]), v.Tags.DType())
		tags := gx.Mul(gx.Mul(v.Tags, gx.InsertAxes(inside, -1)), gx.ConvertDType(in[7], v.Tags.DType()))
		return gx.Add(gx.ReduceAllSum(tags), gx.ReduceAllSum(gx.Tanh(v.Relevance)))
	}
	inputs := batchForLoss()
	onBackends(t, func(t *testing.T, b compute.Backend) {
		wide, narrow := weightsAs[float64](t, ckpt, cfg), weightsAs[float32](t, ckpt, cfg)
		exact := gradients[float64](t, b, wide, loss, inputs)
		for i, g := range gradients[float32](t, b, narrow, loss, inputs) {
			// That of a key's bias is zero: it moves all logits of a softmax alike.
			if d, size := distance(g, exact[i]), distance(exact[i], make([]float64, len(g))); d > 1e-3*size+1e-4 {
				t.Errorf("%s: the float32 gradient is off by %g of %g", wide.names[i], d, size)
			}
		}
		value, err := newProgram(b, wide, func(w Weights, in []*gx.Node) []*gx.Node { return []*gx.Node{loss(w, in)} })
		if err != nil {
			t.Fatal(err)
		}
		rng := rand.New(rand.NewPCG(5, 5))
		for i, name := range wide.names {
			for _, at := range probes(rng, exact[i]) {
				got, want := exact[i][at], slope(t, value, i, at, inputs)
				if math.Abs(got-want) > 1e-4*max(math.Abs(got), math.Abs(want))+1e-7 {
					t.Errorf("%s[%d]: gradient %g, slope %g", name, at, got, want)
				}
			}
		}
	})
}

// batchForLoss is a batch of two questions and two windows, padded, with a random weight for each tag.
func batchForLoss() []any {
	rng := rand.New(rand.NewPCG(9, 9))
	const header, tokens = 8, 24
	lengths, asked := []int32{tokens, tokens - 7}, []int32{header - 3, header}
	ids, segments, headers := make([][]int32, 2), make([][]int32, 2), make([][]int32, 2)
	pool, weight := make([][]bool, 2), make([][][]float64, 2)
	for i := range ids {
		headers[i] = pad(framed(rng, int(asked[i])), header)
		pool[i] = make([]bool, header)
		pool[i][1], pool[i][3] = true, true
		ids[i] = pad(framed(rng, int(lengths[i])), tokens)
		for range tokens {
			segments[i] = append(segments[i], int32(1+rng.IntN(2)))
			weight[i] = append(weight[i], []float64{rng.NormFloat64(), rng.NormFloat64(), rng.NormFloat64(), rng.NormFloat64()})
		}
	}
	return []any{headers, asked, pool, ids, lengths, segments, []int32{0, 3}, weight}
}

// weightsAs are the tensors of a checkpoint as another type of float.
func weightsAs[T float32 | float64](t *testing.T, ckpt *checkpoint.Checkpoint, cfg latejoin.Config) *parameters {
	t.Helper()
	p := &parameters{}
	for _, s := range Shapes(cfg) {
		data := reference(t, ckpt, s.Name)
		as := make([]T, len(data))
		for i, v := range data {
			as[i] = T(v)
		}
		p.names = append(p.names, s.Name)
		p.values = append(p.values, tensors.FromFlatDataAndDimensions(as, s.Dims...))
	}
	return p
}

// gradients are those of a loss with respect to every parameter.
func gradients[T float32 | float64](t *testing.T, b compute.Backend, p *parameters, loss func(Weights, []*gx.Node) *gx.Node, inputs []any) [][]float64 {
	t.Helper()
	prog, err := newProgram(b, p, func(w Weights, in []*gx.Node) []*gx.Node {
		nodes := make([]*gx.Node, len(p.names))
		for i, name := range p.names {
			nodes[i] = w[name]
		}
		return gx.Gradient(loss(w, in), nodes...)
	})
	if err != nil {
		t.Fatal(err)
	}
	out, err := prog.run(inputs...)
	if err != nil {
		t.Fatal(err)
	}
	all := make([][]float64, len(out))
	for i, g := range out {
		all[i] = flat[T](t, g)
	}
	return all
}

// slope is the central difference of the loss along element at of parameter i.
func slope(t *testing.T, value *program, i, at int, inputs []any) float64 {
	t.Helper()
	const step = 1e-4
	original := value.params.values[i].(*tensors.Tensor)
	defer func() { value.params.values[i] = original }()
	data := flat[float64](t, original)
	loss := func(change float64) float64 {
		moved := slices.Clone(data)
		moved[at] += change
		value.params.values[i] = tensors.FromFlatDataAndDimensions(moved, original.Shape().Dimensions...)
		out, err := value.run(inputs...)
		if err != nil {
			t.Fatal(err)
		}
		return flat[float64](t, out[0])[0]
	}
	return (loss(step) - loss(-step)) / (2 * step)
}

// probes are the element with the steepest gradient and another.
func probes(rng *rand.Rand, gradient []float64) []int {
	steepest := 0
	for i, g := range gradient {
		if math.Abs(g) > math.Abs(gradient[steepest]) {
			steepest = i
		}
	}
	return []int{steepest, rng.IntN(len(gradient))}
}

// distance is |a − b| of two vectors.
func distance(a, b []float64) float64 {
	var sum float64
	for i := range b {
		sum += (a[i] - b[i]) * (a[i] - b[i])
	}
	return math.Sqrt(sum)
}

// flat are the elements of a tensor.
func flat[T float32 | float64](t *testing.T, x *tensors.Tensor) (out []float64) {
	t.Helper()
	data, err := tensors.CopyFlatData[T](x)
	if err != nil {
		t.Fatal(err)
	}
	for _, v := range data {
		out = append(out, float64(v))
	}
	return out
}
