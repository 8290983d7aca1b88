package hybrid

import (
	"fmt"
	"math"
	"testing"

	"github.com/cprs-go/cprs/core/model/checkpoint"
)

// naive is the model of a checkpoint in plain loops of float64: the logits of one row.
func naive(t *testing.T, ckpt *checkpoint.Checkpoint, ids []int32) [][]float64 {
	t.Helper()
	weight, bias := floats(t, ckpt, tagHead+".weight"), floats(t, ckpt, tagHead+".bias")
	var out [][]float64
	for _, x := range naiveStates(t, ckpt, ids) {
		out = append(out, affine(weight, bias, x))
	}
	return out
}

// naiveStates are the final states.
func naiveStates(t *testing.T, ckpt *checkpoint.Checkpoint, ids []int32) [][]float64 {
	t.Helper()
	c, err := ParseConfig(ckpt.Config())
	if err != nil {
		t.Fatal(err)
	}
	w := func(name string) []float32 { return floats(t, ckpt, name) }
	embed := w(embeddings)
	xs := make([][]float64, len(ids))
	for i, id := range ids {
		for _, v := range embed[int(id)*c.Hidden:][:c.Hidden] {
			xs[i] = append(xs[i], float64(v))
		}
	}
	for layer := range c.Layers {
		p := fmt.Sprintf("model.layers.%d.", layer)
		inNorm, outNorm := w(p+"input_layernorm.weight"), w(p+"post_attention_layernorm.weight")
		var q, k, v [][]float64
		for i, x := range xs {
			n := normed(inNorm, x, c.Epsilon)
			q = append(q, rotated(affine(w(p+"self_attn.q_proj.weight"), w(p+"self_attn.q_proj.bias"), n), i, &c))
			k = append(k, rotated(affine(w(p+"self_attn.k_proj.weight"), w(p+"self_attn.k_proj.bias"), n), i, &c))
			v = append(v, affine(w(p+"self_attn.v_proj.weight"), w(p+"self_attn.v_proj.bias"), n))
		}
		o := w(p + "self_attn.o_proj.weight")
		gate, up, down := w(p+"mlp.gate_proj.weight"), w(p+"mlp.up_proj.weight"), w(p+"mlp.down_proj.weight")
		next := make([][]float64, len(xs))
		for i := range xs {
			seen := len(xs)
			if c.Causal(layer) {
				seen = i + 1
			}
			x := sum(xs[i], affine(o, nil, attended(q[i], k[:seen], v[:seen], &c)))
			n := normed(outNorm, x, c.Epsilon)
			g, u := affine(gate, nil, n), affine(up, nil, n)
			for j := range g {
				g[j] *= u[j] / (1 + math.Exp(-g[j]))
			}
			next[i] = sum(x, affine(down, nil, g))
		}
		xs = next
	}
	norm := w(finalNorm)
	for i := range xs {
		xs[i] = normed(norm, xs[i], c.Epsilon)
	}
	return xs
}

var cached = map[string][]float32{}

func floats(t *testing.T, ckpt *checkpoint.Checkpoint, name string) []float32 {
	t.Helper()
	key := ckpt.Name() + name
	if f, ok := cached[key]; ok {
		return f
	}
	x, ok := ckpt.Tensor(name)
	if !ok {
		t.Fatalf("no tensor %s", name)
	}
	f, err := x.Floats()
	if err != nil {
		t.Fatal(err)
	}
	cached[key] = f
	return f
}

func dot(w []float32, x []float64) (s float64) {
	for i, v := range x {
		s += float64(w[i]) * v
	}
	return s
}

func affine(w, b []float32, x []float64) []float64 {
	out := make([]float64, len(w)/len(x))
	for i := range out {
		if out[i] = dot(w[i*len(x):], x); b != nil {
			out[i] += float64(b[i])
		}
	}
	return out
}

func sum(a, b []float64) []float64 {
	out := make([]float64, len(a))
	for i := range a {
		out[i] = a[i] + b[i]
	}
	return out
}

func normed(w []float32, x []float64, epsilon float64) []float64 {
	s, out := 0.0, make([]float64, len(x))
	for _, v := range x {
		s += v * v
	}
	for i, v := range x {
		out[i] = v / math.Sqrt(s/float64(len(x))+epsilon) * float64(w[i])
	}
	return out
}

func rotated(x []float64, position int, c *Config) []float64 {
	out, half := make([]float64, len(x)), c.HeadSize/2
	for h := 0; h < len(x); h += c.HeadSize {
		for i := range half {
			sin, cos := math.Sincos(float64(position) * math.Pow(c.Theta, -2*float64(i)/float64(c.HeadSize)))
			a, b := x[h+i], x[h+half+i]
			out[h+i], out[h+half+i] = a*cos-b*sin, b*cos+a*sin
		}
	}
	return out
}

func attended(q []float64, k, v [][]float64, c *Config) []float64 {
	out := make([]float64, len(q))
	for h := range c.Heads {
		kv := h / (c.Heads / c.KVHeads) * c.HeadSize
		scores, top, total := make([]float64, len(k)), math.Inf(-1), 0.0
		for i := range k {
			for j := range c.HeadSize {
				scores[i] += q[h*c.HeadSize+j] * k[i][kv+j]
			}
			scores[i] /= math.Sqrt(float64(c.HeadSize))
			top = max(top, scores[i])
		}
		for i := range scores {
			scores[i] = math.Exp(scores[i] - top)
			total += scores[i]
		}
		for i := range v {
			for j := range c.HeadSize {
				out[h*c.HeadSize+j] += scores[i] / total * v[i][kv+j]
			}
		}
	}
	return out
}
