package mcpserver

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cprs-go/cprs/core"
	"github.com/cprs-go/cprs/core/engine"
	"github.com/cprs-go/cprs/tools"
	"github.com/cprs-go/cprs/tools/httpapi"
)

// post sends a tools/call of the newest revision as a client without an SDK would.
func post(ctx context.Context, url, token, args string) (status int, body string, err error) {
	message := `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"compress_context","arguments":` + args +
		`,"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{},"io.modelcontextprotocol/clientInfo":{"name":"load","version":"1"}}}}`
	return send(ctx, url, token, message)
}

func send(ctx context.Context, url, token, message string) (status int, body string, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, url, strings.NewReader(message))
	if err != nil {
		return 0, "", err
	}
	for name, value := range map[string]string{"Content-Type": "application/json", "Accept": "application/json, text/event-stream", "Authorization": "Bearer " + token,
		"Mcp-Protocol-Version": "2026-07-28", "Mcp-Method": "tools/call", "Mcp-Name": "compress_context"} {
		req.Header.Set(name, value)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, "", err
	}
	defer res.Body.Close()
	data, err := io.ReadAll(res.Body)
	return res.StatusCode, string(data), err
}

// TestCrowd sends 200 calls at once: each client asks about its own number, some vanish, some send garbage. No answer is another's, none is
// lost, and nothing is left behind.
func TestCrowd(t *testing.T) {
	const clients, key = 200, "a token for the whole crowd"
	var running atomic.Int64
	s := newServer(t, compressor(func(ctx context.Context, req core.Request) (*core.Result, error) {
		running.Add(1)
		defer running.Add(-1)
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(2 * time.Millisecond):
		}
		res := kept(req)
		res.Text = "answer to " + req.Instruction
		return res, nil
	}), &Options{Concurrency: 4, Queue: 300, HTTP: httpapi.Options{Tokens: []string{key}}})
	srv := httptest.NewServer(s.Handler())
	defer srv.Close()
	url := srv.URL + Endpoint
	if _, body, err := post(t.Context(), url, key, `{"instruction":"n","documents":"text"}`); err != nil || !strings.Contains(body, "answer to n") {
		t.Fatal(err, body)
	}
	http.DefaultClient.CloseIdleConnections()
	before := runtime.NumGoroutine()
	var wait sync.WaitGroup
	for i := range clients {
		wait.Go(func() {
			own := fmt.Sprintf("number %d.", i)
			args := fmt.Sprintf(`{"instruction":%q,"documents":"text"}`, own)
			switch i % 5 {
			case 1: // vanishes
				ctx, cancel := context.WithTimeout(context.Background(), time.Duration(i)*100*time.Microsecond)
				defer cancel()
				_, _, _ = post(ctx, url, key, args)
			case 2: // sends garbage
				for _, message := range []string{"", "{", "[]", `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":7}`, "\x00\xff", `{"jsonrpc":"2.0","method":"notifications/cancelled"}`} {
					if status, body, err := send(context.Background(), url, key, message); err != nil || status >= 500 {
						t.Errorf("garbage %q: %d %s %v", message, status, body, err)
					}
				}
				if status, _, err := post(context.Background(), url, "another token", args); err != nil || status != http.StatusUnauthorized {
					t.Errorf("without the token: %d, %v", status, err)
				}
			case 3: // breaks off in the middle of a request
				conn, err := net.Dial("tcp", strings.TrimPrefix(srv.URL, "http://"))
				if err != nil {
					t.Error(err)
					return
				}
				fmt.Fprintf(conn, "POST /mcp HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer %s\r\nContent-Length: 1000\r\n\r\n{", key)
				conn.Close()
			default:
				status, body, err := post(context.Background(), url, key, args)
				if err != nil || status != http.StatusOK || !strings.Contains(body, "answer to "+own) {
					t.Errorf("client %d: %d %s %v", i, status, body, err)
				}
			}
		})
	}
	wait.Wait()
	http.DefaultClient.CloseIdleConnections()
	for began := time.Now(); runtime.NumGoroutine() > before || s.gate.Inside() > 0 || running.Load() > 0; time.Sleep(10 * time.Millisecond) {
		if time.Since(began) > 10*time.Second {
			var b bytes.Buffer
			stacks := make([]byte, 1<<20)
			b.Write(stacks[:runtime.Stack(stacks, true)])
			t.Fatalf("%d goroutines before, %d after, %d calls inside: %.5000s", before, runtime.NumGoroutine(), s.gate.Inside(), b.String())
		}
	}
}

// TestPrincipals lets nobody read the originals of another token.
func TestPrincipals(t *testing.T) {
	s := newServer(t, pipeline(), &Options{Options: tools.Options{Sources: folder(t)}, HTTP: httpapi.Options{Tokens: []string{"the token of the first", "the token of the second"}}})
	srv := httptest.NewServer(s.Handler())
	defer srv.Close()
	_, body, err := post(t.Context(), srv.URL, "the token of the first", `{"instruction":"rent","paths":["lease.txt"],"max_tokens":64}`)
	_, handle, ok := strings.Cut(body, `"handle":"`)
	if err != nil || !ok {
		t.Fatal(err, body)
	}
	handle = handle[:strings.IndexByte(handle, '"')]
	args := `{"instruction":"rent","uris":["ctx://` + handle + `/lease.txt"],"max_tokens":64}`
	if _, body, _ := post(t.Context(), srv.URL, "the token of the first", args); strings.Contains(body, "isError") {
		t.Error(body)
	}
	if _, body, _ := post(t.Context(), srv.URL, "the token of the second", args); !strings.Contains(body, "[not_found]") {
		t.Error(body)
	}
}

// BenchmarkHTTP calls over HTTP with 1, 8 and 64 clients, each call with another text of 8 KB; the metric p95-ms is the time that 95 of 100
// calls stay below.
func BenchmarkHTTP(b *testing.B) {
	e, err := engine.Open(b.Context(), nil)
	if err != nil {
		b.Fatal(err)
	}
	defer e.Close()
	for _, c := range []struct {
		name string
		core.Compressor
	}{{"match", pipeline()}, {"embedded", e}} {
		for _, clients := range []int{1, 8, 64} {
			b.Run(fmt.Sprintf("critic=%s/clients=%d", c.name, clients), func(b *testing.B) { benchmarkHTTP(b, c.Compressor, clients) })
		}
	}
}

func benchmarkHTTP(b *testing.B, c core.Compressor, clients int) {
	s := newServer(b, c, nil)
	srv := httptest.NewServer(s.Handler())
	defer srv.Close()
	http.DefaultTransport.(*http.Transport).MaxIdleConnsPerHost = clients
	times := make([]time.Duration, b.N)
	var next atomic.Int64
	var wait sync.WaitGroup
	b.ResetTimer()
	for range clients {
		wait.Go(func() {
			for i := int(next.Add(1)) - 1; i < b.N; i = int(next.Add(1)) - 1 {
				args := fmt.Sprintf(`{"instruction":"When is the rent due?","max_tokens":200,"documents":%q}`, strings.ReplaceAll(longText[27_000:35_000], "fine", fmt.Sprint("fine", i)))
				began := time.Now()
				if status, body, err := post(context.Background(), srv.URL, "", args); err != nil || status != http.StatusOK || strings.Contains(body, "isError") {
					b.Errorf("%d %s %v", status, body, err)
					return
				}
				times[i] = time.Since(began)
			}
		})
	}
	wait.Wait()
	b.StopTimer()
	slices.Sort(times)
	b.ReportMetric(float64(times[len(times)*95/100].Microseconds())/1000, "p95-ms")
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "calls/s")
}
