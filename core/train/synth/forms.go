package synth

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// forms of a kind: blocks that describe a text of rows by the template of a row (line), of its key and of its other fields.
// Rows may stand below a head. A question, "ask FIELD | text", asks for a field of the row of a key ‹K›.

// keyValue is settings.
func keyValue(s *scene) *draft { return s.form("keyvalue") }

// formWords are the fields of a form that are not fields of its rows.
var formWords = []string{"name", "kind", "head", "line", "key", "ask", "tail"}

// form makes a text of rows of one of the forms of a kind.
func (s *scene) form(kind string) *draft {
	var forms []block
	for _, b := range s.blocks["form"] {
		if b.first("kind") == kind {
			forms = append(forms, b)
		}
	}
	b := pick(s, forms)
	fields := slices.Sorted(maps.Keys(b))
	fields = slices.DeleteFunc(fields, func(f string) bool { return slices.Contains(formWords, f) })
	line := pick(s, b["line"])
	d := &draft{join: "\n"}
	var rows []piece
	for n := len(b.first("head")); n < s.size || len(rows) < 4; {
		key := s.let("K", b.first("key"))
		for _, f := range fields {
			s.let(f, b.first(f))
		}
		tag := fmt.Sprint(len(rows))
		rows = append(rows, piece{s.say(line), tag})
		n += len(rows[len(rows)-1].text) + 1
		for _, q := range b["ask"] {
			field, text, _ := strings.Cut(q, " | ")
			d.asks = append(d.asks, ask{text: s.say(text), levels: lineLevels, thing: key, facts: []string{tag}, answers: []string{s.names[field]}})
		}
	}
	if head := b.first("head"); head != "" {
		rows = slices.Insert(rows, 0, piece{text: s.say(head)})
	}
	d.paragraphs = [][]piece{rows}
	d.asks = shuffled(s, d.asks)[:1+s.IntN(3)]
	return d
}
