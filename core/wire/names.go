package wire

import (
	"fmt"
	"strings"

	"github.com/cprs-go/cprs/core"
)

// Units, Gaps and PinSets list the names that ParseUnit, ParseGap and ParsePin read.
var (
	Units   = []string{"auto", "phrase", "sentence", "line", "paragraph"}
	Gaps    = []string{"ellipsis", "lines", "none", "labels"}
	PinSets = []string{"@errors", "@numbers", "@headings"}
)

// ParseUnit is the unit of that name.
func ParseUnit(name string) (core.Unit, error) {
	i, err := choose("unit", name, Units)
	return []core.Unit{core.UnitAuto, core.UnitPhrase, core.UnitSentence, core.UnitLine, core.UnitParagraph}[i], err
}

// ParseGap is the gap style of that name.
func ParseGap(name string) (core.Gap, error) {
	i, err := choose("gap style", name, Gaps)
	return []core.Gap{core.GapEllipsis, core.GapLines, core.GapNone, core.GapLabels}[i], err
}

// ParsePin reads "@errors", "@numbers" or "@headings" as that built-in set, anything else as a regular expression.
// An expression that begins with an @ is written [@]….
func ParsePin(s string) (core.Pin, error) {
	if !strings.HasPrefix(s, "@") {
		return core.Pin{Pattern: s}, nil
	}
	i, err := choose("set of pins", s, PinSets)
	if err != nil {
		return core.Pin{}, err
	}
	return core.Pin{Set: core.PinSet(PinSets[i][1:])}, nil
}

// choose is the index of name in names; 0 with an error.
func choose(what, name string, names []string) (int, error) {
	for i, n := range names {
		if n == name {
			return i, nil
		}
	}
	return 0, invalid("one of "+strings.Join(names, ", "), "unknown %s %s%s", what, quote(name), nearest(name, names))
}

// quote quotes a name that a caller sent, cut to what a message can hold.
func quote(name string) string {
	const longest = 40
	if len(name) > longest {
		name = strings.ToValidUTF8(name[:longest], "") + "…"
	}
	return fmt.Sprintf("%q", name)
}

// nearest offers the one of names that is spelt most like name, or nothing if none is.
func nearest(name string, names []string) string {
	const longest = 40 // no field has a longer name, so nobody meant one
	best, least := "", 1+max(1, min(len(name), longest)/3)
	for _, n := range names {
		if len(name) > longest {
			break
		}
		if d := distance(strings.ToLower(name), n); d < least {
			best, least = n, d
		}
	}
	if best == "" {
		return ""
	}
	return fmt.Sprintf("; did you mean %q?", best)
}

// distance is the Levenshtein distance of a and b in bytes.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			d := diagonal
			if a[i] != b[j] {
				d++
			}
			diagonal = row[j+1]
			row[j+1] = min(d, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}
