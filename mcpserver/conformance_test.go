package mcpserver

import (
	"bytes"
	"context"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"testing"
	"time"

	"github.com/mark3labs/mcp-go/mcp"
	"github.com/mark3labs/mcp-go/server"

	"github.com/cprs-go/cprs/tools"
)

// fromNode is a program that the script .ci/setup-mcp installs. Without it a test is skipped at home and fails where it is required.
func fromNode(t *testing.T, name string) string {
	t.Helper()
	dir := os.Getenv("CPRS_NODE_BIN")
	path := filepath.Join(dir, name)
	if _, err := os.Stat(path); dir == "" || err != nil {
		if os.Getenv("REQUIRE_NODE") == "1" {
			t.Fatalf("%s is missing: CPRS_NODE_BIN is %q", name, dir)
		}
		t.Skipf("%s is missing; CPRS_NODE_BIN names its folder, see .ci/setup-mcp", name)
	}
	return path
}

// node runs a program of Node, with the Node that lies beside it.
func node(t *testing.T, name string, args ...string) (out []byte, err error) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), fromNode(t, name), args...)
	cmd.Env = append(os.Environ(), "PATH="+os.Getenv("CPRS_NODE_BIN")+string(filepath.ListSeparator)+os.Getenv("PATH"), "NO_COLOR=1")
	return cmd.CombinedOutput()
}

const pixel = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8z8DwHwAFBQIAX8jx0gAAAABJRU5ErkJggg=="

// addFixtures adds the tools, resources and prompts that scenarios of the conformance suite call by name.
func addFixtures(m *server.MCPServer) {
	text := func(s string) mcp.Content { return mcp.NewTextContent(s) }
	embedded := func(uri, mime, s string) mcp.Content {
		return mcp.NewEmbeddedResource(mcp.TextResourceContents{URI: uri, MIMEType: mime, Text: s})
	}
	for name, content := range map[string][]mcp.Content{
		"test_simple_text":            {text("This is a simple text response for testing.")},
		"test_image_content":          {mcp.NewImageContent(pixel, "image/png")},
		"test_audio_content":          {mcp.NewAudioContent("UklGRiYAAABXQVZFZm10IBAAAAABAAEAQB8AAAB9AAACABAAZGF0YQIAAAA=", "audio/wav")},
		"test_embedded_resource":      {embedded("test://embedded-resource", "text/plain", "This is an embedded resource content.")},
		"test_multiple_content_types": {text("Multiple content types test:"), mcp.NewImageContent(pixel, "image/png"), embedded("test://mixed-content-resource", "application/json", `{"test":"data","value":123}`)},
	} {
		m.AddTool(mcp.NewTool(name, mcp.WithDescription("fixture")), func(context.Context, mcp.CallToolRequest) (*mcp.CallToolResult, error) {
			return &mcp.CallToolResult{Content: content}, nil
		})
	}
	m.AddTool(mcp.NewTool("test_error_handling", mcp.WithDescription("fixture")), func(context.Context, mcp.CallToolRequest) (*mcp.CallToolResult, error) {
		return mcp.NewToolResultError("This tool intentionally returns an error for testing"), nil
	})
	m.AddTool(mcp.NewTool("test_tool_with_progress", mcp.WithDescription("fixture")), drained(func(ctx context.Context, req mcp.CallToolRequest) (*mcp.CallToolResult, error) {
		for i := 0; i <= 100 && token(req.Params.Meta) != nil; i += 50 {
			_ = m.SendNotificationToClient(ctx, "notifications/progress", map[string]any{"progressToken": req.Params.Meta.ProgressToken, "progress": i, "total": 100})
			time.Sleep(50 * time.Millisecond)
		}
		return mcp.NewToolResultText("done"), nil
	}))
	m.AddResource(mcp.NewResource("test://static-text", "static-text", mcp.WithMIMEType("text/plain")), func(context.Context, mcp.ReadResourceRequest) ([]mcp.ResourceContents, error) {
		return []mcp.ResourceContents{mcp.TextResourceContents{URI: "test://static-text", MIMEType: "text/plain", Text: "This is the content of the static text resource."}}, nil
	})
	m.AddResource(mcp.NewResource("test://static-binary", "static-binary", mcp.WithMIMEType("image/png")), func(context.Context, mcp.ReadResourceRequest) ([]mcp.ResourceContents, error) {
		return []mcp.ResourceContents{mcp.BlobResourceContents{URI: "test://static-binary", MIMEType: "image/png", Blob: pixel}}, nil
	})
	m.AddResourceTemplate(mcp.NewResourceTemplate("test://template/{id}/data", "template", mcp.WithTemplateDescription("fixture")), func(_ context.Context, req mcp.ReadResourceRequest) ([]mcp.ResourceContents, error) {
		id := req.Params.Arguments["id"].([]string)[0]
		return []mcp.ResourceContents{mcp.TextResourceContents{URI: req.Params.URI, MIMEType: "application/json", Text: `{"id":"` + id + `","templateTest":true,"data":"Data for ID: ` + id + `"}`}}, nil
	})
	prompt := func(p mcp.Prompt, content func(args map[string]string) []mcp.Content) {
		m.AddPrompt(p, func(_ context.Context, req mcp.GetPromptRequest) (*mcp.GetPromptResult, error) {
			res := &mcp.GetPromptResult{}
			for _, c := range content(req.Params.Arguments) {
				res.Messages = append(res.Messages, mcp.NewPromptMessage(mcp.RoleUser, c))
			}
			return res, nil
		})
	}
	said := mcp.WithPromptDescription("fixture")
	prompt(mcp.NewPrompt("test_simple_prompt", said), func(map[string]string) []mcp.Content {
		return []mcp.Content{text("This is a simple prompt for testing.")}
	})
	prompt(mcp.NewPrompt("test_prompt_with_arguments", said, mcp.WithArgument("arg1", mcp.RequiredArgument()), mcp.WithArgument("arg2", mcp.RequiredArgument())), func(args map[string]string) []mcp.Content {
		return []mcp.Content{text("Prompt with arguments: arg1='" + args["arg1"] + "', arg2='" + args["arg2"] + "'")}
	})
	prompt(mcp.NewPrompt("test_prompt_with_embedded_resource", said, mcp.WithArgument("resourceUri", mcp.RequiredArgument())), func(args map[string]string) []mcp.Content {
		return []mcp.Content{embedded(args["resourceUri"], "text/plain", "Embedded resource content for testing."), text("Please process the embedded resource above.")}
	})
	prompt(mcp.NewPrompt("test_prompt_with_image", said), func(map[string]string) []mcp.Content {
		return []mcp.Content{mcp.NewImageContent(pixel, "image/png"), text("Please analyze the image above.")}
	})
}

var summary = regexp.MustCompile(`(?m)^Total:.*$`)

// TestConformance runs the official suite against the hardened server. What is expected to fail, and why, stands in
// testdata/conformance-VERSION.yml; an entry that passes fails the run.
func TestConformance(t *testing.T) {
	for _, version := range []string{"2025-11-25", "2026-07-28"} {
		t.Run(version, func(t *testing.T) {
			s := newServer(t, pipeline(), &Options{Options: tools.Options{Sources: folder(t)}})
			addFixtures(s.MCP())
			srv := httptest.NewServer(s.Handler())
			defer srv.Close()
			defer srv.CloseClientConnections()
			out, err := node(t, "conformance", "server", "--url", srv.URL+Endpoint, "--requirements", version, "--expected-failures", filepath.Join("testdata", "conformance-"+version+".yml"), "-o", t.TempDir())
			if err != nil {
				t.Fatalf("%v\n%s", err, out)
			}
			for _, line := range summary.FindAll(out, -1) {
				t.Logf("%s", bytes.TrimSpace(line))
			}
		})
	}
}
