package engine

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/cprs-go/cprs/core"
	"github.com/cprs-go/cprs/core/compat"
	"github.com/cprs-go/cprs/core/label"
	"github.com/cprs-go/cprs/core/model/hybrid"
	"github.com/cprs-go/cprs/core/tokenizer"
	"github.com/cprs-go/cprs/core/tokenizer/bpe"
)

// Released is the pipeline of the released code with this engine's critic, nil unless Options.Compat was set. Its requests take the
// parameters of the released server.
func (e *Engine) Released() *compat.Pipeline { return e.released }

// Compress implements core.Compressor: with the stages of package core or, where Options.Compat is set, with those of the released code.
func (e *Engine) Compress(ctx context.Context, req core.Request) (*core.Result, error) {
	if e.released != nil {
		return e.compressReleased(ctx, req)
	}
	return e.Pipeline.Compress(ctx, req)
}

// setReleased prepares the released pipeline.
func (e *Engine) setReleased(dir string, tok *bpe.Tokenizer, c *hybrid.Critic) error {
	var config struct {
		CleanUp *bool `json:"clean_up_tokenization_spaces"`
	}
	text, err := os.ReadFile(filepath.Join(dir, "tokenizer_config.json"))
	if err != nil {
		return fmt.Errorf("compat needs the tokenizer's configuration: %w", err)
	}
	if err := json.Unmarshal(text, &config); err != nil {
		return fmt.Errorf("reading tokenizer_config.json: %w", err)
	}
	e.released = compat.New(tok, func(ctx context.Context, rows [][]int32) ([][]label.Tag, error) {
		return tagRows(ctx, c, rows)
	}, compat.Options{WindowTokens: c.Options().WindowTokens, CleanUp: config.CleanUp == nil || *config.CleanUp})
	return nil
}

// tagRows gives the most probable tag of every token, of several the one with the lowest id.
func tagRows(ctx context.Context, c *hybrid.Critic, rows [][]int32) ([][]label.Tag, error) {
	logits, err := c.Logits(ctx, rows)
	if err != nil {
		return nil, err
	}
	out := make([][]label.Tag, len(rows))
	for i, row := range logits {
		for _, l := range row {
			best := 0
			for tag := range l {
				if l[tag] > l[best] {
					best = tag
				}
			}
			out[i] = append(out[i], label.Tag(best))
		}
	}
	return out, nil
}

// compressReleased answers a request with what the released server keeps of each document under its default parameters, one span a
// line. There is nothing in it for budgets, pins and units.
func (e *Engine) compressReleased(ctx context.Context, req core.Request) (*core.Result, error) {
	if err := core.Check(&req); err != nil {
		return nil, err
	}
	if b := req.Budget; b.MaxTokens > 0 || b.Ratio > 0 || b.Threshold > 0 || len(req.Pins) > 0 || req.Explain {
		return nil, &core.Error{Code: core.CodeInvalidArgument, Message: "compat knows no budget, threshold, pins or explain", Hint: "leave them out, or leave compat off"}
	}
	res := &core.Result{Stats: core.Stats{Tokenizer: e.info.Tokenizer, Critic: e.info.Critic, CriticHash: e.info.Hash}}
	var texts []string
	for i, d := range req.Documents {
		got, err := e.released.Extract(ctx, compat.Request{System: req.Instruction, User: req.Query, Context: d.Text, Parameters: compat.DefaultParameters()})
		if err != nil {
			return nil, releasedFault(i, err)
		}
		if got.Context != d.Text {
			return nil, &core.Error{Code: core.CodeTooLarge, Message: fmt.Sprintf("document %d is longer than the released code reads", i+1), Hint: "split it, or leave compat off"}
		}
		sum := core.DocumentResult{ID: d.ID, Tokens: tokenizer.Count(e.tok, d.Text)}
		for _, s := range byteSpans(i, d.Text, got.Spans) {
			res.Spans = append(res.Spans, s)
			sum.KeptTokens += tokenizer.Count(e.tok, d.Text[s.Start:s.End])
		}
		for _, s := range got.Spans {
			texts = append(texts, s.Text)
		}
		res.Documents = append(res.Documents, sum)
		res.Stats.TokensIn += sum.Tokens
		res.Stats.Windows += got.Windows
	}
	res.Text = strings.Join(texts, "\n")
	res.Stats.TokensOut = tokenizer.Count(e.tok, res.Text)
	if len(texts) == 0 {
		res.Status = core.NothingRelevant
	}
	return res, nil
}

// releasedFault makes a failure of the released code one that names the document.
func releasedFault(doc int, err error) error {
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	return &core.Error{Code: core.CodeCriticFailed, Message: fmt.Sprintf("document %d cannot be compressed as the released code does it", doc+1), Hint: "leave compat off", Err: err}
}

// byteSpans turns code points of text into bytes. The spans are sorted by their starts only: the released code may repeat text.
func byteSpans(doc int, text string, spans []label.CompatSpan) []core.Span {
	at := make([]int, 0, len(text)+1)
	for i := range text {
		at = append(at, i)
	}
	at = append(at, len(text))
	out := make([]core.Span, len(spans))
	for i, s := range spans {
		out[i] = core.Span{Doc: doc, Start: at[s.Start], End: at[max(s.Start, s.End)], Score: 1}
	}
	return out
}
