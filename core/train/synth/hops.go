package synth

import (
	"fmt"
	"slices"
	"strings"
)

// hops asks for what two or three facts together tell: "the river that flows through the city where … lives". Other facts
// of the same kinds stand beside them.
func hops(s *scene) *draft {
	var path []block
	for want := 2 + s.IntN(2); len(path) < want; {
		next := slices.DeleteFunc(slices.Clone(s.blocks["relation"]), func(b block) bool {
			return len(path) > 0 && b.first("from") != path[len(path)-1].first("to") || slices.ContainsFunc(path, func(p block) bool { return p.first("name") == b.first("name") })
		})
		if len(next) == 0 { // a thing that nothing is told about
			path = nil
			continue
		}
		path = append(path, pick(s, next))
	}
	var pieces []piece
	a := ask{levels: []string{"sentence", "paragraph"}}
	tell := func(b block, from, tag string) string {
		s.names["A"] = from
		to := s.let("B", "‹kind."+b.first("to")+"›")
		pieces = append(pieces, piece{capital(s.say(pick(s, b["say"]))), tag})
		return to
	}
	from := s.let("", "‹kind."+path[0].first("from")+"›")
	a.thing = from
	s.names["X"] = from
	for i, b := range path {
		tag := fmt.Sprint(i)
		from = tell(b, from, tag)
		s.names["X"] = s.say(b.first("phrase"))
		a.facts = append(a.facts, tag)
	}
	a.answers = []string{from}
	a.text = s.say("‹ask.hop›")
	for range 1 + s.IntN(2+min(s.size/500, 6)) {
		b := pick(s, path)
		tell(b, s.let("", "‹kind."+b.first("from")+"›"), "")
	}
	d := s.prose(pieces)
	d.asks = []ask{a}
	return d
}

// riddle asks for a fact in other words: question and evidence share none but function words.
func riddle(s *scene) *draft {
	var pieces []piece
	var asks []ask
	for i := range 1 + s.IntN(2+min(s.size/500, 4)) {
		b := pick(s, s.blocks["riddle"])
		name := b.first("pairs")
		at := slices.IndexFunc(s.blocks["pairs"], func(p block) bool { return p.first("name") == name })
		pair := pick(s, s.blocks["pairs"][at]["pair"])
		if s.used[pair] {
			continue
		}
		s.used[pair] = true
		s.names["S"], s.names["Q"], _ = strings.Cut(pair, " | ")
		person := s.let("E", "‹person›")
		say, question := s.say(pick(s, b["say"])), s.say(pick(s, b["ask"]))
		for share(say, question) {
			say, question = s.say(pick(s, b["say"])), s.say(pick(s, b["ask"]))
		}
		tag := fmt.Sprint(i)
		pieces = append(pieces, piece{capital(say), tag})
		asks = append(asks, ask{text: question, levels: proseLevels, facts: []string{tag}, answers: []string{person}})
	}
	d := s.prose(pieces)
	d.asks = asks[:1+s.IntN(len(asks))]
	return d
}

// share reports whether two texts have a word in common that is no function word.
func share(a, b string) bool {
	words := contentWords(b)
	return slices.ContainsFunc(contentWords(a), func(w string) bool {
		return slices.ContainsFunc(words, func(v string) bool { return v[:min(5, len(v))] == w[:min(5, len(w))] })
	})
}

// contentWords are the words of a text that are no function words, in small letters.
func contentWords(text string) []string {
	return slices.DeleteFunc(strings.Split(slug(text, " "), " "), func(w string) bool { return strings.Contains(functionWords, " "+w+" ") })
}

const functionWords = " a an and any as at be been by can could did do does for from give had has have he her him his if in is it its last name no not of off on one or others she so some someone" +
	" something that the their them there they this to up was were what when which who whose will with without would "
