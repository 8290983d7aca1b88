package unit

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// isItem reports whether l says something by itself: it is of a table, log, list, conversation or program, or values stand in it rather than
// words. A line of wrapped prose may look so too; look at many lines.
func isItem(text string, l line) bool {
	switch l.kind {
	case row, record, code, fence, bullet, label:
		return true
	case prose:
		return fieldsOf(text[l.first:l.body]).isRecord()
	case quote:
		s := strings.TrimLeft(text[l.first:l.body], "> ")
		return nameLen(s) > 0 || fieldsOf(s).isRecord()
	}
	return false
}

// isSentence reports whether l reads like a sentence or a part of one: it holds some words and ends in a stop, or it holds many.
func isSentence(text string, l line) bool {
	const some, many = 10, 40 // bytes
	s := text[l.first:l.body]
	n := fieldsOf(s).bytes
	last, _ := utf8.DecodeLastRuneInString(strings.TrimRightFunc(s, isCloser))
	return n >= many || n >= some && isMoreStop(last)
}

// fields counts what stands between the white space of a line. Punctuation alone is not counted.
type fields struct {
	all    int
	words  int // as running text has them
	bytes  int // of the words
	signs  int // such as = and ->
	keys   int // of the form key=value
	commas int // commas and semicolons between values: no space follows
	cells  int // parted by a tab or wide space
	values int // cells without a word
}

// isRecord reports whether the line holds values rather than words: at most half of it are words, or it has a sign between them, several keys,
// commas between values, or columns.
func (f fields) isRecord() bool {
	switch {
	case f.all == 0:
		return false
	case f.words*2 <= f.all, f.signs > 0, f.keys >= 2, f.commas >= 2:
		return true
	}
	return f.cells >= 3 && f.values*4 >= f.cells
}

// fieldsOf counts the fields in the first kindBytes of s.
func fieldsOf(s string) (f fields) {
	for s = s[:min(len(s), kindBytes)]; s != ""; s = strings.TrimLeft(s, " \t") {
		n, words := cellLen(s), f.words
		for field := range strings.FieldsSeq(s[:n]) {
			f.add(field)
		}
		f.cells++
		if f.words == words {
			f.values++
		}
		s = s[n:]
	}
	return f
}

// cellLen is how far the cell that s starts with goes: to a tab or wide space. After a stop, two spaces part sentences.
func cellLen(s string) int {
	for i := 1; i < len(s); i++ {
		if s[i] == '\t' || s[i] == ' ' && i+1 < len(s) && s[i+1] == ' ' && strings.IndexByte(".!?:", s[i-1]) < 0 {
			return i
		}
	}
	return len(s)
}

func (f *fields) add(s string) {
	if isSmall(s) {
		f.all++
		f.words++
		f.bytes += len(s)
		return
	}
	if !strings.ContainsFunc(s, isSolid) {
		return
	}
	f.all++
	if n := strings.IndexByte(s, '='); n > 0 && n < len(s)-1 && isName(s[:n]) {
		f.keys++
	}
	for i := 1; i < len(s)-1; i++ {
		if (s[i] == ',' || s[i] == ';') && (!isDigit(s[i-1]) || !isDigit(s[i+1])) {
			f.commas++
		}
	}
	switch {
	case isWord(s):
		f.words++
		f.bytes += len(s)
	case isSign(s):
		f.signs++
	}
}

// isSolid reports whether r is a letter, digit or symbol rather than punctuation.
func isSolid(r rune) bool { return unicode.In(r, unicode.L, unicode.N, unicode.S) }

// isSmall reports whether s is ASCII letters, small but for the first, perhaps with a stop or comma. It tells most words at little cost.
func isSmall(s string) bool {
	if last := s[len(s)-1]; last == ',' || last == '.' {
		s = s[:len(s)-1]
	}
	for i := 1; i < len(s); i++ {
		if !isLower(s[i]) {
			return false
		}
	}
	return s != "" && isAlpha(s[0])
}

// isSign reports whether s is a mathematical sign or an arrow, perhaps of several characters.
func isSign(s string) bool {
	return strings.ContainsFunc(s, func(r rune) bool { return unicode.Is(unicode.Sm, r) }) &&
		!strings.ContainsFunc(s, func(r rune) bool { return unicode.In(r, unicode.L, unicode.N) })
}

// isWord reports whether s, without the punctuation around it, is a word as running text has them: letters, no capital after a small one. A call
// such as f() is none. Where words follow each other without a space, s is one if it is mostly letters.
func isWord(s string) bool {
	if strings.Contains(s, "()") {
		return false
	}
	s = strings.TrimFunc(s, func(r rune) bool { return r == '`' || unicode.IsPunct(r) })
	runes, spaceless, lower, plain := 0, 0, false, true
	for _, r := range s {
		runes++
		switch {
		case isSpaceless(r) && unicode.IsLetter(r):
			spaceless++
		case lower && unicode.IsUpper(r), !unicode.In(r, unicode.L, unicode.M, unicode.Cf) && !strings.ContainsRune("-'’–—", r):
			plain = false
		}
		lower = unicode.IsLower(r)
	}
	if spaceless > 0 {
		return spaceless*2 >= runes
	}
	return runes > 0 && plain
}
