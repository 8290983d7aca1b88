package official

import (
	"encoding/json"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/cprs-go/cprs/core"
	"github.com/cprs-go/cprs/core/label"
	"github.com/cprs-go/cprs/core/wire"
)

// header is the header of an answer.
type header struct {
	RequestID json.RawMessage `json:"request_id,omitempty"`
	Code      int             `json:"status_code"`
	Name      string          `json:"status_name"`
	Message   string          `json:"status_message"`
	Finished  bool            `json:"finished"`
}

// reply is the answer to a request.
type reply struct {
	Header  header `json:"header"`
	Payload struct {
		Output output `json:"output"`
		Usage  usage  `json:"usage"`
	} `json:"payload"`
}

type output struct {
	Text     []any    `json:"text"` // strings, or [string, int, int]
	Status   string   `json:"status"`
	Unread   [][2]int `json:"unread,omitempty"` // code points that were not read before the time was over
	Warnings []string `json:"warnings,omitempty"`
}

type usage struct {
	InputTokens  int  `json:"input_tokens"`
	OutputTokens *int `json:"output_tokens,omitempty"`
}

// refusal is the answer to a request that failed.
type refusal struct {
	Header header     `json:"header"`
	Error  wire.Error `json:"error"`
}

func newReply(req *request) *reply {
	r := &reply{Header: header{RequestID: req.id, Code: 200, Name: "Success", Message: "Success", Finished: true}}
	r.Payload.Output.Text = []any{}
	return r
}

// add appends an item.
func (r *reply) add(s label.CompatSpan, offsets bool) {
	item := any(s.Text)
	if offsets {
		item = []any{s.Text, s.Start, s.End}
	}
	r.Payload.Output.Text = append(r.Payload.Output.Text, item)
}

// codePoints turns byte offsets of text, which never decrease, into code points.
type codePoints struct {
	text         string
	bytes, runes int // up to here
}

// of is the number of code points before byte at.
func (c *codePoints) of(at int) int {
	c.runes += utf8.RuneCountInString(c.text[c.bytes:at])
	c.bytes = at
	return c.runes
}

// items are spans with their text, without white space at the ends.
func (c *codePoints) items(spans []core.Span) []label.CompatSpan {
	out := make([]label.CompatSpan, 0, len(spans))
	for _, s := range spans {
		text := c.text[s.Start:s.End]
		trimmed := strings.TrimLeftFunc(text, unicode.IsSpace)
		start := s.Start + len(text) - len(trimmed)
		trimmed = strings.TrimRightFunc(trimmed, unicode.IsSpace)
		out = append(out, label.CompatSpan{Text: trimmed, Start: c.of(start), End: c.of(start + len(trimmed))})
	}
	return out
}
