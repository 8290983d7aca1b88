package synth

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// A listing is what a program lists, as one of its commands: rows of columns ("col NAME | template", ‹=NAME› is an earlier
// cell of the row), of which one is the key (the first, or "key NAME"). Ordinary rows are like each other; some stand out:
// "odd LABEL | NAME=template ; NAME=template" says in what. "ask LABELS | questions" asks for all rows of some labels,
// "of NAME | questions" for a cell of row ‹K›, "with NAME | questions" for all rows that hold ‹V›. At most three labels are used, or
// "most N". "line TEMPLATE" is a row as this program writes it.

// listings is one to five listings, in one of the forms in which agents get them: columns in line, bars, Markdown, CSV, JSON.
func listings(s *scene) *draft {
	d := &draft{join: "\n", gap: pick(s, []string{"\n", "\n\n"})}
	n := 1 + s.IntN(1+min(s.size/900, 4))
	for i, b := range shuffled(s, s.blocks["listing"])[:n] {
		l := &listing{scene: s, block: b, tag: fmt.Sprint(i)}
		write := pick(s, listingForms)
		if b["line"] != nil && s.chance(0.6) {
			write = ownLines
		}
		l.fill(s.size / n)
		head := piece{text: s.one("‹listing.prompt›")}
		d.paragraphs = append(d.paragraphs, append([]piece{head}, write(l)...))
		d.asks = append(d.asks, l.asks()...)
	}
	d.asks = shuffled(s, d.asks)[:min(len(d.asks), 2+s.IntN(4))]
	return d
}

// listingForms are how rows are written; columns in line are the most frequent.
var listingForms = []func(*listing) []piece{inLine, inLine, inLine, inLine, inLine, barred, markdown, commas, fields, jsonLines, jsonLines, jsonBlocks, jsonBlocks}

// listing is a listing that is being written.
type listing struct {
	*scene
	block block
	tag   string
	cols  []string
	key   int // column
	rows  []entry
}

// entry is a row of a listing.
type entry struct {
	tag   string
	cells []string
	label string // of a row that stands out
}

// fill draws the rows: about size bytes.
func (l *listing) fill(size int) {
	l.names["command"] = l.one(l.block.first("command"))
	templates := map[string]string{}
	for _, c := range l.block["col"] {
		name, template, _ := strings.Cut(c, " | ")
		l.cols, templates[name] = append(l.cols, name), template
	}
	l.key = max(0, slices.Index(l.cols, l.block.first("key")))
	for _, w := range l.block["with"] { // few values, so that rows share them
		name, _, _ := strings.Cut(w, " | ")
		var few []string
		for range 3 + l.IntN(4) {
			few = append(few, l.one(templates[name]))
		}
		templates[name] = strings.Join(few, "|")
	}
	most := 3
	if l.block["most"] != nil {
		most, _ = strconv.Atoi(l.block.first("most"))
	}
	for _, odd := range shuffled(l.scene, l.block["odd"])[:l.IntN(min(most, len(l.block["odd"]))+1)] {
		label, changes, _ := strings.Cut(odd, " | ")
		for range pick(l.scene, []int{1, 1, 1, 2, 3}) {
			size -= l.row(templates, label, changes)
		}
	}
	for plain := 0; plain < 4 || size > 0; plain++ {
		size -= l.row(templates, "", "")
	}
	l.rows = shuffled(l.scene, l.rows)
}

// row draws a row, an ordinary one but for some changes, and says about how long it is.
func (l *listing) row(templates map[string]string, label, changes string) (size int) {
	r := entry{tag: fmt.Sprint(l.tag, ".", len(l.rows)), label: label}
	changed := map[string]string{}
	for change := range strings.SplitSeq(changes, " ; ") {
		name, template, _ := strings.Cut(change, "=")
		changed[name] = template
	}
	for i, name := range l.cols {
		template, odd := changed[name]
		if !odd {
			template = templates[name]
		}
		cell := ""
		if i == l.key {
			cell = l.let("", template)
		} else {
			cell = l.one(template)
		}
		cell = strings.ReplaceAll(cell, `"`, "'") // a quote of JSON and CSV
		l.names["="+name] = cell
		r.cells = append(r.cells, cell)
	}
	l.rows = append(l.rows, r)
	return len(strings.Join(r.cells, "   "))
}

// asks are questions on the rows that stand out, on cells of others, and on rows that share a value.
func (l *listing) asks() []ask {
	var out []ask
	for _, line := range l.block["ask"] {
		labels, questions, _ := strings.Cut(line, " | ")
		a := ask{text: l.one(questions), levels: lineLevels}
		for _, r := range l.rows {
			if slices.Contains(strings.Fields(labels), r.label) {
				a.add(r, l.key)
			}
		}
		if len(a.answers) > 0 || l.chance(0.07) {
			out = append(out, a)
		}
	}
	for _, line := range shuffled(l.scene, l.block["of"])[:min(2, len(l.block["of"]))] {
		name, questions, _ := strings.Cut(line, " | ")
		r, c := pick(l.scene, l.rows), slices.Index(l.cols, name)
		a := ask{levels: lineLevels, thing: r.cells[l.key]}
		a.add(r, c)
		a.text = l.question(questions, "ask.cell", map[string]string{"K": r.cells[l.key], "COL": words(name)})
		out = append(out, a)
	}
	if len(l.block["with"]) > 0 && l.chance(0.6) {
		name, questions, _ := strings.Cut(pick(l.scene, l.block["with"]), " | ")
		c := slices.Index(l.cols, name)
		a := ask{levels: lineLevels, thing: pick(l.scene, l.rows).cells[c]}
		for _, r := range l.rows {
			if r.cells[c] == a.thing {
				a.add(r, l.key)
			}
		}
		a.text = l.question(questions, "ask.with", map[string]string{"V": a.thing, "COL": words(name)})
		if a.thing != "-" {
			out = append(out, a)
		}
	}
	return out
}

// question is one of a listing's own, or one that suits any.
func (l *listing) question(own, general string, names map[string]string) (text string) {
	l.as(names, func() {
		if text = l.one(own); l.chance(0.3) {
			text = l.one("‹" + general + "›")
		}
	})
	return text
}

// add makes a row evidence, and a cell of it an answer.
func (a *ask) add(r entry, column int) {
	a.facts, a.answers = append(a.facts, r.tag), append(a.answers, r.cells[column])
}

// words is the name of a column as people say it.
func words(name string) string { return slug(name, " ") }

// ownLines writes rows as the listing says (line).
func ownLines(l *listing) []piece {
	template := pick(l.scene, l.block["line"])
	return l.lines(func(cells []string) (text string) {
		names := map[string]string{}
		for c, cell := range cells {
			names["="+l.cols[c]] = cell
		}
		l.as(names, func() { text = l.say(template) })
		return text
	})
}

// lines writes every row as a line.
func (l *listing) lines(write func(cells []string) string) []piece {
	var out []piece
	for _, r := range l.rows {
		out = append(out, piece{strings.TrimRight(write(r.cells), " "), r.tag})
	}
	return out
}

// bare is a cell that JSON writes without quotes.
var bare = regexp.MustCompile(`^-?(0|[1-9]\d*)(\.\d+)?$|^(true|false)$`)

// measured is a cell that looks like a number or an amount, which columns in line may set to the right.
var measured = regexp.MustCompile(`^-?\d[\d.,]*(%|[KMGT]i?B?|ms|s)?$`)

// inLine sets columns in line with blanks, mostly with a head.
func inLine(l *listing) []piece {
	widths, right := make([]int, len(l.cols)), make([]bool, len(l.cols))
	toRight := l.chance(0.5)
	for c, name := range l.cols {
		widths[c], right[c] = utf8.RuneCountInString(name), toRight
		for _, r := range l.rows {
			widths[c] = max(widths[c], utf8.RuneCountInString(r.cells[c]))
			right[c] = right[c] && measured.MatchString(r.cells[c])
		}
	}
	gap := strings.Repeat(" ", 2+l.IntN(3))
	set := func(cells []string) string {
		var b strings.Builder
		for c, cell := range cells {
			if c > 0 {
				b.WriteString(gap)
			}
			blank := strings.Repeat(" ", widths[c]-utf8.RuneCountInString(cell))
			if right[c] {
				b.WriteString(blank + cell)
			} else {
				b.WriteString(cell + blank)
			}
		}
		return b.String()
	}
	if l.chance(0.1) {
		return l.lines(set)
	}
	return append([]piece{{text: strings.TrimRight(set(l.cols), " ")}}, l.lines(set)...)
}

// barred parts columns with bars, as databases do.
func barred(l *listing) []piece {
	row := func(cells []string) string { return " " + strings.Join(cells, " | ") }
	rule := strings.Repeat("-", 8) + strings.Repeat("+"+strings.Repeat("-", 10), len(l.cols)-1)
	out := append([]piece{{text: row(l.cols)}, {text: rule}}, l.lines(row)...)
	return append(out, piece{text: fmt.Sprintf("(%d rows)", len(l.rows))})
}

// markdown is a table of Markdown.
func markdown(l *listing) []piece {
	row := func(cells []string) string { return "| " + strings.Join(cells, " | ") + " |" }
	rule := "|" + strings.Repeat("---|", len(l.cols))
	return append([]piece{{text: row(l.cols)}, {text: rule}}, l.lines(row)...)
}

// commas is CSV.
func commas(l *listing) []piece {
	row := func(cells []string) string {
		out := slices.Clone(cells)
		for i, c := range out {
			if strings.Contains(c, ",") {
				out[i] = `"` + c + `"`
			}
		}
		return strings.Join(out, ",")
	}
	return append([]piece{{text: row(l.cols)}}, l.lines(row)...)
}

// fields names the column before each cell.
func fields(l *listing) []piece {
	return l.lines(func(cells []string) string {
		var out []string
		for c, cell := range cells {
			if strings.Contains(cell, " ") {
				cell = `"` + cell + `"`
			}
			out = append(out, slug(l.cols[c], "_")+"="+cell)
		}
		return strings.Join(out, " ")
	})
}

// members are cells as the members of a JSON object.
func (l *listing) members(cells []string) []string {
	var out []string
	for c, cell := range cells {
		if !bare.MatchString(cell) {
			cell = strconv.Quote(cell)
		}
		out = append(out, strconv.Quote(slug(l.cols[c], "_"))+": "+cell)
	}
	return out
}

// jsonLines is an object a line.
func jsonLines(l *listing) []piece {
	return l.lines(func(cells []string) string { return "{" + strings.Join(l.members(cells), ", ") + "}" })
}

// jsonBlocks is an array of objects, a member a line.
func jsonBlocks(l *listing) []piece {
	rows := l.lines(func(cells []string) string {
		return "  {\n    " + strings.Join(l.members(cells), ",\n    ") + "\n  },"
	})
	last := &rows[len(rows)-1]
	last.text = strings.TrimSuffix(last.text, ",")
	return append(append([]piece{{text: "["}}, rows...), piece{text: "]"})
}
