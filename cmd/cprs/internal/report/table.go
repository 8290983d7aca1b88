package report

import (
	"bufio"
	"fmt"
	"io"
	"strings"
	"unicode"

	"github.com/rivo/uniseg"

	"github.com/cprs-go/cprs/core"
)

// Table writes every unit of res with its score, a mark if it was kept, its line, its category if it has one, and its text, cut to
// width columns.
func Table(w io.Writer, docs []core.Document, res *core.Result, width int) error {
	b := bufio.NewWriter(w)
	kept, lines := keptUnits(res), core.LineNumbers(docs, res.Units)
	u := 0
	for d := range docs {
		if d > 0 {
			fmt.Fprintln(b)
		}
		sum := res.Documents[d]
		fmt.Fprintf(b, "%s: %d of %d tokens kept\n", plain(sum.ID), sum.KeptTokens, sum.Tokens)
		for ; u < len(res.Units) && res.Units[u].Doc == d; u++ {
			unit := res.Units[u]
			mark := " "
			if kept[u] {
				mark = "✓"
			}
			head := fmt.Sprintf("%s %.2f %s %6d  ", bar(unit.Score), unit.Score, mark, lines[u])
			if unit.Category != "" {
				head += "[" + plain(unit.Category) + "] "
			}
			fmt.Fprintln(b, head+cut(docs[d].Text[unit.Start:unit.End], width-uniseg.StringWidth(head)))
		}
	}
	return b.Flush()
}

// bar draws a score in eight columns.
func bar(score float32) string {
	const columns = 8
	eighths := int(clamp(score)*columns*8 + 0.5)
	s := strings.Repeat("█", eighths/8)
	if rest := eighths % 8; rest > 0 {
		s += string(rune('█' + 8 - rest)) // ▉ to ▏ follow the full block
	}
	return s + strings.Repeat(" ", columns-uniseg.StringWidth(s))
}

// cut is what of text fits into columns of one line.
func cut(text string, columns int) string {
	const most = 4 // bytes of a column, nearly always; what lies behind is not looked at
	text = plain(text[:min(len(text), most*max(columns, 0)+most)])
	if uniseg.StringWidth(text) <= columns {
		return text
	}
	var b strings.Builder
	for left, state := columns-1, -1; len(text) > 0; {
		var cluster string
		var w int
		cluster, text, w, state = uniseg.FirstGraphemeClusterInString(text, state)
		if left -= w; left < 0 {
			break
		}
		b.WriteString(cluster)
	}
	return b.String() + "…"
}

// plain is text on one line that can do a terminal no harm: white space is one blank, control characters and those
// that turn the direction of writing are replaced.
func plain(text string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || unicode.Is(unicode.Bidi_Control, r) {
			return unicode.ReplacementChar
		}
		return r
	}, strings.ToValidUTF8(strings.Join(strings.Fields(text), " "), "\uFFFD"))
}
