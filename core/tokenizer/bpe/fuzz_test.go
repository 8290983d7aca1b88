package bpe

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/cprs-go/cprs/core/span"
	"github.com/cprs-go/cprs/core/tokenizer"
)

// FuzzEncode holds Encode to the contract of tokenizer.Tokenizer.
func FuzzEncode(f *testing.F) {
	for _, c := range goldens(f) {
		f.Add(c.Text, len(c.Text)/2)
	}
	for _, text := range []string{"a\xffb \xc3 \xe2\x82", "\u0301a \u0301\u302e!", "e\u0301\u0323 ﬃ", "각 각\u11a8", "a" + strings.Repeat("\u0327", 40) + "\u0301"} {
		f.Add(text, 1)
	}
	tok := load(f, "qwen_tiny_tokenizer.json")
	f.Fuzz(func(t *testing.T, text string, cut int) {
		var e tokenizer.Encoding
		tok.Encode(&e, text)
		checkEncoding(t, tok, text, e)
		checkNormal(t, tok, text, e)
		if cut > 0 && cut < len(text) && tokenizer.MayCut(text, cut) {
			var parts tokenizer.Encoding
			tok.Encode(&parts, text[:cut])
			n := len(parts.Spans)
			tok.Encode(&parts, text[cut:])
			for i := range parts.Spans[n:] {
				parts.Spans[n+i].Start += cut
				parts.Spans[n+i].End += cut
			}
			if !slices.Equal(parts.IDs, e.IDs) || !slices.Equal(parts.Spans, e.Spans) {
				t.Fatalf("%q cut at %d:\n got %v\nwant %v", text, cut, parts, e)
			}
		}
	})
}

// checkEncoding: spans are in order, not empty, on rune borders; control tokens never come.
func checkEncoding(t *testing.T, tok *Tokenizer, text string, e tokenizer.Encoding) {
	if len(e.IDs) != len(e.Spans) {
		t.Fatalf("%q: %d ids, %d spans", text, len(e.IDs), len(e.Spans))
	}
	last := span.Range{}
	for i, s := range e.Spans {
		if id := e.IDs[i]; id < 0 || int(id) >= tok.VocabSize() || slices.ContainsFunc(tok.added, func(a addedToken) bool { return a.id == id }) {
			t.Fatalf("%q: id %d of token %d", text, id, i)
		}
		if s.Start < 0 || s.End > len(text) || s.Empty() || span.SnapRunes(text, s) != s {
			t.Fatalf("%q: span %v of token %d", text, s, i)
		}
		if s.Start < last.Start || s.End < last.End {
			t.Fatalf("%q: span %v after %v", text, s, last)
		}
		if s.Start > last.End {
			t.Fatalf("%q: no token covers the bytes from %d to %d", text, last.End, s.Start)
		}
		last = s
	}
	if last.End != len(text) {
		t.Fatalf("%q: no token covers the bytes from %d", text, last.End)
	}
}

// checkNormal: the tokens spell the text in NFC.
func checkNormal(t *testing.T, tok *Tokenizer, text string, e tokenizer.Encoding) {
	spelled := tok.Decode(e.IDs)
	if !utf8.ValidString(text) {
		return
	}
	var n normalized
	if want := n.set(text, false); spelled != want {
		t.Fatalf("%q: the tokens spell %q, want %q", text, spelled, want)
	}
}

// FuzzParse: a tokenizer.json is read or refused with a *FormatError, and what is read can encode.
func FuzzParse(f *testing.F) {
	data, err := os.ReadFile(filepath.Join("testdata", "qwen_tiny_tokenizer.json"))
	if err != nil {
		f.Fatal(err)
	}
	for _, c := range refused {
		f.Add(strings.Replace(string(data), c.old, c.new, 1))
	}
	f.Fuzz(func(t *testing.T, data string) {
		tok, err := Parse([]byte(data))
		if err != nil {
			var format *tokenizer.FormatError
			if !errors.As(err, &format) {
				t.Fatalf("%T: %v", err, err)
			}
			return
		}
		var e tokenizer.Encoding
		tok.Encode(&e, "some text é😀<|im_end|>\n")
		checkEncoding(t, tok, "some text é😀<|im_end|>\n", e)
	})
}

// refused are changes to a tokenizer.json that Parse names in its error.
var refused = []struct{ name, old, new, says string }{
	{"other model", `"type":"BPE"`, `"type":"Unigram"`, "model.type"},
	{"other normalizer", `"type":"NFC"`, `"type":"NFKC"`, "normalizer.type"},
	{"other pattern", `(?i:'s|'t`, `(?i:'x|'t`, "pattern"},
	{"prefix space", `"add_prefix_space":false`, `"add_prefix_space":true`, "add_prefix_space"},
	{"dropout", `"dropout":null`, `"dropout":0.1`, "dropout"},
	{"byte fallback", `"byte_fallback":false`, `"byte_fallback":true`, "byte_fallback"},
	{"suffix", `"end_of_word_suffix":null`, `"end_of_word_suffix":"</w>"`, "suffix"},
	{"normalized control token", `"normalized":false`, `"normalized":true`, "added_tokens"},
	{"id taken", `"id":769`, `"id":12`, "same id"},
	{"huge id", `"id":770`, `"id":999999999`, "999999999"},
	{"a byte without a token", `"!":0`, `"!!!!":0`, "0x21"},
	{"unknown merge", `"Ġ Ġ"`, `"Ġ ĠĠĠĠĠĠĠĠĠĠĠĠĠĠĠĠĠ"`, "model.merges"},
	{"merge of one", `"Ġ Ġ"`, `"Ġ"`, "no pair"},
	{"no JSON", `{`, `[`, "tokenizer.json"},
}

func TestParseRefuses(t *testing.T) {
	data, err := os.ReadFile(filepath.Join("testdata", "qwen_tiny_tokenizer.json"))
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range refused {
		changed := strings.Replace(string(data), c.old, c.new, 1)
		if changed == string(data) {
			t.Errorf("%s: the file does not hold %s", c.name, c.old)
		}
		_, err := Parse([]byte(changed))
		var format *tokenizer.FormatError
		if !errors.As(err, &format) || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v, want a *FormatError that says %q", c.name, err, c.says)
		}
	}
}
