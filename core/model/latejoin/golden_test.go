package latejoin

import (
	"bytes"
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/cprs-go/cprs/core/kernel"
	"github.com/cprs-go/cprs/core/model/checkpoint"
	"github.com/cprs-go/cprs/core/prompt"
	"github.com/cprs-go/cprs/core/unit"
	"github.com/cprs-go/cprs/core/window"
)

// golden is an input with the outputs of the PyTorch program that trained the critic.
type golden struct {
	Unit       int                  `json:"unit"`
	Title      string               `json:"title"`
	HeaderIDs  []int32              `json:"header_ids"`
	Pool       []int                `json:"pool_mask"`
	ContextIDs []int32              `json:"context_ids"`
	HQ         map[string][]float32 `json:"hq_rows"`
	HC         map[string][]float32 `json:"hc_rows"`
	Similarity []float32            `json:"similarity"`
	Tags       [][4]float32         `json:"tag_logits"`
	Relevance  float32              `json:"relevance_logit"`
}

func goldens(t testing.TB) []golden {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", "goldens.json"))
	if err != nil {
		t.Fatal(err)
	}
	var gs []golden
	if err := json.Unmarshal(text, &gs); err != nil {
		t.Fatal(err)
	}
	return gs
}

// window makes the window of a golden, with all ids as its own.
func (g *golden) window() window.Window {
	h := &prompt.Header{IDs: g.HeaderIDs}
	for _, p := range g.Pool {
		h.Pool = append(h.Pool, p == 1)
	}
	u := []unit.Unit{unit.Phrase, unit.Sentence, unit.Paragraph, unit.Line}[g.Unit]
	return window.Window{Header: h, Unit: u, IDs: g.ContextIDs}
}

// shared is a path in the folder shared beside the module.
func shared(t testing.TB, elem ...string) string {
	t.Helper()
	path := filepath.Join(append([]string{"..", "..", "..", "..", "shared"}, elem...)...)
	if _, err := os.Stat(path); err != nil {
		t.Skip(err)
	}
	return path
}

// openF32 opens the critic in f32, where it is at hand.
func openF32(t testing.TB, opts *Options) *Critic {
	t.Helper()
	ckpt, err := checkpoint.Open(shared(t, "critic"))
	if err != nil {
		t.Fatal(err)
	}
	defer ckpt.Close()
	c, err := Open(ckpt, opts)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// openInt8 quantises it.
func openInt8(t testing.TB, opts *Options) *Critic {
	t.Helper()
	ckpt, err := checkpoint.Open(shared(t, "critic"))
	if err != nil {
		t.Fatal(err)
	}
	defer ckpt.Close()
	var b bytes.Buffer
	if err := Quantize(ckpt, &b); err != nil {
		t.Fatal(err)
	}
	q, err := checkpoint.FromBytes("int8", ckpt.Config(), b.Bytes())
	if err != nil {
		t.Fatal(err)
	}
	c, err := Open(q, opts)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// worst are the largest differences from a golden.
type worst struct{ states, similarity, tags, relevance float64 }

func compare(t testing.TB, c *Critic, g *golden) (d worst) {
	t.Helper()
	win := g.window()
	scores, err := c.Score(t.Context(), []window.Window{win})
	if err != nil {
		t.Fatal(err)
	}
	w, h := &worker{}, c.cfg.Encoder.Hidden
	raise := func(most *float64, got, want float32) { *most = max(*most, math.Abs(float64(got-want))) }
	rows := func(ids []int32, want map[string][]float32) {
		w.read(c, [][]int32{ids}, 0)
		x := make([]float32, len(ids)*h)
		w.states[0].copyTo(x)
		for row, values := range want {
			r, _ := strconv.Atoi(row)
			for i, v := range values {
				raise(&d.states, x[r*h+i], v)
			}
		}
	}
	rows(g.HeaderIDs, g.HQ)
	rows(g.ContextIDs, g.HC)
	q := &question{header: win.Header}
	w.ask(c, q)
	w.rows = [][]int32{g.ContextIDs}
	w.read(c, w.rows, 0)
	w.join(c.Model, q, []window.Window{win})
	for i, v := range g.Similarity {
		raise(&d.similarity, w.similar[i], v)
	}
	raise(&d.relevance, logit(scores[0].Relevance), g.Relevance)
	for i, want := range g.Tags {
		p := scores[0].Probs[i]
		for k := range want { // logits but for a constant
			raise(&d.tags, float32(math.Log(float64(p[k])/float64(p[2]))), want[k]-want[2])
		}
	}
	return d
}

func logit(p float32) float32 { return float32(math.Log(float64(p) / (1 - float64(p)))) }

func TestGoldensF32(t *testing.T) {
	best := kernel.Level()
	defer kernel.SetLevel(best)
	for _, level := range kernel.Levels() {
		kernel.SetLevel(level)
		c := openF32(t, nil)
		for i, g := range goldens(t) {
			if level != best && len(g.ContextIDs) > 100 {
				continue // the plain Go kernels take their time
			}
			d := compare(t, c, &g)
			t.Logf("%s, case %d: off by %.2g", level, i, d)
			if d.states > 1e-3 || d.similarity > 1e-3 || d.tags > 1e-3 || d.relevance > 1e-3 {
				t.Errorf("more than 1e-3")
			}
		}
	}
}
