package telemetry

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"

	"github.com/cprs-go/cprs/core"
	"github.com/cprs-go/cprs/tools/httpapi"
)

// Traces record what requests do as spans: the request, the compression inside it and, inside that, every stretch of
// text between two reports of progress, which is a batch of windows. They are an httpapi.Observer.
type Traces struct {
	provider *sdktrace.TracerProvider
	tracer   trace.Tracer
}

var _ httpapi.Observer = (*Traces)(nil)

// TracesWanted reports whether the environment asks for traces, by the variables that OpenTelemetry defines.
func TracesWanted() bool {
	if strings.EqualFold(os.Getenv("OTEL_SDK_DISABLED"), "true") || strings.EqualFold(os.Getenv("OTEL_TRACES_EXPORTER"), "none") {
		return false
	}
	return os.Getenv("OTEL_EXPORTER_OTLP_ENDPOINT") != "" || os.Getenv("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT") != ""
}

// OpenTraces sends spans to a collector by OTLP over HTTP: to an address, or where the environment says if it is empty. Nothing is connected
// before there are spans; what cannot be sent is lost, and logged.
func OpenTraces(ctx context.Context, address, version string, logger *slog.Logger) (*Traces, error) {
	var opts []otlptracehttp.Option
	if address != "" {
		u, err := tracesURL(address)
		if err != nil {
			return nil, err
		}
		opts = append(opts, otlptracehttp.WithEndpointURL(u))
	}
	otel.SetErrorHandler(otel.ErrorHandlerFunc(func(err error) { logger.Warn("traces are lost", "error", err) }))
	exporter, err := otlptracehttp.New(ctx, opts...)
	if err != nil {
		return nil, err
	}
	return NewTraces(ctx, sdktrace.WithBatcher(exporter), version)
}

// tracesURL is where a collector takes traces; the path is the usual one unless the address has another.
func tracesURL(address string) (string, error) {
	u, err := url.Parse(address)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
		return "", &core.Error{Code: core.CodeInvalidArgument, Message: fmt.Sprintf("%q is no address of a collector", address), Hint: "write a URL, as in http://127.0.0.1:4318"}
	}
	if strings.Trim(u.Path, "/") == "" {
		u.Path = "/v1/traces"
	}
	return u.String(), nil
}

// NewTraces gives spans to a processor.
func NewTraces(ctx context.Context, processor sdktrace.TracerProviderOption, version string) (*Traces, error) {
	about, err := resource.New(ctx, resource.WithTelemetrySDK(),
		resource.WithAttributes(attribute.String("service.name", "cprs"), attribute.String("service.version", version)), resource.WithFromEnv())
	if err != nil {
		return nil, err
	}
	p := sdktrace.NewTracerProvider(processor, sdktrace.WithResource(about))
	return &Traces{provider: p, tracer: p.Tracer("github.com/cprs-go/cprs")}, nil
}

// Close sends what is left; ctx bounds how long that takes.
func (t *Traces) Close(ctx context.Context) error { return t.provider.Shutdown(ctx) }

// Endpoint implements httpapi.Observer. A trace that the client has begun is carried on.
func (t *Traces) Endpoint(path string, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ctx := propagation.TraceContext{}.Extract(r.Context(), propagation.HeaderCarrier(r.Header))
		ctx, span := t.tracer.Start(ctx, r.Method+" "+path, trace.WithSpanKind(trace.SpanKindServer), trace.WithAttributes(
			attribute.String("http.request.method", r.Method), attribute.String("http.route", path)))
		rec := httpapi.NewRecorder(w)
		defer func() {
			span.SetAttributes(attribute.Int("http.response.status_code", rec.Status()))
			if rec.Status() >= http.StatusInternalServerError {
				span.SetStatus(codes.Error, "")
			}
			span.End()
		}()
		next.ServeHTTP(rec, r.WithContext(ctx))
	})
}

// Compressor implements httpapi.Observer.
func (t *Traces) Compressor(c core.Compressor) core.Compressor { return &traced{c, t} }

type traced struct {
	core.Compressor
	t *Traces
}

// Compress implements core.Compressor.
func (c *traced) Compress(ctx context.Context, req core.Request) (*core.Result, error) {
	ctx, span := c.t.tracer.Start(ctx, "compress", trace.WithAttributes(attribute.Int("cprs.documents", len(req.Documents))))
	defer span.End()
	told, last, read := req.Progress, time.Now(), int64(0)
	req.Progress = func(done, total int64) {
		now := time.Now()
		_, windows := c.t.tracer.Start(ctx, "windows", trace.WithTimestamp(last), trace.WithAttributes(attribute.Int64("cprs.bytes", done-read)))
		windows.End(trace.WithTimestamp(now))
		last, read = now, done
		if told != nil {
			told(done, total)
		}
	}
	res, err := c.Compressor.Compress(ctx, req)
	span.SetAttributes(attribute.String("cprs.outcome", outcome(res, err)))
	if err != nil {
		span.SetStatus(codes.Error, outcome(res, err))
		return res, err
	}
	span.SetAttributes(attribute.Int("cprs.tokens_in", res.Stats.TokensIn), attribute.Int("cprs.tokens_out", res.Stats.TokensOut),
		attribute.Int("cprs.windows", res.Stats.Windows), attribute.String("cprs.critic", res.Stats.Critic))
	return res, nil
}
