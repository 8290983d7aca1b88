package unit

import (
	"slices"
	"strings"
	"unicode/utf8"
)

// grid is the head of a table whose columns are parted by blanks alone, as ps, docker and kubectl print it; nil outside one.
type grid []cell

// cell is a name of a column, or several that one blank parts, from column start up to column end, in characters. Its first word ends at column first.
type cell struct{ start, first, end int }

// gridBytes is how much of a line is compared with a head.
const gridBytes = 512

// newGrid reads a line as a head; nil if the lines below it, rest, do not stand under its names. Two cells need a line of dashes below; more need
// rows that they are flush with: two of which one holds a number, or one below a head in capitals.
func newGrid(head, rest string) grid {
	if len(head) > gridBytes || endsClause(head) || !hasGap(head) || strings.Contains(head, "\t") {
		return nil
	}
	g := cellsUnder(head)
	first, rest := firstLine(rest)
	if len(g) >= 2 && isDashes(first) {
		return g
	}
	names := strings.Fields(head)
	if len(g) < 3 || isDigit(names[0][0]) && !isYear(names[0]) || slices.ContainsFunc(names, isFigure) || slices.ContainsFunc(names, endsClause) || !g.holds(first) {
		return nil
	}
	if isCapitals(head) && !isCapitals(first) {
		return g
	}
	second, _ := firstLine(rest)
	if g.goes(second) && (hasNumber(first) || hasNumber(second)) {
		return g
	}
	return nil
}

// cellsUnder parts a line where two blanks stand.
func cellsUnder(s string) (g grid) {
	column, blanks := 0, 2
	for _, r := range s {
		switch {
		case r == ' ':
			blanks++
		case blanks >= 2:
			g = append(g, cell{column, column + 1, column + 1})
			blanks = 0
		default:
			c := &g[len(g)-1]
			if c.first == c.end && blanks == 0 {
				c.first++
			}
			c.end, blanks = column+1, 0
		}
		column++
	}
	return g
}

// holds reports whether the line s is a row for certain: it has a gap, and most cells are flush with it.
func (g grid) holds(s string) bool { return hasGap(s) && g.flush(s)*4 >= len(g)*3 }

// goes reports whether s may be one more row: it has a gap, and half of the cells are flush with it, or it is a line of dashes.
func (g grid) goes(s string) bool {
	s = s[:min(len(s), gridBytes)]
	return hasGap(s) && g.flush(s)*2 >= len(g) || isDashes(s)
}

// hasGap reports whether two blanks stand between words of s.
func hasGap(s string) bool { return strings.Contains(strings.TrimLeft(s, " "), "  ") }

// flush is how many cells begin or end where a word of s does, or have a first word that ends there.
func (g grid) flush(s string) (n int) {
	i, column, before := 0, 0, ' '
	at := false // cell i is flush
	for _, r := range s + " " {
		for i < len(g) && column > g[i].end {
			if at {
				n++
			}
			i, at = i+1, false
		}
		if i == len(g) {
			return n
		}
		begins, ends := before == ' ' && r != ' ', before != ' ' && r == ' '
		at = at || begins && column == g[i].start || ends && (column == g[i].first || column == g[i].end)
		before = r
		column++
	}
	if at {
		n++
	}
	return n
}

// firstLine is the first line of s, or as much of it as is compared, and what follows it.
func firstLine(s string) (line, rest string) {
	line, rest, _ = strings.Cut(s[:min(len(s), 2*gridBytes)], "\n")
	return strings.TrimRight(line[:min(len(line), gridBytes)], " \r"), rest
}

// isDashes reports whether a line underlines several names.
func isDashes(s string) bool {
	return strings.Trim(s, "-= ") == "" && strings.Contains(strings.TrimSpace(s), " ") && strings.Contains(s, "--")
}

// endsClause reports whether s ends as a clause does, which no name of a column does.
func endsClause(s string) bool {
	r, _ := utf8.DecodeLastRuneInString(s)
	return strings.ContainsRune(".,;:!?", r)
}

// isCapitals reports whether all letters of s are capitals.
func isCapitals(s string) bool { return strings.ToUpper(s) == s && strings.ToLower(s) != s }

// hasNumber reports whether a word of s begins with a digit.
func hasNumber(s string) bool {
	return slices.ContainsFunc(strings.Fields(s), func(w string) bool { return isDigit(w[0]) })
}
