package official

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"unicode/utf8"

	"github.com/cprs-go/cprs/core"
	"github.com/cprs-go/cprs/core/compat"
)

// request is a request that has been read.
type request struct {
	id                     json.RawMessage // a string or number; nil if there is none
	prompt, query, context string

	compat, splitWithSent, returnOffset, completeSentence bool
	minKeywordLen, batchSize                              int
	budget                                                core.Budget
}

// schemaError is a fault of the form of a request.
type schemaError struct{ fault *core.Error }

func (e *schemaError) Error() string { return e.fault.Error() }
func (e *schemaError) Unwrap() error { return e.fault }

func malformed(hint, message string, args ...any) error {
	return &schemaError{&core.Error{Code: core.CodeInvalidArgument, Message: fmt.Sprintf(message, args...), Hint: hint}}
}

// envelope is the form of a request. What else it holds is not read.
type envelope struct {
	Header struct {
		RequestID json.RawMessage `json:"request_id"`
	} `json:"header"`
	Payload struct {
		Input struct {
			Messages []message `json:"messages"`
		} `json:"input"`
		Parameters parameters `json:"parameters"`
	} `json:"payload"`
}

type message struct {
	Role    string  `json:"role"`
	Content *string `json:"content"`
}

type parameters struct {
	SplitWithSent    *bool `json:"split_with_sent"`
	MinKeywordLen    *int  `json:"min_keyword_len"`
	ReturnOffset     bool  `json:"return_offset"`
	CompleteSentence bool  `json:"complete_sentence"`
	BatchSize        *int  `json:"batch_size"`

	Compat    bool     `json:"compat"`
	MaxTokens *int     `json:"max_tokens"`
	Ratio     *float64 `json:"ratio"`
	Threshold float64  `json:"threshold"`
}

// roles of the messages, in their order.
var roles = [...]string{"system", "user", "context"}

// decode reads body. With an error the request holds what could be read, its id for example.
func decode(body []byte) (*request, error) {
	if !utf8.Valid(body) {
		return nil, malformed("convert the text before it is sent: JSON is UTF-8", "the body is no valid UTF-8")
	}
	var e envelope
	err := json.Unmarshal(body, &e)
	req := &request{id: scalar(e.Header.RequestID)}
	var kind *json.UnmarshalTypeError
	switch {
	case errors.As(err, &kind):
		return req, malformed("see the documentation of the endpoint for the form of a request", "%s has the wrong type: %s", cmp.Or(kind.Field, "the request"), kind.Value)
	case err != nil:
		return req, malformed("send one JSON object, whole, and nothing behind it", "no valid JSON: %v", err)
	}
	if err := req.messages(e.Payload.Input.Messages); err != nil {
		return req, err
	}
	return req, req.parameters(&e.Payload.Parameters)
}

// messages reads the three messages.
func (r *request) messages(ms []message) error {
	const hint = "send three messages with the roles system (the prompt), user (the query) and context (the text)"
	if len(ms) != len(roles) {
		return malformed(hint, "there are %d messages", len(ms))
	}
	for i, into := range []*string{&r.prompt, &r.query, &r.context} {
		if ms[i].Role != roles[i] {
			return malformed(hint, "message %d has another role than %s", i, roles[i])
		}
		if ms[i].Content == nil {
			return malformed(hint, "message %d has no content", i)
		}
		*into = *ms[i].Content
	}
	return nil
}

// parameters reads p, with the defaults of the mode that it names.
func (r *request) parameters(p *parameters) error {
	r.compat, r.returnOffset, r.completeSentence = p.Compat, p.ReturnOffset, p.CompleteSentence
	standard := compat.DefaultParameters()
	r.splitWithSent, r.batchSize, r.minKeywordLen = standard.SplitWithSent, standard.BatchSize, 1
	if p.Compat {
		r.minKeywordLen = standard.MinKeywordLen
	}
	if p.SplitWithSent != nil {
		r.splitWithSent = *p.SplitWithSent
	}
	if p.MinKeywordLen != nil {
		r.minKeywordLen = *p.MinKeywordLen
	}
	if p.BatchSize != nil {
		r.batchSize = *p.BatchSize
	}
	r.budget.Threshold = p.Threshold
	if p.MaxTokens != nil {
		r.budget.MaxTokens = *p.MaxTokens
	}
	if p.Ratio != nil {
		r.budget.Ratio = *p.Ratio
	}
	invalid := func(hint, message string, args ...any) error {
		return &core.Error{Code: core.CodeInvalidArgument, Message: fmt.Sprintf(message, args...), Hint: hint}
	}
	switch {
	case r.batchSize < 1:
		return invalid("give 1 or more, or leave it out", "batch_size is %d", r.batchSize)
	case r.minKeywordLen < 0:
		return invalid("give 0 or more, or leave it out", "min_keyword_len is %d", r.minKeywordLen)
	case p.MaxTokens != nil && *p.MaxTokens <= 0:
		return invalid("leave it out for no bound", "max_tokens is %d", *p.MaxTokens)
	case p.Ratio != nil && !(*p.Ratio > 0):
		return invalid("leave it out for no bound", "ratio is %v", *p.Ratio)
	case r.compat && r.budget != (core.Budget{}):
		return invalid("leave compat or the bound out", "the released code knows no bound")
	}
	return nil
}

// asReleased is the request in the terms of the released code.
func (r *request) asReleased() compat.Request {
	return compat.Request{System: r.prompt, User: r.query, Context: r.context, Parameters: compat.Parameters{
		SplitWithSent: r.splitWithSent, MinKeywordLen: r.minKeywordLen, CompleteSentence: r.completeSentence, BatchSize: r.batchSize}}
}

// scalar is value if it is a string or a number.
func scalar(value json.RawMessage) json.RawMessage {
	if len(value) > 0 && bytes.IndexByte([]byte(`"-0123456789`), value[0]) >= 0 {
		return value
	}
	return nil
}
