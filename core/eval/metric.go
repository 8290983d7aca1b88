package eval

import (
	"strings"
	"unicode"

	"golang.org/x/text/unicode/norm"

	"github.com/cprs-go/cprs/core/span"
)

// Kept is what a method keeps of a corpus for a question.
type Kept struct {
	Spans   []span.Span // sorted, disjoint
	Tokens  int         // of the kept text
	Refused bool        // the method says that nothing answers the question
}

// Scores are the figures of one question. Bytes of white space do not count. Recall, Full, Survival, Precision and F2 are
// of questions with an answer only.
type Scores struct {
	Recall    float64 // bytes of evidence kept, of all bytes of evidence
	Full      float64 // 1 if all evidence is kept, else 0
	Survival  float64 // answer strings that stand in the kept text, of all answer strings; -1 if the question names none
	Precision float64 // bytes of evidence kept, of all bytes kept; 0 if nothing is kept
	F2        float64 // of precision and recall: recall counts double, since a lost fact costs more than a kept extra
	Kept      float64 // tokens kept, of all tokens of the record
	Refused   float64 // 1 if the method said that nothing answers the question, else 0
	Over      int     // tokens above the budget
}

// Measure compares what was kept with the evidence.
func Measure(c *Corpus, q *Query, kept *Kept, share float64) Scores {
	s := Scores{Survival: -1}
	if c.Tokens > 0 {
		s.Kept = float64(kept.Tokens) / float64(c.Tokens)
	}
	if share > Threshold {
		s.Over = max(0, kept.Tokens-c.limit(share))
	}
	if kept.Refused {
		s.Refused = 1
	}
	if len(q.Spans) == 0 {
		return s
	}
	gold, all, hit := 0, 0, 0
	for doc := range c.Docs {
		text := c.Docs[doc].Text
		evidence, chosen := q.evidence(doc), ranges(kept.Spans, doc)
		gold += inkBytes(text, evidence)
		all += inkBytes(text, chosen)
		hit += inkBytes(text, intersect(evidence, chosen))
	}
	s.Recall = ratio(hit, gold)
	s.Precision = ratio(hit, all)
	if hit == gold {
		s.Full = 1
	}
	if s.Recall+s.Precision > 0 {
		s.F2 = 5 * s.Precision * s.Recall / (4*s.Precision + s.Recall)
	}
	if len(q.Answers) > 0 {
		s.Survival = survival(q.Answers, kept.text(c))
	}
	return s
}

func ratio(a, b int) float64 {
	if b == 0 {
		return 0
	}
	return float64(a) / float64(b)
}

// evidence are the merged gold ranges in one document.
func (q *Query) evidence(doc int) []span.Range {
	var rs []span.Range
	for _, s := range q.Spans {
		if s[0] == doc {
			rs = append(rs, span.Range{Start: s[1], End: s[2]})
		}
	}
	return span.Merge(rs)
}

// ranges are the parts of spans in one document.
func ranges(spans []span.Span, doc int) []span.Range {
	var rs []span.Range
	for _, s := range spans {
		if s.Doc == doc {
			rs = append(rs, s.Range())
		}
	}
	return rs
}

// intersect is what two sorted disjoint lists of ranges share.
func intersect(a, b []span.Range) []span.Range {
	var out []span.Range
	for i, j := 0, 0; i < len(a) && j < len(b); {
		if r := (span.Range{Start: max(a[i].Start, b[j].Start), End: min(a[i].End, b[j].End)}); !r.Empty() {
			out = append(out, r)
		}
		if a[i].End < b[j].End {
			i++
		} else {
			j++
		}
	}
	return out
}

// inkBytes is the number of bytes in ranges that are no white space.
func inkBytes(text string, rs []span.Range) int {
	n := 0
	for _, r := range rs {
		part := text[r.Start:r.End]
		n += len(part)
		for _, c := range part {
			if unicode.IsSpace(c) {
				n -= len(string(c))
			}
		}
	}
	return n
}

// text is the kept text, a line for each span.
func (k *Kept) text(c *Corpus) string {
	var b strings.Builder
	for _, s := range k.Spans {
		b.WriteString(c.Docs[s.Doc].Text[s.Start:s.End])
		b.WriteByte('\n')
	}
	return b.String()
}

// survival is the share of answers that stand in text, whatever the case, white space and compatibility form of either.
func survival(answers []string, text string) float64 {
	text = normalise(text)
	n := 0
	for _, a := range answers {
		if strings.Contains(text, normalise(a)) {
			n++
		}
	}
	return float64(n) / float64(len(answers))
}

func normalise(s string) string {
	return strings.Join(strings.Fields(strings.ToLower(norm.NFKC.String(s))), " ")
}
