// Package oracle compares tokenizers with Hugging Face's Rust one, in tests. It needs Python with PyPI tokenizers.
package oracle

import (
	"bufio"
	"compress/gzip"
	_ "embed" // for the script
	"encoding/json"
	"io"
	"iter"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/cprs-go/cprs/core/span"
	"github.com/cprs-go/cprs/core/tokenizer"
)

//go:embed oracle.py
var script string

// Python is the interpreter that has the Rust tokenizer; CPRS_PYTHON may name another than python3. Without one the test is skipped, and
// fails where REQUIRE_RUST_TOKENIZER is 1.
func Python(t *testing.T) string {
	t.Helper()
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

// mostFailures is after how many differences a comparison ends.
const mostFailures = 10

// Compare hands each text to compare with the ids and spans that the Rust tokenizer of a tokenizer.json gives, until ten were not the same.
// With plain it looks for no special tokens in the text.
func Compare(t *testing.T, python, file string, plain bool, texts iter.Seq[string], compare func(text string, want tokenizer.Encoding) (same bool)) {
	t.Helper()
	args := []string{"-c", script, file}
	if plain {
		args = append(args, "plain")
	}
	cmd := exec.Command(python, args...)
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
		for text := range texts {
			if enc.Encode(text) != nil {
				return
			}
			sent <- text
		}
	}()
	answers := json.NewDecoder(bufio.NewReader(out))
	compared, failed := 0, 0
	for text := range sent {
		want, err := next(answers)
		if err != nil {
			t.Fatalf("reading the answer for %q: %v", text, err)
		}
		compared++
		if compare(text, want) {
			continue
		}
		if failed++; failed == mostFailures {
			cmd.Process.Kill()
			break
		}
	}
	if err := cmd.Wait(); err != nil && failed < mostFailures {
		t.Error(err)
	}
	t.Logf("%d strings compared", compared)
}

// next is the next answer of the script.
func next(answers *json.Decoder) (e tokenizer.Encoding, err error) {
	var answer struct {
		IDs   []int32  `json:"ids"`
		Spans [][2]int `json:"spans"`
	}
	if err := answers.Decode(&answer); err != nil {
		return e, err
	}
	e.IDs = answer.IDs
	for _, s := range answer.Spans {
		e.Spans = append(e.Spans, span.Range{Start: s[0], End: s[1]})
	}
	return e, nil
}

// Pools are the ranges of runes that random strings are made of.
var Pools = [][2]rune{
	{0, 0x7f}, {'a', 'z'}, {'A', 'Z'}, {' ', '@'}, {' ', ' '}, {'\t', '\r'}, {0x80, 0xff}, {0x100, 0x24f}, {0x300, 0x36f},
	{0x370, 0x52f}, {0x590, 0x6ff}, {0x900, 0xdff}, {0xe00, 0xfff}, {0x1100, 0x11ff}, {0x1ab0, 0x1aff}, {0x1dc0, 0x1eff},
	{0x1f00, 0x206f}, {0x20a0, 0x218f}, {0x2e80, 0x30ff}, {0x302a, 0x3030}, {0x3400, 0x9fff}, {0xac00, 0xd7a3}, {0xe000, 0xffff},
	{0xf900, 0xfaff}, {0xfe00, 0xfe0f}, {0xfff0, 0xffff}, {0x10000, 0x1ffff}, {0x1d160, 0x1d180}, {0x1f300, 0x1faff},
	{0x20000, 0x2fa1f}, {0xe0000, 0xe01ff}, {0xf0000, 0x10ffff}, {0, unicode.MaxRune},
}

// RandomRune is one of Pools[from:to].
func RandomRune(rng *rand.Rand, from, to int) rune {
	for {
		p := Pools[from+rng.IntN(to-from)]
		if r := p[0] + rng.Int32N(p[1]-p[0]+1); utf8.ValidRune(r) {
			return r
		}
	}
}

// RealLines yields at most n lines of each text in ../shared/data beside the module; none if there is no such folder.
func RealLines(t testing.TB, n int) iter.Seq[string] {
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

func gzipLines(t testing.TB, name string, n int) iter.Seq[string] {
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
