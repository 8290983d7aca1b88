package graph

import (
	"bytes"
	"context"
	"errors"
	"math"
	"math/rand/v2"
	"path/filepath"
	"strings"
	"testing"

	"github.com/gomlx/compute"
	"github.com/gomlx/gomlx/core/tensors"

	"github.com/cprs-go/cprs/core/backend"
	"github.com/cprs-go/cprs/core/critic"
	"github.com/cprs-go/cprs/core/label"
	"github.com/cprs-go/cprs/core/model/checkpoint"
	"github.com/cprs-go/cprs/core/model/latejoin"
	"github.com/cprs-go/cprs/core/prompt"
	"github.com/cprs-go/cprs/core/unit"
	"github.com/cprs-go/cprs/core/window"
)

var _ critic.Critic = (*Critic)(nil)

// oddWindows are windows of two headers whose lengths stand at the edges of every padding.
func oddWindows(seed uint64) []window.Window {
	rng := rand.New(rand.NewPCG(seed, 0))
	headers := []*prompt.Header{tinyHeaderRow(rng, 3, false), tinyHeaderRow(rng, tinyHeader, true)}
	var ws []window.Window
	for i, n := range []int{1, 2, 3, 30, 63, 64, 65, 9, tinyPositions - 1, tinyPositions} {
		ws = append(ws, tinyWindow(rng, headers[i%2], n))
	}
	return ws
}

func TestScoreDoesNotDependOnTheBatch(t *testing.T) {
	onBackends(t, func(t *testing.T, b compute.Backend) {
		alone, together := openTiny(t, b, &Options{Batch: 1}), openTiny(t, b, &Options{Batch: 4})
		for seed := range uint64(3) {
			ws := oddWindows(seed)
			rand.New(rand.NewPCG(seed, 1)).Shuffle(len(ws), func(i, j int) { ws[i], ws[j] = ws[j], ws[i] })
			all := score(t, together, ws)
			for i := range ws {
				one := score(t, alone, ws[i:i+1])[0]
				if d := apart(one, all[i]); d > 1e-5 {
					t.Errorf("seed %d: window %d of %d ids scores off by %g beside others", seed, i, ws[i].Len(), d)
				}
			}
		}
	})
}

// TestParity holds the graph to the kernels of core/model/latejoin.
func TestParity(t *testing.T) {
	fast, err := latejoin.Open(tiny(t), nil)
	if err != nil {
		t.Fatal(err)
	}
	onBackends(t, func(t *testing.T, b compute.Backend) {
		c := openTiny(t, b, &Options{Batch: 4})
		for seed := range uint64(3) {
			ws := oddWindows(seed)
			want, got := score(t, fast, ws), score(t, c, ws)
			for i := range ws {
				if d := apart(got[i], want[i]); d > 1e-4 {
					t.Errorf("seed %d: window %d of %d ids is off by %g", seed, i, ws[i].Len(), d)
				}
			}
		}
	})
}

func TestScoreShape(t *testing.T) {
	c := openTiny(t, open(t, backend.Go), nil)
	if got := score(t, c, nil); len(got) != 0 {
		t.Errorf("no windows give %d scores", len(got))
	}
	ws := oddWindows(7)
	for i, s := range score(t, c, ws) {
		if len(s.Probs) != len(ws[i].IDs) {
			t.Errorf("window %d: %d rows for %d ids", i, len(s.Probs), len(ws[i].IDs))
		}
		for _, p := range s.Probs {
			if sum := p[0] + p[1] + p[2] + p[3]; math.Abs(float64(sum-1)) > 1e-5 {
				t.Fatalf("window %d: probabilities %v", i, p)
			}
		}
		if s.Relevance <= 0 || s.Relevance >= 1 {
			t.Errorf("window %d: relevance %v", i, s.Relevance)
		}
	}
}

func TestScoreRefuses(t *testing.T) {
	c := openTiny(t, open(t, backend.Go), nil)
	rng := rand.New(rand.NewPCG(3, 0))
	h := tinyHeaderRow(rng, 10, false)
	tests := map[string]struct {
		change func(w *window.Window)
		says   string
		is     error
	}{
		"too long":        {func(w *window.Window) { w.IDs = make([]int32, tinyPositions) }, "window 1: ", critic.ErrWindowTooLong},
		"no ids":          {func(w *window.Window) { *w = window.Window{Header: h, Unit: unit.Line} }, "no ids", nil},
		"unknown id":      {func(w *window.Window) { w.IDs = []int32{tinyVocab} }, "vocabulary of 400", nil},
		"negative id":     {func(w *window.Window) { w.IDs = []int32{-1} }, "vocabulary", nil},
		"no unit":         {func(w *window.Window) { w.Unit = unit.Auto }, `"auto"`, nil},
		"no header":       {func(w *window.Window) { w.Header = nil }, "header of window 1", nil},
		"empty header":    {func(w *window.Window) { w.Header = &prompt.Header{} }, "empty", nil},
		"long header":     {func(w *window.Window) { w.Header = tinyHeaderRow(rng, tinyPositions+1, false) }, "101 ids", nil},
		"unknown asked":   {func(w *window.Window) { w.Header = &prompt.Header{IDs: []int32{tinyVocab}, Pool: []bool{true}} }, "vocabulary", nil},
		"nothing pooled":  {func(w *window.Window) { w.Header = &prompt.Header{IDs: h.IDs, Pool: make([]bool, 10)} }, "position", nil},
		"other pool size": {func(w *window.Window) { w.Header = &prompt.Header{IDs: h.IDs, Pool: h.Pool[1:]} }, "position", nil},
	}
	for name, tt := range tests {
		ws := []window.Window{tinyWindow(rng, h, 9), tinyWindow(rng, h, 9)}
		tt.change(&ws[1])
		_, err := c.Score(t.Context(), ws)
		if err == nil || !strings.Contains(err.Error(), tt.says) || (tt.is != nil && !errors.Is(err, tt.is)) {
			t.Errorf("%s: %v, want an error that says %q", name, err, tt.says)
		}
	}
}

func TestScoreStopsBetweenBatches(t *testing.T) {
	c := openTiny(t, open(t, backend.Go), nil)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := c.Score(ctx, oddWindows(1)); !errors.Is(err, context.Canceled) {
		t.Errorf("%v after cancelling", err)
	}
	late := &lateContext{Context: t.Context(), calls: 3}
	if _, err := c.Score(late, oddWindows(1)); !errors.Is(err, context.Canceled) || late.calls != 0 {
		t.Errorf("%v, %d calls left: want a stop at the third batch", err, late.calls)
	}
}

// lateContext is cancelled when its Err is asked for the last of some calls.
type lateContext struct {
	context.Context
	calls int
}

func (c *lateContext) Err() error {
	if c.calls--; c.calls > 0 {
		return nil
	}
	return context.Canceled
}

func TestScoreConcurrently(t *testing.T) {
	c := openTiny(t, open(t, backend.Go), nil)
	ws := oddWindows(2)
	want := score(t, c, ws)
	done := make(chan float64)
	for range 4 {
		go func() {
			got, err := c.Score(context.Background(), ws)
			if err != nil {
				done <- math.Inf(1)
				return
			}
			var most float64
			for i := range got {
				most = max(most, apart(got[i], want[i]))
			}
			done <- most
		}()
	}
	for range 4 {
		if d := <-done; d > 1e-6 {
			t.Errorf("concurrent calls are off by %g", d)
		}
	}
}

func TestOpenRefuses(t *testing.T) {
	b := open(t, backend.Go)
	for _, batch := range []int{-1, 3} {
		if _, err := Open(tiny(t), b, &Options{Batch: batch}); err == nil {
			t.Errorf("a batch of %d is accepted", batch)
		}
	}
	foreign, err := checkpoint.Open(filepath.Join("..", "testdata", "bert_tiny", "f32"))
	if err != nil {
		t.Fatal(err)
	}
	defer foreign.Close()
	if _, err := Open(foreign, b, nil); err == nil || !strings.Contains(err.Error(), "model_type") {
		t.Errorf("%v for a checkpoint of another kind", err)
	}
	whole := tiny(t)
	lacking, err := checkpoint.FromBytes("lacking", bytes.Replace(whole.Config(), []byte(`"joint_layers":1`), []byte(`"joint_layers":2`), 1), weightsOf(t, whole))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Open(lacking, b, nil); err == nil || !strings.Contains(err.Error(), "joint.1.output.dense.weight") {
		t.Errorf("%v for a checkpoint without its last layer", err)
	}
}

// TestOpenInt8 reads a quantised checkpoint: every weight is within half a step of the original.
func TestOpenInt8(t *testing.T) {
	whole := tiny(t)
	var file bytes.Buffer
	if err := latejoin.Quantize(whole, &file); err != nil {
		t.Fatal(err)
	}
	small, err := checkpoint.FromBytes("small", whole.Config(), file.Bytes())
	if err != nil {
		t.Fatal(err)
	}
	c, err := Open(small, open(t, backend.Go), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	for i, name := range c.params.names {
		got, want := flat[float32](t, c.params.values[i].(*tensors.Tensor)), reference(t, whole, name)
		for k := range want {
			if math.Abs(got[k]-float64(want[k])) > 1.5/254 { // no weight is beyond 1.5
				t.Fatalf("%s[%d]: %g, want %g", name, k, got[k], want[k])
			}
		}
	}
	score(t, c, oddWindows(4))
}

// score judges windows that must be judged.
func score(t testing.TB, c critic.Critic, ws []window.Window) []label.Scores {
	t.Helper()
	s, err := c.Score(t.Context(), ws)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// apart is the largest difference of two scores.
func apart(a, b label.Scores) float64 {
	most := math.Abs(float64(a.Relevance - b.Relevance))
	if len(a.Probs) != len(b.Probs) {
		return math.Inf(1)
	}
	for i := range a.Probs {
		for k := range a.Probs[i] {
			most = max(most, math.Abs(float64(a.Probs[i][k]-b.Probs[i][k])))
		}
	}
	return most
}
