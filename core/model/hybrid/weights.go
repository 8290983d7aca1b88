package hybrid

import (
	"fmt"
	"sync"

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

// load moves every tensor of a checkpoint to the first devices, straight from the mapped file: no copy stays on the host. The word head
// is taken along only for categories.
func load(ckpt *checkpoint.Checkpoint, c *Config, b compute.Backend, o *Options) ([]*parameters, error) {
	all := c.shapes()
	if o.Categories && !c.Tied {
		all = append(all, shape{wordHead, []int{c.Vocab, c.Hidden}})
	}
	loader := checkpoint.NewLoader(ckpt)
	if !o.Categories || c.Tied {
		loader.Ignore(func(name string) bool { return name == wordHead })
	}
	devices := make([]*parameters, o.Devices)
	for d := range devices {
		devices[d] = &parameters{values: make([]*tensors.Tensor, len(all))}
		for _, s := range all {
			devices[d].names = append(devices[d].names, s.name)
		}
	}
	moved := tally{progress: o.Progress}
	for i, s := range all {
		t := loader.Floats(s.name, s.dims...)
		moved.total += int64(len(t.Data))
		loader.Then(func() error {
			if err := t.CheckFinite(); err != nil {
				return err
			}
			for d, p := range devices {
				err := backend.Try(func() (err error) {
					p.values[i], err = tensors.FromRaw(b, compute.DeviceNum(d), shapes.Make(types[t.DType], s.dims...), t.Data)
					return err
				})
				if err != nil && outOfMemory(err) {
					err = fmt.Errorf("%w: %w", ErrOutOfMemory, err)
				}
				if err != nil {
					return fmt.Errorf("moving tensor %q to device %d: %w", s.name, d, err)
				}
			}
			moved.add(len(t.Data))
			return nil
		})
	}
	if err := loader.Done(); err != nil {
		free(devices)
		return nil, err
	}
	return devices, nil
}

// tally counts bytes for a progress bar.
type tally struct {
	mu          sync.Mutex
	done, total int64
	progress    func(done, total int64)
}

func (t *tally) add(n int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.done += int64(n); t.progress != nil {
		t.progress(t.done, t.total)
	}
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
