// Package report shows people what a compression kept and why: a table for terminals and a page for browsers.
//
// Both need the units of a result, core.Request.Explain. The package stands between core and the command.
package report

import (
	"github.com/cprs-go/cprs/core"
)

// keptUnits says of every unit of res whether any of it was kept.
func keptUnits(res *core.Result) []bool {
	kept := make([]bool, len(res.Units))
	s := 0
	for i, u := range res.Units {
		for s < len(res.Spans) && (res.Spans[s].Doc < u.Doc || res.Spans[s].Doc == u.Doc && res.Spans[s].End <= u.Start) {
			s++
		}
		kept[i] = s < len(res.Spans) && res.Spans[s].Doc == u.Doc && res.Spans[s].Start < u.End
	}
	return kept
}

// clamp is score in [0,1]; 0 for what is no number, which a broken critic may give.
func clamp(score float32) float64 {
	if !(score > 0) {
		return 0
	}
	return min(float64(score), 1)
}
