package embedded

import (
	"bytes"
	"cmp"
	"compress/gzip"
	"encoding/json"
	"flag"
	"io"
	"math"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/cprs-go/cprs/core/label"
	"github.com/cprs-go/cprs/core/model/checkpoint"
	"github.com/cprs-go/cprs/core/model/latejoin"
	"github.com/cprs-go/cprs/core/prompt"
	"github.com/cprs-go/cprs/core/unit"
	"github.com/cprs-go/cprs/core/window"
)

var rewrite = flag.Bool("rewrite", false, "write the scores of the critic in f32 anew; needs CPRS_CRITIC")

// TestGoldens compares the int8 critic with outputs of PyTorch in f32, made by core/train/pytorch/goldens.py of the critic that
// the embedded one was made from. Measured: probabilities off by up to 0.09, logits of relevance by 0.31.
func TestGoldens(t *testing.T) {
	text, err := os.ReadFile(filepath.Join("testdata", "goldens.json"))
	if err != nil {
		t.Fatal(err)
	}
	var goldens []struct {
		Unit       int
		HeaderIDs  []int32      `json:"header_ids"`
		Pool       []int        `json:"pool_mask"`
		ContextIDs []int32      `json:"context_ids"`
		Tags       [][4]float64 `json:"tag_logits"`
		Relevance  float64      `json:"relevance_logit"`
	}
	if err := json.Unmarshal(text, &goldens); err != nil {
		t.Fatal(err)
	}
	m, _, err := Load()
	if err != nil {
		t.Fatal(err)
	}
	c := latejoin.New(m, nil)
	for i, g := range goldens {
		h := &prompt.Header{IDs: g.HeaderIDs}
		for _, p := range g.Pool {
			h.Pool = append(h.Pool, p == 1)
		}
		u := []unit.Unit{unit.Phrase, unit.Sentence, unit.Paragraph, unit.Line}[g.Unit]
		scores, err := c.Score(t.Context(), []window.Window{{Header: h, Unit: u, IDs: g.ContextIDs}})
		if err != nil {
			t.Fatal(err)
		}
		r := float64(scores[0].Relevance)
		relevance := math.Abs(math.Log(r/(1-r)) - g.Relevance)
		var keep float64
		for j, logits := range g.Tags {
			var sum float64
			for _, v := range logits {
				sum += math.Exp(v - logits[label.Outside])
			}
			keep = max(keep, math.Abs(float64(scores[0].Keep(j))-(1-1/sum)))
		}
		if t.Logf("case %d: probabilities off by %.3f, relevance by %.2f", i, keep, relevance); keep > 0.1 || relevance > 0.4 {
			t.Errorf("more than 0.1 or 0.4")
		}
	}
}

// scoresFile holds questions on the texts in testdata, each with the score of every unit by the critic in f32.
const scoresFile = "testdata/f32_scores.json"

type sample struct {
	File, Query string
	Unit        unit.Unit
	Scores      []float64
}

// TestRanksLikeF32 holds the int8 critic to the ranking of the f32 one.
func TestRanksLikeF32(t *testing.T) {
	samples := []sample{
		{File: "manual.txt", Query: "How long is the warranty and what does it not cover?", Unit: unit.Sentence},
		{File: "manual.txt", Query: "What must I do before winter?", Unit: unit.Sentence},
		{File: "manual.txt", Query: "Keep the passages about safety.", Unit: unit.Paragraph},
		{File: "job.log", Query: "Why did the export fail?", Unit: unit.Line},
	}
	if *rewrite {
		for i, s := range samples {
			samples[i].Scores = unitScores(t, latejoin.New(f32(t), nil), s.text(t))
		}
		text, err := json.MarshalIndent(samples, "", " ")
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(scoresFile, append(text, '\n'), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	text, err := os.ReadFile(scoresFile)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(text, &samples); err != nil {
		t.Fatal(err)
	}
	m, _, err := Load()
	if err != nil {
		t.Fatal(err)
	}
	c := latejoin.New(m, nil)
	var all, want []float64
	for _, s := range samples {
		got := unitScores(t, c, s.text(t))
		if len(got) != len(s.Scores) {
			t.Fatalf("%s: %d units, f32 had %d; run with -rewrite", s.File, len(got), len(s.Scores))
		}
		t.Logf("%s: %d units, rank correlation %.4f", s.Query, len(got), rankCorrelation(got, s.Scores))
		all, want = append(all, got...), append(want, s.Scores...)
	}
	if r := rankCorrelation(all, want); r < 0.995 {
		t.Errorf("rank correlation %.4f, less than 0.995", r)
	} else {
		t.Logf("rank correlation %.4f", r)
	}
}

// f32 loads the critic that the embedded one was made from, from the folder that CPRS_CRITIC names. It is too large for the repository.
func f32(t *testing.T) *latejoin.Model {
	t.Helper()
	dir := os.Getenv("CPRS_CRITIC")
	if dir == "" {
		t.Skip("CPRS_CRITIC does not name the critic that the embedded one was made from")
	}
	ckpt, err := checkpoint.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer ckpt.Close()
	m, err := latejoin.Load(ckpt, "")
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// pair is the embedded critic and the one that it was made from; without that, the critic of ../shared in int8 and in f32.
func pair(t *testing.T) (small, full *latejoin.Critic) {
	t.Helper()
	if os.Getenv("CPRS_CRITIC") != "" {
		m, _, err := Load()
		if err != nil {
			t.Fatal(err)
		}
		return latejoin.New(m, nil), latejoin.New(f32(t), nil)
	}
	src, err := checkpoint.Open(shared(t, "critic"))
	if err != nil {
		t.Fatal(err)
	}
	defer src.Close()
	var weights bytes.Buffer
	if err := latejoin.Quantize(src, &weights); err != nil {
		t.Fatal(err)
	}
	ckpt, err := checkpoint.FromBytes("the int8 critic", src.Config(), weights.Bytes())
	if err != nil {
		t.Fatal(err)
	}
	m, err1 := latejoin.Load(ckpt, "")
	f, err2 := latejoin.Load(src, "")
	if err1 != nil || err2 != nil {
		t.Fatal(err1, err2)
	}
	return latejoin.New(m, nil), latejoin.New(f, nil)
}

// shared is a path in the folder shared beside the module.
func shared(t *testing.T, elem ...string) string {
	t.Helper()
	path := filepath.Join(append([]string{"..", "..", "..", "..", "shared"}, elem...)...)
	if _, err := os.Stat(path); err != nil {
		t.Skip(err)
	}
	return path
}

// question is what is asked of a text.
type question struct {
	title, text, query string
	unit               unit.Unit
}

func (s *sample) text(t *testing.T) question {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", s.File))
	if err != nil {
		t.Fatal(err)
	}
	return question{s.File, string(text), s.Query, s.Unit}
}

// mostWindows is how much of a text is read.
const mostWindows = 4

// unitScores are the mean keep probabilities of the units of a text.
func unitScores(t *testing.T, c *latejoin.Critic, q question) (out []float64) {
	t.Helper()
	_, tok, err := Load()
	if err != nil {
		t.Fatal(err)
	}
	l, err := c.Layout(tok)
	if err != nil {
		t.Fatal(err)
	}
	h, err := l.Header("", q.query)
	if err != nil {
		t.Fatal(err)
	}
	cut, err := window.Cut(window.Document{Title: q.title, Text: q.text, Unit: q.unit}, h, l, tok)
	if err != nil {
		t.Fatal(err)
	}
	var ws []window.Window
	for w := range cut {
		if ws = append(ws, w); len(ws) == mostWindows {
			break
		}
	}
	scores, err := c.Score(t.Context(), ws)
	if err != nil {
		t.Fatal(err)
	}
	for i := range ws {
		for _, u := range ws[i].Units {
			var sum float64
			for k := u.First; k < u.Last; k++ {
				sum += float64(scores[i].Keep(k))
			}
			if u.Last > u.First {
				out = append(out, sum/float64(u.Last-u.First))
			}
		}
	}
	return out
}

var devRecords = flag.Int("dev-records", 1, "how many records of each development set TestDevRanksLikeF32 reads")

// TestDevRanksLikeF32 does the same on real documents. Measured: 281 units, rank correlation 0.9979.
func TestDevRanksLikeF32(t *testing.T) {
	sets, err := filepath.Glob(filepath.Join(shared(t, "data", "dev"), "*.jsonl.gz"))
	if err != nil || len(sets) == 0 {
		t.Skip("no development sets")
	}
	small, full := pair(t)
	var all, want []float64
	for _, path := range sets {
		var got, ref []float64
		for _, q := range questions(t, path, *devRecords) {
			got, ref = append(got, unitScores(t, small, q)...), append(ref, unitScores(t, full, q)...)
		}
		t.Logf("%-32s %4d units, rank correlation %.4f", filepath.Base(path), len(got), rankCorrelation(got, ref))
		all, want = append(all, got...), append(want, ref...)
	}
	r := rankCorrelation(all, want)
	if t.Logf("all: %d units, rank correlation %.4f", len(all), r); r < 0.995 {
		t.Errorf("less than 0.995")
	}
}

// questions are one question on the first document of each of the first records of a development set.
func questions(t *testing.T, path string, most int) (qs []question) {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	text, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	for lines := json.NewDecoder(text); len(qs) < most; {
		var rec struct {
			Docs    []struct{ Title, Text string }
			Queries []struct{ Q, Level string }
		}
		if err := lines.Decode(&rec); err == io.EOF {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		q := rec.Queries[len(rec.Queries)/2]
		u := unit.Sentence
		if q.Level == "line" || q.Level == "turn" {
			u = unit.Line
		}
		qs = append(qs, question{rec.Docs[0].Title, rec.Docs[0].Text, q.Q, u})
	}
	return qs
}

// rankCorrelation is Spearman's, for values that are all different.
func rankCorrelation(a, b []float64) float64 {
	ra, rb := ranks(a), ranks(b)
	var d float64
	for i := range ra {
		d += float64((ra[i] - rb[i]) * (ra[i] - rb[i]))
	}
	n := float64(len(a))
	return 1 - 6*d/(n*(n*n-1))
}

func ranks(x []float64) []int {
	order, out := make([]int, len(x)), make([]int, len(x))
	for i := range order {
		order[i] = i
	}
	slices.SortFunc(order, func(i, j int) int { return cmp.Compare(x[i], x[j]) })
	for rank, i := range order {
		out[i] = rank
	}
	return out
}
