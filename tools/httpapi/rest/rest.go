// Package rest serves compression over HTTP.
//
//	POST /v1/compress                  a request of package wire → its result, or events: progress, then the result
//	POST /qwen_long_compress_server    the API of the released QwenLong-CPRS server, where asked for; see package official
//	GET  /healthz, /readyz             the process answers; the critic is loaded
//	GET  /metrics                      where there are any
//
//	client → observers → httpapi.Harden → decode → observers → time limit, gate → core.Compressor
//
// A request that fails is answered by a wire.Failure with an HTTP status that says whose fault it is: 400 no request at
// all, 401 and 403 not allowed, 413 too large, 422 a request that contradicts itself, 429 too many calls, 503 not ready, 504 the
// time was over before anything was read, 500 ours. 429 and 503 come with Retry-After.
package rest

import (
	"context"
	"log/slog"
	"net"
	"net/http"
	"time"

	"github.com/cprs-go/cprs/core"
	"github.com/cprs-go/cprs/core/compat"
	"github.com/cprs-go/cprs/core/wire"
	"github.com/cprs-go/cprs/tools"
	"github.com/cprs-go/cprs/tools/httpapi"
	"github.com/cprs-go/cprs/tools/httpapi/official"
)

// CompressPath is the path of the endpoint.
const CompressPath = "/v1/compress"

// The defaults of Options.
const (
	DefaultConcurrency = 4
	DefaultQueue       = 64
	DefaultTimeout     = 5 * time.Minute
)

// Options say how to serve. Nil and zero values mean the defaults.
type Options struct {
	Official *official.Options // serve the API of the released server too; nil: no

	Gate    *httpapi.Gate // of the calls; nil: DefaultConcurrency run, DefaultQueue wait
	Timeout time.Duration // of a call, waiting included; what has been read by then is the answer. 0: DefaultTimeout

	Ready     func() error       // nil once calls can be answered, tools.ErrOpening before; nil function: at once
	Observers []httpapi.Observer // of requests and calls, the innermost first
	Metrics   http.Handler       // answers a scrape; nil: there is no /metrics
	HTTP      httpapi.Options    // who may call. /healthz and /readyz need no token
	Logger    *slog.Logger       // nil: slog.Default(). No text, instruction or query is logged
}

// Server answers over HTTP. It is safe for concurrent use.
type Server struct {
	opt     Options
	limited *httpapi.Limited
	c       core.Compressor // limited, and observed
	mux     *http.ServeMux
}

// New makes a server of c, which the caller closes after it.
func New(c core.Compressor, opts *Options) *Server {
	s := &Server{mux: http.NewServeMux()}
	if opts != nil {
		s.opt = *opts
	}
	s.defaults()
	s.limited = &httpapi.Limited{Compressor: c, Gate: s.opt.Gate, Timeout: s.opt.Timeout}
	s.c = s.limited
	for _, o := range s.opt.Observers {
		s.c = o.Compressor(s.c)
	}
	s.routes()
	return s
}

func (s *Server) defaults() {
	o := &s.opt
	if o.Gate == nil {
		o.Gate = httpapi.NewGate(DefaultConcurrency, DefaultQueue)
	}
	if o.Timeout <= 0 {
		o.Timeout = DefaultTimeout
	}
	if o.Ready == nil {
		o.Ready = func() error { return nil }
	}
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	if o.HTTP.Logger == nil {
		o.HTTP.Logger = o.Logger
	}
}

func (s *Server) routes() {
	open := s.opt.HTTP // probes carry no token, and learn nothing
	open.Tokens = nil
	ready := s.status(s.opt.Ready)
	alive := s.status(func() error { return nil })

	s.route(CompressPath, http.MethodPost, &s.opt.HTTP, http.HandlerFunc(s.compress))
	s.route("/healthz", http.MethodGet, &open, alive)
	s.route("/readyz", http.MethodGet, &open, ready)
	if s.opt.Metrics != nil {
		s.route("/metrics", http.MethodGet, &s.opt.HTTP, s.opt.Metrics)
	}
	if s.opt.Official != nil {
		s.route(official.Path, http.MethodPost, &s.opt.HTTP, official.New(s.c, s.official()))
	}
	s.handle("/", "other", &s.opt.HTTP, func(w http.ResponseWriter, r *http.Request) {
		httpapi.Refuse(w, http.StatusNotFound, core.CodeNotFound, "there is no such path", "POST a request to "+CompressPath)
	})
}

// route serves a path to one method.
func (s *Server) route(path, method string, who *httpapi.Options, h http.Handler) {
	s.handle(path, path, who, func(w http.ResponseWriter, r *http.Request) {
		if r.Method != method && (method != http.MethodGet || r.Method != http.MethodHead) {
			w.Header().Set("Allow", method)
			httpapi.Refuse(w, http.StatusMethodNotAllowed, httpapi.CodeMethod, "the path takes another method", "send "+method)
			return
		}
		h.ServeHTTP(w, r)
	})
}

// handle hardens h, which observers and the log know by name.
func (s *Server) handle(path, name string, who *httpapi.Options, h http.HandlerFunc) {
	next := httpapi.Harden(h, who)
	for _, o := range s.opt.Observers {
		next = o.Endpoint(name, next)
	}
	s.mux.HandleFunc(path, func(w http.ResponseWriter, r *http.Request) {
		began, rec := time.Now(), httpapi.NewRecorder(w)
		next.ServeHTTP(rec, r)
		s.opt.Logger.Info("request", "path", name, "status", rec.Status(), "took", time.Since(began).Round(time.Millisecond))
	})
}

// official are the options of the other API, its own calls limited like all.
func (s *Server) official() *official.Options {
	o := *s.opt.Official
	if released := o.Released; released != nil {
		o.Released = func(ctx context.Context, req compat.Request) (res *compat.Response, err error) {
			err = s.limited.Do(ctx, func(ctx context.Context) error {
				res, err = released(ctx, req)
				return err
			})
			return res, err
		}
	}
	return &o
}

// status answers a probe.
func (s *Server) status(ready func() error) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch err := ready(); err {
		case nil:
			httpapi.Respond(w, http.StatusOK, map[string]string{"status": "ok"})
		case tools.ErrOpening:
			httpapi.Refuse(w, http.StatusServiceUnavailable, httpapi.CodeNotReady, err.Error(), "ask again in a second")
		default:
			s.opt.Logger.Error("the critic could not be opened", "error", err)
			httpapi.Refuse(w, http.StatusServiceUnavailable, core.CodeCriticFailed, "the critic could not be opened", "see the log of the server")
		}
	})
}

// compress answers a request of package wire.
func (s *Server) compress(w http.ResponseWriter, r *http.Request) {
	req, err := decode(r)
	if err != nil {
		httpapi.Respond(w, http.StatusBadRequest, wire.NewFailure(req.ID, err))
		return
	}
	if wantsEvents(r) {
		s.stream(w, r, req)
		return
	}
	res, err := s.c.Compress(r.Context(), req.Request)
	if err != nil {
		s.fail(w, r, req.ID, err)
		return
	}
	httpapi.Respond(w, http.StatusOK, wire.NewResult(req.ID, req.Documents, res))
}

// fail answers with a failure; faults of ours are logged by their kind.
func (s *Server) fail(w http.ResponseWriter, r *http.Request, id wire.ID, err error) {
	status, f := httpapi.Failure(r.Context(), id, err)
	s.logFault(status, err)
	httpapi.Respond(w, status, f)
}

// Handler is the server behind the checks of package httpapi.
func (s *Server) Handler() http.Handler { return s.mux }

// Serve answers requests on ln, which it closes, until ctx is done.
func (s *Server) Serve(ctx context.Context, ln net.Listener) error {
	return httpapi.Serve(ctx, ln, s.Handler(), s.opt.Logger, nil)
}
