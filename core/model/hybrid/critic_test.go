package hybrid

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/gomlx/compute"
	gx "github.com/gomlx/gomlx/core/graph"

	"github.com/cprs-go/cprs/core/critic"
	"github.com/cprs-go/cprs/core/label"
	"github.com/cprs-go/cprs/core/prompt"
	"github.com/cprs-go/cprs/core/window"
)

// fake is a device that computes logits from ids alone and holds at most most ids at a time; 0: any number.
type fake struct {
	most   int
	runs   []int // rows of each
	closed bool
	err    error
	before func()
}

func (f *fake) run(b *batch) (*output, error) {
	if f.before != nil {
		f.before()
	}
	n := len(b.ids) * len(b.ids[0])
	f.runs = append(f.runs, len(b.ids))
	if f.err != nil {
		return nil, f.err
	}
	if f.most > 0 && n > f.most {
		return nil, fmt.Errorf("%w: RESOURCE_EXHAUSTED", ErrOutOfMemory)
	}
	out := &output{}
	for i, row := range b.ids {
		sum := float32(0)
		for k, id := range row {
			if k < int(b.lengths[i]) {
				sum = sum*0.5 + float32(id)
			}
			out.tags = append(out.tags, sum, float32(id), 3, float32(k))
			for _, w := range b.words {
				out.words = append(out.words, float32((id+w)%7))
			}
		}
	}
	return out, nil
}

func (f *fake) close() error { f.closed = true; return nil }

// config is a shape for fakes.
func config(vocab int) Config {
	split := 1
	return Config{Layers: 2, Hidden: 8, Heads: 2, KVHeads: 1, HeadSize: 4, Intermediate: 8, Vocab: vocab, Positions: 4096, Labels: "BIOE", Split: &split}
}

func withFakes(batchTokens int, fakes ...*fake) *Critic {
	var rs []runner
	for _, f := range fakes {
		rs = append(rs, f)
	}
	return newCritic(config(500), Options{WindowTokens: 2048, BatchTokens: batchTokens, Devices: len(rs), Categories: true}, rs)
}

// randomWindows are windows of one or two headers, of all lengths.
func randomWindows(n int, categories bool) []window.Window {
	rng := rand.New(rand.NewPCG(3, 4))
	ids := func(n int) []int32 {
		out := make([]int32, n)
		for i := range out {
			out[i] = rng.Int32N(500)
		}
		return out
	}
	headers := []*prompt.Header{{InRow: true, IDs: ids(20)}, {InRow: true, IDs: ids(33)}}
	if categories {
		headers[1].Outside, headers[1].Categories = 5, []prompt.Category{{Name: "fact", ID: 6}, {Name: "needle", ID: 7}}
	}
	ws := make([]window.Window, n)
	for i := range ws {
		ws[i] = window.Window{Header: headers[rng.IntN(2)], Before: ids(rng.IntN(3)), IDs: ids(1 + rng.IntN(1<<rng.IntN(10))), After: ids(rng.IntN(3)), Doc: i}
	}
	return ws
}

// The scores are the same with any batch size, number of devices and shortage of memory.
func TestScoreIsTheSame(t *testing.T) {
	ws := randomWindows(80, true)
	var want []label.Scores
	for name, c := range map[string]*Critic{
		"one at a time": withFakes(1, &fake{}),
		"batches":       withFakes(4096, &fake{}),
		"devices":       withFakes(4096, &fake{}, &fake{}, &fake{}),
		"short":         withFakes(1<<20, &fake{most: 2048}, &fake{most: 1536}),
	} {
		got, err := c.Score(t.Context(), ws)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		for i := range ws {
			if len(got[i].Probs) != len(ws[i].IDs) {
				t.Fatalf("%s: window %d: %d scores of %d ids", name, i, len(got[i].Probs), len(ws[i].IDs))
			}
			if has := got[i].Categories != nil; has != (len(ws[i].Header.Categories) > 0) {
				t.Fatalf("%s: window %d: categories %v", name, i, has)
			}
		}
		if want == nil {
			want = got
		}
		if !reflect.DeepEqual(got, want) {
			t.Errorf("%s: the scores differ", name)
		}
	}
}

// A device that is short of memory gets half of the batch, and so small ones from then on; one that cannot hold a window fails.
func TestOutOfMemory(t *testing.T) {
	ws := make([]window.Window, 32)
	h := &prompt.Header{InRow: true, IDs: make([]int32, 50)}
	for i := range ws {
		ws[i] = window.Window{Header: h, IDs: make([]int32, 14)} // 64 with the header
	}
	f := &fake{most: 5 * 64}
	c := withFakes(16*64, f)
	for range 2 {
		if _, err := c.Score(t.Context(), ws); err != nil {
			t.Fatal(err)
		}
	}
	if want := []int{8, 4, 4, 4}; !slices.Equal(f.runs[:4], want) || slices.Max(f.runs[4:]) != 4 {
		t.Errorf("runs of %v rows", f.runs)
	}
	_, err := withFakes(16*64, &fake{most: 63}).Score(t.Context(), ws)
	if !errors.Is(err, ErrOutOfMemory) || !strings.Contains(err.Error(), "window") {
		t.Error(err)
	}
	broken := errors.New("broken")
	if _, err := withFakes(64, &fake{err: broken}).Score(t.Context(), ws); !errors.Is(err, broken) {
		t.Error(err)
	}
}

func TestOutOfMemorySigns(t *testing.T) {
	for text, want := range map[string]bool{
		"RESOURCE_EXHAUSTED: Out of memory while trying to allocate 1 bytes": true,
		"CUDA_ERROR_OUT_OF_MEMORY": true, "INVALID_ARGUMENT: shapes": false,
	} {
		if outOfMemory(errors.New(text)) != want {
			t.Error(text)
		}
	}
}

// A cancelled context ends the work within one run.
func TestScoreCancelled(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	var runs atomic.Int64
	stop := func() {
		if runs.Add(1) == 3 {
			cancel()
		}
	}
	_, err := withFakes(1, &fake{before: stop}, &fake{before: stop}).Score(ctx, randomWindows(50, false))
	if !errors.Is(err, context.Canceled) || runs.Load() > 4 {
		t.Errorf("%v after %d runs", err, runs.Load())
	}
}

func TestScoreRefuses(t *testing.T) {
	h := &prompt.Header{InRow: true, IDs: []int32{1, 2}}
	long := make([]int32, 2047)
	for name, tt := range map[string]struct {
		w    window.Window
		is   error
		says string
	}{
		"no header":       {window.Window{IDs: []int32{1}}, nil, "header"},
		"header apart":    {window.Window{Header: &prompt.Header{IDs: []int32{1}}, IDs: []int32{1}}, nil, "header"},
		"too long":        {window.Window{Header: h, IDs: long}, critic.ErrWindowTooLong, "2049"},
		"unknown id":      {window.Window{Header: h, IDs: []int32{500}}, nil, "vocabulary"},
		"negative id":     {window.Window{Header: h, IDs: []int32{-1}}, nil, "vocabulary"},
		"unknown word":    {window.Window{Header: &prompt.Header{InRow: true, IDs: []int32{1}, Categories: []prompt.Category{{ID: 900}}}, IDs: []int32{1}}, nil, "vocabulary"},
		"nothing to read": {window.Window{Header: &prompt.Header{InRow: true}}, nil, "no ids"},
	} {
		_, err := withFakes(64, &fake{}).Score(t.Context(), []window.Window{tt.w})
		if err == nil || !strings.Contains(err.Error(), tt.says) || tt.is != nil && !errors.Is(err, tt.is) {
			t.Errorf("%s: %v, want one that says %q", name, err, tt.says)
		}
	}
	if _, err := withFakes(64, &fake{}).Score(t.Context(), []window.Window{{Header: h, IDs: long[:2046]}}); err != nil {
		t.Errorf("a window that just fits: %v", err)
	}
	if got, err := withFakes(64, &fake{}).Score(t.Context(), nil); err != nil || len(got) != 0 {
		t.Errorf("no windows: %v, %v", got, err)
	}
}

func TestPadded(t *testing.T) {
	for n, want := range map[int]int{1: 64, 64: 64, 65: 96, 96: 96, 97: 128, 129: 192, 200: 256, 4097: 6144, 6145: 8192, 8192: 8192} {
		if got := padded(n, 8192); got != want {
			t.Errorf("%d ids are padded to %d, want %d", n, got, want)
		}
	}
	if got := padded(70, 80); got != 80 {
		t.Errorf("padded to %d beyond the most of 80", got)
	}
}

// With categories the probabilities are those of the pairs of tag and word that go together.
func TestCategories(t *testing.T) {
	c := withFakes(64, &fake{})
	logit := func(p float64) float32 { return float32(math.Log(p)) }
	r := &row{ids: []int32{1, 1}, last: 2, words: []int32{5, 6, 7}, width: 8,
		tags: []float32{logit(0.3), logit(0.2), logit(0.4), logit(0.1), 0, 0, 0, 0},
		wordLogits: []float32{logit(0.5), logit(0.125), logit(0.375), 9, 9, 9, 9, 9, // 9: padding
			-100, 0, 0, 9, 9, 9, 9, 9}}
	s := c.scores(r)
	keep := 0.6 * 0.5 / (0.6*0.5 + 0.4*0.5)
	if math.Abs(float64(s.Keep(0))-keep) > 1e-6 || math.Abs(float64(s.Categories[0][1])-0.75) > 1e-6 || s.Tag(0) != label.Outside {
		t.Errorf("kept with %v, want %v; categories %v", s.Keep(0), keep, s.Categories[0])
	}
	if s.Keep(1) < 0.999 || s.Categories[1][0] != 0.5 {
		t.Errorf("a token that is surely in a category is kept with %v, categories %v", s.Keep(1), s.Categories[1])
	}
}

// tinyIDs are rows of the fixture's vocabulary.
func tinyIDs(lengths ...int) (rows [][]int32) {
	rng := rand.New(rand.NewPCG(7, 7))
	for _, n := range lengths {
		row := make([]int32, n)
		for i := range row {
			row[i] = rng.Int32N(771)
		}
		rows = append(rows, row)
	}
	return rows
}

// Rows come out the same in batches of any size, on one device and, on XLA, on all four; each in its place.
func TestBatchesOnBackends(t *testing.T) {
	onBackends(t, func(t *testing.T, b compute.Backend) {
		rows := tinyIDs(40, 64, 65, 3, 90, 1, 64, 20)
		const delta = 1e-5
		var want []Logits
		for _, o := range []Options{{BatchTokens: 1}, {BatchTokens: 512}, {BatchTokens: 128, Devices: b.NumDevices()}} {
			c, err := Open(fixture(t, "cprs_tiny/bf16"), b, &o)
			if err != nil {
				t.Fatal(err)
			}
			got, err := c.Logits(t.Context(), rows)
			if err != nil {
				t.Fatal(err)
			}
			if err := c.Close(); err != nil {
				t.Error(err)
			}
			if want == nil {
				want = got
			}
			for i := range rows {
				if len(got[i]) != len(rows[i]) {
					t.Fatalf("row %d has %d logits of %d", i, len(got[i]), len(rows[i]))
				}
				for k := range rows[i] {
					for tag := range want[i][k] {
						if d := math.Abs(float64(got[i][k][tag] - want[i][k][tag])); !(d <= delta) {
							t.Fatalf("%+v: row %d, token %d: off by %g", o, i, k, d)
						}
					}
				}
			}
		}
	})
}

// A row has the same logits, to the last bit, whatever rows are read with it.
func TestNeighbours(t *testing.T) {
	onBackends(t, func(t *testing.T, b compute.Backend) {
		c, err := Open(fixture(t, "cprs_tiny/f32"), b, &Options{BatchTokens: 512})
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		rows := tinyIDs(50, 64, 3, 60, 64, 17, 80, 33, 64, 9, 40, 96, 2)
		together, err := c.Logits(t.Context(), rows)
		if err != nil {
			t.Fatal(err)
		}
		for i, row := range rows {
			alone, err := c.Logits(t.Context(), rows[i:i+1])
			if err != nil {
				t.Fatal(err)
			}
			if !reflect.DeepEqual(alone[0], together[i]) {
				t.Errorf("row %d of %d ids differs", i, len(row))
			}
		}
	})
}

// A row of more tokens than a block of queries has the logits of plain loops.
func TestAttentionBlocks(t *testing.T) {
	row := tinyIDs(queryBlock + 40)[0]
	want := naive(t, fixture(t, "cprs_tiny/f32"), row)
	onBackends(t, func(t *testing.T, b compute.Backend) {
		c, err := Open(fixture(t, "cprs_tiny/f32"), b, nil)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		got, err := c.Logits(t.Context(), [][]int32{row})
		if err != nil {
			t.Fatal(err)
		}
		for k := range row {
			for tag := range 4 {
				if d := math.Abs(float64(got[0][k][tag]) - want[k][tag]); !(d <= 1e-4) {
					t.Fatalf("token %d: %v, want %v", k, got[0][k], want[k])
				}
			}
		}
	})
}

func TestZeroPadding(t *testing.T) {
	onBackends(t, func(t *testing.T, b compute.Backend) {
		nan := float32(math.NaN())
		out, err := gx.CallOnce(b, zeroPadding, [][][][]float32{{{{1, 2}}, {{nan, nan}}, {{3, nan}}}, {{{4, 5}}, {{6, 7}}, {{nan, 8}}}}, []int32{1, 2})
		if err != nil {
			t.Fatal(err)
		}
		if got, want := out.Value(), [][][][]float32{{{{1, 2}}, {{0, 0}}, {{0, 0}}}, {{{4, 5}}, {{6, 7}}, {{0, 0}}}}; !reflect.DeepEqual(got, want) {
			t.Errorf("%v, want %v", got, want)
		}
	})
}

// Words of the vocabulary come from the word head, and from the embeddings where they are tied.
func TestWordHead(t *testing.T) {
	onBackends(t, func(t *testing.T, b compute.Backend) {
		ckpt := fixture(t, "cprs_tiny/f32")
		c, err := Open(ckpt, b, &Options{Categories: true})
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		h := &prompt.Header{InRow: true, IDs: []int32{769, 4, 5}, Outside: 10, Categories: []prompt.Category{{Name: "fact", ID: 11}}}
		w := window.Window{Header: h, IDs: tinyIDs(20)[0]}
		got, err := c.Score(t.Context(), []window.Window{w})
		if err != nil {
			t.Fatal(err)
		}
		states := naiveStates(t, ckpt, slices.Concat(h.IDs, w.IDs))
		head := floats(t, ckpt, wordHead)
		logits := floats(t, ckpt, tagHead+".weight")
		bias := floats(t, ckpt, tagHead+".bias")
		for k := range w.IDs {
			x := states[3+k]
			tags, words := make([]float64, 4), [2]float64{dot(head[10*64:], x), dot(head[11*64:], x)}
			total := 0.0
			for i := range tags {
				tags[i] = math.Exp(dot(logits[64*i:], x) + float64(bias[i]))
				total += tags[i]
			}
			out, in := tags[2]/total, 1/(1+math.Exp(words[0]-words[1]))
			want := (1 - out) * in / ((1-out)*in + out*(1-in))
			if d := math.Abs(float64(got[0].Keep(k)) - want); !(d <= 1e-4) {
				t.Fatalf("token %d is kept with %v, want %v", k, got[0].Keep(k), want)
			}
		}
	})
}
