package unit

import (
	"strings"

	"github.com/cprs-go/cprs/core/span"
)

// line is text[start:end], line end included; a small JSON object of an array is one, over several lines or beside others in one line, and
// so are a block of an HTML page in a long line, the sentence of a comment that was wrapped, and one of subtitles.
type line struct {
	start, end int
	body       int // where white space at the end begins
	first      int // first byte that is no white space; body if there is none
	kind       kind
	opens      bool // first line of a code fence
	names      bool // names the columns of a grid
}

// empty reports whether l holds white space only.
func (l line) empty() bool { return l.first == l.body }

// lineReader reads the lines of a text. A copy of it reads ahead.
type lineReader struct {
	text  string
	pos   int
	ahead [len(lineEnds)]int // where the next end of each kind stands, if at pos or later
	fence string             // the mark of the open code fence
	grid  grid               // that is being read

	pieces int              // end of the line that is read in pieces
	piece  func(string) int // the length of the first one
	page   bool             // they are those of HTML or XML, not of JSON
}

// lineEnds end lines; so does "\r\n".
var lineEnds = [...]string{"\n", "\r", "\u2028", "\u2029"}

func newLineReader(text string) lineReader {
	r := lineReader{text: text}
	for i := range r.ahead {
		r.ahead[i] = -1
	}
	return r
}

// next is the next line; ok is false at the end of the text.
func (r *lineReader) next() (l line, ok bool) {
	if r.pos >= len(r.text) {
		return line{}, false
	}
	l.start = r.pos
	l.end = r.lineEnd()
	if whole := r.text[l.start:l.end]; l.start >= r.pieces {
		switch r.piece = markupLen(whole); {
		case r.piece != nil:
			r.pieces, r.page = l.end, true
		case isList(whole):
			r.pieces, r.piece, r.page = l.end, pieceLen, false
		}
	}
	if l.start < r.pieces {
		l.end = pieceEnd(r.text, l.start, r.pieces, r.piece)
	}
	r.pos = l.end
	l.first = skipSpace(r.text, l.start, l.end)
	l.body = l.first + len(strings.TrimRightFunc(r.text[l.first:l.end], isSpace))
	r.classify(&l)
	if l.empty() {
		return l, true
	}
	if end := objectEnd(r.text, l); end > 0 {
		r.extend(&l, end, l.kind)
	} else if end := cuesEnd(r.text, l); end > 0 {
		r.extend(&l, end, record)
	} else if end := commentEnd(r.text, l); end > 0 {
		r.extend(&l, end, code)
	}
	return l, true
}

// extend has l hold all up to byte end, and what white space follows there, and makes it a line of kind k, outside of a code fence.
func (r *lineReader) extend(l *line, end int, k kind) {
	r.pos, l.body = end, end
	l.end = r.lineEnd()
	r.pos = l.end
	if l.kind != fence {
		l.kind = k
	}
}

// nextFilled is the next line that is not blank; gap says that blank lines stand before it, or before the end of the text.
func (r *lineReader) nextFilled() (l line, gap, ok bool) {
	for {
		l, ok = r.next()
		if !ok || !l.empty() {
			return l, gap, ok
		}
		gap = true
	}
}

// lineEnd is where the line that starts at pos ends. It remembers what it finds, so that a text is searched once.
func (r *lineReader) lineEnd() int {
	end := len(r.text)
	for i, mark := range lineEnds {
		if r.ahead[i] < r.pos {
			r.ahead[i] = len(r.text)
			if n := strings.Index(r.text[r.pos:], mark); n >= 0 {
				r.ahead[i] = r.pos + n
			}
		}
		if at := r.ahead[i]; at < len(r.text) {
			end = min(end, at+len(mark))
		}
	}
	if end < len(r.text) && r.text[end-1] == '\r' && r.text[end] == '\n' {
		end++
	}
	return end
}

// classify sets the kind of l and follows code fences and grids.
func (r *lineReader) classify(l *line) {
	s := r.text[l.first:l.body]
	switch mark := fenceMark(s); {
	case r.fence != "":
		l.kind = fence
		if strings.HasPrefix(mark, r.fence) && len(mark) == len(s) {
			r.fence = ""
		}
	case l.end <= r.pieces:
		switch {
		case r.page:
			l.kind = bullet // begins a sentence, and may hold several
		case len(s) > maxObject: // a long text in quotes
			l.kind = prose
		default:
			l.kind = record
		}
		r.grid = nil
		return
	case mark != "":
		l.kind, l.opens = fence, true
		r.fence = mark
	case s != "":
		if l.kind = kindOf(s); l.kind == row && isJustified(r.text[l.start:l.body]) {
			l.kind = prose
		}
	}
	r.align(l)
}

// isJustified reports whether a line that looks like a row is one of a manual, whose blanks "col" made tabs: indented, not wide, and of words.
func isJustified(s string) bool {
	if s[0] != ' ' && s[0] != '\t' || strings.Contains(s, "|") || columns(s) > 80 {
		return false
	}
	words, small := 0, 0
	for w := range strings.FieldsSeq(s) {
		words++
		if strings.Trim(w, "abcdefghijklmnopqrstuvwxyz") == "" {
			small++
		}
	}
	return words >= 5 && small*2 > words
}

// align makes l a row if it stands in a grid, or is the head of one.
func (r *lineReader) align(l *line) {
	s := r.text[l.start:l.body]
	if l.kind != blank && l.kind != fence && r.grid != nil && r.grid.goes(s) {
		l.kind = row
		return
	}
	r.grid = nil
	if l.kind == prose {
		r.grid = newGrid(s, r.text[l.end:])
	}
	if r.grid != nil {
		l.kind, l.names = row, true
	}
}

// fenceMark is the run of three or more ` or ~ that s starts with.
func fenceMark(s string) string {
	if s == "" || s[0] != '`' && s[0] != '~' {
		return ""
	}
	n := len(s) - len(strings.TrimLeft(s, s[:1]))
	if n < 3 || s[0] == '`' && strings.Contains(s[n:], "`") {
		return ""
	}
	return s[:n]
}

// splitLines yields the lines of text, blank lines with the line before.
func splitLines(text string, yield func(span.Range) bool) {
	r := newLineReader(text)
	r.nextFilled()
	for start := 0; start < len(text); {
		end := len(text)
		if l, _, ok := r.nextFilled(); ok {
			end = l.start
		}
		if !pack(text, span.Range{Start: start, End: end}, sentencesOf, yield) {
			return
		}
		start = end
	}
}
