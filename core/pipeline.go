package core

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/cprs-go/cprs/core/critic"
	"github.com/cprs-go/cprs/core/fusion"
	"github.com/cprs-go/cprs/core/prompt"
	"github.com/cprs-go/cprs/core/selector"
	"github.com/cprs-go/cprs/core/spelling"
	"github.com/cprs-go/cprs/core/tokenizer"
)

// PipelineOptions are the parts of a Pipeline.
type PipelineOptions struct {
	Critic    critic.Critic
	Layout    prompt.Layout
	Tokenizer tokenizer.Tokenizer // of the critic; it also counts budgets
	ID, Hash  string              // of the critic, for Stats
	Threshold float64             // of the critic: the least score of a kept unit where a request sets no budget

	// BatchTokens is about how many ids the critic gets at a time; 0: 4096.
	BatchTokens int
	Fusion      *fusion.Options // how the critic's scores join with those of the words; nil: the critic alone scores

	// MendSlips replaces mistyped words of the question, which a small critic reads badly, by words of all documents of the request or
	// known ones. The result has a warning for each.
	MendSlips bool
}

// Pipeline runs the stages for one critic. It is a Compressor, safe for concurrent use.
type Pipeline struct{ opt PipelineOptions }

// NewPipeline joins a critic with its tokenizer and layout.
func NewPipeline(opt PipelineOptions) *Pipeline { return &Pipeline{opt} }

// Compress implements Compressor.
func (p *Pipeline) Compress(ctx context.Context, req Request) (*Result, error) {
	began := time.Now()
	r, err := p.begin(&req)
	if err != nil {
		return nil, err
	}
	if r.fits() && !req.Explain {
		r.passThrough(req.Budget.MaxTokens > 0)
	} else if err := r.compress(ctx); err != nil {
		return nil, err
	}
	r.res.Stats.Elapsed = time.Since(began)
	return r.res, nil
}

// Features gives the units of a request, in order, and what their scores are made of, so that weights can be fitted. It needs
// PipelineOptions.Fusion.
func (p *Pipeline) Features(ctx context.Context, req Request) ([]Span, []fusion.Features, error) {
	r, err := p.begin(&req)
	if err != nil {
		return nil, nil, err
	}
	if r.fusion == nil {
		return nil, nil, &Error{Code: CodeInvalidArgument, Message: "the scores of this critic are not joined with anything", Hint: "use a late-join critic"}
	}
	if err := r.score(ctx); err != nil {
		return nil, nil, err
	}
	var units []Span
	for _, u := range r.units {
		if !u.Unread {
			units = append(units, u.Span)
		}
	}
	return units, r.fusion.Features(), nil
}

// begin checks a request and lays out its header.
func (p *Pipeline) begin(req *Request) (*run, error) {
	if err := Check(req); err != nil {
		return nil, err
	}
	if len(req.Documents) == 0 {
		return nil, &Error{Code: CodeInvalidArgument, Message: "there is no document", Hint: "name a file, or send at least one document"}
	}
	pins, err := compilePins(req)
	if err != nil {
		return nil, err
	}
	res := &Result{Stats: Stats{Tokenizer: p.opt.Tokenizer.Name(), Critic: p.opt.ID, CriticHash: p.opt.Hash}}
	if p.opt.MendSlips {
		res.Warnings = mend(req)
	}
	header, err := p.opt.Layout.Header(strings.TrimSpace(req.Instruction), strings.TrimSpace(req.Query))
	if err != nil {
		return nil, &Error{CodeInvalidArgument, "the critic cannot read the instruction", "shorten the instruction", err}
	}
	if header.Dropped > 0 {
		res.Warnings = append(res.Warnings, fmt.Sprintf("instruction and query are too long: %d of their tokens were not read (the critic reads %d)",
			header.Dropped, len(header.IDs)))
	}
	r := &run{p: p, req: req, pins: pins, header: header, res: res}
	if p.opt.Fusion != nil {
		r.fusion = fusion.New(p.opt.Fusion, r.question())
	}
	return r, nil
}

// mend replaces what is mistyped in the question, and says so.
func mend(req *Request) (warnings []string) {
	texts := make([]string, len(req.Documents))
	for i := range texts {
		texts[i] = req.Documents[i].Text
	}
	slips := spelling.Slips([]string{req.Instruction, req.Query}, texts)
	req.Instruction, req.Query = spelling.Mend(req.Instruction, slips), spelling.Mend(req.Query, slips)
	for _, w := range slices.Sorted(maps.Keys(slips)) {
		warnings = append(warnings, fmt.Sprintf("%q was read as %q", w, slips[w]))
	}
	return warnings
}

// question is what is asked for, in the words that are looked for in the text.
func (r *run) question() string { return cmp.Or(strings.TrimSpace(r.req.Query), r.req.Instruction) }

// run is one compression.
type run struct {
	p      *Pipeline
	req    *Request
	pins   *pinSet
	header *prompt.Header
	res    *Result

	units  []selector.Unit // of all documents, in order
	fusion *fusion.Scorer  // of units; nil: the critic alone scores
	keep   []float32       // scratch

	done, total int64 // bytes that were read, and that there are
}

// fits reports whether the whole input is within the budget, so that no critic is needed.
func (r *run) fits() bool {
	b := r.req.Budget
	if b.Threshold > 0 || b.MaxTokens == 0 {
		return b.Threshold == 0 && b.Ratio == 1
	}
	total := r.wholeLabels()
	for i := range r.req.Documents {
		total += tokenizer.CountUpTo(r.p.opt.Tokenizer, r.req.Documents[i].Text, b.MaxTokens-total)
		if total > b.MaxTokens {
			return false
		}
	}
	return true
}

// compress reads the documents, chooses and renders.
func (r *run) compress(ctx context.Context) error {
	scoring := time.Now()
	if err := r.score(ctx); err != nil {
		return err
	}
	r.fuse()
	r.res.Stats.Scoring = time.Since(scoring)
	selecting := time.Now()
	defer func() { r.res.Stats.Selecting = time.Since(selecting) }()
	if r.req.Explain {
		for _, u := range r.units {
			if !u.Unread {
				r.res.Units = append(r.res.Units, u.Span)
			}
		}
	}
	return r.choose()
}

// Check refuses a request that contradicts itself, before its documents are read: all but their presence is checked.
// Compress checks the same.
func Check(req *Request) error {
	bad := func(message, hint string, args ...any) error {
		return &Error{Code: CodeInvalidArgument, Message: fmt.Sprintf(message, args...), Hint: hint}
	}
	b := req.Budget
	switch {
	case strings.TrimSpace(req.Instruction) == "" && strings.TrimSpace(req.Query) == "":
		return bad("the instruction is empty", "say in plain words what to keep, for example \"the clauses about termination\"")
	case b.MaxTokens < 0:
		return bad("max_tokens is %d", "give a positive number of tokens, or none for no bound", b.MaxTokens)
	case !(b.Ratio >= 0 && b.Ratio <= 1):
		return bad("ratio is %v", "give a share of the input in (0,1], or none for no bound", b.Ratio)
	case !(b.Threshold >= 0 && b.Threshold <= 1):
		return bad("threshold is %v", "give a score in [0,1]", b.Threshold)
	case b.MaxTokens > 0 && b.Ratio > 0:
		return bad("max_tokens is %d and ratio is %v", "give one of the two", b.MaxTokens, b.Ratio)
	case req.Unit < UnitAuto || req.Unit > UnitParagraph:
		return bad("unit is %d", "give auto, phrase, sentence, line or paragraph", req.Unit)
	case req.Gap < GapEllipsis || req.Gap > GapLabels:
		return bad("gap is %d", "give ellipsis, lines, none or labels", req.Gap)
	}
	return nil
}

// name is what a document is called in results and errors.
func (d *Document) name(i int) string {
	if d.ID != "" {
		return d.ID
	}
	return fmt.Sprintf("doc %d", i+1)
}
