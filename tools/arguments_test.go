package tools

import (
	"context"
	"encoding/json"
	"reflect"
	"strings"
	"testing"

	"github.com/cprs-go/cprs/core"
)

// accepted are arguments and the request that comes of them; Gap and Explain are what every call sets.
var accepted = []struct {
	args string
	want core.Request
}{
	{`{"instruction":"x","documents":[{"id":"a","title":"A","text":"t"}]}`, core.Request{Documents: []core.Document{{ID: "a", Title: "A", Text: "t"}}}},
	{`"{\"instruction\":\"x\",\"documents\":[{\"text\":\"t\"}]}"`, core.Request{}},
	{` {"instruction":["x"],"documents":"t"} `, core.Request{}},
	{`{"instruction":"x","documents":["t"]}`, core.Request{}},
	{`{"instruction":"x","documents":{"text":"t"}}`, core.Request{}},
	{`{"instruction":"x","documents":"[{\"text\":\"t\"}]"}`, core.Request{}},
	{`{"instruction":"x","documents":"[1, 2]"}`, core.Request{Documents: []core.Document{{ID: "doc 1", Text: "[1, 2]"}}}},
	{`{"instruction":"x","documents":"[{\"name\":\"t\"}]"}`, core.Request{Documents: []core.Document{{ID: "doc 1", Text: `[{"name":"t"}]`}}}},
	{`{"instruction":"x","documents":[ "t" , {"text":"u"} ]}`, core.Request{Documents: []core.Document{{ID: "doc 1", Text: "t"}, {ID: "doc 2", Text: "u"}}}},
	{`{"instruction":7,"documents":"t"}`, core.Request{Instruction: "7"}},
	{`{"instruction":"x","query":"q","documents":"t"}`, core.Request{Query: "q"}},
	{`{"instruction":"x","documents":"t","paths":[],"uris":"","query":null,"max_tokens":null,"pins":null,"response_format":null}`, core.Request{}},
	{`{"instruction":"x","documents":"t","max_tokens":64}`, core.Request{Budget: core.Budget{MaxTokens: 64, Threshold: 0.4}}},
	{`{"instruction":"x","documents":"t","max_tokens":"100"}`, core.Request{Budget: core.Budget{MaxTokens: 100, Threshold: 0.4}}},
	{`{"instruction":"x","documents":"t","max_tokens":" 1e2 "}`, core.Request{Budget: core.Budget{MaxTokens: 100, Threshold: 0.4}}},
	{`{"instruction":"x","documents":"t","max_tokens":100.0}`, core.Request{Budget: core.Budget{MaxTokens: 100, Threshold: 0.4}}},
	{`{"instruction":"x","documents":"t","max_tokens":16001}`, core.Request{Budget: core.Budget{MaxTokens: 16000, Threshold: 0.4}}},
	{`{"instruction":"x","documents":"t","threshold":"0.3"}`, core.Request{Budget: core.Budget{MaxTokens: 8000, Threshold: 0.3}}},
	{`{"instruction":"x","documents":"t","threshold":0}`, core.Request{Budget: core.Budget{MaxTokens: 8000}}},
	{`{"instruction":"x","documents":"t","ratio":"0.3"}`, core.Request{Budget: core.Budget{Ratio: 0.3}}},
	{`{"instruction":"x","documents":"t","ratio":0.3,"threshold":0.2}`, core.Request{Budget: core.Budget{Ratio: 0.3, Threshold: 0.2}}},
	{`{"instruction":"x","documents":"t","unit":" Sentence"}`, core.Request{Unit: core.UnitSentence}},
	{`{"instruction":"x","documents":"t","explain":"true"}`, core.Request{}},
	{`{"instruction":"x","documents":"t","response_format":"Detailed"}`, core.Request{}},
	{`{"instruction":"x","documents":"t","pins":"@errors"}`, core.Request{Pins: []core.Pin{{Set: core.PinErrors}}}},
	{`{"instruction":"x","documents":"t","pins":"[\"a+\", \"b\"]"}`, core.Request{Pins: []core.Pin{{Pattern: "a+"}, {Pattern: "b"}}}},
	{`{"instruction":"x","documents":"t","pins":"[ab]"}`, core.Request{Pins: []core.Pin{{Pattern: "[ab]"}}}},
}

func TestAccepted(t *testing.T) {
	rec := &recorder{}
	s := newSet(t, rec, &Options{Threshold: 0.4})
	for _, tt := range accepted {
		want := tt.want
		if want.Instruction == "" {
			want.Instruction = "x"
		}
		if want.Budget == (core.Budget{}) {
			want.Budget = core.Budget{MaxTokens: DefaultBudget, Threshold: 0.4}
		}
		if want.Documents == nil {
			want.Documents = []core.Document{{ID: "doc 1", Text: "t"}}
		}
		want.Gap, want.Explain = core.GapLabels, want.Budget.Threshold > 0 || strings.Contains(tt.args, "explain")
		if res := call(t, s, CompressContext, tt.args); res.IsError {
			t.Errorf("%s: %s", tt.args, res.Text)
		} else if got := rec.last(); !reflect.DeepEqual(got, want) {
			t.Errorf("%s:\ngot  %+v\nwant %+v", tt.args, got, want)
		}
	}
}

// refused are calls and what the refusal says.
var refused = []struct{ tool, args, want string }{
	{CompressContext, ``, "[invalid_argument] there is no text to read"},
	{CompressContext, `null`, "[invalid_argument] there is no text to read"},
	{CompressContext, `{`, "[invalid_argument] no valid JSON: byte 1: unexpected end of JSON input. Send one JSON object"},
	{CompressContext, `[]`, "[invalid_argument] want an object, got a list"},
	{CompressContext, `"x"`, "[invalid_argument] want an object, got a string"},
	{CompressContext, `{"instruction":"x","documents":[1]}`, `[invalid_argument] field "documents": element 0: want an object, got 1. Give a list such as [{"id": "a", "text": "…"}]. Then`},
	{CompressContext, `{"instruction":"x","documents":[{"txt":"t"}]}`, `[invalid_argument] field "documents": element 0: unknown field "txt"; did you mean "text"? The fields are id, text, title. Then`},
	{CompressContext, `{"instruction":"x","documents":7}`, `[invalid_argument] field "documents": want a list, got 7`},
	{CompressContext, `{"instruction":{},"documents":"t"}`, `[invalid_argument] field "instruction": want a string, got an object. Give a string. Then`},
	{CompressContext, `{"instruction":["x","y"],"documents":"t"}`, `[invalid_argument] field "instruction": want a string, got a list`},
	{CompressContext, `{"instruction":"x","paths":7}`, `[invalid_argument] field "paths": 7 is of the wrong type. Give a list of strings such as ["a.md", "b.md"]. Then`},
	{CompressContext, `{"instruction":"x","paths":[{}]}`, `[invalid_argument] field "paths": [{}] is of the wrong type`},
	{CompressContext, `{"instruction":"x","documents":"t","max_tokens":100.5}`, `[invalid_argument] field "max_tokens": want a whole number, got 100.5. Give a whole number such as 2000. Then`},
	{CompressContext, `{"instruction":"x","documents":"t","max_tokens":"8k"}`, `[invalid_argument] field "max_tokens": want a whole number, got a string`},
	{CompressContext, `{"instruction":"x","documents":"t","max_tokens":63}`, `[invalid_argument] max_tokens is 63. Give 64 to 16000, or leave it out for 8000. Then`},
	{CompressContext, `{"instruction":"x","documents":"t","max_tokens":-1}`, `[invalid_argument] field "max_tokens": -1 is not above 0`},
	{CompressContext, `{"instruction":"x","documents":"t","explain":"perhaps"}`, `[invalid_argument] field "explain": want true or false, got a string. Give true or false. Then`},
	{CompressContext, `{"instruction":"x","documents":"t","response_format":"long"}`, `[invalid_argument] unknown response_format "long". Give concise or detailed. Then`},
	{CompressContext, `{"instruction":"x","documents":"t","pins":["@error"]}`, `[invalid_argument] field "pins": element 0: unknown set of pins "@error"; did you mean "@errors"? One of @errors`},
	{CompressContext, `{"instruction":"x","documents":"t","id":1}`, `[invalid_argument] unknown field "id"`},
	{CompressContext, `{"instruction":"x","documents":"t","gap":"none"}`, `[invalid_argument] unknown field "gap"`},
	{CompressContext, `{"instruction":"x","documents":"t","maxTokens":100}`, `[invalid_argument] unknown field "maxTokens"; did you mean "max_tokens"?`},
	{CompressContext, `{"instruction":"x","instruction":"y","documents":"t"}`, `[invalid_argument] field "instruction" is given twice`},
	{CompressContext, `{"instruction":"x","paths":["a.md"]}`, `[outside_roots] no folder may be read, so "a.md" cannot be. Files are read below the folders that the server is started with: --root DIR. Else leave it out, or send its text in documents.`},
	{CompressContext, `{"instruction":"x","uris":["file:///a.md"]}`, `[outside_roots] no folder may be read`},
	{CompressContext, `{"instruction":"x","paths":[""]}`, `[invalid_argument] "" is no path`},
	{CompressContext, `{"instruction":"x","uris":["ctx://"]}`, `[invalid_argument] "ctx://" is no URI of an original. Write ctx://HANDLE or ctx://HANDLE/SOURCE. Then`},
	{CompressContext, `{"instruction":"x","uris":["ctx://h/%zz"]}`, `[invalid_argument] "ctx://h/%zz" is no URI of an original`},
	{ExpandContext, `{}`, `[invalid_argument] there is no handle. Give the handle of an earlier answer. Then call expand_context again.`},
	{ExpandContext, `{"handle":"h"}`, `[not_found] there is no handle "h"`},
	{ExpandContext, `{"handle":true}`, `[invalid_argument] field "handle": true is of the wrong type. Give a string. Then`},
	{ExpandContext, `{"handle":"h","line":"1"}`, `[invalid_argument] unknown field "line"; did you mean "lines"? The fields are handle, lines, max_tokens, query, source. Then`},
}

func TestRefused(t *testing.T) {
	s := newSet(t, &recorder{}, nil)
	for _, tt := range refused {
		if res := call(t, s, tt.tool, tt.args); !res.IsError || !strings.HasPrefix(res.Text, tt.want) {
			t.Errorf("%s: got %q, want %q", tt.args, res.Text, tt.want)
		}
	}
}

func TestRefusalsAreShort(t *testing.T) {
	s := newSet(t, &recorder{}, &Options{Sources: roots(t, t.TempDir())})
	long := strings.Repeat("é", 100_000)
	for _, args := range []string{`{"LONG":1}`, `{"instruction":"x","paths":["LONG"]}`, `{"instruction":"x","uris":["LONG://x"]}`, `{"instruction":"x","uris":["ctx://LONG"]}`,
		`{"instruction":"x","pins":["(LONG"],"documents":"t"}`, `{"instruction":"x","response_format":"LONG"}`, `{"instruction":{"LONG":1}}`} {
		call(t, s, CompressContext, strings.ReplaceAll(args, "LONG", long)) // which looks at the length
	}
}

// FuzzArguments calls the tools with anything: each call ends in a result that is in order.
func FuzzArguments(f *testing.F) {
	for _, tt := range accepted {
		f.Add(0, tt.args)
	}
	for _, tt := range refused {
		f.Add(len(tt.tool)%3, tt.args)
	}
	for _, args := range []string{`{"handle":"HANDLE","lines":"1-2"}`, `{"handle":"HANDLE","source":"[a:1]","lines":"L1 – 3, 9-"}`, `{"handle":"ctx://HANDLE/b%3A","query":"x"}`, `{"handle":"HANDLE","max_tokens":64,"source":"a"}`} {
		f.Add(1, args)
	}
	f.Add(2, `{"pattern":"**/*.md"}`)
	f.Add(2, `{"pattern":["notes/../*"]}`)
	s := newSet(f, &recorder{}, &Options{Sources: roots(f, "testdata/root"), MaxInputBytes: 1 << 20})
	handle, err := s.Keep(context.Background(), []core.Document{{ID: "a", Text: "1\n2\n\n4"}, {ID: "b:", Text: "\xff\r\n"}, {}})
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, tool int, args string) {
		def := s.Tools()[uint(tool)%3]
		res, err := def.Call(context.Background(), json.RawMessage(strings.ReplaceAll(args, "HANDLE", handle)), nil)
		if err != nil {
			t.Fatal(err)
		}
		verify(t, &def, args, res)
	})
}
