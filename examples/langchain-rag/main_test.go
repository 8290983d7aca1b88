package main

import (
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

func Test(t *testing.T) {
	t.Setenv("OPENAI_API_KEY", "")
	var out strings.Builder
	if err := run(&out, filepath.Join("..", "documents", "distributor-agreement.txt"), "For how many months does the agreement remain in effect?"); err != nil {
		t.Fatal(err)
	}
	t.Log(out.String())
	prompts := regexp.MustCompile(`=== .*: (\d+) tokens`).FindAllStringSubmatch(out.String(), -1)
	plain, _ := strconv.Atoi(prompts[0][1])
	short, _ := strconv.Atoi(prompts[1][1])
	if short > plain/3 {
		t.Errorf("%d tokens became %d", plain, short)
	}
	if strings.Count(out.String(), "sixty (60) months") != 2 {
		t.Error("the answer is lost")
	}
}
