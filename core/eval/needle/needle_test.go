package needle

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/cprs-go/cprs/core/eval"
	"github.com/cprs-go/cprs/core/span"
	"github.com/cprs-go/cprs/core/tokenizer"
)

// words is a tokenizer of words parted by blanks.
type words struct{}

func (words) Name() string { return "words" }

func (words) Encode(e *tokenizer.Encoding, text string) {
	for i := 0; i < len(text); {
		end := i
		for end < len(text) && text[end] != ' ' && text[end] != '\n' {
			end++
		}
		if end > i {
			e.IDs = append(e.IDs, 0)
			e.Spans = append(e.Spans, span.Range{Start: i, End: end})
		}
		i = end + 1
	}
}

var haystack = []string{
	"The tide comes in twice a day. Fishermen know its hours by heart. On some days it brings wood, on others only weed",
	"A path leads up to the cliff. Nobody takes it in winter.\n\nIn spring the goats do.",
}

// TestGenerate: evidence is where its span says, the text is as long as asked for, needles stand at their depth, and
// what is absent is absent.
func TestGenerate(t *testing.T) {
	for _, kind := range Kinds() {
		for _, tokens := range []int{minTokens, 5000} {
			for _, depth := range []float64{0, 0.25, 0.5, 1} {
				for _, hay := range [][]string{nil, haystack} {
					t.Run(fmt.Sprintf("%s/%d/%g/%d", kind, tokens, depth, len(hay)), func(t *testing.T) {
						checkCase(t, kind, Options{Tokenizer: words{}, Tokens: tokens, Depth: depth, Seed: 9, Haystack: hay})
					})
				}
			}
		}
	}
}

func checkCase(t *testing.T, kind Kind, opt Options) {
	t.Helper()
	r, err := Generate(kind, opt)
	if err != nil {
		t.Fatal(err)
	}
	text, q := r.Docs[0].Text, r.Queries[0]
	if n := tokenizer.Count(words{}, text); math.Abs(float64(n-opt.Tokens)) > 0.02*float64(opt.Tokens) {
		t.Errorf("%d tokens of %d", n, opt.Tokens)
	}
	if want := map[Kind]int{MultiValue: 4, Chain: 5, Absent: 0}; len(q.Spans) != len(q.Answers) {
		t.Errorf("%d spans, %d answers", len(q.Spans), len(q.Answers))
	} else if n, ok := want[kind]; ok && len(q.Spans) != n || !ok && len(q.Spans) != 1 {
		t.Errorf("%d spans", len(q.Spans))
	}
	for i, s := range q.Spans {
		piece := text[s[1]:s[2]]
		if !strings.Contains(piece, q.Answers[i]) || piece != strings.TrimSpace(piece) {
			t.Errorf("span %v is %q, answer %q", s, piece, q.Answers[i])
		}
		if strings.Count(text, piece) != 1 {
			t.Errorf("%q stands %d times in the text", piece, strings.Count(text, piece))
		}
	}
	if len(q.Spans) == 1 {
		if at := float64(q.Spans[0][1]) / float64(len(text)); math.Abs(at-opt.Depth) > 0.05 {
			t.Errorf("the needle stands at %.3f", at)
		}
	}
	if kind == Absent {
		name := strings.Fields(q.Text)[7]
		if strings.Contains(text, name) {
			t.Errorf("%q is in the text", name)
		}
		if strings.Count(text, "The door code of the ") != 4 {
			t.Error("the questions that are not asked lost their answers")
		}
	}
	line, err := json.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := eval.Read(bytes.NewReader(line)); err != nil {
		t.Errorf("the record is refused: %v", err)
	}
	again, err := Generate(kind, opt)
	if err != nil || again.Docs[0].Text != text || again.Queries[0].Text != q.Text {
		t.Errorf("the same options give another case (%v)", err)
	}
	opt.Seed++
	if other, err := Generate(kind, opt); err != nil || other.Docs[0].Text == text {
		t.Errorf("another seed gives the same text (%v)", err)
	}
}

func TestGenerateRefuses(t *testing.T) {
	ok := Options{Tokenizer: words{}, Tokens: minTokens, Depth: 0.5}
	short, deep := ok, ok
	short.Tokens--
	deep.Depth = 1.1
	for _, tc := range []struct {
		kind Kind
		opt  Options
	}{{Single, short}, {Single, deep}, {"riddle", ok}} {
		if _, err := Generate(tc.kind, tc.opt); err == nil {
			t.Errorf("%s with %+v is made", tc.kind, tc.opt)
		}
	}
}

func TestRun(t *testing.T) {
	grid := Grid{Kinds: Kinds(), Lengths: []int{2048, 4000}, Depths: 3, Share: 0.1, Options: Options{Tokenizer: words{}, Seed: 1}}
	r, err := Run(context.Background(), eval.Ranked(eval.BM25()), grid)
	if err != nil {
		t.Fatal(err)
	}
	if len(r.Kinds) != 6 || len(r.Cells) != 6*2*3 {
		t.Fatalf("%d kinds, %d cells", len(r.Kinds), len(r.Cells))
	}
	for _, c := range r.Cells {
		if (c.Kind == Single || c.Kind == KeyValue || c.Kind == Log) && c.Score != 1 {
			t.Errorf("BM25 loses %+v", c)
		}
	}
	oracle, err := Run(context.Background(), eval.Oracle(1), grid)
	if err != nil {
		t.Fatal(err)
	}
	if len(oracle.Cells) != 7*2*3 {
		t.Fatalf("%d cells", len(oracle.Cells))
	}
	for _, c := range oracle.Cells {
		if c.Score != 1 {
			t.Errorf("the oracle loses %+v", c)
		}
	}
	var md bytes.Buffer
	if err := oracle.Markdown(&md); err != nil {
		t.Fatal(err)
	}
	if want := "| kind | 2K | 4K |\n|---|---|---|\n| single | 100.0 (100.0) | 100.0 (100.0) |\n"; !strings.Contains(md.String(), want) {
		t.Errorf("table:\n%s", md.String())
	}
	for _, r := range []*Report{r, oracle} {
		for _, name := range []string{"map.svg", "map.png"} {
			path := filepath.Join(t.TempDir(), name)
			if err := r.Plot(path); err != nil {
				t.Fatal(err)
			}
			if info, err := os.Stat(path); err != nil || info.Size() < 1000 {
				t.Errorf("%s: %v", name, err)
			}
		}
	}
}

func TestLoadHaystack(t *testing.T) {
	path := filepath.Join(t.TempDir(), "hay.txt")
	write := func(text string) {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("One.\n\f\nTwo.\fStill two.\n\f\n\n")
	texts, err := LoadHaystack(path)
	if err != nil || len(texts) != 2 || texts[1] != "Two.\fStill two." {
		t.Errorf("texts %q, error %v", texts, err)
	}
	write(" \n")
	if _, err := LoadHaystack(path); err == nil {
		t.Error("an empty haystack is taken")
	}
	if _, err := LoadHaystack(path + ".gz"); err == nil {
		t.Error("a missing haystack is taken")
	}
}
