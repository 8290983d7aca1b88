package unit

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/cprs-go/cprs/core/span"
)

// How far up lines are looked for that enclose another, and how many are named.
const (
	enclosingBytes = 32 << 10
	maxEnclosing   = 4
	openerBytes    = 160 // of a longer line nobody would say that it is the name of what stands below
)

// Enclosing are the lines that byte at stands under, the nearest first: those above that are indented less and less and open what
// follows, as keys of settings, sections of an INI file, items of a list, functions and the terms of a manual do. Those that open a branch or a
// loop only, and braces alone, are left out. Their indentation belongs to them.
func (o *Outline) Enclosing(at int) []span.Range {
	var out []span.Range
	end := o.lineStart(at)
	depth := o.depth(end)
	section := isSetting(o.text[end:o.lineEnd(at)])
	for floor := max(0, at-enclosingBytes); end > floor && (depth > 0 || section) && len(out) < maxEnclosing; {
		start := o.lineStart(end - 1)
		above, under := span.Range{Start: start, End: end}, end
		end = start
		d := o.depth(start)
		if d > depth || d == depth && !section {
			continue
		}
		l := Trim(o.text, above)
		s, named := o.text[l.Start:l.End], span.Range{Start: start, End: l.End}
		switch {
		case s == "" || len(s) > openerBytes:
		case section && isSection(s):
			out = append(out, named)
			depth, section = 0, false
		case d < depth:
			depth = d
			if opens(s) || isTerm(s, o.text[under:o.lineEnd(under)]) {
				out = append(out, named)
			}
		}
	}
	return out
}

// lineStart is where the line of byte at starts.
func (o *Outline) lineStart(at int) int { return strings.LastIndexByte(o.text[:at], '\n') + 1 }

// lineEnd is where the line of byte at ends, at the latest after kindBytes.
func (o *Outline) lineEnd(at int) int {
	last := min(len(o.text), at+kindBytes)
	if n := strings.IndexByte(o.text[at:last], '\n'); n >= 0 {
		return at + n
	}
	return last
}

// depth is how far the line that starts at byte start is indented, in columns.
func (o *Outline) depth(start int) int {
	s := o.text[start:min(len(o.text), start+kindBytes)]
	return columns(s[:len(s)-len(strings.TrimLeft(s, " \t"))])
}

// isSection reports whether a line begins a section of an INI or TOML file: a name in brackets.
func isSection(s string) bool {
	name := strings.Trim(s, "[]")
	return len(name) > 0 && s[0] == '[' && s[len(s)-1] == ']' && isAlpha(name[0]) && !strings.ContainsAny(name, "[]")
}

// isSetting reports whether a line gives a name a value.
func isSetting(s string) bool {
	name, _, ok := strings.Cut(s, "=")
	return ok && isName(strings.TrimSpace(name))
}

// branches are the words that open a branch or a loop.
var branches = map[string]bool{
	"if": true, "else": true, "elif": true, "for": true, "while": true, "switch": true, "case": true, "default": true, "try": true, "catch": true,
	"except": true, "finally": true, "with": true, "do": true, "select": true, "match": true, "return": true, "loop": true, "unless": true, "when": true,
}

// opens reports whether a line names what is indented below it.
func opens(s string) bool {
	if s[0] == '}' || s[0] == ')' || !strings.ContainsFunc(s, isSolid) {
		return false
	}
	if branches[firstWordOf(s)] {
		return false
	}
	switch s[len(s)-1] {
	case ':', '{', '[', '(':
		return true
	}
	return isBullet(s) && nameLen(strings.TrimLeft(s, "-*+ ")) > 0
}

// isTerm reports whether s is what under, the line below it and further in, begins to explain, as an option is in a manual.
func isTerm(s, under string) bool {
	const longest = 80
	if len(s) > longest || isBullet(s) || numberLen(s) > 0 {
		return false
	}
	last, _ := utf8.DecodeLastRuneInString(s)
	first, _ := utf8.DecodeRuneInString(strings.TrimLeft(under, " \t"))
	return unicode.IsUpper(first) && (unicode.IsLetter(last) || unicode.IsDigit(last) || strings.ContainsRune(")]}>\"'`", last))
}
