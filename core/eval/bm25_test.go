package eval

import (
	"math"
	"slices"
	"strings"
	"testing"
)

// TestBM25Scores compares with the PyPI package bm25s, BM25(method="lucene", k1=1.5, b=0.75).
func TestBM25Scores(t *testing.T) {
	var passages [][]string
	for _, s := range []string{"the cat sat on the mat", "the dog chased the cat", "a bird in the hand", "", "cat cat cat"} {
		passages = append(passages, strings.Fields(s))
	}
	x := newBM25Index(passages)
	for _, tc := range []struct {
		query string
		want  []float64
	}{
		{"cat mat", []float64{0.610948, 0.188773, 0, 0, 0.379294}},
		{"the the bird", []float64{0.51935, 0.559232, 0.863068, 0, 0}},
		{"fish", []float64{0, 0, 0, 0, 0}},
		{"", []float64{0, 0, 0, 0, 0}},
	} {
		for i, got := range x.scores(strings.Fields(tc.query)) {
			if math.Abs(float64(got)-tc.want[i]) > 1e-5 {
				t.Errorf("%q: passage %d has %v, want %v", tc.query, i, got, tc.want[i])
			}
		}
	}
	if got := newBM25Index(nil).scores([]string{"x"}); len(got) != 0 {
		t.Errorf("no passages: %v", got)
	}
}

func TestTerms(t *testing.T) {
	for _, tc := range []struct {
		text string
		want []string
	}{
		{"", nil},
		{"The cat's 3.14 mats!", []string{"the", "cat's", "3.14", "mats"}},
		{"blk_42 a-b", []string{"blk_42", "blk", "42", "a", "b"}},
		{"ﬁne ＡＢＣ", []string{"fine", "abc"}},
		{"茶館 開", []string{"茶", "館", "茶館", "開"}},
		{"ÉCOLE école", []string{"école", "école"}},
	} {
		if got := Terms(tc.text); !slices.Equal(got, tc.want) {
			t.Errorf("Terms(%q) = %q, want %q", tc.text, got, tc.want)
		}
	}
}
