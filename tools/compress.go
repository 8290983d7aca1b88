package tools

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/cprs-go/cprs/core"
	"github.com/cprs-go/cprs/core/wire"
)

// compressArgs are the arguments of compress_context: a wire.Request and where more documents are.
type compressArgs struct {
	wire.Request
	paths, uris []string
	format      string
	asked       int // max_tokens as the caller gave it
}

// thresholdUnset stands for a threshold that the caller did not give.
const thresholdUnset = -1

func (s *Set) decodeCompress(args json.RawMessage) (*compressArgs, error) {
	a := new(compressArgs)
	a.Budget.Threshold = thresholdUnset
	f := a.Fields()
	delete(f, "id")
	delete(f, "gap")
	delete(f, "no_labels")
	for name, field := range map[string]struct {
		mend    mend
		allowed string
	}{
		"instruction": {asText, someText},
		"query":       {asText, someText},
		"unit":        {asWord, someText},
		"max_tokens":  {asInteger, someInteger},
		"ratio":       {asNumber, someNumber},
		"threshold":   {asNumber, someNumber},
		"pins":        {asList, someList},
		"explain":     {asBool, someBool},
		"documents":   {asDocuments, someDocs},
	} {
		f[name] = mended(field.mend, field.allowed, f[name])
	}
	f["paths"] = intoList(&a.paths)
	f["uris"] = intoList(&a.uris)
	f["response_format"] = into(&a.format, asWord, someText)
	if err := decode(args, f); err != nil {
		return nil, err
	}
	if a.format != "" && a.format != "concise" && a.format != "detailed" {
		return nil, invalid("give concise or detailed", "unknown response_format %s", quoted(a.format))
	}
	a.asked = a.Budget.MaxTokens
	return a, s.bound(&a.Request.Request)
}

// bound completes the budget of a request.
func (s *Set) bound(req *core.Request) error {
	b := &req.Budget
	unset := b.Threshold == thresholdUnset
	if unset {
		b.Threshold = s.opt.Threshold
	}
	switch {
	case b.MaxTokens > 0 && b.Ratio > 0: // core says what is wrong
	case b.Ratio > 0 && unset:
		b.Threshold = 0 // a share of the text is asked for, whatever it scores
	case b.Ratio > 0:
	case b.MaxTokens == 0:
		b.MaxTokens = s.opt.Budget
	case b.MaxTokens < minTokens:
		return invalid(fmt.Sprintf("give %d to %d, or leave it out for %d", minTokens, s.opt.MaxBudget, s.opt.Budget), "max_tokens is %d", b.MaxTokens)
	}
	b.MaxTokens = min(b.MaxTokens, s.opt.MaxBudget)
	return nil
}

func (s *Set) compressContext(ctx context.Context, args json.RawMessage, progress Progress) (*Result, error) {
	a, err := s.decodeCompress(args)
	if err != nil {
		return nil, err
	}
	docs, skipped, err := s.documents(ctx, a)
	if err != nil {
		return nil, err
	}
	a.Documents, a.Progress = docs, progress
	ans, err := s.compress(ctx, a.Request.Request)
	if err != nil {
		return nil, err
	}
	ans.skipped, ans.asked = skipped, a.asked
	if ans.res.Status != core.PassedThrough { // else nothing is left out that one could ask for
		if ans.handle, err = s.keepIfRoom(ctx, docs); err != nil {
			return nil, err
		}
	}
	return ans.compressed(a.format == "detailed", a.Explain)
}

// compress runs a request with labels. Units are scored where a threshold has every text read anyway: they tell whether the
// budget left out more than the threshold did.
func (s *Set) compress(ctx context.Context, req core.Request) (*answer, error) {
	req.Gap = core.GapLabels
	req.Explain = req.Explain || req.Budget.Threshold > 0
	res, err := s.c.Compress(ctx, req)
	if err == nil && req.Budget.Ratio > 0 && res.Stats.TokensOut > s.opt.MaxBudget {
		req.Budget.Ratio, req.Budget.MaxTokens, req.Progress = 0, s.opt.MaxBudget, nil
		res, err = s.c.Compress(ctx, req)
	}
	if err != nil {
		return nil, err
	}
	return &answer{req: req, res: res}, nil
}
