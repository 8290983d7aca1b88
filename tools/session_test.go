package tools

import (
	"context"
	"os"
	"regexp"
	"strings"
	"testing"
)

var anyHandle = regexp.MustCompile(`[a-z2-7]{26}`)

// TestSession plays testdata/session.txt: calls, and below each what a model sees of the answer and its structured form.
// HANDLE stands for the latest handle. Run with -rewrite to accept what is new.
func TestSession(t *testing.T) {
	const file = "testdata/session.txt"
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	s := newSet(t, pipeline(), &Options{Sources: roots(t, "testdata/root"), Threshold: 0.6})
	var out strings.Builder
	handle := ""
	for block := range strings.SplitSeq(strings.TrimSuffix(string(data), "\n====\n"), "\n====\n") {
		input, _, _ := strings.Cut(block, "\n----\n")
		lines := strings.Split(strings.TrimRight(input, "\n"), "\n")
		name, args, _ := strings.Cut(lines[len(lines)-1], " ")
		res := call(t, s, name, strings.ReplaceAll(args, "HANDLE", handle))
		again := call(t, s, name, strings.ReplaceAll(args, "HANDLE", handle))
		if res.Text != again.Text || string(res.Structured) != string(again.Structured) {
			t.Errorf("%s: another answer the second time", input)
		}
		if h := s.Handles(context.Background()); len(h) > 0 {
			handle = h[0]
		}
		shown := input + "\n----\n" + res.Text + "\n"
		if res.Structured != nil {
			shown += "----\n" + string(res.Structured) + "\n"
		}
		out.WriteString(anyHandle.ReplaceAllString(shown, "HANDLE") + "====\n")
	}
	golden(t, file, []byte(out.String()))
}
