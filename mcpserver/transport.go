package mcpserver

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"time"

	"github.com/mark3labs/mcp-go/server"

	"github.com/cprs-go/cprs/tools/httpapi"
)

// Endpoint is the path of the server on HTTP.
const Endpoint = "/mcp"

// sessionTime is how long a session of an older client lives without a request.
const sessionTime = time.Hour

// ServeStdio serves the one host at the other end of standard input and output until it closes its end or ctx is done.
// There is one such host a process.
func (s *Server) ServeStdio(ctx context.Context) error {
	var out io.Writer = os.Stdout
	if s.opt.ClientRoots != ClientRootsIgnored {
		out = withParams{out}
	}
	return serveStdio(ctx, s.mcp, os.Stdin, out, s.opt.Concurrency+max(s.opt.Queue, 0), s.opt.Logger)
}

// serveStdio gives mcp-go as many workers as calls may run or wait, so that it is our gate that says busy.
func serveStdio(ctx context.Context, m *server.MCPServer, in io.Reader, out io.Writer, workers int, logger *slog.Logger) error {
	std := server.NewStdioServer(m)
	std.SetErrorLogger(slog.NewLogLogger(logger.Handler(), slog.LevelError))
	server.WithWorkerPoolSize(workers + 1)(std)
	err := std.Listen(ctx, in, out)
	if ctx.Err() != nil {
		return nil // told to stop
	}
	return err
}

// Handler is the server over streamable HTTP, behind the checks of package httpapi. Its sessions are those of the Server, however often it is
// asked for.
func (s *Server) Handler() http.Handler {
	s.once.Do(func() {
		s.stream = stream(s.mcp, s.opt.Logger, s.opt.ProtocolVersions)
		h := unbuffered(s.stream)
		if s.opt.ClientRoots != ClientRootsIgnored {
			h = askingHTTP(h)
		}
		s.http = httpapi.Harden(acceptStray(h), &s.opt.HTTP)
	})
	return s.http
}

// stream is m over streamable HTTP. Host is checked by httpapi, more strictly.
func stream(m *server.MCPServer, logger *slog.Logger, versions []string) *server.StreamableHTTPServer {
	return server.NewStreamableHTTPServer(m, server.WithSessionIdManager(newSessions(mostSessions, sessionTime)), server.WithSessionIdleTTL(sessionTime),
		server.WithDisableLocalhostProtection(true), server.WithStreamableHTTPLogger(logger), server.WithStreamableHTTPProtocolVersions(versions...))
}

// ListenAndServe serves HTTP on addr, path Endpoint, until ctx is done; see httpapi.Listen for what addr may be.
func (s *Server) ListenAndServe(ctx context.Context, addr string) error {
	ln, err := httpapi.Listen(addr, &s.opt.HTTP)
	if err != nil {
		return err
	}
	return s.Serve(ctx, ln)
}

// Serve is ListenAndServe on a listener, which it closes.
func (s *Server) Serve(ctx context.Context, ln net.Listener) error {
	s.opt.Logger.Info("serving MCP", "url", "http://"+ln.Addr().String()+Endpoint)
	mux := http.NewServeMux()
	mux.Handle(Endpoint, s.Handler())
	return httpapi.Serve(ctx, ln, mux, s.opt.Logger, s.stopStreams)
}

// stopStreams ends the streams of clients that listen for ever.
func (s *Server) stopStreams() {
	s.once.Do(func() {}) // from here on Handler makes none
	if s.stream != nil {
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		s.stream.Shutdown(ctx) // it has no listener of its own that could fail
	}
}

// acceptStray answers notifications that name no session. A client of the newest revision cancels by closing its stream, and is asked for its
// roots whenever they count, and says both as well; mcp-go refuses these messages, and such a client then drops its whole connection.
func acceptStray(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPost && r.Header.Get(server.HeaderKeySessionID) == "" {
			body, err := io.ReadAll(r.Body) // in memory already
			if err != nil {
				http.Error(w, "unreadable body", http.StatusBadRequest)
				return
			}
			var m struct {
				Method string `json:"method"`
			}
			if json.Unmarshal(body, &m) == nil && (m.Method == "notifications/cancelled" || m.Method == "notifications/roots/list_changed") {
				w.WriteHeader(http.StatusAccepted)
				return
			}
			r.Body = io.NopCloser(bytes.NewReader(body))
		}
		next.ServeHTTP(w, r)
	})
}

// unbuffered asks proxies on the way to pass events on as they come.
func unbuffered(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Accel-Buffering", "no")
		next.ServeHTTP(w, r)
	})
}
