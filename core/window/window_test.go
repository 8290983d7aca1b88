package window_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/cprs-go/cprs/core/critic/critictest"
	"github.com/cprs-go/cprs/core/tokenizer"
	"github.com/cprs-go/cprs/core/unit"
	"github.com/cprs-go/cprs/core/window"
)

// cut cuts text into windows of size ids, frame included.
func cut(t testing.TB, text, title string, size int, u unit.Unit) []window.Window {
	t.Helper()
	l := critictest.Layout(size)
	h, err := l.Header("what to keep", "")
	if err != nil {
		t.Fatal(err)
	}
	ws, err := window.Cut(window.Document{Index: 3, Title: title, Text: text, Unit: u}, h, l, critictest.Tokenizer{})
	if err != nil {
		t.Fatal(err)
	}
	return slices.Collect(ws)
}

// check holds windows to the invariants: they partition the text, carry its encoding, and fit.
func check(t testing.TB, text string, ws []window.Window, size int) {
	t.Helper()
	var whole, got tokenizer.Encoding
	critictest.Tokenizer{}.Encode(&whole, text)
	at := 0
	for i, w := range ws {
		if w.Range.Start != at || w.Doc != 3 {
			t.Fatalf("window %d of document %d starts at %d, want %d", i, w.Doc, w.Range.Start, at)
		}
		at = w.Range.End
		if w.Len() > size {
			t.Fatalf("window %d has %d ids of %d", i, w.Len(), size)
		}
		u, tok := w.Range.Start, 0
		for _, x := range w.Units {
			if x.Range.Start != u || x.First != tok {
				t.Fatalf("window %d: unit %v does not follow byte %d, token %d", i, x, u, tok)
			}
			u, tok = x.Range.End, x.Last
		}
		if u != w.Range.End || tok != len(w.IDs) || len(w.IDs) != len(w.Spans) {
			t.Fatalf("window %d: units end at byte %d, token %d; the window at %d, %d", i, u, tok, w.Range.End, len(w.IDs))
		}
		got.IDs = append(got.IDs, w.IDs...)
		got.Spans = append(got.Spans, w.Spans...)
	}
	if at != len(text) {
		t.Fatalf("windows end at %d of %d", at, len(text))
	}
	if !slices.Equal(got.IDs, whole.IDs) || !slices.Equal(got.Spans, whole.Spans) {
		t.Fatalf("windows carry %d tokens that are not those of the text (%d)", len(got.IDs), len(whole.IDs))
	}
}

// sentence has n words and a full stop.
func sentence(n int) string {
	return "It" + strings.Repeat(" is", n-1) + ". "
}

// TestSize goes around the size of a window: 20 ids, two of them frame.
func TestSize(t *testing.T) {
	const size, room = 20, 18
	tests := []struct {
		words []int // of each sentence; one id more with the stop
		want  []int // ids of the windows
	}{
		{[]int{room - 2}, []int{room - 1}},
		{[]int{room - 1}, []int{room}},
		{[]int{room}, []int{room, 1}},
		{[]int{8, 8}, []int{18}},
		{[]int{8, 7}, []int{17}},
		{[]int{8, 9}, []int{9, 10}},
		{[]int{3, 40, 3}, []int{4, 18, 18, 9}},
		{[]int{3, 2*room - 1, 3}, []int{4, 18, 18, 4}},
	}
	for _, tt := range tests {
		t.Run(fmt.Sprint(tt.words), func(t *testing.T) {
			var text string
			for _, n := range tt.words {
				text += sentence(n)
			}
			ws := cut(t, text, "", size, unit.Sentence)
			check(t, text, ws, size)
			var got []int
			for _, w := range ws {
				got = append(got, len(w.IDs))
			}
			if !slices.Equal(got, tt.want) {
				t.Errorf("windows have %v ids, want %v", got, tt.want)
			}
		})
	}
}

func TestTitleTakesRoom(t *testing.T) {
	ws := cut(t, sentence(17), "Lease", 21, unit.Sentence)
	check(t, sentence(17), ws, 21)
	if len(ws) != 2 || len(ws[0].Before) != 3 {
		t.Errorf("got %d windows with %d ids before", len(ws), len(ws[0].Before))
	}
}

func TestNoRoom(t *testing.T) {
	l := critictest.Layout(17)
	h, _ := l.Header("x", "")
	if _, err := window.Cut(window.Document{Text: "x"}, h, l, critictest.Tokenizer{}); err == nil {
		t.Error("a window with room for 15 ids was accepted")
	}
}

// TestBlocks has texts longer than one encoded block, with and without places to part them.
func TestBlocks(t *testing.T) {
	texts := map[string]string{
		"prose":          strings.Repeat(sentence(12), 20_000),
		"one long word":  strings.Repeat("x", 300_000),
		"no space":       strings.Repeat("漢字。", 60_000),
		"emoji":          strings.Repeat("👩‍👩‍👧", 20_000),
		"nothing at all": "",
		"white space":    strings.Repeat(" \n", 100_000),
	}
	for name, text := range texts {
		t.Run(name, func(t *testing.T) {
			ws := cut(t, text, "", 256, unit.Sentence)
			if name == "one long word" || name == "no space" {
				return // the encoding of parts may differ from that of the whole
			}
			check(t, text, ws, 256)
		})
	}
}

func FuzzCut(f *testing.F) {
	f.Add("One. Two two. 漢字。 x\n\ny", uint8(40), uint8(1))
	f.Add("a\x00b\xff\r\n\r\n", uint8(18), uint8(3))
	f.Fuzz(func(t *testing.T, text string, size, u uint8) {
		n := 18 + int(size)
		check(t, text, cut(t, text, "", n, unit.Phrase+unit.Unit(u%4)), n)
	})
}

func TestRandom(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 2))
	pieces := []string{"word", " ", "\n", ". ", "é", "漢", "\xff", "(a, b)", "\n\n", "3.14", "👍🏽", "x y z. "}
	for range 300 {
		var b strings.Builder
		for range rnd.IntN(400) {
			b.WriteString(pieces[rnd.IntN(len(pieces))])
		}
		size := 18 + rnd.IntN(60)
		check(t, b.String(), cut(t, b.String(), "", size, unit.Phrase+unit.Unit(rnd.IntN(4))), size)
	}
}
