package latejoin

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/cprs-go/cprs/core/model/checkpoint"
	"github.com/cprs-go/cprs/core/prompt"
	"github.com/cprs-go/cprs/core/unit"
	"github.com/cprs-go/cprs/core/window"
)

const tinyConfig = `{"model_type":"cprs_late_join","labels":["B","I","O","E"],"units":["phrase","sentence","paragraph","line"],
"joint_layers":2,"header_tokens":16,"window_tokens":64,"title_tokens":4,"match_stop":[7,8],
"encoder":{"hidden_size":32,"intermediate_size":48,"num_attention_heads":4,"num_hidden_layers":2,"max_position_embeddings":80,
"type_vocab_size":2,"vocab_size":100,"layer_norm_eps":1e-12,"hidden_act":"gelu"}}`

// tinyTensors are random weights for tinyConfig.
func tinyTensors() (ts []checkpoint.Tensor) {
	r := rand.New(rand.NewPCG(1, 1))
	add := func(name string, mean, spread float64, shape ...int) {
		n := 1
		for _, d := range shape {
			n *= d
		}
		var data []byte
		for range n {
			data = binary.LittleEndian.AppendUint32(data, math.Float32bits(float32(mean+spread*r.NormFloat64())))
		}
		ts = append(ts, checkpoint.Tensor{Name: name, DType: checkpoint.F32, Shape: shape, Data: data})
	}
	dense := func(name string, n, k int) {
		add(name+".weight", 0, 0.3, n, k)
		add(name+".bias", 0, 0.1, n)
	}
	norm := func(name string) {
		add(name+".weight", 1, 0.1, 32)
		add(name+".bias", 0, 0.1, 32)
	}
	layer := func(prefix string) {
		for _, name := range []string{"query", "key", "value"} {
			dense(prefix+"attention.self."+name, 32, 32)
		}
		dense(prefix+"attention.output.dense", 32, 32)
		norm(prefix + "attention.output.LayerNorm")
		dense(prefix+"intermediate.dense", 48, 32)
		dense(prefix+"output.dense", 32, 48)
		norm(prefix + "output.LayerNorm")
	}
	add("encoder.embeddings.word_embeddings.weight", 0, 1, 100, 32)
	add("encoder.embeddings.position_embeddings.weight", 0, 0.3, 80, 32)
	add("encoder.embeddings.token_type_embeddings.weight", 0, 0.3, 2, 32)
	norm("encoder.embeddings.LayerNorm")
	for i := range 2 {
		layer(fmt.Sprintf("encoder.encoder.layer.%d.", i))
		layer(fmt.Sprintf("joint.%d.", i))
	}
	add("unit.weight", 0, 1, 4, 32)
	add("segment.weight", 0, 1, 3, 32)
	add("similarity.weight", 0, 1, 32)
	add("pool.weight", 0, 1, 32)
	add("direct.weight", 0, 1, 4)
	add("direct.bias", 0, 1)
	norm("norm")
	dense("tag", 4, 32)
	dense("relevance", 1, 32)
	return ts
}

func fromTensors(t testing.TB, config string, ts []checkpoint.Tensor) *checkpoint.Checkpoint {
	t.Helper()
	var b bytes.Buffer
	if err := checkpoint.Write(&b, ts); err != nil {
		t.Fatal(err)
	}
	ckpt, err := checkpoint.FromBytes("tiny", []byte(config), b.Bytes())
	if err != nil {
		t.Fatal(err)
	}
	return ckpt
}

// tinyModel is a small random critic, in f32 or int8.
func tinyModel(t testing.TB, int8 bool) *Model {
	t.Helper()
	ckpt := fromTensors(t, tinyConfig, tinyTensors())
	if int8 {
		var b bytes.Buffer
		if err := Quantize(ckpt, &b); err != nil {
			t.Fatal(err)
		}
		var err error
		if ckpt, err = checkpoint.FromBytes("tiny", ckpt.Config(), b.Bytes()); err != nil {
			t.Fatal(err)
		}
	}
	m, err := Load(ckpt, "")
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// randomWindows have random ids, frames, units and lengths, some of them no text at all.
func randomWindows(r *rand.Rand, n int) []window.Window {
	header := func() *prompt.Header {
		h := &prompt.Header{IDs: randomIDs(r, 3+r.IntN(12))}
		for range h.IDs {
			h.Pool = append(h.Pool, r.IntN(3) > 0)
		}
		return h
	}
	h := header()
	ws := make([]window.Window, n)
	for i := range ws {
		if r.IntN(10) == 0 {
			h = header()
		}
		units := []unit.Unit{unit.Phrase, unit.Sentence, unit.Line, unit.Paragraph}
		ws[i] = window.Window{Header: h, Unit: units[r.IntN(4)], Before: randomIDs(r, 1+r.IntN(5)), IDs: randomIDs(r, r.IntN(60)), After: randomIDs(r, 1)}
	}
	return ws
}

func randomIDs(r *rand.Rand, n int) []int32 {
	ids := make([]int32, n)
	for i := range ids {
		ids[i] = r.Int32N(100)
	}
	return ids
}
