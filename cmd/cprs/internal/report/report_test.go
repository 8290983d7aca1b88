package report

import (
	"bytes"
	"context"
	"errors"
	"io"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/cprs-go/cprs/core"
)

const nasty = `<script>alert(1)</script>" onload='x' ` + "\x00\xff \u202e</main> "

// sample is a result with three units of scores 0.9, 0.2 and 0.6, the first of which was kept.
func sample() (*core.Request, *core.Result) {
	texts := []string{nasty + "one.\n", "two two.\n", "three & three.\n"}
	req := &core.Request{Instruction: nasty, Query: nasty, Documents: []core.Document{{ID: nasty, Title: nasty, Text: strings.Join(texts, "")}}}
	res := &core.Result{Status: core.Compressed, Documents: []core.DocumentResult{{ID: nasty, Tokens: 6, KeptTokens: 1}},
		Warnings: []string{nasty}, Stats: core.Stats{TokensIn: 6, TokensOut: 1, Threshold: 0.8}}
	at := 0
	for i, score := range []float32{0.9, 0.2, 0.6} {
		res.Units = append(res.Units, core.Span{Start: at, End: at + len(texts[i]), Score: score})
		at += len(texts[i])
	}
	res.Spans = res.Units[:1:1]
	return req, res
}

func words(s string) int { return len(strings.Fields(s)) }

func render(t *testing.T) string {
	t.Helper()
	req, res := sample()
	var b bytes.Buffer
	if err := Page(&b, req, res, words); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestPageIsInert(t *testing.T) {
	html := render(t)
	for _, raw := range []string{"<script>alert", "' onload='x'", "\x00", "\xff"} {
		if i := strings.Index(html, raw); i >= 0 {
			t.Errorf("text of a document became markup: …%q", html[max(0, i-40):i+len(raw)])
		}
	}
	if n := strings.Count(html, "<script"); n != strings.Count(html, "</script>") || n > 2 {
		t.Errorf("the page has %d scripts", n)
	}
	if m := regexp.MustCompile(`(?:src|href)=`).FindString(html); m != "" {
		t.Errorf("the page refers to something: %s", m)
	}
	if !strings.Contains(html, "three &amp; three.") {
		t.Error("text is not shown as it is")
	}
}

// TestSlider moves the slider in a real browser, by the address, and counts what is kept then.
func TestSlider(t *testing.T) {
	browser, err := exec.LookPath("chromium")
	if err != nil {
		if os.Getenv("REQUIRE_CHROMIUM") != "" {
			t.Fatal(err)
		}
		t.Skip("needs chromium")
	}
	file := filepath.Join(t.TempDir(), "page.html")
	if err := os.WriteFile(file, []byte(render(t)), 0o644); err != nil {
		t.Fatal(err)
	}
	kept := regexp.MustCompile(`class="u h\d+ k`)
	for hash, want := range map[string]int{"": 1, "#t=0.95": 0, "#t=0.5": 2, "#t=0.1": 3, "#t=7": 1} {
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		out, err := exec.CommandContext(ctx, browser, "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking",
			"--disable-component-update", "--disable-sync", "--user-data-dir="+t.TempDir(), "--virtual-time-budget=2000", "--dump-dom", "file://"+file+hash).Output()
		cancel()
		if err != nil {
			t.Fatalf("%s: %v", browser, err)
		}
		if n := len(kept.FindAll(out, -1)); n != want {
			t.Errorf("with %q the page keeps %d units, want %d", hash, n, want)
		}
	}
}

func TestTable(t *testing.T) {
	req, res := sample()
	var b bytes.Buffer
	if err := Table(&b, req.Documents, res, 60); err != nil {
		t.Fatal(err)
	}
	want := `<script>alert(1)</script>" onload='x' �� �</main>: 1 of 6 tokens kept
███████▎ 0.90 ✓      1  <script>alert(1)</script>" onload='…
█▋       0.20        2  two two.
████▊    0.60        3  three & three.
`
	if b.String() != want {
		t.Errorf("got\n%s\nwant\n%s", b.String(), want)
	}
}

// TestCategories looks for the category of a unit in the table, and on the page where the script takes it from; without any, the page has none.
func TestCategories(t *testing.T) {
	req, res := sample()
	var plain bytes.Buffer
	if err := Page(&plain, req, res, words); err != nil {
		t.Fatal(err)
	}
	if strings.Contains(plain.String(), `"category":`) {
		t.Error("the page lists categories where no unit has one")
	}
	res.Units[1].Category = "two</script>\n"
	var table, page bytes.Buffer
	if err := errors.Join(Table(&table, req.Documents, res, 60), Page(&page, req, res, words)); err != nil {
		t.Fatal(err)
	}
	if want := "     2  [two</script>] two two.\n"; !strings.Contains(table.String(), want) {
		t.Errorf("no %q in\n%s", want, table.String())
	}
	if want := `"category":["","two\u003c/script\u003e\n",""]`; !strings.Contains(page.String(), want) {
		t.Errorf("the page does not hold %s", want)
	}
}

func TestTableOfABrokenCritic(t *testing.T) {
	req, res := sample()
	res.Units[0].Score, res.Units[1].Score, res.Units[2].Score = float32(math.NaN()), -1, 7
	if err := errors.Join(Table(io.Discard, req.Documents, res, 60), Page(io.Discard, req, res, words)); err != nil {
		t.Error(err)
	}
}

func TestThreshold(t *testing.T) {
	u := units{Score: []int{900, 200, 604, 0}, Tokens: []int{4, 5, 6, 1}}
	for _, c := range []struct {
		kept []bool
		want float64
	}{
		{[]bool{true, false, false, false}, 0.9},
		{[]bool{true, false, true, false}, 0.6},
		{[]bool{false, true, false, false}, 0.6}, // pinned: the best units with as many tokens
		{[]bool{true, true, true, true}, 0},
		{[]bool{false, false, false, false}, 1},
	} {
		if got := u.threshold(c.kept); got != c.want {
			t.Errorf("%v: got %v, want %v", c.kept, got, c.want)
		}
	}
}

func TestBlocksHoldAllText(t *testing.T) {
	req, res := sample()
	text := req.Documents[0].Text
	for skip := range 3 { // units that no critic has read leave gaps
		units := append(append([]core.Span{}, res.Units[:skip]...), res.Units[skip+1:]...)
		var got strings.Builder
		for _, b := range blocks(text, units, make([]bool, len(units))) {
			for _, p := range b {
				got.WriteString(p.Text)
			}
		}
		if got.String() != clean(text) {
			t.Errorf("without unit %d: %q", skip, got.String())
		}
	}
}
