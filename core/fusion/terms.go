package fusion

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/clipperhouse/uax29/v2/words"
	"github.com/kljensen/snowball/english"
	"golang.org/x/text/unicode/norm"
)

// Terms calls yield for what BM25 counts in a text, in order: its words, the parts of names such as max_retries, maxRetries and log.level,
// and of scripts without blanks single characters and pairs of neighbours. They are parts of the text, as they stand.
func Terms(text string, yield func(string)) {
	tokens := words.FromString(text)
	before := -1 // where an ideograph just before begins
	for tokens.Next() {
		w, at := tokens.Value(), tokens.Start()
		r, size := utf8.DecodeRuneInString(w)
		if !strings.ContainsFunc(w, func(r rune) bool { return unicode.IsLetter(r) || unicode.IsDigit(r) }) {
			before = -1
			continue
		}
		yield(w)
		nameParts(w, yield)
		if size == len(w) && unicode.In(r, unicode.Han, unicode.Hiragana, unicode.Katakana) {
			if before >= 0 {
				yield(text[before : at+len(w)])
			}
			before = at
			continue
		}
		before = -1
	}
}

// nameParts calls yield for the words that a name is joined of: by low lines, dots and colons between letters, and capitals. What is not
// joined has no parts; single letters are none.
func nameParts(w string, yield func(string)) {
	from := 0
	part := func(end int) {
		if end-from > 1 && end-from < len(w) {
			yield(w[from:end])
		}
	}
	for i := 1; i < len(w); i++ {
		switch c, before := w[i], w[i-1]; {
		case c == '_' || (c == '.' || c == ':') && isLetter(before) && i+1 < len(w) && isLetter(w[i+1]):
			part(i)
			from = i + 1
		case isUpper(c) && (isLower(before) || isUpper(before) && i+1 < len(w) && isLower(w[i+1])) && i > from:
			part(i)
			from = i
		}
	}
	part(len(w))
}

func isLower(c byte) bool { return c >= 'a' && c <= 'z' }

func isUpper(c byte) bool { return c >= 'A' && c <= 'Z' }

func isLetter(c byte) bool { return isLower(c) || isUpper(c) }

// Fold makes the forms of a term one: lower case, compatibility form (NFKC), and the stem of an English word.
func Fold(term string) string {
	term = strings.ToLower(norm.NFKC.String(term))
	for _, c := range []byte(term) {
		if c >= utf8.RuneSelf || c < 'a' && c != '\'' || c > 'z' { // no English word
			return term
		}
	}
	return english.Stem(term, true)
}

// stop are words of nearly every question and text: they tell nothing.
var stop = func() map[string]bool {
	m := map[string]bool{}
	for w := range strings.FieldsSeq(`
		a about all an and any are as at be been being but by can could did do does each for from give had has have he her his how i if in into is it
		its keep me more most my no not of on only or other our out over she should show so some such tell than that the their them then there
		these they this those through to under up was we were what when where whether which while who whom whose why will with would you your
		answer answers find line lines paragraph paragraphs part parts passage passages question say says sentence sentences text`) {
		m[w] = true
	}
	return m
}()
