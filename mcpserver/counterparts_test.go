package mcpserver

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/mark3labs/mcp-go/client/transport"
	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/cprs-go/cprs/mcpserver/bundle"
	"github.com/cprs-go/cprs/tools"
)

// testServer builds the program of internal/testserver.
func testServer(t *testing.T) string {
	t.Helper()
	bin := filepath.Join(t.TempDir(), "testserver")
	if out, err := exec.Command("go", "build", "-o", bin, "./internal/testserver").CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	return bin
}

// textFolder is a folder with a text that has one line on rent.
func textFolder(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "lease.txt"), []byte(longText), 0o644); err != nil {
		t.Fatal(err)
	}
	return dir
}

// TestInspector calls a tool with the official inspector's command line.
func TestInspector(t *testing.T) {
	fromNode(t, "mcp-inspector")
	bin, dir := testServer(t), textFolder(t)
	out, err := node(t, "mcp-inspector", "--cli", bin, "-root", dir, "--method", "tools/list")
	if err != nil || !bytes.Contains(out, []byte(tools.CompressContext)) {
		t.Errorf("%v: %s", err, out)
	}
	out, err = node(t, "mcp-inspector", "--cli", bin, "-root", dir, "--method", "tools/call", "--tool-name", tools.CompressContext,
		"--tool-args-json", `{"instruction":"rent is due on the third.","paths":["lease.txt"]}`)
	if err != nil || !bytes.Contains(out, []byte("rent is due on the third.")) {
		t.Errorf("%v: %s", err, out)
	}
}

// TestProxyFilesystem stands in front of the official filesystem server.
func TestProxyFilesystem(t *testing.T) {
	bin, dir := fromNode(t, "mcp-server-filesystem"), textFolder(t)
	path := "PATH=" + os.Getenv("CPRS_NODE_BIN") + string(filepath.ListSeparator) + os.Getenv("PATH")
	direct := connect(t, transport.NewStdio(bin, []string{path}, dir))
	c, p := newProxy(t, Upstream{Command: []string{bin, dir}, Env: []string{path}}, pipeline(), &ProxyOptions{Budget: 200, Rules: []Rule{{Tool: "read_*", Instruction: "rent due third"}}})
	before, after := rawTools(t, direct), rawTools(t, c)
	delete(after, tools.ExpandContext)
	for _, tool := range before {
		delete(tool, "execution") // tasks
		if tool["annotations"] == nil {
			tool["annotations"] = map[string]any{} // mcp-go always writes them
		}
	}
	if len(before) < 5 {
		t.Errorf("%d tools", len(before))
	}
	for name := range before {
		if !reflect.DeepEqual(before[name], after[name]) {
			t.Errorf("%s: before %v\nafter %v", name, before[name], after[name])
		}
	}
	args, err := json.Marshal(map[string]string{"path": filepath.Join(dir, "lease.txt")})
	if err != nil {
		t.Fatal(err)
	}
	text := textOf(t, call(t, c, "read_text_file", string(args)))
	if !strings.Contains(text, "rent is due on the third.") || len(text) > 3000 || p.Stats().Shortened != 1 {
		t.Errorf("answer of %d bytes: %.500s", len(text), text)
	}
	if res := call(t, c, "read_text_file", `{"path":"/etc/passwd"}`); !res.IsError {
		t.Error("an error passes as a result")
	}
}

// TestBundle has a bundle checked by the official tool.
func TestBundle(t *testing.T) {
	fromNode(t, "mcpb")
	all, err := Tools()
	if err != nil {
		t.Fatal(err)
	}
	program := filepath.Join(t.TempDir(), "program") // none of it is run here
	if err := os.WriteFile(program, []byte("#!/bin/sh\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	o := &bundle.Options{Version: "v1.2.3"}
	for _, machine := range []string{"windows/amd64", "linux/amd64", "linux/arm64", "darwin/amd64", "darwin/arm64"} {
		goos, goarch, _ := strings.Cut(machine, "/")
		o.Programs = append(o.Programs, bundle.Program{GOOS: goos, GOARCH: goarch, File: program})
	}
	for _, tool := range all {
		o.Tools = append(o.Tools, bundle.Tool{Name: tool.Name, Description: tool.Title})
	}
	file, dir := filepath.Join(t.TempDir(), "cprs.mcpb"), t.TempDir()
	var b bytes.Buffer
	if err := bundle.Write(&b, o); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, b.Bytes(), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{{"unpack", file, dir}, {"validate", filepath.Join(dir, "manifest.json")}, {"info", file}} {
		if out, err := node(t, "mcpb", args...); err != nil {
			t.Errorf("mcpb %v: %v: %s", args, err, out)
		}
	}
	for _, name := range []string{"launch.sh", "cprs-linux-arm64", "cprs-darwin-amd64"} {
		if info, err := os.Stat(filepath.Join(dir, "server", name)); err != nil || info.Mode()&0o100 == 0 {
			t.Errorf("%s is unpacked as %v, %v", name, info, err)
		}
	}
}

const pythonClient = `
import asyncio, sys
from mcp import ClientSession, StdioServerParameters
from mcp.client.stdio import stdio_client

async def main():
    async with stdio_client(StdioServerParameters(command=sys.argv[1], args=["-root", sys.argv[2]])) as (r, w):
        async with ClientSession(r, w) as s:
            await s.initialize()
            assert [t.name for t in (await s.list_tools()).tools] == ["compress_context", "expand_context", "list_sources"]
            seen = []
            async def progress(done, total, message): seen.append(done)
            res = await s.call_tool("compress_context", {"instruction": "rent is due on the third.", "query": "slowly", "paths": ["lease.txt"]}, progress_callback=progress)
            assert not (res.isError if hasattr(res, "isError") else res.is_error), res
            assert "rent is due on the third." in res.content[0].text, res
            structured = res.structuredContent if hasattr(res, "structuredContent") else res.structured_content
            assert structured["status"] == "compressed", res
            assert len(seen) > 3 and seen == sorted(seen), seen
            res = await s.call_tool("compress_context", {"instruction": "x"})
            assert (res.isError if hasattr(res, "isError") else res.is_error), res

asyncio.run(main())
`

// TestPython runs a session with the client of the official Python SDK.
func TestPython(t *testing.T) {
	python := os.Getenv("CPRS_MCP_PYTHON")
	if python == "" {
		if os.Getenv("REQUIRE_PYTHON_MCP") == "1" {
			t.Fatal("CPRS_MCP_PYTHON names no Python with the package mcp")
		}
		t.Skip("CPRS_MCP_PYTHON names no Python with the package mcp, see .ci/setup-mcp")
	}
	if out, err := exec.CommandContext(t.Context(), python, "-c", pythonClient, testServer(t), textFolder(t)).CombinedOutput(); err != nil {
		t.Errorf("%v: %s", err, out)
	}
}

// TestRegistry holds server.json against the registry's own schema, and a damaged one, which must fail.
func TestRegistry(t *testing.T) {
	file := os.Getenv("CPRS_REGISTRY_SCHEMA")
	if file == "" {
		if os.Getenv("REQUIRE_NODE") == "1" {
			t.Fatal("CPRS_REGISTRY_SCHEMA names no schema")
		}
		t.Skip("CPRS_REGISTRY_SCHEMA names no schema, see .ci/setup-mcp")
	}
	schema, err := jsonschema.NewCompiler().Compile(file)
	if err != nil {
		t.Fatal(err)
	}
	text, err := bundle.Registry("io.github.cprs-go/cprs", "v1.2.3", []bundle.Package{{URL: "https://example.com/cprs.mcpb", SHA256: strings.Repeat("a1", 32)}})
	if err != nil {
		t.Fatal(err)
	}
	for value, valid := range map[string]bool{string(text): true, strings.Replace(string(text), `"name"`, `"nom"`, 1): false, strings.Replace(string(text), "a1a1", "zz", 1): false} {
		v, err := jsonschema.UnmarshalJSON(strings.NewReader(value))
		if err != nil {
			t.Fatal(err)
		}
		if err := schema.Validate(v); (err == nil) != valid {
			t.Errorf("%s: %v", value, err)
		}
	}
	for _, p := range []bundle.Package{{URL: "http://example.com/x.mcpb", SHA256: strings.Repeat("a", 64)}, {URL: "https://example.com/x.zip", SHA256: strings.Repeat("a", 64)}, {URL: "https://example.com/x.mcpb"}} {
		if _, err := bundle.Registry("a/b", "1", []bundle.Package{p}); err == nil {
			t.Errorf("%+v is accepted", p)
		}
	}
}
