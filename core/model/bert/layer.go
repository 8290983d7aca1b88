package bert

import (
	"github.com/cprs-go/cprs/core/kernel"
	"github.com/cprs-go/cprs/core/model/checkpoint"
)

// Scratch is the working memory of one worker. The zero value is ready; it grows to what the largest call needs.
type Scratch struct {
	kernel      kernel.Scratch
	x           []float32 // states
	qkv, mixed  []float32 // queries, keys and values; what attention makes of them
	rows, inner kernel.Rows
}

// norm is a LayerNorm.
type norm struct{ gamma, beta []float32 }

func (n *norm) load(l *checkpoint.Loader, name string, size int) {
	l.Vector(&n.gamma, name+".weight", size)
	l.Vector(&n.beta, name+".bias", size)
}

// Layer is one post-LayerNorm BERT layer. It is read-only once loaded.
type Layer struct {
	cfg                *Config
	qkv, out, up, down kernel.Dense
	afterOut, afterFFN norm
}

// LoadLayer takes the tensors of a layer, prefix+"attention.self.query.weight" and so on. It is ready after l.Done.
func LoadLayer(l *checkpoint.Loader, prefix string, cfg *Config) *Layer {
	y := &Layer{cfg: cfg}
	h, self := cfg.Hidden, prefix+"attention.self."
	loadDense(l, &y.qkv, h, h, self+"query", self+"key", self+"value")
	loadDense(l, &y.out, h, h, prefix+"attention.output.dense")
	loadDense(l, &y.up, cfg.Intermediate, h, prefix+"intermediate.dense")
	loadDense(l, &y.down, h, cfg.Intermediate, prefix+"output.dense")
	y.afterOut.load(l, prefix+"attention.output.LayerNorm", h)
	y.afterFFN.load(l, prefix+"output.LayerNorm", h)
	return y
}

// loadDense joins the dense layers called names, of n outputs and k inputs each, to one. Weights of type I8 come with a scale for
// each output, name.weight_scale.
func loadDense(l *checkpoint.Loader, dst *kernel.Dense, n, k int, names ...string) {
	var weight, scale, bias []checkpoint.Tensor
	quantised := l.DType(names[0]+".weight") == checkpoint.I8
	for _, name := range names {
		if quantised {
			weight = append(weight, l.Int8(name+".weight", n, k))
			scale = append(scale, l.Floats(name+".weight_scale", n))
		} else {
			weight = append(weight, l.Floats(name+".weight", n, k))
		}
		bias = append(bias, l.Floats(name+".bias", n))
	}
	n *= len(names)
	l.Then(func() error {
		b, err := joined(bias, checkpoint.Tensor.Floats)
		if err != nil {
			return err
		}
		if !quantised {
			w, err := joined(weight, checkpoint.Tensor.Floats)
			if err == nil {
				*dst = kernel.NewF32Dense(w, b, n, k)
			}
			return err
		}
		s, err := joined(scale, checkpoint.Tensor.Floats)
		if err != nil {
			return err
		}
		w, err := joined(weight, checkpoint.Tensor.Int8s)
		if err == nil {
			*dst = kernel.NewInt8Dense(w, s, b, n, k)
		}
		return err
	})
}

// joined reads tensors one after the other.
func joined[T any](ts []checkpoint.Tensor, read func(checkpoint.Tensor) ([]T, error)) ([]T, error) {
	if len(ts) == 1 {
		return read(ts[0])
	}
	var all []T
	for _, t := range ts {
		part, err := read(t)
		if err != nil {
			return nil, err
		}
		all = append(all, part...)
	}
	return all, nil
}

// ffnRows is how many rows pass through the feed-forward part at once: few enough that what lies between its two dense
// layers stays in the cache.
const ffnRows = 96

// Forward runs sequences of the given lengths, which lie in x [Σ lengths][hidden] one after the other, through the layer in place.
// Each attends to itself alone. With keep, rows of x in ascending order, only these rows are computed to the end and
// moved to the front of x. It returns the rows that hold results.
func (y *Layer) Forward(x []float32, lengths, keep []int, s *Scratch) []float32 {
	h := y.cfg.Hidden
	total := len(x) / h
	s.qkv, s.mixed = grow(s.qkv, total*3*h), grow(s.mixed, total*h)
	y.qkv.Load(&s.rows, x, total)
	y.qkv.Mul(s.qkv, &s.rows, &s.kernel)
	at := 0
	for _, n := range lengths {
		kernel.Attention(s.mixed[at*h:], s.qkv[at*3*h:], n, y.cfg.Heads, h/y.cfg.Heads, &s.kernel)
		at += n
	}
	if keep != nil {
		for to, from := range keep {
			copy(x[to*h:(to+1)*h], x[from*h:])
			copy(s.mixed[to*h:(to+1)*h], s.mixed[from*h:])
		}
		total = len(keep)
		x = x[:total*h]
	}
	y.out.Load(&s.rows, s.mixed, total)
	y.out.MulAddNorm(x, &s.rows, y.afterOut.gamma, y.afterOut.beta, y.cfg.Epsilon, &s.kernel)
	for i := 0; i < total; i += ffnRows {
		block := x[i*h : min(i+ffnRows, total)*h]
		y.up.Load(&s.rows, block, len(block)/h)
		y.up.MulGELU(&s.inner, &s.rows, &s.kernel)
		y.down.MulAddNorm(block, &s.inner, y.afterFFN.gamma, y.afterFFN.beta, y.cfg.Epsilon, &s.kernel)
	}
	return x
}

// grow is a slice of n elements that reuses s if it is large enough.
func grow(s []float32, n int) []float32 {
	if n <= cap(s) {
		return s[:n]
	}
	return make([]float32, n)
}
