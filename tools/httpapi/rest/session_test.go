package rest

import (
	"bufio"
	"context"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/cprs-go/cprs/core"
	"github.com/cprs-go/cprs/core/engine"
	"github.com/cprs-go/cprs/core/tokenizer"
	"github.com/cprs-go/cprs/tools/httpapi"
	"github.com/cprs-go/cprs/tools/httpapi/official"
	"github.com/cprs-go/cprs/tools/httpapi/telemetry"
)

var rewrite = flag.Bool("rewrite", false, "accept what the server answers")

// critic is the embedded one.
func critic(t testing.TB) *engine.Engine {
	t.Helper()
	e, err := engine.Open(context.Background(), nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := e.Close(); err != nil {
			t.Error(err)
		}
	})
	return e
}

// serve starts a server that logs nothing on a loopback address and returns its URL.
func serve(t testing.TB, c core.Compressor, opts *Options) string {
	t.Helper()
	if opts == nil {
		opts = &Options{}
	}
	opts.Logger = slog.New(slog.DiscardHandler)
	srv := httptest.NewServer(New(c, opts).Handler())
	t.Cleanup(srv.Close)
	return srv.URL
}

// changing is what another critic may change in an answer.
var changing = regexp.MustCompile(`"(score|threshold)":[0-9.e-]+|"critic":"[^"]*"|"critic_hash":"[^"]*"`)

// TestSession plays testdata/session.txt with the embedded critic: requests as they are sent, and below each the answer. Run with -rewrite to
// accept what is new.
func TestSession(t *testing.T) {
	e := critic(t)
	m := telemetry.NewMetrics(telemetry.Sources{})
	url := serve(t, e, &Options{
		Official:  &official.Options{CountTokens: func(text string) int { return tokenizer.Count(e.Tokenizer(), text) }},
		Observers: []httpapi.Observer{m}, Metrics: m.Handler(), HTTP: httpapi.Options{MaxBodyBytes: 900},
	})
	file := filepath.Join("testdata", "session.txt")
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	for block := range strings.SplitSeq(strings.TrimSuffix(string(data), "====\n"), "====\n") {
		sent, _, _ := strings.Cut(block, "----\n")
		fmt.Fprintf(&out, "%s----\n%s====\n", sent, play(t, url, sent))
	}
	if *rewrite {
		if err := os.WriteFile(file, []byte(out.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	} else if out.String() != string(data) {
		t.Errorf("the session is another; run with -rewrite and look at the difference:\n%s", out.String())
	}
}

// play sends a request, its lines as HTTP has them, and returns the answer.
func play(t *testing.T, url, sent string) string {
	t.Helper()
	head, body, _ := strings.Cut(sent, "\n\n")
	line, fields, _ := strings.Cut(head, "\n")
	r, err := http.ReadRequest(bufio.NewReader(strings.NewReader(line + " HTTP/1.1\nHost: localhost\n" + strings.TrimSuffix(fields, "\n") + "\n\n")))
	if err != nil {
		t.Fatalf("%s: %v", sent, err)
	}
	req, err := http.NewRequest(r.Method, url+r.URL.Path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header = r.Header
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	answer, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	shown := fmt.Sprintf("%d %s\n", res.StatusCode, res.Header.Get("Content-Type"))
	for _, name := range []string{"Allow", "Retry-After"} {
		if v := res.Header.Get(name); v != "" {
			shown += name + ": " + v + "\n"
		}
	}
	return shown + changing.ReplaceAllStringFunc(string(answer), func(s string) string { return s[:strings.IndexByte(s, ':')] + ":…" })
}
