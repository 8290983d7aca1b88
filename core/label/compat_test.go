package label

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/cprs-go/cprs/core/span"
)

func readGolden(t testing.TB, name string, into any) {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(data, into); err != nil {
		t.Fatal(err)
	}
}

func parse(t testing.TB, text string) []Tag {
	t.Helper()
	tags, err := ParseTags(text)
	if err != nil {
		t.Fatal(err)
	}
	return tags
}

func TestFillCompatGoldens(t *testing.T) {
	var golden struct {
		Cases [][2]string `json:"cases"` // tags before and after the released code filled them
	}
	readGolden(t, "tag_fill.json", &golden)
	if len(golden.Cases) != 167 {
		t.Fatalf("%d cases, want 167", len(golden.Cases))
	}
	for _, c := range golden.Cases {
		tags := parse(t, c[0])
		FillCompat(tags)
		if got := FormatTags(tags); got != c[1] {
			t.Errorf("%s:\n got %s\nwant %s", c[0], got, c[1])
		}
	}
}

// spansGolden is what the released code made of tags, before and after its clean-up. An item is a text or, with ReturnOffset,
// [text, start, end].
type spansGolden struct {
	Kept  [][2]any `json:"clean_preds_kept"` // text, whether the clean-up keeps it
	Cases []struct {
		Tags             string   `json:"tags"`
		Offsets          [][2]int `json:"offsets"`
		Context          string   `json:"context"`
		MinKeywordLen    int      `json:"min_keyword_len"`
		CompleteSentence bool     `json:"complete_sentence"`
		ReturnOffset     bool     `json:"return_offset"`
		Raw              []any    `json:"raw"`
		Cleaned          []any    `json:"cleaned"`
	} `json:"cases"`
}

func TestSpansCompatGoldens(t *testing.T) {
	var golden spansGolden
	readGolden(t, "spans.json", &golden)
	if len(golden.Cases) != 90 {
		t.Fatalf("%d cases, want 90", len(golden.Cases))
	}
	for i, c := range golden.Cases {
		var offsets []span.Range
		for _, o := range c.Offsets {
			offsets = append(offsets, span.Range{Start: o[0], End: o[1]})
		}
		raw := SpansCompat(parse(t, c.Tags), offsets, c.Context, CompatOptions{c.MinKeywordLen, c.CompleteSentence})
		for _, step := range []struct {
			name string
			got  []CompatSpan
			want []any
		}{{"raw", raw, c.Raw}, {"cleaned", CleanCompat(raw), c.Cleaned}} {
			if !sameItems(step.got, step.want, c.ReturnOffset) {
				t.Errorf("case %d, %s:\n got %v\nwant %v", i, step.name, step.got, step.want)
			}
		}
	}
}

func sameItems(got []CompatSpan, want []any, offsets bool) bool {
	return slices.EqualFunc(got, want, func(g CompatSpan, w any) bool {
		if !offsets {
			return g.Text == w
		}
		item, ok := w.([]any)
		return ok && len(item) == 3 && g.Text == item[0] && float64(g.Start) == item[1] && float64(g.End) == item[2]
	})
}

func TestCleanCompatGoldens(t *testing.T) {
	var golden spansGolden
	readGolden(t, "spans.json", &golden)
	if len(golden.Kept) == 0 {
		t.Fatal("no cases")
	}
	for _, c := range golden.Kept {
		if kept := len(CleanCompat([]CompatSpan{{Text: c[0].(string)}})) == 1; kept != c[1] {
			t.Errorf("%q: kept %v, want %v", c[0], kept, c[1])
		}
	}
}

// FuzzSpansCompat: no tags, offsets or text make the compat decoder panic, and its spans lie in the text.
func FuzzSpansCompat(f *testing.F) {
	f.Add([]byte("\x00\x01\x02\x03"), []byte("\x00\x01\x02\x05"), "ab。 cd", true)
	f.Add([]byte{0}, []byte{255}, "", true)
	f.Fuzz(func(t *testing.T, tags, starts []byte, context string, complete bool) {
		var offsets []span.Range
		for _, s := range starts {
			offsets = append(offsets, span.Range{Start: int(s) - 10, End: int(s) - 9})
		}
		read := tagsOf(tags)
		FillCompat(read)
		for _, s := range SpansCompat(read, offsets, context, CompatOptions{CompleteSentence: complete}) {
			if n := len([]rune(context)); s.Start < 0 || s.Start > n || s.End < 0 || s.End > n {
				t.Fatalf("span %v of %d code points", s, n)
			}
		}
	})
}
