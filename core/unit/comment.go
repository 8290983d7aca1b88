package unit

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// commentMarks begin comments that go on to the end of their line.
var commentMarks = [...]string{"///", "//!", "//", "##", "#", "--", ";;"}

// maxComment is how many bytes a comment is read on for.
const maxComment = 1000

// commentEnd is where the sentence ends that is wrapped over the comment l and those below it; 0 if it ends in l, or l is no comment. Half a
// sentence of a comment says little.
func commentEnd(text string, l line) (end int) {
	mark := commentMark(text[l.first:l.body])
	if mark == "" {
		return 0
	}
	indented := text[l.start:l.first] + mark
	line, next := text[l.first:l.body], l.end
	for isWrapped(line) {
		below, after, ok := wholeLine(text, next, l.first+maxComment)
		if !ok {
			break
		}
		rest, ok := strings.CutPrefix(strings.TrimRightFunc(below, isSpace), indented)
		if !ok || !strings.HasPrefix(rest, " ") || !startsLower(strings.TrimLeft(rest, " ")) {
			break
		}
		end = next + len(indented) + len(rest)
		line, next = mark+rest, after
	}
	return end
}

// wholeLine is the line that starts at byte start, without its end, and where the next one starts; ok is false if it does not end before limit.
func wholeLine(text string, start, limit int) (line string, next int, ok bool) {
	limit = min(limit, len(text))
	if start >= limit {
		return "", start, false
	}
	if n := strings.IndexByte(text[start:limit], '\n'); n >= 0 {
		return text[start : start+n], start + n + 1, true
	}
	return text[start:limit], limit, limit == len(text)
}

// commentMark is the mark that s starts with as a comment; empty if s is none.
func commentMark(s string) string {
	for _, m := range commentMarks {
		if rest, ok := strings.CutPrefix(s, m); ok && strings.HasPrefix(rest, " ") {
			return m
		}
	}
	return ""
}

// isWrapped reports whether a comment may go on in the line below: it is not short, and does not end a sentence.
func isWrapped(s string) bool {
	last, _ := utf8.DecodeLastRuneInString(s)
	return columns(s) >= minWrap && (unicode.IsLetter(last) || unicode.IsDigit(last) || strings.ContainsRune(",)-'\"`", last))
}
