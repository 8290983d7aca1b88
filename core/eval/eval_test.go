package eval

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/cprs-go/cprs/core"
	"github.com/cprs-go/cprs/core/span"
	"github.com/cprs-go/cprs/core/tokenizer"
	"github.com/cprs-go/cprs/core/unit"
)

const sentence = core.UnitSentence

// wordTokens is a tokenizer of words parted by blanks, and of single ideographs.
type wordTokens struct{}

func (wordTokens) Name() string { return "words" }

func (wordTokens) Encode(e *tokenizer.Encoding, text string) {
	start := -1
	end := func(i int) {
		if start >= 0 {
			e.IDs = append(e.IDs, int32(i-start))
			e.Spans = append(e.Spans, span.Range{Start: start, End: i})
			start = -1
		}
	}
	for i, r := range text {
		if r >= 0x2E80 || unicode.IsSpace(r) {
			end(i)
		}
		if start < 0 && !unicode.IsSpace(r) {
			start = i
		}
		if r >= 0x2E80 {
			end(i + utf8.RuneLen(r))
		}
	}
	end(len(text))
}

func countWords(text string) int { return tokenizer.Count(wordTokens{}, text) }

func find(t *testing.T, text, piece string) span.Range {
	t.Helper()
	i := strings.Index(text, piece)
	if i < 0 {
		t.Fatalf("%q is not in %q", piece, text)
	}
	return span.Range{Start: i, End: i + len(piece)}
}

func sampleSet(t *testing.T) *Set {
	t.Helper()
	s, err := Load("testdata/sample.jsonl")
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// letters encodes a text as its counts of letters.
type letters struct{ calls int }

func (e *letters) Encode(_ context.Context, texts []string) ([][]float32, error) {
	e.calls++
	out := make([][]float32, len(texts))
	for i, text := range texts {
		out[i] = make([]float32, 26)
		for _, r := range strings.ToLower(text) {
			if r >= 'a' && r <= 'z' {
				out[i][r-'a']++
			}
		}
	}
	return out, nil
}

func baselines(t *testing.T) []Method {
	t.Helper()
	ms, err := Baselines(BaselineNames(), &letters{}, 1)
	if err != nil {
		t.Fatal(err)
	}
	return ms
}

func TestBaselines(t *testing.T) {
	ms := baselines(t)
	for i, name := range BaselineNames() {
		if ms[i].Name() != name {
			t.Errorf("%s is called %s", name, ms[i].Name())
		}
	}
	for _, bad := range []string{"", "minilm", "bm25+minilm", "gzip"} {
		if _, err := Baselines([]string{bad}, nil, 1); err == nil {
			t.Errorf("baseline %q without an encoder", bad)
		}
	}
}

func TestRun(t *testing.T) {
	report := func() *Report {
		r, err := Run(context.Background(), []*Set{sampleSet(t)}, Options{
			Methods: baselines(t), Tokenizer: wordTokens{}, Shares: []float64{0.1, 0.3, 1}, Seed: 3,
		})
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	r := report()
	if s := r.Sets[0]; s.Name != "sample" || s.Answerable != 6 || s.Unanswerable != 1 || len(s.Hash) != 64 {
		t.Errorf("set: %+v", s)
	}
	if r.Over != 0 {
		t.Errorf("a budget was passed by %d tokens", r.Over)
	}
	for _, m := range r.Methods {
		last := -1.0
		for _, share := range r.Shares {
			g := r.Find("", "", m, share, true)
			if g == nil || g.Questions != 6 {
				t.Fatalf("%s at %v: %+v", m, share, g)
			}
			recall := g.Metrics["recall"].Mean
			if recall < last && m != "random" && m != "oracle" {
				t.Errorf("%s: recall falls to %v at %v", m, recall, share)
			}
			last = recall
			if g.Metrics["kept"].Mean > share {
				t.Errorf("%s keeps %v of %v", m, g.Metrics["kept"].Mean, share)
			}
		}
		if last != 1 {
			t.Errorf("%s: recall %v of the whole text", m, last)
		}
	}
	oracle := r.Find("sample", "", "oracle", Threshold, true)
	if oracle.Metrics["recall"].Mean != 1 || oracle.Metrics["full"].Mean != 1 {
		t.Errorf("oracle at its threshold: %+v", oracle)
	}
	if none := r.Find("sample", "", "oracle", Threshold, false); none.Metrics["kept"].Mean != 0 || none.Metrics["refused"].Mean != 1 {
		t.Errorf("oracle without an answer: %+v", none)
	}
	if bm25, random := r.Find("", "", "bm25", 0.3, true), r.Find("", "", "random", 0.3, true); bm25.Metrics["recall"].Mean <= random.Metrics["recall"].Mean {
		t.Errorf("BM25 %+v is no better than random %+v", bm25.Metrics["recall"], random.Metrics["recall"])
	}
	var a, b bytes.Buffer
	for buf, r := range map[*bytes.Buffer]*Report{&a: r, &b: report()} {
		if err := r.JSON(buf); err != nil {
			t.Fatal(err)
		}
		if err := r.Markdown(buf); err != nil {
			t.Fatal(err)
		}
	}
	if a.String() != b.String() {
		t.Error("two runs differ")
	}
}

func TestRunRefuses(t *testing.T) {
	s := sampleSet(t)
	for _, tc := range []struct {
		sets   []*Set
		shares []float64
		want   string
	}{
		{[]*Set{s}, []float64{0}, "not in (0,1]"},
		{[]*Set{s}, []float64{1.5}, "not in (0,1]"},
		{[]*Set{s, s}, []float64{0.1}, "two sets are called sample"},
	} {
		_, err := Run(context.Background(), tc.sets, Options{Methods: baselines(t), Tokenizer: wordTokens{}, Shares: tc.shares})
		if err == nil || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("error %v, want %q", err, tc.want)
		}
	}
}

// constant is a compressor that likes the beginning of a text and refuses every question.
type constant struct{ requests []core.Request }

func (c *constant) Compress(_ context.Context, req core.Request) (*core.Result, error) {
	c.requests = append(c.requests, req)
	res := &core.Result{Status: core.NothingRelevant}
	for i, d := range req.Documents {
		for u := range unit.Split(d.Text, req.Unit) {
			res.Units = append(res.Units, core.Span{Doc: i, Start: u.Start, End: u.End, Score: 1 / float32(2+len(res.Units))})
		}
	}
	return res, nil
}

func TestCompressor(t *testing.T) {
	var c constant
	r, err := Run(context.Background(), []*Set{sampleSet(t)}, Options{
		Methods: []Method{Compressor("constant", &c), First()}, Tokenizer: wordTokens{}, Shares: []float64{0.25, 0.5},
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(c.requests) != 7 {
		t.Errorf("%d requests for 7 questions", len(c.requests))
	}
	if g := r.Find("", "", "constant", Threshold, false); g.Metrics["refused"].Mean != 1 {
		t.Errorf("refusal is not seen: %+v", g)
	}
	if len(r.Leads) != 2 || r.Leads[0].Over != "first" {
		t.Errorf("leads: %+v", r.Leads)
	}
	for spec, want := range map[string]string{
		"kept=0.5@0.5":              "",
		"kept=0.1@0.5":              "missed",
		"recall=0.99@0.5":           "missed",
		"recall=0@0.5":              "",
		"recall=0@0.2":              "not measured",
		"false_keep=0.05@threshold": "",
		"refused=1@threshold":       "",
	} {
		g, err := ParseGate(spec)
		if err != nil {
			t.Fatal(err)
		}
		if g.String() != spec {
			t.Errorf("gate %q prints as %q", spec, g)
		}
		err = g.Check(r)
		if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("gate %s: %v, want %q", spec, err, want)
		}
	}
	for _, bad := range []string{"", "recall", "recall=0.5", "recall=x@0.1", "recal=0.5@0.1", "recall=0.5@2", "recall=0.5@0", "false_keep=0.1@0.1"} {
		if _, err := ParseGate(bad); err == nil {
			t.Errorf("gate %q is taken", bad)
		}
	}
}

func TestPlot(t *testing.T) {
	r, err := Run(context.Background(), []*Set{sampleSet(t)}, Options{Methods: baselines(t), Tokenizer: wordTokens{}, Shares: []float64{0.1, 0.5}})
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"curve.svg", "curve.png"} {
		path := filepath.Join(t.TempDir(), name)
		if err := r.Plot(path); err != nil {
			t.Fatal(err)
		}
		if info, err := os.Stat(path); err != nil || info.Size() < 1000 {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := r.Plot(filepath.Join(t.TempDir(), "curve.txt")); err == nil {
		t.Error("a plot in a .txt file")
	}
}
