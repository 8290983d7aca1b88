package wordpiece

import (
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/cprs-go/cprs/core/span"
	"github.com/cprs-go/cprs/core/tokenizer"
)

// FuzzEncode holds Encode to the contract of tokenizer.Tokenizer.
func FuzzEncode(f *testing.F) {
	for _, c := range loadGolden(f, "wordpiece_4000_goldens.json").Cases {
		f.Add(c.Text, len(c.Text)/2)
	}
	for _, text := range []string{"a\xffb \xc3 \xe2\x82", "\u0301a \u0301\u302e!", "e\u0301\u0323 ﬃ", "각 각\u11a8", "a\f b\vc\u0085d"} {
		f.Add(text, 1)
	}
	var toks []*Tokenizer
	for _, name := range []string{"minilm_tokenizer.json", "wordpiece_4000_tokenizer.json"} {
		toks = append(toks, load(f, name))
	}
	raw := load(f, "wordpiece_4000_tokenizer.json")
	raw.normalizer = normalizer{}
	raw.setBytes()
	toks = append(toks, raw)
	f.Fuzz(func(t *testing.T, text string, cut int) {
		for _, tok := range toks {
			e := encode(tok, text)
			checkEncoding(t, tok, text, e)
			checkReplacement(t, tok, text, e)
			checkParts(t, tok, text, e, cut)
		}
	})
}

// checkEncoding: spans are in order, not empty, on rune borders, and overlap in one rune at most.
func checkEncoding(t *testing.T, tok *Tokenizer, text string, e tokenizer.Encoding) {
	if len(e.IDs) != len(e.Spans) {
		t.Fatalf("%q: %d ids, %d spans", text, len(e.IDs), len(e.Spans))
	}
	last := span.Range{}
	for i, s := range e.Spans {
		if e.IDs[i] < 0 || int(e.IDs[i]) >= tok.VocabSize() {
			t.Fatalf("%q: id %d of token %d", text, e.IDs[i], i)
		}
		if s.Start < 0 || s.End > len(text) || s.Empty() || span.SnapRunes(text, s) != s {
			t.Fatalf("%q: span %v of token %d", text, s, i)
		}
		if s.Start < last.Start || s.End < last.End {
			t.Fatalf("%q: span %v after %v", text, s, last)
		}
		if s.Start < last.End && utf8.RuneCountInString(text[s.Start:last.End]) != 1 {
			t.Fatalf("%q: spans %v and %v share more than a rune", text, last, s)
		}
		last = s
	}
}

// checkReplacement: a byte that is no UTF-8 counts as U+FFFD.
func checkReplacement(t *testing.T, tok *Tokenizer, text string, e tokenizer.Encoding) {
	if utf8.ValidString(text) {
		return
	}
	var valid strings.Builder
	source := make([]int, 1, 3*len(text)+1) // of each byte border of valid
	for i := 0; i < len(text); {
		r, size := utf8.DecodeRuneInString(text[i:])
		n := valid.Len()
		valid.WriteRune(r)
		i += size
		for range valid.Len() - n {
			source = append(source, i)
		}
	}
	want := encode(tok, valid.String())
	if !slices.Equal(e.IDs, want.IDs) {
		t.Fatalf("%q: ids %v, with U+FFFD %v", text, e.IDs, want.IDs)
	}
	for i, s := range want.Spans {
		if mapped := (span.Range{Start: source[s.Start], End: source[s.End]}); mapped != e.Spans[i] {
			t.Fatalf("%q: span %v, with U+FFFD %v", text, e.Spans[i], mapped)
		}
	}
}

// checkParts: the parts of text, cut after white space, have its tokens.
func checkParts(t *testing.T, tok *Tokenizer, text string, e tokenizer.Encoding, cut int) {
	if cut < 0 || cut >= len(text) {
		return
	}
	for _, r := range text[cut:] {
		if cut += utf8.RuneLen(r); r == utf8.RuneError || classOf(r) == space {
			break
		}
	}
	if cut > len(text) {
		return
	}
	if r, _ := utf8.DecodeLastRuneInString(text[:cut]); classOf(r) != space {
		return
	}
	var parts tokenizer.Encoding
	tok.Encode(&parts, text[:cut])
	n := len(parts.Spans)
	tok.Encode(&parts, text[cut:])
	for i := n; i < len(parts.Spans); i++ {
		parts.Spans[i].Start += cut
		parts.Spans[i].End += cut
	}
	if !slices.Equal(parts.IDs, e.IDs) || !slices.Equal(parts.Spans, e.Spans) {
		t.Fatalf("%q cut at %d:\n got %v\nwant %v", text, cut, parts, e)
	}
}

// FuzzParse: a tokenizer.json is read or refused with a *FormatError, and what is read can encode.
func FuzzParse(f *testing.F) {
	for _, c := range parseCases {
		f.Add(strings.Replace(smallFile, c.old, c.new, 1))
	}
	f.Fuzz(func(t *testing.T, data string) {
		tok, err := Parse([]byte(data))
		if err != nil {
			checkFormatError(t, err)
			return
		}
		text := data + " é😀[SEP] ##a"
		checkEncoding(t, tok, text, encode(tok, text))
	})
}
