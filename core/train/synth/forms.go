package synth

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// A form describes a text of rows: the template of a row (line), of its key and of its other fields, and what stands above
// them (head). A question, "ask FIELDS | text", asks for fields of the row of a key ‹K›. A tree describes settings in
// sections: the template of the head of a section ‹S›, of its rows, and of its end.

// keyValue is settings, flat or in sections.
func keyValue(s *scene) *draft {
	if s.chance(0.4) {
		return s.tree()
	}
	return s.form("keyvalue")
}

// table is rows with columns: Markdown, CSV, directory listings, processes, disks, access logs.
func table(s *scene) *draft { return s.form("table") }

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
			fields, text, _ := strings.Cut(q, " | ")
			a := ask{text: s.say(text), levels: lineLevels, thing: key, facts: []string{tag}}
			for f := range strings.FieldsSeq(fields) {
				a.answers = append(a.answers, s.names[f])
			}
			d.asks = append(d.asks, a)
		}
	}
	if head := b.first("head"); head != "" {
		rows = slices.Insert(rows, 0, piece{text: s.say(strings.ReplaceAll(head, `\n`, "\n"))})
	}
	d.paragraphs = [][]piece{rows}
	d.asks = shuffled(s, d.asks)[:1+s.IntN(3)]
	return d
}

// tree makes settings in sections. The heads of the sections belong to the evidence: many hold the same keys.
func (s *scene) tree() *draft {
	b := pick(s, s.blocks["tree"])
	pairs := s.blocks["setting"][0]["pair"]
	d := &draft{join: "\n", gap: pick(s, []string{"\n", "\n\n"})}
	for n := 0; n < s.size || len(d.paragraphs) < 3; {
		s.let("S", "‹component› | ‹service›_‹noun› | ‹~animal›-‹service› | ‹~proper›")
		top := fmt.Sprint(len(d.paragraphs))
		p := []piece{{s.say(b.first("head")), top}}
		for i, pair := range shuffled(s, pairs)[:2+s.IntN(5)] {
			key, value, _ := strings.Cut(pair, " | ")
			s.names["K"] = key
			v, tag := s.let("V", value), fmt.Sprint(top, ".", i)
			p = append(p, piece{s.say(b.first("row")), tag})
			d.asks = append(d.asks, ask{text: s.say("‹ask.tree›"), levels: lineLevels, facts: []string{tag}, context: []string{top}, answers: []string{v}})
		}
		if b["end"] != nil {
			p = append(p, piece{text: s.say(b.first("end"))})
		}
		for _, q := range p {
			n += len(q.text) + 1
		}
		d.paragraphs = append(d.paragraphs, p)
	}
	d.asks = shuffled(s, d.asks)[:1+s.IntN(3)]
	return d
}
