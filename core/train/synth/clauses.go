package synth

import (
	"fmt"
	"slices"
	"strings"
)

// clauses is a contract, a policy or a page of questions and answers. A category of clauses is asked for, with exceptions,
// or what one clause lays down. Of the sentences of a clause (text, one a line) those with ! lay it down; its title is its
// heading in some texts.
func clauses(s *scene) *draft {
	paper := pick(s, s.blocks["paper"])
	for _, l := range paper["let"] {
		name, templates, _ := strings.Cut(l, " ")
		s.let(name, templates)
	}
	var categories []block
	for _, b := range shuffled(s, s.blocks["category"]) {
		if b.first("for") == paper.first("for") {
			categories = append(categories, b)
		}
	}
	absent := categories[0]
	d := &draft{join: " ", gap: "\n\n", paragraphs: [][]piece{{{text: s.say(paper.first("head"))}}}}
	headed := paper["numbered"] == nil || s.chance(0.5)
	told := map[string][]clause{} // by category
	n := 0
	for _, b := range shuffled(s, s.blocks["clause"]) {
		category := b.first("cat")
		if n > s.size || category == absent.first("name") || !slices.ContainsFunc(categories, func(c block) bool { return c.first("name") == category }) {
			continue
		}
		number := len(d.paragraphs)
		c := s.clause(b, fmt.Sprint(number))
		told[category] = append(told[category], c)
		d.asks = append(d.asks, c.asks...)
		p := c.pieces
		if headed {
			p = slices.Insert(p, 0, piece{c.title, fmt.Sprint(number, ".title")})
		}
		if paper["numbered"] != nil {
			p = slices.Insert(p, 0, piece{text: fmt.Sprint(number, ".")})
		}
		d.paragraphs = append(d.paragraphs, p)
		for _, q := range p {
			n += len(q.text) + 1
		}
	}
	d.asks = shuffled(s, d.asks)[:min(len(d.asks), s.IntN(3))]
	d.asks = append(d.asks, s.categories(categories, told)...)
	return d
}

// clause is a clause of a text.
type clause struct {
	title  string
	pieces []piece
	facts  []string // of all pieces
	asks   []ask    // on what it lays down
}

func (s *scene) clause(b block, tag string) clause {
	for _, l := range b["let"] {
		name, templates, _ := strings.Cut(l, " ")
		s.let(name, templates)
	}
	c := clause{title: pick(s, strings.Split(b.first("title"), " | "))}
	if !strings.HasSuffix(c.title, "?") && !strings.HasSuffix(c.title, ".") {
		c.title += "."
	}
	var rules []string
	for i, line := range strings.Split(pick(s, b["text"]), "\n") {
		fact := fmt.Sprint(tag, ".", i)
		text, rule := strings.CutPrefix(line, "!")
		if rule {
			rules = append(rules, fact)
		}
		c.pieces = append(c.pieces, piece{s.say(text), fact})
		c.facts = append(c.facts, fact)
	}
	for _, q := range b["ask"] {
		text, answer, _ := strings.Cut(q, " | ")
		s.names["Q"] = s.say(text)
		c.asks = append(c.asks, ask{text: s.say("‹ask.clause›"), levels: proseLevels, facts: rules, answers: []string{s.say(answer)}})
	}
	return c
}

// categories asks for the clauses of one or two categories, for those of one without one of them, and for what is not in
// the text.
func (s *scene) categories(categories []block, told map[string][]clause) []ask {
	var out []ask
	for i := range 1 + s.IntN(2) {
		c := categories[s.IntN(len(categories))]
		if i == 0 && s.chance(0.1) {
			c = categories[0]
		}
		a := ask{levels: []string{"paragraph"}}
		list := told[c.first("name")]
		s.names["X"] = pick(s, strings.Split(c.first("names"), " | "))
		words := "‹ask.clauses›"
		if second := categories[s.IntN(len(categories))]; second.first("name") != c.first("name") && len(list) > 0 && s.chance(0.15) {
			list = slices.Concat(list, told[second.first("name")])
			s.names["Y"] = pick(s, strings.Split(second.first("names"), " | "))
			words = "‹ask.clausestwo›"
		} else if len(list) > 1 && s.chance(0.6) {
			s.names["Y"] = strings.TrimSuffix(list[0].title, ".")
			list = list[1:]
			words = "‹ask.clausesbut›"
		}
		a.text = s.say(words)
		for _, c := range list {
			a.facts = append(a.facts, c.facts...)
		}
		out = append(out, a)
	}
	return out
}
