package unit

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/cprs-go/cprs/core/span"
)

// run is a sequence of lines that read on: a line, or prose that was wrapped to fit a width. Blank lines belong to the run before them.
type run struct {
	span.Range
	kind  kind // of the first line; heading also for a line that the second underlines
	opens bool // starts with the first line of a code fence
	gap   bool // ends in a blank line
}

// runReader joins lines to runs.
type runReader struct {
	lines lineReader
	start int  // where the next run starts
	line  line // its first line that is not blank
	more  bool // there is such a line
	wrap  wrap
}

func newRunReader(text string) *runReader {
	r := &runReader{lines: newLineReader(text)}
	r.line, _, r.more = r.lines.nextFilled()
	return r
}

// next is the next run; ok is false at the end of the text.
func (r *runReader) next() (out run, ok bool) {
	end := len(r.lines.text)
	if r.start == end {
		return run{}, false
	}
	cur := r.line
	out = run{Range: span.Range{Start: r.start, End: end}, kind: cur.kind, opens: cur.opens}
	for first := true; r.more; first = false {
		var next line
		next, out.gap, r.more = r.lines.nextFilled()
		switch {
		case !r.more:
		case first && !out.gap && r.isUnderlined(cur, next):
			out.kind = heading
		case out.gap || out.kind.whole() || !r.joins(cur, next):
			out.End = next.start
			r.line, r.start = next, next.start
			return out, true
		}
		cur = next
	}
	r.start = end
	return out, true
}

// isUnderlined reports whether next underlines the heading cur.
func (r *runReader) isUnderlined(cur, next line) bool {
	if next.kind != rule || cur.body-cur.first > 120 {
		return false
	}
	switch cur.kind {
	case prose, numbered, label:
		return strings.IndexByte("=-~^", r.lines.text[next.first]) >= 0
	}
	return false
}

// Widths, in columns, that text is wrapped at.
const (
	minWrap = 32
	maxWrap = 130
)

// joins reports whether the sentence that is under way at the end of cur may go on in next, the line after it.
func (r *runReader) joins(cur, next line) bool {
	text := r.lines.text
	if cur.start >= r.wrap.until {
		r.wrap = r.measure(cur, next)
	}
	if r.wrap.items && (isItem(text, next) || cur.kind != bullet && isItem(text, cur)) {
		return false // also where its lines are of one width by chance
	}
	last, _ := utf8.DecodeLastRuneInString(text[cur.first:cur.body])
	stopped := last == ';' || isMoreStop(last) && !endsShort(text[cur.first:cur.body])
	switch next.kind {
	case prose:
	case quote:
		if cur.kind != quote {
			return false
		}
	case numbered, label:
		if !r.wrap.regular || stopped {
			return false
		}
	default:
		return false
	}
	if last == ':' || last == '：' {
		return false
	}
	width := columns(text[cur.start:cur.body])
	lower := startsLower(text[next.first:next.body])
	if cur.kind == prose && indent(text, next) > indent(text, cur)+1 && !lower {
		return false
	}
	switch fits := width+1+columns(firstWord(text, next)) <= r.wrap.width; {
	case width > maxWrap:
		return lower && !stopped
	case r.wrap.regular && !fits:
		return true
	case stopped:
		return false
	case lower:
		return width >= minWrap
	case isCloser(last):
		return false
	case last == ',' || endsOpen(text[cur.first:cur.body]):
		return width >= minWrap
	}
	return r.wrap.pairs == 1 && width >= 60 && width <= 100
}

// wrap says how the lines of a block are wrapped.
type wrap struct {
	until   int  // holds for lines that start before
	width   int  // of the longest line that another follows
	pairs   int  // of a line with prose after it
	regular bool // in most pairs, the first word of the second line would not have fitted on the first
	items   bool // two lines in five, of those without a bullet or number, say something by themselves
}

// measure looks at the lines of the block that starts with cur and next, at most at blockLines.
func (r *runReader) measure(cur, next line) wrap {
	const blockLines = 32
	text := r.lines.text
	var filled [blockLines]int // columns that each pair needs to be on one line
	ahead := r.lines
	w := wrap{}
	lines, items := 0, 0
	count := func(l line) {
		if l.kind == bullet || l.kind == numbered {
			return
		}
		lines++
		if isItem(text, l) {
			items++
		}
	}
	count(cur)
	for w.pairs < blockLines && next.kind != blank && !next.kind.whole() {
		if next.kind == prose || next.kind == quote {
			width := columns(text[cur.start:cur.body])
			w.width = max(w.width, width)
			filled[w.pairs] = width + 1 + columns(firstWord(text, next))
			w.pairs++
		}
		count(next)
		w.until = next.end
		cur = next
		var ok bool
		if next, ok = ahead.next(); !ok {
			break
		}
	}
	tight := 0
	for _, n := range filled[:w.pairs] {
		if n > w.width {
			tight++
		}
	}
	w.items = items >= 2 && items*5 >= lines*2
	w.regular = w.pairs >= 2 && w.width >= minWrap && w.width <= maxWrap && tight*4 >= w.pairs*3
	return w
}

// firstWord is the word that l starts with, without a mark of quotation; one character of a script without spaces.
func firstWord(text string, l line) string {
	s := text[l.first:min(l.body, l.first+64)]
	if l.kind == quote {
		s = strings.TrimLeft(s, "> ")
	}
	if r, w := utf8.DecodeRuneInString(s); isSpaceless(r) {
		return s[:w]
	}
	if n := strings.IndexAny(s, " \t"); n >= 0 {
		return s[:n]
	}
	return s
}

const tabStop = 8

// columns is how wide s is on a terminal, at the start of a line, as far as it matters here.
func columns(s string) int {
	n := 0
	for _, r := range s[:min(len(s), 4*maxWrap)] {
		switch {
		case r == '\t':
			n += tabStop - n%tabStop
		case isWide(r):
			n += 2
		default:
			n++
		}
	}
	return n
}

// indent is the number of columns before the first byte of l.
func indent(text string, l line) int { return columns(text[l.start:l.first]) }

// startsLower reports whether the first letter of s is a small one.
func startsLower(s string) bool {
	s = strings.TrimLeft(s, "> ")
	r, w := utf8.DecodeRuneInString(s)
	if isOpener(r) && r != '(' && r != '[' {
		r, _ = utf8.DecodeRuneInString(s[w:])
	}
	return unicode.IsLower(r)
}

// openWords cannot end a heading or an item of a list.
var openWords = map[string]bool{
	"a": true, "an": true, "the": true, "of": true, "and": true, "or": true, "to": true, "in": true, "for": true, "with": true, "by": true,
	"der": true, "die": true, "das": true, "und": true, "de": true, "la": true, "le": true, "les": true, "et": true, "el": true, "los": true, "y": true,
}

// endsShort reports whether s ends in an abbreviation that text must follow, such as "Mr."
func endsShort(s string) bool {
	s, dot := strings.CutSuffix(s, ".")
	return dot && useOf(wordBefore(s)) == before
}

// endsOpen reports whether s ends in a word after which text must follow.
func endsOpen(s string) bool { return openWords[s[strings.LastIndexByte(s, ' ')+1:]] }
