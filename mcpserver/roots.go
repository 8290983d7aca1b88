package mcpserver

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"time"

	"github.com/mark3labs/mcp-go/mcp"
	"github.com/mark3labs/mcp-go/server"

	"github.com/cprs-go/cprs/core/source"
	"github.com/cprs-go/cprs/tools"
)

// ClientRoots says what the folders count that a client names as its roots. A client is asked with every call that reads
// files, so what it changes counts from the next call on. The protocol has deprecated roots: a client that has none, or does not answer, is served
// all the same.
type ClientRoots int

// The uses of client roots.
const (
	ClientRootsIgnored ClientRoots = iota // nobody is asked
	ClientRootsNarrow                     // files are read below both a folder of Options.Sources and one of the client's
	ClientRootsWiden                      // below either: for a client that started the server, which could have named any folder then
)

// rootsID names the request for roots among those of a call.
const rootsID = "roots"

// rootsTime is how long a client of an older revision may take to name its roots.
const rootsTime = 5 * time.Second

// rooted has a call read what the client's roots and the options allow.
func (s *Server) rooted(tool string, next server.ToolHandlerFunc) server.ToolHandlerFunc {
	if s.opt.ClientRoots == ClientRootsIgnored || tool == tools.ExpandContext {
		return next
	}
	return func(ctx context.Context, req mcp.CallToolRequest) (*mcp.CallToolResult, error) {
		if tool == tools.CompressContext && !readsFiles(req.Params.RawArguments) {
			return next(ctx, req)
		}
		if mustAsk(ctx, req) {
			return server.NewInputRequestBuilder("").Roots(rootsID).ToolResult(), nil
		}
		named := namedRoots(ctx, req)
		if named == nil || len(named.Roots) == 0 {
			return next(ctx, req)
		}
		var dirs []string
		for _, root := range named.Roots {
			if dir, err := source.Folder(root.URI); err == nil { // what is no folder here can be read in no mode
				dirs = append(dirs, dir)
			}
		}
		files := s.opt.Sources.Narrow
		if s.opt.ClientRoots == ClientRootsWiden {
			files = s.opt.Sources.Widen
		}
		r := files(dirs)
		defer r.Close() // of folders that were only read
		return next(tools.WithSources(ctx, r), req)
	}
}

// readsFiles reports whether the arguments of compress_context name any.
func readsFiles(args json.RawMessage) bool {
	var named struct {
		Paths json.RawMessage `json:"paths"`
		URIs  json.RawMessage `json:"uris"`
	}
	return json.Unmarshal(args, &named) == nil && (named.Paths != nil || named.URIs != nil)
}

// mustAsk reports whether the client has roots and speaks a revision in which it is asked by a result.
func mustAsk(ctx context.Context, req mcp.CallToolRequest) bool {
	about := server.RequestProtocolInfoFromContext(ctx)
	return about != nil && about.Modern && about.ClientCapabilities != nil && about.ClientCapabilities.Roots != nil && len(req.Params.InputResponses) == 0
}

// namedRoots are the roots that came with a call, or that a client of an older revision names when it is asked; nil if there are none. Over HTTP such a
// client can be asked only if it listens, which nobody knows, so it is not.
func namedRoots(ctx context.Context, req mcp.CallToolRequest) *mcp.ListRootsResult {
	if server.IsModernRequest(ctx) {
		return server.RootsResponse(req.Params.InputResponses, rootsID)
	}
	session, ok := server.ClientSessionFromContext(ctx).(server.SessionWithClientInfo)
	if !ok || session.GetClientCapabilities().Roots == nil || session.SessionID() != stdioSession {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, rootsTime)
	defer cancel()
	res, err := server.ServerFromContext(ctx).RequestRoots(ctx, mcp.ListRootsRequest{Request: mcp.Request{Method: string(mcp.MethodListRoots)}})
	if err != nil {
		return nil
	}
	return res
}

// stdioSession is the name that mcp-go gives to the session on standard input and output.
const stdioSession = "stdio"

// withParams gives requests for roots the empty params that mcp-go leaves out and the client of the official Go SDK insists on. Messages are
// written in one piece; inside a string the quotes would be escaped, so no text is changed.
type withParams struct{ w io.Writer }

func (p withParams) Write(message []byte) (int, error) {
	out := bytes.ReplaceAll(message, []byte(`{"method":"roots/list"}`), []byte(`{"method":"roots/list","params":{}}`))
	if n, err := p.w.Write(out); err != nil {
		return min(n, len(message)), err
	}
	return len(message), nil
}

// askingHTTP is withParams for answers over HTTP.
func askingHTTP(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { next.ServeHTTP(askingWriter{w}, r) })
}

type askingWriter struct{ http.ResponseWriter }

func (a askingWriter) Write(message []byte) (int, error) {
	return withParams{a.ResponseWriter}.Write(message)
}

// Flush implements http.Flusher.
func (a askingWriter) Flush() { _ = http.NewResponseController(a.ResponseWriter).Flush() }

// Unwrap is for http.ResponseController.
func (a askingWriter) Unwrap() http.ResponseWriter { return a.ResponseWriter }
