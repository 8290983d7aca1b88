package httpapi

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/cprs-go/cprs/core"
)

// The limits of a connection, and how long calls may go on once the server is told to stop.
const (
	headerTime  = 10 * time.Second
	idleTime    = 2 * time.Minute
	headerBytes = 64 << 10
	stopTime    = 5 * time.Second
	lastTime    = time.Second // for those that were cancelled to say so
)

// Listen opens addr. A host that is left out is 127.0.0.1. An address that other machines can reach is refused unless the
// options hold a token.
func Listen(addr string, opts *Options) (net.Listener, error) {
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		return nil, &core.Error{Code: core.CodeInvalidArgument, Message: fmt.Sprintf("%q is no address", addr), Hint: "write HOST:PORT, as in 127.0.0.1:8787", Err: err}
	}
	if host == "" {
		host = "127.0.0.1"
	}
	if !isLoopback(host) && (opts == nil || len(opts.Tokens) == 0) {
		return nil, &core.Error{Code: core.CodeInvalidArgument, Message: fmt.Sprintf("%s can be reached by other machines, and there is no token", host),
			Hint: "give a token (--token-file), or listen on 127.0.0.1"}
	}
	return net.Listen("tcp", net.JoinHostPort(host, port))
}

// Serve answers requests on ln until ctx is done. Then stop is called, to end streams that would go on for ever; the calls
// under way have five seconds to end before they are cancelled. The error is nil after such an end.
func Serve(ctx context.Context, ln net.Listener, h http.Handler, logger *slog.Logger, stop func()) error {
	if logger == nil {
		logger = slog.Default()
	}
	calls, cancel := context.WithCancelCause(context.WithoutCancel(ctx))
	defer cancel(nil)
	srv := &http.Server{
		Handler: h, ReadHeaderTimeout: headerTime, IdleTimeout: idleTime, MaxHeaderBytes: headerBytes,
		BaseContext: func(net.Listener) context.Context { return calls },
		ErrorLog:    slog.NewLogLogger(logger.Handler(), slog.LevelDebug), // clients that break off
	}
	if stop != nil {
		srv.RegisterOnShutdown(sync.OnceFunc(stop))
	}
	failed := make(chan error, 1)
	go func() { failed <- srv.Serve(ln) }()
	select {
	case err := <-failed:
		return err
	case <-ctx.Done():
	}
	grace, done := context.WithTimeout(context.WithoutCancel(ctx), stopTime)
	defer done()
	if err := srv.Shutdown(grace); !errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	cancel(ErrStopping)
	last, done := context.WithTimeout(context.WithoutCancel(ctx), lastTime)
	defer done()
	return errors.Join(ignore(srv.Shutdown(last), context.DeadlineExceeded), srv.Close())
}

// ignore is err unless it is a known one.
func ignore(err, known error) error {
	if errors.Is(err, known) {
		return nil
	}
	return err
}

// ReadTokens reads a file of tokens, one a line. Empty lines and those that begin with # are no tokens.
func ReadTokens(file string) ([]string, error) {
	data, err := os.ReadFile(file)
	if err != nil {
		return nil, &core.Error{Code: core.CodeUnreadable, Message: "the file of tokens cannot be read", Hint: "give a file with one token a line", Err: err}
	}
	var tokens []string
	for line := range strings.Lines(string(data)) {
		if line = strings.TrimSpace(line); line != "" && !strings.HasPrefix(line, "#") {
			tokens = append(tokens, line)
		}
	}
	return tokens, CheckTokens(tokens)
}

// minToken is the least length of a token: about 96 random bits in base64.
const minToken = 16

// CheckTokens refuses no tokens at all, and tokens that can be guessed.
func CheckTokens(tokens []string) error {
	if len(tokens) == 0 {
		return &core.Error{Code: core.CodeInvalidArgument, Message: "there is no token", Hint: "make one, for example with: openssl rand -base64 24"}
	}
	for _, t := range tokens {
		if len(t) < minToken {
			return &core.Error{Code: core.CodeInvalidArgument, Message: fmt.Sprintf("a token has %d characters", len(t)),
				Hint: fmt.Sprintf("give %d or more that cannot be guessed, for example from: openssl rand -base64 24", minToken)}
		}
	}
	return nil
}
