package core

import (
	"errors"
	"fmt"

	"github.com/cprs-go/cprs/core/selector"
	"github.com/cprs-go/cprs/core/span"
	"github.com/cprs-go/cprs/core/tokenizer"
	"github.com/cprs-go/cprs/core/unit"
)

// choose selects from r.units and renders the result.
func (r *run) choose() error {
	opt := r.limits()
	for i := range r.units {
		r.units[i].Pinned = r.pins.touches(r.units[i].Span)
	}
	limit := opt.MaxTokens
	if limit >= 0 {
		r.markRepeats()
	}
	for {
		parts, err := selector.Choose(r.units, opt)
		if errors.Is(err, selector.ErrPinsExceed) {
			return &Error{CodePinsExceed, "the pins do not fit into the budget", "raise max_tokens or pin less", err}
		}
		r.res.Spans = r.trim(parts)
		r.res.Text = r.render()
		tokens := tokenizer.Count(r.p.opt.Tokenizer, r.res.Text)
		if limit < 0 || tokens <= limit {
			r.res.Stats.TokensOut = tokens
			break
		}
		// The parts and marks were counted one by one; joined they can take more. Ask for less by what is over.
		if opt.MaxTokens -= tokens - limit; opt.MaxTokens < 0 {
			return &Error{Code: CodePinsExceed, Message: fmt.Sprintf("the pins take %d tokens of a budget of %d", tokens, limit), Hint: "raise max_tokens or pin less"}
		}
	}
	r.finish(opt, limit)
	return nil
}

// markRepeats finds the units whose words a pinned or better unit holds to the letter, as overlapping chunks of a document do: a budget is for
// what was not said yet. Short ones, such as "Yes.", may answer different things.
func (r *run) markRepeats() {
	const shortest = 32
	best := map[string]*selector.Unit{}
	for i := range r.units {
		u := &r.units[i]
		text := r.req.Documents[u.Doc].Text
		t := unit.Trim(text, u.Range())
		if t.Len() < shortest || u.Unread && !u.Pinned {
			continue
		}
		says := text[t.Start:t.End]
		switch other := best[says]; {
		case other == nil:
			best[says] = u
		case u.Pinned && !other.Pinned, u.Pinned == other.Pinned && u.Score > other.Score:
			other.Repeat, best[says] = true, u
		default:
			u.Repeat = true
		}
	}
}

// limits turns the request's budget into the selector's options.
func (r *run) limits() selector.Options {
	b := r.req.Budget
	opt := selector.Options{MaxTokens: -1, Threshold: float32(b.Threshold), MarkTokens: r.markTokens(), DocTokens: r.docTokens()}
	switch {
	case b.MaxTokens > 0:
		opt.MaxTokens = b.MaxTokens
	case b.Ratio > 0:
		opt.MaxTokens = max(1, int(b.Ratio*float64(r.res.Stats.TokensIn)))
	case b.Threshold == 0:
		opt.Threshold = float32(r.p.opt.Threshold)
	}
	r.res.Stats.Threshold = float64(opt.Threshold)
	if !r.req.NoLabels {
		opt.Labels = r.labeller()
	}
	return opt
}

// finish sets the status. A result that saves nothing becomes the input; a budget that the best unit does not fit gets
// its beginning.
func (r *run) finish(opt selector.Options, limit int) {
	if len(r.res.Spans) == 0 && limit > 0 {
		r.cutBest(opt.Threshold, limit)
	}
	switch {
	case len(r.res.Unread) > 0:
		r.res.Status = Partial
	case r.res.Stats.TokensIn == 0:
		r.passThrough(false)
		return
	case len(r.res.Spans) > 0 && r.res.Stats.TokensOut >= r.res.Stats.TokensIn+r.wholeLabels():
		r.passThrough(true)
		return
	case len(r.res.Spans) == 0:
		r.res.Status = NothingRelevant
	}
	r.documents()
}

// cutBest keeps as many of the first tokens of the best unit as fit.
func (r *run) cutBest(threshold float32, limit int) {
	best := selector.Best(r.units, threshold)
	if best < 0 {
		return
	}
	u := r.units[best]
	text := r.req.Documents[u.Doc].Text
	var e tokenizer.Encoding
	r.p.opt.Tokenizer.Encode(&e, text[u.Start:u.End])
	for n := min(limit, len(e.IDs)); n > 0; n-- {
		kept := u.Span
		kept.Start += e.Spans[0].Start
		kept.End = u.Start + e.Spans[n-1].End
		r.res.Spans = []Span{kept}
		r.res.Text = r.render()
		if r.res.Stats.TokensOut = tokenizer.Count(r.p.opt.Tokenizer, r.res.Text); r.res.Stats.TokensOut <= limit {
			r.res.Warnings = append(r.res.Warnings, fmt.Sprintf("the best unit has %d tokens and was cut: the budget is %d", u.Tokens, limit))
			return
		}
	}
	r.res.Spans, r.res.Text, r.res.Stats.TokensOut = nil, "", 0
}

// passThrough returns the input as it is; labels, if the gap style has them, where they are known to fit.
func (r *run) passThrough(labels bool) {
	res := r.res
	res.Status, res.Spans = PassedThrough, nil
	for i := range r.req.Documents {
		if n := len(r.req.Documents[i].Text); n > 0 {
			res.Spans = append(res.Spans, Span{Doc: i, Start: 0, End: n, Score: 1})
		}
	}
	res.Text = r.whole(labels)
	r.documents()
	res.Stats.TokensIn = 0
	for _, d := range res.Documents {
		res.Stats.TokensIn += d.Tokens
	}
	res.Stats.TokensOut = tokenizer.Count(r.p.opt.Tokenizer, res.Text)
}

// labeller finds the labels of a byte of a document, with one outline per document made when it is first asked for.
func (r *run) labeller() func(doc, start int) []selector.Label {
	outlines := map[int]*unit.Outline{}
	return func(doc, start int) []selector.Label {
		text := r.req.Documents[doc].Text
		o := outlines[doc]
		if o == nil {
			o = unit.NewOutline(text)
			outlines[doc] = o
		}
		var out []selector.Label
		for _, l := range append(o.Enclosing(start), o.Heading(start), o.Columns(start), o.Record(start), o.Speaker(start)) {
			if !l.Empty() && l.Start <= start {
				out = append(out, selector.Label{Range: l, Tokens: tokenizer.Count(r.p.opt.Tokenizer, text[l.Start:l.End])})
			}
		}
		return out
	}
}

// trim takes the white space off the ends of parts: what a prompt does not need. The first line keeps its indent.
func (r *run) trim(parts []span.Span) []Span {
	out := parts[:0]
	for _, p := range parts {
		t := unit.Trim(r.req.Documents[p.Doc].Text, p.Range())
		if t.Empty() {
			continue
		}
		p.Start, p.End = indent(r.req.Documents[p.Doc].Text, p.Start, t.Start), t.End
		out = append(out, p)
	}
	return out
}

// indent is the start of the blanks before byte at, not before byte from, if they open a line; else at.
func indent(text string, from, at int) int {
	i := at
	for i > from && (text[i-1] == ' ' || text[i-1] == '\t') {
		i--
	}
	if i == 0 || text[i-1] == '\n' {
		return i
	}
	return at
}
