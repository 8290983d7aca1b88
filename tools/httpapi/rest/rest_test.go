package rest

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"

	"github.com/cprs-go/cprs/core"
	"github.com/cprs-go/cprs/core/wire"
	"github.com/cprs-go/cprs/tools"
	"github.com/cprs-go/cprs/tools/httpapi"
	"github.com/cprs-go/cprs/tools/httpapi/official"
	"github.com/cprs-go/cprs/tools/httpapi/telemetry"
)

// compressor is a Compressor made of a function.
type compressor func(ctx context.Context, req core.Request) (*core.Result, error)

func (f compressor) Compress(ctx context.Context, req core.Request) (*core.Result, error) {
	return f(ctx, req)
}

const good = `{"id":"good","instruction":"the rent","documents":[{"text":"The rent is due. Cats purr."}]}`

// send posts a request, and returns the answer with its body read.
func send(t testing.TB, url, body string, header ...string) (*http.Response, string) {
	t.Helper()
	res, answer, err := post(context.Background(), url, body, header...)
	if err != nil {
		t.Fatal(err)
	}
	return res, answer
}

func post(ctx context.Context, url, body string, header ...string) (*http.Response, string, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, url, strings.NewReader(body))
	if err != nil {
		return nil, "", err
	}
	for i := 0; i+1 < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, "", err
	}
	defer res.Body.Close()
	answer, err := io.ReadAll(res.Body)
	return res, string(answer), err
}

// TestFailures: each kind of failure has its status, its code and, where it helps, a time to come back. Neither answer nor log
// holds what only we should know.
func TestFailures(t *testing.T) {
	fault := func(err error) core.Compressor {
		return compressor(func(context.Context, core.Request) (*core.Result, error) { return nil, err })
	}
	known := func(code core.Code) core.Compressor {
		return fault(fmt.Errorf("wrapped: %w", &core.Error{Code: code, Message: "wrong", Hint: "mend it"}))
	}
	for _, c := range []struct {
		name   string
		c      core.Compressor
		opt    Options
		path   string
		body   string
		header []string
		status int
		code   core.Code
	}{
		{name: "no JSON", body: "{", status: 400, code: core.CodeInvalidArgument},
		{name: "no token", opt: Options{HTTP: httpapi.Options{Tokens: []string{"a token of some length"}}}, status: 401, code: httpapi.CodeUnauthorized},
		{name: "foreign page", header: []string{"Origin", "https://evil.example"}, status: 403, code: httpapi.CodeForbidden},
		{name: "outside", c: known(core.CodeOutsideRoots), status: 403, code: core.CodeOutsideRoots},
		{name: "no such path", path: "/v9", status: 404, code: core.CodeNotFound},
		{name: "wrong method", path: "/healthz", status: 405, code: httpapi.CodeMethod},
		{name: "large body", opt: Options{HTTP: httpapi.Options{MaxBodyBytes: 9}}, status: 413, code: core.CodeTooLarge},
		{name: "too large", c: known(core.CodeTooLarge), status: 413, code: core.CodeTooLarge},
		{name: "contradiction", c: known(core.CodeInvalidArgument), status: 422, code: core.CodeInvalidArgument},
		{name: "pins", c: known(core.CodePinsExceed), status: 422, code: core.CodePinsExceed},
		{name: "busy", c: fault(nil), opt: Options{Gate: full()}, status: 429, code: httpapi.CodeBusy},
		{name: "critic", c: known(core.CodeCriticFailed), status: 500, code: core.CodeCriticFailed},
		{name: "ours", c: fault(errors.New("private detail")), status: 500, code: wire.CodeInternal},
		{name: "panic", c: compressor(func(context.Context, core.Request) (*core.Result, error) { panic("private detail") }), status: 500, code: wire.CodeInternal},
		{name: "deadline", c: known(core.CodeDeadline), status: 504, code: core.CodeDeadline},
		{name: "time limit", c: compressor(func(ctx context.Context, _ core.Request) (*core.Result, error) { <-ctx.Done(); return nil, ctx.Err() }),
			opt: Options{Timeout: time.Millisecond}, status: 504, code: core.CodeDeadline},
	} {
		for _, accept := range []string{"application/json", "text/event-stream"} { // nothing was sent before the failure: the status is the same
			t.Run(c.name+"/"+accept, func(t *testing.T) {
				var log bytes.Buffer
				c.opt.Logger = slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))
				srv := httptest.NewServer(New(c.c, &c.opt).Handler())
				body := c.body
				if body == "" {
					body = good
				}
				path := c.path
				if path == "" {
					path = CompressPath
				}
				res, answer := send(t, srv.URL+path, body, append(c.header, "Accept", accept)...)
				srv.Close()
				var f wire.Failure
				if err := json.Unmarshal([]byte(answer), &f); err != nil || res.StatusCode != c.status || f.Error.Code != c.code || f.Error.Message == "" {
					t.Errorf("%d %s %v", res.StatusCode, answer, err)
				}
				if again := res.Header.Get("Retry-After") != ""; again != (c.status == 429 || c.status == 503) {
					t.Errorf("Retry-After: %v", again)
				}
				for _, private := range []string{"private", "rent"} {
					if strings.Contains(answer, private) || strings.Contains(log.String(), private) {
						t.Errorf("answer %s, log %s", answer, log.String())
					}
				}
			})
		}
	}
}

// full is a gate through which no one gets.
func full() *httpapi.Gate {
	g := httpapi.NewGate(1, 0)
	g.Enter(context.Background())
	return g
}

// TestReady: a server answers probes while its critic is opened, and says when that failed.
func TestReady(t *testing.T) {
	open := make(chan error)
	c := tools.NewLazy(func(context.Context) (core.Compressor, error) { return nil, <-open })
	url := serve(t, c, &Options{Ready: c.Ready, HTTP: httpapi.Options{Tokens: []string{"a token of some length"}}})
	probe := func(path string) (int, string) {
		res, err := http.Get(url + path)
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		body, _ := io.ReadAll(res.Body)
		return res.StatusCode, string(body)
	}
	if status, _ := probe("/healthz"); status != 200 {
		t.Error(status)
	}
	if status, body := probe("/readyz"); status != 503 || !strings.Contains(body, "not_ready") {
		t.Error(status, body)
	}
	open <- errors.New("private detail")
	c.Close()
	if status, body := probe("/readyz"); status != 503 || !strings.Contains(body, "critic_failed") || strings.Contains(body, "private") {
		t.Error(status, body)
	}
	if res, body := send(t, url+"/readyz", ""); res.StatusCode != 405 || res.Header.Get("Allow") != "GET" {
		t.Error(res.StatusCode, body)
	}
}

// contract is some text of a real contract.
func contract(t testing.TB, bytes int) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", "..", "..", "examples", "documents", "distributor-agreement.txt"))
	if err != nil {
		t.Fatal(err)
	}
	return string(text[:bytes])
}

// TestEvents reads a stream of the embedded critic: progress that grows, then the result that there is without a stream, then nothing.
func TestEvents(t *testing.T) {
	url := serve(t, critic(t), nil) + CompressPath
	body, err := json.Marshal(map[string]any{"id": 3, "instruction": "termination", "max_tokens": 100, "documents": []any{map[string]string{"text": contract(t, 20_000)}}})
	if err != nil {
		t.Fatal(err)
	}
	res, answer := send(t, url, string(body), "Accept", "application/json;q=0.5, text/event-stream")
	if res.Header.Get("Content-Type") != "text/event-stream" || res.Header.Get("X-Accel-Buffering") != "no" {
		t.Errorf("%v", res.Header)
	}
	events := strings.Split(strings.TrimSuffix(answer, "\n\n"), "\n\n")
	read := int64(-1)
	for i, e := range events {
		name, data, ok := strings.Cut(strings.TrimPrefix(e, "event: "), "\ndata: ")
		if !ok {
			t.Fatalf("event %q", e)
		}
		if i == len(events)-1 {
			if _, want := send(t, url, string(body)); name != "result" || data+"\n" != want {
				t.Errorf("the last event is %q, without a stream the answer is %q", e, want)
			}
			break
		}
		var p progress
		if err := json.Unmarshal([]byte(data), &p); err != nil || name != "progress" || p.Done <= read || p.Done > p.Total || p.Total != 20_000 {
			t.Errorf("event %q after %d: %v", e, read, err)
		}
		read = p.Done
	}
	if len(events) < 2 {
		t.Error("no progress")
	}
}

// TestLateFailure: once there was progress, a failure is an event.
func TestLateFailure(t *testing.T) {
	url := serve(t, compressor(func(ctx context.Context, req core.Request) (*core.Result, error) {
		req.Progress(1, 2)
		time.Sleep(2 * progressEvery)
		return nil, &core.Error{Code: core.CodePinsExceed, Message: "no room", Hint: "make some"}
	}), nil) + CompressPath
	_, answer := send(t, url, good, "Accept", "text/event-stream")
	want := "event: progress\ndata: {\"done\":1,\"total\":2}\n\nevent: error\ndata: {\"id\":\"good\",\"error\":{\"code\":\"pins_exceed_budget\",\"message\":\"no room\",\"hint\":\"make some\"}}\n\n"
	if answer != want {
		t.Errorf("got %q", answer)
	}
}

func TestWantsEvents(t *testing.T) {
	for accept, want := range map[string]bool{"": false, "*/*": false, "text/event-stream": true, "application/json, text/event-stream; q=0.1": true,
		"text/event-stream;q=0": false, "TEXT/Event-Stream": true, "text/event-stream;;": false, "xtext/event-stream": false} {
		if got := wantsEvents(&http.Request{Header: http.Header{"Accept": {accept}}}); got != want {
			t.Errorf("%q: %v", accept, got)
		}
	}
}

// TestBodyLimit sends bodies around the limit to both endpoints.
func TestBodyLimit(t *testing.T) {
	const limit = 1000
	e := critic(t)
	url := serve(t, e, &Options{Official: &official.Options{}, HTTP: httpapi.Options{MaxBodyBytes: limit}})
	for path, body := range map[string]string{CompressPath: good, official.Path: released("The rent is due. Cats purr.")} {
		for size, want := range map[int]int{limit - 1: 200, limit: 200, limit + 1: 413} {
			if res, answer := send(t, url+path, body+strings.Repeat(" ", size-len(body))); res.StatusCode != want {
				t.Errorf("%s with %d bytes: %d %s", path, size, res.StatusCode, answer)
			}
		}
	}
}

// released is a request as programs for the released server send it.
func released(text string) string {
	body, _ := json.Marshal(map[string]any{"header": map[string]string{"request_id": text}, "payload": map[string]any{
		"input": map[string]any{"messages": []any{map[string]string{"role": "system", "content": "Extract facts."},
			map[string]string{"role": "user", "content": "the rent"}, map[string]string{"role": "context", "content": text}}},
		"parameters": map[string]any{"min_keyword_len": 1, "complete_sentence": false, "batch_size": 1, "chunk_size": 8192, "max_tokens": 14}}})
	return string(body)
}

// TestVanish: a call whose client is gone stops.
func TestVanish(t *testing.T) {
	for _, accept := range []string{"application/json", "text/event-stream"} {
		begun, ended := make(chan bool), make(chan bool)
		g := httpapi.NewGate(1, 0)
		url := serve(t, compressor(func(ctx context.Context, req core.Request) (*core.Result, error) {
			close(begun)
			<-ctx.Done()
			close(ended)
			return nil, ctx.Err()
		}), &Options{Gate: g}) + CompressPath
		ctx, cancel := context.WithCancel(context.Background())
		go func() { <-begun; cancel() }()
		if _, _, err := post(ctx, url, good, "Accept", accept); err == nil {
			t.Error("an answer")
		}
		<-ended
		for g.Inside() > 0 {
			time.Sleep(time.Millisecond)
		}
	}
}

// TestCrowd sends 100 requests at once to the embedded critic: clients ask in both ways about their own text, some vanish, some
// send garbage or break off. Every answer is the one that its client gets alone, and nothing is left behind.
func TestCrowd(t *testing.T) {
	const clients = 100
	e := critic(t)
	m := telemetry.NewMetrics(telemetry.Sources{})
	g := httpapi.NewGate(4, clients)
	url := serve(t, e, &Options{Gate: g, Official: &official.Options{}, Observers: []httpapi.Observer{m}, Metrics: m.Handler()})
	request := func(i int) (string, string) {
		text := fmt.Sprintf("Client %d rents flat %d. Cats purr at night. It rained in May. Dogs bark in the yard.", i, i)
		if i%2 == 0 {
			return official.Path, released(text + fmt.Sprint(" Number ", i))
		}
		return CompressPath, fmt.Sprintf(`{"id":%d,"instruction":"the rent","ratio":0.5,"pins":["flat"],"documents":[{"text":%q}]}`, i, text)
	}
	alone := make([]string, clients)
	for i := range alone {
		path, body := request(i)
		res, answer := send(t, url+path, body)
		if alone[i] = answer; res.StatusCode != 200 {
			t.Fatal(answer)
		}
	}
	http.DefaultClient.CloseIdleConnections()
	before := runtime.NumGoroutine()
	var wait sync.WaitGroup
	for i := range clients {
		path, body := request(i)
		wait.Go(func() {
			switch i % 7 {
			case 2: // vanishes
				ctx, cancel := context.WithTimeout(context.Background(), time.Duration(i)*200*time.Microsecond)
				defer cancel()
				post(ctx, url+path, body)
			case 3: // sends garbage
				for _, garbage := range []string{"", "{", "[]", "\x00\xff", body[:len(body)/2], strings.Repeat("[", 100_000)} {
					if res, answer, err := post(context.Background(), url+path, garbage); err != nil || res.StatusCode != 400 {
						t.Errorf("garbage: %v %s %v", res, answer, err)
					}
				}
			case 4: // breaks off
				conn, err := net.Dial("tcp", strings.TrimPrefix(url, "http://"))
				if err != nil {
					t.Error(err)
					return
				}
				fmt.Fprintf(conn, "POST %s HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000\r\n\r\n{", path)
				conn.Close()
			default:
				res, answer, err := post(context.Background(), url+path, body)
				if err != nil || res.StatusCode != 200 || answer != alone[i] {
					t.Errorf("client %d: %v %s %v, alone %s", i, res, answer, err, alone[i])
				}
			}
		})
	}
	wait.Wait()
	http.DefaultClient.CloseIdleConnections()
	for began := time.Now(); runtime.NumGoroutine() > before || g.Inside() > 0; time.Sleep(10 * time.Millisecond) {
		if time.Since(began) > 10*time.Second {
			stacks := make([]byte, 1<<20)
			t.Fatalf("%d goroutines before, %d after, %d calls inside: %.5000s", before, runtime.NumGoroutine(), g.Inside(), stacks[:runtime.Stack(stacks, true)])
		}
	}
}

// TestMetrics scrapes and reads what it gets as Prometheus does.
func TestMetrics(t *testing.T) {
	g := httpapi.NewGate(1, 1)
	ready := errors.New("not yet")
	m := telemetry.NewMetrics(telemetry.Sources{Gate: g, Ready: func() error { return ready }, Version: "1", Cache: func() telemetry.Cache { return telemetry.Cache{Hits: 5, Misses: 7, Bytes: 9} }})
	url := serve(t, critic(t), &Options{Gate: g, Observers: []httpapi.Observer{m}, Metrics: m.Handler()})
	send(t, url+CompressPath, good)
	send(t, url+CompressPath, "{")
	send(t, url+CompressPath, `{"instruction":" "}`)
	send(t, url+"/a/path/that/is/not/ours", "")
	leave, _ := g.Enter(context.Background())
	send(t, url+CompressPath, strings.Replace(good, "good", "bad", 1)+"}")
	families := scrape(t, url)
	leave()
	for _, c := range []struct {
		name, labels string
		want         float64
	}{
		{"cprs_http_requests_total", "path=/v1/compress status=200", 1},
		{"cprs_http_requests_total", "path=/v1/compress status=400", 2},
		{"cprs_http_requests_total", "path=/v1/compress status=422", 1},
		{"cprs_http_requests_total", "path=other status=404", 1},
		{"cprs_http_request_duration_seconds", "path=/v1/compress", 4},
		{"cprs_compressions_total", "outcome=invalid_argument", 1},
		{"cprs_tokens_total", "direction=in", 9},
		{"cprs_windows_total", "", 1},
		{"cprs_calls_running", "", 1},
		{"cprs_calls_waiting", "", 0},
		{"cprs_ready", "", 0},
		{"cprs_cache_hits_total", "", 5},
		{"cprs_cache_misses_total", "", 7},
		{"cprs_cache_bytes", "", 9},
		{"cprs_info", "version=1", 1},
	} {
		if got := value(families[c.name], c.labels); got != c.want {
			t.Errorf("%s{%s} is %v, want %v", c.name, c.labels, got, c.want)
		}
	}
	if families["go_goroutines"] == nil {
		t.Error("nothing about the process")
	}
}

func scrape(t *testing.T, url string) map[string]*dto.MetricFamily {
	t.Helper()
	res, err := http.Get(url + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	parser := expfmt.NewTextParser(model.UTF8Validation)
	families, err := parser.TextToMetricFamilies(res.Body)
	if err != nil || res.StatusCode != 200 {
		t.Fatal(res.StatusCode, err)
	}
	return families
}

// value is the metric of a family with labels: a count of observations for a histogram, NaN if there is none.
func value(f *dto.MetricFamily, labels string) float64 {
	for _, m := range f.GetMetric() {
		var all []string
		for _, l := range m.GetLabel() {
			all = append(all, l.GetName()+"="+l.GetValue())
		}
		if strings.Join(all, " ") != labels {
			continue
		}
		if h := m.GetHistogram(); h != nil {
			return float64(h.GetSampleCount())
		}
		return m.GetCounter().GetValue() + m.GetGauge().GetValue()
	}
	return math.NaN()
}

// FuzzCompress: no body makes the server fail, and what it refuses it refuses with a code.
func FuzzCompress(f *testing.F) {
	for _, body := range []string{good, "", "{", `{"id":[]}`, `{"documents":[{"text":"\ud800"}]}`, `{"id":1e999,"instruction":"x","documents":[{"text":""}]}`, "\xff"} {
		f.Add([]byte(body), false)
		f.Add([]byte(body), true)
	}
	s := New(compressor(func(_ context.Context, req core.Request) (*core.Result, error) {
		if err := core.Check(&req); err != nil {
			return nil, err
		}
		return &core.Result{Text: req.Instruction}, nil
	}), &Options{Logger: slog.New(slog.DiscardHandler)})
	f.Fuzz(func(t *testing.T, body []byte, events bool) {
		r := httptest.NewRequest(http.MethodPost, "http://localhost"+CompressPath, bytes.NewReader(body))
		if events {
			r.Header.Set("Accept", "text/event-stream")
		}
		w := httptest.NewRecorder()
		s.Handler().ServeHTTP(w, r)
		req, err := wire.Decode(body)
		if (err != nil) != (w.Code == 400) || w.Code >= 500 {
			t.Fatalf("%d for %v: %s", w.Code, err, w.Body)
		}
		answer := bufio.NewScanner(w.Body)
		answer.Buffer(nil, 1<<24)
		for answer.Scan() {
			line := strings.TrimPrefix(answer.Text(), "data: ")
			if line == "" || strings.HasPrefix(line, "event: ") {
				continue
			}
			var out struct {
				ID, Error json.RawMessage
				Status    string
			}
			if err := json.Unmarshal([]byte(line), &out); err != nil || (out.Status == "") != (w.Code != 200) || (out.Error == nil) != (w.Code == 200) {
				t.Fatalf("%d: %s: %v", w.Code, line, err)
			}
			if !reflect.DeepEqual(out.ID, req.ID) {
				t.Fatalf("the id %s comes back as %s", req.ID, out.ID)
			}
		}
	})
}

// BenchmarkHTTP asks the embedded critic with 1, 8 and 64 clients, each request with another text of 300 bytes; the metric p95-ms is the time that 95
// of 100 requests stay below.
func BenchmarkHTTP(b *testing.B) {
	e := critic(b)
	text := contract(b, 300)
	for _, clients := range []int{1, 8, 64} {
		b.Run(fmt.Sprintf("clients=%d", clients), func(b *testing.B) {
			url := serve(b, e, nil) + CompressPath
			http.DefaultTransport.(*http.Transport).MaxIdleConnsPerHost = clients
			times := make([]time.Duration, b.N)
			var next atomic.Int64
			var wait sync.WaitGroup
			b.ResetTimer()
			for range clients {
				wait.Go(func() {
					for i := int(next.Add(1)) - 1; i < b.N; i = int(next.Add(1)) - 1 {
						body := fmt.Sprintf(`{"instruction":"termination","max_tokens":30,"documents":[{"text":%q}]}`, fmt.Sprint(seen.Add(1), " ", text))
						began := time.Now()
						if res, answer, err := post(context.Background(), url, body); err != nil || res.StatusCode != http.StatusOK {
							b.Errorf("%s %v", answer, err)
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
		})
	}
}

// seen numbers the texts of a benchmark, so that the cache knows none.
var seen atomic.Int64
