package hybrid

import (
	"errors"
	"fmt"
	"strings"

	"github.com/gomlx/compute"
	gx "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"

	"github.com/cprs-go/cprs/core/backend"
)

// ErrOutOfMemory is wrapped by errors about a device that cannot hold even one window at a time.
var ErrOutOfMemory = errors.New("out of device memory")

// batch is the input of one run: rows of the same padded length.
type batch struct {
	ids     [][]int32
	lengths []int32
	words   []int32 // whose logits are wanted as well; none: of the tags only
}

// output are the logits of one run, [rows][tokens][tags] and [rows][tokens][words].
type output struct{ tags, words []float32 }

// runner computes batches, one at a time. Device is the real one.
type runner interface {
	run(b *batch) (*output, error)
	close() error
}

// device is a copy of the weights on one device of a backend. The program is the same for all: it is compiled at the first use of each
// combination of batch size, padded length and number of words.
type device struct {
	number compute.DeviceNum
	params *parameters
	exec   *gx.Exec
}

// newDevices makes the program and the devices that run it.
func newDevices(m *Model, b compute.Backend, params []*parameters) ([]runner, error) {
	names := params[0].names
	n := len(names)
	exec, err := gx.NewExec(b, func(all []*gx.Node) []*gx.Node {
		w := make(Weights, n)
		for i, name := range names {
			w[name] = all[i]
		}
		in := all[n:]
		final := m.Forward(w, in[0], in[1]).Final
		out := []*gx.Node{m.Tags(w, final)}
		if len(in) > 2 {
			out = append(out, m.Words(w, final, in[2]))
		}
		return out
	})
	if err != nil {
		return nil, err
	}
	exec.SetMaxCache(-1)
	var all []runner
	for i, p := range params {
		all = append(all, &device{compute.DeviceNum(i), p, exec})
	}
	return all, nil
}

func (d *device) run(b *batch) (*output, error) {
	args := make([]any, 0, len(d.params.values)+3)
	for _, t := range d.params.values {
		args = append(args, t)
	}
	args = append(args, b.ids, b.lengths)
	if len(b.words) > 0 {
		args = append(args, b.words)
	}
	out := new(output)
	err := backend.Try(func() error {
		results, _, err := d.exec.CallWithGraphOnDevice(d.number, args...) // CallOnDevice of v0.28.1 ignores the device
		if err != nil {
			return err
		}
		for i, dst := range []*[]float32{&out.tags, &out.words}[:len(results)] {
			if *dst, err = tensors.CopyFlatData[float32](results[i]); err != nil {
				return err
			}
			if err := results[i].FinalizeAll(); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil && outOfMemory(err) {
		err = fmt.Errorf("%w: %w", ErrOutOfMemory, err)
	}
	return out, err
}

func (d *device) close() error {
	return backend.Try(func() error {
		d.exec.Finalize() // all devices do; the first counts
		free([]*parameters{d.params})
		return nil
	})
}

// outOfMemory recognises what backends say when memory is short; they have no type for it.
func outOfMemory(err error) bool {
	text := strings.ToLower(err.Error())
	for _, sign := range []string{"resource_exhausted", "out of memory", "failed to allocate", "cuda_error_out_of_memory"} {
		if strings.Contains(text, sign) {
			return true
		}
	}
	return false
}
