package hybrid

import (
	"encoding/binary"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/gomlx/compute"
	gx "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"

	"github.com/cprs-go/cprs/core/backend"
	"github.com/cprs-go/cprs/core/model/checkpoint"
)

// onBackends runs a test on pure Go, and on XLA where its plug-in is at hand; REQUIRE_XLA=1 makes its absence a failure.
func onBackends(t *testing.T, test func(t *testing.T, b compute.Backend)) {
	t.Helper()
	for _, name := range []string{backend.Go, "xla:cpu"} {
		t.Run(name, func(t *testing.T) {
			b, err := backend.Open(name)
			if err != nil {
				if name == "xla:cpu" && os.Getenv("REQUIRE_XLA") == "1" || name == backend.Go && strconv.IntSize == 64 {
					t.Fatal(err)
				}
				t.Skip(err)
			}
			defer b.Finalize()
			test(t, b)
		})
	}
}

// fixture is a checkpoint folder of testdata.
func fixture(t testing.TB, dir string) *checkpoint.Checkpoint {
	t.Helper()
	ckpt, err := checkpoint.Open(filepath.Join("testdata", filepath.FromSlash(dir)))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ckpt.Close() })
	return ckpt
}

// golden is one case of a fixture: a batch of rows and what the released code makes of it.
type golden struct {
	name    string
	ids     [][]int32
	lengths []int32
	tags    [][]int64
	logits  []float32 // [batch][tokens][4]
	causal  []float32 // [batch][tokens][hidden], may be missing
	bidir   []float32
}

// readGoldens reads a file of forward passes.
func readGoldens(t testing.TB, file string) []golden {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("testdata", filepath.FromSlash(file)))
	if err != nil {
		t.Fatal(err)
	}
	ckpt, err := checkpoint.FromBytes(file, nil, data)
	if err != nil {
		t.Fatal(err)
	}
	ints := func(name string) (rows [][]int64) {
		x, ok := ckpt.Tensor(name)
		if !ok || x.DType != checkpoint.I64 {
			t.Fatalf("%s lacks %s", file, name)
		}
		for i := range x.Shape[0] {
			row := make([]int64, x.Shape[1])
			for k := range row {
				row[k] = int64(binary.LittleEndian.Uint64(x.Data[8*(i*len(row)+k):]))
			}
			rows = append(rows, row)
		}
		return rows
	}
	floats := func(name string) []float32 {
		x, ok := ckpt.Tensor(name)
		if !ok {
			return nil
		}
		f, err := x.Floats()
		if err != nil {
			t.Fatal(err)
		}
		return f
	}
	var out []golden
	for _, name := range ckpt.Names() {
		name, ok := strings.CutSuffix(name, ".input_ids")
		if !ok {
			continue
		}
		g := golden{name: name, tags: ints(name + ".tags"), logits: floats(name + ".logits"), causal: floats(name + ".h_causal"), bidir: floats(name + ".h_bidir")}
		mask := ints(name + ".attention_mask")
		for i, row := range ints(name + ".input_ids") {
			var ids []int32
			for k, id := range row {
				if mask[i][k] != 0 {
					ids = append(ids, int32(id))
				}
			}
			g.ids, g.lengths = append(g.ids, ids), append(g.lengths, int32(len(ids)))
		}
		out = append(out, g)
	}
	if len(out) != 6 {
		t.Fatalf("%s holds %d cases, want 6", file, len(out))
	}
	return out
}

// width is the padded length of the golden's rows.
func (g *golden) width() int { return len(g.tags[0]) }

// TestGoldens holds the logits of the fixtures to those of the released code, row by row as a critic computes them.
func TestGoldens(t *testing.T) {
	onBackends(t, func(t *testing.T, b compute.Backend) {
		for _, c := range []struct {
			dir, file string
			precision Precision
			delta     float64
			short     bool // the short cases only: pure Go and compiling take their time
		}{
			{"cprs_tiny/f32", "cprs_tiny/forward_f32.safetensors", F32, 1e-4, false},
			{"cprs_tiny/bf16", "cprs_tiny/forward_bf16_weights_f32_compute.safetensors", F32, 1e-4, false},
			{"cprs_tiny/bf16_sharded", "cprs_tiny/forward_bf16_weights_f32_compute.safetensors", F32, 1e-4, true},
			{"cprs_deep/bf16", "cprs_deep/forward_bf16_weights_f32_compute.safetensors", F32, 1e-4, false},
			{"cprs_tiny/bf16", "cprs_tiny/forward_bf16_weights_fp16_compute.safetensors", F16, 0.05, true},
			{"cprs_tiny/bf16", "cprs_tiny/forward_bf16_weights_bf16_compute.safetensors", BF16, 0.5, true},
		} {
			t.Run(fmt.Sprint(c.dir, " in ", c.precision), func(t *testing.T) {
				critic, err := Open(fixture(t, c.dir), b, &Options{Precision: c.precision})
				if err != nil {
					t.Fatal(err)
				}
				defer critic.Close()
				for _, g := range readGoldens(t, c.file) {
					if c.short && g.width() > 100 {
						continue
					}
					compareLogits(t, critic, g, c.delta)
				}
			})
		}
	})
}

// compareLogits compares logits, and tags where the best logit stands out by more than delta.
func compareLogits(t *testing.T, critic *Critic, g golden, delta float64) {
	t.Helper()
	got, err := critic.Logits(t.Context(), g.ids)
	if err != nil {
		t.Fatalf("%s: %v", g.name, err)
	}
	most, differ, compared := 0.0, 0, 0
	for i, row := range got {
		for k, logits := range row {
			want := g.logits[4*(i*g.width()+k):][:4]
			for tag := range want {
				most = max(most, math.Abs(float64(logits[tag]-want[tag])))
			}
			sorted := slices.Sorted(slices.Values(want))
			if float64(sorted[3]-sorted[2]) <= delta {
				continue
			}
			if compared++; slices.Index(logits, slices.Max(logits)) != int(g.tags[i][k]) {
				differ++
			}
		}
	}
	if !(most <= delta) || differ > 0 || delta <= 1e-4 && compared < len(g.tags) {
		t.Errorf("%s: logits off by %.3g, %d of %d tags differ", g.name, most, differ, compared)
	} else {
		t.Logf("%s: logits off by %.2g, %d tags compared", g.name, most, compared)
	}
}

// TestHiddenStates compares the residual stream after the last causal layer and after the last layer, with the rows of a batch padded.
func TestHiddenStates(t *testing.T) {
	onBackends(t, func(t *testing.T, b compute.Backend) {
		for _, g := range readGoldens(t, "cprs_tiny/forward_f32.safetensors") {
			states := forward(t, fixture(t, "cprs_tiny/f32"), b, g, nil)
			for i, want := range [][]float32{g.causal, g.bidir} {
				if most := g.off(states[i], want); !(most <= 1e-4) {
					t.Errorf("%s: states %d off by %g", g.name, i, most)
				} else {
					t.Logf("%s: states %d off by %.2g", g.name, i, most)
				}
			}
		}
	})
}

// TestSplitMatters guards against a model that is causal, or bidirectional, throughout.
func TestSplitMatters(t *testing.T) {
	b, err := backend.Open(backend.Go)
	if err != nil {
		t.Skip(err)
	}
	defer b.Finalize()
	g := readGoldens(t, "cprs_tiny/forward_f32.safetensors")
	english := g[slices.IndexFunc(g, func(g golden) bool { return g.name == "english" })]
	for _, split := range []int{0, 1, 3, 4} {
		states := forward(t, fixture(t, "cprs_tiny/f32"), b, english, func(c *Config) { c.Split = &split })
		if most := english.off(states[1], english.bidir); most < 0.5 {
			t.Errorf("with the split at layer %d the states are off by %g only", split, most)
		}
	}
}

// forward gives the causal and bidirectional states of a golden's rows, padded as there.
func forward(t *testing.T, ckpt *checkpoint.Checkpoint, b compute.Backend, g golden, change func(*Config)) [2][]float32 {
	t.Helper()
	cfg, err := ParseConfig(ckpt.Config())
	if err != nil {
		t.Fatal(err)
	}
	params, err := load(ckpt, &cfg, b, &Options{Devices: 1})
	if err != nil {
		t.Fatal(err)
	}
	defer free(params)
	if change != nil {
		change(&cfg)
	}
	m := &Model{Config: cfg, DType: precisions[F32]}
	var args []any
	for _, v := range params[0].values {
		args = append(args, v)
	}
	var rows [][]int32
	for _, ids := range g.ids {
		rows = append(rows, append(slices.Clone(ids), make([]int32, g.width()-len(ids))...))
	}
	out, err := gx.CallOnceN(b, func(all []*gx.Node) []*gx.Node {
		w := Weights{}
		for i, name := range params[0].names {
			w[name] = all[i]
		}
		s := m.Forward(w, all[len(w)], all[len(w)+1])
		return []*gx.Node{s.Causal, s.Bidirectional}
	}, append(args, rows, g.lengths)...)
	if err != nil {
		t.Fatal(err)
	}
	var states [2][]float32
	for i := range states {
		if states[i], err = tensors.CopyFlatData[float32](out[i]); err != nil {
			t.Fatal(err)
		}
	}
	return states
}

// off is the greatest difference where nothing is padded.
func (g *golden) off(got, want []float32) float64 {
	most, hidden := 0.0, len(want)/(len(g.ids)*g.width())
	if len(got) != len(want) || len(want) == 0 {
		return math.Inf(1)
	}
	for i, n := range g.lengths {
		for k := i * g.width() * hidden; k < (i*g.width()+int(n))*hidden; k++ {
			if d := math.Abs(float64(got[k] - want[k])); !(d <= most) {
				most = d
			}
		}
	}
	return most
}
