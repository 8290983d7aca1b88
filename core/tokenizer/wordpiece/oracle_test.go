package wordpiece

import (
	"bufio"
	"compress/gzip"
	"encoding/json"
	"flag"
	"fmt"
	"io"
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

	"github.com/cprs-go/cprs/core/span"
	"github.com/cprs-go/cprs/core/tokenizer"
)

var oracleStrings = flag.Int("oracle.strings", 500, "random strings, and lines of each real text, for each tokenizer of TestOracle")

// TestOracle compares with Hugging Face's Rust tokenizer: every rune, random strings, and lines of real text. It needs Python
// with PyPI tokenizers (CPRS_PYTHON names the interpreter) and skips without, unless REQUIRE_RUST_TOKENIZER=1.
func TestOracle(t *testing.T) {
	python := findOracle(t)
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
				for _, texts := range []func(func(string) bool){
					everyRune, randomTexts(tok, rng, *oracleStrings), realLines(t, *oracleStrings),
				} {
					if more {
						texts(each)
					}
				}
			})
		})
	}
}

// findOracle is the Python that can run testdata/oracle.py.
func findOracle(t *testing.T) string {
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
	return python
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
func compareWithOracle(t *testing.T, tok *Tokenizer, python, file string, texts func(func(string) bool)) {
	cmd := exec.Command(python, filepath.Join("testdata", "oracle.py"), file)
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
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
		for text := range texts {
			if enc.Encode(text) != nil {
				return
			}
			sent <- text
		}
	}()
	answers := json.NewDecoder(bufio.NewReader(out))
	compared, spansSkipped, failed := 0, 0, 0
	for text := range sent {
		var want struct {
			IDs   []int32  `json:"ids"`
			Spans [][2]int `json:"spans"`
		}
		if err := answers.Decode(&want); err != nil {
			t.Fatalf("reading the answer for %q: %v", text, err)
		}
		e := tokenizer.Encoding{IDs: want.IDs}
		for _, s := range want.Spans {
			e.Spans = append(e.Spans, span.Range{Start: s[0], End: s[1]})
		}
		compared++
		got := encode(tok, text)
		bySpans := !tok.normalizer.strip || !reorders(text)
		if !bySpans {
			spansSkipped++
		}
		if !slices.Equal(got.IDs, e.IDs) || bySpans && !slices.Equal(got.Spans, e.Spans) {
			t.Errorf("%+q:\n got %v\nwant %v", text, got, e)
			if failed++; failed == 10 {
				cmd.Process.Kill()
				break
			}
		}
	}
	if err := cmd.Wait(); err != nil && failed < 10 {
		t.Error(err)
	}
	t.Logf("%d strings compared, %d of them by ids only", compared, spansSkipped)
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

// pools are the runes that random strings are made of.
var pools = [][2]rune{
	{0, 0x7f}, {'a', 'z'}, {'A', 'Z'}, {' ', '@'}, {' ', ' '}, {'\t', '\r'}, {0x80, 0xff}, {0x100, 0x24f}, {0x300, 0x36f},
	{0x370, 0x52f}, {0x590, 0x6ff}, {0x900, 0xdff}, {0xe00, 0xfff}, {0x1100, 0x11ff}, {0x1ab0, 0x1aff}, {0x1dc0, 0x1eff},
	{0x1f00, 0x206f}, {0x20a0, 0x218f}, {0x2e80, 0x30ff}, {0x302a, 0x3030}, {0x3400, 0x9fff}, {0xac00, 0xd7a3}, {0xe000, 0xffff},
	{0xf900, 0xfaff}, {0xfe00, 0xfe0f}, {0xfff0, 0xffff}, {0x10000, 0x1ffff}, {0x1d160, 0x1d180}, {0x1f300, 0x1faff},
	{0x20000, 0x2fa1f}, {0xe0000, 0xe01ff}, {0xf0000, 0x10ffff}, {0, unicode.MaxRune},
}

func randomRune(rng *rand.Rand, from, to int) rune {
	for {
		p := pools[from+rng.IntN(to-from)]
		if r := p[0] + rng.Int32N(p[1]-p[0]+1); utf8.ValidRune(r) {
			return r
		}
	}
}

// randomTexts yields n strings: of random runes, of pieces of the vocabulary with random changes, and of long words.
func randomTexts(tok *Tokenizer, rng *rand.Rand, n int) func(func(string) bool) {
	return func(yield func(string) bool) {
		for range n {
			var text strings.Builder
			few := rng.IntN(2) * rng.IntN(len(pools))
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
						r := randomRune(rng, 0, len(pools))
						text.WriteString(strings.Repeat(string(r), tok.maxChars-1+rng.IntN(3)))
					}
				case 4:
					text.WriteRune(randomRune(rng, 0, len(pools)))
				default:
					text.WriteRune(randomRune(rng, few, min(few+3, len(pools))))
				}
			}
			if !yield(text.String()) {
				return
			}
		}
	}
}

// realLines yields at most n lines of each haystack in ../shared/data beside the module, none if there is no such folder.
func realLines(t testing.TB, n int) func(func(string) bool) {
	return func(yield func(string) bool) {
		files, _ := filepath.Glob(filepath.Join("..", "..", "..", "..", "shared", "data", "haystack", "*.gz"))
		for _, name := range files {
			for line := range gzipLines(t, name, n) {
				if !yield(line) {
					return
				}
			}
		}
	}
}

func gzipLines(t testing.TB, name string, n int) func(func(string) bool) {
	return func(yield func(string) bool) {
		f, err := os.Open(name)
		if err != nil {
			t.Error(err)
			return
		}
		defer f.Close()
		z, err := gzip.NewReader(f)
		if err != nil {
			t.Error(err)
			return
		}
		r := bufio.NewReader(z)
		for range n {
			line, err := r.ReadString('\n')
			if line != "" && utf8.ValidString(line) && !yield(line) || err == io.EOF {
				return
			}
			if err != nil {
				t.Error(err)
				return
			}
		}
	}
}
