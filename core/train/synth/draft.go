package synth

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/cprs-go/cprs/core/eval"
)

// piece is a sentence, a line or a turn of a text, or a block of lines.
type piece struct {
	text string
	fact string // what it states, empty: nothing that is asked for
}

// draft is a record before its text is put together.
type draft struct {
	paragraphs [][]piece
	join, gap  string       // what stands between pieces and between paragraphs
	tables     map[int]bool // paragraphs whose pieces are lines
	asks       []ask
}

// ask is a question on a draft.
type ask struct {
	text    string
	levels  []string // grains at which it is asked; of keyword, paragraph and the grain of the pieces
	facts   []string // of the pieces that are its evidence
	context []string // of pieces that are evidence as well, but stay where the evidence is taken out
	answers []string // stand in facts
	thing   string   // what is asked about, if it has a name
}

// lostShare is the share of questions whose evidence is taken out of the text.
const lostShare = 0.22

// record puts a draft together. Of some questions, the lost ones, it takes the evidence out.
func (d *draft) record(s *scene, id string) (r eval.Record, lost []ask) {
	var asks []ask
	gone := map[string]bool{}
	for _, a := range d.asks {
		if len(a.facts) > 0 && s.chance(lostShare) && d.mayLose(a) {
			for _, f := range a.facts {
				gone[f] = true
			}
			lost = append(lost, a)
			a.facts, a.context, a.answers = nil, nil, nil
		}
		asks = append(asks, a)
	}
	asks = slices.DeleteFunc(asks, func(a ask) bool { return slices.ContainsFunc(a.facts, func(f string) bool { return gone[f] }) })
	text, places := d.layout(gone)
	r = eval.Record{ID: id, Lang: cmp.Or(s.lang, "en"), Docs: []eval.Doc{{Text: text}}}
	for i, a := range asks {
		group := ""
		if len(a.levels) > 1 {
			group = fmt.Sprintf("%s/%d", id, i)
		}
		for _, level := range a.levels {
			q := eval.Query{Text: a.text, Level: level, Answers: a.answers, Group: group}
			if q.Spans = places.spans(text, a, level); len(q.Spans) == 0 && len(a.facts) > 0 {
				continue
			}
			r.Queries = append(r.Queries, q)
		}
	}
	return r, lost
}

// mayLose reports whether the text holds no answer to a without its evidence: nothing else names the thing, or an answer.
func (d *draft) mayLose(a ask) bool {
	rest, named, answered := 0, a.thing == "", len(a.answers) == 0
	for _, p := range d.paragraphs {
		for _, q := range p {
			if slices.Contains(a.facts, q.fact) {
				continue
			}
			rest++
			named = named || strings.Contains(q.text, a.thing)
			answered = answered || slices.ContainsFunc(a.answers, func(s string) bool { return strings.Contains(q.text, s) })
		}
	}
	return rest > 0 && !(named && answered)
}

// places are the ranges of a text that state a fact.
type places map[string][]place

type place struct{ start, end, paraStart, paraEnd int }

// layout joins the pieces that are left.
func (d *draft) layout(gone map[string]bool) (string, places) {
	var b strings.Builder
	at := places{}
	for i, p := range d.paragraphs {
		join := d.join
		if d.tables[i] {
			join = "\n"
		}
		p = slices.DeleteFunc(slices.Clone(p), func(q piece) bool { return q.fact != "" && gone[q.fact] })
		if len(p) == 0 {
			continue
		}
		if b.Len() > 0 {
			b.WriteString(d.gap)
		}
		start := b.Len()
		var here []string
		for i, q := range p {
			if i > 0 {
				b.WriteString(join)
			}
			if q.fact != "" {
				at[q.fact] = append(at[q.fact], place{start: b.Len() + indent(q.text), end: b.Len() + len(q.text), paraStart: start + indent(p[0].text)})
				here = append(here, q.fact)
			}
			b.WriteString(q.text)
		}
		for _, f := range here {
			at[f][len(at[f])-1].paraEnd = b.Len()
		}
	}
	return b.String(), at
}

// indent is the length of the white space that text begins with.
func indent(text string) int { return len(text) - len(strings.TrimLeft(text, " \t")) }

// spans are the evidence of a question at a level, in order and disjoint.
func (at places) spans(text string, a ask, level string) []eval.Span {
	var out []eval.Span
	for _, f := range slices.Concat(a.facts, a.context) {
		for _, p := range at[f] {
			switch level {
			case "paragraph":
				out = append(out, eval.Span{0, p.paraStart, p.paraEnd})
			case "keyword":
				for _, answer := range a.answers {
					for _, i := range occurrences(text[p.start:p.end], answer) {
						out = append(out, eval.Span{0, p.start + i, p.start + i + len(answer)})
					}
				}
			default:
				out = append(out, eval.Span{0, p.start, p.end})
			}
		}
	}
	slices.SortFunc(out, func(a, b eval.Span) int { return cmp.Or(a[1]-b[1], b[2]-a[2]) })
	end := 0
	return slices.DeleteFunc(out, func(s eval.Span) bool {
		if s[1] < end || s[1] == s[2] { // an empty row
			return true
		}
		end = s[2]
		return false
	})
}

// occurrences are the places of s at which an answer stands as a word or number of its own, one after the other; if there
// is none, where it stands at all.
func occurrences(s, answer string) []int {
	var own, all []int
	for i := 0; answer != ""; {
		n := strings.Index(s[i:], answer)
		if n < 0 {
			break
		}
		i += n
		end := i + len(answer)
		all = append(all, i)
		if !joined(s[:i], answer[0], -1) && !joined(s[end:], answer[len(answer)-1], 1) {
			own = append(own, i)
		}
		i = end
	}
	if own == nil {
		return all
	}
	return own
}

// joined reports whether the word or number that ends in last goes on in rest, the text behind it (direction 1) or before it (-1).
func joined(rest string, last byte, direction int) bool {
	at := func(i int) byte {
		if direction < 0 {
			i = len(rest) - 1 - i
		}
		if i < 0 || i >= len(rest) {
			return ' '
		}
		return rest[i]
	}
	digit := func(c byte) bool { return '0' <= c && c <= '9' }
	letter := func(c byte) bool { return 'a' <= c|0x20 && c|0x20 <= 'z' }
	if digit(last) && (at(0) == '.' || at(0) == ',') {
		return digit(at(1))
	}
	return (digit(last) || letter(last)) && (digit(at(0)) || letter(at(0)))
}
