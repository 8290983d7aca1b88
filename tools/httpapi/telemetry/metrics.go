// Package telemetry tells operators how a server does: Metrics in the form of Prometheus, Traces over OpenTelemetry. Both are
// observers of package httpapi. No text, instruction or query leaves the program through them: names of paths,
// codes and numbers only.
package telemetry

import (
	"context"
	"errors"
	"net/http"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/cprs-go/cprs/core"
	"github.com/cprs-go/cprs/core/wire"
	"github.com/cprs-go/cprs/tools/httpapi"
)

// Sources are read whenever the metrics are. Nil ones are left out.
type Sources struct {
	Gate    *httpapi.Gate
	Ready   func() error
	Cache   func() Cache
	Version string // of the program
}

// Cache are the figures of the critic's cache of texts that may be asked about again.
type Cache struct{ Hits, Misses, Bytes int64 }

// Metrics count requests and compressions in a registry of their own. They are an httpapi.Observer.
type Metrics struct {
	registry *prometheus.Registry

	requests     *prometheus.CounterVec   // path, status
	latency      *prometheus.HistogramVec // path
	compressions *prometheus.CounterVec   // outcome
	tokens       *prometheus.CounterVec   // direction
	windows      prometheus.Counter
}

var _ httpapi.Observer = (*Metrics)(nil)

// NewMetrics counts from zero.
func NewMetrics(src Sources) *Metrics {
	m := &Metrics{
		registry: prometheus.NewRegistry(),
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "cprs_http_requests_total", Help: "Requests by path and status of the answer; 499: the client did not wait for it."}, []string{"path", "status"}),
		latency: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "cprs_http_request_duration_seconds", Help: "Time from a request to the end of its answer, waiting included.",
			Buckets: []float64{.005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 25, 50, 100}}, []string{"path"}),
		compressions: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "cprs_compressions_total", Help: "Compressions by outcome: the status of the result, or the code of the error."}, []string{"outcome"}),
		tokens: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "cprs_tokens_total", Help: "Tokens of the texts that were read (in) and of the results (out)."}, []string{"direction"}),
		windows: prometheus.NewCounter(prometheus.CounterOpts{Name: "cprs_windows_total", Help: "Windows that the critic read."}),
	}
	m.registry.MustRegister(m.requests, m.latency, m.compressions, m.tokens, m.windows,
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	m.register(src)
	return m
}

// register adds what is read from src.
func (m *Metrics) register(src Sources) {
	gauge := func(name, help string, value func() float64) {
		m.registry.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: name, Help: help}, value))
	}
	counter := func(name, help string, value func() float64) {
		m.registry.MustRegister(prometheus.NewCounterFunc(prometheus.CounterOpts{Name: name, Help: help}, value))
	}
	if g := src.Gate; g != nil {
		gauge("cprs_calls_running", "Compressions that are running.", func() float64 { return float64(g.Running()) })
		gauge("cprs_calls_waiting", "Compressions that wait for their turn.", func() float64 { return float64(max(g.Inside()-g.Running(), 0)) })
	}
	if src.Ready != nil {
		gauge("cprs_ready", "1 once the critic is loaded.", func() float64 {
			if src.Ready() != nil {
				return 0
			}
			return 1
		})
	}
	if src.Cache != nil {
		counter("cprs_cache_hits_total", "Pieces of text whose states were kept from an earlier request.", func() float64 { return float64(src.Cache().Hits) })
		counter("cprs_cache_misses_total", "Pieces of text that were read anew.", func() float64 { return float64(src.Cache().Misses) })
		gauge("cprs_cache_bytes", "Size of the states that are kept.", func() float64 { return float64(src.Cache().Bytes) })
	}
	if src.Version != "" {
		info := prometheus.NewGauge(prometheus.GaugeOpts{Name: "cprs_info", Help: "The program.", ConstLabels: prometheus.Labels{"version": src.Version}})
		info.Set(1)
		m.registry.MustRegister(info)
	}
}

// Handler answers a scrape.
func (m *Metrics) Handler() http.Handler {
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{MaxRequestsInFlight: 4, Timeout: 10 * time.Second})
}

// Endpoint implements httpapi.Observer.
func (m *Metrics) Endpoint(path string, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		began, rec := time.Now(), httpapi.NewRecorder(w)
		defer func() { // also if the handler breaks the connection off
			m.requests.WithLabelValues(path, strconv.Itoa(rec.Status())).Inc()
			m.latency.WithLabelValues(path).Observe(time.Since(began).Seconds())
		}()
		next.ServeHTTP(rec, r)
	})
}

// Compressor implements httpapi.Observer.
func (m *Metrics) Compressor(c core.Compressor) core.Compressor { return &counted{c, m} }

type counted struct {
	core.Compressor
	m *Metrics
}

// Compress implements core.Compressor.
func (c *counted) Compress(ctx context.Context, req core.Request) (*core.Result, error) {
	res, err := c.Compressor.Compress(ctx, req)
	c.m.compressions.WithLabelValues(outcome(res, err)).Inc()
	if err == nil {
		c.m.tokens.WithLabelValues("in").Add(float64(res.Stats.TokensIn))
		c.m.tokens.WithLabelValues("out").Add(float64(res.Stats.TokensOut))
		c.m.windows.Add(float64(res.Stats.Windows))
	}
	return res, err
}

// outcome is the status of a result or the code of an error.
func outcome(res *core.Result, err error) string {
	var known *core.Error
	switch {
	case err == nil:
		return res.Status.String()
	case errors.As(err, &known):
		return string(known.Code)
	case errors.Is(err, context.Canceled):
		return string(wire.CodeCancelled)
	case errors.Is(err, context.DeadlineExceeded):
		return string(core.CodeDeadline)
	}
	return string(wire.CodeInternal)
}
