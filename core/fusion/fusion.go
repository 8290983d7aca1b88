// Package fusion joins what the critic says of a unit with what its words say: BM25 of the question's words within the unit's own
// document, so that the score does not depend on what other documents are read. It stands between core/critic and core/selector.
//
// The critic reads meaning, BM25 reads names, numbers and rare words to the letter; each finds what the other misses.
package fusion

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"unicode"

	"github.com/cprs-go/cprs/core/unit"
)

// Features are what is known of a unit.
type Features struct {
	Critic    float64 // logit of the keep probability, mean over that half of the unit's tokens which has the highest
	Relevance float64 // logit of the critic's probability that the unit's window holds anything asked for
	Lexical   float64 // BM25 as a share of the most that the question's terms could give in the unit's document
}

// Weights make one score of Features: σ(Critic·critic + Relevance·relevance + Lexical·lexical + Bias). Bias puts the border between what is
// asked for and what is not at one half.
type Weights struct {
	Critic    float64 `json:"critic"`
	Relevance float64 `json:"relevance"`
	Lexical   float64 `json:"lexical"`
	Bias      float64 `json:"bias"`
}

// Logit is the logit of the score of f.
func (w Weights) Logit(f Features) float64 {
	return w.Critic*f.Critic + w.Relevance*f.Relevance + w.Lexical*f.Lexical + w.Bias
}

// OtherScripts names Options.NonLatin in a critic's config.json; other weights have the names of their grains.
const OtherScripts = "non_latin"

// Options come with a critic's checkpoint, whose probabilities they were fitted to.
type Options struct {
	// Grains are the weights by grain. A unit of a grain without weights scores the mean of its tokens' keep probabilities.
	Grains map[unit.Unit]Weights
	// NonLatin, if set, takes the place of them where the question is in another script, which the critic may read badly.
	NonLatin *Weights
}

// Validate refuses weights that would not rank.
func (o *Options) Validate() error {
	for u, w := range o.Grains {
		if err := w.validate(); err != nil {
			return fmt.Errorf("fusion of grain %v: %w", u, err)
		}
	}
	if o.NonLatin != nil {
		if err := o.NonLatin.validate(); err != nil {
			return fmt.Errorf("fusion of other scripts: %w", err)
		}
	}
	return nil
}

func (w Weights) validate() error {
	for _, v := range []float64{w.Critic, w.Relevance, w.Lexical, w.Bias} {
		if math.IsNaN(v) || math.IsInf(v, 0) {
			return fmt.Errorf("a weight is %v", v)
		}
	}
	if w.Critic < 0 || w.Relevance < 0 || w.Lexical < 0 {
		return errors.New("a weight is negative")
	}
	return nil
}

// NonLatin reports whether most letters of a text are of another script.
func NonLatin(text string) bool {
	balance := 0
	for _, r := range text {
		switch {
		case !unicode.IsLetter(r):
		case unicode.Is(unicode.Latin, r):
			balance--
		default:
			balance++
		}
	}
	return balance > 0
}

// BM25's constants, as in most engines: how fast repeats of a word stop to count, and how much a long unit is held back.
const (
	saturation  = 1.2
	lengthShare = 0.75
)

// edge keeps logits finite.
const edge = 1e-3

// marks are the ASCII characters that are no letters and no digits.
const marks = " \t\r\n!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~"

// mostTerms of a question count; what a longer one asks for stands at its beginning.
const mostTerms = 128

// longestWord is in bytes; what is longer is no word of a question.
const longestWord = 100

// mostForms is how many forms of words are remembered.
const mostForms = 1 << 14

// Scorer collects the units of one request and scores them when all are known.
type Scorer struct {
	opt      *Options
	nonLatin bool           // the question
	terms    map[string]int // of the question, folded: to their places
	forms    map[string]int // of words as they stand: the place of the term, or −1
	docs     []document
	units    []scored
	match    []match // of all units, in order

	sorted []float32 // scratch
}

// scored is a unit.
type scored struct {
	grain           unit.Unit
	mean, strongest float32 // keep probabilities of the tokens: of all, and of the higher half
	relevance       float32 // of its window
	tokens, from    int     // how many tokens, and where its matches begin
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

// New is a Scorer for a question. With nil options it only matches.
func New(opt *Options, question string) *Scorer {
	s := &Scorer{opt: opt, nonLatin: NonLatin(question), terms: map[string]int{}, forms: map[string]int{}}
	Terms(question, func(form string) {
		if stop[strings.ToLower(form)] || len(form) > longestWord || len(s.terms) == mostTerms {
			return
		}
		term := Fold(form)
		if _, known := s.terms[term]; !known {
			s.terms[term] = len(s.terms)
		}
	})
	return s
}

// place is that of a word's term in the question, −1 if it has none.
func (s *Scorer) place(form string) int {
	at, known := s.forms[form]
	if !known {
		at = -1
		if len(form) <= longestWord {
			if t, ok := s.terms[Fold(form)]; ok {
				at = t
			}
		}
		if len(s.forms) == mostForms {
			clear(s.forms)
		}
		s.forms[form] = at
	}
	return at
}

// Add takes the next unit: the number of its document, its grain, its text, the keep probabilities of its tokens, and the relevance of its
// window. The units of a document follow each other.
func (s *Scorer) Add(doc int, grain unit.Unit, text string, keep []float32, relevance float32) {
	if n := len(s.docs); n == 0 || s.docs[n-1].number != doc {
		s.docs = append(s.docs, document{number: doc, first: len(s.units), in: make([]int, len(s.terms))})
	}
	d, from := &s.docs[len(s.docs)-1], len(s.match)
	s.Match(text, func(t int) { s.count(from, t) })
	for _, m := range s.match[from:] {
		d.in[m.term]++
	}
	d.tokens += len(keep)
	all, strongest := s.means(keep)
	if strings.Trim(text, marks) == "" { // braces alone answer nothing, however much the lines around them do
		all, strongest = 0, 0
	}
	s.units = append(s.units, scored{grain, all, strongest, relevance, len(keep), from})
}

// Match calls yield with the number of each of the question's terms in a text, as often as it stands there.
func (s *Scorer) Match(text string, yield func(term int)) {
	Terms(text, func(form string) {
		if t := s.place(form); t >= 0 {
			yield(t)
		}
	})
}

// means is the mean of keep, and that of its higher half: a long sentence is not held back by what it says besides.
func (s *Scorer) means(keep []float32) (all, strongest float32) {
	if len(keep) == 0 {
		return 0, 0
	}
	s.sorted = append(s.sorted[:0], keep...)
	slices.Sort(s.sorted)
	half := (len(keep) + 1) / 2
	for i, p := range slices.Backward(s.sorted) {
		if all += p; i >= len(keep)-half {
			strongest += p
		}
	}
	return all / float32(len(keep)), strongest / float32(half)
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
	features := s.Features()
	for i, u := range s.units {
		out[i] = u.mean
		if w, ok := s.opt.Grains[u.grain]; ok {
			if s.nonLatin && s.opt.NonLatin != nil {
				w = *s.opt.NonLatin
			}
			out[i] = float32(1 / (1 + math.Exp(-w.Logit(features[i]))))
		}
	}
	return out
}

// Features gives what is known of each unit, in the order of Add.
func (s *Scorer) Features() []Features {
	out := make([]Features, len(s.units))
	for i := range s.docs {
		last := len(s.units)
		if i+1 < len(s.docs) {
			last = s.docs[i+1].first
		}
		s.document(&s.docs[i], last, out)
	}
	for i, u := range s.units {
		out[i].Critic, out[i].Relevance = logit(u.strongest), logit(u.relevance)
	}
	return out
}

// document sets the lexical scores of the units of d, which end before last.
func (s *Scorer) document(d *document, last int, out []Features) {
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
			out[i].Lexical += idf[m.term] * float64(m.count) / (float64(m.count) + long)
		}
		out[i].Lexical /= most
	}
}

// logit is the logarithm of the odds of p, which is taken to be at least edge away from 0 and 1.
func logit(p float32) float64 {
	x := min(max(float64(p), edge), 1-edge)
	return math.Log(x / (1 - x))
}
