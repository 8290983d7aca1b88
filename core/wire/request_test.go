package wire

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"reflect"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/cprs-go/cprs/core"
)

func TestDecode(t *testing.T) {
	got, err := Decode([]byte(`{
		"id": "a\u0062", "instruction": "keep \"dates\"\n", "query": null, "unit": "line", "max_tokens": 2000,
		"threshold": 0.25, "pins": ["@errors", "\\bTODO\\b"], "gap": "lines", "no_labels": true, "explain": true,
		"documents": [ {"id": "x", "title": "T", "text": "é \u0000 \ud83d\ude00 \ud800 ]}"}, {"text": ""} ] }`))
	if err != nil {
		t.Fatal(err)
	}
	want := &Request{ID: ID(`"a\u0062"`), Request: core.Request{
		Instruction: "keep \"dates\"\n",
		Unit:        core.UnitLine,
		Budget:      core.Budget{MaxTokens: 2000, Threshold: 0.25},
		Pins:        []core.Pin{{Set: core.PinErrors}, {Pattern: `\bTODO\b`}},
		Gap:         core.GapLines,
		NoLabels:    true,
		Explain:     true,
		Documents:   []core.Document{{ID: "x", Title: "T", Text: "é \x00 😀 \uFFFD ]}"}, {}},
	}}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
}

var refusals = []struct{ line, want string }{
	{``, `no valid JSON: byte 0: unexpected end of JSON input`},
	{`{`, `no valid JSON: byte 1: unexpected end of JSON input`},
	{`{"instruction":"x"`, `no valid JSON: byte 18: unexpected end of JSON input`},
	{`{"instruction":"x"} {}`, `no valid JSON: byte 21: invalid character '{' after top-level value`},
	{`{"instruction":"x",}`, `no valid JSON: byte 20: invalid character '}' looking for beginning of object key string`},
	{"{\"instruction\":\"\x00\"}", `no valid JSON: byte 17: invalid character '\x00' in string literal`},
	{"{\"instruction\":\"\xff\"}", `no valid UTF-8 at byte 16`},
	{"{\"instruction\":\"\uFFFD\xe2\x82\"}", `no valid UTF-8 at byte 19`},
	{`[]`, `want an object, got a list`},
	{`"x"`, `want an object, got a string`},
	{`12`, `want an object, got 12`},
	{`null`, `want an object, got null`},
	{`{"instructon":"x"}`, `unknown field "instructon"; did you mean "instruction"?`},
	{`{"Query":"x"}`, `unknown field "Query"; did you mean "query"?`},
	{`{"maxTokens":1}`, `unknown field "maxTokens"; did you mean "max_tokens"?`},
	{`{"zzz":{"a":[1,"]}",{}]}}`, `unknown field "zzz"`},
	{`{"":1}`, `unknown field ""`},
	{`{"query":"x","query":"y"}`, `field "query" is given twice`},
	{`{"que\u0072y":"x","query":"y"}`, `field "query" is given twice`},
	{`{"query":["x"]}`, `field "query": want a string, got a list`},
	{`{"explain":"true"}`, `field "explain": want true or false, got a string`},
	{`{"max_tokens":"12"}`, `field "max_tokens": want a whole number, got a string`},
	{`{"max_tokens":12.5}`, `field "max_tokens": want a whole number, got 12.5`},
	{`{"max_tokens":1e99}`, `field "max_tokens": want a whole number, got 1e99`},
	{`{"max_tokens":0}`, `field "max_tokens": 0 is not above 0`},
	{`{"max_tokens":-1}`, `field "max_tokens": -1 is not above 0`},
	{`{"ratio":0}`, `field "ratio": 0 is not above 0`},
	{`{"ratio":1e999}`, `field "ratio": want a number, got 1e999`},
	{`{"unit":"word"}`, `field "unit": unknown unit "word"`},
	{`{"unit":"Sentence"}`, `field "unit": unknown unit "Sentence"; did you mean "sentence"?`},
	{`{"unit":3}`, `field "unit": want a string, got 3`},
	{`{"gap":"elipsis"}`, `field "gap": unknown gap style "elipsis"; did you mean "ellipsis"?`},
	{`{"pins":"x"}`, `field "pins": want a list, got a string`},
	{`{"pins":["a","@error"]}`, `field "pins": element 1: unknown set of pins "@error"; did you mean "@errors"?`},
	{`{"id":{}}`, `field "id": want a string or a number, got an object`},
	{`{"documents":{}}`, `field "documents": want a list, got an object`},
	{`{"documents":["x"]}`, `field "documents": element 0: want an object, got a string`},
	{`{"documents":[{"text":"a"},{"txt":"b"}]}`, `field "documents": element 1: unknown field "txt"; did you mean "text"?`},
	{`{"documents":[{"text":"a","text":"b"}]}`, `field "documents": element 0: field "text" is given twice`},
	{`{"` + strings.Repeat("x", 100) + `":1}`, `unknown field "` + strings.Repeat("x", 40) + `…"`},
	{strings.Repeat(`{"documents":[`, 20000), `no valid JSON: byte 70001: invalid character '{' exceeded max depth`},
}

func TestDecodeRefusals(t *testing.T) {
	for _, c := range refusals {
		_, err := Decode([]byte(c.line))
		var refusal *core.Error
		if !errors.As(err, &refusal) || refusal.Code != core.CodeInvalidArgument || refusal.Message != c.want {
			t.Errorf("%.60q:\n got %v\nwant %s", c.line, err, c.want)
		}
	}
}

// What stands behind a refused field is read, so that an answer can name the request.
func TestDecodeReadsOn(t *testing.T) {
	got, err := Decode([]byte(`{"bogus":[{"id":1}],"documents":[{"text":3},{"text":"b"}],"unit":7,"id":-12e0}`))
	if err == nil || string(got.ID) != "-12e0" || got.Documents[1].Text != "b" {
		t.Errorf("got %+v, %v", got, err)
	}
}

func TestReader(t *testing.T) {
	r := NewReader(strings.NewReader("\uFEFF{\"id\":1}\n\n  \r\nnonsense\n{\"id\":2,\"x\":1}\r\n{\"id\":3}"))
	var got []string
	for {
		req, err := r.Next()
		if err == io.EOF {
			break
		}
		got = append(got, fmt.Sprintf("%s %v", req.ID, err))
	}
	want := []string{
		"1 <nil>",
		" line 4: no valid JSON: byte 2: invalid character 'o' in literal null (expecting 'u')",
		`2 line 5: unknown field "x"`,
		"3 <nil>",
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got  %q\nwant %q", got, want)
	}
}

func TestReaderFault(t *testing.T) {
	fault := errors.New("pulled the plug")
	r := NewReader(io.MultiReader(strings.NewReader("{\"id\":1}\n{\"id\""), iotest.ErrReader(fault)))
	if _, err := r.Next(); err != nil {
		t.Fatal(err)
	}
	if _, err := r.Next(); err != fault {
		t.Errorf("got %v, want %v", err, fault)
	}
}

// FuzzReader asserts that every line that is not blank is answered once, that only the caller is blamed, and that
// encoding/json reads the same from every line that is accepted.
func FuzzReader(f *testing.F) {
	for _, c := range refusals[:len(refusals)-1] {
		f.Add([]byte(c.line))
	}
	f.Add([]byte("{\"id\":1,\"documents\":[{\"text\":\"a\\\\\"},{\"text\":\"\\\"]}\"}]}\n \n{\"query\":null , \"pins\" : [ \"\\u0040errors\" ] }"))
	f.Fuzz(func(t *testing.T, data []byte) {
		lines := 0
		for line := range strings.Lines(strings.TrimPrefix(string(data), "\uFEFF")) {
			if strings.TrimSpace(line) != "" {
				lines++
			}
		}
		r := NewReader(strings.NewReader(string(data)))
		for ; ; lines-- {
			req, err := r.Next()
			if err == io.EOF {
				break
			}
			var refusal *core.Error
			if err != nil && !errors.As(err, &refusal) {
				t.Fatalf("%v is no *core.Error", err)
			}
			if req.ID != nil && !json.Valid(req.ID) {
				t.Fatalf("id %q is no JSON", req.ID)
			}
		}
		if lines != 0 {
			t.Fatalf("%d lines without an answer", lines)
		}

		req, err := Decode(data)
		if err != nil {
			return
		}
		var want struct {
			Instruction, Query string
			MaxTokens          int `json:"max_tokens"`
			Ratio, Threshold   float64
			Explain            bool
			Documents          []core.Document
			Pins               []string
		}
		if err := json.Unmarshal(data, &want); err != nil {
			t.Fatalf("accepted, but: %v", err)
		}
		if req.Instruction != want.Instruction || req.Query != want.Query || req.Explain != want.Explain ||
			req.Budget != (core.Budget{MaxTokens: want.MaxTokens, Ratio: want.Ratio, Threshold: want.Threshold}) ||
			len(req.Pins) != len(want.Pins) || len(req.Documents) != len(want.Documents) {
			t.Fatalf("got %+v\nwant %+v", req, want)
		}
		for i, d := range req.Documents {
			if !reflect.DeepEqual(d, want.Documents[i]) {
				t.Fatalf("document %d: got %+v, want %+v", i, d, want.Documents[i])
			}
		}
	})
}

func BenchmarkReader(b *testing.B) {
	for _, size := range []int{1 << 10, 1 << 20} {
		text := strings.Repeat("Either party may say \"no\" within 30 days – in writing.\n", size/56)
		doc, err := json.Marshal(map[string]any{"id": 1, "query": "When?", "documents": []map[string]any{{"text": text}}})
		if err != nil {
			b.Fatal(err)
		}
		doc = append(doc, '\n')
		b.Run(fmt.Sprintf("%dKB", size>>10), func(b *testing.B) {
			b.SetBytes(int64(len(doc)))
			b.ReportAllocs()
			r := NewReader(&repeated{line: doc})
			for b.Loop() {
				if _, err := r.Next(); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// repeated is the same line without end.
type repeated struct {
	line []byte
	at   int
}

func (r *repeated) Read(p []byte) (int, error) {
	n := copy(p, r.line[r.at:])
	r.at = (r.at + n) % len(r.line)
	return n, nil
}
