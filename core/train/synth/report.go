package synth

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// report is a report on a company, a town, a plant: sections with a table of figures by year, and sentences on them. Rows are
// asked for by their name, alone, in pairs and by group; so are the years, and what the sentences say of a row.
func report(s *scene) *draft {
	b := pick(s, s.blocks["report"])
	r := &sheet{scene: s, block: b, draft: &draft{join: " ", gap: "\n\n", tables: map[int]bool{}}, items: shuffled(s, choices(b.first("item"))), format: pick(s, rowFormats)}
	last := 2005 + s.IntN(22)
	for i := range 2 + s.IntN(2) {
		r.years = append(r.years, strconv.Itoa(last-i))
	}
	s.names["Y0"], s.names["Y1"] = r.years[0], r.years[1]
	r.places = s.IntN(2)
	for size := 0; size < s.size && len(r.items) >= 12; {
		size += r.section(s.size - size)
	}
	r.ask("ask.years", lineLevels, ask{context: r.heads, answers: r.years})
	if len(r.units) > 0 {
		r.ask("ask.unit", lineLevels, ask{context: r.units})
	}
	r.draft.asks = shuffled(s, r.draft.asks)[:min(len(r.draft.asks), 2+s.IntN(4))]
	return r.draft
}

// rowFormats are how a row of a table is written: what stands before, between and behind its cells.
var rowFormats = [][3]string{{"", " | ", ""}, {"", " | ", ""}, {"| ", " | ", " |"}, {"", "\t", ""}, {"", "  ", ""}, {"", ";", ""}}

// sheet is a report that is being written.
type sheet struct {
	*scene
	block  block
	draft  *draft
	items  []string // names for rows to come
	years  []string // the latest first
	format [3]string
	places int      // decimal places of the figures
	tables int      // that were written
	heads  []string // facts: their rows of years
	units  []string // facts: their units
}

// line is a row of a table.
type line struct {
	item, tag string
	cells     []string
}

// section writes a head, a table and sentences on its rows, about size bytes in all, and asks about them.
func (r *sheet) section(size int) int {
	r.tables++
	n := min(4+r.IntN(7), len(r.items), max(4, size/90))
	groups := shuffled(r.scene, choices(r.block.first("group")))
	r.names["G"] = strings.ToLower(strings.TrimSpace(groups[0]))
	opening := []piece{{text: capital(r.let("", "‹report.intro›"))}}
	if r.chance(0.4) {
		text := capital(strings.TrimSpace(r.say("‹report.unit›"))) + "."
		r.units = append(r.units, r.tag("unit"))
		opening = append(opening, piece{text: text, fact: r.tag("unit")})
	}
	table, lines := r.table(n, groups)
	notes := r.notes(lines)
	for told := 0; told < size-60*(n+4); {
		text := capital(r.let("", "‹report.plan› | ‹report.plan› | ‹prose›"))
		notes = append(notes, piece{text: article.ReplaceAllString(text, "${1}n $2")})
		told += len(text)
	}
	notes = shuffled(r.scene, notes)
	paragraphs := [][]piece{{{text: r.say(pick(r.scene, choices(strings.TrimSpace(r.block.first("head")))))}}, opening, table}
	for len(notes) > 0 {
		k := min(len(notes), 1+r.IntN(5))
		paragraphs, notes = append(paragraphs, notes[:k]), notes[k:]
	}
	written := 0
	for i, p := range paragraphs {
		for j := range p {
			p[j].text = strings.TrimSpace(p[j].text)
			written += len(p[j].text) + 1
		}
		paragraphs[i] = slices.DeleteFunc(p, func(q piece) bool { return q.text == "" })
	}
	r.draft.tables[len(r.draft.paragraphs)+2] = true
	r.draft.paragraphs = append(r.draft.paragraphs, paragraphs...)
	return written
}

// tag names a fact of this section.
func (r *sheet) tag(name string) string { return fmt.Sprint(r.tables, ".", name) }

// ask adds a question of a word list.
func (r *sheet) ask(list string, levels []string, a ask) {
	a.text, a.levels = capital(strings.TrimSpace(r.say("‹"+list+"›"))), levels
	r.draft.asks = append(r.draft.asks, a)
}

// row is a row of cells as the report writes them.
func (r *sheet) row(first string, cells []string) string {
	return r.format[0] + first + r.format[1] + strings.Join(cells, r.format[1]) + r.format[2]
}

// table writes the years, rows with figures, in groups or not, and their total; and asks for the figures.
func (r *sheet) table(n int, groups []string) ([]piece, []line) {
	years := slices.Clone(r.years)
	if r.chance(0.25) {
		slices.Reverse(years)
	}
	head := r.tag("head")
	r.heads = append(r.heads, head)
	out := []piece{{text: r.row(pick(r.scene, []string{"", "", "Item", "Year"}), years), fact: head}}
	if r.chance(0.3) {
		out = append(out, piece{text: r.row("", slices.Repeat([]string{r.say("‹$m|US$000|in %|restated|audited|€ ’000›")}, len(years)))})
	}
	grouped := n > 5 && r.chance(0.4)
	sums := make([]int, len(years))
	symbol := pick(r.scene, []string{"", "", "$", "€", "£"})
	var lines []line
	var group ask
	for i := range n {
		if grouped && (i == 0 || i == n/2) {
			if i > 0 {
				r.ask("ask.group", []string{"line"}, group)
			}
			name, tag := strings.TrimSpace(groups[1+min(i, 1)]), r.tag("group"+strconv.Itoa(i))
			r.names["g"] = strings.ToLower(name)
			out = append(out, piece{text: r.row(name+":", make([]string, len(years))), fact: tag})
			group = ask{context: []string{tag}}
		}
		l := line{item: r.say(strings.TrimSpace(r.items[i])), tag: r.tag("row" + strconv.Itoa(i))}
		base := r.figure()
		for j := range years {
			v := base * (60 + r.IntN(80)) / 100
			sums[j] += v
			l.cells = append(l.cells, r.number(v, symbol, i == 0))
		}
		lines = append(lines, l)
		out = append(out, piece{text: r.row(l.item, l.cells), fact: l.tag})
		group.facts, group.answers = append(group.facts, l.tag), append(group.answers, l.item)
	}
	if grouped {
		r.ask("ask.group", []string{"line"}, group)
	}
	r.items = r.items[n:]
	total := line{item: "Total " + r.names["G"], tag: r.tag("total")}
	for _, v := range sums {
		total.cells = append(total.cells, r.number(v, symbol, true))
	}
	if r.chance(0.6) {
		out = append(out, piece{text: r.row(total.item, total.cells), fact: total.tag})
	} else {
		total.tag = ""
	}
	r.figures(lines, total, years, head)
	return out, lines
}

// figure is a number of any size, sometimes below zero.
func (r *sheet) figure() int {
	v := 1 + r.IntN(9)
	for range 1 + r.IntN(5) {
		v = 10*v + r.IntN(10)
	}
	if r.chance(0.12) {
		return -v
	}
	return v
}

// number writes a figure as accountants do; the first of a column has its sign of currency.
func (r *sheet) number(v int, symbol string, first bool) string {
	text := strconv.Itoa(max(v, -v))
	fraction := ""
	if r.places > 0 && len(text) > 1 {
		text, fraction = text[:len(text)-1], "."+text[len(text)-1:]
	}
	for i := len(text) - 3; i > 0; i -= 3 {
		text = text[:i] + "," + text[i:]
	}
	text += fraction
	if first {
		text = symbol + text
	}
	if v < 0 {
		return "(" + text + ")"
	}
	return text
}

// figures asks for rows of a table.
func (r *sheet) figures(lines []line, total line, years []string, head string) {
	for i, l := range shuffled(r.scene, lines)[:min(len(lines), 4)] {
		column := r.IntN(len(years))
		other := pick(r.scene, lines)
		r.names["X"], r.names["x"], r.names["z"], r.names["t"] = l.item, lower(l.item), lower(other.item), lower(total.item)
		r.names["Y"], r.names["V"] = years[column], l.cells[column]
		all := ask{facts: []string{l.tag}, answers: l.cells, thing: l.item}
		switch {
		case i == 0 && other.tag != l.tag:
			r.ask("ask.both", lineLevels, ask{facts: []string{l.tag, other.tag}, answers: slices.Concat(l.cells, other.cells)})
		case i == 1 && total.tag != "":
			r.ask("ask.share", lineLevels, ask{facts: []string{l.tag}, context: []string{total.tag}, answers: l.cells, thing: l.item})
		case i == 2 && r.chance(0.5):
			all.context = []string{head}
			r.ask("ask.larger", []string{"line"}, all)
		case r.chance(0.5):
			r.ask("ask.change", lineLevels, all)
		default:
			all.answers = []string{l.cells[column]}
			r.ask("ask.value", lineLevels, all)
		}
	}
}

// notes are sentences on rows: why one changed, what another means; and asks for them.
func (r *sheet) notes(lines []line) []piece {
	var out []piece
	for i, l := range shuffled(r.scene, lines)[:min(len(lines), 1+r.IntN(4))] {
		r.names["X"], r.names["x"] = l.item, lower(l.item)
		list, tag := "why", "cause"
		if r.chance(0.4) {
			list, tag = "means", "means"
		}
		c := strings.TrimSpace(r.let("C", r.block.first(tag)))
		fact := r.tag(list + strconv.Itoa(i))
		out = append(out, piece{text: capital(r.say("‹report." + list + "›")), fact: fact})
		r.ask("ask."+list, []string{"keyword", "sentence"}, ask{facts: []string{fact}, answers: []string{c}})
	}
	return out
}

// lower is text without its capital.
func lower(text string) string { return strings.ToLower(text[:1]) + text[1:] }
