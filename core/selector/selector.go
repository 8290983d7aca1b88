// Package selector decides what is kept: one choice over the units of all windows and documents.
//
// It takes the units of the text with the critic's scores, and a threshold, a token budget or both. Pinned units are kept
// first; then the best unit, for which lesser ones never stand in; then the next best while they fit, repeats last; gaps that cost no
// more than their mark are closed; labels (the heading, columns, record, speaker or section that a kept unit belongs to) are kept where the
// budget permits. The package stands between core/label and core, which renders its choice.
package selector

import (
	"cmp"
	"errors"
	"fmt"
	"slices"

	"github.com/cprs-go/cprs/core/span"
)

// Unit is a unit of text with its score. The units of a document partition it.
type Unit struct {
	span.Span
	Tokens int  // under the tokenizer that counts the budget
	Pinned bool // never dropped
	Unread bool // no critic has seen it: kept only if pinned
	Repeat bool // a pinned or better unit says the same to the letter: it comes after all others
}

// Label is a part of a document that tells where other text belongs: a heading, the names of a table's columns, a speaker's name, the
// first line of a record, the keys or function that it stands under.
type Label struct {
	Range  span.Range
	Tokens int
}

// Options bound a choice.
type Options struct {
	// MaxTokens is the most tokens of all that is kept, marks included; negative: no bound.
	MaxTokens int
	// Threshold is the least score of a unit that is kept without a pin.
	Threshold float32
	// MarkTokens is what the mark between two kept parts of a document costs.
	MarkTokens int
	// DocTokens is what the line that names document i costs, if anything of it is kept; nil: nothing.
	DocTokens []int
	// Labels returns the labels of the text at byte start of a document; nil: none are kept.
	Labels func(doc, start int) []Label
}

// ErrPinsExceed is wrapped by the error of Choose when the pinned units alone exceed the budget.
var ErrPinsExceed = errors.New("pinned text exceeds the budget")

// labelShare is the part of a budget, one in labelShare, that waits for labels until the units have had the rest.
const labelShare = 20

// Choose returns the kept parts: sorted, disjoint, each the longest run of kept text, with the best score of its units.
// units are sorted by document and place. Where nothing is pinned and the best unit alone exceeds the budget, nothing is kept: its
// beginning is worth more than other units, and to cut it is the caller's part.
func Choose(units []Unit, opt Options) ([]span.Span, error) {
	c := newChoice(units, opt)
	pinned := c.pinned()
	for _, i := range pinned {
		c.keep(i)
	}
	if c.bounded() && c.used > opt.MaxTokens {
		return nil, fmt.Errorf("%w: the pins need %d tokens of %d", ErrPinsExceed, c.used, opt.MaxTokens)
	}
	order := c.candidates()
	if c.bounded() && len(pinned) == 0 && len(order) > 0 {
		if c.cost(order[0]) > opt.MaxTokens {
			return nil, nil
		}
		c.keep(order[0])
	}
	if c.bounded() && opt.Labels != nil {
		c.fill(order, opt.MaxTokens-opt.MaxTokens/labelShare)
	}
	if !c.bounded() {
		c.fill(order, opt.MaxTokens)
	}
	c.closeGaps()
	c.keepLabels(order)
	if c.bounded() {
		c.fill(order, opt.MaxTokens)
		c.closeGaps()
	}
	return c.spans(), nil
}

// Best is the index of the unit of highest score that may be kept without a pin, of equal ones the first; -1: none may.
func Best(units []Unit, threshold float32) int {
	best := -1
	for i, u := range units {
		if u.candidate(threshold) && (best < 0 || u.Score > units[best].Score) {
			best = i
		}
	}
	return best
}

// candidate reports whether u may be kept without a pin.
func (u *Unit) candidate(threshold float32) bool {
	return !u.Unread && u.Tokens > 0 && u.Score >= threshold
}

// choice is a set of kept units and labels with its cost.
type choice struct {
	units  []Unit
	opt    Options
	kept   []bool
	labels map[int][]span.Range // by document
	runs   []int                // kept parts by document
	used   int                  // tokens
}

func newChoice(units []Unit, opt Options) *choice {
	docs := 0
	if n := len(units); n > 0 {
		docs = units[n-1].Doc + 1
	}
	return &choice{units: units, opt: opt, kept: make([]bool, len(units)), labels: map[int][]span.Range{}, runs: make([]int, docs)}
}

func (c *choice) bounded() bool { return c.opt.MaxTokens >= 0 }

// candidates are the units that may be kept, best first, repeats last; of equal ones the earlier.
func (c *choice) candidates() []int {
	var order []int
	for i, u := range c.units {
		if !u.Pinned && u.candidate(c.opt.Threshold) {
			order = append(order, i)
		}
	}
	slices.SortStableFunc(order, func(i, j int) int {
		a, b := &c.units[i], &c.units[j]
		switch {
		case a.Repeat == b.Repeat:
			return cmp.Compare(b.Score, a.Score)
		case a.Repeat:
			return 1
		}
		return -1
	})
	return order
}

// fill keeps candidates in order as long as they fit into limit; a negative limit fits all. Where one does not fit,
// others may take its place if they score at least half as much: a budget is not filled with crumbs.
func (c *choice) fill(order []int, limit int) {
	floor := float32(0)
	for _, i := range order {
		switch {
		case c.units[i].Score < floor:
			return
		case c.kept[i]:
		case limit < 0 || c.used+c.cost(i) <= limit:
			c.keep(i)
		case floor == 0:
			floor = c.units[i].Score / 2
		}
	}
}

// cost is what keeping unit i adds.
func (c *choice) cost(i int) int {
	left, right := c.keptAt(i, i-1), c.keptAt(i, i+1)
	switch {
	case left && right:
		return c.units[i].Tokens - c.opt.MarkTokens
	case left || right:
		return c.units[i].Tokens
	}
	return c.units[i].Tokens + c.partCost(c.units[i].Doc)
}

// partCost is what one more kept part of a document costs beside its text.
func (c *choice) partCost(doc int) int {
	switch {
	case c.runs[doc] > 0:
		return c.opt.MarkTokens
	case c.opt.DocTokens != nil:
		return c.opt.DocTokens[doc]
	}
	return 0
}

// keptAt reports whether unit j is kept and of the same document as i.
func (c *choice) keptAt(i, j int) bool {
	return j >= 0 && j < len(c.units) && c.kept[j] && c.units[j].Doc == c.units[i].Doc
}

func (c *choice) keep(i int) {
	c.used += c.cost(i)
	left, right := c.keptAt(i, i-1), c.keptAt(i, i+1)
	switch {
	case left && right:
		c.runs[c.units[i].Doc]--
	case !left && !right:
		c.runs[c.units[i].Doc]++
	}
	c.kept[i] = true
}

// closeGaps keeps what lies between two kept parts where that costs no more than the mark.
func (c *choice) closeGaps() {
	last := -1 // kept unit before i
	tokens := 0
	for i := range c.units {
		if last >= 0 && c.units[i].Doc != c.units[last].Doc {
			last = -1
		}
		if !c.kept[i] {
			tokens += c.units[i].Tokens
			continue
		}
		if last >= 0 && last < i-1 && tokens <= c.opt.MarkTokens && !c.unread(last+1, i) {
			for j := last + 1; j < i; j++ {
				c.keep(j)
			}
		}
		last, tokens = i, 0
	}
}

func (c *choice) unread(from, to int) bool {
	return slices.ContainsFunc(c.units[from:to], func(u Unit) bool { return u.Unread })
}

// keepLabels keeps the labels of kept units, those of the best units first, as long as they fit.
func (c *choice) keepLabels(order []int) {
	if c.opt.Labels == nil {
		return
	}
	for _, i := range append(c.pinned(), order...) {
		if !c.kept[i] {
			continue
		}
		u := c.units[i]
		for _, l := range c.opt.Labels(u.Doc, u.Start) {
			cost := l.Tokens + c.partCost(u.Doc)
			if c.has(u.Doc, l.Range) || c.bounded() && c.used+cost > c.opt.MaxTokens {
				continue
			}
			c.labels[u.Doc] = append(c.labels[u.Doc], l.Range)
			c.runs[u.Doc]++
			c.used += cost
		}
	}
}

// pinned are the units that must be kept.
func (c *choice) pinned() []int {
	var out []int
	for i, u := range c.units {
		if u.Pinned {
			out = append(out, i)
		}
	}
	return out
}

// has reports whether r of a document is kept already.
func (c *choice) has(doc int, r span.Range) bool {
	if slices.Contains(c.labels[doc], r) {
		return true
	}
	i, _ := slices.BinarySearchFunc(c.units, span.Span{Doc: doc, Start: r.Start, End: r.Start}, func(u Unit, t span.Span) int {
		switch {
		case u.Doc != t.Doc:
			return u.Doc - t.Doc
		case u.End <= t.Start:
			return -1
		}
		return 1
	})
	for ; i < len(c.units) && c.units[i].Doc == doc && c.units[i].Start < r.End; i++ {
		if !c.kept[i] {
			return false
		}
	}
	return true
}

// spans joins the kept units and labels to parts.
func (c *choice) spans() []span.Span {
	var parts []span.Span
	for i, u := range c.units {
		if c.kept[i] {
			parts = append(parts, u.Span)
		}
	}
	for doc, labels := range c.labels {
		for _, r := range labels {
			parts = append(parts, span.Span{Doc: doc, Start: r.Start, End: r.End})
		}
	}
	slices.SortFunc(parts, span.Compare)
	out := parts[:0]
	for _, p := range parts {
		if n := len(out); n > 0 && out[n-1].Doc == p.Doc && p.Start <= out[n-1].End {
			out[n-1].End = max(out[n-1].End, p.End)
			if p.Score > out[n-1].Score {
				out[n-1].Score, out[n-1].Category = p.Score, p.Category
			}
			continue
		}
		out = append(out, p)
	}
	return out
}
