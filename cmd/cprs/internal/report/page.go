package report

import (
	"bufio"
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"fmt"
	"html/template"
	"io"
	"math"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/cprs-go/cprs/core"
)

var (
	//go:embed page.html
	pageHTML string
	//go:embed page.css
	pageCSS string
	//go:embed page.js
	pageJS string

	pageTemplate = template.Must(template.New("page").Funcs(template.FuncMap{"grouped": grouped}).Parse(pageHTML))
)

// Page writes one self-contained HTML page: the documents of req with what was kept, the scores of all units, and a
// slider that shows what another threshold would keep. count counts the tokens of a text. A text's bytes that are no UTF-8 and
// its NULs show as U+FFFD.
func Page(w io.Writer, req *core.Request, res *core.Result, count func(string) int) error {
	b := bufio.NewWriter(w)
	if err := pageTemplate.Execute(b, newPage(req, res, count)); err != nil {
		return err
	}
	return b.Flush()
}

// page is what the template reads.
type page struct {
	CSS    template.CSS
	Script template.JS
	Policy string // that lets this script run and no other, and nothing be fetched

	Instruction, Query string
	Status             string
	Stats              core.Stats
	Saved              string
	Warnings           []string
	Start              float64 // of the slider
	Documents          []document
	Units              units
}

type document struct {
	Name, Title string
	Mono        bool // code, logs and tables need columns
	core.DocumentResult
	Blocks []block
}

// A block is a run of text that ends at a line end where there is one, so that browsers can leave out those far away.
type block []piece

// A piece is a unit, or text that no critic has read (Class is empty).
type piece struct{ Class, Text string }

// units are the figures of all units, in order, for the script.
type units struct {
	Score  []int `json:"score"` // thousandths
	Tokens []int `json:"tokens"`
	Line   []int `json:"line"`
	First  []int `json:"first"` // unit of each document

	Category []string `json:"category,omitempty"` // of every unit, if any has one
}

// threshold is the one that would keep about as many tokens as were kept.
func (u *units) threshold(kept []bool) float64 {
	var tokens [1001]int // of each score
	left := 0
	for i, s := range u.Score {
		tokens[s] += u.Tokens[i]
		if kept[i] {
			left += u.Tokens[i]
		}
	}
	s := len(tokens) - 1
	for ; s > 0 && tokens[s] < left; s-- {
		left -= tokens[s]
	}
	return float64(s/10) / 100
}

func newPage(req *core.Request, res *core.Result, count func(string) int) *page {
	p := &page{
		CSS:         template.CSS(pageCSS),
		Script:      template.JS(pageJS),
		Policy:      policy(pageJS),
		Instruction: clean(req.Instruction),
		Query:       clean(req.Query),
		Status:      strings.ReplaceAll(res.Status.String(), "_", " "),
		Stats:       res.Stats,
		Saved:       Saved(res.Stats),
		Start:       res.Stats.Threshold,
	}
	for _, w := range res.Warnings {
		p.Warnings = append(p.Warnings, clean(w))
	}
	kept := keptUnits(res)
	for _, u := range res.Units {
		p.Units.Score = append(p.Units.Score, int(math.Round(clamp(u.Score)*1000)))
		p.Units.Tokens = append(p.Units.Tokens, count(req.Documents[u.Doc].Text[u.Start:u.End]))
		p.Units.Category = append(p.Units.Category, clean(u.Category))
	}
	if !slices.ContainsFunc(p.Units.Category, func(c string) bool { return c != "" }) {
		p.Units.Category = nil
	}
	if p.Start == 0 {
		p.Start = p.Units.threshold(kept)
	}
	p.Units.Line = core.LineNumbers(req.Documents, res.Units)
	rest := res.Units
	for i, d := range req.Documents {
		n := 0
		for n < len(rest) && rest[n].Doc == i {
			n++
		}
		p.Units.First = append(p.Units.First, len(res.Units)-len(rest))
		p.Documents = append(p.Documents, document{
			Name:           clean(res.Documents[i].ID),
			Title:          clean(d.Title),
			Mono:           !prose[strings.ToLower(filepath.Ext(d.ID))],
			DocumentResult: res.Documents[i],
			Blocks:         blocks(d.Text, rest[:n], kept[:n]),
		})
		rest, kept = rest[n:], kept[n:]
	}
	return p
}

// prose holds the endings of files that are read as running text.
var prose = map[string]bool{"": true, ".txt": true, ".md": true, ".markdown": true, ".rst": true, ".adoc": true, ".tex": true}

// blocks cuts a text into its units, and the units into blocks.
func blocks(text string, units []core.Span, kept []bool) []block {
	const least = 100 // units of a block
	var out []block
	var b block
	at := 0
	for i, u := range units {
		if at < u.Start {
			b = append(b, piece{Text: clean(text[at:u.Start])})
		}
		class := fmt.Sprintf("u h%d", min(int(clamp(u.Score)*20), 19))
		if kept[i] {
			class += " k"
		}
		b = append(b, piece{class, clean(text[u.Start:u.End])})
		at = u.End
		if len(b) >= least && text[at-1] == '\n' {
			out, b = append(out, b), nil
		}
	}
	if at < len(text) {
		b = append(b, piece{Text: clean(text[at:])})
	}
	if len(b) > 0 {
		out = append(out, b)
	}
	return out
}

func clean(text string) string { return strings.ToValidUTF8(text, "\uFFFD") }

// grouped is n with commas, as the script writes it too.
func grouped(n int) string {
	s := strconv.Itoa(n)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

func policy(script string) string {
	sum := sha256.Sum256([]byte(script))
	return "default-src 'none'; style-src 'unsafe-inline'; script-src 'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'"
}

// Saved is the share of the tokens that is gone, as people read it.
func Saved(s core.Stats) string {
	if s.TokensIn == 0 {
		return "0 %"
	}
	return fmt.Sprintf("%.1f %%", 100*(1-float64(s.TokensOut)/float64(s.TokensIn)))
}
