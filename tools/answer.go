package tools

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/cprs-go/cprs/core"
	"github.com/cprs-go/cprs/core/source"
	"github.com/cprs-go/cprs/core/unit"
	"github.com/cprs-go/cprs/core/wire"
)

// What an answer holds at most of lists that grow with the input.
const (
	mostUnits  = 200 // scored units
	mostRanges = 12  // line ranges of a source
	mostNames  = 5   // places or files in a note
)

// answer is a result on its way to the model.
type answer struct {
	req     core.Request // that was run
	res     *core.Result
	skipped []source.Skipped
	handle  string
	asked   int // max_tokens of the caller
}

// compressOut is the output of compress_context. Doc of a span or unit counts Sources; its bytes count from the first that
// was read.
type compressOut struct {
	Context   string      `json:"context"`
	Note      string      `json:"note,omitempty"`
	Status    string      `json:"status"`
	TokensIn  int         `json:"tokens_in"`
	TokensOut int         `json:"tokens_out"`
	Sources   []sourceOut `json:"sources"`
	Handle    string      `json:"handle,omitempty"`
	Truncated bool        `json:"truncated,omitempty"`
	Spans     []wire.Span `json:"spans,omitempty"`
	Units     []wire.Span `json:"units,omitempty"`
}

type sourceOut struct {
	ID         string `json:"id"`
	KeptTokens int    `json:"kept_tokens"`
	Lines      string `json:"lines"`
}

// compressed is the result of compress_context.
func (a *answer) compressed(spans, units bool) (*Result, error) {
	out := compressOut{
		Context: a.res.Text, Note: a.note(), Status: a.res.Status.String(), Handle: a.handle, Truncated: a.truncated(),
		TokensIn: a.res.Stats.TokensIn, TokensOut: a.res.Stats.TokensOut,
	}
	if spans {
		out.Spans = a.scored(a.res.Spans)
	}
	if units {
		out.Units = a.scored(best(a.res.Units, mostUnits))
	}
	out.Sources = a.sources(out.Spans, out.Units)
	text := withNote(out.Context, out.Note) + listing("Spans", out.Spans, out.Sources) + listing("Units", out.Units, out.Sources)
	return result(text, out)
}

// result joins the two forms of a result.
func result(text string, structured any) (*Result, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false) // code and markup stay readable
	if err := enc.Encode(structured); err != nil {
		return nil, err
	}
	return &Result{Text: text, Structured: bytes.TrimSpace(b.Bytes())}, nil
}

// withNote puts the note below the context, marked as ours.
func withNote(context, note string) string {
	switch {
	case note == "":
		return context
	case context == "":
		return "[cprs] " + note
	}
	return context + "\n\n[cprs] " + note
}

// listing writes scored spans as text, one a line, for hosts that show a model no structured results.
func listing(title string, spans []wire.Span, sources []sourceOut) string {
	var b strings.Builder
	for i, s := range spans {
		if i == 0 {
			fmt.Fprintf(&b, "\n\n%s (score, source:line, bytes):", title)
		}
		fmt.Fprintf(&b, "\n%v %s:%d %d-%d", s.Score, sources[s.Doc].ID, s.Line, s.Start, s.End)
		if s.Category != "" {
			fmt.Fprintf(&b, " %s", oneLine(s.Category))
		}
	}
	return b.String()
}

// scored gives spans their lines and rounds their scores; Doc counts the documents still.
func (a *answer) scored(spans []core.Span) []wire.Span {
	out := make([]wire.Span, len(spans))
	for i, line := range core.LineNumbers(a.req.Documents, spans) {
		s := spans[i]
		out[i] = wire.Span{Doc: s.Doc, Start: s.Start, End: s.End, Line: line, Score: float32(math.Round(float64(s.Score)*1000) / 1000), Category: s.Category}
	}
	return out
}

// best are the n spans with the highest scores, in order.
func best(spans []core.Span, n int) []core.Span {
	if len(spans) <= n {
		return spans
	}
	byScore := slices.Clone(spans)
	slices.SortStableFunc(byScore, func(a, b core.Span) int { return cmp.Compare(b.Score, a.Score) })
	byScore = byScore[:n]
	slices.SortFunc(byScore, func(a, b core.Span) int { return cmp.Or(a.Doc-b.Doc, a.Start-b.Start) })
	return byScore
}

// sources sums up the documents of which anything is kept or listed, and makes the Doc of what is listed count them.
func (a *answer) sources(listed ...[]wire.Span) []sourceOut {
	wanted := make([]bool, len(a.res.Documents))
	for i, d := range a.res.Documents {
		wanted[i] = len(d.Lines) > 0
	}
	for _, spans := range listed {
		for _, s := range spans {
			wanted[s.Doc] = true
		}
	}
	out, index := []sourceOut{}, make([]int, len(wanted))
	for i, d := range a.res.Documents {
		if index[i] = len(out); wanted[i] {
			out = append(out, sourceOut{ID: d.ID, KeptTokens: d.KeptTokens, Lines: ranges(d.Lines)})
		}
	}
	for _, spans := range listed {
		for i := range spans {
			spans[i].Doc = index[spans[i].Doc]
		}
	}
	return out
}

// ranges writes line ranges as "12-18,40".
func ranges(rs []core.LineRange) string {
	var parts []string
	for i, r := range rs {
		if i == mostRanges {
			parts = append(parts, "…")
			break
		}
		parts = append(parts, r.String())
	}
	return strings.Join(parts, ",")
}

// truncated reports whether the budget left out text that the threshold would have kept.
func (a *answer) truncated() bool {
	if a.res.Status == core.PassedThrough {
		return false
	}
	if len(a.res.Units) == 0 {
		return a.res.Status == core.Compressed && a.req.Budget.Threshold == 0
	}
	kept := a.res.Spans
	for _, u := range a.res.Units {
		for len(kept) > 0 && (kept[0].Doc < u.Doc || kept[0].Doc == u.Doc && kept[0].End <= u.Start) {
			kept = kept[1:]
		}
		left := u.Range() // by the budget: units are kept whole, or the best one is cut at its end where it does not fit
		if len(kept) > 0 && kept[0].Doc == u.Doc && kept[0].Start < u.End {
			left.Start = min(kept[0].End, u.End)
		}
		if u.Score >= float32(a.req.Budget.Threshold) && !unit.Trim(a.req.Documents[u.Doc].Text, left).Empty() {
			return true
		}
	}
	return false
}

// note says in a few sentences what the kept text does not say itself, and how to get more.
func (a *answer) note() string {
	var notes []string
	say := func(format string, args ...any) { notes = append(notes, fmt.Sprintf(format, args...)) }
	stats := a.res.Stats
	switch a.res.Status {
	case core.Compressed:
		say("Kept %d of %d tokens.", stats.TokensOut, stats.TokensIn)
	case core.NothingRelevant:
		say("Nothing in these %d tokens scores %v or more.%s Ask in other words, or lower threshold.", stats.TokensIn, a.req.Budget.Threshold, a.closest())
	case core.Partial:
		say("Kept %d of %d tokens; the time limit stopped the reading: %s not read. Name these lines in paths for the rest.", stats.TokensOut, stats.TokensIn, a.places(a.res.Unread))
	}
	if a.truncated() && a.req.Budget.Threshold > 0 {
		say("More matches than fits: raise max_tokens or narrow the instruction.")
	}
	if a.asked > a.req.Budget.MaxTokens && a.req.Budget.MaxTokens > 0 {
		say("max_tokens %d is above the limit here, %d.", a.asked, a.req.Budget.MaxTokens)
	}
	if a.handle != "" {
		say("All left-out text is intact: expand_context, handle %q.", a.handle)
	}
	for _, w := range a.res.Warnings {
		say("%s", sentence(w))
	}
	if len(a.skipped) > 0 {
		say("Not read: %s.", skippedByReason(a.skipped))
	}
	return strings.Join(notes, " ")
}

// closest names the places that score most where nothing scores enough.
func (a *answer) closest() string {
	var places []string
	units := a.scored(best(a.res.Units, mostNames))
	slices.SortStableFunc(units, func(a, b wire.Span) int { return cmp.Compare(b.Score, a.Score) })
	for _, u := range units {
		places = append(places, fmt.Sprintf("%s:%d (%v)", a.req.Documents[u.Doc].ID, u.Line, u.Score))
	}
	if places == nil {
		return ""
	}
	return " Closest: " + strings.Join(places, ", ") + "."
}

// places names the lines of spans.
func (a *answer) places(spans []core.Span) string {
	var out []string
	ends := make([]core.Span, len(spans))
	for i, s := range spans {
		ends[i] = core.Span{Doc: s.Doc, Start: s.End - 1}
	}
	last := core.LineNumbers(a.req.Documents, ends)
	for i, first := range core.LineNumbers(a.req.Documents, spans) {
		if i == mostNames {
			out = append(out, fmt.Sprintf("%d more parts", len(spans)-i))
			break
		}
		out = append(out, a.req.Documents[spans[i].Doc].ID+":"+core.LineRange{First: first, Last: last[i]}.String())
	}
	return strings.Join(out, ", ")
}

// skippedByReason names what was not read: for each reason how many, and the first of them.
func skippedByReason(skipped []source.Skipped) string {
	var order []source.Reason
	names := map[source.Reason][]string{}
	for _, s := range skipped {
		if names[s.Reason] == nil {
			order = append(order, s.Reason)
		}
		names[s.Reason] = append(names[s.Reason], oneLine(s.Path))
	}
	var out []string
	for _, r := range order {
		list := names[r]
		if n := len(list); n > mostNames {
			list = append(list[:mostNames:mostNames], fmt.Sprintf("%d more", n-mostNames))
		}
		out = append(out, fmt.Sprintf("%s (%s)", strings.Join(list, ", "), r))
	}
	return strings.Join(out, "; ")
}
