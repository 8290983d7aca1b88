package unit

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/cprs-go/cprs/core/span"
)

// sentences yields the sentences of text.
func sentences(text string, yield func(span.Range) bool) {
	for runs := newRunReader(text); ; {
		r, ok := runs.next()
		if !ok || !runSentences(text, r, yield) {
			return
		}
	}
}

// runSentences yields the sentences of r.
func runSentences(text string, r run, yield func(span.Range) bool) bool {
	if r.kind.whole() {
		return pack(text, r.Range, phrasesOf(r.kind), yield)
	}
	return sentencesOf(text, r.Range, yield)
}

// sentencesOf yields the sentences of r, which is prose.
func sentencesOf(text string, r span.Range, yield func(span.Range) bool) bool {
	s := sentenceScanner{text: text, start: r.Start, end: r.End}
	for s.start < s.end {
		end := s.next()
		if !pack(text, span.Range{Start: s.start, End: end}, phrasesOf(prose), yield) {
			return false
		}
		s.start = end
	}
	return true
}

// sentenceScanner finds the ends of the sentences in text[:end].
type sentenceScanner struct {
	text  string
	start int // of the sentence under way
	end   int
	small casing // whether the run has no capitals
}

// casing remembers whether a run has capitals.
type casing uint8

const (
	unknownCase casing = iota
	hasCapitals
	noCapitals
)

// next is where the sentence that starts at s.start ends.
func (s *sentenceScanner) next() int {
	text := s.text[:s.end]
	for i := s.start; i < len(text); {
		c := text[i]
		if byteClass[c] == 0 {
			i++
			continue
		}
		var at int
		var ends bool
		if c < utf8.RuneSelf {
			at, ends = s.stop(i, rune(c))
		} else {
			if i+1 == len(text) || stopPrefix[c]>>(text[i+1]&63)&1 == 0 {
				i++
				continue
			}
			r, w := utf8.DecodeRuneInString(text[i:])
			switch {
			case isStop(r) || isMoreStop(r):
				at, ends = s.stop(i, r)
			case isThai(r):
				at, ends = s.thai(i)
			default:
				at = i + w
			}
		}
		if ends && isBorder(text, at) {
			return at
		}
		i = at
	}
	return s.end
}

// stop looks at the mark r at i. It returns where the next sentence starts, or where to look on.
func (s *sentenceScanner) stop(i int, r rune) (at int, ends bool) {
	text := s.text[:s.end]
	j, hard := i+1, true
	if r != ';' {
		j, hard = moreStops(text, i)
	} else if before, _ := utf8.DecodeLastRuneInString(text[:i]); !unicode.Is(unicode.Greek, before) {
		return j, false // ; asks in Greek only
	}
	k := closers(text, j)
	if k == i+1 && r == '.' {
		k = s.noteEnd(k)
	}
	n := skipSpace(text, k, len(text))
	if n == len(text) {
		return n, true
	}
	next, _ := utf8.DecodeRuneInString(text[n:])
	if n == k && !s.endsUnspaced(i, j, k, hard, next) {
		return k, false
	}
	letter := firstLetter(text[n:])
	switch {
	case strings.ContainsRune(",;:，、；：)]}）」』”’》", next) || next == '&' || next == '=' || next == '%':
		return n, false
	case unicode.IsLower(letter) && (!hard || k > j):
		return n, s.smallCase() && !hard && s.endsWord(i, "")
	case r == '.' && j == i+1:
		return n, s.endsWord(i, text[n:])
	}
	return n, true
}

// moreStops is the end of the marks at a sentence end that start at i, "?!" or ". . .", and whether one of them ends
// sentences by itself.
func moreStops(text string, i int) (end int, hard bool) {
	for i < len(text) {
		r, w := utf8.DecodeRuneInString(text[i:])
		switch {
		case isMoreStop(r):
			hard = hard || isStop(r)
			i += w
		case r == ' ' && i+1 < len(text) && text[i+1] == '.' && (i+2 == len(text) || text[i+2] == ' ' || text[i+2] == '.'):
			i += 2
		case r == ' ' && strings.HasPrefix(text[i+1:], "།"):
			i += 1 + len("།")
		case r == '\ufe0f' || r == '\ufe0e': // how an emoji such as ⁉ is drawn
			i += w
		default:
			return i, hard
		}
	}
	return i, hard
}

// closers is the end of what may stand between a stop that ends at i and the white space after it: quotes, brackets,
// references such as [12].
func closers(text string, i int) int {
	for i < len(text) {
		if text[i] == '[' {
			n := strings.IndexByte(text[i:min(len(text), i+24)], ']')
			if n < 2 {
				return i
			}
			i += n + 1
			continue
		}
		r, w := utf8.DecodeRuneInString(text[i:])
		if !isCloser(r) {
			// German and Danish close with the marks that others open with.
			if next, _ := utf8.DecodeRuneInString(text[i+w:]); !isOpener(r) || !isSpace(next) {
				return i
			}
		}
		i += w
	}
	return i
}

// noteEnd is the end of the numbers of footnotes at i, right after the stop of a sentence, as in "was shown.12,13 In"; i without one.
func (s *sentenceScanner) noteEnd(i int) int {
	text := s.text[:s.end]
	if i == len(text) || !isDigit(text[i]) || i-s.start < 4 {
		return i
	}
	word := wordBefore(text[s.start : i-1])
	last, _ := utf8.DecodeLastRuneInString(word)
	if last != ')' && (!unicode.IsLetter(last) || len(word) < 2 || strings.Contains(word, ".") || useOf(word) != notShort) {
		return i
	}
	n := i
	for n < len(text) {
		switch c := text[n]; {
		case isDigit(c), (c == ',' || c == '-' || c == ' ') && n+1 < len(text) && isDigit(text[n+1]):
			n++
		case strings.HasPrefix(text[n:], "–"):
			n += len("–")
		default:
			if c != ' ' && c != '\n' {
				return i
			}
			return n
		}
	}
	return n
}

// endsUnspaced reports whether the stop at i, its marks up to j and closing marks up to k end a sentence although no white space follows:
// in scripts without spaces, before a footnote's number, or where a space was lost.
func (s *sentenceScanner) endsUnspaced(i, j, k int, hard bool, next rune) bool {
	before, _ := utf8.DecodeLastRuneInString(s.text[s.start:i])
	stop, _ := utf8.DecodeRuneInString(s.text[i:])
	switch {
	case stop == '．':
		return !unicode.IsDigit(before) || !unicode.IsDigit(next)
	case hard && stop >= utf8.RuneSelf:
		// 「…。」と言った: a quotation inside a sentence. モーニング娘。の, ラブライブ！の: a name that ends in a stop.
		if k > j && unicode.Is(unicode.Hiragana, next) || strings.ContainsRune("のをが", next) {
			return false
		}
		return true
	case isSpaceless(next) && unicode.IsLetter(next):
		return stop != '…' && unicode.IsLetter(before) && s.endsWord(i, "")
	case stop == '.' && j == i+1 && k == j && unicode.IsUpper(next):
		return s.lostSpace(i)
	}
	return false
}

// lostSpace reports whether the stop at i stands between a word and a word that starts sentences and goes on, as in "the end.The next"; not as in
// "time.Second,".
func (s *sentenceScanner) lostSpace(i int) bool {
	text := s.text[:s.end]
	n := i
	for n > s.start && isLower(text[n-1]) {
		n--
	}
	if i-n < 2 || n > s.start && text[n-1] != ' ' && !isUpper(text[n-1]) {
		return false
	}
	word := firstWordOf(text[i+1:])
	rest := strings.TrimPrefix(text[i+1+len(word):], ",")
	return starters[word] && len(rest) > 1 && isSpace(rune(rest[0])) && (isAlpha(rest[1]) || isDigit(rest[1]) || rest[1] >= utf8.RuneSelf)
}

// thai looks at the Thai or Lao text at i: a space in it ends the sentence, once that is long enough.
func (s *sentenceScanner) thai(i int) (at int, ends bool) {
	const shortest = 90 // bytes, 30 letters
	text := s.text[:s.end]
	for i < len(text) {
		r, w := utf8.DecodeRuneInString(text[i:])
		if !isThai(r) {
			break
		}
		i += w
	}
	if i == len(text) || text[i] != ' ' {
		return i, false
	}
	n := skipSpace(text, i, len(text))
	next, _ := utf8.DecodeRuneInString(text[n:])
	return n, isThai(next) && next != 'ๆ' && n-s.start >= shortest
}

// smallCase reports whether the run has no capitals, as some chats and transcripts.
func (s *sentenceScanner) smallCase() bool {
	if s.small == unknownCase {
		const sample = 2048
		s.small = noCapitals
		if strings.ContainsFunc(s.text[s.start:min(s.end, s.start+sample)], unicode.IsUpper) {
			s.small = hasCapitals
		}
	}
	return s.small == noCapitals
}

// firstLetter is the first rune of s that does not open a quotation or bracket.
func firstLetter(s string) rune {
	for _, r := range s {
		if !isOpener(r) {
			return r
		}
	}
	return 0
}

// firstWordOf is the word that s starts with; "" for an initial.
func firstWordOf(s string) string {
	const longest = 24
	s = s[:min(len(s), longest)]
	n := strings.IndexFunc(s, func(r rune) bool { return !unicode.IsLetter(r) && r != '\'' && r != '’' })
	switch {
	case n < 0:
		return s
	case n == 1 && s[1] == '.':
		return ""
	}
	return s[:n]
}
