package unit

import (
	"strings"
	"testing"
)

func BenchmarkSplit(b *testing.B) {
	texts := map[string]string{
		"english": strings.Repeat("The committee met on Jan. 5, 2020, in Washington, D.C. Mr. Smith asked for 3.5 million; nobody agreed. Why not? "+
			"The answer, he said, was simple.\n\n", 1<<13),
		"wrapped": strings.Repeat("The quick brown fox jumps over the lazy dog and runs on through\nthe forest, until it comes to a river. There it stops and looks\n"+
			"around.\n\n", 1<<13),
		"chinese": strings.Repeat("他说：“今天的天气很好。”我们一起去公园，看见很多人在那里散步。你想去吗？\n", 1<<13),
		"log":     strings.Repeat("2024-05-01 12:00:01,123 INFO server.go:42 request done id=42 path=/a/b status=200 ms=3.5\n", 1<<13),
		"line":    strings.Repeat("lorem ipsum dolor sit amet ", 1<<15),
	}
	for _, name := range []string{"english", "wrapped", "chinese", "log", "line"} {
		for _, u := range []Unit{Phrase, Sentence, Line, Paragraph} {
			b.Run(name+"/"+u.String(), func(b *testing.B) {
				b.SetBytes(int64(len(texts[name])))
				b.ReportAllocs()
				for b.Loop() {
					for range Split(texts[name], u) {
					}
				}
			})
		}
	}
}
