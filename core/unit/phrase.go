package unit

import (
	"strings"
	"unicode/utf8"

	"github.com/cprs-go/cprs/core/span"
)

// phrases yields the phrases of text.
func phrases(text string, yield func(span.Range) bool) {
	for runs := newRunReader(text); ; {
		r, ok := runs.next()
		if !ok {
			return
		}
		split := phrasesOf(r.kind)
		if !runSentences(text, r, func(s span.Range) bool { return split(text, s, yield) }) {
			return
		}
	}
}

// phrasesOf is how a sentence of a run of kind k is split into phrases: a row of a table into cells, all else into clauses.
func phrasesOf(k kind) splitter {
	if k == row {
		return cells
	}
	return clauses
}

// cells yields the cells of the table row r.
func cells(text string, r span.Range, yield func(span.Range) bool) bool {
	s := text[:r.End]
	mark := cellMark(s[r.Start:])
	start, filled := r.Start, false
	for i := r.Start; i < len(s); i++ {
		if s[i] != mark {
			filled = filled || s[i] > ' '
			continue
		}
		at := skipSpace(s, i+1, len(s))
		if filled && at < len(s) && isBorder(s, at) {
			if !cut(text, span.Range{Start: start, End: at}, yield) {
				return false
			}
			start, filled = at, false
		}
		i = at - 1
	}
	return cut(text, span.Range{Start: start, End: r.End}, yield)
}

// cellMark is what parts the cells of the table row s.
func cellMark(s string) byte {
	switch {
	case strings.IndexByte(s, '|') >= 0:
		return '|'
	case strings.IndexByte(s, '\t') >= 0:
		return '\t'
	}
	return ','
}

// minPhrase is the least length of a phrase in bytes: shorter ones say nothing by themselves.
const minPhrase = 12

// clauses yields the clauses of the sentence r: the text up to a comma, semicolon, colon or dash, and what stands in brackets.
// Marks inside quoted words end none, nor do those without white space, as in numbers, times and addresses.
func clauses(text string, r span.Range, yield func(span.Range) bool) bool {
	s := text[:r.End]
	start := r.Start
	last := Trim(text, r).End - minPhrase
	for i := r.Start; i <= last; {
		at, ends := clauseEnd(s, i)
		if ends && at-start >= minPhrase && at <= last && isBorder(s, at) {
			if !cut(text, span.Range{Start: start, End: at}, yield) {
				return false
			}
			start = at
		}
		i = at
	}
	return cut(text, span.Range{Start: start, End: r.End}, yield)
}

// clauseEnd looks at the character at i. It returns where the next clause starts, or where to look on.
func clauseEnd(s string, i int) (at int, ends bool) {
	c := s[i]
	switch {
	case c == ' ':
		return i + 1, i+1 < len(s) && s[i+1] == '(' && bracketEnd(s, i+1) == 0
	case isAlpha(c) || isDigit(c):
		return i + 1, false
	case c >= utf8.RuneSelf:
		return wideClauseEnd(s, i)
	}
	switch c {
	case ',', ';', ':', ')', ']':
		k := closers(s, i+1)
		if k < len(s) && strings.IndexByte(",;:.", s[k]) >= 0 {
			return k, false
		}
		at = skipSpace(s, k, len(s))
		return at, at > k && !(c == ',' && isDate(s, i, at))
	case '-':
		at = skipSpace(s, i+1, len(s))
		return at, at > i+1 && i > 0 && s[i-1] == ' '
	case '(', '[':
		return i + 1 + bracketEnd(s, i), false
	case '"', '`':
		return quoteEnd(s, i, 1, s[i:i+1]), false
	}
	return i + 1, false
}

// bracketEnd is how far the bracket that closes the one at i is away, if what they hold is too short for a phrase; else 0.
func bracketEnd(s string, i int) int {
	return 1 + strings.IndexAny(s[i:min(len(s), i+minPhrase)], ")]")
}

// wideClauseEnd is clauseEnd for characters beyond ASCII.
func wideClauseEnd(s string, i int) (at int, ends bool) {
	r, w := utf8.DecodeRuneInString(s[i:])
	at = i + w
	switch r {
	case '，', '；', '：', '、', '､', '،', '؛', '၊', '՝', '፣', '፤':
		k := closers(s, at)
		return skipSpace(s, k, len(s)), true
	case '—', '–', '―':
		k := skipSpace(s, at, len(s))
		return k, r == '—' || k > at && i > 0 && s[i-1] == ' '
	case '“':
		return quoteEnd(s, i, w, "”"), false
	case '「':
		return quoteEnd(s, i, w, "」"), false
	case '『':
		return quoteEnd(s, i, w, "』"), false
	case '«':
		return quoteEnd(s, i, w, "»"), false
	}
	return at, false
}

// quoteEnd is where the mark that closes the quotation at i stands, if that is short; else the end of the opening mark.
func quoteEnd(s string, i, w int, mark string) int {
	const longest = 64
	if n := strings.Index(s[i+w:min(len(s), i+w+longest)], mark); n >= 0 {
		return i + w + n + len(mark)
	}
	return i + w
}

// isDate reports whether the comma at i stands in a date: "March 3, 2020", "Monday, 3 March".
func isDate(s string, i, next int) bool {
	year := next+4 <= len(s) && isCount(s[next:next+4]) && (next+4 == len(s) || !isDigit(s[next+4]))
	if year && i > 0 && isDigit(s[i-1]) {
		return true
	}
	return i >= 3 && s[i-3:i] == "day"
}
