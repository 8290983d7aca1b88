package main

import (
	"bufio"
	"io"
	"net/http"
	"os"
	"os/exec"
	"regexp"
	"runtime"
	"strings"
	"testing"
	"time"
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
	cmd := exec.Command("cprs", "serve", "--addr", "127.0.0.1:0", "--metrics", "--compat") // testscript.Main has put it in the path
	stderr, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer cmd.Process.Kill()
	lines := bufio.NewReader(stderr)
	line, err := lines.ReadString('\n')
	url, ok := strings.CutPrefix(strings.TrimSpace(line), "serving ")
	if !ok || err != nil {
		t.Fatalf("%q, %v", line, err)
	}
	url = strings.TrimSuffix(url, "/v1/compress")
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
	cmd.Process.Signal(os.Interrupt)
	rest, _ := io.ReadAll(lines)
	if err := cmd.Wait(); err != nil || len(rest) > 0 {
		t.Errorf("%v: %s", err, rest)
	}
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
