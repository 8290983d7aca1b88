package bpe

import (
	"slices"
	"sort"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"

	"github.com/cprs-go/cprs/core/span"
)

// normalized is a text in NFC that knows where its bytes come from. A text that is in NFC already, as nearly all are, is not copied.
type normalized struct {
	text   []byte
	pieces []piece // in order; none if the text was normal
	runes  []mark
}

// piece is a stretch of the normalised text: bytes that were taken over as they are, or one rune that was not.
type piece struct {
	at     int // where it begins in the normalised text
	source span.Range
	same   bool
}

// mark is a rune on its way through NFC.
type mark struct {
	r      rune
	class  uint8 // canonical combining class
	change int   // 1: added by decomposing; -n: n runes went into it
}

// set normalises source. Where first is set, a rune that was put together comes from the first of its runes alone.
func (n *normalized) set(source string, first bool) string {
	n.text, n.pieces = n.text[:0], n.pieces[:0]
	if normal(source) == len(source) {
		return source
	}
	for at := 0; at < len(source); {
		if end := at + normal(source[at:]); end > at {
			n.add(piece{source: span.Range{Start: at, End: end}, same: true}, source[at:end])
			at = end
			continue
		}
		r, size := utf8.DecodeRuneInString(source[at:])
		if r == utf8.RuneError && size == 1 {
			n.add(piece{source: span.Range{Start: at, End: at + 1}}, "\uFFFD")
			at++
			continue
		}
		end := at + size
		for end < len(source) && !begins(source[end:]) {
			_, size := utf8.DecodeRuneInString(source[end:])
			end += size
		}
		n.compose(source, span.Range{Start: at, End: end}, first)
		at = end
	}
	return string(n.text)
}

// add appends a piece and its text.
func (n *normalized) add(p piece, text string) {
	p.at = len(n.text)
	n.pieces = append(n.pieces, p)
	n.text = append(n.text, text...)
}

// normal is the length of the beginning of text, up to a place where nothing joins, that is valid UTF-8 and in NFC.
func normal(text string) int {
	end := norm.NFC.QuickSpanString(text)
	if end < len(text) { // a long run of marks may have stopped it in its middle
		for end > 0 && (!utf8.RuneStart(text[end]) || !begins(text[end:])) {
			end--
		}
	}
	for i := 0; i < end; {
		if text[i] < utf8.RuneSelf {
			i++
			continue
		}
		r, size := utf8.DecodeRuneInString(text[i:])
		if r == utf8.RuneError && size == 1 {
			return i
		}
		i += size
	}
	return end
}

// begins reports whether the rune that text opens with joins none before it.
func begins(text string) bool { return norm.NFC.PropertiesString(text).BoundaryBefore() }

// compose normalises a stretch that nothing before or after it joins: its runes are taken apart, brought into canonical order and put
// together again. Runes are attributed to the source by their place, as the reference does it.
func (n *normalized) compose(source string, where span.Range, first bool) {
	n.runes = n.runes[:0]
	var buf [64]byte
	for i := where.Start; i < where.End; {
		_, size := utf8.DecodeRuneInString(source[i:])
		apart := norm.NFD.AppendString(buf[:0], source[i:i+size])
		for k := 0; len(apart) > 0; k++ {
			r, w := utf8.DecodeRune(apart)
			n.runes = append(n.runes, mark{r, norm.NFD.Properties(apart).CCC(), min(k, 1)})
			apart = apart[w:]
		}
		i += size
	}
	order(n.runes)
	from, last := span.Range{}, span.Range{End: where.Start} // of a rune; of the last source rune that is accounted for
	next := func() {
		_, size := utf8.DecodeRuneInString(source[last.End:])
		last = span.Range{Start: last.End, End: last.End + size}
	}
	for _, m := range joined(n.runes) {
		if m.change <= 0 {
			next()
			from = last
		}
		for ; m.change < 0; m.change++ {
			next()
		}
		if first && m.change > 0 {
			from = last
		} else if !first {
			from.End = last.End
		}
		n.add(piece{source: from}, string(m.r))
	}
}

// order brings every run of marks into the order of their classes.
func order(ms []mark) {
	for i := 0; i < len(ms); i++ {
		j := i
		for j < len(ms) && ms[j].class != 0 {
			j++
		}
		slices.SortStableFunc(ms[i:j], func(a, b mark) int { return int(a.class) - int(b.class) })
		i = max(i, j-1)
	}
}

// joined puts runes together, in place: each with the last starter before it, if no other mark of its class or above stands between.
func joined(ms []mark) []mark {
	out, starter := ms[:0], -1
	between := uint8(0) // class of the last mark that stayed after the starter
	for _, m := range ms {
		if starter >= 0 && (between < m.class || len(out) == starter+1) {
			if r, ok := pair(out[starter].r, m.r); ok {
				out[starter].r = r
				out[starter].change += m.change - 1
				continue
			}
		}
		if out = append(out, m); m.class == 0 {
			starter, between = len(out)-1, 0
		} else {
			between = m.class
		}
	}
	return out
}

// pair puts two runes together, if they make one.
func pair(a, b rune) (rune, bool) {
	var buf, in [16]byte
	both := norm.NFC.Append(buf[:0], utf8.AppendRune(utf8.AppendRune(in[:0], a), b)...)
	r, size := utf8.DecodeRune(both)
	return r, size == len(both)
}

// toSource turns ranges of the normalised text into those of the source, which lies at base: whole runes, or what they come from.
func (n *normalized) toSource(text string, spans []span.Range, base int) {
	for i, s := range spans {
		for s.Start > 0 && !utf8.RuneStart(text[s.Start]) {
			s.Start--
		}
		for s.End < len(text) && !utf8.RuneStart(text[s.End]) {
			s.End++
		}
		if len(n.pieces) > 0 {
			from, to := n.piece(s.Start), n.piece(s.End-1)
			source := span.Range{Start: from.source.Start, End: to.source.End}
			if from.same {
				source.Start += s.Start - from.at
			}
			if to.same {
				source.End = to.source.Start + s.End - to.at
			}
			s = source
		}
		spans[i] = span.Range{Start: base + s.Start, End: base + s.End}
	}
}

// piece is the one that holds byte i of the normalised text.
func (n *normalized) piece(i int) *piece {
	return &n.pieces[sort.Search(len(n.pieces), func(k int) bool { return n.pieces[k].at > i })-1]
}
