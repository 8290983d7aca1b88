package mcpserver

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/mark3labs/mcp-go/client"
	"github.com/mark3labs/mcp-go/client/transport"
	"github.com/mark3labs/mcp-go/mcp"
	"github.com/mark3labs/mcp-go/server"

	"github.com/cprs-go/cprs/core"
	"github.com/cprs-go/cprs/tools"
)

// oddSchema has what typed schemas lose.
const oddSchema = `{"$schema":"https://json-schema.org/draft/2020-12/schema","title":"T","type":"object","description":"d","properties":{"z":{"type":["integer","null"],"examples":[1]},"a":{"$ref":"#/$defs/x"}},"$defs":{"x":{"const":"<&>"}},"additionalProperties":false,"x-own":[1.50]}`

// trapSchema is one that another property may break.
const trapSchema = `{"type":"object","anyOf":[{"required":["a"]},{"required":["b"]}]}`

var longText = strings.Repeat("the weather was fine that day.\n", 1000) + "rent is due on the third.\n" + strings.Repeat("nothing else happened.\n", 1000)

// upstream is a server with odd tools; it remembers the arguments of the last call.
type upstream struct {
	*server.MCPServer
	args  chan string
	ended chan error
}

func newUpstream() *upstream {
	u := &upstream{args: make(chan string, 10), ended: make(chan error, 1)}
	u.MCPServer = server.NewMCPServer("odd", "1", server.WithToolCapabilities(true), server.WithResourceCapabilities(false, true), server.WithPromptCapabilities(true), server.WithInstructions("Be odd."))
	add := func(name, schema string, res *mcp.CallToolResult) {
		t := mcp.NewToolWithRawSchema(name, "Tool "+name, json.RawMessage(schema))
		t.Annotations = mcp.ToolAnnotation{Title: "A title", ReadOnlyHint: new(true)}
		t.Meta = mcp.NewMetaFromMap(map[string]any{"own": "meta"})
		if name == "typed" {
			t.RawOutputSchema = json.RawMessage(`{"type":"object","properties":{"n":{"type":"integer"}}}`)
		}
		u.AddTool(t, func(_ context.Context, req mcp.CallToolRequest) (*mcp.CallToolResult, error) {
			u.args <- string(req.Params.RawArguments)
			return res, nil
		})
	}
	add("long", oddSchema, mcp.NewToolResultText(longText))
	add("trap", trapSchema, mcp.NewToolResultText(longText))
	add("short", oddSchema, mcp.NewToolResultText("short"))
	add("hidden", oddSchema, mcp.NewToolResultText("short"))
	add("json", oddSchema, mcp.NewToolResultText(`{"text":"`+strings.Repeat("word ", 10_000)+`"}`))
	add("failing", oddSchema, mcp.NewToolResultError(longText))
	add("mixed", oddSchema, &mcp.CallToolResult{Content: []mcp.Content{mcp.NewImageContent("AAAA", "image/png"), mcp.NewTextContent(longText), mcp.NewResourceLink("file:///a", "a", "d", "text/plain")}})
	add("typed", oddSchema, &mcp.CallToolResult{Content: []mcp.Content{mcp.NewTextContent(longText)}, StructuredContent: json.RawMessage(`{"n":12345678901234567890}`)})
	u.AddTool(mcp.NewTool("slow"), func(ctx context.Context, req mcp.CallToolRequest) (*mcp.CallToolResult, error) {
		for i := 1; i <= 3 && token(req.Params.Meta) != nil; i++ {
			_ = u.SendNotificationToClient(ctx, "notifications/progress", map[string]any{"progressToken": req.Params.Meta.ProgressToken, "progress": i, "message": "m"})
			time.Sleep(20 * time.Millisecond)
		}
		if req.GetString("wait", "") != "" {
			<-ctx.Done()
			u.ended <- ctx.Err()
		}
		return mcp.NewToolResultText("done"), nil
	})
	u.AddResource(mcp.NewResource("test://long", "long", mcp.WithMIMEType("text/plain")), func(context.Context, mcp.ReadResourceRequest) ([]mcp.ResourceContents, error) {
		return []mcp.ResourceContents{mcp.TextResourceContents{URI: "test://long", MIMEType: "text/plain", Text: longText}}, nil
	})
	u.AddPrompt(mcp.NewPrompt("hello", mcp.WithPromptDescription("says hello")), func(context.Context, mcp.GetPromptRequest) (*mcp.GetPromptResult, error) {
		return mcp.NewGetPromptResult("d", []mcp.PromptMessage{mcp.NewPromptMessage(mcp.RoleUser, mcp.NewTextContent("hello"))}), nil
	})
	return u
}

// proxied is a client of a proxy in front of u.
func proxied(t *testing.T, u *upstream, c core.Compressor, opts *ProxyOptions) (*client.Client, *Proxy) {
	t.Helper()
	srv := httptest.NewServer(server.NewStreamableHTTPServer(u.MCPServer, server.WithStateful(true)))
	t.Cleanup(srv.Close)
	t.Cleanup(srv.CloseClientConnections)
	return newProxy(t, Upstream{URL: srv.URL + "/mcp"}, c, opts)
}

func newProxy(t *testing.T, up Upstream, c core.Compressor, opts *ProxyOptions) (*client.Client, *Proxy) {
	t.Helper()
	if opts == nil {
		opts = &ProxyOptions{}
	}
	opts.Logger = slog.New(slog.DiscardHandler)
	p, err := NewProxy(t.Context(), up, c, opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := p.Close(); err != nil {
			t.Error(err)
		}
	})
	return connect(t, transport.NewInProcessTransport(p.MCP())), p
}

// rawTools lists the tools that a client sees, as JSON, by name.
func rawTools(t *testing.T, c *client.Client) map[string]map[string]any {
	t.Helper()
	res, err := c.GetTransport().SendRequest(t.Context(), transport.JSONRPCRequest{JSONRPC: "2.0", ID: mcp.NewRequestId("raw"), Method: "tools/list", Params: map[string]any{}})
	if err != nil || res.Error != nil {
		t.Fatal(err, res)
	}
	var list struct{ Tools []map[string]any }
	if err := json.Unmarshal(res.Result, &list); err != nil {
		t.Fatal(err)
	}
	out := map[string]map[string]any{}
	for _, tool := range list.Tools {
		out[tool["name"].(string)] = tool
	}
	return out
}

// TestProxyList compares what is offered before and after.
func TestProxyList(t *testing.T) {
	u := newUpstream()
	c, _ := proxied(t, u, pipeline(), &ProxyOptions{Rules: []Rule{{Tool: "hid*", Action: ActionHide}}})
	before, after := rawTools(t, connect(t, transport.NewInProcessTransport(u.MCPServer))), rawTools(t, c)
	if after[tools.ExpandContext] == nil || after["hidden"] != nil {
		t.Errorf("tools %v", after)
	}
	delete(after, tools.ExpandContext)
	delete(before, "hidden")
	if !reflect.DeepEqual(before, after) {
		t.Errorf("before %v\nafter %v", before, after)
	}
}

func TestProxyResults(t *testing.T) {
	u := newUpstream()
	c, p := proxied(t, u, pipeline(), &ProxyOptions{Keep: true, Budget: 200, Rules: []Rule{{Tool: "typed", Instruction: "rent {{.Args.z}}", Budget: 100}}})
	res := call(t, c, "long", `{"z":12345678901234567890,"_keep":"rent due third"}`)
	if got := <-u.args; got != `{"z":12345678901234567890}` {
		t.Errorf("forwarded %s", got)
	}
	text := textOf(t, res)
	if !strings.Contains(text, "rent is due on the third.") || len(text) > 2000 || !strings.Contains(text, "[cprs] shortened ") {
		t.Fatalf("shortened to %s", text)
	}
	_, uri, _ := strings.Cut(text, "full text: ")
	uri, _, _ = strings.Cut(uri, ";")
	if more := textOf(t, call(t, c, tools.ExpandContext, `{"handle":"`+uri+`","lines":"1000-1001"}`)); !strings.Contains(more, "fine that day.\nrent is due on the third.") {
		t.Errorf("expanded %s", more)
	}
	if text := textOf(t, call(t, c, "trap", `{"a":1}`)); len(text) > 2000 {
		t.Errorf("without _keep: %d bytes", len(text))
	}
	if text := textOf(t, call(t, c, "short", `{}`)); text != "short" {
		t.Error(text)
	}
	if text := textOf(t, call(t, c, "json", `{}`)); !json.Valid([]byte(text)) || len(text) < 50_000 {
		t.Errorf("JSON of %d bytes", len(text))
	}
	if res := call(t, c, "failing", `{}`); !res.IsError || textOf(t, res) != longText {
		t.Error("an error was changed")
	}
	res = call(t, c, "mixed", `{}`)
	if res.Content[0].(mcp.ImageContent).Data != "AAAA" || res.Content[2].(mcp.ResourceLink).URI != "file:///a" || len(res.Content[1].(mcp.TextContent).Text) > 2000 {
		t.Errorf("%+v", res)
	}
	res = call(t, c, "typed", `{"z":7}`)
	if string(res.RawStructuredContent) != `{"n":12345678901234567890}` || len(textOf(t, res)) > 1500 {
		t.Errorf("%+v", res)
	}
	if s := p.Stats(); s.Shortened != 4 || s.Failed != 0 || s.TokensOut >= s.TokensIn {
		t.Errorf("%+v", s)
	}
}

// TestProxyKeep checks which schemas get _keep.
func TestProxyKeep(t *testing.T) {
	c, _ := proxied(t, newUpstream(), pipeline(), &ProxyOptions{Keep: true})
	all := rawTools(t, c)
	if _, ok := all["long"]["inputSchema"].(map[string]any)["properties"].(map[string]any)[keepArgument]; !ok {
		t.Error("long has no _keep")
	}
	if all["trap"]["inputSchema"].(map[string]any)["properties"] != nil {
		t.Error("trap has properties")
	}
	for _, schema := range []string{trapSchema, `{"type":"object","properties":{"_keep":{}}}`, `{"type":"array"}`, `true`, `{"type":"object","minProperties":1}`, `{"type":"object","properties":[]}`} {
		if got, ok := withKeep(json.RawMessage(schema)); ok || string(got) != schema {
			t.Errorf("%s becomes %s", schema, got)
		}
	}
}

func TestProxyStructuredDrop(t *testing.T) {
	c, _ := proxied(t, newUpstream(), pipeline(), &ProxyOptions{Structured: StructuredDrop})
	if rawTools(t, c)["typed"]["outputSchema"] != nil {
		t.Error("the output schema is there still")
	}
	if res := call(t, c, "typed", `{}`); res.StructuredContent != nil {
		t.Errorf("%+v", res)
	}
}

// TestProxyFailOpen breaks the compressor in each way.
func TestProxyFailOpen(t *testing.T) {
	for name, c := range map[string]compressor{
		"error":   func(context.Context, core.Request) (*core.Result, error) { return nil, errors.New("broken") },
		"panic":   func(context.Context, core.Request) (*core.Result, error) { panic("broken") },
		"timeout": func(ctx context.Context, _ core.Request) (*core.Result, error) { <-ctx.Done(); return nil, ctx.Err() },
		"partial": func(context.Context, core.Request) (*core.Result, error) {
			return &core.Result{Status: core.Partial}, nil
		},
		"passed": func(context.Context, core.Request) (*core.Result, error) {
			return &core.Result{Status: core.PassedThrough}, nil
		},
	} {
		t.Run(name, func(t *testing.T) {
			cl, p := proxied(t, newUpstream(), c, &ProxyOptions{ShortenTime: 10 * time.Millisecond})
			if text := textOf(t, call(t, cl, "long", `{}`)); text != longText {
				t.Error("the result was changed")
			}
			if s := p.Stats(); s.Shortened != 0 || (s.Failed == 1) == (name == "passed") {
				t.Errorf("%+v", s)
			}
		})
	}
}

// TestProxyProgress passes progress under the host's own token, and cancellation.
func TestProxyProgress(t *testing.T) {
	u := newUpstream()
	_, p := proxied(t, u, pipeline(), nil)
	c := connect(t, pipes(t, p.Server))
	seen := make(chan mcp.JSONRPCNotification, 10)
	c.OnNotification(func(n mcp.JSONRPCNotification) { seen <- n })
	req := request("slow", `{}`)
	req.Params.Meta = &mcp.Meta{ProgressToken: "mine"}
	if _, err := c.CallTool(t.Context(), req); err != nil {
		t.Fatal(err)
	}
	for want := 1.0; want <= 3; want++ {
		select {
		case n := <-seen:
			if f := n.Params.AdditionalFields; f["progressToken"] != "mine" || f["progress"] != want || f["message"] != "m" {
				t.Errorf("progress %v, want %v", f, want)
			}
		case <-time.After(time.Second):
			t.Fatalf("progress %v is missing", want)
		}
	}
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	if _, err := c.CallTool(ctx, request("slow", `{"wait":"yes"}`)); err == nil {
		t.Error("the cancelled call has a result")
	}
	select {
	case <-u.ended:
	case <-time.After(5 * time.Second):
		t.Error("the upstream server was not told")
	}
}

// TestProxyChanges adds a tool upstream, and reads resources and prompts.
func TestProxyChanges(t *testing.T) {
	u := newUpstream()
	c, _ := proxied(t, u, pipeline(), nil)
	var read mcp.ReadResourceRequest
	read.Params.URI = "test://long"
	got, err := c.ReadResource(t.Context(), read)
	if err != nil {
		t.Fatal(err)
	}
	if text := got.Contents[0].(mcp.TextResourceContents).Text; len(text) > 20_000 || !strings.Contains(text, "[cprs] shortened") {
		t.Errorf("resource of %d bytes", len(text))
	}
	var get mcp.GetPromptRequest
	get.Params.Name = "hello"
	if res, err := c.GetPrompt(t.Context(), get); err != nil || res.Messages[0].Content.(mcp.TextContent).Text != "hello" {
		t.Errorf("prompt %+v, %v", res, err)
	}
	// The upstream server hears of listeners some time after the handshake: change until it is seen.
	for i := range 200 {
		if rawTools(t, c)["late0"] != nil {
			return
		}
		u.AddTool(mcp.NewTool(fmt.Sprintf("late%d", i)), func(context.Context, mcp.CallToolRequest) (*mcp.CallToolResult, error) {
			return mcp.NewToolResultText("late"), nil
		})
		time.Sleep(20 * time.Millisecond)
	}
	t.Error("the new tool is not offered")
}

// TestProxyEverything stands in front of the everything example of mcp-go on stdio, and starts it anew when it dies.
func TestProxyEverything(t *testing.T) {
	bin := filepath.Join(t.TempDir(), "everything")
	if out, err := exec.Command("go", "build", "-o", bin, "github.com/mark3labs/mcp-go/examples/everything").CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	t.Setenv("CPRS_TOKEN", "secret")
	direct := connect(t, transport.NewStdio(bin, os.Environ()))
	c, p := newProxy(t, Upstream{Command: []string{bin}}, pipeline(), nil)
	before, after := rawTools(t, direct), rawTools(t, c)
	delete(after, tools.ExpandContext)
	for _, tool := range before {
		delete(tool, "execution")
	}
	if len(before) < 3 || !reflect.DeepEqual(before, after) {
		t.Errorf("before %v\nafter %v", before, after)
	}
	if text := textOf(t, call(t, c, "echo", `{"message":"hi"}`)); !strings.Contains(text, "hi") {
		t.Error(text)
	}
	if env := p.link.up.environ(); slices.ContainsFunc(env, func(v string) bool { return strings.Contains(v, "secret") }) {
		t.Error("the program is given our token")
	}
	p.link.mu.Lock()
	p.link.c.Close()
	p.link.mu.Unlock()
	if res, err := c.CallTool(t.Context(), request("echo", `{"message":"hi"}`)); err != nil || !strings.HasPrefix(textOf(t, res), "[upstream_lost]") {
		t.Errorf("%+v, %v", res, err)
	}
	for range 100 {
		if res, err := c.CallTool(t.Context(), request("echo", `{"message":"hi"}`)); err == nil && !res.IsError {
			return
		}
		time.Sleep(50 * time.Millisecond)
	}
	t.Error("the server was not started anew")
}

func TestParseRules(t *testing.T) {
	rules, err := ParseRules([]byte(`[{"tool":"read_*","budget":1000,"instruction":"{{.Args.path}}"},{"tool":"x","action":"pass"}]`))
	if err != nil || len(rules) != 2 || rules[1].Action != ActionPass {
		t.Errorf("%+v, %v", rules, err)
	}
	for _, bad := range []string{`{}`, `[{"tol":"x"}]`} {
		if _, err := ParseRules([]byte(bad)); err == nil {
			t.Error(bad)
		}
	}
	for _, bad := range []Rule{{}, {Tool: "["}, {Tool: "x", Action: "drop"}, {Tool: "x", Budget: 1}, {Tool: "x", Instruction: "{{"}} {
		var known *core.Error
		if _, err := NewProxy(t.Context(), Upstream{}, pipeline(), &ProxyOptions{Rules: []Rule{bad}}); !errors.As(err, &known) {
			t.Errorf("%+v: %v", bad, err)
		}
	}
}
