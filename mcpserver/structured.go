package mcpserver

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"sync"

	"github.com/mark3labs/mcp-go/mcp"
	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/cprs-go/cprs/core"
)

// Structured is what a Proxy does with the structured form of the results that it shortens.
type Structured string

// The ways with structured results. Empty means StructuredKeep.
const (
	StructuredKeep     Structured = "keep"     // it passes as it is: hosts that show a model only this form show it the long text
	StructuredCompress Structured = "compress" // long strings in it are shortened, as long as the output schema allows
	StructuredDrop     Structured = "drop"     // it is taken away, and the output schema with it
)

// Structureds lists them.
var Structureds = []string{string(StructuredKeep), string(StructuredCompress), string(StructuredDrop)}

// check refuses what is none of them.
func (s Structured) check() error {
	switch s {
	case "", StructuredKeep, StructuredCompress, StructuredDrop:
		return nil
	}
	return &core.Error{Code: core.CodeInvalidArgument, Message: fmt.Sprintf("there is no way %q with structured results", string(s)), Hint: "give " + strings.Join(Structureds, ", ")}
}

// shortening is the shortening of one result.
type shortening struct {
	p                 *Proxy
	ctx               context.Context
	rule              *Rule
	tool, instruction string

	known map[string]string // what became of texts: a result may hold one twice
}

// shorten is a text shortened to its share of the budget, where all texts that are shortened have so many bytes.
func (s *shortening) shorten(text string, all int) string {
	short, ok := s.known[text]
	if !ok {
		share := max(minResultBudget, int(int64(s.rule.Budget)*int64(len(text))/int64(all)))
		short = s.p.shorten(s.ctx, s.tool, s.instruction, text, share)
		s.known[text] = short
	}
	return short
}

// result shortens the long texts of a result. All else stays.
func (s *shortening) result(res *mcp.CallToolResult, schema *outputSchema) {
	switch s.p.opt.Structured {
	case StructuredDrop:
		res.StructuredContent, res.RawStructuredContent = nil, nil
	case StructuredCompress:
		s.structured(res, schema)
	}
	s.texts(res)
}

// texts shortens the long texts of a result.
func (s *shortening) texts(res *mcp.CallToolResult) {
	all := 0
	for _, part := range res.Content {
		if text, ok := part.(mcp.TextContent); ok && isLong(s.rule, text.Text) {
			all += len(text.Text)
		}
	}
	for i, part := range res.Content {
		if text, ok := part.(mcp.TextContent); ok && isLong(s.rule, text.Text) {
			text.Text = s.shorten(text.Text, all)
			res.Content[i] = text
		}
	}
}

// structured shortens the long strings in the structured form of a result, and with them the copy that a text part may hold of it. What would
// break the schema stays as it was.
func (s *shortening) structured(res *mcp.CallToolResult, schema *outputSchema) {
	before, all := res.RawStructuredContent, 0
	_, err := replaceStrings(before, func(text string) string {
		if isLong(s.rule, text) {
			all += len(text)
		}
		return text
	})
	if err != nil || all == 0 {
		return
	}
	after, err := replaceStrings(before, func(text string) string {
		if isLong(s.rule, text) {
			return s.shorten(text, all)
		}
		return text
	})
	if err == nil {
		err = schema.validate(after)
	}
	var typed any
	if err == nil {
		err = json.Unmarshal(after, &typed)
	}
	if err != nil {
		s.p.failed.Add(1)
		s.p.opt.Logger.Warn("a structured result passes as it was", "tool", s.tool, "type", fmt.Sprintf("%T", err))
		return
	}
	res.RawStructuredContent, res.StructuredContent = after, typed
	for i, part := range res.Content {
		if text, ok := part.(mcp.TextContent); ok && sameJSON([]byte(text.Text), before) {
			text.Text = string(after)
			res.Content[i] = text
		}
	}
}

// replaceStrings is JSON with every string that is a value replaced by what f makes of it. All else stays, byte by byte.
func replaceStrings(data []byte, f func(string) string) ([]byte, error) {
	var out bytes.Buffer
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.UseNumber()
	var objects []bool // whether each open container is an object
	key := false       // the next token is the name of a member
	for copied := 0; ; {
		begin := int(dec.InputOffset())
		token, err := dec.Token()
		if err != nil {
			if len(objects) > 0 || copied == 0 && begin == 0 {
				return nil, err
			}
			out.Write(data[copied:])
			return out.Bytes(), nil // io.EOF: the value is whole
		}
		inObject := len(objects) > 0 && objects[len(objects)-1]
		switch v := token.(type) {
		case json.Delim:
			if v == '{' || v == '[' {
				objects = append(objects, v == '{')
			} else {
				objects = objects[:len(objects)-1]
			}
			key = len(objects) > 0 && objects[len(objects)-1]
			continue
		case string:
			if inObject && key {
				key = false
				continue
			}
			if text := f(v); text != v {
				for strings.IndexByte(" \t\r\n,:", data[begin]) >= 0 {
					begin++
				}
				out.Write(data[copied:begin])
				enc := json.NewEncoder(&out)
				enc.SetEscapeHTML(false) // code and markup stay readable
				if err := enc.Encode(text); err != nil {
					return nil, err
				}
				out.Truncate(out.Len() - 1) // the line end
				copied = int(dec.InputOffset())
			}
		}
		key = inObject
	}
}

// sameJSON reports whether two JSON texts hold the same.
func sameJSON(a, b []byte) bool {
	if a = bytes.TrimSpace(a); len(a) == 0 || a[0] != '{' && a[0] != '[' {
		return false
	}
	decode := func(data []byte) (v any, err error) {
		dec := json.NewDecoder(bytes.NewReader(data))
		dec.UseNumber()
		err = dec.Decode(&v)
		return v, err
	}
	x, errX := decode(a)
	y, errY := decode(b)
	return errX == nil && errY == nil && reflect.DeepEqual(x, y)
}

// outputSchema is the schema of a tool's structured results, compiled when it is first needed. A nil one allows all.
type outputSchema struct {
	raw     json.RawMessage
	once    sync.Once
	schema  *jsonschema.Schema
	refusal error
}

// newOutputSchema is nil if a tool has none.
func newOutputSchema(raw json.RawMessage) *outputSchema {
	if len(raw) == 0 || string(raw) == "null" {
		return nil
	}
	return &outputSchema{raw: raw}
}

// validate checks a value.
func (o *outputSchema) validate(value []byte) error {
	if o == nil {
		return nil
	}
	o.once.Do(func() { o.schema, o.refusal = compileSchema(o.raw) })
	if o.refusal != nil {
		return o.refusal
	}
	v, err := jsonschema.UnmarshalJSON(bytes.NewReader(value))
	if err != nil {
		return err
	}
	return o.schema.Validate(v)
}

// compileSchema reads a schema that another server sent: what it refers to outside itself is not loaded.
func compileSchema(raw json.RawMessage) (*jsonschema.Schema, error) {
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(raw))
	if err != nil {
		return nil, err
	}
	const name = "cprs:output-schema"
	c := jsonschema.NewCompiler()
	c.UseLoader(nothing{})
	if err := c.AddResource(name, doc); err != nil {
		return nil, err
	}
	return c.Compile(name)
}

// nothing loads no schema.
type nothing struct{}

func (nothing) Load(string) (any, error) {
	return nil, errors.New("no schema is loaded from elsewhere")
}
