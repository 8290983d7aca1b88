package unit

import "strings"

// Pages that a program fetched often stand in one line or a few. Such a line is read in pieces, one for each block that ends in it: a paragraph, an
// item of a list, a row of a table. Of other XML, whose elements nobody knows, it is one for each element that holds others, or for some small ones.

// pageBytes is the length of a line beyond which it is read so. What has its elements in lines of their own needs no help.
const pageBytes = 300

// blocks are the elements of HTML, and of feeds, whose ends end what they say.
var blocks = func() map[string]bool {
	m := map[string]bool{}
	for name := range strings.FieldsSeq(`
		address article aside blockquote body dd details div dl entry fieldset figure footer form h1 h2 h3 h4 h5 h6 head header html item li main nav
		ol option p pre record row script section select style summary table tbody template tfoot thead title tr ul url`) {
		m[name] = true
	}
	return m
}()

// markupLen finds how the pieces of a line of HTML or XML are measured; nil for a line that is not read in pieces.
func markupLen(line string) func(string) int {
	switch {
	case len(line) <= pageBytes || !strings.HasPrefix(line[skipSpace(line, 0, len(line)):], "<"):
	case blockLen(line) < len(line):
		return blockLen
	case elementLen(line) < len(line):
		return elementLen
	}
	return nil
}

// blockLen is how long the first piece of s is, the rest of a line of HTML: up to the end of a block or a break, with the white space and
// what ends behind it.
func blockLen(s string) int {
	for i := 0; ; {
		n := strings.IndexByte(s[i:], '<')
		if n < 0 {
			return len(s)
		}
		i += n
		tag, ends := tagLen(s[i:])
		if i += max(1, tag); !ends {
			continue
		}
		for {
			i = skipSpace(s, i, len(s))
			tag, ends := tagLen(s[i:])
			if !ends && !strings.HasPrefix(s[i:], "</") || tag == 0 {
				return i
			}
			i += tag
		}
	}
}

// holdsHeading reports whether a short piece of a page ends a heading, h1 to h6.
func holdsHeading(s string) bool {
	if len(s) >= kindBytes {
		return false
	}
	i := strings.Index(s, "</h")
	return i >= 0 && i+4 < len(s) && s[i+3] >= '1' && s[i+3] <= '6' && s[i+4] == '>'
}

// elementLen is how long the first piece of s is, the rest of a line of XML: up to where elements end within each other, or one ends and more than
// shortList bytes have passed; where text follows it goes on.
func elementLen(s string) int {
	for i := 0; ; {
		n := strings.Index(s[i:], "</")
		if n < 0 {
			return len(s)
		}
		i += n
		ended := 0
		for strings.HasPrefix(s[i:], "</") {
			tag, _ := tagLen(s[i:])
			if ended++; tag == 0 {
				return len(s)
			}
			i = skipSpace(s, i+tag, len(s))
		}
		if (ended > 1 || i > shortList) && strings.HasPrefix(s[i:], "<") {
			return i
		}
	}
}

// tagLen is the length of the tag that s begins with, 0 without one; ends says whether it ends a block or a line.
func tagLen(s string) (n int, ends bool) {
	const longest = 128 // of a tag that ends something
	if !strings.HasPrefix(s, "<") {
		return 0, false
	}
	last := 1 + strings.IndexAny(s[1:min(len(s), longest)], "<>")
	if last == 0 || s[last] == '<' {
		return 0, false
	}
	n = last + 1
	inner := strings.ToLower(strings.TrimSpace(s[1:last]))
	if name, closing := strings.CutPrefix(inner, "/"); closing {
		return n, blocks[name]
	}
	name, _, _ := strings.Cut(strings.TrimRight(inner, "/"), " ")
	return n, name == "br" || name == "hr"
}
