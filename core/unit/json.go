package unit

import (
	"encoding/json"
	"strings"
)

// Tools answer in JSON, and much of it is lists of objects. An object says something by itself, a member of it does not, and half of an object
// says something wrong. So a small object of an array is read as one line: where it is printed over several lines (objectEnd), and where the
// whole list stands in one line (isList, pieceEnd). A long object in one line is read member by member.

// maxObject is the greatest length in bytes of a JSON value that is kept whole. It fits into a window of 256 tokens.
const maxObject = 600

// shortList is the length in bytes up to which a list is one piece.
const shortList = 150

// objectEnd is where the JSON object ends, comma included, that the indented brace l opens; 0 if l is none, or of a long object. It is an element
// of an array: what one of its members says, such as "draft": true, says nothing without the others.
func objectEnd(text string, l line) int {
	indent := text[l.start:l.first]
	if indent == "" || text[l.first:l.body] != "{" {
		return 0
	}
	s := text[l.first:min(len(text), l.first+maxObject)]
	n := strings.Index(s, "\n"+indent+"}")
	if n < 0 {
		return 0
	}
	n += len("\n" + indent + "}")
	if !json.Valid([]byte(s[:n])) {
		return 0
	}
	end := l.first + n
	if strings.HasPrefix(text[end:], ",") {
		end++
	}
	if rest, _ := firstLine(text[end:]); strings.TrimSpace(rest) != "" {
		return 0
	}
	return end
}

// longJSON is the length in bytes of a line beyond which it is read in pieces even if it is a single object: no window holds it.
const longJSON = 2 * maxObject

// isList reports whether a line is JSON to be read in pieces: it holds several objects, perhaps after a few words, or is too long to be kept
// whole.
func isList(line string) bool {
	const words = 64
	i := strings.IndexAny(line[:min(len(line), words)], "[{")
	if i < 0 {
		return false
	}
	next := skipSpace(line, i+1, len(line))
	if next == len(line) || strings.IndexByte(`{["`, line[next]) < 0 {
		return false
	}
	return len(line) > longJSON && skipSpace(line, 0, len(line)) == i && (line[i] == '[' || keyEnd(line, next) > next) || holdsObjects(line[next:])
}

// holdsObjects reports whether objects follow each other in JSON.
func holdsObjects(s string) bool { return strings.Contains(s, `},{"`) || strings.Contains(s, `}, {"`) }

// pieceEnd is where the piece ends that begins at start of a line that ends at end.
func pieceEnd(text string, start, end int, length func(string) int) int {
	at := start
	for at == start || !isBorder(text, at) {
		at += length(text[at:end])
	}
	return at
}

// pieceLen is how long the first piece of s is, the rest of a line of JSON, with the comma and white space behind it: a value of up to maxObject
// bytes with its key, what opens a longer object or array or a list of objects, or all that closes some. Numbers and short strings that follow each other are one
// piece. JSON that is broken or cut off is read as far as it goes.
func pieceLen(s string) int {
	end := skipSpace(s, 0, len(s))
	if end == len(s) {
		return end
	}
	if n := len(s[end:]) - len(strings.TrimLeft(s[end:], "]}, \t\r\n")); n > 0 {
		return end + n
	}
	for {
		at := keyEnd(s, end)
		bare := at == end && s[at] != '{' && s[at] != '['
		n := valueLen(s[at:])
		end = skipSpace(s, at+n, len(s))
		if end < len(s) && s[end] == ',' {
			end = skipSpace(s, end+1, len(s))
		}
		if !bare || end >= min(len(s), shortList) || strings.IndexByte("{[]}", s[end]) >= 0 || keyEnd(s, end) > end {
			return end
		}
	}
}

// keyEnd is where the value stands whose key begins at i; i if no key does.
func keyEnd(s string, i int) int {
	if s[i] != '"' {
		return i
	}
	if at := skipSpace(s, i+stringLen(s[i:]), len(s)); at < len(s) && s[at] == ':' {
		if at = skipSpace(s, at+1, len(s)); at < len(s) {
			return at
		}
	}
	return i
}

// valueLen is the length of the JSON value that s begins with; of an object or array beyond maxObject that of its bracket.
func valueLen(s string) int {
	switch s[0] {
	case '"':
		return stringLen(s)
	case '{', '[':
		n := bracketsLen(s[:min(len(s), maxObject)])
		if n == 0 || s[0] == '[' && n > shortList && holdsObjects(s[:n]) {
			return 1
		}
		return n
	}
	if n := strings.IndexAny(s[1:], ",]} \t\r\n"); n >= 0 {
		return 1 + n
	}
	return len(s)
}

// stringLen is the length of the string in quotes that s begins with.
func stringLen(s string) int {
	for i := 1; i < len(s); i++ {
		switch s[i] {
		case '\\':
			i++
		case '"':
			return i + 1
		}
	}
	return len(s)
}

// bracketsLen is the length of the object or array that s begins with, 0 if it does not end in s.
func bracketsLen(s string) int {
	depth := 0
	for i := 0; i < len(s); i++ {
		switch s[i] {
		case '"':
			i += stringLen(s[i:]) - 1
		case '{', '[':
			depth++
		case '}', ']':
			if depth--; depth == 0 {
				return i + 1
			}
		}
	}
	return 0
}
