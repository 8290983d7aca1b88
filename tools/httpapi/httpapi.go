// Package httpapi is the hardened HTTP server that everything reachable over a network stands behind: Harden puts a
// chain of checks in front of a handler, Serve runs it with time limits and stops it gracefully.
//
//	request → recover → size → Host, Origin → bearer token → body, read whole within a time limit → handler
//
// A local server is a target for web pages, which make a browser send it requests (DNS rebinding, cross-site requests): so
// Host and Origin are checked on every address, and an address that other machines can reach needs a token. What is refused is answered
// with a wire.Failure. Neither bodies nor tokens are logged.
package httpapi

import (
	"bytes"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"runtime/debug"
	"slices"
	"strings"
	"time"

	"github.com/cprs-go/cprs/core"
	"github.com/cprs-go/cprs/core/wire"
	"github.com/cprs-go/cprs/tools"
)

// DefaultMaxBodyBytes bounds a request's body where Options do not.
const DefaultMaxBodyBytes = 8 << 20

// bodyTime is how long a client may take to send a body.
const bodyTime = 30 * time.Second

// Options say who may send what. Nil and zero values mean the defaults.
type Options struct {
	Tokens         []string     // a request must carry one of them as its bearer token; none: whoever can connect may call
	AllowedHosts   []string     // names by which the server is reached, without port, beside localhost and its own address
	AllowedOrigins []string     // of web pages that may call, such as https://app.example.com, beside the server's own
	MaxBodyBytes   int64        // 0: DefaultMaxBodyBytes
	MaxBodies      int          // that are held at a time, before the next client is told to come later; 0: no bound
	Logger         *slog.Logger // nil: slog.Default()
}

// gate is the chain of checks.
type gate struct {
	opt    Options
	tokens [][sha256.Size]byte
	bodies chan struct{} // one for each that is held; nil: no bound
	next   http.Handler
}

// Harden is next behind the checks. The context of a request that passes carries the principal of its token, see
// tools.WithPrincipal; its body is in memory.
func Harden(next http.Handler, opts *Options) http.Handler {
	g := &gate{next: next}
	if opts != nil {
		g.opt = *opts
	}
	if g.opt.MaxBodyBytes <= 0 {
		g.opt.MaxBodyBytes = DefaultMaxBodyBytes
	}
	if g.opt.Logger == nil {
		g.opt.Logger = slog.Default()
	}
	if g.opt.MaxBodies > 0 {
		g.bodies = make(chan struct{}, g.opt.MaxBodies)
	}
	for _, t := range g.opt.Tokens {
		g.tokens = append(g.tokens, sha256.Sum256([]byte(t)))
	}
	return g
}

// ServeHTTP runs the checks in order.
func (g *gate) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	defer g.recover(w, r)
	if r.ContentLength > g.opt.MaxBodyBytes {
		g.tooLarge(w)
		return
	}
	r.Body = http.MaxBytesReader(w, r.Body, g.opt.MaxBodyBytes)
	if !g.hostAllowed(r) {
		Refuse(w, http.StatusForbidden, CodeForbidden, fmt.Sprintf("the host %q is not served", r.Host), "name it when the server is started: --allow-host")
		return
	}
	if origin := r.Header.Get("Origin"); origin != "" {
		if !g.originAllowed(r, origin) {
			Refuse(w, http.StatusForbidden, CodeForbidden, fmt.Sprintf("pages of %q may not call", origin), "name the origin when the server is started: --allow-origin")
			return
		}
		if share(w, r, origin) {
			return
		}
	}
	principal, ok := g.principal(r)
	if !ok {
		w.Header().Set("WWW-Authenticate", `Bearer realm="cprs"`)
		Refuse(w, http.StatusUnauthorized, CodeUnauthorized, "there is no valid token", "send the header Authorization: Bearer TOKEN")
		return
	}
	if g.bodies != nil && r.ContentLength != 0 {
		select {
		case g.bodies <- struct{}{}:
			defer func() { <-g.bodies }()
		default:
			Refuse(w, http.StatusTooManyRequests, CodeBusy, "as many requests are held as may", "send the request again in a second")
			return
		}
	}
	if err := readBody(w, r); err != nil {
		var tooLarge *http.MaxBytesError
		if errors.As(err, &tooLarge) {
			g.tooLarge(w)
			return
		}
		Refuse(w, http.StatusBadRequest, core.CodeUnreadable, "the body cannot be read", "send it again")
		return
	}
	g.next.ServeHTTP(w, r.WithContext(tools.WithPrincipal(r.Context(), principal)))
}

// recover makes a panic an answer, unless it is the one that net/http uses to break a connection off.
func (g *gate) recover(w http.ResponseWriter, r *http.Request) {
	fault := recover()
	if fault == nil {
		return
	}
	if fault == http.ErrAbortHandler {
		panic(fault)
	}
	g.opt.Logger.Error("panic in an HTTP handler", "path", r.URL.Path, "panic", fmt.Sprintf("%T", fault), "stack", string(debug.Stack()))
	Refuse(w, http.StatusInternalServerError, wire.CodeInternal, "the server failed", "")
}

func (g *gate) tooLarge(w http.ResponseWriter) {
	w.Header().Set("Connection", "close")
	Refuse(w, http.StatusRequestEntityTooLarge, core.CodeTooLarge, fmt.Sprintf("the body has more than %d bytes", g.opt.MaxBodyBytes), "send less text at a time; over MCP, name files by path")
}

// hostAllowed reports whether the Host header names this server: localhost, the address that the connection came in on, or what the
// options allow. A page that rebinds its own name to this address fails here.
func (g *gate) hostAllowed(r *http.Request) bool {
	host := hostname(r.Host)
	if isLoopback(host) {
		return true
	}
	if local, ok := r.Context().Value(http.LocalAddrContextKey).(net.Addr); ok {
		if addr, err := netip.ParseAddr(host); err == nil && addr.Unmap().String() == hostname(local.String()) {
			return true
		}
	}
	return slices.ContainsFunc(g.opt.AllowedHosts, func(h string) bool { return strings.EqualFold(h, host) })
}

// originAllowed reports whether the page that made a browser send r may: one of this server's own, or one of the options'.
func (g *gate) originAllowed(r *http.Request, origin string) bool {
	if u, err := url.Parse(origin); err == nil && (u.Scheme == "http" || u.Scheme == "https") && strings.EqualFold(u.Host, r.Host) {
		return true
	}
	return slices.ContainsFunc(g.opt.AllowedOrigins, func(o string) bool { return strings.EqualFold(strings.TrimSuffix(o, "/"), origin) })
}

// share tells a browser that the page of an allowed origin may read the answer, and answers a preflight.
func share(w http.ResponseWriter, r *http.Request, origin string) (done bool) {
	h := w.Header()
	h.Add("Vary", "Origin")
	h.Set("Access-Control-Allow-Origin", origin)
	h.Set("Access-Control-Expose-Headers", "Mcp-Session-Id, WWW-Authenticate")
	if r.Method != http.MethodOptions || r.Header.Get("Access-Control-Request-Method") == "" {
		return false
	}
	h.Set("Access-Control-Allow-Methods", "GET, POST, DELETE")
	h.Set("Access-Control-Allow-Headers", r.Header.Get("Access-Control-Request-Headers"))
	h.Set("Access-Control-Max-Age", "600")
	w.WriteHeader(http.StatusNoContent)
	return true
}

// principal is who sent r: a name for its token, "" where none is needed. All tokens are compared, each in constant time.
func (g *gate) principal(r *http.Request) (name string, ok bool) {
	if len(g.tokens) == 0 {
		return "", true
	}
	scheme, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	if !strings.EqualFold(scheme, "Bearer") {
		return "", false
	}
	sum := sha256.Sum256([]byte(strings.TrimSpace(token)))
	for i := range g.tokens {
		if subtle.ConstantTimeCompare(sum[:], g.tokens[i][:]) == 1 {
			name, ok = hex.EncodeToString(sum[:]), true
		}
	}
	return name, ok
}

// readBody reads the body into memory. A time limit of the server as a whole would end long answers too.
func readBody(w http.ResponseWriter, r *http.Request) error {
	if r.Body == nil || r.Body == http.NoBody {
		return nil
	}
	limits := http.NewResponseController(w)
	limits.SetReadDeadline(time.Now().Add(bodyTime)) // not supported by a recorder of a test: then there is no limit
	body, err := io.ReadAll(r.Body)
	limits.SetReadDeadline(time.Time{})
	r.Body = io.NopCloser(bytes.NewReader(body))
	return err
}

// hostname is an address without its port and brackets.
func hostname(hostport string) string {
	if host, _, err := net.SplitHostPort(hostport); err == nil {
		hostport = host
	}
	return strings.Trim(hostport, "[]")
}

func isLoopback(host string) bool {
	if strings.EqualFold(host, "localhost") {
		return true
	}
	addr, err := netip.ParseAddr(host)
	return err == nil && addr.Unmap().IsLoopback()
}
