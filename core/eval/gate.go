package eval

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// Gate is a bound on a figure of the report's first method, macro over sets.
type Gate struct {
	Metric string  // a name of Group.Metrics, or "false_keep": the share of the text kept where there is no answer
	Bound  float64 // least value; of kept and false_keep the greatest
	Share  float64 // Threshold: at the method's own threshold
}

// ParseGate reads METRIC=BOUND@SHARE, for example recall=0.6@0.1 or false_keep=0.05@threshold.
func ParseGate(s string) (Gate, error) {
	name, rest, ok := strings.Cut(s, "=")
	bound, share, ok2 := strings.Cut(rest, "@")
	if !ok || !ok2 {
		return Gate{}, fmt.Errorf("gate %q is not METRIC=BOUND@SHARE", s)
	}
	g := Gate{Metric: name}
	known := func(m metric) bool { return m.name == name }
	if name != falseKeep && !slices.ContainsFunc(metrics, known) {
		return Gate{}, fmt.Errorf("gate %q: there is no metric %q", s, name)
	}
	var err error
	if g.Bound, err = strconv.ParseFloat(bound, 64); err != nil {
		return Gate{}, fmt.Errorf("gate %q: bound %q is no number", s, bound)
	}
	if share != "threshold" {
		if g.Share, err = strconv.ParseFloat(share, 64); err != nil || !(g.Share > 0 && g.Share <= 1) {
			return Gate{}, fmt.Errorf("gate %q: share %q is neither in (0,1] nor \"threshold\"", s, share)
		}
	}
	if name == falseKeep && g.Share != Threshold {
		return Gate{}, fmt.Errorf("gate %q: %s is measured at the threshold only", s, falseKeep)
	}
	return g, nil
}

const falseKeep = "false_keep"

// Check returns an error that names the figure if the report misses g or does not hold what g is about.
func (g Gate) Check(r *Report) error {
	name, answerable := g.Metric, true
	if name == falseKeep {
		name, answerable = keptMetric.name, false
	}
	var group *Group
	if len(r.Methods) > 0 {
		group = r.Find("", "", r.Methods[0], g.Share, answerable)
	}
	if group == nil {
		return fmt.Errorf("gate %s: not measured", g)
	}
	e, ok := group.Metrics[name]
	if !ok {
		return fmt.Errorf("gate %s: not measured", g)
	}
	const rounding = 1e-9
	missed := e.Mean < g.Bound-rounding
	if name == keptMetric.name {
		missed = e.Mean > g.Bound+rounding
	}
	if missed {
		return fmt.Errorf("gate %s missed: %s has %.4f", g, r.Methods[0], e.Mean)
	}
	return nil
}

// String is what ParseGate reads.
func (g Gate) String() string {
	share := "threshold"
	if g.Share != Threshold {
		share = strconv.FormatFloat(g.Share, 'g', -1, 64)
	}
	return fmt.Sprintf("%s=%s@%s", g.Metric, strconv.FormatFloat(g.Bound, 'g', -1, 64), share)
}
