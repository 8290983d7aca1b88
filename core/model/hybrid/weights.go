package hybrid

import (
	"fmt"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	"github.com/gomlx/gomlx/core/tensors"

	"github.com/cprs-go/cprs/core/backend"
	"github.com/cprs-go/cprs/core/model/checkpoint"
)

// parameters are the tensors of a model on one device, in the order in which its program takes them.
type parameters struct {
	names  []string
	values []*tensors.Tensor
}

// types are the types of weights that stay as they are on a device.
var types = map[checkpoint.DType]dtypes.DType{
	checkpoint.F32: dtypes.Float32, checkpoint.F16: dtypes.Float16, checkpoint.BF16: dtypes.BFloat16,
}

// load moves every tensor of a checkpoint to devices 0 to n-1, straight from the mapped file: no copy stays on the host. The word head
// is taken along only where words says so.
func load(ckpt *checkpoint.Checkpoint, c *Config, b compute.Backend, n int, words bool) ([]*parameters, error) {
	all := c.shapes()
	if words && !c.Tied {
		all = append(all, shape{wordHead, []int{c.Vocab, c.Hidden}})
	}
	loader := checkpoint.NewLoader(ckpt)
	if !words || c.Tied {
		loader.Ignore(func(name string) bool { return name == wordHead })
	}
	devices := make([]*parameters, n)
	for d := range devices {
		devices[d] = &parameters{values: make([]*tensors.Tensor, len(all))}
		for _, s := range all {
			devices[d].names = append(devices[d].names, s.name)
		}
	}
	for i, s := range all {
		t := loader.Floats(s.name, s.dims...)
		loader.Then(func() error {
			if err := t.CheckFinite(); err != nil {
				return err
			}
			for d, p := range devices {
				err := backend.Try(func() (err error) {
					p.values[i], err = tensors.FromRaw(b, compute.DeviceNum(d), shapes.Make(types[t.DType], s.dims...), t.Data)
					return err
				})
				if err != nil {
					return fmt.Errorf("moving tensor %q to device %d: %w", s.name, d, err)
				}
			}
			return nil
		})
	}
	if err := loader.Done(); err != nil {
		free(devices)
		return nil, err
	}
	return devices, nil
}

// Check reads the configuration of ckpt and checks that it has the tensors of such a critic and no others, without reading their data.
func Check(ckpt *checkpoint.Checkpoint) (Config, error) {
	c, err := ParseConfig(ckpt.Config())
	if err != nil {
		return c, fmt.Errorf("opening the critic %s: %w", ckpt.Name(), err)
	}
	loader := checkpoint.NewLoader(ckpt)
	loader.Ignore(func(name string) bool { return name == wordHead })
	for _, s := range c.shapes() {
		loader.Floats(s.name, s.dims...)
	}
	return c, loader.Done()
}

// free gives the memory of parameters back.
func free(devices []*parameters) {
	for _, p := range devices {
		for _, t := range p.values {
			if t != nil {
				_ = t.FinalizeAll()
			}
		}
		p.values = nil
	}
}
