package tokenizer

import (
	"strings"
	"testing"

	"github.com/cprs-go/cprs/core/span"
)

// letters is a tokenizer with a token for each byte; it counts how much it was given at once.
type letters struct{ most int }

func (l *letters) Name() string { return "letters" }

func (l *letters) Encode(e *Encoding, text string) {
	l.most = max(l.most, len(text))
	for i := range len(text) {
		e.IDs = append(e.IDs, int32(text[i]))
		e.Spans = append(e.Spans, span.Range{Start: i, End: i + 1})
	}
}

func TestCountUpTo(t *testing.T) {
	for name, text := range map[string]string{
		"lines":     strings.Repeat("a line\n", 30_000),
		"words":     strings.Repeat("word ", 40_000),
		"one word":  strings.Repeat("x", 3*countBytes+1),
		"all lines": strings.Repeat("\n", 2*countBytes),
		"short":     "short",
		"empty":     "",
	} {
		l := &letters{}
		if n := Count(l, text); n != len(text) {
			t.Errorf("%s: %d tokens of %d", name, n, len(text))
		}
		if l.most > countBytes && name != "one word" {
			t.Errorf("%s: %d bytes at once", name, l.most)
		}
		if n := CountUpTo(l, text, 10); len(text) > 10 && (n <= 10 || n > countBytes && name != "one word") {
			t.Errorf("%s: up to 10 gives %d", name, n)
		}
	}
}

func TestMayCut(t *testing.T) {
	for _, c := range []struct {
		text string
		at   int
		want bool
	}{
		{"a\nb", 2, true}, {"a\nb", 1, false}, {"a\n b", 2, false}, {"a\n\nb", 2, false}, {"a\n\nb", 3, true}, {"a b", 2, false},
		{"a\n\u0301", 2, false}, {"a\n\xff", 2, false}, {"ab", 0, true}, {"ab", 2, true}, {"a\r\nb", 3, true}, {"a\n\u00a0", 2, false},
	} {
		if got := MayCut(c.text, c.at); got != c.want {
			t.Errorf("MayCut(%q, %d) is %v", c.text, c.at, got)
		}
	}
}
