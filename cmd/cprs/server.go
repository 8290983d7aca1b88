package main

import (
	"context"
	"fmt"
	"log/slog"
	"os"

	"github.com/spf13/cobra"

	"github.com/cprs-go/cprs/core"
	"github.com/cprs-go/cprs/core/engine"
	"github.com/cprs-go/cprs/tools"
	"github.com/cprs-go/cprs/tools/httpapi"
)

// serverFlags are the flags that say how to serve, of cprs serve, cprs mcp and its proxy.
type serverFlags struct {
	addr      string
	tokenFile string
	origins   []string
	hosts     []string
	logFile   string
	logLevel  string
	engine    engine.Options

	closeLog func() error
}

// register adds the flags; that of the address has a name and a standard value of its own.
func (f *serverFlags) register(cmd *cobra.Command, addr, standard, usage string) {
	fs := cmd.Flags()
	fs.StringVar(&f.addr, addr, standard, usage)
	fs.StringVar(&f.tokenFile, "token-file", "", "file of the bearer tokens that may call over HTTP, one a line; default: $CPRS_TOKEN")
	fs.StringArrayVar(&f.origins, "allow-origin", nil, "web page origin that may call over HTTP, such as https://app.example.com")
	fs.StringArrayVar(&f.hosts, "allow-host", nil, "name by which the server is reached over HTTP, beside localhost and its address")
	fs.StringVar(&f.logFile, "log-file", "", "file to log to; default: standard error")
	fs.StringVar(&f.logLevel, "log-level", "warn", "debug, info, warn or error; no text or instruction is logged at any level")
	engineFlags(cmd, &f.engine)
	completeNames(cmd)
}

// logger is where the server logs to: never standard output, which speaks the protocol.
func (f *serverFlags) logger() (*slog.Logger, error) {
	var level slog.Level
	if err := level.UnmarshalText([]byte(f.logLevel)); err != nil {
		return nil, invalid(fmt.Errorf("there is no log level %q", f.logLevel), "give debug, info, warn or error")
	}
	f.closeLog = func() error { return nil }
	out := os.Stderr
	if f.logFile != "" {
		file, err := os.OpenFile(f.logFile, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
		if err != nil {
			return nil, err
		}
		out, f.closeLog = file, file.Close
	}
	return slog.New(slog.NewTextHandler(out, &slog.HandlerOptions{Level: level})), nil
}

// http are the checks of the HTTP server.
func (f *serverFlags) http() (o httpapi.Options, err error) {
	o.AllowedOrigins, o.AllowedHosts = f.origins, f.hosts
	if f.addr == "" {
		return o, nil
	}
	if f.tokenFile != "" {
		o.Tokens, err = httpapi.ReadTokens(f.tokenFile)
	} else if t := os.Getenv("CPRS_TOKEN"); t != "" {
		o.Tokens = []string{t}
		err = httpapi.CheckTokens(o.Tokens)
	}
	return o, err
}

// lazyEngine opens the critic in the background.
func lazyEngine(o *engine.Options) *tools.Lazy {
	return tools.NewLazy(func(ctx context.Context) (core.Compressor, error) { return engine.Open(ctx, o) })
}
