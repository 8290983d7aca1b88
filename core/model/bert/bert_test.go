package bert

import (
	"context"
	"encoding/binary"
	"errors"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/cprs-go/cprs/core/kernel"
	"github.com/cprs-go/cprs/core/model/checkpoint"
)

// tiny is a BERT of two layers with reference outputs of PyTorch.
var tiny = filepath.Join("..", "testdata", "bert_tiny", "f32")

func openTiny(t testing.TB) (*Encoder, *checkpoint.Checkpoint) {
	t.Helper()
	ckpt, err := checkpoint.Open(tiny)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ckpt.Close() })
	e, err := Open(ckpt)
	if err != nil {
		t.Fatal(err)
	}
	return e, ckpt
}

// onLevels runs a test at every level of the kernels.
func onLevels(t *testing.T, f func(t *testing.T)) {
	best := kernel.Level()
	defer kernel.SetLevel(best)
	for _, level := range kernel.Levels() {
		if err := kernel.SetLevel(level); err != nil {
			t.Fatal(err)
		}
		t.Run(level, f)
	}
}

func reference(t testing.TB, path string) *checkpoint.Checkpoint {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	ref, err := checkpoint.FromBytes(path, nil, data)
	if err != nil {
		t.Fatal(err)
	}
	return ref
}

func floats(t testing.TB, c *checkpoint.Checkpoint, name string) []float32 {
	t.Helper()
	x, _ := c.Tensor(name)
	v, err := x.Floats()
	if err != nil {
		t.Fatal(name, err)
	}
	return v
}

// matrix reads an I64 tensor, each row cut to its length in mask.
func matrix(t testing.TB, c *checkpoint.Checkpoint, name string) [][]int32 {
	t.Helper()
	base, _, _ := strings.Cut(name, ".")
	x, _ := c.Tensor(name)
	mask, _ := c.Tensor(base + ".attention_mask")
	if x.DType != checkpoint.I64 || len(x.Shape) != 2 {
		t.Fatalf("%s is no matrix of I64", name)
	}
	out := make([][]int32, x.Shape[0])
	for i := range x.Len() {
		if binary.LittleEndian.Uint64(mask.Data[8*i:]) == 1 {
			out[i/x.Shape[1]] = append(out[i/x.Shape[1]], int32(binary.LittleEndian.Uint64(x.Data[8*i:])))
		}
	}
	return out
}

// off is the largest difference between states [Σ len][n] and want [rows][width][n], which is padded.
func off(states, want []float32, ids [][]int32, n int) (most float64) {
	width := len(want) / len(ids) / n
	for i, row := range ids {
		for j, v := range states[:len(row)*n] {
			most = max(most, math.Abs(float64(v-want[i*width*n+j])))
		}
		states = states[len(row)*n:]
	}
	return most
}

var cases = []string{"pair", "pair_mixed", "long_512", "batch_right_padded"}

func TestStatesAgainstPyTorch(t *testing.T) {
	ref := reference(t, filepath.Join("..", "testdata", "bert_tiny", "forward_f32.safetensors"))
	onLevels(t, func(t *testing.T) {
		e, ckpt := openTiny(t)
		weight, bias := floats(t, ckpt, "classifier.weight"), floats(t, ckpt, "classifier.bias")
		classifier := kernel.NewF32Dense(weight, bias, 4, 64)
		for _, name := range cases {
			var s Scratch
			ids := matrix(t, ref, name+".input_ids")
			states := e.States(ids, matrix(t, ref, name+".token_type_ids"), &s)
			d := off(states, floats(t, ref, name+".h_final"), ids, 64)
			var rows kernel.Rows
			logits := make([]float32, len(states)/64*4)
			classifier.Load(&rows, states, len(states)/64)
			classifier.Mul(logits, &rows, &kernel.Scratch{})
			dl := off(logits, floats(t, ref, name+".logits"), ids, 4)
			if t.Logf("%s: states off by %.2g, logits by %.2g", name, d, dl); d > 1e-4 || dl > 1e-4 {
				t.Errorf("%s: more than 1e-4", name)
			}
		}
	})
}

// TestMiniLM reads the real all-MiniLM-L6-v2, whose folder CPRS_MINILM names.
func TestMiniLM(t *testing.T) {
	path := shared("fixtures", "minilm_real", "forward.safetensors")
	if path == "" {
		t.Skip("needs ../shared beside the module")
	}
	dir := os.Getenv("CPRS_MINILM")
	if dir == "" {
		if os.Getenv("REQUIRE_MINILM") == "1" {
			t.Fatal("CPRS_MINILM is not set")
		}
		t.Skip("CPRS_MINILM is not set: core/eval/minilm/fetch.sh DIR fetches it")
	}
	ckpt, err := checkpoint.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer ckpt.Close()
	e, err := Open(ckpt)
	if err != nil {
		t.Fatal(err)
	}
	ref := reference(t, path)
	for _, name := range cases {
		var s Scratch
		ids := matrix(t, ref, name+".input_ids")
		states := e.States(ids, matrix(t, ref, name+".token_type_ids"), &s)
		if name == "long_512" { // of which five rows are kept
			var few []float32
			for _, r := range []int{0, 1, 255, 510, 511} {
				few = append(few, states[r*384:(r+1)*384]...)
			}
			states, ids = few, [][]int32{ids[0][:5]}
		}
		d := off(states, floats(t, ref, name+".h_final"), ids, 384)
		if t.Logf("%s: states off by %.2g", name, d); d > 1e-4 {
			t.Errorf("%s: more than 1e-4", name)
		}
	}
}

// shared is a path in the folder shared beside the module, "" if it is not there.
func shared(elem ...string) string {
	path := filepath.Join(append([]string{"..", "..", "..", "..", "shared"}, elem...)...)
	if _, err := os.Stat(path); err != nil {
		return ""
	}
	return path
}

func randomIDs(r *rand.Rand, lengths ...int) [][]int32 {
	out := make([][]int32, len(lengths))
	for i, n := range lengths {
		for range n {
			out[i] = append(out[i], r.Int32N(4000))
		}
	}
	return out
}

func TestKeep(t *testing.T) {
	e, _ := openTiny(t)
	ids := randomIDs(rand.New(rand.NewPCG(1, 2)), 5, 17, 40)
	var s Scratch
	x := slices.Clone(e.States(ids, nil, &s))
	all := e.layers[1].Forward(slices.Clone(x), []int{5, 17, 40}, nil, &s)
	keep := []int{0, 3, 4, 5, 30, 61}
	some := e.layers[1].Forward(slices.Clone(x), []int{5, 17, 40}, keep, &s)
	if len(some) != len(keep)*64 {
		t.Fatalf("%d values", len(some))
	}
	for i, k := range keep {
		if !slices.Equal(some[i*64:(i+1)*64], all[k*64:(k+1)*64]) {
			t.Errorf("row %d differs when others are left out", k)
		}
	}
}

func TestEncode(t *testing.T) {
	e, _ := openTiny(t)
	lengths := make([]int, 40)
	for i := range lengths {
		lengths[i] = 1 + i*i%97
	}
	lengths[7] = 300
	ids := randomIDs(rand.New(rand.NewPCG(3, 4)), lengths...)
	all, err := e.Encode(t.Context(), ids)
	if err != nil {
		t.Fatal(err)
	}
	for i, row := range ids {
		one, err := e.Encode(t.Context(), [][]int32{row})
		if err != nil || !slices.Equal(one[0], all[i]) {
			t.Fatalf("sequence %d alone differs, or %v", i, err)
		}
		if n := kernel.Dot(all[i], all[i]); math.Abs(float64(n)-1) > 1e-5 {
			t.Errorf("sequence %d has length %v", i, n)
		}
	}
	if none, err := e.Encode(t.Context(), nil); err != nil || len(none) != 0 {
		t.Errorf("nothing: %v, %v", none, err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := e.Encode(ctx, ids); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
}

func TestCheck(t *testing.T) {
	e, _ := openTiny(t)
	for _, c := range []struct {
		ids []int32
		ok  bool
	}{
		{nil, false}, {[]int32{0}, true}, {[]int32{3999}, true}, {[]int32{4000}, false}, {[]int32{1, -1}, false},
		{make([]int32, 512), true}, {make([]int32, 513), false},
	} {
		if err := e.Check(c.ids); (err == nil) != c.ok {
			t.Errorf("%d ids: %v", len(c.ids), err)
		}
	}
	if _, err := e.Encode(t.Context(), [][]int32{{1}, {-1}}); err == nil || !strings.Contains(err.Error(), "sequence 1") {
		t.Errorf("got %v", err)
	}
}

func TestConfig(t *testing.T) {
	good, err := os.ReadFile(filepath.Join(tiny, checkpoint.ConfigFile))
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ old, new, err string }{
		{`"hidden_size": 64`, `"hidden_size": 0`, "hidden_size is 0"},
		{`"hidden_size": 64`, `"hidden_size": 66`, "does not divide"},
		{`"hidden_size": 64`, `"hidden_size": 1000000`, "hidden_size is 1000000"},
		{`"hidden_size": 64`, `"hidden_size": "64"`, "reading the configuration"},
		{`"vocab_size": 4000`, `"vocab_size": -1`, "vocab_size"},
		{`"hidden_act": "gelu"`, `"hidden_act": "relu"`, `"relu", not gelu`},
		{`"absolute"`, `"relative_key"`, "relative_key"},
		{`"layer_norm_eps": 1e-12`, `"layer_norm_eps": -1`, "layer_norm_eps"},
	} {
		bad := strings.Replace(string(good), c.old, c.new, 1)
		if bad == string(good) {
			t.Fatalf("%s is not in the configuration", c.old)
		}
		if _, err := ParseConfig([]byte(bad)); err == nil || !strings.Contains(err.Error(), c.err) {
			t.Errorf("%s: got %v, want %q", c.new, err, c.err)
		}
	}
}

func TestOpenFaults(t *testing.T) {
	config, _ := os.ReadFile(filepath.Join(tiny, checkpoint.ConfigFile))
	weights, _ := os.ReadFile(filepath.Join(tiny, checkpoint.WeightsFile))
	for _, c := range []struct{ config, err string }{
		{strings.Replace(string(config), `"num_hidden_layers": 2`, `"num_hidden_layers": 3`, 1), `"bert.encoder.layer.2.attention`},
		{strings.Replace(string(config), `"num_hidden_layers": 2`, `"num_hidden_layers": 1`, 1), `not part of the model: "bert.encoder.layer.1.`},
		{strings.Replace(string(config), `"vocab_size": 4000`, `"vocab_size": 4001`, 1), "has shape [4000 64], not [4001 64]"},
		{"{", "configuration"},
	} {
		ckpt, err := checkpoint.FromBytes("memory", []byte(c.config), weights)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := Open(ckpt); err == nil || !strings.Contains(err.Error(), c.err) || !strings.Contains(err.Error(), "memory") {
			t.Errorf("got %v, want %q", err, c.err)
		}
	}
}
