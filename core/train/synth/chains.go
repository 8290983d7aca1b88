package synth

import "fmt"

// chain hands a value from name to name, and other values along other chains.
func chain(s *scene) *draft {
	b := pick(s, s.blocks["chain"])
	level := "sentence"
	if b["line"] != nil {
		level = "line"
	}
	var chains [][]piece
	var asks []ask
	for c := range 1 + s.IntN(3) {
		value := s.let("V", b.first("value"))
		a := ask{levels: []string{level}, answers: []string{value}}
		var links []piece
		last := ""
		for i := range 2 + s.IntN(3) {
			s.names["B"] = last
			last = s.let("A", b.first("entity"))
			tag, link := fmt.Sprint(c, ".", i), "next"
			if i == 0 {
				link = "first"
			}
			links = append(links, piece{s.say(pick(s, b[link])), tag})
			a.facts = append(a.facts, tag)
		}
		a.text, a.thing = s.say(pick(s, b["ask"])), last
		chains, asks = append(chains, links), append(asks, a)
	}
	var d *draft
	if level == "line" {
		d = s.lines(func() string { return s.say(pick(s, b["line"])) })
	} else {
		d = s.prose(nil)
	}
	s.scatter(d, interleave(s, chains), true)
	d.asks = asks[:1+s.IntN(len(asks))]
	return d
}

// interleave merges lists in an order drawn by lot that keeps the order of each.
func interleave[T any](s *scene, lists [][]T) []T {
	var turns []int
	for i, l := range lists {
		for range l {
			turns = append(turns, i)
		}
	}
	var out []T
	for _, i := range shuffled(s, turns) {
		out, lists[i] = append(out, lists[i][0]), lists[i][1:]
	}
	return out
}

// lines fills a text with lines.
func (s *scene) lines(next func() string) *draft {
	var p []piece
	for n := 0; n < max(s.size, minSize); {
		text := next()
		p = append(p, piece{text: text})
		n += len(text) + 1
	}
	return &draft{paragraphs: [][]piece{p}, join: "\n"}
}
