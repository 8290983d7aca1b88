package bpe

import (
	"bufio"
	"compress/gzip"
	"encoding/json"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"

	"github.com/cprs-go/cprs/core/tokenizer"
)

var oracleStrings = flag.Int("oracle.strings", 2000, "random strings, and lines of each real text, of TestOracle")

// TestOracle compares with Hugging Face's Rust tokenizer: every rune, random strings, and lines of real text. It needs Python
// with PyPI tokenizers (CPRS_PYTHON names the interpreter) and skips without, unless REQUIRE_RUST_TOKENIZER=1.
func TestOracle(t *testing.T) {
	python := os.Getenv("CPRS_PYTHON")
	if python == "" {
		python = "python3"
	}
	if out, err := exec.Command(python, "-c", "import tokenizers").CombinedOutput(); err != nil {
		if os.Getenv("REQUIRE_RUST_TOKENIZER") == "1" {
			t.Fatalf("%s cannot import tokenizers: %v\n%s", python, err, out)
		}
		t.Skipf("%s cannot import tokenizers; CPRS_PYTHON may name another interpreter", python)
	}
	tok := load(t, "qwen_tiny_tokenizer.json")
	cmd := exec.Command(python, filepath.Join("testdata", "oracle.py"), filepath.Join("testdata", "qwen_tiny_tokenizer.json"))
	cmd.Stderr = os.Stderr
	in, err1 := cmd.StdinPipe()
	out, err2 := cmd.StdoutPipe()
	if err1 != nil || err2 != nil {
		t.Fatal(err1, err2)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	sent := make(chan string, 1<<10)
	go func() {
		defer in.Close()
		defer close(sent)
		w := bufio.NewWriter(in)
		defer w.Flush()
		enc := json.NewEncoder(w)
		for text := range oracleTexts(t, tok) {
			if enc.Encode(text) != nil {
				return
			}
			sent <- text
		}
	}()
	compareAnswers(t, tok, sent, json.NewDecoder(bufio.NewReader(out)))
	cmd.Process.Kill()
	cmd.Wait()
}

// compareAnswers reports the first differences.
func compareAnswers(t *testing.T, tok *Tokenizer, sent <-chan string, answers *json.Decoder) {
	compared, failed := 0, 0
	for text := range sent {
		var want struct {
			IDs   []int32  `json:"ids"`
			Spans [][2]int `json:"spans"`
		}
		if err := answers.Decode(&want); err != nil {
			t.Fatalf("reading the answer for %q: %v", text, err)
		}
		compared++
		var got tokenizer.Encoding
		tok.EncodeMarkup(&got, text)
		if spans := ranges(want.Spans); !slices.Equal(got.IDs, want.IDs) || !slices.Equal(got.Spans, spans) {
			t.Errorf("%+q:\n got %v %v\nwant %v %v", text, got.IDs, got.Spans, want.IDs, spans)
			if failed++; failed == 10 {
				return
			}
		}
	}
	t.Logf("%d strings compared", compared)
}

// oracleTexts yields every rune in a few neighbourhoods, random strings, and lines of the texts in ../shared/data beside the module.
func oracleTexts(t *testing.T, tok *Tokenizer) func(func(string) bool) {
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
		files, _ := filepath.Glob(filepath.Join("..", "..", "..", "..", "shared", "data", "haystack", "*.gz"))
		for _, name := range files {
			for _, line := range gzipLines(t, name, *oracleStrings/4) {
				if !yield(line) {
					return
				}
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

// pools are the runes that random strings are made of.
var pools = [][2]rune{
	{0, 0x7f}, {'a', 'z'}, {'A', 'Z'}, {' ', '@'}, {' ', ' '}, {'\t', '\r'}, {0x80, 0xff}, {0x100, 0x24f}, {0x300, 0x36f},
	{0x370, 0x52f}, {0x590, 0x6ff}, {0x900, 0xdff}, {0xe00, 0xfff}, {0x1100, 0x11ff}, {0x1e00, 0x1eff}, {0x1f00, 0x206f},
	{0x20a0, 0x218f}, {0x2e80, 0x30ff}, {0x3400, 0x9fff}, {0xac00, 0xd7a3}, {0xe000, 0xffff}, {0x1f300, 0x1faff}, {0, unicode.MaxRune},
}

// randomText is made of random runes, tokens, contractions and control tokens.
func randomText(rng *rand.Rand, tok *Tokenizer) string {
	var text strings.Builder
	few := rng.IntN(2) * rng.IntN(len(pools))
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
			p := pools[rng.IntN(len(pools))]
			if rng.IntN(2) == 0 {
				p = pools[few]
			}
			if r := p[0] + rng.Int32N(p[1]-p[0]+1); utf8.ValidRune(r) && !younger(r) {
				text.WriteRune(r)
			}
		}
	}
	return text.String()
}

func gzipLines(t *testing.T, name string, n int) (lines []string) {
	f, err := os.Open(name)
	if err != nil {
		t.Error(err)
		return nil
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Error(err)
		return nil
	}
	for s := bufio.NewReader(z); len(lines) < n; {
		line, err := s.ReadString('\n')
		if line != "" && utf8.ValidString(line) {
			lines = append(lines, line)
		}
		if err != nil {
			break
		}
	}
	return lines
}
