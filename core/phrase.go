package core

import (
	"unicode"
	"unicode/utf8"

	"github.com/cprs-go/cprs/core/label"
	"github.com/cprs-go/cprs/core/window"
)

// phrases parts the clauses of w where the critic's tags begin and end a span, so that an answer stands as a unit of its own:
// a clause is often much longer than the value that is asked for.
func phrases(w *window.Window, text string, s label.Scores) []window.Unit {
	var out []window.Unit
	spans := label.Decode(s, label.Options{})
	for _, u := range w.Units {
		for _, t := range spans {
			first, last := wholeWords(w, text, t.First, t.Last)
			u = cutAt(&out, w, u, first)
			u = cutAt(&out, w, u, last)
		}
		out = append(out, u)
	}
	return out
}

// cutAt parts u before token i if that lies inside it: the first part goes to out, the rest is returned.
func cutAt(out *[]window.Unit, w *window.Window, u window.Unit, i int) window.Unit {
	if i <= u.First || i >= u.Last {
		return u
	}
	head := u
	head.Last, u.First = i, i
	head.Range.End = w.Spans[i].Start
	u.Range.Start = w.Spans[i].Start
	*out = append(*out, head)
	return u
}

// wholeWords widens tokens first to last so that no word is parted.
func wholeWords(w *window.Window, text string, first, last int) (int, int) {
	for first > 0 && sameWord(w, text, first) {
		first--
	}
	for last < len(w.IDs) && sameWord(w, text, last) {
		last++
	}
	return first, last
}

// sameWord reports whether a border before token i would part a word: no gap, and letters or digits on both sides.
func sameWord(w *window.Window, text string, i int) bool {
	at := w.Spans[i].Start
	if w.Spans[i-1].End < at {
		return false
	}
	before, _ := utf8.DecodeLastRuneInString(text[:at])
	after, _ := utf8.DecodeRuneInString(text[at:])
	return inWord(before) && inWord(after) && !unicode.Is(unicode.Han, before) && !unicode.Is(unicode.Han, after)
}

func inWord(r rune) bool { return unicode.IsLetter(r) || unicode.IsDigit(r) || unicode.IsMark(r) }
