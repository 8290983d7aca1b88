package needle

import (
	"fmt"
	"slices"
	"strings"
)

// The words that names, sentences and log lines are made of.
var (
	syllables  = strings.Fields("bra cel dor esk fal gren hul ist jor kel lum mar nev ost pra quil ros sel tor ulm ver wex yar zan")
	places     = strings.Fields("lighthouse library harbour orchard museum station garden workshop theatre observatory bakery mill")
	people     = strings.Fields("Aunt Captain Doctor Miss Professor Sergeant Uncle Widow")
	subjects   = strings.Fields("baker carpenter clerk farmer gardener keeper miller neighbour painter sailor tailor teacher")
	verbs      = strings.Fields("admired carried described forgot found mended noticed painted remembered repaired sold wanted")
	things     = strings.Fields("basket boat bridge candle chair clock coat fence kettle ladder lantern letter map table wagon window")
	adjectives = strings.Fields("blue broken crooked dusty empty heavy narrow old plain quiet small wooden")
	tails      = []string{"before the rain came", "after supper", "without a word", "on the way to town", "in the long evening", "near the river", "as on every Sunday", "for no good reason"}
	components = strings.Fields("billing cache gateway importer indexer mailer scheduler session storage webhook")
	events     = []string{"request served in %d ms", "connection from 10.0.%d.7 opened", "batch of %d items written", "lease renewed for %d s", "%d entries evicted", "heartbeat %d received"}
	causes     = []string{"disk quota exceeded", "certificate expired", "checksum mismatch", "foreign key violated", "out of file handles", "upstream refused the token"}
)

// name is a made-up proper name.
func (g *generator) name() string {
	s := g.pick(syllables) + g.pick(syllables) + g.pick(syllables)
	return strings.ToUpper(s[:1]) + s[1:]
}

// names are n different names.
func (g *generator) names(n int) []string {
	var out []string
	for len(out) < n {
		if s := g.name(); !slices.Contains(out, s) {
			out = append(out, s)
		}
	}
	return out
}

func (g *generator) number() string { return fmt.Sprint(100_000 + g.rng.IntN(900_000)) }

// sentence is plain prose that says nothing of the needles' kind.
func (g *generator) sentence() string {
	end := " "
	if g.rng.IntN(6) == 0 {
		end = "\n\n"
	}
	if g.rng.IntN(3) == 0 {
		return fmt.Sprintf("The %s %s the %s %s %s.%s", g.pick(subjects), g.pick(verbs), g.pick(adjectives), g.pick(things), g.pick(tails), end)
	}
	return fmt.Sprintf("%s, the %s and the %s %s one more %s %s, but nobody %s the %s %s.%s", g.pick(people), g.pick(subjects), g.pick(subjects), g.pick(verbs),
		g.pick(adjectives), g.pick(things), g.pick(verbs), g.pick(adjectives), g.pick(things), end)
}

// codes hides door codes of places: one, one among others, four of one place, or only those of others.
func (g *generator) codes(kind Kind) plan {
	names := g.names(5)
	place := g.pick(places)
	p := plan{
		question: fmt.Sprintf("What is the door code of the %s %s?", names[0], place),
		level:    "sentence", avoid: names, filler: g.prose(),
	}
	code := func(name string, depth float64, gold bool) {
		n := needle{depth: depth}
		value := g.number()
		n.text = fmt.Sprintf("The door code of the %s %s is %s. ", name, place, value)
		if gold {
			n.answer = value
		}
		p.needles = append(p.needles, n)
	}
	if kind == MultiValue {
		p.question = fmt.Sprintf("What are all the door codes of the %s %s?", names[0], place)
		for _, depth := range g.spread(4) {
			code(names[0], depth, true)
		}
		return p
	}
	if kind != Absent {
		code(names[0], g.opt.Depth, true)
	}
	if kind != Single {
		for _, other := range names[1:] {
			code(other, g.rng.Float64(), false)
		}
	}
	return p
}

// chain sets five variables to one another, in the order of the text, and five others the same way.
func (g *generator) chain() plan {
	const n = 5
	names := g.names(2 * n)
	value, other := g.number(), g.number()
	p := plan{
		question: fmt.Sprintf("Which variables hold the value %s, set to it or to another variable that holds it?", value),
		level:    "sentence", avoid: append(names, value, other), filler: g.prose(),
	}
	depths := g.spread(n)
	slices.Sort(depths)
	add := func(names []string, value string, depths []float64, gold bool) {
		for i, name := range names {
			nd := needle{text: fmt.Sprintf("Set the variable %s to %s. ", name, value), depth: depths[i]}
			if gold {
				nd.answer = name
			}
			p.needles = append(p.needles, nd)
			value = "the value of " + name
		}
	}
	add(names[:n], value, depths, true)
	decoys := make([]float64, n)
	for i := range decoys {
		decoys[i] = g.rng.Float64()
	}
	slices.Sort(decoys)
	add(names[n:], other, decoys, false)
	return p
}

// records is a text of JSON lines, one of which is asked for.
func (g *generator) records() plan {
	key := strings.ToLower(g.name()) + "-" + g.number()
	record := func(key, port string) string {
		return fmt.Sprintf("{\"service\": %q, \"owner\": %q, \"zone\": \"%s-%d\", \"port\": %s}\n",
			key, strings.ToLower(g.name()), g.pick(adjectives), g.rng.IntN(9), port)
	}
	port := fmt.Sprint(10_000 + g.rng.IntN(50_000))
	return plan{
		question: fmt.Sprintf("Which port does the service %s use?", key),
		level:    "line", avoid: []string{key},
		needles: []needle{{text: record(key, port), depth: g.opt.Depth, answer: port}},
		filler: func() string {
			return record(strings.ToLower(g.name())+"-"+g.number(), fmt.Sprint(10_000+g.rng.IntN(50_000)))
		},
	}
}

// logs is a log in which several jobs fail, one of which is asked for.
func (g *generator) logs() plan {
	line := func(level, component, text string) string {
		return fmt.Sprintf("%02d:%02d:%02d.%03d %s [%s-%d] %s\n", g.rng.IntN(24), g.rng.IntN(60), g.rng.IntN(60), g.rng.IntN(1000),
			level, component, 1+g.rng.IntN(8), text)
	}
	job := g.number()
	p := plan{
		question: fmt.Sprintf("Why did job %s fail?", job),
		level:    "line", avoid: []string{job},
		filler: func() string {
			level := "INFO "
			if g.rng.IntN(8) == 0 {
				level = "DEBUG"
			}
			return line(level, g.pick(components), fmt.Sprintf(g.pick(events), 1+g.rng.IntN(250)))
		},
	}
	cause := g.pick(causes)
	p.needles = append(p.needles, needle{text: line("ERROR", g.pick(components), "job "+job+" failed: "+cause), depth: g.opt.Depth, answer: cause})
	for range 4 {
		other := g.number()
		if other != job {
			p.needles = append(p.needles, needle{text: line("ERROR", g.pick(components), "job "+other+" failed: "+g.pick(causes)), depth: g.rng.Float64()})
		}
	}
	return p
}
