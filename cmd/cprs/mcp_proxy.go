package main

import (
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/cprs-go/cprs/core"
	"github.com/cprs-go/cprs/mcpserver"
)

type mcpProxyFlags struct {
	serverFlags
	opt     mcpserver.ProxyOptions
	up      mcpserver.Upstream
	rules   string
	headers []string
}

func newMCPProxyCommand() *cobra.Command {
	var f mcpProxyFlags
	cmd := &cobra.Command{
		Use:   "proxy [flags] -- COMMAND [ARGUMENT]...",
		Short: "Stand in front of another MCP server and shorten its long results",
		Long: `Start another MCP server, or connect to one with --url, offer what it offers, and shorten its long text results to what is asked for.
The full text stays reachable through expand_context. Whatever fails, the result passes as it was.

--rules names a JSON file with a list such as [{"tool": "read_*", "budget": 1000, "instruction": "errors in {{.Args.path}}"}, {"tool": "get_*",
"action": "pass"}]; the first rule that matches counts. Actions are compress, pass and hide.

The command is given few variables: PATH, HOME and their like. --env NAME passes another one on.`,
		Example: `  cprs mcp proxy -- npx -y @modelcontextprotocol/server-filesystem .
  cprs mcp proxy --keep --threshold 2000 --env GITHUB_TOKEN -- github-mcp-server stdio
  cprs mcp proxy --url https://mcp.example.com/mcp --header "Authorization: Bearer $TOKEN"`,
		RunE: func(cmd *cobra.Command, args []string) error { return f.run(cmd, args) },
	}
	fs := cmd.Flags()
	fs.StringVar(&f.up.URL, "url", "", "MCP endpoint of a server on HTTP, in place of a command")
	fs.StringArrayVar(&f.headers, "header", nil, `header "NAME: VALUE" for every request to the URL`)
	fs.StringArrayVar(&f.up.Env, "env", nil, "variable for the command: NAME passes it on, NAME=VALUE sets it")
	fs.StringVar(&f.rules, "rules", "", "JSON file of rules")
	fs.IntVar(&f.opt.Threshold, "threshold", 0, "tokens from which on a result is shortened; default: 4000")
	fs.IntVar(&f.opt.Budget, "budget", 0, "tokens that are kept of a result; default: 2000")
	fs.BoolVar(&f.opt.Keep, "keep", false, "offer the argument _keep, in which the model says what it needs of a result")
	fs.StringVar((*string)(&f.opt.Structured), "structured", "keep", "what happens to structured results: keep, compress (long strings in them), or drop; some hosts show a model only these")
	f.register(cmd, "http", "", "serve HTTP on this HOST:PORT in place of standard input and output")
	return cmd
}

func (f *mcpProxyFlags) run(cmd *cobra.Command, args []string) (err error) {
	ctx := cmd.Context()
	if f.opt.Logger, err = f.logger(); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.closeLog()) }()
	if f.opt.HTTP, err = f.http(); err != nil {
		return err
	}
	if err := f.upstream(args); err != nil {
		return err
	}
	f.up.Stderr = cmd.ErrOrStderr()
	c := lazyEngine(&f.engine)
	defer func() { err = errors.Join(err, c.Close()) }()
	p, err := mcpserver.NewProxy(ctx, f.up, c, &f.opt)
	if err != nil {
		return err
	}
	defer func() {
		f.opt.Logger.Info("proxy", "stats", p.Stats())
		err = errors.Join(err, p.Close())
	}()
	if f.addr != "" {
		return p.ListenAndServe(ctx, f.addr)
	}
	return p.ServeStdio(ctx)
}

// upstream reads what the flags say of the server behind the proxy.
func (f *mcpProxyFlags) upstream(args []string) (err error) {
	f.up.Command = args
	if (len(args) > 0) == (f.up.URL != "") {
		return invalid(errors.New("there is not one server to stand in front of"), "give a command after --, or --url")
	}
	f.up.Headers = map[string]string{}
	for _, h := range f.headers {
		name, value, ok := strings.Cut(h, ":")
		if !ok {
			return invalid(fmt.Errorf("%q is no header", strings.SplitN(h, " ", 2)[0]), `write "NAME: VALUE"`)
		}
		f.up.Headers[strings.TrimSpace(name)] = strings.TrimSpace(value)
	}
	if f.rules == "" {
		return nil
	}
	data, err := os.ReadFile(f.rules)
	if err != nil {
		return &core.Error{Code: core.CodeUnreadable, Message: "the rules cannot be read", Hint: "name a JSON file", Err: err}
	}
	f.opt.Rules, err = mcpserver.ParseRules(data)
	return err
}
