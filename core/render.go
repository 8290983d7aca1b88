package core

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/cprs-go/cprs/core/tokenizer"
)

// render writes the kept spans in order, with marks where text of a document is left out and, among several
// documents or with labels, a line with the name of each.
func (r *run) render() string {
	var b strings.Builder
	lines := newLineCounter(r.req.Documents)
	for i, s := range r.res.Spans {
		text := r.req.Documents[s.Doc].Text
		switch {
		case i > 0 && r.res.Spans[i-1].Doc == s.Doc:
			b.WriteString(r.mark(i, lines))
		case i > 0:
			b.WriteString("\n\n")
			fallthrough
		default:
			b.WriteString(r.docLine(s.Doc, r.lines(i, lines)))
		}
		b.WriteString(text[s.Start:s.End])
	}
	return b.String()
}

// whole writes all documents as they are.
func (r *run) whole(labels bool) string {
	labels = labels && r.req.Gap == GapLabels
	if len(r.req.Documents) == 1 && !labels {
		return r.req.Documents[0].Text
	}
	var b strings.Builder
	for i := range r.req.Documents {
		if i > 0 {
			b.WriteString("\n\n")
		}
		if labels {
			b.WriteString(r.docLine(i, r.req.Documents[i].lines()))
		}
		b.WriteString(r.req.Documents[i].Text)
	}
	return b.String()
}

// wholeLabels is how many tokens the labels of whole take.
func (r *run) wholeLabels() int {
	if r.req.Gap != GapLabels {
		return 0
	}
	n := 0
	for i := range r.req.Documents {
		n += tokenizer.Count(r.p.opt.Tokenizer, r.docLine(i, r.req.Documents[i].lines()))
	}
	return n
}

// docLine names a document among several; with labels also one alone, and the lines of its part that follows.
func (r *run) docLine(doc int, lines LineRange) string {
	name := r.req.Documents[doc].name(doc)
	switch {
	case r.req.Gap == GapLabels:
		return "[" + name + ":" + lines.String() + "]\n"
	case len(r.req.Documents) == 1 || r.req.Gap == GapNone:
		return ""
	}
	return "[" + name + "]\n"
}

// lines is what a label above the kept part i says: the lines from there to the next label.
func (r *run) lines(i int, lines *lineCounter) LineRange {
	if r.req.Gap != GapLabels {
		return LineRange{}
	}
	s := r.res.Spans[i]
	for i++; i < len(r.res.Spans) && r.res.Spans[i].Doc == s.Doc && !r.labelled(r.left(i)); i++ {
		s.End = r.res.Spans[i].End
	}
	return lines.of(s)
}

// left is the text between the kept part i and the one before it, in the same document.
func (r *run) left(i int) string {
	b := r.res.Spans[i]
	return r.req.Documents[b.Doc].Text[r.res.Spans[i-1].End:b.Start]
}

// labelled reports whether the part behind what is left out gets a label.
func (r *run) labelled(left string) bool {
	return r.req.Gap == GapLabels && strings.Contains(left, "\n") && strings.TrimSpace(left) != ""
}

// mark stands for the text left out before the kept part i: on a line of its own if that text has a line end.
func (r *run) mark(i int, lines *lineCounter) string {
	a, b, left := r.res.Spans[i-1], r.res.Spans[i], r.left(i)
	sep := " "
	if strings.Contains(left, "\n") {
		sep = "\n"
	}
	switch {
	case r.req.Gap == GapNone || strings.TrimSpace(left) == "":
		return sep
	case r.req.Gap == GapLines && sep == "\n":
		first, last := lines.at(a.Doc, a.End), lines.at(b.Doc, b.Start)
		// A part ends inside its last line and starts the next one: the lines between are those left out.
		if first+1 <= last-1 {
			return fmt.Sprintf("\n[lines %d-%d left out]\n", first+1, last-1)
		}
	case r.labelled(left):
		return "\n[…:" + r.lines(i, lines).String() + "]\n"
	}
	return sep + "[…]" + sep
}

// markTokens is what a mark costs at most.
func (r *run) markTokens() int {
	switch r.req.Gap {
	case GapNone:
		return 0
	case GapLines:
		return tokenizer.Count(r.p.opt.Tokenizer, "[lines 1000000-1000000 left out]")
	case GapLabels:
		return tokenizer.Count(r.p.opt.Tokenizer, "[…:1000000-1000000]")
	}
	return tokenizer.Count(r.p.opt.Tokenizer, "[…]")
}

// docTokens is what the line that names each document costs; nil if there is none.
func (r *run) docTokens() []int {
	if len(r.req.Documents) == 1 && r.req.Gap != GapLabels || r.req.Gap == GapNone {
		return nil
	}
	out := make([]int, len(r.req.Documents))
	for i := range out {
		out[i] = tokenizer.Count(r.p.opt.Tokenizer, r.docLine(i, LineRange{1000000, 2000000}))
	}
	return out
}

// documents sums up what was kept of each document.
func (r *run) documents() {
	r.res.Documents = make([]DocumentResult, len(r.req.Documents))
	for i := range r.res.Documents {
		d := &r.req.Documents[i]
		r.res.Documents[i].ID = d.name(i)
		if r.units == nil {
			r.res.Documents[i].Tokens = tokenizer.Count(r.p.opt.Tokenizer, d.Text)
		}
	}
	for _, u := range r.units {
		r.res.Documents[u.Doc].Tokens += u.Tokens
	}
	lines := newLineCounter(r.req.Documents)
	for _, s := range r.res.Spans {
		d := &r.res.Documents[s.Doc]
		d.KeptTokens += tokenizer.Count(r.p.opt.Tokenizer, r.req.Documents[s.Doc].Text[s.Start:s.End])
		l := lines.of(s)
		if n := len(d.Lines); n > 0 && l.First <= d.Lines[n-1].Last+1 {
			d.Lines[n-1].Last = max(d.Lines[n-1].Last, l.Last)
			continue
		}
		d.Lines = append(d.Lines, l)
	}
}

// lineCounter tells line numbers of places that come in order, in one pass over each document.
type lineCounter struct {
	docs []Document
	doc  int
	at0  int // byte up to which lines were counted
	line int
}

func newLineCounter(docs []Document) *lineCounter { return &lineCounter{docs: docs, doc: -1} }

// of is the lines that a span, which is not empty, lies on.
func (l *lineCounter) of(s Span) LineRange {
	return LineRange{l.at(s.Doc, s.Start), l.at(s.Doc, s.End-1)}
}

// at is the line of a byte; places come in order.
func (l *lineCounter) at(doc, byte int) int {
	if doc != l.doc {
		l.doc, l.at0, l.line = doc, 0, l.docs[doc].firstLine()
	}
	l.line += strings.Count(l.docs[doc].Text[l.at0:byte], "\n")
	l.at0 = byte
	return l.line
}

// firstLine is the number of the line that the text begins with.
func (d *Document) firstLine() int { return max(1, d.FirstLine) }

// lines is all lines of the document.
func (d *Document) lines() LineRange {
	return LineRange{d.firstLine(), d.firstLine() + strings.Count(strings.TrimSuffix(d.Text, "\n"), "\n")}
}

// String is the range as in labels: "12-40", or "12" for a single line.
func (l LineRange) String() string {
	if l.First == l.Last {
		return strconv.Itoa(l.First)
	}
	return strconv.Itoa(l.First) + "-" + strconv.Itoa(l.Last)
}

// LineNumbers gives the line of each span's start; spans are in order.
func LineNumbers(docs []Document, spans []Span) []int {
	lines := newLineCounter(docs)
	out := make([]int, len(spans))
	for i, s := range spans {
		out[i] = lines.at(s.Doc, s.Start)
	}
	return out
}
