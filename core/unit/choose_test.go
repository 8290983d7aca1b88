package unit

import (
	"strings"
	"testing"
)

func TestChooseByInstruction(t *testing.T) {
	for _, c := range []struct {
		instruction string
		want        Unit
	}{
		{"Give me the exact value of the fee", Phrase},
		{"the sentence that holds the exact value", Sentence},
		{"Extract all named entities", Phrase},
		{"sentences that mention Paris", Sentence},
		{"which lines report an error?", Line},
		{"the log entries about disk space", Line},
		{"Keep the paragraphs about termination.", Paragraph},
		{"What does the clause on liability say?", Paragraph},
		{"the deadline of the airline", Sentence}, // holds "line" and says nothing
		{"", Sentence},
		{"   ", Sentence},
		{"找出提到北京的句子", Sentence},
		{"列出所有日志行中的错误", Line},
		{"关于终止的段落", Paragraph},
		{"请给出具体数值", Phrase},
		{"エラーの行を抜き出す", Line},
		{"契約の段落", Paragraph},
		{"正確な値を答えよ", Phrase},
		{"alle Sätze über Berlin", Sentence},
		{"die Absätze zur Kündigung", Paragraph},
		{"welche Zeilen", Line},
		{"den genauen Wert", Phrase},
		{"les phrases qui parlent de Paris", Sentence},
		{"la valeur exacte", Phrase},
		{"les paragraphes sur la durée", Paragraph},
		{"las frases sobre Madrid", Sentence},
		{"los párrafos sobre el precio", Paragraph},
		{"o valor exato da taxa", Phrase},
		{"as linhas com erro", Line},
		{"the key phrases", Phrase},
		{"\xff\xfe lines", Line},
	} {
		if got := Choose(c.instruction, "", "Some prose. And more."); got != c.want {
			t.Errorf("Choose(%q) = %s, want %s", c.instruction, got, c.want)
		}
	}
	if got := Choose("", "which lines fail?", ""); got != Line {
		t.Errorf("without an instruction the query decides: got %s", got)
	}
	if got := Choose("keep what answers", "which lines fail?", "Prose."); got != Sentence {
		t.Errorf("with an instruction the query does not decide: got %s", got)
	}
}

func TestChooseByText(t *testing.T) {
	for _, c := range []struct {
		name, text string
		want       Unit
	}{
		{"nothing", "", Sentence},
		{"prose", strings.Repeat("The first sentence. The second one.\n\n", 20), Sentence},
		{"log", strings.Repeat("2024-05-01 12:00:01 INFO started\n", 20), Line},
		{"code", strings.Repeat("func f(x int) {\n\treturn g(x);\n}\n", 20), Line},
		{"table", strings.Repeat("a | 1 | 2\n", 20), Line},
		{"chat", strings.Repeat("Ann: hi. you?\nBob: fine\n", 20), Line},
		{"list", strings.Repeat("- item\n", 20), Line},
		{"two lines", "a: b\nc: d\n", Sentence},
		{"prose with a table", strings.Repeat("Some long prose that goes on and on. It has sentences.\n\n", 20) + strings.Repeat("a | b\n", 20), Sentence},
		{"Chinese prose", strings.Repeat("今天天气很好。我们去公园。\n", 20), Sentence},
	} {
		if got := Choose("", "", c.text); got != c.want {
			t.Errorf("%s: %s, want %s", c.name, got, c.want)
		}
		if a, b := collect(c.text, Auto), collect(c.text, c.want); len(a) != len(b) {
			t.Errorf("%s: Split by Auto differs from %s", c.name, c.want)
		}
	}
}

// TestChooseByLayout checks what Choose makes of texts as people have them, and that sentences swallow no lines of those that are written in lines.
func TestChooseByLayout(t *testing.T) {
	_, cases := readCases(t, layoutsFile)
	for _, c := range cases {
		text := c.text()
		if got := Choose("", "", text); got != c.unit {
			t.Errorf("%s: %s, want %s", c.name, got, c.unit)
		}
		if c.unit != Line {
			continue
		}
		for r := range Split(text, Sentence) {
			r = Trim(text, r)
			if s := text[r.Start:r.End]; strings.Contains(s, "\n") {
				t.Errorf("%s: a sentence of several lines: %q", c.name, s)
			}
		}
	}
}

func TestString(t *testing.T) {
	for u, want := range map[Unit]string{Auto: "auto", Phrase: "phrase", Sentence: "sentence", Line: "line", Paragraph: "paragraph", -1: "unknown", 5: "unknown"} {
		if u.String() != want {
			t.Errorf("%d is %q, want %q", u, u, want)
		}
	}
}
