package unit

import (
	"strings"
	"unicode/utf8"

	"github.com/clipperhouse/uax29/v2/graphemes"

	"github.com/cprs-go/cprs/core/span"
)

// MaxBytes is the greatest length of a unit without the white space at its ends. Longer ones are cut at the borders of a finer unit, so
// that one line of any length can be worked on.
const MaxBytes = 4096

// splitter yields the units of text[r.Start:r.End] until yield returns false, and reports whether it never did.
type splitter func(text string, r span.Range, yield func(span.Range) bool) bool

// pack yields r; if r is too long, in pieces that hold as many finer units as fit.
func pack(text string, r span.Range, finer splitter, yield func(span.Range) bool) bool {
	if fits(text, r) {
		return yield(r)
	}
	start := r.Start
	ok := finer(text, r, func(f span.Range) bool {
		if f.Start == start || fits(text, span.Range{Start: start, End: f.End}) {
			return true
		}
		from := start
		start = f.Start
		return yield(span.Range{Start: from, End: f.Start})
	})
	return ok && yield(span.Range{Start: start, End: r.End})
}

func fits(text string, r span.Range) bool {
	return r.Len() <= MaxBytes || Trim(text, r).Len() <= MaxBytes
}

// cut yields r in pieces of at most MaxBytes that end after white space, else after punctuation, else between graphemes.
func cut(text string, r span.Range, yield func(span.Range) bool) bool {
	for !fits(text, r) {
		at := cutAt(text, r)
		if !yield(span.Range{Start: r.Start, End: at}) {
			return false
		}
		r.Start = at
	}
	return yield(r)
}

// cutAt is where the first piece of r ends.
func cutAt(text string, r span.Range) int {
	first := skipSpace(text, r.Start, r.End)
	last := first + MaxBytes
	half := text[first+MaxBytes/2 : last]
	if n := strings.LastIndexAny(half, " \t\n\u3000"); n >= 0 {
		if at := skipSpace(text, last-len(half)+n, r.End); isBorder(text, at) {
			return at
		}
	}
	if n := strings.LastIndexAny(half, ",;|})>"); n >= 0 {
		if at := last - len(half) + n + 1; isBorder(text, at) {
			return at
		}
	}
	at := first
	for it := graphemes.FromString(text[first:min(last+utf8.UTFMax, r.End)]); it.Next() && first+it.End() <= last; {
		at = first + it.End()
	}
	if at > first {
		return at
	}
	return span.SnapRunes(text, span.Range{Start: last, End: last}).Start
}
