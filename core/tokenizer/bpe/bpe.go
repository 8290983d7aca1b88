// Package bpe is the tokenizer of Qwen2 and its kin: byte-level BPE over NFC, read from a tokenizer.json.
//
//	text ─ NFC ─► words (a fixed regular expression) ─► bytes ─► merges, best rank first ─► ids
//
// It gives the ids of Hugging Face's Rust tokenizer, and spans in bytes of the original text. Text is never searched for control
// tokens such as "<|im_start|>", except by EncodeMarkup. A byte that is no UTF-8 counts as U+FFFD. The tokens of a rune that NFC put
// together cover all the runes that it was made of.
//
// A word begins with the space before it, so encoding the parts of a text gives the ids of the whole only where it is cut after a
// line end that no white space follows: where tokenizer.MayCut says so.
package bpe

import (
	"strings"
	"sync"
	"unicode/utf8"

	"github.com/cprs-go/cprs/core/span"
	"github.com/cprs-go/cprs/core/tokenizer"
)

// Tokenizer implements tokenizer.Tokenizer. Parse makes one.
type Tokenizer struct {
	name   string
	tokens []string         // by id: the bytes they stand for, "" where there is none
	ids    map[string]int32 // of the tokens that text can give
	whole  map[string]int32 // those of them that their own merges lead to: such a word is one token
	added  []addedToken     // the longest first
	bytes  [256]int32       // ids of the single bytes
	merges mergeTable

	scratch sync.Pool // of *scratch
}

var _ tokenizer.Tokenizer = (*Tokenizer)(nil)

// addedToken is a control token, which no text gives.
type addedToken struct {
	content string
	id      int32
}

// scratch is the working memory of one call.
type scratch struct {
	symbols []symbol
	queue   []candidate
	text    normalized
}

// Name is for example "bpe-151646".
func (t *Tokenizer) Name() string { return t.name }

// VocabSize is one more than the highest id, control tokens included.
func (t *Tokenizer) VocabSize() int { return len(t.tokens) }

// ID is the id of token: the bytes it stands for, or the name of a control token.
func (t *Tokenizer) ID(token string) (id int32, ok bool) {
	for _, a := range t.added {
		if a.content == token {
			return a.id, true
		}
	}
	id, ok = t.ids[token]
	return id, ok
}

// Decode is the text of ids, control tokens by their names. Bytes that are no UTF-8 become U+FFFD, one for each sequence that is
// cut short, as in the reference.
func (t *Tokenizer) Decode(ids []int32) string {
	var b strings.Builder
	for _, id := range ids {
		if id >= 0 && int(id) < len(t.tokens) {
			b.WriteString(t.tokens[id])
		}
	}
	return lossy(b.String())
}

// Encode implements tokenizer.Tokenizer.
func (t *Tokenizer) Encode(e *tokenizer.Encoding, text string) { t.encode(e, text, 0, false) }

// EncodeMarkup appends the tokens of text as the reference gives them: the names of control tokens in text become these tokens, and
// a rune that NFC put together has the span of the first of its runes alone. Only trusted text, or the proof of parity, may come here.
func (t *Tokenizer) EncodeMarkup(e *tokenizer.Encoding, text string) {
	for at := 0; at < len(text); {
		found, token := t.nextAdded(text[at:])
		t.encode(e, text[at:at+found], at, true)
		if at += found; token != nil {
			e.IDs = append(e.IDs, token.id)
			e.Spans = append(e.Spans, span.Range{Start: at, End: at + len(token.content)})
			at += len(token.content)
		}
	}
}

// nextAdded is where the first control token of text begins, and which it is; the end of text and nil if there is none.
func (t *Tokenizer) nextAdded(text string) (int, *addedToken) {
	first, token := len(text), (*addedToken)(nil)
	for i := range t.added {
		if at := strings.Index(text, t.added[i].content); at >= 0 && at < first {
			first, token = at, &t.added[i]
		}
	}
	return first, token
}

// encode appends the tokens of text, which lies at base, with the spans of first runes only if so asked.
func (t *Tokenizer) encode(e *tokenizer.Encoding, text string, base int, first bool) {
	s := t.scratch.Get().(*scratch)
	defer t.scratch.Put(s)
	n := len(e.Spans)
	normal := s.text.set(text, first)
	for at := 0; at < len(normal); {
		end := wordEnd(normal, at)
		if id, ok := t.whole[normal[at:end]]; ok {
			e.IDs = append(e.IDs, id)
			e.Spans = append(e.Spans, span.Range{Start: at, End: end})
		} else {
			t.merge(e, s, normal[at:end], at)
		}
		at = end
	}
	s.text.toSource(normal, e.Spans[n:], base)
}

// merge appends the tokens of a word, which lies at start of the normalised text.
func (t *Tokenizer) merge(e *tokenizer.Encoding, s *scratch, word string, start int) {
	s.symbols = s.symbols[:0]
	for i := range len(word) {
		s.symbols = append(s.symbols, symbol{id: t.bytes[word[i]], size: 1, before: int32(i - 1), after: int32(i + 1)})
	}
	if len(word) <= shortWord {
		mergeShort(s, &t.merges)
	} else {
		mergeLong(s, &t.merges)
	}
	for _, y := range s.symbols {
		if y.size == 0 {
			continue
		}
		e.IDs = append(e.IDs, y.id)
		e.Spans = append(e.Spans, span.Range{Start: start, End: start + int(y.size)})
		start += int(y.size)
	}
}

// lossy replaces what is no UTF-8 by U+FFFD, one for each sequence that a rune could have begun with.
func lossy(text string) string {
	if utf8.ValidString(text) {
		return text
	}
	var b strings.Builder
	for i := 0; i < len(text); {
		r, size := utf8.DecodeRuneInString(text[i:])
		if r == utf8.RuneError && size == 1 {
			size = cutShort(text[i:])
		}
		b.WriteRune(r)
		i += size
	}
	return b.String()
}

// cutShort is the length of the longest beginning of text, which opens with no whole rune, that a rune begins with; at least 1.
func cutShort(text string) int {
	for n := min(3, len(text)); n > 1; n-- {
		for _, fill := range []string{"\x80", "\xbf", "\x80\x80", "\xbf\xbf"} {
			if r, size := utf8.DecodeRuneInString(text[:n] + fill); size == n+len(fill) && r != utf8.RuneError {
				return n
			}
		}
	}
	return 1
}
