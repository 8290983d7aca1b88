package train

import (
	"errors"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/cprs-go/cprs/core"
	"github.com/cprs-go/cprs/core/eval"
)

func samplerOf(t *testing.T, change func(*Options)) *sampler {
	t.Helper()
	opt := quick(t, "")
	if change != nil {
		change(&opt)
	}
	start, err := openStart(tiny, 1)
	if err != nil {
		t.Fatal(err)
	}
	s, err := newSampler(opt.Recipe, opt.Data, start.cfg, start.tok, &opt)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// TestBatches holds the shape of batches, that a batch depends on its number and the seed only, and that little of it is empty.
func TestBatches(t *testing.T) {
	a, b, other := samplerOf(t, nil), samplerOf(t, nil), samplerOf(t, func(o *Options) { o.Seed = 2 })
	filled, relevant, pairs := 0, 0, 0
	for i := 29; i >= 0; i-- {
		x, err := a.batch(i)
		if err != nil {
			t.Fatal(err)
		}
		checkBatch(t, x)
		for p, counts := range x.pairCounts {
			pairs += int(counts)
			relevant += int(x.relevant[p])
		}
		for _, n := range x.windowLengths {
			if n > 1 {
				filled++
			}
		}
		if i > 2 {
			continue
		}
		for range 2 {
			y, err := b.batch(i)
			if err != nil || !reflect.DeepEqual(x, y) {
				t.Fatalf("batch %d is not the same again: %v", i, err)
			}
		}
		if z, err := other.batch(i); err != nil || reflect.DeepEqual(x, z) {
			t.Errorf("batch %d is the same with another seed: %v", i, err)
		}
	}
	if share := float64(relevant) / float64(pairs); share < 0.2 || share > 0.8 {
		t.Errorf("%.2f of %d pairs hold evidence", share, pairs)
	}
	if filled == 0 {
		t.Error("no windows")
	}
}

// checkBatch holds that every pair points at rows that are there.
func checkBatch(t *testing.T, b *batch) {
	t.Helper()
	for p, counts := range b.pairCounts {
		w, h := b.pairWindow[p], b.pairHeader[p]
		if w < 0 || int(w) >= b.windows || h < 0 || int(h) >= b.headers {
			t.Fatalf("pair %d is of window %d and header %d in a batch of %v", p, w, h, b.shape)
		}
		for i := range b.windowTokens {
			at := p*b.windowTokens + i
			if b.counts[at] != 0 && (counts == 0 || i >= int(b.windowLengths[w])) {
				t.Fatalf("pair %d counts at position %d of a window of %d", p, i, b.windowLengths[w])
			}
		}
	}
}

// TestManyQuestions holds that a batch is filled, and not more than that, whatever the recipe asks for.
func TestManyQuestions(t *testing.T) {
	for _, questions := range []int{1, 3, 64} {
		for _, windows := range []int{1, 64} {
			s := samplerOf(t, func(o *Options) { o.Recipe.Questions, o.Recipe.Windows, o.BatchTokens = questions, windows, 512 })
			for i := range 10 {
				b, err := s.batch(i)
				if err != nil {
					t.Fatal(err)
				}
				checkBatch(t, b)
			}
		}
	}
}

// TestAbsent holds that with nothing but questions without an answer no evidence is in any batch.
func TestAbsent(t *testing.T) {
	s := samplerOf(t, func(o *Options) { o.Recipe.Unanswerable, o.Recipe.Questions = 1, 1 })
	for i := range 20 {
		b, err := s.batch(i)
		if err != nil {
			t.Fatal(err)
		}
		for p, r := range b.relevant {
			if r != 0 {
				t.Fatalf("batch %d: pair %d holds evidence", i, p)
			}
		}
	}
}

func TestGenerators(t *testing.T) {
	s := samplerOf(t, func(o *Options) {
		o.Data, o.Recipe.Sources = nil, []SourceRecipe{{Name: "synth:keyvalue", Weight: 1}}
	})
	b, err := s.batch(0)
	if err != nil {
		t.Fatal(err)
	}
	checkBatch(t, b)
}

// TestCap holds that a record with many questions is not drawn more often than the cap says.
func TestCap(t *testing.T) {
	set := &eval.Set{Records: []eval.Record{{ID: "few", Docs: []eval.Doc{{Text: "x"}}}, {ID: "many", Docs: []eval.Doc{{Text: "x"}}}}}
	add := func(i, n int) {
		for range n {
			set.Records[i].Queries = append(set.Records[i].Queries, eval.Query{Text: "q", Spans: []eval.Span{{0, 0, 1}}})
		}
	}
	add(0, 4)
	add(1, 400)
	s := newSource(SourceRecipe{Weight: 1}, set)
	if got := s.with.total; math.Abs(got-8) > 1e-6 {
		t.Errorf("total weight %v, want 4 for each record", got)
	}
}

func TestRecipeRefused(t *testing.T) {
	for name, text := range map[string]string{
		"no JSON":       `{`,
		"unknown field": `{"windows": 1, "questions": 1, "colour": 3}`,
		"share":         `{"windows": 1, "questions": 1, "unanswerable": 1.5}`,
		"no windows":    `{"windows": 0, "questions": 1}`,
		"many windows":  `{"windows": 65, "questions": 1}`,
		"twice":         `{"windows": 1, "questions": 1, "sources": [{"name": "a", "weight": 1}, {"name": "a", "weight": 1}]}`,
		"weight":        `{"windows": 1, "questions": 1, "sources": [{"name": "a", "weight": -1}]}`,
		"masked":        `{"windows": 1, "questions": 1, "sources": [{"name": "a", "weight": 1, "outside_masked": 2}]}`,
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "recipe.json")
			if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
				t.Fatal(err)
			}
			_, err := LoadRecipe(path)
			wantFault(t, err, "recipe.json is an example")
		})
	}
	_, err := LoadRecipe(filepath.Join(t.TempDir(), "none"))
	wantFault(t, err, "--recipe")
	opt := quick(t, t.TempDir())
	opt.Recipe.Sources = []SourceRecipe{{Name: "synth:poems", Weight: 1}}
	wantFault(t, Run(t.Context(), opt), "synth:")
}

// TestWrongOffsets holds that a wrong span is refused by file and line.
func TestWrongOffsets(t *testing.T) {
	good := `{"id":"a","docs":[{"text":"Größe"}],"queries":[{"q":"?","spans":[[0,0,7]]}]}`
	for name, spans := range map[string]string{"beyond": "[[0,0,8]]", "inside a character": "[[0,0,3]]", "empty": "[[0,2,2]]", "document": "[[1,0,2]]"} {
		path := filepath.Join(t.TempDir(), "mine.jsonl")
		bad := strings.Replace(good, "[[0,0,7]]", spans, 1)
		if err := os.WriteFile(path, []byte(good+"\n\n"+bad+"\n"), 0o644); err != nil {
			t.Fatal(err)
		}
		_, err := LoadData([]string{path})
		var fault *core.Error
		if !errors.As(err, &fault) || fault.Code != core.CodeUnreadable || !strings.Contains(err.Error(), "mine.jsonl: line 3") {
			t.Errorf("%s: %v", name, err)
		}
	}
}
