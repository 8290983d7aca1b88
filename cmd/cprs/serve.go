package main

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/spf13/cobra"

	"github.com/cprs-go/cprs/core"
	"github.com/cprs-go/cprs/core/compat"
	"github.com/cprs-go/cprs/core/engine"
	"github.com/cprs-go/cprs/core/model/checkpoint"
	"github.com/cprs-go/cprs/core/model/hybrid"
	"github.com/cprs-go/cprs/core/tokenizer"
	"github.com/cprs-go/cprs/tools"
	"github.com/cprs-go/cprs/tools/httpapi"
	"github.com/cprs-go/cprs/tools/httpapi/official"
	"github.com/cprs-go/cprs/tools/httpapi/rest"
	"github.com/cprs-go/cprs/tools/httpapi/telemetry"
)

type serveFlags struct {
	serverFlags
	concurrency int
	queue       int
	timeout     time.Duration
	maxBody     int64
	compat      bool
	metrics     bool
	otlp        string

	engineOpen atomic.Pointer[engine.Engine]
}

func newServeCommand() *cobra.Command {
	f := new(serveFlags)
	cmd := &cobra.Command{
		Use:   "serve",
		Short: "Serve compression over HTTP",
		Long: `Serve compression over HTTP until it is interrupted.

  POST /v1/compress    a request as of cprs batch; its result, or events of progress and the result with Accept: text/event-stream
  GET  /healthz        answers
  GET  /readyz         200 once the critic is loaded, 503 before
  GET  /metrics        in the form of Prometheus, with --metrics
  POST /qwen_long_compress_server    the API of the released QwenLong-CPRS server, with --compat

An address that other machines can reach needs a token. Traces go to an OpenTelemetry collector with --otlp, or where the OTEL_ variables name one.`,
		Example: `  cprs serve
  cprs serve --addr 0.0.0.0:8787 --token-file tokens --allow-host cprs.example.com --metrics
  curl -s 127.0.0.1:8787/v1/compress -d '{"instruction":"When is the rent due?","documents":[{"text":"…"}]}'`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return f.run(cmd) },
	}
	f.register(cmd, "addr", "127.0.0.1:8787", "HOST:PORT to serve on")
	fs := cmd.Flags()
	fs.BoolVar(&f.compat, "compat", false, "also serve the API of the released QwenLong-CPRS server")
	fs.BoolVar(&f.metrics, "metrics", false, "also serve /metrics")
	fs.StringVar(&f.otlp, "otlp", "", "URL of an OpenTelemetry collector that takes traces, such as http://127.0.0.1:4318")
	fs.IntVar(&f.concurrency, "concurrency", rest.DefaultConcurrency, "requests that run at a time")
	fs.IntVar(&f.queue, "queue", rest.DefaultQueue, "requests that may wait")
	fs.DurationVar(&f.timeout, "timeout", rest.DefaultTimeout, "longest time of a request, after which what has been read is the answer")
	fs.Int64Var(&f.maxBody, "max-body-bytes", 32<<20, "largest request")
	return cmd
}

func (f *serveFlags) run(cmd *cobra.Command) (err error) {
	logger, err := f.logger()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.closeLog()) }()
	o := rest.Options{Gate: httpapi.NewGate(f.concurrency, f.queue), Timeout: f.timeout, Logger: logger}
	if o.HTTP, err = f.http(); err != nil {
		return err
	}
	o.HTTP.MaxBodyBytes, o.HTTP.MaxBodies = f.maxBody, 2*max(f.concurrency+f.queue, 1) // those on their way beside those that run or wait
	ln, err := httpapi.Listen(f.addr, &o.HTTP)
	if err != nil {
		return err
	}
	defer ln.Close() // again after Serve, which does no harm

	c := tools.NewLazy(f.open)
	defer func() { err = errors.Join(err, c.Close()) }()
	o.Ready = c.Ready
	if f.compat {
		o.Official = &official.Options{CountTokens: f.countTokens, Released: f.released(c)}
	}
	if f.metrics {
		m := telemetry.NewMetrics(telemetry.Sources{Gate: o.Gate, Ready: c.Ready, Cache: f.cacheStats, Version: version()})
		o.Metrics, o.Observers = m.Handler(), append(o.Observers, m)
	}
	if f.otlp != "" || telemetry.TracesWanted() {
		t, err := telemetry.OpenTraces(cmd.Context(), f.otlp, version(), logger)
		if err != nil {
			return err
		}
		defer closeTraces(t)
		o.Observers = append(o.Observers, t)
	}
	ctx, stop := context.WithCancel(cmd.Context())
	defer stop()
	go func() {
		if c.Wait(ctx) != nil {
			stop() // there is nothing to serve; Close tells why
		}
	}()
	fmt.Fprintf(cmd.ErrOrStderr(), "serving http://%s%s\n", ln.Addr(), rest.CompressPath)
	return rest.New(c, &o).Serve(ctx, ln)
}

// open opens the critic, with all that the released API may ask of it.
func (f *serveFlags) open(ctx context.Context) (core.Compressor, error) {
	o := f.engine
	if f.compat && o.CriticDir != "" {
		kind, err := checkpoint.ModelType(o.CriticDir) // a fault is told by the engine
		o.Compat = err == nil && kind == hybrid.ModelType
	}
	e, err := engine.Open(ctx, &o)
	if err != nil {
		return nil, err
	}
	f.engineOpen.Store(e)
	return sound{e}, nil
}

// sound is an engine whose own way is the default also where it can work as the released code does.
type sound struct{ *engine.Engine }

// Compress implements core.Compressor.
func (s sound) Compress(ctx context.Context, req core.Request) (*core.Result, error) {
	return s.Pipeline.Compress(ctx, req)
}

// released answers as the released code does, once the critic is open.
func (f *serveFlags) released(c *tools.Lazy) official.Released {
	return func(ctx context.Context, req compat.Request) (*compat.Response, error) {
		if err := c.Wait(ctx); err != nil {
			return nil, err
		}
		p := f.engineOpen.Load().Released()
		if p == nil {
			return nil, official.ErrNotReleased
		}
		return p.Extract(ctx, req)
	}
}

// countTokens counts with the critic's tokenizer, once there is one.
func (f *serveFlags) countTokens(text string) int {
	return tokenizer.Count(f.engineOpen.Load().Tokenizer(), text)
}

// cacheStats are the figures of the critic's cache, zero before there is one.
func (f *serveFlags) cacheStats() telemetry.Cache {
	e := f.engineOpen.Load()
	if e == nil {
		return telemetry.Cache{}
	}
	return telemetry.Cache(e.CacheStats())
}

// closeTraces sends what is left of the traces, unless the collector takes too long.
func closeTraces(t *telemetry.Traces) {
	ctx, cancel := context.WithTimeout(context.Background(), 3*time.Second)
	defer cancel()
	t.Close(ctx) // what is lost is logged
}
