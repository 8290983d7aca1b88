package main

import (
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

func Test(t *testing.T) {
	var out strings.Builder
	if err := run(&out, filepath.Join("..", "documents")); err != nil {
		t.Fatal(err)
	}
	_, ours, _ := strings.Cut(out.String(), "=== observations shortened")
	t.Log(ours)
	prompts := regexp.MustCompile(`last prompt has (\d+) tokens`).FindAllStringSubmatch(out.String(), -1)
	plain, _ := strconv.Atoi(prompts[0][1])
	short, _ := strconv.Atoi(prompts[1][1])
	if short > plain/2 || strings.Count(ours, "No space left on device") < 2 || !strings.Contains(ours, "[shortened to what matters:") {
		t.Errorf("%d tokens became %d", plain, short)
	}
}
