package eval

import (
	"context"
	"math"
	"strings"

	"golang.org/x/text/unicode/norm"

	"github.com/cprs-go/cprs/core/fusion"
)

// BM25 ranks passages by the words that they share with the question: Okapi BM25 with Lucene's idf, k1 = 1.5, b = 0.75,
// each record a collection of its own.
//
// It is written here because the maintained library for it, bleve, is a whole search engine: 123 packages and 21 MB in
// the binary for these few lines.
func BM25() Ranker { return bm25Ranker{} }

const (
	bm25K1 = 1.5
	bm25B  = 0.75
)

type bm25Ranker struct{}

func (bm25Ranker) Name() string { return "bm25" }

func (bm25Ranker) Index(_ context.Context, c *Corpus) (func(context.Context, *Query) ([]float32, error), error) {
	terms := make([][]string, len(c.Passages))
	for i := range terms {
		terms[i] = Terms(c.text(i))
	}
	x := newBM25Index(terms)
	return func(_ context.Context, q *Query) ([]float32, error) { return x.scores(Terms(q.Text)), nil }, nil
}

// bm25Index is an inverted index: which passages hold a term, and what it is worth there.
type bm25Index struct {
	passages int
	postings map[string][]posting
}

type posting struct {
	passage int
	weight  float32
}

func newBM25Index(passages [][]string) *bm25Index {
	x := &bm25Index{passages: len(passages), postings: map[string][]posting{}}
	total := 0
	for i, terms := range passages {
		total += len(terms)
		for _, t := range terms {
			ps := x.postings[t]
			if n := len(ps); n == 0 || ps[n-1].passage != i {
				ps = append(ps, posting{passage: i})
			}
			ps[len(ps)-1].weight++ // the term's count, for now
			x.postings[t] = ps
		}
	}
	mean := float64(total) / float64(len(passages))
	for _, ps := range x.postings {
		n := float64(len(ps))
		idf := math.Log1p((float64(len(passages)) - n + 0.5) / (n + 0.5))
		for i := range ps {
			tf, length := float64(ps[i].weight), float64(len(passages[ps[i].passage]))
			ps[i].weight = float32(idf * tf / (tf + bm25K1*(1-bm25B+bm25B*length/mean)))
		}
	}
	return x
}

// scores sums the worth of the question's terms; a term asked twice counts twice.
func (x *bm25Index) scores(query []string) []float32 {
	out := make([]float32, x.passages)
	for _, t := range query {
		for _, p := range x.postings[t] {
			out[p.passage] += p.weight
		}
	}
	return out
}

// Terms are the words of a text in lower case and compatibility form (NFKC). Scripts without blanks give single
// characters and pairs of neighbours.
func Terms(text string) []string {
	var terms []string
	fusion.Terms(text, func(w string) { terms = append(terms, strings.ToLower(norm.NFKC.String(w))) })
	return terms
}
