package graph

import (
	"fmt"

	"github.com/gomlx/compute"
	gx "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"

	"github.com/cprs-go/cprs/core/backend"
)

// program is a graph over the parameters of a model, compiled once for each combination of input shapes. It is safe for
// concurrent use.
type program struct {
	params *parameters
	exec   *gx.Exec
}

// newProgram makes a program of a function that builds its graph.
func newProgram(b compute.Backend, params *parameters, build func(w Weights, in []*gx.Node) []*gx.Node) (*program, error) {
	n := len(params.names)
	exec, err := gx.NewExec(b, func(all []*gx.Node) []*gx.Node {
		w := make(Weights, n)
		for i, name := range params.names {
			w[name] = all[i]
		}
		return build(w, all[n:])
	})
	if err != nil {
		return nil, err
	}
	return &program{params, exec.SetMaxCache(-1)}, nil
}

// run gives the outputs for inputs, tensors or slices of slices. The caller finalizes the outputs.
func (p *program) run(inputs ...any) (outputs []*tensors.Tensor, err error) {
	err = backend.Try(func() error {
		outputs, err = p.exec.Call(append(p.params.values[:len(p.params.values):len(p.params.values)], inputs...)...)
		return err
	})
	return outputs, err
}

// floats copies a float32 tensor and gives its memory back.
func floats(t *tensors.Tensor) (flat []float32, err error) {
	err = backend.Try(func() error {
		if flat, err = tensors.CopyFlatData[float32](t); err != nil {
			return err
		}
		return t.FinalizeAll()
	})
	if err != nil {
		return nil, fmt.Errorf("reading a result: %w", err)
	}
	return flat, nil
}
