package eval

import (
	"compress/gzip"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestReadRefuses(t *testing.T) {
	good := `{"id":"a","docs":[{"text":"né."}],"queries":[{"q":"x","spans":[[0,0,3]]}]}` + "\n"
	if _, err := Read(strings.NewReader(good)); err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct{ line, want string }{
		{`{`, "unexpected end"},
		{`{"id":"a","queries":[]}`, "no documents"},
		{`{"id":"a","docs":[{"text":"né."}],"queries":[{"q":" "}]}`, "empty question"},
		{`{"id":"a","docs":[{"text":"né."}],"queries":[{"q":"x","spans":[[1,0,1]]}]}`, "there are 1 documents"},
		{`{"id":"a","docs":[{"text":"né."}],"queries":[{"q":"x","spans":[[0,0,2]]}]}`, "no range of characters"},
		{`{"id":"a","docs":[{"text":"né."}],"queries":[{"q":"x","spans":[[0,2,3]]}]}`, "no range of characters"},
		{`{"id":"a","docs":[{"text":"né."}],"queries":[{"q":"x","spans":[[0,0,5]]}]}`, "no range of characters"},
		{`{"id":"a","docs":[{"text":"né."}],"queries":[{"q":"x","spans":[[0,1,1]]}]}`, "no range of characters"},
		{`{"id":"a","docs":[{"text":"né."}],"queries":[{"q":"x","spans":[[0,-1,1]]}]}`, "no range of characters"},
	} {
		_, err := Read(strings.NewReader(good + tc.line))
		if err == nil || !strings.Contains(err.Error(), "line 2") || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%s: error %v, want line 2 and %q", tc.line, err, tc.want)
		}
	}
}

func TestLoadGzip(t *testing.T) {
	plain, err := os.ReadFile("testdata/sample.jsonl")
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "packed.jsonl.gz")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	zw := gzip.NewWriter(f)
	zw.Write(plain)
	zw.Close()
	f.Close()
	s, err := Load(path)
	if err != nil {
		t.Fatal(err)
	}
	if s.Name != "packed" || len(s.Records) != 3 || s.Hash == sampleSet(t).Hash {
		t.Errorf("set %s of %d records, hash %s", s.Name, len(s.Records), s.Hash)
	}
	if err := os.WriteFile(path, plain, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Load(path); err == nil {
		t.Error("a file that is no gzip is read")
	}
}

func TestSample(t *testing.T) {
	s := sampleSet(t)
	draw := func(n int, seed uint64) (ids []string, answerable int) {
		for _, task := range sample(s, n, seed) {
			for _, q := range task.queries {
				ids = append(ids, task.record.ID+" "+q.Text+" "+q.Level)
				if len(q.Spans) > 0 {
					answerable++
				}
			}
		}
		return ids, answerable
	}
	for _, tc := range []struct{ n, answerable, all int }{{0, 6, 7}, {1, 1, 2}, {3, 3, 4}, {100, 6, 7}} {
		ids, answerable := draw(tc.n, 5)
		if answerable != tc.answerable || len(ids) != tc.all {
			t.Errorf("%d a set: drew %d with an answer of %d, want %d of %d", tc.n, answerable, len(ids), tc.answerable, tc.all)
		}
		again, _ := draw(tc.n, 5)
		if strings.Join(ids, "|") != strings.Join(again, "|") {
			t.Errorf("the same seed draws %v, then %v", ids, again)
		}
		seen := map[string]bool{}
		for _, id := range ids {
			question := id[:strings.LastIndex(id, " ")]
			if seen[question] {
				t.Errorf("%q is drawn at two levels", question)
			}
			seen[question] = true
		}
	}
	levels := map[string]bool{}
	for seed := range uint64(20) {
		ids, _ := draw(0, seed)
		levels[ids[0][strings.LastIndex(ids[0], " ")+1:]] = true
	}
	if len(levels) != 2 {
		t.Errorf("20 seeds draw the levels %v of a question at two levels", levels)
	}
}

// FuzzRead: whatever the bytes, evidence that is read lies in its document.
func FuzzRead(f *testing.F) {
	sample, err := os.ReadFile("testdata/sample.jsonl")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(string(sample))
	f.Add(`{"id":"a","docs":[{"text":"né."}],"queries":[{"q":"x","spans":[[0,0,3]]}]}`)
	f.Add("\n{\n")
	f.Fuzz(func(t *testing.T, data string) {
		records, err := Read(strings.NewReader(data))
		if err != nil {
			return
		}
		for i := range records {
			r := &records[i]
			for j := range r.Queries {
				q := &r.Queries[j]
				c := NewCorpus(r, q.Unit(r), wordTokens{})
				all, err := fill(c, make([]float32, len(c.Passages)), c.Tokens)
				if err != nil {
					t.Fatal(err)
				}
				if s := Measure(c, q, all, 1); s.Over > 0 || s.Kept > 1 {
					t.Errorf("all of the text is %+v", s)
				}
			}
		}
	})
}
