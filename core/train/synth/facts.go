package synth

import (
	"fmt"
	"strings"
)

// fact states one value of one thing.
type fact struct {
	block         block
	entity, value string
	piece         piece
}

// fact makes a fact of a block on a new entity, or on the given one.
func (s *scene) fact(b block, entity, tag string) fact {
	if entity == "" {
		entity = s.let("", b.first("entity"))
	}
	s.names["E"] = entity
	v := s.let("V", b.first("value"))
	return fact{b, entity, v, piece{capital(s.say(pick(s, b["say"]))), tag}}
}

// ask asks for a fact.
func (s *scene) ask(f fact) ask {
	s.names["E"], s.names["V"] = f.entity, f.value
	return ask{text: s.say(pick(s, f.block["ask"])), levels: proseLevels, thing: f.entity, facts: []string{f.piece.fact}, answers: []string{f.value}}
}

// needle is one fact in a long text, sometimes with facts of other kinds beside it.
func needle(s *scene) *draft {
	kinds := shuffled(s, s.blocks["fact"])[:1+s.IntN(3)]
	var facts []piece
	var asks []ask
	for i, b := range kinds {
		f := s.fact(b, "", fmt.Sprint(i))
		facts, asks = append(facts, f.piece), append(asks, s.ask(f))
	}
	d := s.prose(facts)
	d.asks = asks[:1+s.IntN(len(asks))]
	return d
}

// needleMany is facts of one kind on several things; each of up to three is asked for, or two at once.
func needleMany(s *scene) *draft {
	b := pick(s, s.blocks["fact"])
	var facts []fact
	var pieces []piece
	for i := range 2 + s.IntN(2+min(s.size/400, 6)) {
		thing := ""
		if i > 0 && s.chance(0.5) {
			thing = s.like(facts[0].entity, b.first("entity"))
		}
		f := s.fact(b, thing, fmt.Sprint(i))
		facts, pieces = append(facts, f), append(pieces, f.piece)
	}
	d := s.prose(pieces)
	if s.chance(0.3) {
		first, second := s.ask(facts[0]), s.ask(facts[1])
		d.asks = []ask{{text: first.text + " " + second.text, levels: proseLevels,
			facts: append(first.facts, second.facts...), answers: append(first.answers, second.answers...)}}
		return d
	}
	for _, f := range facts[:1+s.IntN(min(len(facts), 3))] {
		d.asks = append(d.asks, s.ask(f))
	}
	return d
}

// like is a new thing that shares words with another one, if the template can give one.
func (s *scene) like(other, template string) string {
	thing := s.let("", template)
	a, b := strings.Fields(other), strings.Fields(thing)
	if len(a) != len(b) || len(a) < 2 {
		return thing
	}
	i := s.IntN(len(a))
	if b[i] = a[i]; s.used[strings.Join(b, " ")] {
		return thing
	}
	s.used[strings.Join(b, " ")] = true
	return strings.Join(b, " ")
}

// needleValues is two to four values of one thing, and values of others beside it.
func needleValues(s *scene) *draft {
	b := pick(s, s.blocks["fact"])
	first := s.fact(b, "", "0")
	pieces := []piece{first.piece}
	a := s.ask(first)
	for i := range 1 + s.IntN(3) {
		f := s.fact(b, first.entity, fmt.Sprint(i+1))
		pieces, a.facts, a.answers = append(pieces, f.piece), append(a.facts, f.piece.fact), append(a.answers, f.value)
	}
	for range s.IntN(4) {
		pieces = append(pieces, s.fact(b, "", "").piece)
	}
	a.text = s.say("‹" + a.text + "|" + a.text + " Give all of them.|" + a.text + " There may be several.|" + a.text + " List every one.›")
	d := s.prose(pieces)
	d.asks = []ask{a}
	return d
}

// language is facts in one of some languages other than English, in prose or one a line; in some languages also talks and
// tables.
func language(langs ...string) func(*scene) *draft {
	return func(s *scene) *draft {
		s.lang = pick(s, langs)
		if talks := "talk." + s.lang; s.blocks[talks] != nil && s.chance(0.4) {
			if s.chance(0.5) {
				return s.stories(talks, "topic."+s.lang, "turn")
			}
			return s.form(s.lang)
		}
		kinds := shuffled(s, s.blocks["fact."+s.lang])[:1+s.IntN(3)]
		var pieces []piece
		var asks []ask
		for i := range 1 + s.IntN(3+min(s.size/300, 7)) {
			f := s.fact(pick(s, kinds), "", fmt.Sprint(i))
			pieces, asks = append(pieces, f.piece), append(asks, s.ask(f))
		}
		d := s.prose(pieces)
		d.asks = asks[:1+s.IntN(min(len(asks), 3))]
		if s.chance(0.3) {
			d.join, d.gap = "\n", "\n"
			for i := range d.asks {
				d.asks[i].levels = lineLevels
			}
		}
		return d
	}
}
