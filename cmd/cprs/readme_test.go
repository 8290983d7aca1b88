package main

import (
	"encoding/json"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/cprs-go/cprs/core/wire"
)

// TestReadme: the README's first screen shows what the program prints, and the savings that it tells of.
func TestReadme(t *testing.T) {
	readme, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	sessions := regexp.MustCompile(`(?m)^\$ cprs compress -i "([^"]+)" (examples/\S+)$\n((?:[^$\x60].*\n)*)`).FindAllStringSubmatch(string(readme), 2)
	savings := regexp.MustCompile(`([\d,]+) of (?:the log's|its) ([\d,]+) tokens`).FindAllStringSubmatch(string(readme), 2)
	if len(sessions) != 2 || len(savings) != 2 || sessions[0][3] == "" {
		t.Fatalf("the README shows %d sessions and %d savings, or no output", len(sessions), len(savings))
	}
	for i, s := range sessions {
		run := func(flags ...string) string {
			cmd := exec.Command("cprs", append([]string{"compress", "-i", s[1], s[2]}, flags...)...) // testscript.Main has put it in the path
			cmd.Dir = "../.."
			out, err := cmd.Output()
			if err != nil {
				t.Fatal(err)
			}
			return string(out)
		}
		if want := s[3]; want != "" && strings.TrimRight(run(), "\n") != strings.TrimRight(want, "\n") {
			t.Errorf("%s: cprs prints\n%s\nthe README shows\n%s", s[2], run(), want)
		}
		var res wire.Result
		if err := json.Unmarshal([]byte(run("--format", "json")), &res); err != nil {
			t.Fatal(err)
		}
		for j, got := range []int{res.Documents[0].KeptTokens, res.Documents[0].Tokens} {
			if want := strings.ReplaceAll(savings[i][1+j], ",", ""); want != strconv.Itoa(got) {
				t.Errorf("%s: %d tokens, the README says %s", s[2], got, want)
			}
		}
	}
}
