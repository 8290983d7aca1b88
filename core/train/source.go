package train

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"sort"
	"strings"

	"github.com/cprs-go/cprs/core"
	"github.com/cprs-go/cprs/core/eval"
	"github.com/cprs-go/cprs/core/train/synth"
)

// source is where draws come from: a file of records, or a generator.
type source struct {
	SourceRecipe
	set      *eval.Set
	generate func(rng *rand.Rand) *eval.Record // of a generator
	with     picker                            // questions with an answer
	without  picker                            // questions without
}

// ask is one question of a record, at one or several levels.
type ask struct {
	record *eval.Record
	levels []*eval.Query
}

// picker draws questions; the weight of a record is the number of its questions, up to a cap.
type picker struct {
	asks  []ask
	upTo  []float64 // cumulative weights
	total float64
}

func (p *picker) add(a ask, weight float64) {
	p.total += weight
	p.asks, p.upTo = append(p.asks, a), append(p.upTo, p.total)
}

func (p *picker) pick(rng *rand.Rand) ask {
	at := rng.Float64() * p.total
	return p.asks[min(len(p.asks)-1, sort.Search(len(p.upTo), func(i int) bool { return p.upTo[i] > at }))]
}

// newSource indexes the questions of a set.
func newSource(s SourceRecipe, set *eval.Set) *source {
	if s.Cap == 0 {
		s.Cap = defaultCap
	}
	src := &source{SourceRecipe: s, set: set}
	for i := range set.Records {
		r := &set.Records[i]
		with, without := split(asks(r))
		for _, a := range with {
			src.with.add(a, min(1, float64(s.Cap)/float64(len(with))))
		}
		for _, a := range without {
			src.without.add(a, min(1, float64(s.Cap)/float64(len(without))))
		}
	}
	return src
}

// asks are the questions of a record, the levels of one question together.
func asks(r *eval.Record) (all []ask) {
	groups := map[string]int{}
	for i := range r.Queries {
		q := &r.Queries[i]
		if at, ok := groups[q.Group]; ok && q.Group != "" {
			all[at].levels = append(all[at].levels, q)
			continue
		}
		groups[q.Group] = len(all)
		all = append(all, ask{r, []*eval.Query{q}})
	}
	return all
}

// split parts questions with an answer from those without.
func split(all []ask) (with, without []ask) {
	for _, a := range all {
		if len(a.levels[0].Spans) > 0 {
			with = append(with, a)
		} else {
			without = append(without, a)
		}
	}
	return with, without
}

// LoadData reads files of records. A file that is not as it should be is an *core.Error that names the line.
func LoadData(paths []string) ([]*eval.Set, error) {
	var sets []*eval.Set
	names := map[string]bool{}
	for _, path := range paths {
		s, err := eval.Load(path)
		if err != nil {
			return nil, &core.Error{Code: core.CodeUnreadable, Message: "the labelled data cannot be used", Err: err,
				Hint: "spans are [document, start, end] in bytes of the document's UTF-8 text, on borders of characters"}
		}
		if names[s.Name] {
			return nil, &core.Error{Code: core.CodeInvalidArgument, Message: fmt.Sprintf("two files are called %s", s.Name), Hint: "give every file a name of its own"}
		}
		names[s.Name] = true
		sets = append(sets, s)
	}
	return sets, nil
}

// sources joins the files with the recipe. Only sources that can be drawn from are left.
func (r *Recipe) sources(sets []*eval.Set, seed uint64) ([]*source, error) {
	var all []*source
	byName := map[string]*eval.Set{}
	for _, s := range sets {
		byName[s.Name] = s
	}
	for _, s := range r.Sources {
		set := byName[s.Name]
		delete(byName, s.Name)
		if s.Weight == 0 {
			continue
		}
		if set != nil {
			all = append(all, newSource(s, set))
		} else if g, err := generator(s.Name, seed); err != nil {
			return nil, &core.Error{Code: core.CodeInvalidArgument, Message: "the recipe is wrong", Hint: "generators are synth:" + strings.Join(synth.Names(), ", synth:"), Err: err}
		} else if g != nil {
			all = append(all, &source{SourceRecipe: s, generate: g})
		}
	}
	for _, s := range sets { // in the order of the command
		if byName[s.Name] != nil && r.OtherWeight > 0 {
			all = append(all, newSource(SourceRecipe{Name: s.Name, Weight: r.OtherWeight}, s))
		}
	}
	usable := all[:0]
	for _, s := range all {
		if s.generate != nil || len(s.with.asks)+len(s.without.asks) > 0 {
			usable = append(usable, s)
		}
	}
	if len(usable) == 0 {
		return nil, &core.Error{Code: core.CodeInvalidArgument, Message: "there is nothing to train on", Hint: "name files of records with --data", Err: errors.New("no source of the recipe has questions")}
	}
	return usable, nil
}
