package main

import (
	"bufio"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/cprs-go/cprs/core/compat"
	"github.com/cprs-go/cprs/core/engine"
	"github.com/cprs-go/cprs/core/label"
	"github.com/cprs-go/cprs/tools/httpapi/official"
	"github.com/cprs-go/cprs/tools/httpapi/rest"
)

// TestServe starts the server, asks it as the README shows, and interrupts it.
func TestServe(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("no process can be interrupted there")
	}
	readme, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	example := regexp.MustCompile(`(?m)^\$ curl -s 127\.0\.0\.1:8787(\S+) -d '([^']+)'$`).FindSubmatch(readme)
	if example == nil {
		t.Fatal("the README shows no request")
	}
	url := startServer(t, "--metrics", "--compat")
	for path, want := range map[string]string{"/healthz": `{"status":"ok"}`, "/metrics": "cprs_cache_bytes", "/qwen_long_compress_server": "method_not_allowed"} {
		if got := fetch(t, url+path); !strings.Contains(got, want) {
			t.Errorf("%s: %s", path, got)
		}
	}
	if got := fetch(t, url+string(example[1]), string(example[2])); !strings.Contains(got, `"text":"The rent is due on the third of each month."`) {
		t.Error(got)
	}
	for began := time.Now(); fetch(t, url+"/readyz") != `{"status":"ok"}`+"\n"; time.Sleep(10 * time.Millisecond) {
		if time.Since(began) > 10*time.Second {
			t.Fatal("not ready")
		}
	}
}

// startServer starts cprs serve and returns its URL. At the end of the test it is interrupted, and must have said nothing more.
func startServer(t *testing.T, flags ...string) string {
	t.Helper()
	cmd := exec.Command("cprs", append([]string{"serve", "--addr", "127.0.0.1:0"}, flags...)...) // testscript.Main has put it in the path
	stderr, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewReader(stderr)
	t.Cleanup(func() {
		cmd.Process.Signal(os.Interrupt)
		more, _ := io.ReadAll(lines)
		if err := cmd.Wait(); err != nil || len(more) > 0 {
			t.Errorf("%v: %s", err, more)
		}
	})
	line, err := lines.ReadString('\n')
	url, ok := strings.CutPrefix(strings.TrimSpace(line), "serving ")
	if !ok || err != nil {
		t.Fatalf("%q, %v", line, err)
	}
	return strings.TrimSuffix(url, rest.CompressPath)
}

// fetch gets a page, or posts a body to it.
func fetch(t *testing.T, url string, body ...string) string {
	t.Helper()
	get := func() (*http.Response, error) { return http.Get(url) }
	if len(body) > 0 {
		get = func() (*http.Response, error) {
			return http.Post(url, "application/x-www-form-urlencoded", strings.NewReader(body[0])) // as curl does
		}
	}
	res, err := get()
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	data, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// TestServeReleased has a critic of the released kind, with random weights, answer the released API in both ways.
func TestServeReleased(t *testing.T) {
	if strconv.IntSize < 64 {
		t.Skip("hybrid critics need 64 bits")
	}
	critic := filepath.Join("..", "..", "core", "model", "hybrid", "testdata", "cprs_tiny", "bf16")
	e, err := engine.Open(t.Context(), &engine.Options{CriticDir: critic, Compat: true})
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	const text = "Straße: the harbour office opens at nine. Mira keeps the spare key in the blue tin. The tin sits behind the tide table."
	want, err := e.Released().Extract(t.Context(), compat.Request{System: "p", User: "q", Context: text, Parameters: compat.DefaultParameters()})
	if err != nil || len(want.Spans) == 0 {
		t.Fatal(want, err)
	}
	url := startServer(t, "--compat", "--critic", critic) + official.Path
	request := `{"header":{"request_id":"a"},"payload":{"input":{"messages":[{"role":"system","content":"p"},{"role":"user","content":"q"},{"role":"context","content":"` + text +
		`"}]},"parameters":{"return_offset":true,"compat":true}}}`
	var got struct {
		Payload struct {
			Output struct{ Text [][3]any }
			Usage  struct{ Input_tokens int }
		}
	}
	for _, body := range []string{request, strings.Replace(request, `"compat":true`, `"compat":false,"max_tokens":60`, 1)} {
		answer := fetch(t, url, body)
		if err := json.Unmarshal([]byte(answer), &got); err != nil || len(got.Payload.Output.Text) == 0 {
			t.Fatal(answer, err)
		}
		for i, item := range got.Payload.Output.Text {
			start, end := int(item[1].(float64)), int(item[2].(float64))
			switch {
			case body != request:
				if string([]rune(text)[start:end]) != item[0] {
					t.Errorf("%v is no part of the text", item)
				}
			case len(got.Payload.Output.Text) != len(want.Spans) || want.Spans[i] != label.CompatSpan{Text: item[0].(string), Start: start, End: end}:
				t.Errorf("got %s, want %v", answer, want.Spans)
			case got.Payload.Usage.Input_tokens != want.InputTokens:
				t.Errorf("usage %s, want %d", answer, want.InputTokens)
			}
		}
	}
}
