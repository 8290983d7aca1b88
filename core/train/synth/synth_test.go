package synth

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/cprs-go/cprs/core/eval"
)

var haystack = []string{
	"The tide comes in twice a day. Fishermen know its hours by heart. On some days it brings wood, on others only weed.",
	"A path leads up to the cliff. Nobody takes it in winter.\n\nIn spring the goats do.",
}

// TestRecords: evidence is exact, answers stand in it, nothing answers a question without evidence, and the same draw gives
// the same record.
func TestRecords(t *testing.T) {
	for _, name := range Names() {
		for _, opt := range []*Options{nil, {Haystack: haystack, Size: 400}, {Size: 3000}} {
			for seed := range uint64(3) {
				g, err := New(name, seed, opt)
				if err != nil {
					t.Fatal(err)
				}
				for i := range 10 {
					checkRecord(t, g, i)
				}
			}
		}
	}
}

func checkRecord(t *testing.T, g *Generator, i int) {
	t.Helper()
	r := g.Record(i)
	if again := g.Record(i); !reflect.DeepEqual(r, again) {
		t.Fatalf("%s: another record the second time", r.ID)
	}
	text := r.Docs[0].Text
	if len(text) < 200 || len(text) > 3*maxSize || !utf8.ValidString(text) {
		t.Errorf("%s: %d bytes of text, %.20q … %.20q", r.ID, len(text), text, text[max(0, len(text)-20):])
	}
	for _, q := range r.Queries {
		checkQuery(t, r.ID, text, q)
	}
	s := g.scene(i, 0)
	again, lost := g.draft(s).record(s, "")
	if len(s.bad) > 0 {
		t.Errorf("%s: templates with symbols that mean nothing: %q", r.ID, s.bad)
	}
	for _, a := range lost {
		text := again.Docs[0].Text
		named := a.thing == "" || strings.Contains(text, a.thing)
		if named && (len(a.answers) == 0 || slices.ContainsFunc(a.answers, func(s string) bool { return strings.Contains(text, s) })) {
			t.Errorf("%s: %q has no evidence, but the text holds %q, %q", r.ID, a.text, a.thing, a.answers)
		}
	}
}

func checkQuery(t *testing.T, id, text string, q eval.Query) {
	t.Helper()
	if strings.TrimSpace(q.Text) == "" || strings.ContainsAny(q.Text+text, "‹›") {
		t.Errorf("%s: question %q", id, q.Text)
	}
	end := -1
	evidence := ""
	for _, s := range q.Spans {
		if s[1] <= end || s[2] <= s[1] || s[2] > len(text) {
			t.Fatalf("%s: %q: spans %v of %d bytes", id, q.Text, q.Spans, len(text))
		}
		piece := text[s[1]:s[2]]
		if !utf8.ValidString(piece) || piece != strings.TrimSpace(piece) {
			t.Errorf("%s: %q: span %q", id, q.Text, piece)
		}
		evidence += piece + "\x00"
		end = s[2]
	}
	for _, a := range q.Answers {
		if !strings.Contains(evidence, a) {
			t.Errorf("%s: %q: answer %q is not in %q", id, q.Text, a, evidence)
		}
	}
}

// TestVariety: few texts and questions come twice, and a fifth to a quarter of the questions has no answer.
func TestVariety(t *testing.T) {
	for _, name := range Names() {
		const n = 500
		g, err := New(name, 7, nil)
		if err != nil {
			t.Fatal(err)
		}
		texts, questions := map[string]bool{}, map[string]bool{}
		asked, lost := 0, 0
		for i := range n {
			r := g.Record(i)
			texts[r.Docs[0].Text] = true
			questions[r.Queries[0].Text] = true
			for _, q := range r.Queries {
				asked++
				if len(q.Spans) == 0 {
					lost++
				}
			}
		}
		share := float64(lost) / float64(asked)
		t.Logf("%-14s %3d texts, %3d questions, %.2f without an answer", name, len(texts), len(questions), share)
		if len(texts) < n*9/10 || len(questions) < n*6/10 || share < 0.15 || share > 0.3 {
			t.Errorf("%s: %d texts, %d questions of %d; %.2f of the questions have no answer", name, len(texts), len(questions), n, share)
		}
	}
}

func TestNewRefuses(t *testing.T) {
	for _, tc := range []struct {
		name string
		size int
	}{{"nothing", 0}, {"needle", minSize - 1}, {"needle", -1}} {
		if _, err := New(tc.name, 1, &Options{Size: tc.size}); err == nil {
			t.Errorf("%v is made", tc)
		}
	}
}

func FuzzRecord(f *testing.F) {
	f.Add(uint64(1), 0, 0, "")
	f.Add(uint64(991), 3, 0, "One.\n\nTwo. 三。\xff")
	f.Fuzz(func(t *testing.T, seed uint64, i, sort int, hay string) {
		if strings.ContainsAny(hay, "‹›") {
			t.Skip()
		}
		name := sorts[uint(sort)%uint(len(sorts))].name
		g, err := New(name, seed, &Options{Haystack: []string{hay, fmt.Sprint(seed)}})
		if err != nil {
			t.Fatal(err)
		}
		checkRecord(t, g, i)
	})
}

// TestRiddles: every pair has a statement and a question that share no word, and more than one of each where it can.
func TestRiddles(t *testing.T) {
	g, err := New("riddle", 1, nil)
	if err != nil {
		t.Fatal(err)
	}
	s := g.scene(0, 0)
	s.names["E"] = "Vera Novak"
	for _, b := range s.blocks["riddle"] {
		for _, pairs := range s.blocks["pairs"] {
			if pairs.first("name") != b.first("pairs") {
				continue
			}
			for _, pair := range pairs["pair"] {
				s.names["S"], s.names["Q"], _ = strings.Cut(pair, " | ")
				apart := 0
				for range 50 {
					if !share(s.say(pick(s, b["say"])), s.say(pick(s, b["ask"]))) {
						apart++
					}
				}
				if apart < 10 {
					t.Errorf("%s: %q: %d of 50 questions share no word with the statement", b.first("name"), pair, apart)
				}
			}
		}
	}
}

func TestOccurrences(t *testing.T) {
	for _, tc := range []struct {
		text, answer string
		want         []int
	}{
		{"12 of 312, 12.5 and 12", "12", []int{0, 20}},
		{"port 1200", "12", []int{5}},
		{"a cat, catnip", "cat", []int{2}},
		{"在青岛的青岛路", "青岛", []int{3, 12}},
		{"12.", "12", []int{0}},
		{"", "a", nil},
		{"a", "", nil},
	} {
		if got := occurrences(tc.text, tc.answer); !slices.Equal(got, tc.want) {
			t.Errorf("%q in %q: %v", tc.answer, tc.text, got)
		}
	}
}
