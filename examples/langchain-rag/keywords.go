package main

import (
	"cmp"
	"context"
	"math"
	"slices"
	"strings"
	"unicode"

	"github.com/tmc/langchaingo/schema"
)

// keywords is a retriever that finds the n passages that share most of the question's words, rare words counting more.
type keywords struct {
	passages []schema.Document
	n        int
}

func (k keywords) GetRelevantDocuments(_ context.Context, query string) ([]schema.Document, error) {
	texts := make([]map[string]bool, len(k.passages))
	in := map[string]float64{} // passages that hold a word
	for i, p := range k.passages {
		texts[i] = words(p.PageContent)
		for w := range texts[i] {
			in[w]++
		}
	}
	scores := make([]float64, len(k.passages))
	order := make([]int, len(k.passages))
	for i := range k.passages {
		order[i] = i
		for w := range words(query) {
			if texts[i][w] {
				scores[i] += math.Log(1 + float64(len(k.passages))/in[w])
			}
		}
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(scores[b], scores[a]) })
	var found []schema.Document
	for _, i := range order[:min(k.n, len(order))] {
		found = append(found, k.passages[i])
	}
	return found, nil
}

func words(text string) map[string]bool {
	out := map[string]bool{}
	for w := range strings.FieldsFuncSeq(strings.ToLower(text), func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) }) {
		out[w] = true
	}
	return out
}
