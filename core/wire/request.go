package wire

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"

	"github.com/cprs-go/cprs/core"
)

// Request is a request as another program sends it.
type Request struct {
	ID ID
	core.Request
}

// Decode reads data, one JSON object. With an error, a *core.Error, the request holds what could be read, its ID for
// example.
func Decode(data []byte) (*Request, error) {
	r := new(Request)
	return r, r.Fields().Decode(data)
}

// Fields are the fields of a request, read into r. A protocol that has more of them adds its own.
func (r *Request) Fields() Fields {
	return Fields{
		"id":          r.readID,
		"instruction": into(&r.Instruction),
		"query":       into(&r.Query),
		"unit":        named(&r.Unit, ParseUnit),
		"max_tokens":  bound(&r.Budget.MaxTokens),
		"ratio":       bound(&r.Budget.Ratio),
		"threshold":   into(&r.Budget.Threshold),
		"pins":        r.readPins,
		"gap":         named(&r.Gap, ParseGap),
		"no_labels":   into(&r.NoLabels),
		"explain":     into(&r.Explain),
		"documents":   r.readDocuments,
	}
}

func (r *Request) readID(data json.RawMessage) error {
	switch first := data[0]; {
	case first == '"' || first == '-' || '0' <= first && first <= '9':
		r.ID = bytes.Clone(data) // data lies in a line that may be large
		return nil
	case isNull(data):
		return nil
	}
	return wrongType("a string or a number", data)
}

func (r *Request) readPins(data json.RawMessage) error {
	return elements(data, func(data json.RawMessage) error {
		var pin core.Pin
		err := named(&pin, ParsePin)(data)
		r.Pins = append(r.Pins, pin)
		return err
	})
}

func (r *Request) readDocuments(data json.RawMessage) error {
	return elements(data, func(data json.RawMessage) error {
		var d core.Document
		err := Fields{"id": into(&d.ID), "title": into(&d.Title), "text": into(&d.Text)}.decode(data)
		r.Documents = append(r.Documents, d)
		return err
	})
}

// named reads a string that parse knows into *v.
func named[T any](v *T, parse func(string) (T, error)) func(json.RawMessage) error {
	return func(data json.RawMessage) (err error) {
		if isNull(data) {
			return nil
		}
		var s string
		if err := into(&s)(data); err != nil {
			return err
		}
		*v, err = parse(s)
		return err
	}
}

// bound reads a number above zero into *v: zero would mean no bound there, which nobody says by a number.
func bound[T int | float64](v *T) func(json.RawMessage) error {
	return func(data json.RawMessage) error {
		if err := into(v)(data); err != nil {
			return err
		}
		if *v <= 0 && !isNull(data) {
			return invalid("leave the field out for no bound", "%v is not above 0", *v)
		}
		return nil
	}
}

// Reader reads requests, one a line, of any length. Blank lines are skipped, and so is a byte order mark at the start.
type Reader struct {
	r    *bufio.Reader
	line int
}

// NewReader reads from r.
func NewReader(r io.Reader) *Reader { return &Reader{r: bufio.NewReaderSize(r, 1<<16)} }

// Next is the next request. For a line that is no request it returns a *core.Error that names the line, with a
// Request that holds what could be read; the lines behind it can be read all the same. At the end it returns io.EOF; any
// other error is one of the underlying reader.
func (r *Reader) Next() (*Request, error) {
	for {
		line, err := r.r.ReadBytes('\n')
		if err != nil && (err != io.EOF || len(line) == 0) {
			return nil, err
		}
		if r.line++; r.line == 1 {
			line = bytes.TrimPrefix(line, []byte("\uFEFF"))
		}
		if line = bytes.TrimSpace(line); len(line) == 0 {
			continue
		}
		req, err := Decode(line)
		return req, inside(fmt.Sprintf("line %d", r.line), err)
	}
}
