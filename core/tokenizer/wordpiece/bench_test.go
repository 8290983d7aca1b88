package wordpiece

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/cprs-go/cprs/core/tokenizer"
	"github.com/cprs-go/cprs/core/tokenizer/oracle"
)

func BenchmarkParse(b *testing.B) {
	data, err := os.ReadFile(filepath.Join("testdata", "minilm_tokenizer.json"))
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if _, err := Parse(data); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkEncode measures tokens a second on one thread. English is a book of ../shared/data where there is one.
func BenchmarkEncode(b *testing.B) {
	tok := load(b, "minilm_tokenizer.json")
	for _, c := range []struct{ name, text string }{
		{"english", strings.Join(slices.Collect(oracle.RealLines(b, 1<<12)), "")},
		{"chinese", strings.Repeat("欢迎使用命令行工具，请输入文件名。", 1<<12)},
		{"korean", strings.Repeat("모든 사람은 태어날 때부터 자유롭다. ", 1<<12)},
		{"russian", strings.Repeat("Съешь же ещё этих мягких французских булок. ", 1<<12)},
		{"unknown", strings.Repeat(strings.Repeat("x", 99)+"\U0001f600 ", 1<<12)},
		{"one word", strings.Repeat("x", 1<<20)},
		{"one word é", strings.Repeat("é", 1<<20)},
	} {
		b.Run(c.name, func(b *testing.B) {
			if c.text == "" {
				b.Skip("no ../shared/data")
			}
			var e tokenizer.Encoding
			tok.Encode(&e, c.text)
			tokens := float64(len(e.IDs))
			b.SetBytes(int64(len(c.text)))
			b.ReportAllocs()
			for b.Loop() {
				e.IDs, e.Spans = e.IDs[:0], e.Spans[:0]
				tok.Encode(&e, c.text)
			}
			b.ReportMetric(tokens*float64(b.N)/b.Elapsed().Seconds()/1e6, "Mtokens/s")
		})
	}
}
