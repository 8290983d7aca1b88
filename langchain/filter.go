package langchain

import (
	"cmp"
	"context"
	"hash/maphash"
	"slices"
	"unicode"
	"unicode/utf8"

	"github.com/tmc/langchaingo/schema"

	"github.com/cprs-go/cprs/core"
)

// NewRelevanceFilter makes a DocumentCompressor that drops documents in which nothing answers the query, and keeps the others
// whole. WithMinScore sets the least score of a document's best unit; the default is the critic's own threshold. A budget has no
// effect.
func NewRelevanceFilter(c core.Compressor, opts ...RequestOption) DocumentCompressor {
	s := newSettings(c, settings{sourceKey: "source"}, opts)
	return CompressorFunc(func(ctx context.Context, docs []schema.Document, query string) ([]schema.Document, error) {
		if len(docs) == 0 {
			return nil, ctx.Err()
		}
		res, err := s.compress(ctx, "relevance filter", query, core.Request{Documents: s.documents(docs), Budget: core.Budget{Threshold: s.budget.Threshold}})
		if err != nil {
			return nil, err
		}
		var out []schema.Document
		for i, parts := range byDocument(res.Spans, len(docs)) {
			if len(parts) > 0 {
				out = append(out, docs[i])
			}
		}
		return out, nil
	})
}

// NewReranker makes a DocumentCompressor that sorts documents by the score of their best unit, the highest first, and puts that
// score into their metadata under MetaScore. It keeps the first topN only, or all if topN is 0. Neither a budget nor a least score has an
// effect.
func NewReranker(c core.Compressor, topN int, opts ...RequestOption) DocumentCompressor {
	s := newSettings(c, settings{sourceKey: "source"}, opts)
	return CompressorFunc(func(ctx context.Context, docs []schema.Document, query string) ([]schema.Document, error) {
		if len(docs) == 0 {
			return nil, ctx.Err()
		}
		res, err := s.compress(ctx, "reranker", query, core.Request{Documents: s.documents(docs), Explain: true})
		if err != nil {
			return nil, err
		}
		scores := make([]float32, len(docs))
		for _, u := range res.Units {
			scores[u.Doc] = max(scores[u.Doc], u.Score)
		}
		order := make([]int, len(docs))
		for i := range order {
			order[i] = i
		}
		slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(scores[b], scores[a]) })
		if topN > 0 && topN < len(order) {
			order = order[:topN]
		}
		out := make([]schema.Document, len(order))
		for i, doc := range order {
			out[i] = docs[doc]
			out[i].Metadata = with(docs[doc].Metadata, map[string]any{MetaScore: scores[doc]})
		}
		return out, nil
	})
}

// NewLongContextReorder makes a DocumentCompressor that puts the first, most relevant documents at both ends of the list and the
// last ones in its middle, which models read least carefully.
func NewLongContextReorder() DocumentCompressor {
	return CompressorFunc(func(ctx context.Context, docs []schema.Document, _ string) ([]schema.Document, error) {
		out := make([]schema.Document, len(docs))
		for i, d := range docs { // the first one first, the second one last, the third one second …
			if i%2 == 0 {
				out[i/2] = d
			} else {
				out[len(docs)-1-i/2] = d
			}
		}
		return out, ctx.Err()
	})
}

// DefaultRedundancy is the share of a document's text from which on it is redundant.
const DefaultRedundancy = 0.9

// shingle is how many letters and digits make a piece of text that NewRedundantFilter compares.
const shingle = 12

// NewRedundantFilter makes a DocumentCompressor that drops documents whose text stands almost whole in earlier ones: for
// at least share of all runs of 12 letters or digits. Case, punctuation and white space do not count. 0 means
// DefaultRedundancy.
func NewRedundantFilter(share float64) DocumentCompressor {
	if share <= 0 {
		share = DefaultRedundancy
	}
	return CompressorFunc(func(ctx context.Context, docs []schema.Document, _ string) ([]schema.Document, error) {
		seed := maphash.MakeSeed()
		seen := map[uint64]bool{}
		var out []schema.Document
		for _, d := range docs {
			if err := ctx.Err(); err != nil {
				return nil, err
			}
			runs := runsOf(seed, d.PageContent)
			known := 0
			for _, r := range runs {
				if seen[r] {
					known++
				}
			}
			if len(runs) > 0 && float64(known) >= share*float64(len(runs)) {
				continue
			}
			for _, r := range runs {
				seen[r] = true
			}
			out = append(out, d)
		}
		return out, nil
	})
}

// runsOf hashes the runs of letters and digits of a text; of a shorter text, all of them as one.
func runsOf(seed maphash.Seed, text string) []uint64 {
	var letters []byte
	var starts []int
	for _, r := range text {
		if unicode.IsLetter(r) || unicode.IsDigit(r) {
			starts = append(starts, len(letters))
			letters = utf8.AppendRune(letters, unicode.ToLower(r))
		}
	}
	if len(starts) == 0 {
		return nil
	}
	var out []uint64
	for i := 0; i == 0 || i+shingle <= len(starts); i++ {
		end := len(letters)
		if i+shingle < len(starts) {
			end = starts[i+shingle]
		}
		out = append(out, maphash.Bytes(seed, letters[starts[i]:end]))
	}
	return out
}
