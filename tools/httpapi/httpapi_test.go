package httpapi

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/cprs-go/cprs/core"
	"github.com/cprs-go/cprs/core/wire"
)

const secret = "a token that is long enough"

var echo = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path == "/panic" {
		panic("secret text")
	}
	io.Copy(w, r.Body)
})

// TestHarden sends requests to a hardened handler on a real loopback listener.
func TestHarden(t *testing.T) {
	var log bytes.Buffer
	open := httptest.NewServer(Harden(echo, &Options{MaxBodyBytes: 10, AllowedHosts: []string{"cprs.example"}, AllowedOrigins: []string{"https://app.example/"},
		Logger: slog.New(slog.NewTextHandler(&log, nil))}))
	defer open.Close()
	closed := httptest.NewServer(Harden(echo, &Options{Tokens: []string{"another token of some length", secret}}))
	defer closed.Close()

	for _, c := range []struct {
		name, method, path, host, origin, auth, body string
		closed                                       bool
		want                                         int
	}{
		{name: "plain", body: "hello", want: 200},
		{name: "body at the limit", body: "0123456789", want: 200},
		{name: "body above the limit", body: "0123456789a", want: 413},
		{name: "localhost", host: "localhost", want: 200},
		{name: "localhost with port", host: "LOCALHOST:99", want: 200},
		{name: "IPv6 loopback", host: "[::1]:80", want: 200},
		{name: "rebound name", host: "evil.example", want: 403},
		{name: "name that ends in localhost", host: "evil.localhost", want: 403},
		{name: "name that begins with an address", host: "127.0.0.1.evil.example", want: 403},
		{name: "another address", host: "10.0.0.1", want: 403},
		{name: "allowed host", host: "CPRS.example:443", want: 200},
		{name: "allowed origin", origin: "https://app.example", want: 200},
		{name: "foreign origin", origin: "https://evil.example", want: 403},
		{name: "origin of a file", origin: "null", want: 403},
		{name: "longer origin", origin: "https://app.example.evil.example", want: 403},
		{name: "another port of localhost", origin: "http://localhost:1", want: 403},
		{name: "own origin", host: "localhost:7", origin: "http://localhost:7", want: 200},
		{name: "preflight", method: "OPTIONS", origin: "https://app.example", want: 204},
		{name: "panic", path: "/panic", want: 500},
		{name: "no token", closed: true, want: 401},
		{name: "wrong token", closed: true, auth: "Bearer wrong", want: 401},
		{name: "prefix of the token", closed: true, auth: "Bearer " + secret[:10], want: 401},
		{name: "wrong scheme", closed: true, auth: "Basic " + secret, want: 401},
		{name: "token", closed: true, auth: "bearer " + secret, want: 200},
		{name: "foreign host with the token", closed: true, host: "evil.example", auth: "Bearer " + secret, want: 403},
	} {
		t.Run(c.name, func(t *testing.T) {
			srv := open
			if c.closed {
				srv = closed
			}
			req, err := http.NewRequest(c.method, srv.URL+c.path, strings.NewReader(c.body))
			if err != nil {
				t.Fatal(err)
			}
			if c.method == "" {
				req.Method = http.MethodPost
			} else {
				req.Header.Set("Access-Control-Request-Method", "POST")
			}
			req.Host = c.host
			for name, value := range map[string]string{"Origin": c.origin, "Authorization": c.auth} {
				if value != "" {
					req.Header.Set(name, value)
				}
			}
			res, err := http.DefaultClient.Do(req)
			if err != nil {
				t.Fatal(err)
			}
			defer res.Body.Close()
			body, _ := io.ReadAll(res.Body)
			if res.StatusCode != c.want {
				t.Fatalf("status %d, want %d: %s", res.StatusCode, c.want, body)
			}
			if c.want == 200 && string(body) != c.body {
				t.Errorf("the handler read %q", body)
			}
			if c.want >= 400 && !strings.HasPrefix(string(body), `{"error":{"code":"`) {
				t.Errorf("answer %s", body)
			}
			if c.want == 401 && res.Header.Get("WWW-Authenticate") == "" {
				t.Error("no WWW-Authenticate")
			}
			if shared := res.Header.Get("Access-Control-Allow-Origin"); c.want < 400 && shared != c.origin {
				t.Errorf("shared with %q", shared)
			}
		})
	}
	if !strings.Contains(log.String(), "panic in an HTTP handler") || strings.Contains(log.String(), "secret text") {
		t.Errorf("log: %s", log.String())
	}
}

// TestUnknownLength refuses a large body that does not say how large it is.
func TestUnknownLength(t *testing.T) {
	srv := httptest.NewServer(Harden(echo, &Options{MaxBodyBytes: 100}))
	defer srv.Close()
	res, err := http.Post(srv.URL, "text/plain", io.LimitReader(zeros{}, 101))
	if err != nil {
		t.Fatal(err)
	}
	res.Body.Close()
	if res.StatusCode != http.StatusRequestEntityTooLarge {
		t.Errorf("status %d", res.StatusCode)
	}
}

// TestMaxBodies holds one body at a time: the next request with a body is told to come later, one without is served.
func TestMaxBodies(t *testing.T) {
	begun, release := make(chan bool), make(chan bool)
	srv := httptest.NewServer(Harden(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPost {
			begun <- true
			<-release
		}
	}), &Options{MaxBodies: 1}))
	defer srv.Close()
	post := func() int {
		res, err := http.Post(srv.URL, "text/plain", strings.NewReader("body"))
		if err != nil {
			t.Error(err)
			return 0
		}
		res.Body.Close()
		return res.StatusCode
	}
	for range 2 { // the second time to see that the place is free again
		first := make(chan int)
		go func() { first <- post() }()
		<-begun
		if status := post(); status != http.StatusTooManyRequests {
			t.Errorf("status %d", status)
		}
		if res, err := http.Get(srv.URL); err != nil || res.StatusCode != 200 {
			t.Error(res, err)
		}
		release <- true
		if status := <-first; status != 200 {
			t.Errorf("status %d", status)
		}
	}
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }

func TestListen(t *testing.T) {
	for addr, want := range map[string]bool{"127.0.0.1:0": true, ":0": true, "localhost:0": true, "0.0.0.0:0": false, "8080": false, "192.0.2.1:0": false} {
		ln, err := Listen(addr, nil)
		if (err == nil) != want {
			t.Errorf("%s: %v", addr, err)
		}
		var known *core.Error
		if err != nil && (!errors.As(err, &known) || known.Hint == "") {
			t.Errorf("%s: %v does not say what to do", addr, err)
		}
		if ln != nil {
			if host := hostname(ln.Addr().String()); !isLoopback(host) {
				t.Errorf("%s listens on %s", addr, host)
			}
			ln.Close()
		}
	}
	ln, err := Listen("0.0.0.0:0", &Options{Tokens: []string{secret}})
	if err != nil {
		t.Fatal(err)
	}
	ln.Close()
}

// TestServe stops while a call is under way: the call ends, then Serve does.
func TestServe(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	began, stopped, done := make(chan bool), make(chan bool), make(chan error)
	slow := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		close(began)
		<-stopped
		time.Sleep(20 * time.Millisecond)
		if r.Context().Err() == nil {
			io.WriteString(w, "whole")
		}
	})
	go func() { done <- Serve(ctx, ln, slow, nil, func() { close(stopped) }) }()
	go func() { <-began; cancel() }()
	res, err := http.Get("http://" + ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if body, _ := io.ReadAll(res.Body); string(body) != "whole" {
		t.Errorf("the call under way got %q", body)
	}
	if err := <-done; err != nil {
		t.Error(err)
	}
}

// TestLimited: calls above the limits are told to come later, calls that wait too long that the time is over, and no call stays inside.
func TestLimited(t *testing.T) {
	begun, release := make(chan bool), make(chan bool)
	slow := compressor(func(ctx context.Context, _ core.Request) (*core.Result, error) {
		begun <- true
		<-release
		return new(core.Result), ctx.Err()
	})
	g := NewGate(1, 1)
	patient, hasty := &Limited{slow, g, time.Minute}, &Limited{slow, g, time.Millisecond}
	code := func(err error) core.Code {
		var known *core.Error
		errors.As(err, &known)
		return known.Code
	}
	done := make(chan error)
	call := func() { _, err := patient.Compress(t.Context(), core.Request{}); done <- err }
	go call()
	<-begun
	if _, err := hasty.Compress(t.Context(), core.Request{}); code(err) != core.CodeDeadline {
		t.Error(err)
	}
	go call()
	for g.Inside() < 2 {
		time.Sleep(time.Millisecond)
	}
	if _, err := patient.Compress(t.Context(), core.Request{}); code(err) != CodeBusy || g.Running() != 1 {
		t.Error(err, g.Running())
	}
	release <- true
	<-begun
	release <- true
	for range 2 {
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
	cancelled, cancel := context.WithCancel(t.Context())
	cancel()
	leave, _ := g.Enter(t.Context())
	if _, err := patient.Compress(cancelled, core.Request{}); err != context.Canceled {
		t.Error(err)
	}
	leave()
	if g.Inside() != 0 || g.Running() != 0 {
		t.Errorf("%d inside, %d running", g.Inside(), g.Running())
	}
}

// compressor is a Compressor made of a function.
type compressor func(ctx context.Context, req core.Request) (*core.Result, error)

func (f compressor) Compress(ctx context.Context, req core.Request) (*core.Result, error) {
	return f(ctx, req)
}

// TestFailure tells a client that is gone from a server that stops, and tells nobody what broke inside.
func TestFailure(t *testing.T) {
	stopping, stop := context.WithCancelCause(t.Context())
	stop(ErrStopping)
	for _, c := range []struct {
		ctx    context.Context
		err    error
		status int
		code   core.Code
	}{
		{t.Context(), context.Canceled, StatusGone, wire.CodeCancelled},
		{stopping, context.Canceled, http.StatusServiceUnavailable, CodeNotReady},
		{t.Context(), context.DeadlineExceeded, http.StatusGatewayTimeout, core.CodeDeadline},
		{stopping, &core.Error{Code: core.CodeTooLarge}, http.StatusRequestEntityTooLarge, core.CodeTooLarge},
		{t.Context(), errors.New("private"), http.StatusInternalServerError, wire.CodeInternal},
		{t.Context(), &core.Error{Code: "new", Message: "private"}, http.StatusInternalServerError, wire.CodeInternal},
	} {
		status, f := Failure(c.ctx, wire.ID("1"), c.err)
		if status != c.status || f.Error.Code != c.code || strings.Contains(f.Error.Message, "private") || string(f.ID) != "1" {
			t.Errorf("%v: %d %+v", c.err, status, f)
		}
	}
}
