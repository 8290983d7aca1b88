package train

import (
	"math/rand/v2"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/cprs-go/cprs/core/label"
	"github.com/cprs-go/cprs/core/model/graph"
	"github.com/cprs-go/cprs/core/prompt"
	"github.com/cprs-go/cprs/core/span"
	"github.com/cprs-go/cprs/core/unit"
	"github.com/cprs-go/cprs/core/window"
)

// group is questions on windows, each question asked of each window.
type group struct {
	windows   []row
	questions []question
}

// row is a window as the encoder reads it.
type row struct{ ids []int32 }

// question is a header and what it should find in each window of its group.
type question struct {
	header *prompt.Header
	pairs  []pair
}

// pair is what a question should find in a window. The slices go along the ids of the window's row, roles along its units.
type pair struct {
	grain                 int32
	segments, tags, units []int32
	counts                []float32
	roles                 []int32
}

// target is what a question asks of one document.
type target struct {
	text     string
	evidence []span.Range // sorted, disjoint
	answers  []string     // strings that may answer the question where nobody marked them
	masked   float64      // share of positions outside the evidence that do not count
}

// label makes the pair of a window and a question.
func (t *target) label(w *window.Window, grain int32, match map[int32]bool, rng *rand.Rand) pair {
	n := w.Len()
	p := pair{
		grain: grain, segments: graph.Segments(slices.Concat(w.Before, w.IDs, w.After), match),
		tags: make([]int32, n), units: make([]int32, n), counts: make([]float32, n),
	}
	for i := range n {
		p.tags[i], p.units[i] = int32(label.Outside), -1
	}
	first := len(w.Before)
	inside := make([]bool, len(w.IDs))
	for _, u := range t.parts(w) {
		role := t.role(w, u)
		id := int32(-1)
		if len(p.roles) < mostUnits && u.Last > u.First {
			id = int32(len(p.roles))
			p.roles = append(p.roles, role)
		}
		for i := u.First; i < u.Last; i++ {
			p.units[first+i], inside[i] = id, role == roleEvidence
			if role == roleEvidence || role == roleOther && rng.Float64() >= t.masked {
				p.counts[first+i] = 1
			}
		}
	}
	tag(p.tags[first:first+len(w.IDs)], inside)
	return p
}

// parts are the units of w. Phrases are parted where the evidence begins and ends, as the pipeline parts them by the critic's tags.
func (t *target) parts(w *window.Window) []window.Unit {
	if w.Unit != unit.Phrase {
		return w.Units
	}
	var parts []window.Unit
	for _, u := range w.Units {
		from := u.First
		for i := u.First + 1; i <= u.Last; i++ {
			if i == u.Last || t.holds(w.Spans[i]) != t.holds(w.Spans[i-1]) {
				parts = append(parts, window.Unit{Range: span.Range{Start: w.Spans[from].Start, End: w.Spans[i-1].End}, First: from, Last: i})
				from = i
			}
		}
	}
	return parts
}

// holds reports whether r shares bytes with the evidence.
func (t *target) holds(r span.Range) bool {
	for _, e := range t.evidence {
		if e.Start < r.End && r.Start < e.End {
			return true
		}
	}
	return false
}

// role says what a unit is to the question. It is evidence if it holds at least half of a marked span, or if at least half of it is
// marked: the borders of marked sentences and of units differ by a few characters.
func (t *target) role(w *window.Window, u window.Unit) int32 {
	r := unit.Trim(t.text, u.Range)
	shared := 0
	for _, e := range t.evidence {
		both := min(r.End, e.End) - max(r.Start, e.Start)
		if both <= 0 {
			continue
		}
		if shared += both; 2*both >= e.Len() {
			return roleEvidence
		}
	}
	switch {
	case 2*shared >= r.Len() && shared > 0:
		return roleEvidence
	case shared > 0 || t.mayAnswer(t.text[u.Range.Start:u.Range.End]):
		return roleIgnored
	}
	return roleOther
}

// mayAnswer reports whether an answer stands in s, as words of their own. Answers of one or two letters or digits stand everywhere.
func (t *target) mayAnswer(s string) bool {
	for _, a := range t.answers {
		if utf8.RuneCountInString(a) >= 3 && containsWords(s, a) {
			return true
		}
	}
	return false
}

// containsWords reports whether words stands in s, not as a part of longer words.
func containsWords(s, words string) bool {
	for from := 0; ; {
		i := strings.Index(s[from:], words)
		if i < 0 {
			return false
		}
		i += from
		if border(s, i) && border(s, i+len(words)) {
			return true
		}
		from = i + 1
	}
}

// border reports whether no ASCII word goes across i.
func border(s string, i int) bool {
	return i == 0 || i == len(s) || !inWord(s[i-1]) || !inWord(s[i])
}

func inWord(c byte) bool {
	return c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'
}

// tag writes B, I … I, E for each run of positions inside; a run of one is B.
func tag(tags []int32, inside []bool) {
	for i, in := range inside {
		switch {
		case !in:
			tags[i] = int32(label.Outside)
		case i == 0 || !inside[i-1]:
			tags[i] = int32(label.Begin)
		case i == len(inside)-1 || !inside[i+1]:
			tags[i] = int32(label.End)
		default:
			tags[i] = int32(label.Inside)
		}
	}
}
