package train

import (
	"fmt"
	"math"
	"strings"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	gx "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"

	"github.com/cprs-go/cprs/core/backend"
	"github.com/cprs-go/cprs/core/model/graph"
	"github.com/cprs-go/cprs/core/model/latejoin"
)

// The constants of AdamW.
const (
	beta1   = 0.9
	beta2   = 0.98
	epsilon = 1e-6
	decay   = 0.01 // of matrices, for each step and unit of learning rate
	clip    = 1.0  // most length of the gradient of all parameters
)

// parameter is a tensor of the critic. Those that are trained have moments and a running average.
type parameter struct {
	graph.Shape
	trained bool
	joint   bool // learns at the rate of the joint layers and heads, not of the encoder
	value   *tensors.Tensor
	moments [2]*tensors.Tensor // of AdamW: means of the gradient and of its square
	average *tensors.Tensor    // running average of the value
}

// optimizer holds the parameters on a backend and changes them step by step.
type optimizer struct {
	backend compute.Backend
	model   graph.LateJoin
	params  []*parameter
	trained []*parameter // of params
	exec    *gx.Exec
	opt     *Options
}

// isTrained reports whether a tensor learns: all but the embeddings and the lowest layers of the encoder.
func isTrained(name string, frozen int) bool {
	rest, ok := strings.CutPrefix(name, "encoder.")
	if !ok || frozen < 0 {
		return true
	}
	var layer int
	if _, err := fmt.Sscanf(rest, "encoder.layer.%d.", &layer); err != nil {
		return false
	}
	return layer >= frozen
}

// newOptimizer moves weights, by name, to a backend.
func newOptimizer(b compute.Backend, cfg latejoin.Config, weights map[string][]float32, opt *Options) (*optimizer, error) {
	o := &optimizer{backend: b, model: graph.New(cfg), opt: opt}
	err := backend.Try(func() error {
		for _, s := range graph.Shapes(cfg) {
			p := &parameter{Shape: s, trained: isTrained(s.Name, opt.Frozen), joint: !strings.HasPrefix(s.Name, "encoder.")}
			data := weights[s.Name]
			p.value = tensors.FromFlatDataAndDimensions(data, s.Dims...)
			if p.trained {
				zeros := make([]float32, len(data))
				p.moments[0] = tensors.FromFlatDataAndDimensions(zeros, s.Dims...)
				p.moments[1] = tensors.FromFlatDataAndDimensions(zeros, s.Dims...)
				p.average = tensors.FromFlatDataAndDimensions(data, s.Dims...)
				o.trained = append(o.trained, p)
			}
			o.params = append(o.params, p)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	o.exec, err = gx.NewExec(b, o.build)
	if err != nil {
		return nil, err
	}
	o.exec.SetMaxCache(-1)
	return o, nil
}

// rates are the numbers that change from step to step, in the order in which the graph takes them.
func (o *optimizer) rates(step int) []float32 {
	n := float64(step + 1)
	scale := o.opt.schedule(step)
	return []float32{
		float32(scale * o.opt.JointRate), float32(scale * o.opt.EncoderRate),
		float32(1 / (1 - math.Pow(beta1, n))), float32(1 / (1 - math.Pow(beta2, n))),
		float32(min(o.opt.Average, n/(n+10))), // of the average: short at first, so that it forgets the beginning
	}
}

// build is the graph of one step: values, moments and averages of the trained, values of the others, rates, batch.
func (o *optimizer) build(in []*gx.Node) []*gx.Node {
	n := len(o.trained)
	values, first, second, average := in[:n], in[n:2*n], in[2*n:3*n], in[3*n:4*n]
	in = in[4*n:]
	w := graph.Weights{}
	for i, p := range o.trained {
		w[p.Name] = values[i]
	}
	for _, p := range o.params {
		if !p.trained {
			w[p.Name], in = in[0], in[1:]
		}
	}
	rate := func(i int) *gx.Node { return gx.Reshape(gx.Slice(in[0], gx.AxisElem(i))) }
	joint, encoder, scale1, scale2, keep := rate(0), rate(1), rate(2), rate(3), rate(4)
	if o.opt.BFloat16 {
		for name, v := range w {
			w[name] = gx.ConvertDType(v, dtypes.BFloat16)
		}
	}
	l := lossOf(o.model, w, nodesOf(in[1:]), o.opt.Ranking)
	gradients := gx.Gradient(l.total, values...)
	norm := globalNorm(gradients)
	shrink := gx.Div(gx.Const(norm.Graph(), float32(clip)), gx.MaxScalar(norm, clip))
	out := make([]*gx.Node, 4*n, 4*n+5)
	for i, p := range o.trained {
		g := gx.Mul(gradients[i], shrink)
		m := gx.Add(gx.MulScalar(first[i], beta1), gx.MulScalar(g, 1-beta1))
		v := gx.Add(gx.MulScalar(second[i], beta2), gx.MulScalar(gx.Mul(g, g), 1-beta2))
		change := gx.Div(gx.Mul(m, scale1), gx.AddScalar(gx.Sqrt(gx.Mul(v, scale2)), epsilon))
		if len(p.Dims) == 2 {
			change = gx.Add(change, gx.MulScalar(values[i], decay))
		}
		rate := encoder
		if p.joint {
			rate = joint
		}
		x := gx.Sub(values[i], gx.Mul(change, rate))
		out[i], out[n+i], out[2*n+i] = x, m, v
		out[3*n+i] = gx.Add(gx.Mul(average[i], keep), gx.Mul(x, gx.OneMinus(keep)))
	}
	return append(out, l.total, l.tags, l.relevance, l.rank, norm)
}

// globalNorm is the length of all gradients as one vector.
func globalNorm(gradients []*gx.Node) *gx.Node {
	var sum *gx.Node
	for _, g := range gradients {
		square := gx.ReduceAllSum(gx.Mul(g, g))
		if sum == nil {
			sum = square
		} else {
			sum = gx.Add(sum, square)
		}
	}
	return gx.Sqrt(sum)
}

// Loss is what a step says of its batch, before the step.
type Loss struct {
	Total, Tags, Relevance, Rank float64
	Norm                         float64 // length of the gradient before clipping
}

// step changes the parameters by one batch. The state's memory is handed over to the new state.
func (o *optimizer) step(step int, b *batch) (loss Loss, err error) {
	inputs, err := b.tensors()
	if err != nil {
		return loss, err
	}
	err = backend.Try(func() error {
		args := make([]any, 0, 4*len(o.trained)+len(o.params)+1+len(inputs))
		for _, slot := range o.state() {
			donated, err := gx.DonateTensorBuffer(*slot, o.backend, 0)
			if err != nil {
				return err
			}
			args = append(args, donated)
		}
		for _, p := range o.params {
			if !p.trained {
				args = append(args, p.value)
			}
		}
		args = append(append(args, o.rates(step)), inputs...)
		out, err := o.exec.Call(args...)
		if err != nil {
			return err
		}
		slots := o.state()
		for i, slot := range slots {
			(*slot).FinalizeAll()
			*slot = out[i]
		}
		for _, in := range inputs {
			in.(*tensors.Tensor).MustFinalizeAll()
		}
		loss, err = lossValues(out[len(slots):])
		return err
	})
	return loss, err
}

// state are the tensors that a step replaces, in the order of build.
func (o *optimizer) state() []**tensors.Tensor {
	n := len(o.trained)
	all := make([]**tensors.Tensor, 4*n)
	for i, p := range o.trained {
		all[i], all[n+i], all[2*n+i], all[3*n+i] = &p.value, &p.moments[0], &p.moments[1], &p.average
	}
	return all
}

func lossValues(out []*tensors.Tensor) (l Loss, err error) {
	for i, dst := range []*float64{&l.Total, &l.Tags, &l.Relevance, &l.Rank, &l.Norm} {
		v, err := floats(out[i])
		if err != nil {
			return l, err
		}
		*dst = float64(v[0])
		if err := out[i].FinalizeAll(); err != nil {
			return l, err
		}
	}
	return l, nil
}

// floats copies a tensor.
func floats(t *tensors.Tensor) (flat []float32, err error) {
	err = backend.Try(func() error {
		flat, err = tensors.CopyFlatData[float32](t)
		return err
	})
	return flat, err
}

// close gives the memory of the state back.
func (o *optimizer) close() {
	o.exec.Finalize()
	for _, p := range o.params {
		for _, t := range []*tensors.Tensor{p.value, p.moments[0], p.moments[1], p.average} {
			if t != nil {
				_ = t.FinalizeAll()
			}
		}
	}
}
