package bpe

import (
	"sync"
	"unicode/utf8"
)

// pattern is the regular expression that parts text into words; wordEnd is written for it.
const pattern = `(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+`

// class is what a rune is to pattern. The tables behind it are frozen in classes.go.
type class uint8

const (
	other class = iota
	letter
	number
	space
)

// basic holds the classes of the runes below 0x10000.
var basic = sync.OnceValue(func() *[1 << 16]class {
	table := new([1 << 16]class)
	for _, c := range classes {
		for r := c.first; r <= c.last && r < 1<<16; r++ {
			table[r] = c.class
		}
	}
	return table
})

func classOf(r rune) class {
	if r < 1<<16 {
		return basic()[r]
	}
	low, high := 0, len(classes)
	for low < high {
		if mid := int(uint(low+high) >> 1); classes[mid].last < r {
			low = mid + 1
		} else {
			high = mid
		}
	}
	if low < len(classes) && classes[low].first <= r {
		return classes[low].class
	}
	return other
}

// wordEnd is the end of the word that begins at byte i of text, which is valid UTF-8: the first alternative of pattern that matches.
func wordEnd(text string, i int) int {
	if text[i] == '\'' {
		if n := contraction(text[i+1:]); n > 0 {
			return i + 1 + n
		}
	}
	r, size := utf8.DecodeRuneInString(text[i:])
	c, next := classOf(r), i+size
	switch c {
	case letter:
		return run(text, next, letter)
	case number:
		return next
	}
	if r != '\r' && r != '\n' && isClass(text, next, letter) {
		return run(text, next, letter)
	}
	switch {
	case c == other:
		return lineEnds(text, run(text, next, other))
	case r == ' ' && isClass(text, next, other):
		return lineEnds(text, run(text, next, other))
	}
	return spaces(text, i)
}

// contraction is the length of the letters after an apostrophe that make a word with it, 0 if there are none.
func contraction(s string) int {
	if s == "" {
		return 0
	}
	switch lower(s[0]) {
	case 's', 't', 'm', 'd':
		return 1
	case 'r', 'v':
		if len(s) > 1 && lower(s[1]) == 'e' {
			return 2
		}
	case 'l':
		if len(s) > 1 && lower(s[1]) == 'l' {
			return 2
		}
	}
	if len(s) >= len("ſ") && s[:len("ſ")] == "ſ" { // whose upper case is S
		return len("ſ")
	}
	return 0
}

func lower(b byte) byte {
	if 'A' <= b && b <= 'Z' {
		return b + 'a' - 'A'
	}
	return b
}

// run is the end of the runes of class c from byte i on.
func run(text string, i int, c class) int {
	for i < len(text) {
		r, size := utf8.DecodeRuneInString(text[i:])
		if classOf(r) != c {
			break
		}
		i += size
	}
	return i
}

func isClass(text string, i int, c class) bool {
	if i >= len(text) {
		return false
	}
	r, _ := utf8.DecodeRuneInString(text[i:])
	return classOf(r) == c
}

// lineEnds is the end of the line ends from byte i on.
func lineEnds(text string, i int) int {
	for i < len(text) && (text[i] == '\r' || text[i] == '\n') {
		i++
	}
	return i
}

// spaces is the end of a word of white space: up to the last line end of the run; without one the run but for its last rune, which
// belongs to the next word, unless the text ends here or it is the only one.
func spaces(text string, start int) int {
	last, i, line := start, start, -1
	for i < len(text) {
		r, size := utf8.DecodeRuneInString(text[i:])
		if classOf(r) != space {
			break
		}
		last = i
		if i += size; r == '\r' || r == '\n' {
			line = i
		}
	}
	switch {
	case line >= 0:
		return line
	case i == len(text) || last == start:
		return i
	}
	return last
}
