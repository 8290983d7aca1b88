package wire

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/cprs-go/cprs/core"
)

// Fields says how the value of each field that an object may have is read. A value is valid JSON.
type Fields map[string]func(value json.RawMessage) error

// Decode reads data, one JSON object, as strictly as the package comment says. Every field that can be read is read, also
// behind one that is refused; the error is the first refusal, a *core.Error.
func (f Fields) Decode(data []byte) error {
	if err := check(data); err != nil {
		return err
	}
	return f.decode(data)
}

// check says what makes data no JSON.
func check(data []byte) error {
	if !utf8.Valid(data) {
		at := 0
		for r, w := utf8.DecodeRune(data); r != utf8.RuneError || w != 1; r, w = utf8.DecodeRune(data[at:]) {
			at += w
		}
		return invalid("convert the text before it is sent: JSON is UTF-8", "no valid UTF-8 at byte %d", at)
	}
	if json.Valid(data) {
		return nil
	}
	err := json.Unmarshal(data, new(json.RawMessage))
	var syntax *json.SyntaxError
	if errors.As(err, &syntax) {
		err = fmt.Errorf("byte %d: %w", syntax.Offset, err)
	}
	return invalid("send one JSON object, whole, and nothing behind it", "no valid JSON: %v", err)
}

// decode is Decode for data that is valid JSON.
func (f Fields) decode(data json.RawMessage) error {
	c, err := open(data, '{')
	if err != nil {
		return err
	}
	var first error
	seen := make(map[string]bool, len(f))
	for c.more() {
		var name string
		if err := json.Unmarshal(c.value(), &name); err != nil {
			return err
		}
		value := c.value()
		read, known := f[name]
		switch {
		case !known:
			names := slices.Sorted(maps.Keys(f))
			err = invalid("the fields are "+strings.Join(names, ", "), "unknown field %s%s", quote(name), nearest(name, names))
		case seen[name]:
			err = invalid("leave one of them out", "field %q is given twice", name)
		default:
			err = inside(fmt.Sprintf("field %q", name), read(value))
		}
		seen[name] = true
		if first == nil {
			first = err
		}
	}
	return first
}

// elements reads each element of data, a list or null.
func elements(data json.RawMessage, read func(json.RawMessage) error) error {
	if isNull(data) {
		return nil
	}
	c, err := open(data, '[')
	if err != nil {
		return err
	}
	var first error
	for i := 0; c.more(); i++ {
		if err := inside(fmt.Sprintf("element %d", i), read(c.value())); first == nil {
			first = err
		}
	}
	return first
}

// into reads a scalar into *v; null leaves *v as it is.
func into[T string | int | float64 | bool](v *T) func(json.RawMessage) error {
	return func(data json.RawMessage) error {
		if err := json.Unmarshal(data, v); err != nil {
			return wrongType(fmt.Sprintf("%T", *v), data)
		}
		return nil
	}
}

// wrongType says that data should be a want, the name of a kind of value or of a Go type.
func wrongType(want string, data json.RawMessage) error {
	article := map[string]string{"string": "a string", "int": "a whole number", "float64": "a number", "bool": "true or false"}
	kinds := map[byte]string{'"': "a string", '{': "an object", '[': "a list", 't': "true", 'f': "false", 'n': "null"}
	if a, ok := article[want]; ok {
		want = a
	}
	got, ok := kinds[bytes.TrimLeft(data, space)[0]]
	if !ok {
		got = string(data[:min(len(data), 20)])
	}
	return invalid("", "want %s, got %s", want, got)
}

func isNull(data json.RawMessage) bool { return bytes.Equal(data, []byte("null")) }

// invalid is a refusal.
func invalid(hint, format string, args ...any) error {
	return &core.Error{Code: core.CodeInvalidArgument, Message: fmt.Sprintf(format, args...), Hint: hint}
}

// inside says where in the input the refusal err arose.
func inside(where string, err error) error {
	var refusal *core.Error
	if !errors.As(err, &refusal) {
		return err
	}
	placed := *refusal
	placed.Message = where + ": " + refusal.Message
	return &placed
}

// A cursor walks the members of an object or the elements of a list in valid JSON.
type cursor struct {
	data json.RawMessage
	at   int
}

// space holds the characters that stand between values; in valid JSON nothing else is to be learned from them.
const space = " \t\r\n,:"

// open enters the object or list, by its first byte, that data is.
func open(data json.RawMessage, first byte) (*cursor, error) {
	data = bytes.TrimLeft(data, space)
	if data[0] != first {
		return nil, wrongType(map[byte]string{'{': "an object", '[': "a list"}[first], data)
	}
	return &cursor{data: data, at: 1}, nil
}

// more reports whether a value follows before the end of the object or list.
func (c *cursor) more() bool {
	for strings.IndexByte(space, c.data[c.at]) >= 0 {
		c.at++
	}
	return c.data[c.at] != '}' && c.data[c.at] != ']'
}

// value takes the next value; more has reported true, or the name of a member was taken.
func (c *cursor) value() json.RawMessage {
	c.more()
	start, depth := c.at, 0
	for {
		switch c.data[c.at] {
		case '"':
			c.skipString()
		case '{', '[':
			depth++
			c.at++
		case '}', ']':
			depth--
			c.at++
		case ' ', '\t', '\r', '\n', ',', ':': // within the value: at depth 0 it has ended before them
			c.at++
		default:
			c.at += bytes.IndexAny(c.data[c.at:], space+"]}")
		}
		if depth == 0 {
			return c.data[start:c.at]
		}
	}
}

// skipString moves behind the string that begins at c.
func (c *cursor) skipString() {
	for {
		c.at++ // the opening quote, or one that is escaped
		c.at += bytes.IndexByte(c.data[c.at:], '"')
		escapes := 0
		for c.data[c.at-1-escapes] == '\\' {
			escapes++
		}
		if escapes%2 == 0 {
			c.at++
			return
		}
	}
}
