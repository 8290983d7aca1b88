// Package span holds the half-open byte ranges that every stage of cprs speaks in.
//
// A Range lies in one text; a Span lies in one document of a request and carries the critic's score.
// The package stands below all others of the core and imports none of them.
package span

import (
	"slices"
	"unicode/utf8"
)

// Range is the half-open byte range [Start, End) of a text.
type Range struct{ Start, End int }

// Len is the number of bytes in r.
func (r Range) Len() int { return r.End - r.Start }

// Empty reports whether r holds no byte.
func (r Range) Empty() bool { return r.End <= r.Start }

// Overlaps reports whether r and o share a byte.
func (r Range) Overlaps(o Range) bool { return r.Start < o.End && o.Start < r.End }

// Contains reports whether every byte of o lies in r.
func (r Range) Contains(o Range) bool { return r.Start <= o.Start && o.End <= r.End }

// Span is a byte range of document Doc, Documents[Doc].Text[Start:End], with the probability in [0,1]
// that the instruction asks for it, and the category it most probably is of where the critic tells categories apart.
type Span struct {
	Doc, Start, End int
	Score           float32
	Category        string
}

// Range is where s lies in its document.
func (s Span) Range() Range { return Range{s.Start, s.End} }

// Compare orders spans by document, then by start, then by end.
func Compare(a, b Span) int {
	switch {
	case a.Doc != b.Doc:
		return a.Doc - b.Doc
	case a.Start != b.Start:
		return a.Start - b.Start
	}
	return a.End - b.End
}

// Merge sorts ranges and joins those that overlap or touch. The result is sorted and disjoint; rs is reused.
func Merge(rs []Range) []Range {
	slices.SortFunc(rs, func(a, b Range) int {
		if a.Start != b.Start {
			return a.Start - b.Start
		}
		return a.End - b.End
	})
	out := rs[:0]
	for _, r := range rs {
		if r.Empty() {
			continue
		}
		if n := len(out); n > 0 && r.Start <= out[n-1].End {
			out[n-1].End = max(out[n-1].End, r.End)
			continue
		}
		out = append(out, r)
	}
	return out
}

// SnapRunes widens r to rune borders of text. A byte that is no valid UTF-8 is a rune of its own.
func SnapRunes(text string, r Range) Range {
	return Range{runeStart(text, r.Start), runeEnd(text, r.End)}
}

// runeStart is the start of the rune that byte i lies in; i itself at a border.
func runeStart(text string, i int) int {
	if i <= 0 || i >= len(text) || utf8.RuneStart(text[i]) {
		return i
	}
	for j := i - 1; j >= 0 && j > i-utf8.UTFMax; j-- {
		if utf8.RuneStart(text[j]) {
			if _, w := utf8.DecodeRuneInString(text[j:]); j+w > i {
				return j
			}
			break
		}
	}
	return i
}

func runeEnd(text string, i int) int {
	start := runeStart(text, i)
	if start == i {
		return i
	}
	_, w := utf8.DecodeRuneInString(text[start:])
	return start + w
}
