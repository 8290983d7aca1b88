package eval

import (
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/cprs-go/cprs/core/span"
)

func near(a, b float64) bool { return math.Abs(a-b) < 1e-9 }

// kept makes a Kept of pieces that stand once in document 0.
func keptText(t *testing.T, c *Corpus, pieces ...string) *Kept {
	t.Helper()
	k := &Kept{}
	for _, p := range pieces {
		s := find(t, c.Docs[0].Text, p)
		k.Spans = append(k.Spans, span.Span{Start: s.Start, End: s.End})
		k.Tokens += countWords(p)
	}
	return k
}

func TestMeasure(t *testing.T) {
	// Without white space: 4+5 bytes, 3+6, 4+3, 4+4; 16 words in all would be 8.
	const text = "aaaa bbbbb. ccc dddddd. eeee fff. gggg hhhh."
	rec := &Record{ID: "x", Docs: []Doc{{Text: text}}}
	c := NewCorpus(rec, sentence, wordTokens{})
	if c.Tokens != 8 || len(c.Passages) != 4 {
		t.Fatalf("corpus has %d tokens, %d passages", c.Tokens, len(c.Passages))
	}
	gold := func(pieces ...string) []Span {
		var out []Span
		for _, p := range pieces {
			s := find(t, text, p)
			out = append(out, Span{0, s.Start, s.End})
		}
		return out
	}
	for _, tc := range []struct {
		name  string
		gold  []Span
		kept  []string
		share float64
		want  Scores
	}{
		{"all of it", gold("ccc dddddd."), []string{"ccc dddddd."}, 0.25, Scores{Recall: 1, Full: 1, Precision: 1, F2: 1, Kept: 0.25}},
		{"nothing kept", gold("ccc dddddd."), nil, 0.25, Scores{}},
		{"half of two", gold("ccc dddddd.", "gggg hhhh."), []string{"ccc dddddd."}, 0.5,
			Scores{Recall: 10.0 / 19, Precision: 1, F2: 5 * 10.0 / 19 / (4 + 10.0/19), Kept: 0.25}},
		{"keyword in a sentence", gold("fff"), []string{"aaaa bbbbb.", "eeee fff."}, 0.5,
			Scores{Recall: 1, Full: 1, Precision: 3.0 / 18, F2: 5 * 3.0 / 18 / (4*3.0/18 + 1), Kept: 0.5}},
		{"gold over a border", gold("dddddd. eeee"), []string{"ccc dddddd."}, 0.5,
			Scores{Recall: 7.0 / 11, Precision: 7.0 / 10, F2: 5 * 0.7 * 7.0 / 11 / (4*0.7 + 7.0/11), Kept: 0.25}},
		{"overlapping gold counts once", gold("ccc dddddd.", "dddddd."), []string{"ccc dddddd."}, 0.25,
			Scores{Recall: 1, Full: 1, Precision: 1, F2: 1, Kept: 0.25}},
		{"above the budget", gold("ccc"), []string{"aaaa bbbbb. ccc dddddd."}, 0.4, Scores{Recall: 1, Full: 1, Precision: 3.0 / 20, F2: 5 * 0.15 / 1.6, Kept: 0.5, Over: 1}},
		{"no answer", nil, []string{"aaaa bbbbb."}, 0, Scores{Kept: 0.25}},
	} {
		tc.want.Survival = -1
		got := Measure(c, &Query{Text: "q", Spans: tc.gold}, keptText(t, c, tc.kept...), tc.share)
		if !near(got.Recall, tc.want.Recall) || got.Full != tc.want.Full || !near(got.Precision, tc.want.Precision) ||
			!near(got.F2, tc.want.F2) || !near(got.Kept, tc.want.Kept) || got.Over != tc.want.Over || got.Survival != tc.want.Survival {
			t.Errorf("%s: %+v, want %+v", tc.name, got, tc.want)
		}
	}
}

func TestSurvival(t *testing.T) {
	for _, tc := range []struct {
		answers []string
		text    string
		want    float64
	}{
		{[]string{"Paris"}, "in paris.", 1},
		{[]string{"two  words"}, "Two\nWords", 1},
		{[]string{"ﬁve ①"}, "FIVE 1", 1}, // ligature and circled digit in compatibility form
		{[]string{"one", "two"}, "one", 0.5},
		{[]string{"one"}, "", 0},
	} {
		if got := survival(tc.answers, tc.text); got != tc.want {
			t.Errorf("survival(%q, %q) = %v, want %v", tc.answers, tc.text, got, tc.want)
		}
	}
}

func TestIntersect(t *testing.T) {
	for _, tc := range []struct{ a, b, want string }{
		{"0-10", "5-15", "5-10"},
		{"0-10", "10-15", ""},
		{"0-3 5-9", "2-6 8-20", "2-3 5-6 8-9"},
		{"", "2-6", ""},
	} {
		var got []string
		for _, r := range intersect(parseRanges(t, tc.a), parseRanges(t, tc.b)) {
			got = append(got, fmt.Sprintf("%d-%d", r.Start, r.End))
		}
		if s := strings.Join(got, " "); s != tc.want {
			t.Errorf("%q and %q share %q, want %q", tc.a, tc.b, s, tc.want)
		}
	}
}

func parseRanges(t *testing.T, s string) []span.Range {
	t.Helper()
	var out []span.Range
	for _, f := range strings.Fields(s) {
		var r span.Range
		if _, err := fmt.Sscanf(f, "%d-%d", &r.Start, &r.End); err != nil {
			t.Fatal(err)
		}
		out = append(out, r)
	}
	return out
}
