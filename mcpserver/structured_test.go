package mcpserver

import (
	"context"
	"encoding/json"
	"reflect"
	"strings"
	"testing"

	"github.com/mark3labs/mcp-go/mcp"

	"github.com/cprs-go/cprs/core"
)

// TestProxyStructuredCompress: long strings are shortened in both forms of a result, the rest stays, and so does what a schema would then
// refuse.
func TestProxyStructuredCompress(t *testing.T) {
	long, err := json.Marshal(longText)
	if err != nil {
		t.Fatal(err)
	}
	record := `{"z":12345678901234567890,"body":` + string(long) + `,"a":[{"body":"short"},1.50,null]}`
	u := newUpstream()
	add := func(name, schema string) {
		tool := mcp.NewToolWithRawSchema(name, "Tool "+name, json.RawMessage(`{"type":"object"}`))
		tool.RawOutputSchema = json.RawMessage(schema)
		u.AddTool(tool, func(context.Context, mcp.CallToolRequest) (*mcp.CallToolResult, error) {
			pretty := strings.Replace(record, `,"a"`, ",\n  \"a\"", 1)
			return &mcp.CallToolResult{Content: []mcp.Content{mcp.NewTextContent(pretty), mcp.NewTextContent(longText)}, RawStructuredContent: json.RawMessage(record)}, nil
		})
	}
	add("free", `{"type":"object"}`)
	add("bound", `{"type":"object","required":["body"],"properties":{"body":{"type":"string","minLength":60}}}`)
	add("tight", `{"type":"object","properties":{"body":{"type":"string","pattern":"^the weather"}}}`)
	add("elsewhere", `{"type":"object","properties":{"body":{"$ref":"file:///etc/passwd"}}}`)
	c, p := proxied(t, u, pipeline(), &ProxyOptions{Structured: StructuredCompress, Rules: []Rule{{Tool: "*", Instruction: "rent due third", Budget: 200}}})
	for _, name := range []string{"free", "bound"} {
		res := call(t, c, name, `{}`)
		var got struct {
			Body string
		}
		if err := json.Unmarshal(res.RawStructuredContent, &got); err != nil || len(got.Body) > 2000 || !strings.Contains(got.Body, "rent is due on the third.") || !strings.Contains(got.Body, "[cprs] shortened ") {
			t.Errorf("%s: %s %v", name, res.RawStructuredContent, err)
		}
		if text := res.Content[0].(mcp.TextContent).Text; !sameJSON([]byte(text), res.RawStructuredContent) {
			t.Errorf("%s: the text is %.300s", name, text)
		}
		short, _ := json.Marshal(got.Body)
		if want := strings.Replace(record, string(long), string(short), 1); !sameJSON([]byte(want), res.RawStructuredContent) {
			t.Errorf("%s: the rest is another: %.300s", name, res.RawStructuredContent)
		}
		if same := res.Content[1].(mcp.TextContent).Text; same != got.Body {
			t.Errorf("%s: the same text is shortened in another way: %.300s", name, same)
		}
	}
	for _, name := range []string{"tight", "elsewhere"} {
		res := call(t, c, name, `{}`)
		if !sameJSON([]byte(record), res.RawStructuredContent) || !sameJSON([]byte(res.Content[0].(mcp.TextContent).Text), []byte(record)) {
			t.Errorf("%s: %.300s", name, res.RawStructuredContent)
		}
		if text := res.Content[1].(mcp.TextContent).Text; len(text) > 2000 {
			t.Errorf("%s: the text is not shortened", name)
		}
	}
	if s := p.Stats(); s.Shortened != 4 || s.Failed != 2 {
		t.Errorf("%+v", s)
	}
	if res := call(t, c, "typed", `{}`); string(res.RawStructuredContent) != `{"n":12345678901234567890}` {
		t.Errorf("%s", res.RawStructuredContent)
	}
	if _, err := NewProxy(t.Context(), Upstream{}, pipeline(), &ProxyOptions{Structured: "fold"}); err == nil || err.(*core.Error).Code != core.CodeInvalidArgument {
		t.Error(err)
	}
}

func TestReplaceStrings(t *testing.T) {
	double := func(s string) string { return s + s }
	for in, want := range map[string]string{
		`"a"`:                          `"aa"`,
		`12345678901234567890`:         `12345678901234567890`,
		`{"a":"b", "c" : [ "d" , 1 ]}`: `{"a":"bb", "c" : [ "dd" , 1 ]}`,
		`{"a":{"b":{}},"c":"d"}`:       `{"a":{"b":{}},"c":"dd"}`,
		`[{"a":[["b"]]},"c",[],"d"]`:   `[{"a":[["bb"]]},"cc",[],"dd"]`,
		`{"":"","x":"<\u0062>"}`:       `{"":"","x":"<b><b>"}`,
		` [null,true,1.50,"a"] `:       ` [null,true,1.50,"aa"] `,
	} {
		if got, err := replaceStrings([]byte(in), double); err != nil || string(got) != want {
			t.Errorf("%s: %s, %v; want %s", in, got, err, want)
		}
	}
	for _, bad := range []string{"", "[", `{"a"`, `["a",`} {
		if got, err := replaceStrings([]byte(bad), double); err == nil {
			t.Errorf("%s: %s", bad, got)
		}
	}
}

// FuzzReplaceStrings: what f leaves stays byte by byte, and what it changes is what a decoder finds changed.
func FuzzReplaceStrings(f *testing.F) {
	for _, seed := range []string{`{"a":"b","c":["d",{"e":"f"}]}`, `"x"`, `[[[]]]`, `{"a":1e5,"b":"\ud800"}`, " {} "} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		if !json.Valid(data) {
			return
		}
		if got, err := replaceStrings(data, func(s string) string { return s }); err != nil || string(got) != string(data) {
			t.Fatalf("%q becomes %q, %v", data, got, err)
		}
		got, err := replaceStrings(data, func(s string) string { return "x" + s })
		var before, after any
		if err != nil || json.Unmarshal(data, &before) != nil || json.Unmarshal(got, &after) != nil {
			if err == nil && json.Unmarshal(data, &before) != nil {
				return // a number that is too large for Go
			}
			t.Fatalf("%q becomes %q, %v", data, got, err)
		}
		if want := marked(before); !reflect.DeepEqual(after, want) {
			t.Fatalf("%q becomes %q", data, got)
		}
	})
}

// marked is v with an x before every string that is a value.
func marked(v any) any {
	switch v := v.(type) {
	case string:
		return "x" + v
	case []any:
		for i := range v {
			v[i] = marked(v[i])
		}
	case map[string]any:
		for k := range v {
			v[k] = marked(v[k])
		}
	}
	return v
}
