// Package needle makes cases with a known answer at a known depth of a text of any length, and measures a method on them.
//
// The kinds are those of RULER (arXiv 2404.06654), in words of our own: needles among distractors, values spread over the
// text, chains of variables, records, log lines, and a question without an answer. Evidence spans are exact by
// construction, and the same options give the same bytes. The package stands beside core/eval, whose Method it asks.
package needle

import (
	"cmp"
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/cprs-go/cprs/core/eval"
	"github.com/cprs-go/cprs/core/tokenizer"
	"github.com/cprs-go/cprs/core/unit"
)

// Kind is a kind of case.
type Kind string

// The kinds of cases.
const (
	Single     Kind = "single"      // one sentence that answers
	MultiKey   Kind = "multi-key"   // the same among sentences that answer other questions
	MultiValue Kind = "multi-value" // four sentences, each with a part of the answer
	Chain      Kind = "chain"       // variables set to one another, and a second such chain
	KeyValue   Kind = "key-value"   // one of many records
	Log        Kind = "log"         // one of many log lines, other failures among them
	Absent     Kind = "absent"      // as multi-key, without the answer
)

// Kinds returns all kinds.
func Kinds() []Kind { return []Kind{Single, MultiKey, MultiValue, Chain, KeyValue, Log, Absent} }

// Options say what case to make.
type Options struct {
	Tokenizer tokenizer.Tokenizer
	Tokens    int     // length of the text; it comes out within 2 %
	Depth     float64 // of the answer, 0 (beginning) to 1 (end); of several parts the first, the others spread over the text
	Seed      uint64
	Haystack  []string // texts to hide prose needles in; nil: generated ones
}

// plan is a case before its text is put together.
type plan struct {
	question string
	level    string
	needles  []needle
	avoid    []string      // what must stand in the needles only
	filler   func() string // the next sentence or line of the haystack
}

type needle struct {
	text   string
	depth  float64
	answer string // part of text; empty: a distractor
}

// minTokens is the shortest text that has room for the needles of every kind.
const minTokens = 2000

// Generate makes a record with one question.
func Generate(kind Kind, opt Options) (*eval.Record, error) {
	if opt.Tokens < minTokens {
		return nil, fmt.Errorf("making a text of %d tokens: at least %d are needed", opt.Tokens, minTokens)
	}
	if !(opt.Depth >= 0 && opt.Depth <= 1) {
		return nil, fmt.Errorf("depth %v is not in [0,1]", opt.Depth)
	}
	h := fnv.New64a()
	fmt.Fprint(h, kind, opt.Tokens, opt.Depth)
	g := &generator{opt: opt, rng: rand.New(rand.NewPCG(opt.Seed, h.Sum64()))}
	var p plan
	switch kind {
	case Single, MultiKey, MultiValue, Absent:
		p = g.codes(kind)
	case Chain:
		p = g.chain()
	case KeyValue:
		p = g.records()
	case Log:
		p = g.logs()
	default:
		return nil, fmt.Errorf("there is no kind of case %q", kind)
	}
	r := g.assemble(p)
	r.ID = fmt.Sprintf("needle/%s/%d/%g/%d", kind, opt.Tokens, opt.Depth, opt.Seed)
	r.Source = "needle"
	return r, nil
}

// generator draws the parts of one case.
type generator struct {
	opt Options
	rng *rand.Rand
}

// assemble joins filler to the length that is asked for and puts the needles at their depths.
func (g *generator) assemble(p plan) *eval.Record {
	tokens := 0
	for _, n := range p.needles {
		tokens += tokenizer.Count(g.opt.Tokenizer, n.text)
	}
	var pieces []string
	var ends []int // tokens of pieces up to and with each
	filled := 0
	least, most := g.opt.Tokens*985/1000, g.opt.Tokens*1015/1000
	for misses := 0; tokens+filled < least && misses < 1000; {
		piece := p.filler()
		n := tokenizer.Count(g.opt.Tokenizer, piece)
		if tokens+filled+n > most || slices.ContainsFunc(p.avoid, func(s string) bool { return strings.Contains(piece, s) }) {
			misses++
			continue
		}
		filled += n
		pieces, ends = append(pieces, piece), append(ends, filled)
		misses = 0
	}
	slices.SortStableFunc(p.needles, func(a, b needle) int { return cmp.Compare(a.depth, b.depth) })
	var b strings.Builder
	q := eval.Query{Text: p.question, Level: p.level}
	next := 0
	for i := 0; i <= len(pieces); i++ {
		for next < len(p.needles) && (i == len(pieces) || float64(ends[i]) > p.needles[next].depth*float64(filled)) {
			n := p.needles[next]
			start := b.Len()
			b.WriteString(n.text)
			if n.answer != "" {
				q.Spans = append(q.Spans, eval.Span{0, start, start + len(strings.TrimSpace(n.text))})
				q.Answers = append(q.Answers, n.answer)
			}
			next++
		}
		if i < len(pieces) {
			b.WriteString(pieces[i])
		}
	}
	return &eval.Record{Lang: "en", Docs: []eval.Doc{{Text: b.String()}}, Queries: []eval.Query{q}}
}

// prose is a filler of sentences: of the haystack from a place drawn by lot, round and round, or generated ones.
func (g *generator) prose() func() string {
	if len(g.opt.Haystack) == 0 {
		return g.sentence
	}
	doc := g.rng.IntN(len(g.opt.Haystack))
	var queue []string
	return func() string {
		for tries := 0; len(queue) == 0 && tries <= len(g.opt.Haystack); tries++ {
			text := g.opt.Haystack[doc]
			doc = (doc + 1) % len(g.opt.Haystack)
			for r := range unit.Split(text, unit.Sentence) {
				queue = append(queue, spaced(text[r.Start:r.End]))
			}
		}
		if len(queue) == 0 {
			return g.sentence()
		}
		piece := queue[0]
		queue = queue[1:]
		return piece
	}
}

// spaced ends a piece with white space, so that the next one begins a new sentence.
func spaced(piece string) string {
	if r, _ := utf8.DecodeLastRuneInString(piece); unicode.IsSpace(r) {
		return piece
	}
	return piece + "\n\n"
}

func (g *generator) pick(words []string) string { return words[g.rng.IntN(len(words))] }

// spread is n depths: the first is the one asked for, the others follow at equal distances, round the end.
func (g *generator) spread(n int) []float64 {
	out := make([]float64, n)
	for i := range out {
		out[i] = g.opt.Depth + float64(i)/float64(n)
		if out[i] > 1 {
			out[i]--
		}
	}
	return out
}
