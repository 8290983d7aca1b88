// Package clienttest holds the server against the client of the official Go SDK, which shares no code with mcp-go. It is a
// module of its own, so that users of the server do not depend on a second SDK.
package clienttest

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/modelcontextprotocol/go-sdk/mcp"
)

// bin holds the programs under test, built from the module around this one.
var bin struct{ server, cprs string }

func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "clienttest")
	if err == nil {
		bin.server, bin.cprs = filepath.Join(dir, "testserver"), filepath.Join(dir, "cprs")
		build := exec.Command("go", "build", "-o", dir+string(filepath.Separator), "./mcpserver/internal/testserver", "./cmd/cprs")
		build.Dir, build.Stderr = filepath.Join("..", ".."), os.Stderr
		err = build.Run()
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "building the server:", err)
		os.Exit(1)
	}
	code := m.Run()
	os.RemoveAll(dir)
	os.Exit(code)
}

// root is a folder with a text of 20 MB and a small one.
func root(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	line := "the weather was fine that day, and nobody had anything to complain of.\n"
	big := strings.Repeat(line, 20_000_000/len(line)) + "rent falls due on Tuesday.\n" + line
	for name, text := range map[string]string{"big.txt": big, "small.md": strings.Repeat("# A\n\nnothing here.\n\n", 50) + "rent falls due on Friday.\n"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// progress collects what a client is told, by token.
type progress struct {
	mu   sync.Mutex
	seen map[any][]float64
}

func (p *progress) of(token any) []float64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.seen[token])
}

// connect starts a client and the server at the other end of a transport.
func connect(t *testing.T, transport mcp.Transport) (*mcp.ClientSession, *progress) {
	t.Helper()
	p := &progress{seen: map[any][]float64{}}
	client := mcp.NewClient(&mcp.Implementation{Name: "clienttest", Version: "1"}, &mcp.ClientOptions{
		ProgressNotificationHandler: func(_ context.Context, req *mcp.ProgressNotificationClientRequest) {
			p.mu.Lock()
			defer p.mu.Unlock()
			p.seen[req.Params.ProgressToken] = append(p.seen[req.Params.ProgressToken], req.Params.Progress)
		},
	})
	cs, err := client.Connect(t.Context(), transport, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { cs.Close() })
	return cs, p
}

// overHTTP starts the server on HTTP and is the way to it.
func overHTTP(t *testing.T, dir string, more ...string) mcp.Transport {
	t.Helper()
	cmd := exec.Command(bin.server, append([]string{"-root", dir, "-http"}, more...)...)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cmd.Process.Signal(os.Interrupt)
		if err := cmd.Wait(); err != nil {
			t.Errorf("the server ends with %v", err)
		}
	})
	url, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	return &mcp.StreamableClientTransport{Endpoint: strings.TrimSpace(url)}
}

func call(t *testing.T, cs *mcp.ClientSession, tool string, args map[string]any) (text string, structured map[string]any, isError bool) {
	t.Helper()
	res, err := cs.CallTool(t.Context(), &mcp.CallToolParams{Name: tool, Arguments: args})
	if err != nil {
		t.Fatal(err)
	}
	structured, _ = res.StructuredContent.(map[string]any)
	return res.Content[0].(*mcp.TextContent).Text, structured, res.IsError
}

// TestClient runs a whole session on both transports.
func TestClient(t *testing.T) {
	dir := root(t)
	for _, name := range []string{"stdio", "HTTP"} {
		t.Run(name, func(t *testing.T) {
			var transport mcp.Transport = &mcp.CommandTransport{Command: exec.Command(bin.server, "-root", dir)}
			if name == "HTTP" {
				transport = overHTTP(t, dir)
			}
			cs, p := connect(t, transport)
			if v := cs.InitializeResult().ProtocolVersion; v != "2026-07-28" {
				t.Errorf("the client speaks %s", v)
			}
			t.Run("list", func(t *testing.T) { list(t, cs) })
			t.Run("20 MB by path, expand, resource", func(t *testing.T) { large(t, cs) })
			t.Run("errors", func(t *testing.T) { faults(t, cs) })
			t.Run("progress", func(t *testing.T) { reports(t, cs, p) })
			t.Run("cancel", func(t *testing.T) { cancels(t, cs) })
		})
	}
}

func list(t *testing.T, cs *mcp.ClientSession) {
	res, err := cs.ListTools(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, tool := range res.Tools {
		names = append(names, tool.Name)
		if tool.InputSchema == nil || tool.OutputSchema == nil || !tool.Annotations.ReadOnlyHint {
			t.Errorf("%s: %+v", tool.Name, tool)
		}
	}
	if want := []string{"compress_context", "expand_context", "list_sources"}; !slices.Equal(names, want) {
		t.Errorf("tools %v", names)
	}
	text, structured, isError := call(t, cs, "list_sources", map[string]any{"pattern": "*.txt"})
	if isError || !strings.Contains(text, "big.txt") || len(structured["sources"].([]any)) != 1 {
		t.Errorf("sources: %s", text)
	}
}

func large(t *testing.T, cs *mcp.ClientSession) {
	began := time.Now()
	text, structured, isError := call(t, cs, "compress_context", map[string]any{"instruction": "rent falls due Tuesday", "paths": []string{"big.txt"}})
	t.Logf("20 MB by path in %v", time.Since(began).Round(time.Millisecond))
	if isError || !strings.Contains(text, "rent falls due on Tuesday.") || len(text) > 2000 {
		t.Fatalf("answer of %d bytes: %.2000s", len(text), text)
	}
	if structured["status"] != "compressed" || structured["tokens_in"].(float64) < 1e6 {
		t.Errorf("structured %v", structured)
	}
	handle := structured["handle"].(string)
	line := structured["sources"].([]any)[0].(map[string]any)["lines"].(string)
	text, _, isError = call(t, cs, "expand_context", map[string]any{"handle": handle, "lines": line})
	if isError || !strings.Contains(text, "rent falls due on Tuesday.") {
		t.Errorf("expanded: %s", text)
	}
	// A message of 20 MB would make this client break the connection off.
	if _, err := cs.ReadResource(t.Context(), &mcp.ReadResourceParams{URI: "ctx://" + handle + "/big.txt"}); err == nil || !strings.Contains(err.Error(), "call expand_context") {
		t.Errorf("reading 20 MB at once: %v", err)
	}
	_, structured, _ = call(t, cs, "compress_context", map[string]any{"instruction": "rent falls due Friday", "paths": []string{"small.md"}})
	small := structured["handle"].(string)
	res, err := cs.ReadResource(t.Context(), &mcp.ReadResourceParams{URI: "ctx://" + small + "/small.md"})
	if err != nil {
		t.Fatal(err)
	}
	if text := res.Contents[0].Text; !strings.HasPrefix(text, "# A\n\nnothing here.\n") || !strings.HasSuffix(text, "due on Friday.\n") {
		t.Errorf("the original is %s", text)
	}
	if _, err := cs.ReadResource(t.Context(), &mcp.ReadResourceParams{URI: "ctx://nosuch/big.txt"}); err == nil {
		t.Error("a handle that never was")
	}
	completed, err := cs.Complete(t.Context(), &mcp.CompleteParams{
		Ref: &mcp.CompleteReference{Type: "ref/resource", URI: "ctx://{handle}/{source}"}, Argument: mcp.CompleteParamsArgument{Name: "handle", Value: handle[:4]},
	})
	if err != nil || !slices.Contains(completed.Completion.Values, handle) {
		t.Errorf("completion %+v, %v", completed, err)
	}
}

func faults(t *testing.T, cs *mcp.ClientSession) {
	for args, want := range map[string]string{
		`{"instruction":"x","paths":["../etc/passwd"]}`:   "[outside_roots]",
		`{"instruction":"x","paths":["nosuch.txt"]}`:      "[not_found]",
		`{"instruction":"x"}`:                             "[invalid_argument]",
		`{"instruction":"x","pathz":["big.txt"]}`:         `did you mean "paths"`,
		`{"instruction":"x","max_tokens":1,"paths":"a"}`:  "[invalid_argument]",
		`{"instruction":"x","uris":["ctx://nosuch/a"]}`:   "[not_found]",
		`{"instruction":"x","documents":[{"tekst":"a"}]}`: `unknown field "tekst"`,
	} {
		var a map[string]any
		if err := json.Unmarshal([]byte(args), &a); err != nil {
			t.Fatal(err)
		}
		if text, _, isError := call(t, cs, "compress_context", a); !isError || !strings.Contains(text, want) {
			t.Errorf("%s: %s", args, text)
		}
	}
	if _, err := cs.CallTool(t.Context(), &mcp.CallToolParams{Name: "nosuch"}); err == nil {
		t.Error("a tool that is none")
	}
}

func reports(t *testing.T, cs *mcp.ClientSession, p *progress) {
	params := &mcp.CallToolParams{Name: "compress_context", Arguments: map[string]any{"instruction": "rent", "query": "slowly", "paths": []string{"small.md"}}}
	params.SetProgressToken("slow")
	if _, err := cs.CallTool(t.Context(), params); err != nil {
		t.Fatal(err)
	}
	seen := p.of("slow")
	if len(seen) < 4 || len(seen) > 12 || !slices.IsSorted(seen) {
		t.Errorf("progress before the result: %v", seen)
	}
	time.Sleep(100 * time.Millisecond)
	if late := p.of("slow"); len(late) != len(seen) {
		t.Errorf("progress after the result: %v", late[len(seen):])
	}
}

func cancels(t *testing.T, cs *mcp.ClientSession) {
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	began := time.Now()
	if _, err := cs.CallTool(ctx, &mcp.CallToolParams{Name: "compress_context", Arguments: map[string]any{"instruction": "rent", "query": "slowly", "paths": []string{"small.md"}}}); err == nil {
		t.Error("the cancelled call has a result")
	}
	if d := time.Since(began); d > 1500*time.Millisecond {
		t.Errorf("the call ended after %v", d)
	}
	if text, _, isError := call(t, cs, "compress_context", map[string]any{"instruction": "rent falls due Friday", "paths": []string{"small.md"}}); isError || !strings.Contains(text, "Friday") {
		t.Errorf("after a cancellation: %s", text)
	}
}

// TestProgram speaks to cprs itself, with its real critic.
func TestProgram(t *testing.T) {
	cs, _ := connect(t, &mcp.CommandTransport{Command: exec.Command(bin.cprs, "mcp", "--root", root(t))})
	text, structured, isError := call(t, cs, "compress_context", map[string]any{"instruction": "When is the rent due?", "paths": []string{"small.md"}, "max_tokens": 64})
	if isError || !strings.Contains(text, "rent falls due on Friday.") || structured["status"] != "compressed" {
		t.Errorf("answer: %s", text)
	}
}

// TestClientRoots: folders that the client names narrow what is read or add to it, and a change counts from the next call on. The client speaks the
// newest revision and an older one, in which the server has to ask.
func TestClientRoots(t *testing.T) {
	home, elsewhere := t.TempDir(), filepath.Join(t.TempDir(), "elsewhere")
	for _, dir := range []string{filepath.Join(home, "work"), filepath.Join(home, "private"), elsewhere} {
		name := filepath.Base(dir)
		text := strings.Repeat("nothing here.\n\n", 200) + "rent falls due in " + name + ".\n"
		if err := os.MkdirAll(dir, 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name+".md"), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for _, mode := range []string{"narrow", "add"} {
		for _, version := range []string{"2026-07-28", "2025-11-25"} {
			t.Run(mode+" "+version, func(t *testing.T) {
				clientRoots(t, &mcp.CommandTransport{Command: exec.Command(bin.server, "-root", home, "-client-roots", mode)}, mode, version, home, elsewhere)
			})
		}
	}
	t.Run("HTTP", func(t *testing.T) {
		clientRoots(t, overHTTP(t, home, "-client-roots", "narrow"), "narrow", "2026-07-28", home, elsewhere)
	})
}

func clientRoots(t *testing.T, transport mcp.Transport, mode, version, home, elsewhere string) {
	client := mcp.NewClient(&mcp.Implementation{Name: "clienttest", Version: "1"}, nil)
	cs, err := client.Connect(t.Context(), transport, &mcp.ClientSessionOptions{ProtocolVersion: version})
	if err != nil {
		t.Fatal(err)
	}
	defer cs.Close()
	if v := cs.InitializeResult().ProtocolVersion; v != version {
		t.Fatalf("the client speaks %s", v)
	}
	readable := func() string {
		var out []string
		for name, dir := range map[string]string{"work": filepath.Join(home, "work"), "private": filepath.Join(home, "private"), "elsewhere": elsewhere} {
			text, _, isError := call(t, cs, "compress_context", map[string]any{"instruction": "rent falls due in " + name, "paths": []string{filepath.Join(dir, name+".md")}})
			switch {
			case !isError && strings.Contains(text, "rent falls due in "+name):
				out = append(out, name)
			case !strings.HasPrefix(text, "[outside_roots]"):
				t.Errorf("%s: %s", name, text)
			}
		}
		slices.Sort(out)
		return strings.Join(out, " ")
	}
	uri := func(dir string) *mcp.Root { return &mcp.Root{URI: "file://" + filepath.ToSlash(dir)} }
	steps := []struct {
		change      func()
		narrow, add string
	}{
		{func() {}, "private work", "private work"}, // the client names none
		{func() { client.AddRoots(uri(filepath.Join(home, "work"))) }, "work", "private work"},
		{func() { client.AddRoots(uri(elsewhere), &mcp.Root{URI: "https://example.com/"}) }, "work", "elsewhere private work"},
		{func() { client.RemoveRoots(uri(filepath.Join(home, "work")).URI) }, "", "elsewhere private work"},
	}
	for i, step := range steps {
		step.change()
		want := step.narrow
		if mode == "add" {
			want = step.add
		}
		if got := readable(); got != want {
			t.Errorf("step %d: %q can be read, want %q", i, got, want)
		}
	}
	text, _, isError := call(t, cs, "list_sources", map[string]any{})
	if mode == "add" && (isError || !strings.Contains(text, "elsewhere:elsewhere.md")) || mode == "narrow" && strings.Contains(text, "private") {
		t.Errorf("sources: %s", text)
	}
	if text, _, isError := call(t, cs, "compress_context", map[string]any{"instruction": "rent", "documents": "rent falls due."}); isError {
		t.Errorf("without files: %s", text)
	}
}
