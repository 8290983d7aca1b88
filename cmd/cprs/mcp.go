package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/cprs-go/cprs/core/source"
	"github.com/cprs-go/cprs/mcpserver"
	"github.com/cprs-go/cprs/tools/store"
)

type mcpServeFlags struct {
	serverFlags
	opt        mcpserver.Options
	roots      []string
	maxFile    int64
	handleFile string
	handleTime time.Duration
	clientRoot string
	hidden     bool
}

func newMCPCommand() *cobra.Command {
	var f mcpServeFlags
	cmd := &cobra.Command{
		Use:   "mcp [FOLDER]...",
		Short: "Serve compress_context to Claude Desktop, IDE agents and other MCP hosts",
		Long: `Serve the tools compress_context, expand_context and list_sources over the Model Context Protocol, on standard input and output
or, with --http, on streamable HTTP at /mcp.

Files are read below the given folders only ($CPRS_ROOT holds more, parted as in $PATH). Hosts are set up by: cprs mcp install.`,
		Example: `  cprs mcp --root ~/projects
  cprs mcp install --host claude-code --root .
  cprs mcp --http 127.0.0.1:8787 --root docs
  cprs mcp proxy -- npx -y @modelcontextprotocol/server-filesystem .`,
		RunE: func(cmd *cobra.Command, args []string) error {
			f.roots = append(f.roots, args...)
			return f.run(cmd.Context())
		},
	}
	fs := cmd.Flags()
	fs.StringArrayVar(&f.roots, "root", nil, "folder below which files may be read, as an argument names one too")
	fs.Int64Var(&f.maxFile, "max-file-bytes", 64<<20, "largest file that is read")
	fs.BoolVar(&f.hidden, "hidden", false, "also read hidden files of folders")
	fs.IntVar(&f.opt.Budget, "default-tokens", 0, "tokens of an answer where the caller sets no limit; default: 8000")
	fs.IntVar(&f.opt.MaxBudget, "max-tokens", 0, "the most that a caller can set; default: 16000")
	fs.StringSliceVar(&f.opt.Tools, "tools", nil, "tools to offer, with commas between them; default: all")
	fs.StringVar(&f.opt.ToolPrefix, "tool-prefix", "", "put before every tool name")
	fs.BoolVar(&f.opt.NoStructured, "no-structured", false, "give results as text only")
	fs.IntVar(&f.opt.Concurrency, "concurrency", 0, "calls that run at a time; default: 4")
	fs.IntVar(&f.opt.Queue, "queue", 0, "calls that may wait; default: 64")
	fs.DurationVar(&f.opt.Timeout, "timeout", 0, "longest time of a call, after which what has been read is the answer; default: 50s")
	fs.StringVar(&f.clientRoot, "use-client-roots", "", `ask the host for its folders: "narrow" reads only what lies in one of them and below a --root, "add" also what lies in one of them alone`)
	fs.Lookup("use-client-roots").NoOptDefVal = "narrow"
	fs.StringVar(&f.handleFile, "handles", "", "file that keeps handles over a restart; default: they are kept in memory")
	fs.DurationVar(&f.handleTime, "handle-time", 0, "how long a handle lasts; default: 1h")
	f.register(cmd, "http", "", "serve HTTP on this HOST:PORT in place of standard input and output")
	cmd.AddCommand(newMCPProxyCommand(), newMCPInstallCommand(), newMCPUninstallCommand(), newMCPStatusCommand(), newMCPBundleCommand(), newMCPRegistryCommand())
	return cmd
}

func (f *mcpServeFlags) run(ctx context.Context) (err error) {
	if f.opt.Logger, err = f.logger(); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.closeLog()) }()
	if f.opt.HTTP, err = f.http(); err != nil {
		return err
	}
	if err := f.openSources(); err != nil {
		return err
	}
	if f.opt.Sources != nil {
		defer func() { err = errors.Join(err, f.opt.Sources.Close()) }()
	}
	if err := f.openStore(); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.opt.Store.Close()) }()
	c := lazyEngine(&f.engine)
	defer func() { err = errors.Join(err, c.Close()) }()
	s, err := mcpserver.New(c, &f.opt)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	if f.addr != "" {
		return s.ListenAndServe(ctx, f.addr)
	}
	return s.ServeStdio(ctx)
}

// openSources opens the roots; without any there are no sources.
func (f *mcpServeFlags) openSources() (err error) {
	var roots []source.Root
	for _, dir := range append(f.roots, filepath.SplitList(os.Getenv("CPRS_ROOT"))...) {
		if dir = strings.TrimSpace(dir); dir != "" {
			roots = append(roots, source.Root{Dir: dir})
		}
	}
	if err := f.useClientRoots(len(roots) > 0); err != nil {
		return err
	}
	if roots == nil && f.opt.ClientRoots != mcpserver.ClientRootsWiden {
		return nil
	}
	f.opt.MaxInputBytes = max(f.maxFile, 64<<20)
	f.opt.Sources, err = source.New(&source.Options{Roots: roots, MaxFileBytes: f.maxFile, MaxTotalBytes: f.opt.MaxInputBytes, Hidden: f.hidden})
	return err
}

// useClientRoots reads what --use-client-roots says. Over HTTP a client could name any folder of this machine, so none is added there.
func (f *mcpServeFlags) useClientRoots(roots bool) error {
	const flag = "--use-client-roots"
	switch {
	case f.clientRoot == "":
	case f.clientRoot == "narrow" && !roots:
		return invalid(errors.New(flag+" has no folder to narrow"), "give --root, or "+flag+"=add")
	case f.clientRoot == "narrow":
		f.opt.ClientRoots = mcpserver.ClientRootsNarrow
	case f.clientRoot == "add" && f.addr != "":
		return invalid(errors.New(flag+"=add is not for HTTP: whoever calls could read any file"), "give --root for what may be read, and "+flag+" to narrow it")
	case f.clientRoot == "add":
		f.opt.ClientRoots = mcpserver.ClientRootsWiden
	default:
		return invalid(fmt.Errorf("there is no way %q to use the roots of clients", f.clientRoot), "give narrow or add")
	}
	return nil
}

func (f *mcpServeFlags) openStore() (err error) {
	o := &store.Options{TTL: f.handleTime}
	if f.handleFile == "" {
		f.opt.Store = store.New(o)
		return nil
	}
	f.opt.Store, err = store.Open(f.handleFile, o)
	return err
}
