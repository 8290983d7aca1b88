package label

import (
	"slices"
	"strings"
	"unicode"

	"github.com/cprs-go/cprs/core/span"
)

// The functions of this file reproduce the post-processing of the released QwenLong-CPRS code, defects included. They prove parity
// with it; Decode is what users get. Positions are code points of the context, as there.

// CompatSpan is a span of the released code: its text without white space at the ends, and the code points
// [Start, End) of the context, white space included.
type CompatSpan struct {
	Text       string
	Start, End int
}

// CompatOptions are the parameters of a request to the released server.
type CompatOptions struct {
	MinKeywordLen    int  // a span is kept if it has more tokens than this
	CompleteSentence bool // widen spans to marks that end a sentence
}

// FillCompat fills gaps of at most 18 O tokens after a B with I, in place: up to an E, on over every I, and also up to
// the next B.
func FillCompat(tags []Tag) {
	const maxGap = 18
	for begin, tag := range tags {
		if tag != Begin {
			continue
		}
		left := begin
		for right := left + 1; right < len(tags); right++ {
			if tags[right] == Outside {
				continue
			}
			if right-left > maxGap+1 {
				break
			}
			for i := left + 1; i < right; i++ {
				tags[i] = Inside
			}
			if tags[right] != Inside {
				break
			}
			left = right
		}
	}
}

// SpansCompat turns tags into spans. A span begins at any tag but O and runs up to an O or B; an E does not close it. Its text
// reaches to the start of the token after it. Offsets holds the code points of each token; tags and offsets should be equally
// long and lie in context. What exceeds the shorter of them is not read.
func SpansCompat(tags []Tag, offsets []span.Range, context string, opts CompatOptions) []CompatSpan {
	text := []rune(context)
	n := min(len(tags), len(offsets))
	startOf := func(token int) int { return min(max(offsets[token].Start, 0), len(text)) }
	var out []CompatSpan
	last := -1 // end of the span before
	for i := 0; i < n; {
		if tags[i] == Outside {
			i++
			continue
		}
		first := i
		for i++; i < n && tags[i] != Outside && tags[i] != Begin; i++ {
		}
		r := span.Range{Start: startOf(first), End: len(text)}
		if i < n {
			r.End = startOf(i)
		}
		keep := i-first > opts.MinKeywordLen
		if keep && opts.CompleteSentence {
			r = completeCompat(text, r, last)
		}
		if last = r.End; keep {
			out = append(out, CompatSpan{stripCompat(text, r), r.Start, r.End})
		}
	}
	return out
}

// completeCompat widens r to the marks that end sentences, to the left not beyond last.
func completeCompat(text []rune, r span.Range, last int) span.Range {
	const marks = ".。：？！\"”?!\n"
	for r.Start > 0 && r.Start > last && !strings.ContainsRune(marks, text[r.Start-1]) {
		r.Start--
	}
	for r.End < len(text) && r.End != len(text)-1 {
		before := r.End - 1
		if r.End == 0 {
			before = len(text) - 1 // as Python reads the index -1
		}
		if strings.ContainsRune(marks, text[before]) {
			break
		}
		r.End++
	}
	return r
}

// stripCompat is text[r] without white space at its ends, by Python's idea of white space.
func stripCompat(text []rune, r span.Range) string {
	return strings.TrimFunc(string(text[r.Start:max(r.Start, r.End)]), isSpaceCompat)
}

func isSpaceCompat(r rune) bool { return unicode.IsSpace(r) || r >= 0x1c && r <= 0x1f }

// CleanCompat drops spans whose text is blank or part of the string of marks "（），。！".
func CleanCompat(spans []CompatSpan) []CompatSpan {
	return slices.DeleteFunc(slices.Clone(spans), func(s CompatSpan) bool {
		return strings.TrimFunc(s.Text, isSpaceCompat) == "" || strings.Contains("（），。！", s.Text)
	})
}
