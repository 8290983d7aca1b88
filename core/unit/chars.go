package unit

import (
	"unicode"
	"unicode/utf8"

	"github.com/clipperhouse/uax29/v2/graphemes"
)

// class says why the scan for sentence ends stops at a byte. Bytes above 0x7f are first bytes of a rune.
type class uint8

const (
	stopByte class = 1 << iota // one of . ! ? ;
	stopLead                   // starts the UTF-8 form of some stop, or of Thai and Lao, which have none
)

var (
	byteClass [256]class
	// stopPrefix[b] has bit c&63 set if a rune that the scan stops at starts with the bytes b and c.
	stopPrefix [256]uint64
)

func init() {
	for _, c := range ".!?;" {
		byteClass[c] = stopByte
	}
	add := func(r rune) {
		var b [utf8.UTFMax]byte
		if r >= utf8.RuneSelf {
			utf8.EncodeRune(b[:], r)
			byteClass[b[0]] = stopLead
			stopPrefix[b[0]] |= 1 << (b[1] & 63)
		}
	}
	for _, r := range unicode.STerm.R16 {
		for c := rune(r.Lo); c <= rune(r.Hi); c += rune(r.Stride) {
			add(c)
		}
	}
	for _, r := range unicode.STerm.R32 {
		for c := rune(r.Lo); c <= rune(r.Hi); c += rune(r.Stride) {
			add(c)
		}
	}
	for _, r := range "…\u037e។៕།༎" {
		add(r)
	}
	for r := rune(0x0e00); r <= 0x0eff; r++ {
		add(r)
	}
}

// isStop reports whether r ends sentences by itself. Full stops and other marks with several uses are not among them.
func isStop(r rune) bool {
	switch r {
	case '!', '?', '。', '！', '？', '।', '\u037e', '។', '៕', '།', '༎':
		return true
	case '.', '၊', '．', '…':
		return false
	}
	return r >= utf8.RuneSelf && unicode.Is(unicode.STerm, r)
}

// isMoreStop reports whether r continues the marks at a sentence end: the second of "?!" and of "...".
func isMoreStop(r rune) bool { return r == '.' || r == '…' || r == '．' || isStop(r) }

// isOpener reports whether r may stand before the first letter of a sentence.
func isOpener(r rune) bool {
	switch r {
	case '"', '\'', '(', '[', '{', '*', '_', '`', '¿', '¡', '＂', '＇':
		return true
	}
	return isMarkRune(r) && unicode.In(r, unicode.Ps, unicode.Pi, unicode.Pf)
}

// isCloser reports whether r may stand between a stop and the end of its sentence.
func isCloser(r rune) bool {
	switch r {
	case '"', '\'', ')', ']', '}', '*', '_', '`', '＂', '＇':
		return true
	}
	return isMarkRune(r) && unicode.In(r, unicode.Pe, unicode.Pf)
}

// isMarkRune rules out, at no cost, that r is a quotation mark or bracket: ASCII, kana, Han and Hangul.
func isMarkRune(r rune) bool {
	return r >= utf8.RuneSelf && (r < 0x3040 || r > 0xd7ff)
}

// isSpace reports whether r is white space, or the mark at the start of some UTF-8 files.
func isSpace(r rune) bool { return unicode.IsSpace(r) || r == '\ufeff' }

// isThai reports whether r is of Thai or Lao, which part sentences by a space.
func isThai(r rune) bool { return r >= 0x0e00 && r <= 0x0eff }

// isWide reports whether r takes two columns: Chinese, Japanese, Korean.
func isWide(r rune) bool {
	return r >= 0x1100 && (r <= 0x115f || r >= 0x2e80 && r <= 0xa4cf || r >= 0xac00 && r <= 0xd7a3 ||
		r >= 0xf900 && r <= 0xfaff || r >= 0xfe30 && r <= 0xfe6f || r >= 0xff00 && r <= 0xff60 || r >= 0x20000 && r <= 0x3ffff)
}

// isSpaceless reports whether r is of Chinese or Japanese, where words follow each other without a space.
func isSpaceless(r rune) bool { return isWide(r) && (r < 0xac00 || r > 0xd7a3) && r > 0x115f }

func isDigit(c byte) bool { return c >= '0' && c <= '9' }
func isUpper(c byte) bool { return c >= 'A' && c <= 'Z' }
func isLower(c byte) bool { return c >= 'a' && c <= 'z' }
func isAlpha(c byte) bool { return isUpper(c) || isLower(c) }

// skipSpace is the first position at or after i, and at most end, that holds no white space.
func skipSpace(text string, i, end int) int {
	for i < end {
		c := text[i]
		if c < utf8.RuneSelf {
			if c != ' ' && (c < '\t' || c > '\r') {
				return i
			}
			i++
			continue
		}
		r, w := utf8.DecodeRuneInString(text[i:end])
		if !isSpace(r) {
			return i
		}
		i += w
	}
	return end
}

// isBorder reports whether i parts two graphemes, given that it parts two runes and that the one before i is white
// space, punctuation or a mark.
func isBorder(text string, i int) bool {
	if i <= 0 || i >= len(text) {
		return true
	}
	if text[i] < utf8.RuneSelf {
		return text[i] != '\n' || text[i-1] != '\r'
	}
	_, before := utf8.DecodeLastRuneInString(text[:i])
	_, after := utf8.DecodeRuneInString(text[i:])
	it := graphemes.FromString(text[i-before : i+after])
	return it.Next() && len(it.Value()) == before
}
