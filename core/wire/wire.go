// Package wire is the JSON of requests and results, the same for a line of cprs batch, the HTTP API and the tools
// of the MCP server.
//
//	request   {"id","instruction","query","unit","max_tokens"|"ratio","threshold","pins":["RE","@errors"],"gap",
//	           "no_labels","explain","documents":[{"id","title","text"}]}
//	result    {"id","status","text","spans":[{"doc","start","end","line","score","category"}],"units":[…],
//	           "unread":[…],"documents":[{"id","tokens","kept_tokens"}],"warnings":[…],
//	           "stats":{"tokens_in","tokens_out","tokenizer","windows","critic","critic_hash","threshold"}}
//	failure   {"id","error":{"code","message","hint"}}
//
// Requests are read strictly: a field that is unknown (the nearest name is offered), given twice or of the wrong type
// is an error, names are matched to the letter, null stands for a field that is left out, and input that is no valid UTF-8 is
// refused. An escape of half a surrogate pair (\ud800) reads as U+FFFD, as it does in browsers. So start and end always
// count bytes of the UTF-8 form of the text as decoded. Results hold no time and no date: equal requests give equal bytes.
//
// The package stands above core and below everything that speaks to other programs.
package wire

import (
	"context"
	"encoding/json"
	"errors"
	"io"

	"github.com/cprs-go/cprs/core"
)

// ID names a request: a JSON string or number, given back as it came. Nil if the request has none.
type ID = json.RawMessage

// Result is the JSON of a core.Result.
type Result struct {
	ID        ID         `json:"id,omitempty"`
	Status    string     `json:"status"`
	Text      string     `json:"text"`
	Spans     []Span     `json:"spans"`
	Units     []Span     `json:"units,omitempty"`
	Unread    []Span     `json:"unread,omitempty"`
	Documents []Document `json:"documents"`
	Warnings  []string   `json:"warnings,omitempty"`
	Stats     Stats      `json:"stats"`
}

// Span is the byte range [Start, End) of document Doc of the request. Line is the line of Start, counted from 1.
type Span struct {
	Doc   int     `json:"doc"`
	Start int     `json:"start"`
	End   int     `json:"end"`
	Line  int     `json:"line"`
	Score float32 `json:"score"`

	Category string `json:"category,omitempty"` // where the critic tells categories apart
}

// Document sums up one document of the request.
type Document struct {
	ID         string `json:"id"`
	Tokens     int    `json:"tokens"`
	KeptTokens int    `json:"kept_tokens"`
}

// Stats are the figures of a result.
type Stats struct {
	TokensIn   int     `json:"tokens_in"`
	TokensOut  int     `json:"tokens_out"`
	Tokenizer  string  `json:"tokenizer"`
	Windows    int     `json:"windows"`
	Critic     string  `json:"critic"`
	CriticHash string  `json:"critic_hash"`
	Threshold  float64 `json:"threshold"`
}

// NewResult is the JSON of res, the result for docs.
func NewResult(id ID, docs []core.Document, res *core.Result) *Result {
	out := &Result{
		ID:        id,
		Status:    res.Status.String(),
		Text:      res.Text,
		Spans:     newSpans(docs, res.Spans),
		Units:     newSpans(docs, res.Units),
		Unread:    newSpans(docs, res.Unread),
		Documents: make([]Document, len(res.Documents)),
		Warnings:  res.Warnings,
		Stats: Stats{
			TokensIn:   res.Stats.TokensIn,
			TokensOut:  res.Stats.TokensOut,
			Tokenizer:  res.Stats.Tokenizer,
			Windows:    res.Stats.Windows,
			Critic:     res.Stats.Critic,
			CriticHash: res.Stats.CriticHash,
			Threshold:  res.Stats.Threshold,
		},
	}
	for i, d := range res.Documents {
		out.Documents[i] = Document{ID: d.ID, Tokens: d.Tokens, KeptTokens: d.KeptTokens}
	}
	return out
}

// newSpans adds their lines to spans, which are in order.
func newSpans(docs []core.Document, spans []core.Span) []Span {
	out := make([]Span, len(spans))
	for i, line := range core.LineNumbers(docs, spans) {
		s := spans[i]
		out[i] = Span{Doc: s.Doc, Start: s.Start, End: s.End, Line: line, Score: s.Score, Category: s.Category}
	}
	return out
}

// Failure is the JSON of a request that has no result.
type Failure struct {
	ID    ID    `json:"id,omitempty"`
	Error Error `json:"error"`
}

// Error is the JSON of a fault. Code is a core.Code, "cancelled" or "internal".
type Error struct {
	Code    core.Code `json:"code"`
	Message string    `json:"message"`
	Hint    string    `json:"hint,omitempty"`
}

// The codes of faults that are not the caller's to mend.
const (
	CodeCancelled core.Code = "cancelled"
	CodeInternal  core.Code = "internal"
)

// NewFailure is the JSON of err.
func NewFailure(id ID, err error) *Failure {
	e := Error{Code: CodeInternal, Message: err.Error()}
	var known *core.Error
	switch {
	case errors.As(err, &known):
		e.Code, e.Hint = known.Code, known.Hint
	case errors.Is(err, context.Canceled):
		e.Code = CodeCancelled
	case errors.Is(err, context.DeadlineExceeded):
		e.Code = core.CodeDeadline
	}
	return &Failure{ID: id, Error: e}
}

// Write writes v, a *Result or a *Failure, as one line. Bytes of a text that are no UTF-8 are written as U+FFFD; the
// offsets still count the text's own bytes.
func Write(w io.Writer, v any) error {
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false) // code and markup stay readable
	return enc.Encode(v)
}
