// Package bert is the BERT encoder in pure Go on core/kernel, with f32 or int8 weights.
//
// It stands below core/model/latejoin, whose encoder and joint layers it is, and makes sentence embeddings by itself.
// Sequences are never padded: the rows of several lie one after the other for the dense layers, and each attends to itself
// alone. The states of a sequence therefore do not depend on what shares the call.
package bert

import (
	"context"
	"fmt"
	"math"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/cprs-go/cprs/core/kernel"
	"github.com/cprs-go/cprs/core/model/checkpoint"
)

// Encoder is a loaded BERT. It is safe for concurrent use.
type Encoder struct {
	cfg       Config
	words     table
	positions []float32 // [positions][hidden]
	types     []float32 // [types][hidden]
	norm      norm
	layers    []*Layer
}

// Open loads a BERT from a Hugging Face checkpoint, whatever head it has. It keeps nothing of ckpt.
func Open(ckpt *checkpoint.Checkpoint) (*Encoder, error) {
	cfg, err := ParseConfig(ckpt.Config())
	if err != nil {
		return nil, fmt.Errorf("opening %s: %w", ckpt.Name(), err)
	}
	prefix := ""
	if _, ok := ckpt.Tensor("bert.embeddings.word_embeddings.weight"); ok {
		prefix = "bert."
	}
	l := checkpoint.NewLoader(ckpt)
	e := Load(l, prefix, cfg)
	l.Ignore(func(name string) bool {
		base := strings.TrimPrefix(name, prefix)
		return strings.HasPrefix(base, "pooler.") || base == "embeddings.position_ids" ||
			strings.HasPrefix(name, "classifier.") || strings.HasPrefix(name, "cls.")
	})
	return e, l.Done()
}

// Load takes the tensors of an encoder, prefix+"embeddings.word_embeddings.weight" and so on. It is ready after l.Done.
func Load(l *checkpoint.Loader, prefix string, cfg Config) *Encoder {
	e := &Encoder{cfg: cfg}
	e.words.load(l, prefix+"embeddings.word_embeddings", cfg.Vocab, cfg.Hidden)
	l.Vector(&e.positions, prefix+"embeddings.position_embeddings.weight", cfg.Positions, cfg.Hidden)
	l.Vector(&e.types, prefix+"embeddings.token_type_embeddings.weight", cfg.Types, cfg.Hidden)
	e.norm.load(l, prefix+"embeddings.LayerNorm", cfg.Hidden)
	for i := range cfg.Layers {
		e.layers = append(e.layers, LoadLayer(l, fmt.Sprintf("%sencoder.layer.%d.", prefix, i), &e.cfg))
	}
	return e
}

// Config is the encoder's shape.
func (e *Encoder) Config() Config { return e.cfg }

// Quantised reports whether the weights are int8.
func (e *Encoder) Quantised() bool { return e.words.int8 != nil }

// Check refuses a sequence that the encoder cannot read.
func (e *Encoder) Check(ids []int32) error {
	if len(ids) == 0 || len(ids) > e.cfg.Positions {
		return fmt.Errorf("%d ids, the encoder reads 1 to %d", len(ids), e.cfg.Positions)
	}
	for i, id := range ids {
		if id < 0 || int(id) >= e.cfg.Vocab {
			return fmt.Errorf("id %d at %d is outside the vocabulary of %d", id, i, e.cfg.Vocab)
		}
	}
	return nil
}

// States gives the final states [Σ len][hidden] of sequences that Check has passed, one after the other. types are their token
// types, or nil for zeros. The result lies in s and holds until its next use.
func (e *Encoder) States(sequences, types [][]int32, s *Scratch) []float32 {
	h, total := e.cfg.Hidden, 0
	lengths := make([]int, len(sequences))
	for i, ids := range sequences {
		lengths[i] = len(ids)
		total += len(ids)
	}
	s.x = grow(s.x, total*h)
	at := 0
	for i, ids := range sequences {
		for p, id := range ids {
			row := s.x[at : at+h]
			at += h
			kind := 0
			if types != nil {
				kind = int(types[i][p])
			}
			copy(row, e.positions[p*h:])
			kernel.Axpy(row, 1, e.types[kind*h:(kind+1)*h])
			e.words.add(row, int(id))
		}
	}
	kernel.LayerNorm(s.x, e.norm.gamma, e.norm.beta, e.cfg.Epsilon)
	for _, y := range e.layers {
		y.Forward(s.x, lengths, nil, s)
	}
	return s.x
}

// jobRows is about how many rows a worker encodes at once.
const jobRows = 512

// Encode gives one embedding for each sequence, special tokens included: the mean of its final states, of length 1. It
// returns ctx.Err() once ctx has ended.
func (e *Encoder) Encode(ctx context.Context, sequences [][]int32) ([][]float32, error) {
	for i, ids := range sequences {
		if err := e.Check(ids); err != nil {
			return nil, fmt.Errorf("encoding sequence %d: %w", i, err)
		}
	}
	var jobs []int // where each ends
	rows := 0
	for i, ids := range sequences {
		if rows += len(ids); rows >= jobRows || i == len(sequences)-1 {
			jobs, rows = append(jobs, i+1), 0
		}
	}
	out := make([][]float32, len(sequences))
	var next atomic.Int64
	var wg sync.WaitGroup
	for range min(runtime.GOMAXPROCS(0), len(jobs)) {
		wg.Go(func() {
			var s Scratch
			for j := int(next.Add(1)) - 1; j < len(jobs) && ctx.Err() == nil; j = int(next.Add(1)) - 1 {
				from := 0
				if j > 0 {
					from = jobs[j-1]
				}
				e.pool(out[from:jobs[j]], sequences[from:jobs[j]], &s)
			}
		})
	}
	wg.Wait()
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	return out, nil
}

// pool fills out with the normalised means of the states.
func (e *Encoder) pool(out [][]float32, sequences [][]int32, s *Scratch) {
	x, h := e.States(sequences, nil, s), e.cfg.Hidden
	for i, ids := range sequences {
		mean := make([]float32, h)
		for range ids {
			kernel.Axpy(mean, 1/float32(len(ids)), x[:h])
			x = x[h:]
		}
		unit := make([]float32, h)
		kernel.Axpy(unit, 1/float32(math.Sqrt(max(1e-24, float64(kernel.Dot(mean, mean))))), mean)
		out[i] = unit
	}
}

// table is an embedding, with f32 or int8 rows.
type table struct {
	hidden int
	f32    []float32
	int8   []int8
	scale  []float32 // of each int8 row
}

func (t *table) load(l *checkpoint.Loader, name string, rows, hidden int) {
	t.hidden = hidden
	if l.DType(name+".weight") != checkpoint.I8 {
		l.Vector(&t.f32, name+".weight", rows, hidden)
		return
	}
	l.Vector(&t.scale, name+".weight_scale", rows)
	w := l.Int8(name+".weight", rows, hidden)
	l.Then(func() error {
		view, err := w.Int8s()
		t.int8 = append([]int8(nil), view...) // the checkpoint may be closed
		return err
	})
}

// add adds a row to y.
func (t *table) add(y []float32, row int) {
	lo, hi := row*t.hidden, (row+1)*t.hidden
	if t.int8 != nil {
		kernel.AxpyInt8(y, t.scale[row], t.int8[lo:hi])
		return
	}
	kernel.Axpy(y, 1, t.f32[lo:hi])
}
