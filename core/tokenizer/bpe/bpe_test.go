package bpe

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/cprs-go/cprs/core/span"
	"github.com/cprs-go/cprs/core/tokenizer"
)

func load(t testing.TB, name string) *Tokenizer {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	tok, err := Parse(data)
	if err != nil {
		t.Fatal(err)
	}
	return tok
}

// goldenCase is one text of qwen_tiny_goldens.json.
type goldenCase struct {
	Name    string   `json:"name"`
	Text    string   `json:"text"`
	IDs     []int32  `json:"ids"`
	Plain   []int32  `json:"ids_no_special_parsing"` // where they differ
	Offsets [][2]int `json:"byte_offsets"`
	Decoded string   `json:"decoded"`
}

func goldens(t testing.TB) []goldenCase {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("testdata", "qwen_tiny_goldens.json"))
	if err != nil {
		t.Fatal(err)
	}
	var file struct {
		Cases []goldenCase `json:"cases"`
	}
	if err := json.Unmarshal(data, &file); err != nil {
		t.Fatal(err)
	}
	if len(file.Cases) != 74 {
		t.Fatalf("%d cases, want 74", len(file.Cases))
	}
	return file.Cases
}

func TestGoldens(t *testing.T) {
	for _, file := range []string{"qwen_tiny_tokenizer.json", "qwen_tiny_tokenizer_pairs.json"} {
		tok := load(t, file)
		for _, c := range goldens(t) {
			var got, plain tokenizer.Encoding
			tok.EncodeMarkup(&got, c.Text)
			if !slices.Equal(got.IDs, c.IDs) {
				t.Errorf("%s: %s: ids\n got %v\nwant %v", file, c.Name, got.IDs, c.IDs)
			} else if want := ranges(c.Offsets); !slices.Equal(got.Spans, want) {
				t.Errorf("%s: %s: spans\n got %v\nwant %v", file, c.Name, got.Spans, want)
			}
			if d := tok.Decode(c.IDs); d != c.Decoded {
				t.Errorf("%s: %s: decoded %q, want %q", file, c.Name, d, c.Decoded)
			}
			want := c.IDs
			if c.Plain != nil {
				want = c.Plain
			}
			if tok.Encode(&plain, c.Text); !slices.Equal(plain.IDs, want) {
				t.Errorf("%s: %s: without control tokens\n got %v\nwant %v", file, c.Name, plain.IDs, want)
			}
		}
	}
}

func ranges(offsets [][2]int) (out []span.Range) {
	for _, o := range offsets {
		out = append(out, span.Range{Start: o[0], End: o[1]})
	}
	return out
}

// A token of a rune that NFC put together covers all that it was made of; EncodeMarkup gives the first rune alone.
func TestSpansOfComposed(t *testing.T) {
	tok := load(t, "qwen_tiny_tokenizer.json")
	for _, c := range []struct{ text, want, first string }{
		{"e\u0301x", "e\u0301|x", "e|x"},
		{"\u1112\u1161\u11ab!", "\u1112\u1161\u11ab|!", "\u1112|!"},
		{"o\u0303\u0323.", "o\u0303|\u0323|.", "o|\u0323|."}, // ọ takes the place of two runes, and the tilde that of the third
		{"a\xffb", "a|\xff|b", "a|\xff|b"},
	} {
		for _, each := range []struct {
			encode func(*tokenizer.Encoding, string)
			want   string
		}{{tok.Encode, c.want}, {tok.EncodeMarkup, c.first}} {
			var e tokenizer.Encoding
			each.encode(&e, c.text)
			var got []string
			for _, s := range slices.Compact(e.Spans) {
				got = append(got, c.text[s.Start:s.End])
			}
			if g := strings.Join(got, "|"); g != each.want {
				t.Errorf("%+q: %+q, want %+q", c.text, g, each.want)
			}
		}
	}
}

func TestWords(t *testing.T) {
	for _, c := range []struct{ text, want string }{
		{"I'm you'LL it'ſ 'quote'", "I|'m| you|'LL| it|'ſ| '|quote|'"},
		{"a1234 b", "a|1|2|3|4| b"},
		{"x   y", "x|  | y"},
		{"x  \n  y", "x|  \n| | y"},
		{"x \n\n", "x| \n\n"},
		{"x   ", "x|   "},
		{"(foo) !!\r\n\nbar", "(foo|)| !!\r\n\n|bar"},
		{"\tfoo\t\tbar", "\tfoo|\t|\tbar"},
		{"'", "'"},
		{"价格12元。", "价格|1|2|元|。"},
		{"\u00a0\u00a0a", "\u00a0|\u00a0a"},
	} {
		var got []string
		for i := 0; i < len(c.text); {
			end := wordEnd(c.text, i)
			got = append(got, c.text[i:end])
			i = end
		}
		if g := strings.Join(got, "|"); g != c.want {
			t.Errorf("%q: %q, want %q", c.text, g, c.want)
		}
	}
}

// Both ways to merge give the same, at the length where one takes over and elsewhere.
func TestMergeLong(t *testing.T) {
	tok := load(t, "qwen_tiny_tokenizer.json")
	for _, base := range []string{"internationalisation", "the", "aa", "  ", "日本", "abcdefgh\xff"} {
		for n := 1; n < 4*shortWord; n++ {
			word := strings.Repeat(base, 1+n/len(base))[:n]
			var short, long scratch
			for i := range len(word) {
				s := symbol{id: tok.bytes[word[i]], size: 1, before: int32(i - 1), after: int32(i + 1)}
				short.symbols, long.symbols = append(short.symbols, s), append(long.symbols, s)
			}
			mergeShort(&short, &tok.merges)
			mergeLong(&long, &tok.merges)
			var a, b []string
			for _, y := range short.symbols {
				a = append(a, fmt.Sprint(y.id, y.size))
			}
			for _, y := range long.symbols {
				if y.size > 0 {
					b = append(b, fmt.Sprint(y.id, y.size))
				}
			}
			if !slices.Equal(a, b) {
				t.Fatalf("%q: %v and %v", word, a, b)
			}
		}
	}
}

func TestVocabulary(t *testing.T) {
	tok := load(t, "qwen_tiny_tokenizer.json")
	if tok.Name() != "bpe-771" || tok.VocabSize() != 771 {
		t.Errorf("%s with %d tokens", tok.Name(), tok.VocabSize())
	}
	for _, c := range []struct {
		token string
		id    int32
		ok    bool
	}{{"<|im_start|>", 769, true}, {"<|im_end|>", 770, true}, {"!", 0, true}, {" no", 764, true}, {"nothing of the kind", 0, false}} {
		if id, ok := tok.ID(c.token); ok != c.ok || c.ok && id != c.id {
			t.Errorf("%q is %d, %v, want %d, %v", c.token, id, ok, c.id, c.ok)
		}
	}
	if d := tok.Decode([]int32{-1, 5000, 769}); d != "<|im_start|>" {
		t.Errorf("ids outside the vocabulary decode to %q", d)
	}
}

func TestLossy(t *testing.T) {
	for _, c := range []struct{ text, want string }{
		{"a\xe2\x82b", "a\ufffdb"},
		{"\xe2\x82", "\ufffd"},
		{"\xf0\x9f\x98", "\ufffd"},
		{"\xff\xfe", "\ufffd\ufffd"},
		{"\xed\xa0\x80", "\ufffd\ufffd\ufffd"},
		{"\xf0\x80\x80", "\ufffd\ufffd\ufffd"},
		{"\xf4\x90", "\ufffd\ufffd"},
		{"\xc3é", "\ufffdé"},
		{"ok", "ok"},
	} {
		if got := lossy(c.text); got != c.want {
			t.Errorf("%q: %+q, want %+q", c.text, got, c.want)
		}
	}
}

func BenchmarkEncode(b *testing.B) {
	tok := load(b, "qwen_tiny_tokenizer.json")
	text := strings.Repeat("The harbour's keeper repaired 120 clocks before the storm, and nobody knew why. ", 800)
	var e tokenizer.Encoding
	b.SetBytes(int64(len(text)))
	for b.Loop() {
		e.IDs, e.Spans = e.IDs[:0], e.Spans[:0]
		tok.Encode(&e, text)
	}
	b.ReportMetric(float64(len(e.IDs))*float64(b.N)/b.Elapsed().Seconds(), "tokens/s")
}
