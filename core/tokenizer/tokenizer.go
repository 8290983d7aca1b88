// Package tokenizer turns text into token ids that know their bytes.
//
// Tokenizer is the contract; core/tokenizer/wordpiece is the one of the embedded critic, core/tokenizer/bpe that of the hybrid critics.
// A text is encoded once: every later stage works on the ids and spans of the Encoding and never decodes or encodes again.
package tokenizer

import (
	"math"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/cprs-go/cprs/core/span"
)

// Encoding is a tokenised text: token i has id IDs[i] and stands for the bytes Spans[i] of the text. Spans are in
// order, never empty, on rune borders, and may leave out bytes (white space, control characters); several tokens of one rune share
// its span.
type Encoding struct {
	IDs   []int32
	Spans []span.Range
}

// Tokenizer encodes text. It is safe for concurrent use and keeps no state that a caller can see.
type Tokenizer interface {
	// Encode appends the tokens of text to e, with byte offsets of text, without the special tokens of a model.
	// Text is data: special tokens such as "[SEP]" or "<|im_start|>" in it are plain characters. Any string is
	// legal, invalid UTF-8 and NUL included.
	//
	// Encoding the parts of a text that is cut where MayCut allows it appends the same ids as encoding the whole.
	Encode(e *Encoding, text string)
	// Name names the tokenizer in results, for example "wordpiece-30522-uncased".
	Name() string
}

// Count is the number of tokens of text.
func Count(t Tokenizer, text string) int { return CountUpTo(t, text, math.MaxInt) }

// countBytes is how much text CountUpTo encodes at once.
const countBytes = 64 << 10

// CountUpTo is the number of tokens of text, or some number above limit if there are more than limit. It reads no
// further than it must, in constant memory. Where 64 KiB of text have no line end, it can be off by a token.
func CountUpTo(t Tokenizer, text string, limit int) int {
	var e Encoding
	n := 0
	for len(text) > 0 && n <= limit {
		end := cutBefore(text, countBytes)
		e.IDs, e.Spans = e.IDs[:0], e.Spans[:0]
		t.Encode(&e, text[:end])
		n += len(e.IDs)
		text = text[end:]
	}
	return n
}

// cutBefore is the last place up to most where text may be cut; without one the place after the last white space, or the end.
func cutBefore(text string, most int) int {
	if len(text) <= most {
		return len(text)
	}
	for i := most; i > 0; i-- {
		if i = strings.LastIndexByte(text[:i], '\n') + 1; i > 0 && MayCut(text, i) {
			return i
		}
	}
	if i := strings.LastIndexAny(text[:most], " \n\t"); i >= 0 {
		return i + 1
	}
	return len(text)
}

// MayCut reports whether the tokens of text are those of text[:i] followed by those of text[i:], for every tokenizer: at the ends of
// text, and after a line end that no white space follows.
func MayCut(text string, i int) bool {
	if i <= 0 || i >= len(text) {
		return true
	}
	r, _ := utf8.DecodeRuneInString(text[i:])
	return text[i-1] == '\n' && r != utf8.RuneError && !unicode.IsSpace(r) && !unicode.IsMark(r)
}
