package eval

import (
	"slices"

	"github.com/cprs-go/cprs/core"
	"github.com/cprs-go/cprs/core/selector"
	"github.com/cprs-go/cprs/core/span"
	"github.com/cprs-go/cprs/core/tokenizer"
	"github.com/cprs-go/cprs/core/unit"
)

// Corpus is the text of a record cut into passages, the units of one grain.
type Corpus struct {
	Docs     []core.Document
	Unit     core.Unit
	Passages []selector.Unit // in order, covering all text; without scores
	Tokens   int             // of all documents
	tok      tokenizer.Tokenizer
	starts   [][]int // of the tokens of each document
}

// NewCorpus cuts the documents of a record.
func NewCorpus(r *Record, u core.Unit, tok tokenizer.Tokenizer) *Corpus {
	c := &Corpus{Unit: u, tok: tok}
	for i, d := range r.Docs {
		c.Docs = append(c.Docs, core.Document{Title: d.Title, Text: d.Text})
		var e tokenizer.Encoding
		tok.Encode(&e, d.Text)
		starts := make([]int, len(e.Spans))
		for j, s := range e.Spans {
			starts[j] = s.Start
		}
		c.starts = append(c.starts, starts)
		c.Tokens += len(starts)
		for p := range unit.Split(d.Text, u) {
			c.Passages = append(c.Passages, c.unit(span.Span{Doc: i, Start: p.Start, End: p.End}))
		}
	}
	return c
}

// unit is s with the number of tokens that begin in it.
func (c *Corpus) unit(s span.Span) selector.Unit {
	first, _ := slices.BinarySearch(c.starts[s.Doc], s.Start)
	last, _ := slices.BinarySearch(c.starts[s.Doc], s.End)
	return selector.Unit{Span: s, Tokens: last - first}
}

// choose keeps the units of highest score that fit into limit tokens, as the pipeline does: where the best one does not fit, its
// beginning.
func (c *Corpus) choose(units []selector.Unit, limit int) (*Kept, error) {
	best := selector.Best(units, 0)
	if limit == 0 || best < 0 {
		return &Kept{}, nil
	}
	for ask := limit; ask >= 0; {
		spans, err := selector.Choose(units, selector.Options{MaxTokens: ask})
		if err != nil {
			return nil, err
		}
		if len(spans) == 0 {
			break
		}
		k := c.kept(spans)
		if k.Tokens <= limit {
			return k, nil
		}
		ask -= k.Tokens - limit // a unit that begins inside a word can have more tokens alone
	}
	return c.kept([]span.Span{c.cut(units[best].Span, limit)}), nil
}

// kept counts the tokens of spans.
func (c *Corpus) kept(spans []span.Span) *Kept {
	k := &Kept{Spans: spans}
	for _, s := range spans {
		k.Tokens += tokenizer.Count(c.tok, c.Docs[s.Doc].Text[s.Start:s.End])
	}
	return k
}

// text is what passage i says.
func (c *Corpus) text(i int) string {
	p := c.Passages[i]
	return c.Docs[p.Doc].Text[p.Start:p.End]
}

// limit is the most tokens that a share of the corpus allows.
func (c *Corpus) limit(share float64) int { return int(share * float64(c.Tokens)) }

// cut is the beginning of s that has at most limit tokens.
func (c *Corpus) cut(s span.Span, limit int) span.Span {
	var e tokenizer.Encoding
	c.tok.Encode(&e, c.Docs[s.Doc].Text[s.Start:s.End])
	for n := min(limit, len(e.IDs)); n > 0; n-- {
		if n == len(e.IDs) || e.Spans[n].Start >= e.Spans[n-1].End { // not within the tokens of one character
			return span.Span{Doc: s.Doc, Start: s.Start, End: s.Start + e.Spans[n-1].End}
		}
	}
	return span.Span{Doc: s.Doc, Start: s.Start, End: s.Start}
}

// density is, for each passage, the bytes of evidence a token.
func (c *Corpus) density(q *Query) []float32 {
	out := make([]float32, len(c.Passages))
	for doc := range c.Docs {
		evidence := q.evidence(doc)
		for i, p := range c.Passages {
			if p.Doc != doc || p.Tokens == 0 {
				continue
			}
			hit := inkBytes(c.Docs[doc].Text, intersect(evidence, []span.Range{p.Range()}))
			out[i] = float32(hit) / float32(p.Tokens)
		}
	}
	return out
}
