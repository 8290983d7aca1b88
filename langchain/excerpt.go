package langchain

import (
	"slices"
	"strings"

	"github.com/cprs-go/cprs/core"
	"github.com/cprs-go/cprs/core/span"
	"github.com/cprs-go/cprs/core/unit"
)

// gap stands for text that was left out.
const gap = "[…]"

// excerpt joins parts of a text, which are in order, with marks where something is left out between them.
func excerpt(text string, parts []core.Span) string {
	var b strings.Builder
	for i, p := range parts {
		if i > 0 {
			b.WriteString(between(text[parts[i-1].End:p.Start]))
		}
		b.WriteString(text[p.Start:p.End])
	}
	return b.String()
}

// between is what stands for the text left out between two parts.
func between(left string) string {
	sep := " "
	if strings.Contains(left, "\n") {
		sep = "\n"
	}
	if strings.TrimSpace(left) == "" {
		return sep
	}
	return sep + gap + sep
}

// byDocument sorts the spans of a result into one list for each of n documents.
func byDocument(spans []core.Span, n int) [][]core.Span {
	out := make([][]core.Span, n)
	for _, s := range spans {
		out[s.Doc] = append(out[s.Doc], s)
	}
	return out
}

// widen adds to each part of a text n sentences on either side and joins what then touches. A joined part has the best score
// of its parts.
func widen(text string, parts []core.Span, n int) []core.Span {
	if n <= 0 || len(parts) == 0 {
		return parts
	}
	sentences := slices.Collect(unit.Split(text, unit.Sentence))
	var out []core.Span
	for _, p := range parts {
		first := max(0, ending(sentences, p.Start)-n)
		last := min(len(sentences)-1, ending(sentences, p.End-1)+n)
		r := unit.Trim(text, span.Range{Start: sentences[first].Start, End: sentences[last].End})
		p.Start, p.End = min(p.Start, r.Start), max(p.End, r.End)
		if i := len(out) - 1; i >= 0 && p.Start <= out[i].End {
			out[i].End = max(out[i].End, p.End)
			out[i].Score = max(out[i].Score, p.Score)
			continue
		}
		out = append(out, p)
	}
	return out
}

// ending is the index of the sentence that byte at lies in.
func ending(sentences []span.Range, at int) int {
	i, _ := slices.BinarySearchFunc(sentences, at, func(r span.Range, at int) int {
		if r.End <= at {
			return -1
		}
		return 1
	})
	return min(i, len(sentences)-1)
}
