// Package httpapi is the hardened HTTP server that everything reachable over a network stands behind: Harden puts a
// chain of checks in front of a handler, Serve runs it with time limits and stops it gracefully.
//
//	request → recover → size → Host, Origin → bearer token → body, read whole within a time limit → handler
//
// A local server is a target for web pages, which make a browser send it requests (DNS rebinding, cross-site requests): so
// Host and Origin are checked on every address, and an address that other machines can reach needs a token. What is refused is answered
// with a wire.Failure. Neither bodies nor tokens are logged.
//
// Endpoints share what stands behind the checks too: Gate and Limited bound the calls of a core.Compressor, Failure and Respond say what went
// wrong, and an Observer counts or traces. Package mcpserver is one endpoint; rest and official below this folder are those of cprs serve,
// telemetry has its observers.
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

// checks are those that a request passes before next sees it.
type checks struct {
	opt    Options
	tokens [][sha256.Size]byte
	bodies chan struct{} // one for each that is held; nil: no bound
	next   http.Handler
}

// Harden is next behind the checks. The context of a request that passes carries the principal of its token, see
// tools.WithPrincipal; its body is in memory.
func Harden(next http.Handler, opts *Options) http.Handler {
	c := &checks{next: next}
	if opts != nil {
		c.opt = *opts
	}
	if c.opt.MaxBodyBytes <= 0 {
		c.opt.MaxBodyBytes = DefaultMaxBodyBytes
	}
	if c.opt.Logger == nil {
		c.opt.Logger = slog.Default()
	}
	if c.opt.MaxBodies > 0 {
		c.bodies = make(chan struct{}, c.opt.MaxBodies)
	}
	for _, t := range c.opt.Tokens {
		c.tokens = append(c.tokens, sha256.Sum256([]byte(t)))
	}
	return c
}

// ServeHTTP runs the checks in order.
func (c *checks) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	defer c.recover(w, r)
	if r.ContentLength > c.opt.MaxBodyBytes {
		c.tooLarge(w)
		return
	}
	r.Body = http.MaxBytesReader(w, r.Body, c.opt.MaxBodyBytes)
	if !c.hostAllowed(r) {
		Refuse(w, http.StatusForbidden, CodeForbidden, fmt.Sprintf("the host %q is not served", r.Host), "name it when the server is started: --allow-host")
		return
	}
	if origin := r.Header.Get("Origin"); origin != "" {
		if !c.originAllowed(r, origin) {
			Refuse(w, http.StatusForbidden, CodeForbidden, fmt.Sprintf("pages of %q may not call", origin), "name the origin when the server is started: --allow-origin")
			return
		}
		if share(w, r, origin) {
			return
		}
	}
	principal, ok := c.principal(r)
	if !ok {
		w.Header().Set("WWW-Authenticate", `Bearer realm="cprs"`)
		Refuse(w, http.StatusUnauthorized, CodeUnauthorized, "there is no valid token", "send the header Authorization: Bearer TOKEN")
		return
	}
	if c.bodies != nil && r.ContentLength != 0 {
		select {
		case c.bodies <- struct{}{}:
			defer func() { <-c.bodies }()
		default:
			Refuse(w, http.StatusTooManyRequests, CodeBusy, "as many requests are held as may", "send the request again in a second")
			return
		}
	}
	if err := readBody(w, r); err != nil {
		var tooLarge *http.MaxBytesError
		if errors.As(err, &tooLarge) {
			c.tooLarge(w)
			return
		}
		Refuse(w, http.StatusBadRequest, core.CodeUnreadable, "the body cannot be read", "send it again")
		return
	}
	c.next.ServeHTTP(w, r.WithContext(tools.WithPrincipal(r.Context(), principal)))
}

// recover makes a panic an answer, unless it is the one that net/http uses to break a connection off.
func (c *checks) recover(w http.ResponseWriter, r *http.Request) {
	fault := recover()
	if fault == nil {
		return
	}
	if fault == http.ErrAbortHandler {
		panic(fault)
	}
	c.opt.Logger.Error("panic in an HTTP handler", "path", r.URL.Path, "panic", fmt.Sprintf("%T", fault), "stack", string(debug.Stack()))
	Refuse(w, http.StatusInternalServerError, wire.CodeInternal, "the server failed", "")
}

func (c *checks) tooLarge(w http.ResponseWriter) {
	w.Header().Set("Connection", "close")
	Refuse(w, http.StatusRequestEntityTooLarge, core.CodeTooLarge, fmt.Sprintf("the body has more than %d bytes", c.opt.MaxBodyBytes), "send less text at a time; over MCP, name files by path")
}

// hostAllowed reports whether the Host header names this server: localhost, the address that the connection came in on, or what the
// options allow. A page that rebinds its own name to this address fails here.
func (c *checks) hostAllowed(r *http.Request) bool {
	host := hostname(r.Host)
	if isLoopback(host) {
		return true
	}
	if local, ok := r.Context().Value(http.LocalAddrContextKey).(net.Addr); ok {
		if addr, err := netip.ParseAddr(host); err == nil && addr.Unmap().String() == hostname(local.String()) {
			return true
		}
	}
	return slices.ContainsFunc(c.opt.AllowedHosts, func(h string) bool { return strings.EqualFold(h, host) })
}

// originAllowed reports whether the page that made a browser send r may: one of this server's own, or one of the options'.
func (c *checks) originAllowed(r *http.Request, origin string) bool {
	if u, err := url.Parse(origin); err == nil && (u.Scheme == "http" || u.Scheme == "https") && strings.EqualFold(u.Host, r.Host) {
		return true
	}
	return slices.ContainsFunc(c.opt.AllowedOrigins, func(o string) bool { return strings.EqualFold(strings.TrimSuffix(o, "/"), origin) })
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
func (c *checks) principal(r *http.Request) (name string, ok bool) {
	if len(c.tokens) == 0 {
		return "", true
	}
	scheme, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	if !strings.EqualFold(scheme, "Bearer") {
		return "", false
	}
	sum := sha256.Sum256([]byte(strings.TrimSpace(token)))
	for i := range c.tokens {
		if subtle.ConstantTimeCompare(sum[:], c.tokens[i][:]) == 1 {
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
