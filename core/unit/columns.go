package unit

import (
	"slices"
	"strings"

	"github.com/cprs-go/cprs/core/span"
)

// Columns is the head of the table that byte at belongs to, the rows that name its columns; empty if at is in no table with a head, or
// in the head itself. A head is what stands above a line of dashes, rows of words and years above one with figures, or the names that columns parted
// by blanks stand under.
func (o *Outline) Columns(at int) span.Range {
	i, _ := slices.BinarySearchFunc(o.tables, at, func(t table, at int) int { return t.end - at - 1 })
	if i == len(o.tables) || at < o.tables[i].head.End {
		return span.Range{}
	}
	return o.tables[i].head
}

// table is a table with a head.
type table struct {
	head span.Range
	end  int
}

// A head is at most so many rows and bytes long.
const (
	maxHeadRows  = 3
	maxHeadBytes = 400
)

// tableReader finds tables among lines.
type tableReader struct {
	head   span.Range // of the table that is being read, so far
	rows   int        // of the head
	within bool       // a table, of which head is known to be the head or not to be one
}

// add takes the next line, and adds the table whose rows begin with it to tables, or makes the last of them longer.
func (r *tableReader) add(text string, l line, tables []table) []table {
	s := text[l.first:l.body]
	switch {
	case l.names:
		*r = tableReader{head: span.Range{Start: l.first, End: l.body}, rows: 1, within: true}
		tables = append(tables, table{head: r.head})
	case r.rows > 0 && isSeparator(s):
		if !r.within {
			tables = append(tables, table{head: r.head})
		}
		r.within = true
	case l.kind != row:
		*r = tableReader{}
		return tables
	case r.within:
	case r.rows < maxHeadRows && len(s)+r.head.Len() <= maxHeadBytes && namesColumns(s):
		if r.rows++; r.rows == 1 {
			r.head.Start = l.first
		}
		r.head.End = l.body
	default:
		r.within = true
		if r.rows > 0 && hasFigure(s) {
			tables = append(tables, table{head: r.head})
		} else {
			r.rows = 0
		}
	}
	if r.within && r.rows > 0 {
		tables[len(tables)-1].end = l.end
	}
	return tables
}

// isSeparator reports whether a line is what stands between the head of a table and its rows.
func isSeparator(s string) bool {
	return len(s) >= 3 && strings.Trim(s, "-=+|: \t") == "" && strings.ContainsAny(s, "-=") && strings.ContainsAny(s, "|+")
}

// namesColumns reports whether a row holds words beyond its first cell, or one cell alone, and no figure.
func namesColumns(s string) bool {
	cells := cellsOf(s)
	filled := len(cells) == 1 || slices.ContainsFunc(cells[1:], func(c string) bool { return c != "" })
	return filled && !hasFigure(s)
}

func hasFigure(s string) bool { return slices.ContainsFunc(cellsOf(s), isFigure) }

// isFigure reports whether a cell is a number, an amount or a date in figures; a year alone is none, since columns are named by years.
func isFigure(cell string) bool {
	n := strings.Trim(cell, "$€£¥%()+-* ")
	if n == "" || !isDigit(n[0]) || strings.Trim(n, "0123456789.,:/-") != "" {
		return false
	}
	return n != cell || !isYear(n)
}

// isYear reports whether s may be a year: four digits, 19 or 20 first.
func isYear(s string) bool {
	return len(s) == 4 && (s[:2] == "19" || s[:2] == "20") && isDigit(s[2]) && isDigit(s[3])
}

// cellsOf are the cells of a row without white space at their ends; bars at its ends border no cell.
func cellsOf(s string) []string {
	mark := string(cellMark(s))
	if len(s) > 1 && s[0] == '|' && s[len(s)-1] == '|' {
		s = s[1 : len(s)-1]
	}
	out := strings.Split(s, mark)
	for i, cell := range out {
		out[i] = strings.TrimSpace(cell)
	}
	return out
}
