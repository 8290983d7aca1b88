package eval

import (
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
	Tokens   int             // of all passages
	tok      tokenizer.Tokenizer
}

// NewCorpus cuts the documents of a record.
func NewCorpus(r *Record, u core.Unit, tok tokenizer.Tokenizer) *Corpus {
	c := &Corpus{Unit: u, tok: tok}
	for i, d := range r.Docs {
		c.Docs = append(c.Docs, core.Document{Title: d.Title, Text: d.Text})
		var e tokenizer.Encoding
		tok.Encode(&e, d.Text)
		c.Tokens += len(e.IDs)
		next := 0
		for p := range unit.Split(d.Text, u) {
			first := next
			for next < len(e.Spans) && e.Spans[next].Start < p.End {
				next++
			}
			c.Passages = append(c.Passages, selector.Unit{Span: span.Span{Doc: i, Start: p.Start, End: p.End}, Tokens: next - first})
		}
	}
	return c
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
