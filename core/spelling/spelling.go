// Package spelling mends slips of the keys in a question, which a small critic reads badly: "terminaton" is no word of its vocabulary and
// falls into pieces that mean nothing. It stands before core/prompt.
//
// A word is taken for a slip only if it is neither a known word nor one of the texts that are asked about, and one slip away lies a word
// that is. Names, code, paths, quoted words and all else that is not of plain small letters stay as they are.
package spelling

import (
	"bytes"
	"cmp"
	"compress/gzip"
	_ "embed" // for the known words
	"io"
	"maps"
	"slices"
	"strings"
	"sync"
)

//go:generate go run ./gen $CPRS_DATA/train $CPRS_DATA/haystack

// The words of the embedded critic's vocabulary and of its training texts.
//
//go:embed words.txt.gz
var packed []byte

// ranks gives the known words their places, the most frequent first.
var ranks = sync.OnceValue(func() map[string]int {
	z, err := gzip.NewReader(bytes.NewReader(packed))
	if err != nil {
		panic(err) // it is part of the binary
	}
	text, err := io.ReadAll(z)
	if err != nil {
		panic(err)
	}
	words := strings.Split(string(text), "\n")
	out := make(map[string]int, len(words))
	for i, w := range words {
		out[w] = i
	}
	return out
})

// The lengths of words that are mended, in bytes: shorter ones have too many neighbours.
const (
	shortest = 4
	longest  = 24
)

// Up to few slips are mended in any question, up to many where most words are known: else the question is in another language, or a text.
const few, many = 2, 16

// Slips finds the mistyped words of questions. Each has for its value the word that was meant: one of texts, of several the most frequent,
// or else the most frequent of all.
func Slips(questions, texts []string) map[string]string {
	suspects := suspects(questions)
	if len(suspects) == 0 {
		return nil
	}
	counts := map[string]int{} // in texts, of the suspects and of all that lies one slip away
	neighbours := map[string][]string{}
	for _, s := range suspects {
		neighbours[s] = edits(s)
		counts[s] = 0
		for _, w := range neighbours[s] {
			counts[w] = 0
		}
	}
	for _, t := range texts {
		count(t, counts)
	}
	slips := map[string]string{}
	for _, s := range suspects {
		if counts[s] > 0 {
			continue
		}
		if w := meant(neighbours[s], counts); w != "" {
			slips[s] = w
		}
	}
	return slips
}

// Mend is question with what was meant in place of its slips.
func Mend(question string, slips map[string]string) string {
	var out strings.Builder
	at := 0
	for field := range strings.FieldsSeq(question) {
		start := at + strings.Index(question[at:], field)
		out.WriteString(question[at:start])
		at = start + len(field)
		if w := bare(field); slips[w] != "" {
			field = strings.Replace(field, w, slips[w], 1)
		}
		out.WriteString(field)
	}
	return out.String() + question[at:]
}

// suspects are the words of questions that are not known; none if there are too many for slips.
func suspects(questions []string) []string {
	unknown, words := map[string]bool{}, map[string]bool{}
	for _, q := range questions {
		for field := range strings.FieldsSeq(q) {
			w := bare(field)
			if w == "" {
				continue
			}
			words[w] = true
			if _, known := ranks()[w]; !known {
				unknown[w] = true
			}
		}
	}
	if n := len(unknown); n > many || n > few && 2*n > len(words) {
		return nil
	}
	return slices.Sorted(maps.Keys(unknown))
}

// bare is the word in a field of a question if it is one of small letters, without the punctuation after it or round it; else empty.
func bare(field string) string {
	w := strings.Trim(field, ".,;:!?()")
	if len(w) < shortest || len(w) > longest || strings.ContainsFunc(w, func(r rune) bool { return r < 'a' || r > 'z' }) {
		return ""
	}
	return w
}

// edits are the words one slip away from w that begin as it does: two letters swapped, one missing, too many or wrong.
func edits(w string) []string {
	var out []string
	for i := 1; i <= len(w); i++ {
		for c := 'a'; c <= 'z'; c++ {
			out = append(out, w[:i]+string(c)+w[i:])
			if i < len(w) {
				out = append(out, w[:i]+string(c)+w[i+1:])
			}
		}
		if i < len(w) {
			out = append(out, w[:i]+w[i+1:])
		}
		if i+1 < len(w) {
			out = append(out, w[:i]+w[i+1:i+2]+w[i:i+1]+w[i+2:])
		}
	}
	slices.Sort(out)
	return slices.DeleteFunc(slices.Compact(out), func(e string) bool { return e == w || len(e) < shortest })
}

// count adds how often each word of counts stands in text, in small letters or others.
func count(text string, counts map[string]int) {
	var word [longest + 2]byte // an edit can be one longer than its word, and what does not fit is none
	n := 0
	end := func() {
		if c, asked := counts[string(word[:n])]; asked {
			counts[string(word[:n])] = c + 1
		}
		n = 0
	}
	for i := range len(text) {
		c := text[i] | 0x20 // the small letter, of letters
		switch {
		case c < 'a' || c > 'z':
			end()
		case n < len(word):
			word[n] = c
			n++
		}
	}
	end()
}

// meant is the word that stands most often in the texts; if none does, the most frequent of the known ones, or "".
func meant(words []string, counts map[string]int) string {
	most := slices.MaxFunc(words, func(a, b string) int { return cmp.Compare(counts[a], counts[b]) })
	if counts[most] > 0 {
		return most
	}
	found := ""
	for _, w := range words {
		if rank, known := ranks()[w]; known && (found == "" || rank < ranks()[found]) {
			found = w
		}
	}
	return found
}
