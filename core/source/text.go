package source

import "unicode/utf8"

// blockBytes is how much of a file is looked at to tell text from other data.
const blockBytes = 8 << 10

// isText reports whether the first block of a file reads like UTF-8 text: without a NUL and with at most one byte in ten that is
// no UTF-8 (old encodings have some). Of a file that was named outright it asks for the second only and counts NULs as such bytes.
// What comes after the first block is text, whatever it is.
func isText(block string, named bool) bool {
	bad, nul := 0, 0
	for i, r := range block {
		switch {
		case r == 0:
			nul++
		case r == utf8.RuneError && i <= len(block)-utf8.UTFMax: // the last rune may be cut
			if _, w := utf8.DecodeRuneInString(block[i:]); w == 1 {
				bad++
			}
		}
	}
	return (bad+nul)*10 <= len(block) && (nul == 0 || named)
}
