// Package official serves the API of the released QwenLong-CPRS server, so that programs written for it need another address
// only.
//
//	POST /qwen_long_compress_server
//	{"header":{"request_id"},"payload":{"input":{"messages":[system,user,context]},"parameters":{…}}}
//	→ {"header":{"request_id","status_code","status_name","status_message","finished"},
//	   "payload":{"output":{"text":[…],"status","unread","warnings"},"usage":{"input_tokens","output_tokens"}}}
//
// The content of the messages is instruction, query and text, in this order. The parameters:
//
//	return_offset      items are [text, start, end] in place of texts; offsets count code points of the context
//	complete_sentence  what is kept are whole sentences
//	min_keyword_len    the least tokens of an item, 1 if left out
//	max_tokens, ratio, threshold    bounds as in package wire; the released server has none
//	compat             reproduce the released code, its defects included, where the critic is of its kind
//	batch_size, chunk_size, split_with_sent    are accepted and change nothing: results do not depend on them
//
// Other than there, a failure has its HTTP status, and no text of the request is sent back; a result that holds nothing says so by its
// status "nothing_relevant"; an item is exactly the text between its offsets.
package official

import (
	"context"
	"errors"
	"io"
	"net/http"

	"github.com/cprs-go/cprs/core"
	"github.com/cprs-go/cprs/core/compat"
	"github.com/cprs-go/cprs/core/label"
	"github.com/cprs-go/cprs/core/wire"
	"github.com/cprs-go/cprs/tools/httpapi"
)

// Path is the path of the endpoint.
const Path = "/qwen_long_compress_server"

// Options say what the endpoint can do besides.
type Options struct {
	CountTokens func(text string) int // for min_keyword_len, in tokens of the critic; nil: nothing is too short. Called after a compression
	Released    Released              // for compat; nil: ErrNotReleased
}

// Released runs a request as the released code does: Extract of a compat.Pipeline.
type Released func(ctx context.Context, req compat.Request) (*compat.Response, error)

// ErrNotReleased is what a Released answers whose critic is not of the released kind.
var ErrNotReleased error = &core.Error{Code: core.CodeInvalidArgument, Message: "the critic of this server cannot reproduce the released code",
	Hint: "leave compat out, or start the server with a checkpoint of the released kind: --critic DIR"}

type endpoint struct {
	c   core.Compressor
	opt Options
}

// New serves c. opts may be nil.
func New(c core.Compressor, opts *Options) http.Handler {
	e := &endpoint{c: c}
	if opts != nil {
		e.opt = *opts
	}
	return e
}

// ServeHTTP answers a request whose method has been checked.
func (e *endpoint) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body) // in memory already
	if err != nil {
		err = &core.Error{Code: core.CodeUnreadable, Message: "the body cannot be read", Hint: "send it again", Err: err}
		e.fail(w, r, nil, err)
		return
	}
	req, err := decode(body)
	if err == nil {
		var out *reply
		if out, err = e.answer(r.Context(), req); err == nil {
			httpapi.Respond(w, http.StatusOK, out)
			return
		}
	}
	e.fail(w, r, req, err)
}

// answer compresses.
func (e *endpoint) answer(ctx context.Context, req *request) (*reply, error) {
	if req.compat {
		return e.released(ctx, req)
	}
	docs := []core.Document{{ID: "context", Text: req.context}}
	unit := core.UnitAuto
	if req.completeSentence {
		unit = core.UnitSentence
	}
	res, err := e.c.Compress(ctx, core.Request{
		Instruction: req.prompt, Query: req.query, Unit: unit, Budget: req.budget, Documents: docs, NoLabels: true, Gap: core.GapNone,
	})
	if err != nil {
		return nil, err
	}
	out := newReply(req)
	out.Payload.Output.Status = res.Status.String()
	out.Payload.Output.Warnings = res.Warnings
	out.Payload.Usage = usage{InputTokens: res.Stats.TokensIn, OutputTokens: &res.Stats.TokensOut}
	at := &codePoints{text: req.context}
	for _, s := range label.CleanCompat(at.items(res.Spans)) {
		if e.opt.CountTokens == nil || req.minKeywordLen <= 1 || e.opt.CountTokens(s.Text) >= req.minKeywordLen {
			out.add(s, req.returnOffset)
		}
	}
	at = &codePoints{text: req.context}
	for _, s := range res.Unread {
		out.Payload.Output.Unread = append(out.Payload.Output.Unread, [2]int{at.of(s.Start), at.of(s.End)})
	}
	return out, nil
}

// released answers as the released code does.
func (e *endpoint) released(ctx context.Context, req *request) (*reply, error) {
	if e.opt.Released == nil {
		return nil, ErrNotReleased
	}
	res, err := e.opt.Released(ctx, req.asReleased())
	if err != nil {
		return nil, defect(err)
	}
	out := newReply(req)
	out.Payload.Output.Status = core.Compressed.String()
	if len(res.Spans) == 0 {
		out.Payload.Output.Status = core.NothingRelevant.String()
	}
	out.Payload.Usage = usage{InputTokens: res.InputTokens}
	for _, s := range res.Spans {
		out.add(s, req.returnOffset)
	}
	return out, nil
}

// defect makes a failure of the released code one that the caller can mend.
func defect(err error) error {
	for _, known := range []error{compat.ErrEmptyContext, compat.ErrHeaderTooLong, compat.ErrBatchSize, compat.ErrDrift} {
		if errors.Is(err, known) {
			return &core.Error{Code: core.CodeInvalidArgument, Message: known.Error(), Hint: "leave compat out"}
		}
	}
	return err
}

// fail answers with a failure, its code in the header as the released server has them.
func (e *endpoint) fail(w http.ResponseWriter, r *http.Request, req *request, err error) {
	status, f := httpapi.Failure(r.Context(), nil, err)
	h := header{Code: 500, Name: "BackendError", Message: f.Error.Message}
	if req != nil {
		h.RequestID = req.id
	}
	var schema *schemaError
	switch {
	case errors.As(err, &schema):
		status, h.Code, h.Name = http.StatusBadRequest, 440, "SchemaError"
	case f.Error.Code == wire.CodeInternal:
		h.Name = "InternalError"
	case status < http.StatusInternalServerError && status != http.StatusTooManyRequests && status != httpapi.StatusGone:
		h.Code, h.Name = 400, "InvalidInputError"
	}
	httpapi.Respond(w, status, &refusal{Header: h, Error: f.Error})
}
