package main

import (
	"regexp"
	"strconv"
	"strings"
	"testing"
)

func Test(t *testing.T) {
	t.Setenv("OPENAI_API_KEY", "")
	var out strings.Builder
	if err := run(&out); err != nil {
		t.Fatal(err)
	}
	_, ours, _ := strings.Cut(out.String(), "=== langchain.Memory")
	t.Log(ours)
	prompts := regexp.MustCompile(`prompt: (\d+) tokens`).FindAllStringSubmatch(out.String(), -1)
	plain, _ := strconv.Atoi(prompts[0][1])
	short, _ := strconv.Atoi(prompts[1][1])
	if short > plain/4 || !strings.Contains(ours, "garage door is 4096") {
		t.Errorf("%d tokens became %d", plain, short)
	}
}
