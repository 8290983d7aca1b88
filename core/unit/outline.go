package unit

import (
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/cprs-go/cprs/core/span"
)

// Outline knows the headings of a text, the columns of its tables, the first lines of its records, and who speaks in it.
type Outline struct {
	text     string
	headings []span.Range
	tables   []table
	speakers map[string]bool
	records  map[string]bool // the labels that their first lines start with
	talk     bool            // most of it is a conversation
}

// NewOutline reads text once. Headings are those of Markdown and HTML, underlined lines, numbered or capital lines that stand alone, and the lines
// of Git that name a commit or the file of a change. A label such as "Name:" at the start of lines is a speaker if it stands there twice, as far
// to the left as the first label. Lines of labels after a blank line are a record if another begins with the same label.
func NewOutline(text string) *Outline {
	o := &Outline{text: text, speakers: map[string]bool{}, records: map[string]bool{}}
	b := outliner{o: o, seen: map[string]bool{}, seenFirst: map[string]bool{}}
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

// Record is the first line of the record that byte at belongs to, such as "Package: curl" of apt and dpkg or "error: mismatched types" of a
// compiler, without white space; empty outside of records and in that line itself.
func (o *Outline) Record(at int) span.Range {
	const recordBytes = 16 << 10
	start := o.lineStart(at)
	if m := o.message(start); !m.Empty() || len(o.records) == 0 {
		return m
	}
	own, floor := start, max(0, at-recordBytes)
	for start > floor {
		above := o.lineStart(start - 1)
		if strings.TrimSpace(o.text[above:start]) == "" {
			break
		}
		start = above
	}
	first := Trim(o.text, span.Range{Start: start, End: o.lineEnd(start)})
	if start == own || first.Len() > openerBytes || !o.records[labelOf(o.text[first.Start:first.End])] {
		return span.Range{}
	}
	return first
}

// message is the line of a compiler that the line at byte start shows the place of, or helps with; empty if there is none.
func (o *Outline) message(start int) span.Range {
	const lines = 40
	for n := 0; n < lines && start > 0; n++ {
		line := o.text[start:o.lineEnd(start)]
		if line == "" || isAlpha(line[0]) && !strings.HasPrefix(line, "help: ") && !strings.HasPrefix(line, "note: ") {
			break
		}
		start = o.lineStart(start - 1)
		if l := Trim(o.text, span.Range{Start: start, End: o.lineEnd(start)}); isMessage(o.text[l.Start:l.End]) {
			return l
		}
	}
	return span.Range{}
}

// messages are the words of compilers for what is wrong.
var messages = [...]string{"error", "warning", "fatal error"}

// isMessage reports whether a line is a compiler's: "error[E0308]: mismatched types", "main.c:7:2: warning: unused variable".
func isMessage(s string) bool {
	place, rest, ok := strings.Cut(s[:min(len(s), kindBytes)], ": ")
	if ok && strings.Trim(place[strings.IndexByte(place, ':')+1:], "0123456789:") == "" && strings.Contains(place, ":") {
		s = rest
	}
	for _, m := range messages {
		if rest, ok := strings.CutPrefix(s, m); ok && rest != "" && (rest[0] == ':' || rest[0] == '[') {
			return true
		}
	}
	return false
}

// labelOf is the name in the label that the line s starts with; empty without one.
func labelOf(s string) string { return speakerOf(s[:labelLen(s[:min(len(s), kindBytes)])]) }

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
	seenFirst   map[string]bool // those that records may begin with
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
	if b.isHeading(s, next) {
		b.heading(cur)
	}
	if s != "" {
		b.lines++
	}
	if b.labels == 0 {
		b.margin = cur.first - cur.start
	}
	if cur.kind == label && cur.first-cur.start == b.margin {
		b.label(labelOf(s), next)
	}
	b.before, b.cur = cur, next
}

// label looks at the name that cur starts with; empty if it has none.
func (b *outliner) label(name string, next line) {
	if name == "" {
		return
	}
	b.labels++
	again(name, b.seen, b.o.speakers)
	if b.before.kind == blank && next.kind == label && labelOf(b.o.text[next.first:next.body]) != name {
		again(name, b.seenFirst, b.o.records)
	}
}

// isHeading reports whether cur, whose text is s, is a heading.
func (b *outliner) isHeading(s string, next line) bool {
	before, cur := b.before.kind, b.cur.kind
	switch cur {
	case heading:
		// "# words" is a heading in Markdown, unless it is indented like code, and a comment in many languages.
		return indent(b.o.text, b.cur) < 4 && (before != code && next.kind != code && before != cur && next.kind != cur || atxLevel(s) > 1)
	case bullet:
		return holdsHeading(s)
	case prose, numbered, label, code:
		switch {
		case isCommit(s), strings.HasPrefix(s, "diff --git "), cur == code && holdsHeading(s):
			return true
		case before == blank && next.kind == rule:
			return strings.IndexByte("=-~^", b.o.text[next.first]) >= 0 && len(s) <= 120
		}
		return before == blank && next.kind == blank && isTitle(s)
	}
	return false
}

// again puts a name into twice if it was met before.
func again(name string, seen, twice map[string]bool) {
	switch {
	case seen[name]:
		twice[name] = true
	case len(seen) < maxSpeakers:
		seen[name] = true
	}
}

// isCommit reports whether s names a commit, as logs of Git do before its author and date.
func isCommit(s string) bool {
	rest, ok := strings.CutPrefix(s, "commit ")
	hash, _, _ := strings.Cut(rest, " ")
	return ok && len(hash) >= 7 && strings.Trim(hash, "0123456789abcdef") == ""
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
