// Command gen writes words.txt.gz, the words that core/spelling takes for known: those of the embedded critic's vocabulary, and those that stand in
// at least leastTexts texts of data folders; the most frequent come first.
//
//	go run ./gen FOLDER...
package main

import (
	"bytes"
	"cmp"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/cprs-go/cprs/core/eval"
	"github.com/cprs-go/cprs/core/model/embedded"
)

// leastTexts keeps the slips of authors out.
const leastTexts = 3

// leftOut are sets whose texts were typed in haste.
var leftOut = regexp.MustCompile(`irc|reddit|wnut|stackoverflow|tldr|sgd`)

var (
	run   = regexp.MustCompile(`[\p{L}\p{N}_'’-]+`) // what stands between blanks and punctuation
	plain = regexp.MustCompile(`^[a-z]{4,25}$`)     // the words that core/spelling can take for known
)

func main() {
	if len(os.Args) < 2 {
		fail(errors.New("name folders of data"))
	}
	words, err := collect(os.Args[1:])
	fail(err)
	var out bytes.Buffer
	z, err := gzip.NewWriterLevel(&out, gzip.BestCompression)
	fail(err)
	_, err = z.Write([]byte(strings.Join(words, "\n")))
	fail(errors.Join(err, z.Close()))
	fail(os.WriteFile("words.txt.gz", out.Bytes(), 0o644))
	fmt.Printf("%d words, %d bytes\n", len(words), out.Len())
}

func fail(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "error:", err)
		os.Exit(1)
	}
}

// collect gives the known words, the most frequent first.
func collect(folders []string) ([]string, error) {
	_, tok, err := embedded.Load()
	if err != nil {
		return nil, err
	}
	var c counts
	c.words, c.texts = map[string]int{}, map[string]int{}
	for _, folder := range folders {
		if err := c.readFolder(folder); err != nil {
			return nil, err
		}
	}
	known := maps.Clone(c.words)
	maps.DeleteFunc(known, func(w string, _ int) bool { return c.texts[w] < leastTexts })
	for id := range tok.VocabSize() {
		if w := tok.Token(int32(id)); plain.MatchString(w) {
			known[w] = c.words[w]
		}
	}
	return slices.SortedFunc(maps.Keys(known), func(a, b string) int { return cmp.Or(cmp.Compare(known[b], known[a]), cmp.Compare(a, b)) }), nil
}

// counts tell how often words stand in all texts, and in how many.
type counts struct{ words, texts map[string]int }

func (c *counts) readFolder(folder string) error {
	files, err := filepath.Glob(filepath.Join(folder, "*.gz"))
	if err != nil {
		return err
	}
	for _, f := range files {
		if leftOut.MatchString(filepath.Base(f)) {
			continue
		}
		if err := c.readFile(f); err != nil {
			return err
		}
	}
	return nil
}

// readFile counts the words of a set, or of a text that is cut at its empty lines.
func (c *counts) readFile(path string) error {
	if strings.HasSuffix(path, ".jsonl.gz") {
		set, err := eval.Load(path)
		if err != nil {
			return err
		}
		read := map[string]bool{} // many questions can stand on one text
		for _, r := range set.Records {
			for _, d := range r.Docs {
				if !read[d.Text] {
					read[d.Text] = true
					c.add(d.Text)
				}
			}
		}
		return nil
	}
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		return err
	}
	text, err := io.ReadAll(z)
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	for part := range strings.SplitSeq(string(text), "\n\n\n") {
		c.add(part)
	}
	return nil
}

func (c *counts) add(text string) {
	here := map[string]bool{}
	for _, w := range run.FindAllString(text, -1) {
		if plain.MatchString(w) {
			c.words[w]++
			here[w] = true
		}
	}
	for w := range here {
		c.texts[w]++
	}
}
