package graph

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/gomlx/compute"

	"github.com/cprs-go/cprs/core/model/checkpoint"
	"github.com/cprs-go/cprs/core/model/latejoin"
	"github.com/cprs-go/cprs/core/prompt"
	"github.com/cprs-go/cprs/core/unit"
	"github.com/cprs-go/cprs/core/window"
)

// The sizes of the tiny critic.
const (
	tinyVocab     = 400
	tinyPositions = 100 // no multiple of the padding
	tinyHeader    = 40
)

// tiny is a small late-join checkpoint with random weights, always the same.
func tiny(t testing.TB) *checkpoint.Checkpoint {
	t.Helper()
	text, err := json.Marshal(map[string]any{
		"model_type": "cprs_late_join",
		"labels":     []string{"B", "I", "O", "E"}, "units": []string{"phrase", "sentence", "paragraph", "line"},
		"joint_layers": 1, "header_tokens": tinyHeader, "window_tokens": tinyPositions, "title_tokens": 4,
		"match_stop": []int{7, 8, 9},
		"encoder": map[string]any{
			"hidden_size": 64, "intermediate_size": 128, "num_attention_heads": 4, "num_hidden_layers": 2,
			"max_position_embeddings": tinyPositions, "type_vocab_size": 2, "vocab_size": tinyVocab,
			"layer_norm_eps": 1e-12, "hidden_act": "gelu",
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	cfg, err := latejoin.ParseConfig(text)
	if err != nil {
		t.Fatal(err)
	}
	rng := rand.New(rand.NewPCG(1, 2))
	var all []checkpoint.Tensor
	for _, s := range Shapes(cfg) {
		n := 1
		for _, d := range s.Dims {
			n *= d
		}
		mean := 0.0
		if strings.HasSuffix(strings.ToLower(s.Name), "norm.weight") {
			mean = 1
		}
		data := make([]byte, 0, 4*n)
		for range n { // wide enough that everything matters
			data = binary.LittleEndian.AppendUint32(data, math.Float32bits(float32(mean+0.2*rng.NormFloat64())))
		}
		all = append(all, checkpoint.Tensor{Name: s.Name, DType: checkpoint.F32, Shape: s.Dims, Data: data})
	}
	ckpt, err := checkpoint.FromBytes("tiny", text, written(t, all))
	if err != nil {
		t.Fatal(err)
	}
	return ckpt
}

// weightsOf is the weights file of a checkpoint.
func weightsOf(t testing.TB, c *checkpoint.Checkpoint) []byte {
	t.Helper()
	var all []checkpoint.Tensor
	for _, name := range c.Names() {
		tensor, _ := c.Tensor(name)
		all = append(all, tensor)
	}
	return written(t, all)
}

func written(t testing.TB, all []checkpoint.Tensor) []byte {
	t.Helper()
	var file bytes.Buffer
	if err := checkpoint.Write(&file, all); err != nil {
		t.Fatal(err)
	}
	return file.Bytes()
}

// openTiny is the tiny critic on a backend.
func openTiny(t testing.TB, b compute.Backend, opts *Options) *Critic {
	t.Helper()
	c, err := Open(tiny(t), b, opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

// tinyHeaderRow is a header of n ids, with or without a query of its own.
func tinyHeaderRow(rng *rand.Rand, n int, query bool) *prompt.Header {
	h := &prompt.Header{IDs: framed(rng, n), Pool: make([]bool, n)}
	for i := range h.Pool {
		h.Pool[i] = !query || (i > n/2 && i < n-1)
	}
	return h
}

// tinyWindow is a window of n ids, frame included, of which some are in the header.
func tinyWindow(rng *rand.Rand, h *prompt.Header, n int) window.Window {
	ids := framed(rng, n)
	for i := 1; i < n-1; i++ {
		if rng.IntN(4) == 0 {
			ids[i] = h.IDs[rng.IntN(len(h.IDs))]
		}
	}
	w := window.Window{Header: h, Unit: unit.Unit(1 + rng.IntN(4))}
	before, after := min(2, n/3), min(1, n/2)
	w.Before, w.IDs, w.After = ids[:before], ids[before:n-after], ids[n-after:]
	return w
}

// framed is a row of n random ids between a first and a last that stand for [CLS] and [SEP].
func framed(rng *rand.Rand, n int) []int32 {
	ids := make([]int32, n)
	for i := range ids {
		ids[i] = int32(5 + rng.IntN(tinyVocab-5))
	}
	ids[n-1] = 2
	ids[0] = 1
	return ids
}
