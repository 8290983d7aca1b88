package wordpiece

import (
	"encoding/json"
	"flag"
	"fmt"
	"iter"
	"math/rand/v2"
	"os"
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

var oracleStrings = flag.Int("oracle.strings", 500, "random strings, and lines of each real text, for each tokenizer of TestOracle")

// TestOracle compares with Hugging Face's Rust tokenizer: every rune, random strings, and lines of real text. What it needs
// says oracle.Python.
func TestOracle(t *testing.T) {
	python := oracle.Python(t)
	for i, c := range []struct {
		name, file string
		options    map[string]any
	}{
		{"uncased", "minilm_tokenizer.json", nil},
		{"small", "wordpiece_4000_tokenizer.json", nil},
		{"cased", "minilm_tokenizer.json", map[string]any{"lowercase": false}},
		{"accents", "minilm_tokenizer.json", map[string]any{"strip_accents": false}},
		{"stripped", "minilm_tokenizer.json", map[string]any{"strip_accents": true, "lowercase": false}},
		{"raw", "minilm_tokenizer.json", map[string]any{"clean_text": false, "handle_chinese_chars": false}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			file := withOptions(t, c.file, c.options)
			data, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			tok, err := Parse(data)
			if err != nil {
				t.Fatal(err)
			}
			rng := rand.New(rand.NewPCG(1, uint64(i)))
			compareWithOracle(t, tok, python, file, func(yield func(string) bool) {
				more := true
				each := func(text string) bool { more = yield(text); return more }
				for _, texts := range []iter.Seq[string]{
					everyRune, randomTexts(tok, rng, *oracleStrings), oracle.RealLines(t, *oracleStrings),
				} {
					if more {
						texts(each)
					}
				}
			})
		})
	}
}

// withOptions is the path of a copy of a tokenizer of testdata with other options of its normaliser.
func withOptions(t *testing.T, name string, options map[string]any) string {
	data, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	var spec map[string]any
	if err := json.Unmarshal(data, &spec); err != nil {
		t.Fatal(err)
	}
	for key, value := range options {
		spec["normalizer"].(map[string]any)[key] = value
	}
	if data, err = json.Marshal(spec); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// compareWithOracle runs all texts through both tokenizers and reports the first differences.
func compareWithOracle(t *testing.T, tok *Tokenizer, python, file string, texts iter.Seq[string]) {
	spansSkipped := 0
	oracle.Compare(t, python, file, true, texts, func(text string, want tokenizer.Encoding) bool {
		got := encode(tok, text)
		bySpans := !tok.normalizer.strip || !reorders(text)
		if !bySpans {
			spansSkipped++
		}
		if !slices.Equal(got.IDs, want.IDs) || bySpans && !slices.Equal(got.Spans, want.Spans) {
			t.Errorf("%+q:\n got %v\nwant %v", text, got, want)
			return false
		}
		return true
	})
	t.Logf("%d of them by ids only", spansSkipped)
}

// reorders reports whether canonical order moves a mark that strip_accents keeps. The Rust tokenizer then gives its token the bytes of
// another mark.
func reorders(text string) bool {
	last, moved, kept := uint8(0), false, false
	for i, r := range text {
		if c := classOf(r); c == control || c == controlSpace {
			continue
		}
		for _, d := range decompose(nil, r, text[i:]) {
			ccc := norm.NFD.PropertiesString(string(d)).CCC()
			if ccc == 0 {
				moved, kept = false, false
			}
			moved = moved || ccc != 0 && ccc < last
			kept = kept || ccc != 0 && classOf(d) != mark
			if last = ccc; moved && kept {
				return true
			}
		}
	}
	return false
}

// everyRune yields texts that hold runes alone and inside a word: every rune of the first two planes, and beyond them, where little
// changes, the borders of classes and some between.
func everyRune(yield func(string) bool) {
	var text strings.Builder
	for r := rune(0); r <= unicode.MaxRune; r++ {
		border := classOf(r) != classOf(r-1) || classOf(r) != classOf(r+1)
		if !utf8.ValidRune(r) || r >= 0x20000 && !border && r%64 != 0 {
			continue
		}
		fmt.Fprintf(&text, "a%cB %c ", r, r)
		if text.Len() > 1000 {
			if !yield(text.String()) {
				return
			}
			text.Reset()
		}
	}
	yield(text.String())
}

// randomTexts yields n strings: of random runes, of pieces of the vocabulary with random changes, and of long words.
func randomTexts(tok *Tokenizer, rng *rand.Rand, n int) iter.Seq[string] {
	return func(yield func(string) bool) {
		for range n {
			var text strings.Builder
			few := rng.IntN(2) * rng.IntN(len(oracle.Pools))
			for range 1 + rng.IntN(30) {
				switch rng.IntN(8) {
				case 0, 1:
					piece := strings.TrimPrefix(tok.tokens[rng.IntN(len(tok.tokens))], "##")
					switch rng.IntN(4) {
					case 0:
						piece = strings.ToUpper(piece)
					case 1:
						piece = norm.NFD.String(piece)
					}
					text.WriteString(piece)
				case 2:
					text.WriteByte(" \n.-'["[rng.IntN(6)])
				case 3:
					if rng.IntN(20) == 0 {
						r := oracle.RandomRune(rng, 0, len(oracle.Pools))
						text.WriteString(strings.Repeat(string(r), tok.maxChars-1+rng.IntN(3)))
					}
				case 4:
					text.WriteRune(oracle.RandomRune(rng, 0, len(oracle.Pools)))
				default:
					text.WriteRune(oracle.RandomRune(rng, few, min(few+3, len(oracle.Pools))))
				}
			}
			if !yield(text.String()) {
				return
			}
		}
	}
}
