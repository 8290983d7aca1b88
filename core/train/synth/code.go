package synth

import (
	"fmt"
	"slices"
	"strings"
)

// code is a source file of functions; one or some are asked for by name or by what they do. A function is a block of lines.
func code(s *scene) *draft {
	lang := pick(s, s.blocks["lang"])
	name := lang.first("name")
	d := &draft{join: "\n", gap: "\n\n"}
	lines := func(text string) { d.paragraphs = append(d.paragraphs, []piece{{text: text}}) }
	lines(strings.ReplaceAll(s.say(lang.first("head")), `\n`, "\n"))
	noted := s.chance(0.5)
	for n := len(d.paragraphs[0][0].text); n < s.size || len(d.paragraphs) < 6; {
		b := pick(s, s.blocks["function"])
		s.let("N", "‹entity.code›")
		f := identifier(s.let("", b.first("called")), lang.first("case"))
		s.names["F"] = f
		text := s.say(b.first(name))
		if noted {
			text = lang.first("note") + f + " " + s.say(b.first("about")) + ".\n" + text
		}
		if in := lang.first("indent"); in != "" {
			text = in + strings.ReplaceAll(text, "\n", "\n"+in)
		}
		tag := fmt.Sprint(len(d.paragraphs))
		d.paragraphs = append(d.paragraphs, []piece{{text, tag}})
		n += len(text) + 2
		ask := ask{levels: []string{"paragraph", "line", "keyword"}, thing: f, facts: []string{tag}, answers: []string{f}}
		ask.text = s.say("‹ask.code›")
		if s.chance(0.7) {
			ask.text = s.say(pick(s, b["ask"]))
		} else {
			ask.levels = ask.levels[:2]
		}
		d.asks = append(d.asks, ask)
	}
	if lang["end"] != nil {
		lines(lang.first("end"))
	}
	d.asks = shuffled(s, d.asks)[:1+s.IntN(min(3, len(d.asks)/2))]
	return d
}

// identifier joins words as countWords or count_words.
func identifier(words, style string) string {
	if style == "snake" {
		return slug(words, "_")
	}
	parts := slices.Collect(strings.FieldsSeq(words))
	for i := range parts[1:] {
		parts[i+1] = capital(parts[i+1])
	}
	return strings.Join(parts, "")
}
