package telemetry

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	collector "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	"google.golang.org/protobuf/proto"

	"github.com/cprs-go/cprs/core"
)

// compressor is a Compressor made of a function.
type compressor func(ctx context.Context, req core.Request) (*core.Result, error)

func (f compressor) Compress(ctx context.Context, req core.Request) (*core.Result, error) {
	return f(ctx, req)
}

// inTwo reads in two steps, or fails.
func inTwo(_ context.Context, req core.Request) (*core.Result, error) {
	req.Progress(3, 8)
	req.Progress(8, 8)
	if req.Query == "fail" {
		return nil, errors.New("private detail of a failure")
	}
	return &core.Result{Text: "private text", Stats: core.Stats{TokensIn: 4, TokensOut: 2, Windows: 2}}, nil
}

// handler compresses behind traces.
func handler(t *Traces) http.Handler {
	c := t.Compressor(compressor(inTwo))
	return t.Endpoint("/v1/compress", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		query := r.URL.Query().Get("q")
		if _, err := c.Compress(r.Context(), core.Request{Instruction: "private instruction", Query: query, Documents: make([]core.Document, 1)}); err != nil {
			w.WriteHeader(http.StatusInternalServerError)
		}
		io.WriteString(w, "done")
	}))
}

// TestTraces: a request is a span, the compression is inside it, and in that the windows that were read. The client's own trace is carried on. No
// text is in any of it.
func TestTraces(t *testing.T) {
	spans := tracetest.NewInMemoryExporter()
	traces, err := NewTraces(t.Context(), sdktrace.WithSyncer(spans), "1")
	if err != nil {
		t.Fatal(err)
	}
	const parent = "0af7651916cd43dd8448eb211c80319c"
	for _, query := range []string{"private", "fail"} {
		r := httptest.NewRequest(http.MethodPost, "/v1/compress?q="+query, nil)
		r.Header.Set("Traceparent", "00-"+parent+"-b7ad6b7169203331-01")
		handler(traces).ServeHTTP(httptest.NewRecorder(), r)
	}
	var got []string
	for _, s := range spans.GetSpans() {
		if s.SpanContext.TraceID().String() != parent {
			t.Errorf("%s is of trace %s", s.Name, s.SpanContext.TraceID())
		}
		var about []string
		for _, a := range s.Attributes {
			about = append(about, fmt.Sprintf("%s=%s", a.Key, a.Value.String()))
		}
		slices.Sort(about)
		got = append(got, fmt.Sprintln(s.Name, s.Status.Code, s.Status.Description, about))
		if s.EndTime.Before(s.StartTime) {
			t.Errorf("%s ends before it begins", s.Name)
		}
	}
	want := []string{
		"windows Unset  [cprs.bytes=3]\n", "windows Unset  [cprs.bytes=5]\n",
		"compress Unset  [cprs.critic= cprs.documents=1 cprs.outcome=compressed cprs.tokens_in=4 cprs.tokens_out=2 cprs.windows=2]\n",
		"POST /v1/compress Unset  [http.request.method=POST http.response.status_code=200 http.route=/v1/compress]\n",
		"windows Unset  [cprs.bytes=3]\n", "windows Unset  [cprs.bytes=5]\n",
		"compress Error internal [cprs.documents=1 cprs.outcome=internal]\n",
		"POST /v1/compress Error  [http.request.method=POST http.response.status_code=500 http.route=/v1/compress]\n",
	}
	if !slices.Equal(got, want) {
		t.Errorf("got  %q\nwant %q", got, want)
	}
}

// TestOTLP sends to a collector over HTTP, by flag and by the environment.
func TestOTLP(t *testing.T) {
	names := make(chan string, 100)
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		var req collector.ExportTraceServiceRequest
		if err = errors.Join(err, proto.Unmarshal(body, &req)); err != nil {
			t.Error(err)
		}
		if strings.Contains(string(body), "private") {
			t.Errorf("the collector gets %q", body)
		}
		for _, rs := range req.ResourceSpans {
			for _, a := range rs.Resource.Attributes {
				if a.Key == "service.name" {
					names <- r.URL.Path + " " + a.Value.GetStringValue()
				}
			}
			for _, ss := range rs.ScopeSpans {
				for _, s := range ss.Spans {
					names <- s.Name + " "
				}
			}
		}
	}))
	defer srv.Close()
	send := func(address, service string) {
		t.Helper()
		traces, err := OpenTraces(t.Context(), address, "1", slog.New(slog.DiscardHandler))
		if err != nil {
			t.Fatal(err)
		}
		handler(traces).ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(http.MethodPost, "/v1/compress?q=private", nil))
		if err := traces.Close(t.Context()); err != nil {
			t.Fatal(err)
		}
		if got := <-names; got != "/v1/traces "+service {
			t.Errorf("sent to %s", got)
		}
		for _, want := range []string{"windows ", "windows ", "compress ", "POST /v1/compress "} {
			if got := <-names; got != want {
				t.Errorf("got span %q, want %q", got, want)
			}
		}
	}
	if TracesWanted() {
		t.Error("traces that nobody asked for")
	}
	send(srv.URL, "cprs")
	t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", srv.URL)
	t.Setenv("OTEL_SERVICE_NAME", "mine")
	if !TracesWanted() {
		t.Error("the environment is not heard")
	}
	send("", "mine")
	t.Setenv("OTEL_SDK_DISABLED", "TRUE")
	if TracesWanted() {
		t.Error("disabled, and wanted")
	}
}

func TestTracesURL(t *testing.T) {
	for address, want := range map[string]string{"http://a:4318": "http://a:4318/v1/traces", "https://a/": "https://a/v1/traces", "http://a/own": "http://a/own",
		"a:4318": "", "ftp://a": "", "http://": "", "": "", "http://[": ""} {
		got, err := tracesURL(address)
		var known *core.Error
		if got != want || (err == nil) != (want != "") || err != nil && (!errors.As(err, &known) || known.Hint == "") {
			t.Errorf("%q: %q, %v", address, got, err)
		}
	}
}
