package synth

import (
	"fmt"
	"slices"
	"strings"
)

// kinds asks for all that is of a kind: "amounts of money", "numbers with units"; sometimes for two kinds, or for one and
// expressly not for another.
func kinds(s *scene) *draft {
	s.hay = nil // texts of others hold such things, too
	drawn := s.unlike(shuffled(s, s.blocks["kind"]))[:2+s.IntN(3)]
	var pieces []piece
	found := make([]ask, len(drawn))
	for i, b := range drawn {
		for j := range 1 + s.IntN(2+min(s.size/800, 4)) {
			tag := fmt.Sprint(i, ".", j)
			value := s.let("V", b.first("value"))
			text := capital(article.ReplaceAllString(s.say(pick(s, b["say"])), "${1}n $2"))
			if !strings.Contains(text, value) { // it begins the sentence
				value = capital(value)
			}
			pieces = append(pieces, piece{text, tag})
			found[i].facts, found[i].answers = append(found[i].facts, tag), append(found[i].answers, value)
		}
	}
	d := s.prose(pieces)
	name := func(b block) string { return s.say(pick(s, strings.Split(b.first("names"), " | "))) }
	for i := range 1 + s.IntN(len(drawn)-1) {
		a := found[i]
		words := "‹ask.kind›"
		s.names["X"], s.names["Y"] = name(drawn[i]), name(drawn[i+1])
		switch {
		case s.chance(0.2):
			words = "‹ask.kindbut›"
		case s.chance(0.2):
			words = "‹ask.kindtwo›"
			a.facts, a.answers = append(a.facts, found[i+1].facts...), append(a.answers, found[i+1].answers...)
		}
		a.text, a.levels = s.say(words), []string{"keyword", "sentence"}
		d.asks = append(d.asks, a)
	}
	return d
}

// unlike leaves out the kinds that an earlier one holds in part, as a place may be a country.
func (s *scene) unlike(kinds []block) []block {
	var out []block
	clash := func(a, b block) bool { return slices.Contains(strings.Fields(a.first("not")), b.first("name")) }
	for _, b := range kinds {
		if !slices.ContainsFunc(out, func(o block) bool { return clash(o, b) || clash(b, o) }) {
			out = append(out, b)
		}
	}
	return out
}
