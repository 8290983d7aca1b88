package mcpserver

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/mark3labs/mcp-go/client"
	"github.com/mark3labs/mcp-go/client/transport"
	"github.com/mark3labs/mcp-go/mcp"
	"github.com/mark3labs/mcp-go/server"
	"github.com/tiktoken-go/tokenizer"

	"github.com/cprs-go/cprs/core"
	"github.com/cprs-go/cprs/core/critic/critictest"
	"github.com/cprs-go/cprs/core/source"
	"github.com/cprs-go/cprs/tools"
)

// compressor is a Compressor made of a function.
type compressor func(ctx context.Context, req core.Request) (*core.Result, error)

func (f compressor) Compress(ctx context.Context, req core.Request) (*core.Result, error) {
	return f(ctx, req)
}

// pipeline keeps the units whose words are in the instruction.
func pipeline() core.Compressor {
	return core.NewPipeline(core.PipelineOptions{
		Critic: critictest.Match(2), Layout: critictest.Layout(64), Tokenizer: critictest.Tokenizer{}, ID: "match", Hash: "0", Threshold: 0.5,
	})
}

// kept is a result that keeps one word.
func kept(req core.Request) *core.Result {
	res := &core.Result{Text: "kept", Stats: core.Stats{TokensIn: 10, TokensOut: 1}}
	for _, d := range req.Documents {
		res.Documents = append(res.Documents, core.DocumentResult{ID: d.ID, Tokens: 10})
	}
	return res
}

// blocked is a Compressor that holds every call until it is cancelled; begun gets one value a call.
func blocked(begun chan<- string) core.Compressor {
	return compressor(func(ctx context.Context, req core.Request) (*core.Result, error) {
		begun <- req.Instruction
		<-ctx.Done()
		return nil, ctx.Err()
	})
}

// slow reports progress ten times, at half the rate that is let through.
func slow(ctx context.Context, req core.Request) (*core.Result, error) {
	for i := int64(1); i <= 10 && req.Progress != nil; i++ {
		req.Progress(i<<20, 10<<20)
		time.Sleep(progressEvery / 5)
	}
	return kept(req), ctx.Err()
}

func newServer(t testing.TB, c core.Compressor, opts *Options) *Server {
	t.Helper()
	if opts == nil {
		opts = &Options{}
	}
	opts.Logger = slog.New(slog.DiscardHandler)
	s, err := New(c, opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// folder is a resolver for a folder with one long text.
func folder(t testing.TB) *source.Resolver {
	t.Helper()
	dir := t.TempDir()
	text := strings.Repeat("the weather was fine that day.\n", 300) + "rent is due on the third of the month.\n" + strings.Repeat("nothing else happened.\n", 300)
	for name, content := range map[string]string{"lease.txt": text, "notes/a.md": "# A\n\nrent again.\n"} {
		if err := os.MkdirAll(filepath.Join(dir, filepath.Dir(name)), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	r, err := source.New(&source.Options{Roots: []source.Root{{Dir: dir}}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.Close() })
	return r
}

// pipes are a client's transport to a server on stdio.
func pipes(t *testing.T, s *Server) transport.Interface {
	t.Helper()
	serverIn, toServer := io.Pipe()
	fromServer, serverOut := io.Pipe()
	done := make(chan error, 1)
	go func() { done <- serveStdio(context.Background(), s.MCP(), serverIn, serverOut, 8, s.opt.Logger) }()
	t.Cleanup(func() {
		toServer.Close()
		serverOut.Close()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return transport.NewIO(fromServer, toServer, io.NopCloser(strings.NewReader("")))
}

// overHTTP is a client's transport to a server on HTTP.
func overHTTP(t *testing.T, s *Server, opts ...transport.StreamableHTTPCOption) transport.Interface {
	t.Helper()
	srv := httptest.NewServer(s.Handler())
	t.Cleanup(srv.Close)
	tr, err := transport.NewStreamableHTTP(srv.URL+Endpoint, opts...)
	if err != nil {
		t.Fatal(err)
	}
	return tr
}

func connect(t *testing.T, tr transport.Interface, opts ...client.ClientOption) *client.Client {
	t.Helper()
	c := client.NewClient(tr, opts...)
	if err := c.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	if _, err := c.Initialize(t.Context(), mcp.InitializeRequest{Params: mcp.InitializeParams{ClientInfo: mcp.Implementation{Name: "test", Version: "1"}}}); err != nil {
		t.Fatal(err)
	}
	return c
}

func inProcess(t *testing.T, s *Server) *client.Client {
	t.Helper()
	return connect(t, transport.NewInProcessTransport(s.MCP()))
}

func request(tool, args string) mcp.CallToolRequest {
	var req mcp.CallToolRequest
	req.Params.Name, req.Params.Arguments = tool, json.RawMessage(args)
	return req
}

// textOf is the text of a result, which has nothing else.
func textOf(t *testing.T, res *mcp.CallToolResult) string {
	t.Helper()
	if len(res.Content) != 1 {
		t.Fatalf("%d parts of content", len(res.Content))
	}
	return res.Content[0].(mcp.TextContent).Text
}

func call(t *testing.T, c *client.Client, tool, args string) *mcp.CallToolResult {
	t.Helper()
	res, err := c.CallTool(t.Context(), request(tool, args))
	if err != nil {
		t.Fatal(err)
	}
	return res
}

// TestList checks what a host learns before the first call, and what it costs.
func TestList(t *testing.T) {
	s := newServer(t, pipeline(), &Options{Options: tools.Options{Sources: folder(t)}})
	list, err := inProcess(t, s).ListTools(t.Context(), mcp.ListToolsRequest{})
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, tool := range list.Tools {
		names = append(names, tool.Name)
		a := tool.Annotations
		if !*a.ReadOnlyHint || *a.DestructiveHint || !*a.IdempotentHint || *a.OpenWorldHint || tool.Title == "" {
			t.Errorf("%s: annotations %+v, title %q", tool.Name, a, tool.Title)
		}
		if len(tool.Description) > 2<<10 {
			t.Errorf("%s: its description has %d bytes, a host cuts it", tool.Name, len(tool.Description))
		}
	}
	if want := []string{tools.CompressContext, tools.ExpandContext, tools.ListSources}; !slices.Equal(names, want) {
		t.Errorf("tools %v, want %v", names, want)
	}
	if len(instructions) > 2<<10 {
		t.Errorf("the instructions have %d bytes, a host cuts them", len(instructions))
	}
}

// mostListTokens is what the whole answer to tools/list may cost, of which hosts show a model a part.
const mostListTokens = 1200

// TestListTokens counts the answer to tools/list as it comes over HTTP, in both eras of the protocol.
func TestListTokens(t *testing.T) {
	codec, err := tokenizer.Get(tokenizer.O200kBase)
	if err != nil {
		t.Fatal(err)
	}
	srv := httptest.NewServer(newServer(t, pipeline(), &Options{Options: tools.Options{Sources: folder(t)}}).Handler())
	defer srv.Close()
	for _, version := range []string{mcp.LATEST_LEGACY_PROTOCOL_VERSION, mcp.LATEST_PROTOCOL_VERSION} {
		message, session := `{"jsonrpc":"2.0","id":1,"method":"tools/list","params":{"_meta":{"io.modelcontextprotocol/protocolVersion":"`+version+
			`","io.modelcontextprotocol/clientCapabilities":{},"io.modelcontextprotocol/clientInfo":{"name":"t","version":"1"}}}}`, ""
		if version == mcp.LATEST_LEGACY_PROTOCOL_VERSION {
			res, _ := exchange(t, srv.URL, version, "", `{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"`+version+`","capabilities":{},"clientInfo":{"name":"t","version":"1"}}}`)
			message, session = `{"jsonrpc":"2.0","id":1,"method":"tools/list"}`, res.Header.Get(server.HeaderKeySessionID)
		}
		_, answer := exchange(t, srv.URL, version, session, message)
		n, err := codec.Count(answer)
		t.Logf("tools/list in %s: %d tokens, o200k", version, n)
		if err != nil || n >= mostListTokens || !strings.Contains(answer, `"list_sources"`) {
			t.Errorf("%s: %d tokens, %v: %s", version, n, err, answer)
		}
	}
}

// exchange posts a message as a client without an SDK would.
func exchange(t *testing.T, url, version, session, message string) (*http.Response, string) {
	t.Helper()
	req, err := http.NewRequest(http.MethodPost, url, strings.NewReader(message))
	if err != nil {
		t.Fatal(err)
	}
	for name, value := range map[string]string{"Content-Type": "application/json", "Accept": "application/json, text/event-stream", "Mcp-Protocol-Version": version,
		"Mcp-Method": "tools/list", server.HeaderKeySessionID: session} {
		if value != "" {
			req.Header.Set(name, value)
		}
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res, string(body)
}

// TestTransports calls the tools in every revision of the protocol, on every transport.
func TestTransports(t *testing.T) {
	versions := append(mcp.LegacyProtocolVersions(), mcp.LATEST_PROTOCOL_VERSION)
	for _, name := range []string{"in process", "stdio", "HTTP"} {
		for _, version := range versions {
			t.Run(name+" "+version, func(t *testing.T) {
				s := newServer(t, pipeline(), &Options{Options: tools.Options{Sources: folder(t), Threshold: 0.6}})
				var tr transport.Interface
				switch name {
				case "in process":
					tr = transport.NewInProcessTransport(s.MCP())
				case "stdio":
					tr = pipes(t, s)
				case "HTTP":
					tr = overHTTP(t, s)
				}
				c := connect(t, tr, client.WithProtocolVersion(version))
				if got := c.ProtocolVersion(); got != version {
					t.Fatalf("speaks %s", got)
				}
				res := call(t, c, tools.CompressContext, `{"instruction":"rent due third month","paths":["lease.txt"]}`)
				text := textOf(t, res)
				if res.IsError || !strings.Contains(text, "[lease.txt:") || !strings.Contains(text, "rent is due on the third") || len(text) > 1000 {
					t.Fatalf("answer %s", text)
				}
				structured := res.StructuredContent.(map[string]any)
				if !strings.HasPrefix(text, structured["context"].(string)) || structured["status"] != "compressed" {
					t.Errorf("structured %v", structured)
				}
				handle := structured["handle"].(string)
				more := textOf(t, call(t, c, tools.ExpandContext, `{"handle":"`+handle+`","lines":"299-300"}`))
				if !strings.Contains(more, "the weather was fine that day.\nthe weather was fine that day.") {
					t.Errorf("expanded %s", more)
				}
				if res := call(t, c, tools.CompressContext, `{"instruction":"x","path":"lease.txt"}`); !res.IsError || !strings.Contains(textOf(t, res), `did you mean`) {
					t.Errorf("a wrong field gives %s", textOf(t, res))
				}
			})
		}
	}
}

// TestProgress wants progress in order, throttled, before the result, on both transports.
func TestProgress(t *testing.T) {
	for _, name := range []string{"stdio", "HTTP"} {
		t.Run(name, func(t *testing.T) {
			s := newServer(t, compressor(slow), nil)
			var tr transport.Interface
			if name == "stdio" {
				tr = pipes(t, s)
			} else {
				tr = overHTTP(t, s)
			}
			c := connect(t, tr)
			var mu sync.Mutex
			var seen []float64
			c.OnNotification(func(n mcp.JSONRPCNotification) {
				mu.Lock()
				defer mu.Unlock()
				if n.Method == "notifications/progress" && n.Params.AdditionalFields["progressToken"] == "t" {
					seen = append(seen, n.Params.AdditionalFields["progress"].(float64))
				}
			})
			req := request(tools.CompressContext, `{"instruction":"x","documents":"text"}`)
			req.Params.Meta = &mcp.Meta{ProgressToken: "t"}
			if _, err := c.CallTool(t.Context(), req); err != nil {
				t.Fatal(err)
			}
			mu.Lock()
			defer mu.Unlock()
			if len(seen) < 2 || len(seen) > 4 || !slices.IsSorted(seen) {
				t.Errorf("progress before the result: %v", seen)
			}
		})
	}
}

// TestCancel cancels a call on each transport: the critic is told, and the connection goes on.
func TestCancel(t *testing.T) {
	for _, name := range []string{"stdio", "HTTP", "HTTP 2025-11-25"} {
		t.Run(name, func(t *testing.T) {
			begun, ended := make(chan string, 1), make(chan error, 1)
			s := newServer(t, compressor(func(ctx context.Context, req core.Request) (*core.Result, error) {
				if req.Instruction != "wait" {
					return kept(req), nil
				}
				begun <- req.Instruction
				<-ctx.Done()
				ended <- ctx.Err()
				return nil, ctx.Err()
			}), nil)
			var c *client.Client
			switch name {
			case "stdio":
				c = connect(t, pipes(t, s))
			case "HTTP":
				c = connect(t, overHTTP(t, s))
			default:
				c = connect(t, overHTTP(t, s), client.WithProtocolVersion(mcp.LATEST_LEGACY_PROTOCOL_VERSION))
			}
			ctx, cancel := context.WithCancel(t.Context())
			go func() { <-begun; cancel() }()
			if _, err := c.CallTool(ctx, request(tools.CompressContext, `{"instruction":"wait","documents":"text"}`)); err == nil {
				t.Error("the cancelled call has a result")
			}
			select {
			case err := <-ended:
				if err != context.Canceled {
					t.Error(err)
				}
			case <-time.After(10 * time.Second):
				t.Fatal("the critic was not told")
			}
			if res := call(t, c, tools.CompressContext, `{"instruction":"go","documents":"text"}`); res.IsError {
				t.Error(textOf(t, res))
			}
		})
	}
}

// TestGate fills the places and the queue: the next call is told to come later, and those that wait get their turn.
func TestGate(t *testing.T) {
	begun, release := make(chan string, 10), make(chan bool)
	s := newServer(t, compressor(func(ctx context.Context, req core.Request) (*core.Result, error) {
		begun <- req.Instruction
		<-release
		return kept(req), nil
	}), &Options{Concurrency: 2, Queue: 1})
	c := inProcess(t, s)
	results := make(chan *mcp.CallToolResult, 3)
	for range 3 {
		go func() {
			res, _ := c.CallTool(context.Background(), request(tools.CompressContext, `{"instruction":"x","documents":"text"}`))
			results <- res
		}()
	}
	<-begun
	<-begun
	for s.gate.Inside() < 3 {
		time.Sleep(time.Millisecond)
	}
	res := call(t, c, tools.CompressContext, `{"instruction":"x","documents":"text"}`)
	if text := textOf(t, res); !res.IsError || !strings.HasPrefix(text, "[busy] 2 calls are running and 1 are waiting") {
		t.Errorf("the fourth call: %s", text)
	}
	close(release)
	for range 3 {
		if res := <-results; res == nil || res.IsError {
			t.Errorf("a call that waited: %+v", res)
		}
	}
	if n := s.gate.Inside(); n != 0 {
		t.Errorf("%d calls are left inside", n)
	}
}

func TestTimeout(t *testing.T) {
	s := newServer(t, blocked(make(chan string, 1)), &Options{Timeout: 10 * time.Millisecond})
	res := call(t, inProcess(t, s), tools.CompressContext, `{"instruction":"x","documents":"text"}`)
	if text := textOf(t, res); !res.IsError || !strings.HasPrefix(text, "[deadline] The time limit of 10ms passed.") {
		t.Error(text)
	}
}

// TestFaults are those of ours: a model learns what to do, not what broke.
func TestFaults(t *testing.T) {
	var log strings.Builder
	s, err := New(compressor(func(context.Context, core.Request) (*core.Result, error) { return nil, errors.New("private detail") }),
		&Options{Logger: slog.New(slog.NewTextHandler(&log, nil))})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	res := call(t, inProcess(t, s), tools.CompressContext, `{"instruction":"private ask","documents":"text"}`)
	if text := textOf(t, res); !res.IsError || !strings.HasPrefix(text, "[internal]") || strings.Contains(text, "private") {
		t.Error(text)
	}
	if strings.Contains(log.String(), "private") || !strings.Contains(log.String(), "a tool failed") {
		t.Errorf("log: %s", log.String())
	}
}

// TestOptions leaves tools out, renames them and drops structured results.
func TestOptions(t *testing.T) {
	s := newServer(t, pipeline(), &Options{Options: tools.Options{Sources: folder(t)}, Tools: []string{tools.CompressContext}, ToolPrefix: "x_", NoStructured: true})
	c := inProcess(t, s)
	list, err := c.ListTools(t.Context(), mcp.ListToolsRequest{})
	if err != nil {
		t.Fatal(err)
	}
	if len(list.Tools) != 1 || list.Tools[0].Name != "x_compress_context" || list.Tools[0].RawOutputSchema != nil {
		t.Errorf("%+v", list.Tools)
	}
	if res := call(t, c, "x_compress_context", `{"instruction":"rent","paths":["lease.txt"]}`); res.IsError || res.StructuredContent != nil {
		t.Errorf("%+v", res)
	}
	var known *core.Error
	if _, err := New(pipeline(), &Options{Tools: []string{tools.ListSources}}); !errors.As(err, &known) {
		t.Errorf("a tool that cannot be: %v", err)
	}
}

// TestRegister adds the tools to a server of somebody else, once.
func TestRegister(t *testing.T) {
	s := newServer(t, pipeline(), nil)
	other := server.NewMCPServer("other", "1")
	if err := s.Register(other); err != nil {
		t.Fatal(err)
	}
	if err := s.Register(other); err == nil {
		t.Error("twice the same names")
	}
	c := connect(t, transport.NewInProcessTransport(other))
	if res := call(t, c, tools.CompressContext, `{"instruction":"rent","documents":"rent is due"}`); res.IsError {
		t.Error(textOf(t, res))
	}
}

// TestOriginals reads an original as a resource and completes its URI.
func TestOriginals(t *testing.T) {
	s := newServer(t, pipeline(), &Options{Options: tools.Options{Sources: folder(t)}})
	c := inProcess(t, s)
	res := call(t, c, tools.CompressContext, `{"instruction":"rent","paths":["lease.txt"],"max_tokens":64}`)
	handle := res.StructuredContent.(map[string]any)["handle"].(string)
	var read mcp.ReadResourceRequest
	read.Params.URI = tools.URI(handle, "lease.txt")
	got, err := c.ReadResource(t.Context(), read)
	if err != nil {
		t.Fatal(err)
	}
	if text := got.Contents[0].(mcp.TextResourceContents).Text; !strings.Contains(text, "the third of the month") || len(text) < 10_000 {
		t.Errorf("original of %d bytes", len(text))
	}
	read.Params.URI = tools.URI("nosuch", "lease.txt")
	if _, err := c.ReadResource(t.Context(), read); err == nil || !strings.Contains(err.Error(), "there is no handle") {
		t.Errorf("a handle that never was: %v", err)
	}
	for _, q := range []struct {
		ref         any
		name, value string
		known       map[string]string
		want        []string
	}{
		{mcp.ResourceReference{Type: "ref/resource", URI: originals}, "handle", handle[:3], nil, []string{handle}},
		{mcp.ResourceReference{Type: "ref/resource", URI: originals}, "handle", "-", nil, nil},
		{mcp.ResourceReference{Type: "ref/resource", URI: originals}, "source", "le", map[string]string{"handle": handle}, []string{"lease.txt"}},
		{mcp.PromptReference{Type: "ref/prompt", Name: compressFiles}, "paths", "lea", nil, []string{"lease.txt"}},
		{mcp.PromptReference{Type: "ref/prompt", Name: compressFiles}, "paths", "lease.txt, notes/", nil, []string{"lease.txt,notes/a.md"}},
		{mcp.PromptReference{Type: "ref/prompt", Name: compressFiles}, "paths", "../", nil, nil},
		{mcp.PromptReference{Type: "ref/prompt", Name: compressFiles}, "instruction", "a", nil, nil},
	} {
		var req mcp.CompleteRequest
		req.Params.Ref, req.Params.Argument, req.Params.Context = q.ref, mcp.CompleteArgument{Name: q.name, Value: q.value}, mcp.CompleteContext{Arguments: q.known}
		res, err := c.Complete(t.Context(), req)
		if err != nil {
			t.Errorf("%s %q: %v", q.name, q.value, err)
		} else if !slices.Equal(res.Completion.Values, q.want) {
			t.Errorf("%s %q completes to %q, want %q", q.name, q.value, res.Completion.Values, q.want)
		}
	}
}

func TestPrompt(t *testing.T) {
	c := inProcess(t, newServer(t, pipeline(), nil))
	var req mcp.GetPromptRequest
	req.Params.Name = compressFiles
	req.Params.Arguments = map[string]string{"instruction": `the "rent"`, "paths": "a.md, b/**"}
	res, err := c.GetPrompt(t.Context(), req)
	if err != nil {
		t.Fatal(err)
	}
	if text := res.Messages[0].Content.(mcp.TextContent).Text; !strings.Contains(text, `{"instruction":"the \"rent\"","paths":["a.md","b/**"]}`) {
		t.Error(text)
	}
	req.Params.Arguments = map[string]string{"instruction": "x", "paths": " , "}
	if _, err := c.GetPrompt(t.Context(), req); err == nil {
		t.Error("no paths, and a prompt")
	}
}

// TestLazy answers a host at once and a call when the critic is there.
func TestLazy(t *testing.T) {
	open := make(chan bool)
	l := tools.NewLazy(func(ctx context.Context) (core.Compressor, error) { <-open; return pipeline(), nil })
	c := inProcess(t, newServer(t, l, nil))
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	if res, err := c.CallTool(ctx, request(tools.CompressContext, `{"instruction":"x","documents":"text"}`)); err == nil && !res.IsError {
		t.Error("a call before there is a critic")
	}
	close(open)
	if res := call(t, c, tools.CompressContext, `{"instruction":"x","documents":"text"}`); res.IsError {
		t.Error(textOf(t, res))
	}
	if err := l.Close(); err != nil {
		t.Error(err)
	}
	broken := tools.NewLazy(func(context.Context) (core.Compressor, error) {
		return nil, &core.Error{Code: core.CodeCriticFailed, Message: "damaged", Hint: "install it anew"}
	})
	res := call(t, inProcess(t, newServer(t, broken, nil)), tools.CompressContext, `{"instruction":"x","documents":"text"}`)
	if text := textOf(t, res); !strings.HasPrefix(text, "[critic_failed] damaged. Install it anew.") {
		t.Error(text)
	}
}
