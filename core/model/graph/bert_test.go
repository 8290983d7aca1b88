package graph

import (
	"encoding/binary"
	"math"
	"os"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/gomlx/compute"
	gx "github.com/gomlx/gomlx/core/graph"

	"github.com/cprs-go/cprs/core/backend"
	"github.com/cprs-go/cprs/core/model/checkpoint"
)

// open opens a backend for one test. XLA is optional, unless REQUIRE_XLA=1, and pure Go on 32-bit systems.
func open(t testing.TB, name string) compute.Backend {
	t.Helper()
	b, err := backend.Open(name)
	optional := strconv.IntSize == 32
	if name != backend.Go {
		optional = os.Getenv("REQUIRE_XLA") != "1"
	}
	if err != nil && optional {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(b.Finalize)
	return b
}

// onBackends runs a test on each backend.
func onBackends(t *testing.T, f func(t *testing.T, b compute.Backend)) {
	for _, name := range []string{backend.Go, "xla:cpu"} {
		t.Run(name, func(t *testing.T) { f(t, open(t, name)) })
	}
}

func TestBERT(t *testing.T) {
	dir := filepath.Join("..", "testdata", "bert_tiny")
	ckpt, err := checkpoint.Open(filepath.Join(dir, "f32"))
	if err != nil {
		t.Fatal(err)
	}
	defer ckpt.Close()
	data, err := os.ReadFile(filepath.Join(dir, "forward_f32.safetensors"))
	if err != nil {
		t.Fatal(err)
	}
	want, err := checkpoint.FromBytes("forward", nil, data)
	if err != nil {
		t.Fatal(err)
	}
	onBackends(t, func(t *testing.T, b compute.Backend) {
		params, err := load(ckpt, everything(ckpt))
		if err != nil {
			t.Fatal(err)
		}
		defer params.free()
		bert, err := newProgram(b, params, func(w Weights, in []*gx.Node) []*gx.Node {
			h := Geometry{Heads: 4, Epsilon: 1e-12}.Encoder(w, "bert.", 2, in[0], in[1], in[2])
			return []*gx.Node{h, w.linear("classifier", h)}
		})
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range []string{"pair", "pair_mixed", "batch_right_padded", "long_512"} {
			ids, mask := rows(t, want, name+".input_ids"), rows(t, want, name+".attention_mask")
			lengths := make([]int32, len(mask))
			for i, row := range mask {
				for _, m := range row {
					lengths[i] += m
				}
			}
			out, err := bert.run(ids, rows(t, want, name+".token_type_ids"), lengths)
			if err != nil {
				t.Fatal(name, err)
			}
			for i, part := range []string{".h_final", ".logits"} {
				got, err := floats(out[i])
				if err != nil {
					t.Fatal(err)
				}
				if d := worst(got, reference(t, want, name+part), lengths, len(ids[0])); d > 1e-4 {
					t.Errorf("%s%s is off by %g", name, part, d)
				} else {
					t.Logf("%s%s: off by %.2g", name, part, d)
				}
			}
		}
	})
}

// everything is the shape of all tensors of a checkpoint.
func everything(c *checkpoint.Checkpoint) (all []Shape) {
	for _, name := range c.Names() {
		tensor, _ := c.Tensor(name)
		all = append(all, Shape{name, tensor.Shape})
	}
	return all
}

// worst is the largest difference of two [batch, tokens, n] tensors outside the padding.
func worst(got, want []float32, lengths []int32, tokens int) (most float64) {
	n := len(want) / len(lengths) / tokens
	for i := range want {
		if row := i / (tokens * n); i/n%tokens < int(lengths[row]) {
			most = max(most, math.Abs(float64(got[i]-want[i])))
		}
	}
	return most
}

// reference is a float tensor.
func reference(t testing.TB, c *checkpoint.Checkpoint, name string) []float32 {
	t.Helper()
	tensor, _ := c.Tensor(name)
	data, err := tensor.Floats()
	if err != nil {
		t.Fatal(name, err)
	}
	return data
}

// rows is an int64 matrix.
func rows(t testing.TB, c *checkpoint.Checkpoint, name string) [][]int32 {
	t.Helper()
	tensor, ok := c.Tensor(name)
	if !ok || tensor.DType != checkpoint.I64 || len(tensor.Shape) != 2 {
		t.Fatalf("no int64 matrix %s", name)
	}
	out := make([][]int32, tensor.Shape[0])
	for i := range tensor.Len() {
		row := i / tensor.Shape[1]
		out[row] = append(out[row], int32(binary.LittleEndian.Uint64(tensor.Data[8*i:])))
	}
	return out
}
