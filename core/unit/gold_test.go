package unit

import (
	"compress/gzip"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
)

// TestGoldBorders checks that sentences end where the annotators of other people's data saw them end. Spans of two sets follow pauses and
// commas instead (qmsum, doc2dial), hence the low marks.
func TestGoldBorders(t *testing.T) {
	for _, c := range []struct {
		name       string
		start, end float64 // least share of gold spans that start and end with a sentence, in per cent
	}{
		{"citation_integrity_test", 99, 99},
		{"covidqa", 99, 99},
		{"crossner", 99, 99},
		{"cuad_contracts", 99, 93}, // the others end inside sentences, after "P.R.C."
		{"doc2dial_studentaid", 80, 98},
		{"evidence_inference_val", 99, 99},
		{"qmsum_test", 75, 85},
		{"tatqa", 98, 99},
		{"wice_dev", 98, 97},
	} {
		t.Run(c.name, func(t *testing.T) {
			n, starts, ends := 0.0, 0.0, 0.0
			for _, d := range readGold(t, c.name) {
				for i, doc := range d.Docs {
					first, last := sentenceEnds(doc.Text)
					for s := range d.spans(i) {
						n++
						starts += first[s[1]]
						ends += last[s[2]]
					}
				}
			}
			starts, ends = 100*starts/n, 100*ends/n
			t.Logf("%.0f spans: %.1f %% start and %.1f %% end with a sentence", n, starts, ends)
			if starts < c.start || ends < c.end {
				t.Errorf("want at least %g %% and %g %%", c.start, c.end)
			}
		})
	}
}

// sentenceEnds maps the positions where sentences start, with and without a speaker's label, and end to 1.
func sentenceEnds(text string) (first, last map[int]float64) {
	first, last = map[int]float64{}, map[int]float64{}
	for r := range Split(text, Sentence) {
		r = Trim(text, r)
		first[r.Start], last[r.End] = 1, 1
		if n := labelLen(text[r.Start:min(r.End, r.Start+kindBytes)]); n > 0 {
			first[skipSpace(text, r.Start+n, len(text))] = 1
		}
	}
	return first, last
}

// goldRecord is a line of the development data.
type goldRecord struct {
	Docs    []struct{ Text string }
	Queries []struct {
		Spans [][3]int // document, start, end
		Level string
	}
}

// spans holds the sentence spans of document doc.
func (d goldRecord) spans(doc int) map[[3]int]bool {
	m := map[[3]int]bool{}
	for _, q := range d.Queries {
		for _, s := range q.Spans {
			if q.Level == "sentence" && s[0] == doc {
				m[s] = true
			}
		}
	}
	return m
}

func readGold(t *testing.T, name string) (records []goldRecord) {
	t.Helper()
	f, err := os.Open(filepath.Join("..", "..", "..", "shared", "data", "dev", name+".jsonl.gz"))
	if errors.Is(err, fs.ErrNotExist) {
		t.Skip("no development data beside the module")
	}
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	for d := json.NewDecoder(z); ; {
		var r goldRecord
		if err := d.Decode(&r); err == io.EOF {
			return records
		} else if err != nil {
			t.Fatal(err)
		}
		records = append(records, r)
	}
}
