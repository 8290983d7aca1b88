package tools

import (
	"bytes"
	"encoding/json"
	"errors"
	"slices"
	"strconv"
	"strings"

	"github.com/cprs-go/cprs/core"
	"github.com/cprs-go/cprs/core/wire"
)

// A reader reads the value of a field, as in wire.Fields. A mend makes of a value that a model wrote what it meant, and
// gives all others back as they are. Values are valid JSON without space around them.
type (
	reader = func(value json.RawMessage) error
	mend   = func(value json.RawMessage) json.RawMessage
)

// decode reads the arguments of a call as strictly as wire does: one object, which a model may have put into a string.
func decode(args json.RawMessage, fields wire.Fields) error {
	args = bytes.TrimSpace(args)
	if len(args) == 0 || string(args) == "null" {
		return nil
	}
	if s := strings.TrimSpace(str(args)); strings.HasPrefix(s, "{") {
		args = json.RawMessage(s)
	}
	return fields.Decode(args)
}

// mended reads what m makes of a value. A refusal that does not say what is allowed, says allowed.
func mended(m mend, allowed string, read reader) reader {
	return func(value json.RawMessage) error {
		err := read(m(value))
		var refused *core.Error
		if errors.As(err, &refused) && refused.Hint == "" {
			return &core.Error{Code: refused.Code, Message: refused.Message, Hint: allowed}
		}
		return err
	}
}

// asList makes a list of a single string or object, and of a string that spells a list.
func asList(value json.RawMessage) json.RawMessage {
	s := strings.TrimSpace(str(value))
	switch {
	case string(value) == `""`:
		return json.RawMessage("[]")
	case strings.HasPrefix(s, "[") && json.Valid([]byte(s)):
		return json.RawMessage(s)
	case value[0] == '"' || value[0] == '{':
		return around("[", value, "]")
	}
	return value
}

// asDocuments makes a list of documents of one document, of one text, of a list of texts, and of a string that spells
// a list of documents. A text that is JSON of another kind stays a text.
func asDocuments(value json.RawMessage) json.RawMessage {
	if value[0] == '"' {
		if s := asList(value); s[0] == '[' && (wire.Fields{"documents": new(wire.Request).Fields()["documents"]}).Decode(around(`{"documents":`, s, "}")) == nil {
			return s
		}
		return around(`[{"text":`, value, "}]")
	}
	var list []json.RawMessage
	if json.Unmarshal(asList(value), &list) != nil {
		return value
	}
	var b bytes.Buffer
	for i, d := range list {
		if i > 0 {
			b.WriteByte(',')
		}
		if d = bytes.TrimSpace(d); d[0] == '"' {
			d = around(`{"text":`, d, "}")
		}
		b.Write(d)
	}
	return around("[", b.Bytes(), "]")
}

// asNumber makes a number of a string that spells one.
func asNumber(value json.RawMessage) json.RawMessage {
	if s := strings.TrimSpace(str(value)); s != "" && isNumber(s[0]) && json.Valid([]byte(s)) {
		return json.RawMessage(s)
	}
	return value
}

// asInteger is asNumber, and makes 42 of 42.0.
func asInteger(value json.RawMessage) json.RawMessage {
	value = asNumber(value)
	if f, err := strconv.ParseFloat(string(value), 64); err == nil && f == float64(int32(f)) {
		return strconv.AppendInt(nil, int64(f), 10)
	}
	return value
}

// asBool makes true or false of a string that spells it.
func asBool(value json.RawMessage) json.RawMessage {
	if s := string(asWord(value)); s == `"true"` || s == `"false"` {
		return json.RawMessage(s[1 : len(s)-1])
	}
	return value
}

// asWord makes a name of one in another case or with space around it.
func asWord(value json.RawMessage) json.RawMessage {
	if value[0] != '"' {
		return value
	}
	word, _ := json.Marshal(strings.ToLower(strings.TrimSpace(str(value)))) // a string always has a JSON form
	return word
}

// asText makes a string of a number, and of a list of one string.
func asText(value json.RawMessage) json.RawMessage {
	var list []json.RawMessage
	switch {
	case isNumber(value[0]):
		return around(`"`, value, `"`)
	case value[0] == '[' && json.Unmarshal(value, &list) == nil && len(list) == 1:
		return bytes.TrimSpace(list[0])
	}
	return value
}

func around(open string, value json.RawMessage, end string) json.RawMessage {
	return slices.Concat(json.RawMessage(open), value, json.RawMessage(end))
}

func isNumber(first byte) bool { return first == '-' || '0' <= first && first <= '9' }

// str is the string that value is; "" if it is none.
func str(value json.RawMessage) string {
	var s string
	if len(value) == 0 || value[0] != '"' || json.Unmarshal(value, &s) != nil {
		return ""
	}
	return s
}

// What fields allow.
const (
	someText    = "give a string"
	someInteger = "give a whole number such as 2000"
	someNumber  = "give a number such as 0.3"
	someBool    = "give true or false"
	someList    = `give a list of strings such as ["a.md", "b.md"]`
	someDocs    = `give a list such as [{"id": "a", "text": "…"}]`
)

// into reads a value into *v; null leaves *v as it is.
func into[T string | int | []string](v *T, m mend, allowed string) reader {
	return mended(m, allowed, func(value json.RawMessage) error {
		if json.Unmarshal(value, v) != nil {
			return invalid("", "%s is of the wrong type", short(value))
		}
		return nil
	})
}

func intoText(v *string) reader   { return into(v, asText, someText) }
func intoInteger(v *int) reader   { return into(v, asInteger, someInteger) }
func intoList(v *[]string) reader { return into(v, asList, someList) }

// short is a value cut to what a message can hold.
func short(value json.RawMessage) string {
	const longest = 60
	if len(value) > longest {
		return strings.ToValidUTF8(string(value[:longest]), "") + "…"
	}
	return string(value)
}
