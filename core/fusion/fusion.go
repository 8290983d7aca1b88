// Package fusion joins what the critic says of a unit with what its words say: BM25 of the question's tokens within the unit's own
// document, so that the score does not depend on what other documents are read. It stands between core/critic and core/selector.
//
// The critic reads meaning, BM25 reads names, numbers and rare words to the letter; each finds what the other misses.
package fusion

import (
	"fmt"
	"math"

	"github.com/cprs-go/cprs/core/unit"
)

// Weights make one score of two: σ(Critic·logit(p) + Lexical·b + Bias) of the critic's probability p and the lexical score b.
// Bias puts the border between what is asked for and what is not at one half.
type Weights struct {
	Critic  float64 `json:"critic"`
	Lexical float64 `json:"lexical"`
	Bias    float64 `json:"bias"`
}

// Options come with the critic's checkpoint, whose probabilities they were fitted to.
type Options struct {
	Weights map[unit.Unit]Weights // by grain; the critic alone scores a grain without weights
	Stop    []int32               // ids that are no evidence: punctuation and the words of every question
}

// Validate refuses weights that would not rank.
func (o *Options) Validate() error {
	for u, w := range o.Weights {
		for _, v := range []float64{w.Critic, w.Lexical, w.Bias} {
			if math.IsNaN(v) || math.IsInf(v, 0) {
				return fmt.Errorf("fusion of grain %v: a weight is %v", u, v)
			}
		}
		if w.Critic < 0 || w.Lexical < 0 {
			return fmt.Errorf("fusion of grain %v: a weight is negative", u)
		}
	}
	return nil
}

// BM25's constants, as in most engines: how fast repeats of a word stop to count, and how much a long unit is held back.
const (
	saturation  = 1.2
	lengthShare = 0.75
)

// edge keeps logits finite.
const edge = 1e-3

// Scorer collects the units of one request and scores them when all are known.
type Scorer struct {
	opt   *Options
	terms map[int32]int // of the question: id to its place
	docs  []document
	units []scored
	match []match // of all units, in order
}

// scored is a unit: its grain, what the critic says, its length, and where its matches begin.
type scored struct {
	grain        unit.Unit
	critic       float32
	tokens, from int
}

// match says how often a term stands in a unit.
type match struct{ term, count int }

// document is a run of units.
type document struct {
	number int
	first  int   // of its units
	tokens int   // of all of them
	in     []int // units that hold each term
}

// New is a Scorer for the ids of the question.
func New(opt *Options, question []int32) *Scorer {
	s := &Scorer{opt: opt, terms: map[int32]int{}}
	stop := make(map[int32]bool, len(opt.Stop))
	for _, id := range opt.Stop {
		stop[id] = true
	}
	for _, id := range question {
		if _, known := s.terms[id]; !known && !stop[id] {
			s.terms[id] = len(s.terms)
		}
	}
	return s
}

// Add takes the next unit: the number of its document, its grain, its ids and the critic's probability. The units of a document follow
// each other.
func (s *Scorer) Add(doc int, grain unit.Unit, ids []int32, critic float32) {
	if n := len(s.docs); n == 0 || s.docs[n-1].number != doc {
		s.docs = append(s.docs, document{number: doc, first: len(s.units), in: make([]int, len(s.terms))})
	}
	d, from := &s.docs[len(s.docs)-1], len(s.match)
	for _, id := range ids {
		if t, ok := s.terms[id]; ok {
			s.count(from, t)
		}
	}
	for _, m := range s.match[from:] {
		d.in[m.term]++
	}
	d.tokens += len(ids)
	s.units = append(s.units, scored{grain, critic, len(ids), from})
}

// count adds one to term t of the unit whose matches begin at from.
func (s *Scorer) count(from, t int) {
	for i := from; i < len(s.match); i++ {
		if s.match[i].term == t {
			s.match[i].count++
			return
		}
	}
	s.match = append(s.match, match{t, 1})
}

// Scores gives the score of each unit, in [0,1], in the order of Add.
func (s *Scorer) Scores() []float32 {
	out := make([]float32, len(s.units))
	lexical := s.Lexical()
	for i, u := range s.units {
		out[i] = u.critic
		if w, ok := s.opt.Weights[u.grain]; ok {
			out[i] = w.score(float64(u.critic), lexical[i])
		}
	}
	return out
}

// Lexical gives the lexical score of each unit: its BM25 as a share of the most that the question's terms could give in its document.
func (s *Scorer) Lexical() []float64 {
	out := make([]float64, len(s.units))
	for i := range s.docs {
		last := len(s.units)
		if i+1 < len(s.docs) {
			last = s.docs[i+1].first
		}
		s.document(&s.docs[i], last, out)
	}
	return out
}

// document scores the units of d, which end before last.
func (s *Scorer) document(d *document, last int, out []float64) {
	n := float64(last - d.first)
	idf, most := make([]float64, len(s.terms)), 0.0
	for t, in := range d.in {
		if in > 0 {
			idf[t] = math.Log1p((n - float64(in) + 0.5) / (float64(in) + 0.5))
			most += idf[t]
		}
	}
	mean := float64(d.tokens) / n
	for i := d.first; i < last && most > 0; i++ {
		end := len(s.match)
		if i+1 < len(s.units) {
			end = s.units[i+1].from
		}
		long := saturation * (1 - lengthShare + lengthShare*float64(s.units[i].tokens)/mean)
		for _, m := range s.match[s.units[i].from:end] {
			out[i] += idf[m.term] * float64(m.count) / (float64(m.count) + long)
		}
		out[i] /= most
	}
}

// score joins the critic's probability p with the lexical score b.
func (w Weights) score(p, b float64) float32 {
	return float32(1 / (1 + math.Exp(-(w.Critic*Logit(p) + w.Lexical*b + w.Bias))))
}

// Logit is the logarithm of the odds of p, which is taken to be at least 0.001 away from 0 and 1.
func Logit(p float64) float64 {
	p = min(max(p, edge), 1-edge)
	return math.Log(p / (1 - p))
}
