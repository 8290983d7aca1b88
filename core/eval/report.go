package eval

import (
	"encoding/json"
	"io"
	"math"
)

// Report is what was measured.
type Report struct {
	Provenance Provenance   `json:"provenance"`
	Sets       []SetInfo    `json:"sets"`
	Methods    []string     `json:"methods"`
	Shares     []float64    `json:"shares"`
	Groups     []Group      `json:"groups"`
	Leads      []Difference `json:"leads"` // of the first method over each other one
	Over       int          `json:"over"`  // most tokens by which any method passed a budget

	index map[groupKey]*Group
}

// Provenance says how the figures came about.
type Provenance struct {
	Command    string `json:"command,omitempty"`
	Critic     string `json:"critic,omitempty"`
	CriticHash string `json:"critic_hash,omitempty"`
	Backend    string `json:"backend,omitempty"`
	Threads    int    `json:"threads,omitempty"`
	Kernel     string `json:"kernel,omitempty"`
	Tokenizer  string `json:"tokenizer"`
	PerSet     int    `json:"per_set"`
	Seed       uint64 `json:"seed"`
	Resamples  int    `json:"resamples"`
}

// SetInfo describes a set and what was drawn from it.
type SetInfo struct {
	Name         string `json:"name"`
	Hash         string `json:"sha256"`
	Answerable   int    `json:"answerable"`
	Unanswerable int    `json:"unanswerable"`
}

// Group holds the figures of one method at one share over some questions: of one set, of records of one length, or of all,
// where each set counts the same.
type Group struct {
	Set        string              `json:"set,omitempty"`    // empty: all sets
	Length     string              `json:"length,omitempty"` // empty: all lengths
	Method     string              `json:"method"`
	Share      float64             `json:"share"` // Threshold: the method's own threshold
	Answerable bool                `json:"answerable"`
	Questions  int                 `json:"questions"`
	Metrics    map[string]Estimate `json:"metrics"` // by the names of Scores' fields in lower case, where they apply
}

// Difference is how far the first method's recall lies above another's on the same questions, macro over sets.
type Difference struct {
	Over  string   `json:"over"`
	Share float64  `json:"share"`
	Lead  Estimate `json:"lead"`
}

type groupKey struct {
	set, length, method string
	share               float64
	answerable          bool
}

// metric reads one figure from Scores; ok is false where it does not apply.
type metric struct {
	name string
	of   func(Scores) (v float64, ok bool)
}

var metrics = []metric{
	{"recall", func(s Scores) (float64, bool) { return s.Recall, true }},
	{"full", func(s Scores) (float64, bool) { return s.Full, true }},
	{"survival", func(s Scores) (float64, bool) { return s.Survival, s.Survival >= 0 }},
	{"precision", func(s Scores) (float64, bool) { return s.Precision, true }},
	{"f2", func(s Scores) (float64, bool) { return s.F2, true }},
	keptMetric,
	refusedMetric,
}

var (
	keptMetric    = metric{"kept", func(s Scores) (float64, bool) { return s.Kept, true }}
	refusedMetric = metric{"refused", func(s Scores) (float64, bool) { return s.Refused, true }}
)

// lengths are the classes of records by tokens.
var lengths = []struct {
	name string
	most int
}{
	{"under 1K", 1_000}, {"1K to 4K", 4_000}, {"4K to 16K", 16_000}, {"16K to 64K", 64_000}, {"over 64K", math.MaxInt},
}

func lengthName(tokens int) string {
	for _, l := range lengths {
		if tokens < l.most {
			return l.name
		}
	}
	return lengths[len(lengths)-1].name
}

// newReport groups outcomes and estimates the figures of each group.
func newReport(sets []*Set, opt Options, outcomes []outcome) *Report {
	r := &Report{
		Provenance: Provenance{Tokenizer: opt.Tokenizer.Name(), PerSet: opt.PerSet, Seed: opt.Seed, Resamples: resamples},
		Shares:     opt.Shares,
	}
	for _, m := range opt.Methods {
		r.Methods = append(r.Methods, m.Name())
	}
	boot := newBootstrap(opt.Seed)
	members := map[groupKey][]outcome{}
	var keys []groupKey // in order of first outcome
	for _, o := range outcomes {
		r.Over = max(r.Over, o.scores.Over)
		for _, key := range o.groups() {
			if members[key] == nil {
				keys = append(keys, key)
			}
			members[key] = append(members[key], o)
		}
	}
	for _, key := range keys {
		r.Groups = append(r.Groups, newGroup(key, members[key], boot))
	}
	r.index = map[groupKey]*Group{}
	for i, key := range keys {
		r.index[key] = &r.Groups[i]
	}
	for _, s := range sets {
		info := SetInfo{Name: s.Name, Hash: s.Hash}
		if len(r.Methods) > 0 {
			info.Answerable, info.Unanswerable = questions(outcomes, s.Name)
		}
		r.Sets = append(r.Sets, info)
	}
	r.leads(members, boot)
	return r
}

// groups are the keys of the groups that o belongs to.
func (o *outcome) groups() []groupKey {
	all := groupKey{method: o.method, share: o.share, answerable: o.answerable}
	set, length := all, all
	set.set = o.set
	length.length = lengthName(o.tokens)
	return []groupKey{all, set, length}
}

// questions counts the distinct questions of a set, with an answer and without.
func questions(outcomes []outcome, set string) (answerable, unanswerable int) {
	seen := map[int]bool{}
	for _, o := range outcomes {
		if o.set != set || seen[o.question] {
			continue
		}
		seen[o.question] = true
		if o.answerable {
			answerable++
		} else {
			unanswerable++
		}
	}
	return answerable, unanswerable
}

func newGroup(key groupKey, members []outcome, boot *bootstrap) Group {
	g := Group{
		Set: key.set, Length: key.length, Method: key.method, Share: key.share, Answerable: key.answerable,
		Questions: len(members), Metrics: map[string]Estimate{},
	}
	use := metrics
	if !key.answerable {
		use = []metric{keptMetric, refusedMetric}
	}
	for _, m := range use {
		if v := bySet(members, m); len(v) > 0 {
			g.Metrics[m.name] = boot.estimate(v)
		}
	}
	return g
}

// bySet collects the values of a metric by set, in the outcomes' order.
func bySet(members []outcome, m metric) []values {
	var out []values
	for _, o := range members {
		v, ok := m.of(o.scores)
		if !ok {
			continue
		}
		if n := len(out); n == 0 || out[n-1].set != o.set {
			out = append(out, values{set: o.set})
		}
		last := &out[len(out)-1]
		last.of = append(last.of, v)
	}
	return out
}

// leads compares the first method with each other one, question by question.
func (r *Report) leads(members map[groupKey][]outcome, boot *bootstrap) {
	for i := 1; i < len(r.Methods); i++ {
		for _, share := range r.Shares {
			a := bySet(members[groupKey{method: r.Methods[0], share: share, answerable: true}], metrics[0])
			b := bySet(members[groupKey{method: r.Methods[i], share: share, answerable: true}], metrics[0])
			if len(a) == 0 {
				continue
			}
			for s := range a {
				for q := range a[s].of {
					a[s].of[q] -= b[s].of[q]
				}
			}
			r.Leads = append(r.Leads, Difference{Over: r.Methods[i], Share: share, Lead: boot.estimate(a)})
		}
	}
}

// Find is the group with these properties; nil if there is none.
func (r *Report) Find(set, length, method string, share float64, answerable bool) *Group {
	return r.index[groupKey{set, length, method, share, answerable}]
}

// JSON writes the report as one JSON object.
func (r *Report) JSON(w io.Writer) error {
	enc := json.NewEncoder(w)
	enc.SetIndent("", " ")
	return enc.Encode(r)
}
