package latejoin

import (
	"context"
	"errors"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/cprs-go/cprs/core/critic"
	"github.com/cprs-go/cprs/core/label"
	"github.com/cprs-go/cprs/core/prompt"
	"github.com/cprs-go/cprs/core/span"
	"github.com/cprs-go/cprs/core/tokenizer"
	"github.com/cprs-go/cprs/core/unit"
	"github.com/cprs-go/cprs/core/window"
)

func onPrecisions(t *testing.T, f func(t *testing.T, m *Model)) {
	t.Run("f32", func(t *testing.T) { f(t, tinyModel(t, false)) })
	t.Run("int8", func(t *testing.T) { f(t, tinyModel(t, true)) })
}

func score(t testing.TB, c *Critic, ws []window.Window) []label.Scores {
	t.Helper()
	scores, err := c.Score(t.Context(), ws)
	if err != nil {
		t.Fatal(err)
	}
	return scores
}

func same(a, b label.Scores) bool {
	return a.Relevance == b.Relevance && slices.Equal(a.Probs, b.Probs)
}

// TestSameBytes scores windows in many ways and expects the scores of each window alone.
func TestSameBytes(t *testing.T) {
	onPrecisions(t, func(t *testing.T, m *Model) {
		r := rand.New(rand.NewPCG(5, 6))
		ws := randomWindows(r, 120)
		alone := New(m, &Options{Workers: 1, CacheBytes: -1})
		want := make([]label.Scores, len(ws))
		for i := range ws {
			want[i] = score(t, alone, ws[i:i+1])[0]
			if len(want[i].Probs) != len(ws[i].IDs) {
				t.Fatalf("window %d: %d ids have %d scores", i, len(ws[i].IDs), len(want[i].Probs))
			}
		}
		order := r.Perm(len(ws))
		for _, o := range []Options{{Workers: 1, CacheBytes: -1}, {Workers: 5, CacheBytes: -1}, {}, {Workers: 3, CacheBytes: 50_000}, {CacheBytes: 1}} {
			c := New(m, &o)
			for pass := range 3 { // the second and third may read the cache
				shuffled := make([]window.Window, len(ws))
				for i, k := range order {
					shuffled[i] = ws[k]
				}
				for i, got := range score(t, c, shuffled) {
					if !same(got, want[order[i]]) {
						t.Fatalf("%+v, pass %d: window %d differs from the same alone", o, pass, order[i])
					}
				}
			}
		}
	})
}

func TestScoresAreProbabilities(t *testing.T) {
	onPrecisions(t, func(t *testing.T, m *Model) {
		for i, s := range score(t, New(m, nil), randomWindows(rand.New(rand.NewPCG(7, 8)), 40)) {
			if !(s.Relevance > 0 && s.Relevance < 1) {
				t.Errorf("window %d: relevance %v", i, s.Relevance)
			}
			for j, p := range s.Probs {
				if sum := p[0] + p[1] + p[2] + p[3]; math.Abs(float64(sum)-1) > 1e-6 || min(p[0], p[1], p[2], p[3]) < 0 {
					t.Errorf("window %d, token %d: %v", i, j, p)
				}
			}
		}
	})
}

// TestHeaderMatters guards against a critic that forgets the question.
func TestHeaderMatters(t *testing.T) {
	c := New(tinyModel(t, false), nil)
	w := window.Window{Header: &prompt.Header{IDs: []int32{1, 20, 2}, Pool: []bool{true, true, true}}, Unit: unit.Line, IDs: []int32{20, 30, 8}}
	want := score(t, c, []window.Window{w})[0]
	for name, change := range map[string]func(w *window.Window, h *prompt.Header){
		"question": func(_ *window.Window, h *prompt.Header) { h.IDs = []int32{1, 21, 2} },
		"pool":     func(_ *window.Window, h *prompt.Header) { h.Pool = []bool{false, true, false} },
		"no pool":  func(_ *window.Window, h *prompt.Header) { h.Pool = make([]bool, 3) },
		"unit":     func(w *window.Window, _ *prompt.Header) { w.Unit = unit.Phrase },
		"frame":    func(w *window.Window, _ *prompt.Header) { w.Before = []int32{1} },
	} {
		other, h := w, *w.Header
		other.Header = &h
		change(&other, &h)
		if same(score(t, c, []window.Window{other})[0], want) {
			t.Errorf("another %s gives the same scores", name)
		}
	}
	// Two questions that differ in what counts as a match alone: 8 is in match_stop, 9 is not.
	q := &question{header: &prompt.Header{IDs: []int32{1, 8, 9, 2}, Pool: make([]bool, 4)}}
	(&worker{}).ask(c, q)
	if q.match[8] || !q.match[9] || q.match[1] || q.match[2] {
		t.Errorf("matches are %v", q.match)
	}
}

func TestScoreRefuses(t *testing.T) {
	c := New(tinyModel(t, false), nil)
	ids := func(n int) []int32 { return make([]int32, n) }
	h := &prompt.Header{IDs: ids(3), Pool: make([]bool, 3)}
	for name, test := range map[string]struct {
		w   window.Window
		err string
	}{
		"fits":               {window.Window{Header: h, Unit: unit.Line, Before: ids(1), IDs: ids(78), After: ids(1)}, ""},
		"one id too long":    {window.Window{Header: h, Unit: unit.Line, Before: ids(1), IDs: ids(79), After: ids(1)}, "window too long for the critic: 81 ids, it reads 80"},
		"no text":            {window.Window{Header: h, Unit: unit.Line, Before: ids(1), After: ids(1)}, ""},
		"nothing":            {window.Window{Header: h, Unit: unit.Line}, "0 ids"},
		"no header":          {window.Window{Unit: unit.Line, IDs: ids(1)}, "no header"},
		"empty header":       {window.Window{Header: &prompt.Header{}, Unit: unit.Line, IDs: ids(1)}, "header: 0 ids"},
		"header too long":    {window.Window{Header: &prompt.Header{IDs: ids(81), Pool: make([]bool, 81)}, Unit: unit.Line, IDs: ids(1)}, "header: 81 ids"},
		"pool marks":         {window.Window{Header: &prompt.Header{IDs: ids(3)}, Unit: unit.Line, IDs: ids(1)}, "0 pool marks"},
		"unit auto":          {window.Window{Header: h, IDs: ids(1)}, "unit auto"},
		"unknown id":         {window.Window{Header: h, Unit: unit.Line, IDs: []int32{100}}, "id 100"},
		"negative id":        {window.Window{Header: h, Unit: unit.Line, IDs: ids(1), After: []int32{-1}}, "id -1"},
		"unknown header id":  {window.Window{Header: &prompt.Header{IDs: []int32{100}, Pool: make([]bool, 1)}, Unit: unit.Line, IDs: ids(1)}, "header: id 100"},
		"document and bytes": {window.Window{Doc: 4, Range: span.Range{Start: 5, End: 6}, Unit: unit.Line}, "window 1, bytes 5 to 6 of document 4"},
	} {
		good := window.Window{Header: h, Unit: unit.Line, IDs: ids(5)}
		_, err := c.Score(t.Context(), []window.Window{good, test.w})
		if (err == nil) != (test.err == "") || err != nil && !strings.Contains(err.Error(), test.err) {
			t.Errorf("%s: got %v, want %q", name, err, test.err)
		}
		if want := name == "one id too long"; errors.Is(err, critic.ErrWindowTooLong) != want {
			t.Errorf("%s: ErrWindowTooLong is %v", name, !want)
		}
	}
	if scores, err := c.Score(t.Context(), nil); err != nil || len(scores) != 0 {
		t.Errorf("no windows: %v, %v", scores, err)
	}
}

func TestCancel(t *testing.T) {
	c := New(tinyModel(t, false), &Options{Workers: 1, CacheBytes: -1})
	ws := randomWindows(rand.New(rand.NewPCG(1, 9)), 50)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if s, err := c.Score(ctx, ws); !errors.Is(err, context.Canceled) || s != nil {
		t.Errorf("got %v, %v", s, err)
	}
	// While another call holds the only worker, a deadline still ends the wait.
	w := <-c.workers
	ctx, cancel = context.WithTimeout(t.Context(), time.Millisecond)
	defer cancel()
	if _, err := c.Score(ctx, ws); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v", err)
	}
	c.workers <- w
	score(t, c, ws)
}

func TestConcurrentCalls(t *testing.T) {
	onPrecisions(t, func(t *testing.T, m *Model) {
		c := New(m, &Options{Workers: 3, CacheBytes: 100_000})
		ws := randomWindows(rand.New(rand.NewPCG(2, 9)), 60)
		want := score(t, New(m, &Options{CacheBytes: -1}), ws)
		var wg sync.WaitGroup
		for k := range 6 {
			wg.Go(func() {
				scores, err := c.Score(t.Context(), ws[k*5:])
				for i := range scores {
					if !same(scores[i], want[k*5+i]) {
						t.Errorf("call %d: window %d differs", k, i)
					}
				}
				if err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
	})
}

func TestConfig(t *testing.T) {
	for _, c := range []struct{ old, new, err string }{
		{`"cprs_late_join"`, `"bert"`, `model_type is "bert"`},
		{`["B","I","O","E"]`, `["O","B","I","E"]`, "labels"},
		{`"paragraph","line"]`, `"line","paragraph"]`, "units"},
		{`"joint_layers":2`, `"joint_layers":0`, "joint_layers is 0"},
		{`"joint_layers":2`, `"joint_layers":1000`, "joint_layers is 1000"},
		{`"header_tokens":16`, `"header_tokens":81`, "header_tokens is 81, not in 3 to 80"},
		{`"window_tokens":64`, `"window_tokens":81`, "window_tokens is 81"},
		{`"title_tokens":4`, `"title_tokens":61`, "title_tokens is 61, not in 0 to 60"},
		{`"hidden_size":32`, `"hidden_size":33`, "does not divide"},
		{`"title_tokens":4`, `"title_tokens":4,"fusion":{"word":{"critic":1}}`, `fusion of "word"`},
		{`"title_tokens":4`, `"title_tokens":4,"fusion":{"line":{"critic":-1}}`, "fusion of grain line: a weight is negative"},
		{`"encoder":`, `"coder":`, "encoder: configuration: hidden_size is 0"},
		{`{`, ``, "reading the configuration"},
		{`"joint_layers":2`, `"joint_layers":3`, `missing: "joint.2.attention.self.query.weight"`},
		{`"joint_layers":2`, `"joint_layers":1`, `not part of the model: "joint.1.`},
		{`"vocab_size":100`, `"vocab_size":99`, "has shape [100 32], not [99 32]"},
	} {
		text := strings.Replace(tinyConfig, c.old, c.new, 1)
		_, err := Open(fromTensors(t, text, tinyTensors()), nil)
		if err == nil || !strings.Contains(err.Error(), c.err) || !strings.Contains(err.Error(), "tiny") {
			t.Errorf("%s: got %v, want %q", c.new, err, c.err)
		}
	}
}

// FuzzConfig reads any text as a configuration: an error, or lengths that fit each other.
func FuzzConfig(f *testing.F) {
	f.Add([]byte(tinyConfig))
	f.Add([]byte(strings.Replace(tinyConfig, "32", "64", 1)))
	f.Add([]byte(`{"model_type":"cprs_late_join"}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		c, err := ParseConfig(text)
		if e := c.Encoder; err == nil && (c.HeaderTokens > e.Positions || c.TitleTokens+4 > c.WindowTokens || c.WindowTokens > e.Positions || e.Hidden%e.Heads != 0) {
			t.Errorf("accepted %+v", c)
		}
	})
}

func TestIdentity(t *testing.T) {
	full, small := tinyModel(t, false), tinyModel(t, true)
	if full.ID() != "late-join-2+2x32-f32" || small.ID() != "late-join-2+2x32-int8" {
		t.Errorf("ids %s and %s", full.ID(), small.ID())
	}
	if len(full.Hash()) != 64 || full.Hash() == small.Hash() {
		t.Errorf("hashes %s and %s", full.Hash(), small.Hash())
	}
}

// vocabulary is a tokenizer of single letters.
type vocabulary map[string]int32

func (v vocabulary) Name() string   { return "letters" }
func (v vocabulary) VocabSize() int { return 100 }
func (v vocabulary) ID(token string) (int32, bool) {
	id, ok := v[token]
	return id, ok
}
func (v vocabulary) Encode(e *tokenizer.Encoding, text string) {
	for i := range len(text) {
		e.IDs = append(e.IDs, 10+int32(text[i]-'a'))
		e.Spans = append(e.Spans, span.Range{Start: i, End: i + 1})
	}
}

func TestLayout(t *testing.T) {
	m := tinyModel(t, false)
	l, err := m.Layout(vocabulary{"[CLS]": 1, "[SEP]": 2, ":": 3})
	if err != nil {
		t.Fatal(err)
	}
	h, err := l.Header("", "abc")
	if err != nil || !slices.Equal(h.IDs, []int32{1, 10, 11, 12, 2}) {
		t.Errorf("header %v, %v", h, err)
	}
	if before, after := l.Frame("abcdef"); !slices.Equal(before, []int32{1, 10, 11, 12, 13, 3}) || !slices.Equal(after, []int32{2}) {
		t.Errorf("frame %v, %v", before, after)
	}
	if l.WindowTokens() != 64 {
		t.Errorf("window of %d", l.WindowTokens())
	}
	if _, err := m.Layout(vocabulary{"[CLS]": 1, ":": 3}); err == nil || !strings.Contains(err.Error(), "[SEP]") {
		t.Errorf("without [SEP]: %v", err)
	}
	m.cfg.Encoder.Vocab = 99
	if _, err := m.Layout(vocabulary{}); err == nil || !strings.Contains(err.Error(), "100 tokens, the critic 99") {
		t.Errorf("another vocabulary: %v", err)
	}
}
