package unit

import (
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/cprs-go/cprs/core/span"
)

// Outline knows the headings of a text, the columns of its tables, and who speaks in it.
type Outline struct {
	text     string
	headings []span.Range
	tables   []table
	speakers map[string]bool
	talk     bool // most of it is a conversation
}

// NewOutline reads text once. Headings are those of Markdown, underlined lines, and numbered or capital lines that stand alone. A label such as
// "Name:" at the start of lines is a speaker if it stands there twice, as far to the left as the first label.
func NewOutline(text string) *Outline {
	o := &Outline{text: text, speakers: map[string]bool{}}
	b := outliner{o: o, seen: map[string]bool{}}
	r := newLineReader(text)
	var t tableReader
	for l, ok := r.next(); ok; l, ok = r.next() {
		b.add(l)
		o.tables = t.add(text, l, o.tables)
	}
	b.add(line{start: len(text), first: len(text), body: len(text), end: len(text)})
	o.talk = len(o.speakers) > 1 && (b.labels*4 >= b.lines || o.speakers["User"] || o.speakers["Assistant"] || o.speakers["user"] || o.speakers["Human"])
	return o
}

// Heading is the nearest heading at or before byte at, without white space and underline; empty if there is none.
func (o *Outline) Heading(at int) span.Range {
	i, found := slices.BinarySearchFunc(o.headings, at, func(h span.Range, at int) int { return h.Start - at })
	if !found {
		i--
	}
	if i < 0 {
		return span.Range{}
	}
	return o.headings[i]
}

// Headings are the headings in order; not to be changed.
func (o *Outline) Headings() []span.Range { return o.headings }

// Speaker is the label of the turn that byte at belongs to, such as "Name:"; empty if no one speaks there. In a conversation a turn goes on
// until someone else speaks or a heading comes, at most over turnBytes; elsewhere it is the line.
func (o *Outline) Speaker(at int) span.Range {
	const turnBytes = 16 << 10
	if len(o.speakers) == 0 {
		return span.Range{}
	}
	floor := max(o.Heading(at).End, at-turnBytes)
	for end := min(at, len(o.text)); end >= floor; {
		start := floor + strings.LastIndexByte(o.text[floor:end], '\n') + 1
		if start == floor && start > 0 && o.text[start-1] != '\n' {
			break
		}
		head, _, _ := strings.Cut(o.text[start:min(len(o.text), start+kindBytes)], "\n")
		first := skipSpace(head, 0, len(head))
		if n := labelLen(head[first:]); n > 0 && o.speakers[speakerOf(head[first:first+n])] {
			return span.Range{Start: start + first, End: start + first + n}
		}
		if !o.talk {
			break
		}
		end = start - 1
	}
	return span.Range{}
}

// labelLen is the length of the label that the line s starts with, with the time before it; 0 without one.
func labelLen(s string) int {
	if s == "" {
		return 0
	}
	if n := nameLen(s); n > 0 || !isRecord(s) {
		return n
	}
	rest := afterStamp(s)
	if n := nameLen(rest); n > 0 {
		return len(s) - len(rest) + n
	}
	return 0
}

// speakerOf is the name in a label, without the time before it and the mark after it.
func speakerOf(label string) string {
	if isRecord(label) {
		label = afterStamp(label)
	}
	return strings.TrimRight(label, ":：")
}

// maxSpeakers bounds the memory that labels take in a text that is no conversation.
const maxSpeakers = 4096

// outliner collects the headings and speakers of a text from its lines.
type outliner struct {
	o           *Outline
	seen        map[string]bool // labels that were met once
	before, cur line            // the two lines before the next; kind blank at the start
	lines       int             // that are not blank
	labels      int             // that start with a label
	margin      int             // where the first label starts in its line; keys below keys start further right
}

// add looks at cur, now that next is known.
func (b *outliner) add(next line) {
	text := b.o.text
	cur := b.cur
	s := text[cur.first:cur.body]
	switch cur.kind {
	case heading:
		// "# words" is a heading in Markdown and a comment in many languages.
		if b.before.kind != code && next.kind != code && b.before.kind != cur.kind && next.kind != cur.kind || atxLevel(s) > 1 {
			b.heading(cur)
		}
	case prose, numbered, label, code:
		if next.kind == rule && b.before.kind == blank && strings.IndexByte("=-~^", text[next.first]) >= 0 && len(s) <= 120 {
			b.heading(cur)
		} else if b.before.kind == blank && next.kind == blank && isTitle(s) {
			b.heading(cur)
		}
	}
	if s != "" {
		b.lines++
	}
	if b.labels == 0 {
		b.margin = cur.first - cur.start
	}
	if n := labelLen(s[:min(len(s), kindBytes)]); cur.kind == label && n > 0 && cur.first-cur.start == b.margin {
		b.labels++
		name := speakerOf(s[:n])
		switch {
		case b.seen[name]:
			b.o.speakers[name] = true
		case len(b.seen) < maxSpeakers:
			b.seen[name] = true
		}
	}
	b.before, b.cur = cur, next
}

func (b *outliner) heading(l line) {
	b.o.headings = append(b.o.headings, span.Range{Start: l.first, End: l.body})
}

// isTitle reports whether s, a line between blank lines, reads like a heading: short, numbered or in capitals, without a stop.
func isTitle(s string) bool {
	if len(s) > 100 || s == "" {
		return false
	}
	last, _ := utf8.DecodeLastRuneInString(s)
	if isMoreStop(last) && numberLen(s) == 0 || last == ':' || last == ',' || last == ';' {
		return false
	}
	rest := strings.TrimSpace(s[numberLen(s):])
	if divisions[firstWordOf(rest)] {
		return true
	}
	capitals := isCapitals(rest)
	if numberLen(s) == 0 {
		return capitals && len(rest) >= 4
	}
	longest := 8
	if isMoreStop(last) {
		longest = 4
	}
	return capitals || len(strings.Fields(rest)) <= longest
}
