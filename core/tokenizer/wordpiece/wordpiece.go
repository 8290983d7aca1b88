// Package wordpiece is the tokenizer of BERT and its kin: WordPiece over BERT's normalisation, read from a tokenizer.json.
//
// It gives the ids of Hugging Face's Rust tokenizer, and spans in bytes of the original text. It differs from it on purpose in
// three points. Text is never searched for special tokens. A byte that is no UTF-8 counts as U+FFFD. And where a combining
// mark that is kept stands out of canonical order, its token covers its own bytes, not those of a mark that would sort before it.
//
// White space is what separates words: space, tab, line feed, carriage return and Unicode's Z classes. Form feed, vertical
// tab and U+0085 are control characters to BERT: clean_text drops them and joins what they part.
//
// Encode walks the text once, in time linear in its length. A word of ASCII is looked up where it stands; any other is
// normalised first, rune by rune, into a buffer of one word. The vocabulary is a trie, so that the longest token of a
// word is found in one walk and there is no cache of words to fill or to bound.
package wordpiece

import (
	"sync"
	"unicode"
	"unicode/utf8"

	"github.com/cprs-go/cprs/core/span"
	"github.com/cprs-go/cprs/core/tokenizer"
)

// Tokenizer implements tokenizer.Tokenizer. Parse makes one.
type Tokenizer struct {
	name       string
	tokens     []string // by id
	vocab      *trie
	continuing node // where tokens that continue a word begin; dead if there are none
	normalizer normalizer
	maxChars   int // of a word; a longer one is [UNK]

	unk, cls, sep, pad int32

	kinds [256]class // of bytes, as the fast path sees them: letter, space, punct or irregular
	fold  [256]byte  // the lower case of ASCII if the tokenizer lowers; else, and for other bytes, the byte itself

	words sync.Pool // of *word
}

var _ tokenizer.Tokenizer = (*Tokenizer)(nil)

// Name is for example "wordpiece-30522-uncased".
func (t *Tokenizer) Name() string { return t.name }

// VocabSize is the number of tokens; ids run from 0 to VocabSize()-1.
func (t *Tokenizer) VocabSize() int { return len(t.tokens) }

// ID is the id of token, spelled as in the vocabulary: "##ing", "[MASK]".
func (t *Tokenizer) ID(token string) (id int32, ok bool) {
	_, id = t.vocab.walk(token)
	return id - 1, id > 0
}

// Token is the token with the given id, "" if there is none.
func (t *Tokenizer) Token(id int32) string {
	if id < 0 || int(id) >= len(t.tokens) {
		return ""
	}
	return t.tokens[id]
}

// CLS is the id of [CLS], which opens a sequence.
func (t *Tokenizer) CLS() int32 { return t.cls }

// SEP is the id of [SEP], which closes a sequence.
func (t *Tokenizer) SEP() int32 { return t.sep }

// UNK is the id of the token for words that the vocabulary cannot spell.
func (t *Tokenizer) UNK() int32 { return t.unk }

// PAD is the id of [PAD], which fills up a batch.
func (t *Tokenizer) PAD() int32 { return t.pad }

// Encode implements tokenizer.Tokenizer.
func (t *Tokenizer) Encode(e *tokenizer.Encoding, text string) {
	var w *word
	for i := 0; i < len(text); {
		start := i
		for i < len(text) && t.kinds[text[i]] == letter {
			i++
		}
		if i < len(text) && t.kinds[text[i]] == irregular && (i == start || !t.separates(text[i:])) {
			if w == nil {
				w = t.words.Get().(*word)
			}
			i = t.encodeIrregular(e, w, text, start)
			continue
		}
		t.encodeWord(e, text[start:i], start)
		if i < len(text) && t.kinds[text[i]] != irregular {
			if t.kinds[text[i]] == punct {
				t.encodeWord(e, text[i:i+1], i)
			}
			i++
		}
	}
	if w != nil {
		t.words.Put(w)
	}
}

// encodeWord appends the tokens of a word of ASCII, which lies at start.
func (t *Tokenizer) encodeWord(e *tokenizer.Encoding, word string, start int) {
	if len(word) > t.maxChars {
		e.IDs = append(e.IDs, t.unk)
		e.Spans = append(e.Spans, span.Range{Start: start, End: start + len(word)})
		return
	}
	match(t, e, word, start)
}

// match appends the tokens of word, which lies at start: the longest that it begins with, then the longest that continues it,
// and so on. If that fails the whole word is unknown.
func match[T string | []byte](t *Tokenizer, e *tokenizer.Encoding, word T, start int) {
	n, from := len(e.IDs), root
	for i := 0; i < len(word); from = t.continuing {
		end, longest := i, int32(0)
		for at, j := from, i; j < len(word); {
			var token int32
			if at, token = t.vocab.step(at, t.fold[word[j]]); at == dead {
				break
			}
			if j++; token != 0 {
				end, longest = j, token
			}
		}
		if longest == 0 {
			e.IDs = append(e.IDs[:n], t.unk)
			e.Spans = append(e.Spans[:n], span.Range{Start: start, End: start + len(word)})
			return
		}
		e.IDs = append(e.IDs, longest-1)
		e.Spans = append(e.Spans, span.Range{Start: start + i, End: start + end})
		i = end
	}
}

// separates reports whether the rune that opens s ends the word before it.
func (t *Tokenizer) separates(s string) bool {
	r, _ := utf8.DecodeRuneInString(s)
	switch classOf(r) {
	case space, punct:
		return true
	case ideograph:
		return t.normalizer.chinese
	}
	return false
}

// encodeIrregular appends the tokens of the word at text[i:], or passes one rune that belongs to none. It returns where it
// stopped.
func (t *Tokenizer) encodeIrregular(e *tokenizer.Encoding, w *word, text string, i int) int {
	for i < len(text) {
		r, size := utf8.DecodeRuneInString(text[i:])
		t.read(e, w, r, text[i:i+size], i)
		if i += size; w.chars == 0 {
			return i
		}
	}
	t.flush(e, w)
	return i
}

// read normalises rune r, the text s at start, into w.
func (t *Tokenizer) read(e *tokenizer.Encoding, w *word, r rune, s string, start int) {
	source := span.Range{Start: start, End: start + len(s)}
	c := classOf(r)
	if t.normalizer.clean && (c == control || c == controlSpace) {
		return
	}
	if !t.normalizer.strip {
		t.put(e, w, r, c, source)
		return
	}
	var buf [4]rune
	for _, d := range decompose(buf[:0], r, s) {
		if d != r && c != ideograph {
			c = classOf(d)
		}
		if c != mark {
			t.put(e, w, d, c, source)
		}
	}
}

// put adds rune r of class c to w, or ends the word.
func (t *Tokenizer) put(e *tokenizer.Encoding, w *word, r rune, c class, source span.Range) {
	switch {
	case c == space, c == controlSpace:
		t.flush(e, w)
	case c == punct, c == ideograph && t.normalizer.chinese:
		t.flush(e, w)
		w.add(r, source, t.maxChars)
		t.flush(e, w)
	case !t.normalizer.lower:
		w.add(r, source, t.maxChars)
	case r == 'İ': // the one rune whose lower case is two
		w.add('i', source, t.maxChars)
		w.add('\u0307', source, t.maxChars)
	default:
		w.add(unicode.ToLower(r), source, t.maxChars)
	}
}

// flush appends the tokens of w, with spans of the source, and empties it.
func (t *Tokenizer) flush(e *tokenizer.Encoding, w *word) {
	switch n := len(e.Spans); {
	case w.chars == 0:
		return
	case w.chars > t.maxChars:
		e.IDs = append(e.IDs, t.unk)
		e.Spans = append(e.Spans, span.Range{Start: w.start, End: w.end})
	default:
		match(t, e, w.text, 0)
		for i, s := range e.Spans[n:] {
			e.Spans[n+i] = span.Range{Start: w.source[s.Start].Start, End: w.source[s.End-1].End}
		}
	}
	w.text, w.source, w.chars = w.text[:0], w.source[:0], 0
}
