// Package critictest has deterministic critics, and the tokenizer that goes with them, for the tests of every layer
// above core/critic.
package critictest

import (
	"context"
	"hash/fnv"
	"unicode"
	"unicode/utf8"

	"github.com/cprs-go/cprs/core/label"
	"github.com/cprs-go/cprs/core/prompt"
	"github.com/cprs-go/cprs/core/span"
	"github.com/cprs-go/cprs/core/tokenizer"
	"github.com/cprs-go/cprs/core/window"
)

// Func is a critic that gives token i of w the keep probability f(w, i).
type Func func(w *window.Window, i int) float32

// Score asks f about every token, one window after the other, and stops when ctx is done.
func (f Func) Score(ctx context.Context, ws []window.Window) ([]label.Scores, error) {
	out := make([]label.Scores, len(ws))
	for i := range ws {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		out[i].Probs = make([][4]float32, len(ws[i].IDs))
		for j := range ws[i].IDs {
			keep := f(&ws[i], j)
			out[i].Probs[j] = [4]float32{label.Inside: keep, label.Outside: 1 - keep}
			out[i].Relevance = max(out[i].Relevance, keep)
		}
	}
	return out, nil
}

// Match keeps the tokens whose id occurs in the header, with probability 0.9, and their neighbours within reach
// tokens, with 0.8; all others get 0.1.
func Match(reach int) Func {
	return func(w *window.Window, i int) float32 {
		if inHeader(w, i) {
			return 0.9
		}
		for j := max(0, i-reach); j <= i+reach && j < len(w.IDs); j++ {
			if inHeader(w, j) {
				return 0.8
			}
		}
		return 0.1
	}
}

func inHeader(w *window.Window, i int) bool {
	for _, id := range w.Header.IDs {
		if id == w.IDs[i] {
			return true
		}
	}
	return false
}

// Hash gives every token a probability that depends on its id and on the header alone: noise for property tests.
var Hash = Func(func(w *window.Window, i int) float32 {
	h := uint32(w.IDs[i])*2654435761 + uint32(len(w.Header.IDs))
	return float32(h>>8) / (1 << 24)
})

// Tokenizer splits text into words and single other characters. The id of a token is a hash of its lower-case
// form, above the three ids of Layout.
type Tokenizer struct{}

// Name is "critictest".
func (Tokenizer) Name() string { return "critictest" }

// Encode implements tokenizer.Tokenizer.
func (Tokenizer) Encode(e *tokenizer.Encoding, text string) {
	start := -1 // of the word, if in one
	for i, r := range text {
		inWord := unicode.IsLetter(r) || unicode.IsDigit(r)
		if start >= 0 && !inWord {
			add(e, text, start, i)
			start = -1
		}
		switch {
		case inWord && start < 0:
			start = i
		case !inWord && !unicode.IsSpace(r):
			_, w := utf8.DecodeRuneInString(text[i:])
			add(e, text, i, i+w)
		}
	}
	if start >= 0 {
		add(e, text, start, len(text))
	}
}

func add(e *tokenizer.Encoding, text string, start, end int) {
	h := fnv.New32a()
	for _, r := range text[start:end] {
		var b [utf8.UTFMax]byte
		h.Write(b[:utf8.EncodeRune(b[:], unicode.ToLower(r))])
	}
	e.IDs = append(e.IDs, int32(h.Sum32()>>2)+3)
	e.Spans = append(e.Spans, span.Range{Start: start, End: end})
}

// Layout is a pair layout over Tokenizer with windows of n ids.
func Layout(n int) prompt.Layout {
	return prompt.NewPair(Tokenizer{}, prompt.PairOptions{CLS: 0, SEP: 1, Colon: 2, HeaderTokens: 64, WindowTokens: n, TitleTokens: 8})
}
