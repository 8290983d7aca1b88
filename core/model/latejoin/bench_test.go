package latejoin

import (
	"compress/gzip"
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/cprs-go/cprs/core/prompt"
	"github.com/cprs-go/cprs/core/tokenizer/wordpiece"
	"github.com/cprs-go/cprs/core/unit"
	"github.com/cprs-go/cprs/core/window"
)

// storyWindows are 64 windows of English prose with one question.
func storyWindows(b *testing.B, m *Model) (ws []window.Window) {
	text, err := os.ReadFile(filepath.Join(shared(b, "critic"), "tokenizer.json"))
	if err != nil {
		b.Fatal(err)
	}
	tok, err := wordpiece.Parse(text)
	if err != nil {
		b.Fatal(err)
	}
	l, err := m.Layout(tok)
	if err != nil {
		b.Fatal(err)
	}
	h, err := l.Header("Keep what is needed to answer the question.", "Why did the captain turn the ship around?")
	if err != nil {
		b.Fatal(err)
	}
	f, err := os.Open(shared(b, "data", "haystack", "stories.txt.gz"))
	if err != nil {
		b.Fatal(err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		b.Fatal(err)
	}
	story, err := io.ReadAll(io.LimitReader(z, 100_000))
	if err != nil {
		b.Fatal(err)
	}
	cut, err := window.Cut(window.Document{Text: string(story), Unit: unit.Sentence}, h, l, tok)
	if err != nil {
		b.Fatal(err)
	}
	for w := range cut {
		if ws = append(ws, w); len(ws) == 64 {
			break
		}
	}
	return ws
}

// BenchmarkScore reads a text for the first time, and again for another question.
func BenchmarkScore(b *testing.B) {
	for _, precision := range []struct {
		name string
		open func(testing.TB, *Options) *Critic
	}{{"int8", openInt8}, {"f32", openF32}} {
		b.Run(precision.name+"/first", func(b *testing.B) { benchmarkScore(b, precision.open(b, &Options{CacheBytes: -1})) })
		b.Run(precision.name+"/again", func(b *testing.B) { benchmarkScore(b, precision.open(b, nil)) })
	}
}

func benchmarkScore(b *testing.B, c *Critic) {
	ws := storyWindows(b, c.Model)
	tokens := 0
	for i := range ws {
		tokens += ws[i].Len()
	}
	score := func(query int32) {
		h := &prompt.Header{IDs: append([]int32{}, ws[0].Header.IDs...), Pool: ws[0].Header.Pool}
		h.IDs[len(h.IDs)-2] = query // another question
		for i := range ws {
			ws[i].Header = h
		}
		if _, err := c.Score(b.Context(), ws); err != nil {
			b.Fatal(err)
		}
	}
	score(1000) // fills the cache, if there is one
	b.ReportAllocs()
	b.ResetTimer()
	for i := range b.N {
		score(2000 + int32(i))
	}
	b.ReportMetric(float64(tokens)*float64(b.N)/b.Elapsed().Seconds(), "tokens/s")
}
