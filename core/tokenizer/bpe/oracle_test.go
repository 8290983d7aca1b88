package bpe

import (
	"flag"
	"fmt"
	"iter"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"

	"github.com/cprs-go/cprs/core/tokenizer"
	"github.com/cprs-go/cprs/core/tokenizer/oracle"
)

var oracleStrings = flag.Int("oracle.strings", 2000, "random strings, and lines of each real text, of TestOracle")

// TestOracle compares with Hugging Face's Rust tokenizer: every rune, random strings, and lines of real text. What it needs
// says oracle.Python.
func TestOracle(t *testing.T) {
	python := oracle.Python(t)
	tok := load(t, "qwen_tiny_tokenizer.json")
	oracle.Compare(t, python, filepath.Join("testdata", "qwen_tiny_tokenizer.json"), false, oracleTexts(t, tok), func(text string, want tokenizer.Encoding) bool {
		var got tokenizer.Encoding
		tok.EncodeMarkup(&got, text)
		if !slices.Equal(got.IDs, want.IDs) || !slices.Equal(got.Spans, want.Spans) {
			t.Errorf("%+q:\n got %v\nwant %v", text, got, want)
			return false
		}
		return true
	})
}

// oracleTexts yields every rune in a few neighbourhoods, random strings, and lines of the texts in ../shared/data beside the module.
func oracleTexts(t *testing.T, tok *Tokenizer) iter.Seq[string] {
	return func(yield func(string) bool) {
		var text strings.Builder
		for r := rune(0); r <= unicode.MaxRune; r++ {
			if !utf8.ValidRune(r) || younger(r) || r >= 0x20000 && r%256 != 0 {
				continue
			}
			fmt.Fprintf(&text, "a%cB %c", r, r)
			if text.Len() > 4000 {
				if !yield(text.String()) {
					return
				}
				text.Reset()
			}
		}
		rng := rand.New(rand.NewPCG(1, 2))
		for range *oracleStrings {
			if !yield(randomText(rng, tok)) {
				return
			}
		}
		for line := range oracle.RealLines(t, *oracleStrings/4) {
			if !yield(line) {
				return
			}
		}
	}
}

// marks9 are the marks that have come since Unicode 9, which the Rust library's NFC knows; it leaves them where they stand.
var marks9 = [][2]rune{
	{0x7fd, 0x7fd}, {0x898, 0x89f}, {0x8ca, 0x8d3}, {0x9fe, 0x9fe}, {0xc3c, 0xc3c}, {0xd3b, 0xd3c}, {0xeba, 0xeba}, {0xece, 0xece},
	{0x1715, 0x1715}, {0x1abf, 0x1ace}, {0x1df6, 0x1dfa}, {0xa82c, 0xa82c}, {0x10d24, 0x10d27}, {0x10eab, 0x10eac}, {0x10efd, 0x10eff},
	{0x10f46, 0x10f50}, {0x10f82, 0x10f85}, {0x11070, 0x11070}, {0x1133b, 0x1133b}, {0x1145e, 0x1145e}, {0x11839, 0x1183a},
	{0x1193d, 0x11943}, {0x119e0, 0x119e0}, {0x11a34, 0x11a99}, {0x11d42, 0x11d97}, {0x11f41, 0x11f42}, {0x16ff0, 0x16ff1},
	{0x1e08f, 0x1e08f}, {0x1e130, 0x1e136}, {0x1e2ae, 0x1e2ef}, {0x1e4ec, 0x1e4ef},
}

func younger(r rune) bool {
	return slices.ContainsFunc(marks9, func(m [2]rune) bool { return m[0] <= r && r <= m[1] })
}

// randomText is made of random runes, tokens, contractions and control tokens.
func randomText(rng *rand.Rand, tok *Tokenizer) string {
	var text strings.Builder
	few := rng.IntN(2) * rng.IntN(len(oracle.Pools))
	for range 1 + rng.IntN(40) {
		switch rng.IntN(9) {
		case 0, 1:
			piece := tok.tokens[rng.IntN(len(tok.tokens))]
			if rng.IntN(4) == 0 {
				piece = norm.NFD.String(piece)
			}
			text.WriteString(strings.ToValidUTF8(piece, ""))
		case 2:
			text.WriteString([]string{"'s", "'LL", "'ſ", "'Re", "\r\n", "  \n ", "   ", "<|im_end|>", "<|im_start|>", "'", "\u0301", "\u0323"}[rng.IntN(12)])
		default:
			r := oracle.RandomRune(rng, 0, len(oracle.Pools))
			if rng.IntN(2) == 0 {
				r = oracle.RandomRune(rng, few, few+1)
			}
			if !younger(r) {
				text.WriteRune(r)
			}
		}
	}
	return text.String()
}
