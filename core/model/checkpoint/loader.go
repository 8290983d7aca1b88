package checkpoint

import (
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
)

// Loader hands out the tensors of a checkpoint, each once, and remembers what is wrong. A model takes all of its
// parameters first and says with Then how their data are read; Done reads them once nothing is wrong.
type Loader struct {
	ckpt    *Checkpoint
	used    map[string]bool
	missing []string
	faults  []error
	fills   []func() error
}

// NewLoader starts to load c.
func NewLoader(c *Checkpoint) *Loader { return &Loader{ckpt: c, used: map[string]bool{}} }

// DType is the type of the tensor called name, empty if there is none.
func (l *Loader) DType(name string) DType { return l.ckpt.tensors[name].DType }

// Floats takes the F32, F16 or BF16 tensor called name. Its data are not to be read before Then.
func (l *Loader) Floats(name string, shape ...int) Tensor {
	return l.take(name, []DType{F32, F16, BF16}, shape)
}

// Int8 takes the I8 tensor called name. Its data are not to be read before Then.
func (l *Loader) Int8(name string, shape ...int) Tensor {
	return l.take(name, []DType{I8}, shape)
}

func (l *Loader) take(name string, dtypes []DType, shape []int) Tensor {
	t, ok := l.ckpt.tensors[name]
	switch {
	case !ok:
		l.missing = append(l.missing, name)
	case l.used[name]:
		l.faults = append(l.faults, fmt.Errorf("tensor %q is used twice", name))
	case !slices.Contains(dtypes, t.DType):
		l.faults = append(l.faults, fmt.Errorf("tensor %q is %s, not %v", name, t.DType, dtypes))
	case !slices.Equal(t.Shape, shape):
		l.faults = append(l.faults, fmt.Errorf("tensor %q has shape %v, not %v", name, t.Shape, shape))
	}
	l.used[name] = true
	return t
}

// Ignore marks the tensors that known says yes to as read: those that a model knows and has no use for.
func (l *Loader) Ignore(known func(name string) bool) {
	for name := range l.ckpt.tensors {
		if known(name) {
			l.used[name] = true
		}
	}
}

// Vector takes a tensor as Floats does and puts its elements into dst.
func (l *Loader) Vector(dst *[]float32, name string, shape ...int) {
	t := l.Floats(name, shape...)
	l.Then(func() (err error) {
		*dst, err = t.Floats()
		return err
	})
}

// Then leaves fill to Done, which runs it at the same time as others. fill may read the data of the tensors taken so far.
func (l *Loader) Then(fill func() error) { l.fills = append(l.fills, fill) }

// Done fills the model if every parameter was found with the right type and shape and no tensor is left over. Else
// its error names the tensors.
func (l *Loader) Done() error {
	faults := slices.Clone(l.faults)
	if len(l.missing) > 0 {
		faults = append(faults, fmt.Errorf("missing: %s", list(l.missing)))
	}
	var unused []string
	for _, name := range l.ckpt.Names() {
		if !l.used[name] {
			unused = append(unused, name)
		}
	}
	if len(unused) > 0 {
		faults = append(faults, fmt.Errorf("not part of the model: %s", list(unused)))
	}
	if len(faults) == 0 {
		faults = l.fill()
	}
	if err := errors.Join(faults...); err != nil {
		return fmt.Errorf("loading the weights of %s: %w", l.ckpt.name, err)
	}
	return nil
}

// fill runs the fills on all processors and gives their errors in order.
func (l *Loader) fill() []error {
	errs := make([]error, len(l.fills))
	var next atomic.Int64
	var wg sync.WaitGroup
	for range min(runtime.GOMAXPROCS(0), len(l.fills)) {
		wg.Go(func() {
			for i := int(next.Add(1)) - 1; i < len(l.fills); i = int(next.Add(1)) - 1 {
				errs[i] = l.fills[i]()
			}
		})
	}
	wg.Wait()
	return errs
}

// list shows the first names.
func list(names []string) string {
	const most = 20
	var b strings.Builder
	for i, n := range names[:min(most, len(names))] {
		if i > 0 {
			b.WriteString(", ")
		}
		fmt.Fprintf(&b, "%q", n)
	}
	if more := len(names) - most; more > 0 {
		fmt.Fprintf(&b, " and %d more", more)
	}
	return b.String()
}
