//go:build rust

package rust

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/cprs-go/cprs/core/span"
	"github.com/cprs-go/cprs/core/tokenizer"
	"github.com/cprs-go/cprs/core/tokenizer/bpe"
)

func read(t testing.TB, elem ...string) []byte {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(append([]string{".."}, elem...)...))
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func open(t testing.TB, elem ...string) *Tokenizer {
	t.Helper()
	tok, err := Parse(read(t, elem...))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { tok.Close() })
	return tok
}

// TestGoldens compares with the recorded tokens of both kinds.
func TestGoldens(t *testing.T) {
	for _, c := range []struct{ kind, tokenizer, goldens string }{
		{"bpe", "qwen_tiny_tokenizer.json", "qwen_tiny_goldens.json"},
		{"wordpiece", "wordpiece_4000_tokenizer.json", "wordpiece_4000_goldens.json"},
	} {
		tok := open(t, c.kind, "testdata", c.tokenizer)
		var file struct {
			Cases []struct {
				Name, Text string
				IDs        []int32  `json:"ids"`
				Plain      []int32  `json:"ids_no_special_parsing"`
				Offsets    [][2]int `json:"byte_offsets"`
			}
		}
		if err := json.Unmarshal(read(t, c.kind, "testdata", c.goldens), &file); err != nil {
			t.Fatal(err)
		}
		for _, g := range file.Cases {
			if strings.Contains(g.Text, "\x00") || g.Plain != nil || c.kind == "wordpiece" && strings.Contains(g.Text, "[") {
				continue // control tokens were parsed in the goldens
			}
			var e tokenizer.Encoding
			tok.Encode(&e, g.Text)
			var want []span.Range
			for _, o := range g.Offsets {
				want = append(want, span.Range{Start: o[0], End: o[1]})
			}
			if !slices.Equal(e.IDs, g.IDs) || !slices.Equal(e.Spans, want) {
				t.Errorf("%s: got %v\nwant %v %v", g.Name, e, g.IDs, want)
			}
		}
	}
}

// FuzzBPE compares the pure-Go tokenizer with this one, on whatever Unicode the fuzzer finds.
func FuzzBPE(f *testing.F) {
	rust := open(f, "bpe", "testdata", "qwen_tiny_tokenizer.json")
	pure, err := bpe.Parse(read(f, "bpe", "testdata", "qwen_tiny_tokenizer.json"))
	if err != nil {
		f.Fatal(err)
	}
	for _, text := range []string{"", "I'll  go\r\n\n 12'ſ", "e\u0301o\u0303\u0323 각", "<|im_start|>x", "\x00a\xff", "   ", "合同。\t!"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		for _, r := range text {
			if r > 0x2fff && r < 0xac00 || r > 0xd7ff || r == 0 || r > 0x5ff && r < 0x1100 {
				t.Skip("a rune whose marks may be younger than the library's NFC")
			}
		}
		if !utf8.ValidString(text) {
			t.Skip("bytes that are no UTF-8")
		}
		var got, want tokenizer.Encoding
		pure.Encode(&got, text)
		rust.Encode(&want, text)
		if !slices.Equal(got.IDs, want.IDs) {
			t.Errorf("%+q: %v, the reference has %v", text, got.IDs, want.IDs)
		}
		for i := range got.Spans {
			if got.Spans[i].Start != want.Spans[i].Start || got.Spans[i].End < want.Spans[i].End {
				t.Errorf("%+q: span %v of token %d, the reference has %v", text, got.Spans[i], i, want.Spans[i])
			}
		}
	})
}

func TestParseRefuses(t *testing.T) {
	for _, text := range []string{"", "[", "{}", `{"model":{"type":"None"}}`} {
		if tok, err := Parse([]byte(text)); err == nil {
			tok.Close()
			t.Errorf("%q is read", text)
		}
	}
}

func TestEncodeOddBytes(t *testing.T) {
	tok := open(t, "bpe", "testdata", "qwen_tiny_tokenizer.json")
	var e tokenizer.Encoding
	if tok.Encode(&e, "a\x00b\xffc"); len(e.Spans) == 0 || e.Spans[len(e.Spans)-1].End != 5 {
		t.Errorf("%v", e)
	}
	for _, s := range e.Spans {
		if s.Empty() {
			t.Errorf("span %v", s)
		}
	}
}

func BenchmarkEncode(b *testing.B) {
	tok := open(b, "bpe", "testdata", "qwen_tiny_tokenizer.json")
	text := strings.Repeat("The harbour's keeper repaired 120 clocks before the storm, and nobody knew why. ", 800)
	var e tokenizer.Encoding
	for b.Loop() {
		e.IDs, e.Spans = e.IDs[:0], e.Spans[:0]
		tok.Encode(&e, text)
	}
	b.ReportMetric(float64(len(e.IDs))*float64(b.N)/b.Elapsed().Seconds(), "tokens/s")
}
