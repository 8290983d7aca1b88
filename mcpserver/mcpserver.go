// Package mcpserver speaks the Model Context Protocol, as a server and as a proxy in front of other servers.
//
//	host ── stdio ───────────┐
//	host ── tools/httpapi ───┴─ mcp-go ── time limit, gate ── tools.Set ── core.Compressor
//
// A Server offers the tools of package tools, the originals behind their handles as the resource template
// ctx://{handle}/{source}, and one prompt. It holds no tool logic, no schema and no description of its own. A Proxy offers the
// tools of another server and shortens their long results.
//
// The package builds on mcp-go and serves the protocol revisions 2024-11-05 to 2026-07-28. With a
// tools.Lazy a host connects while the critic is still loaded.
package mcpserver

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/mark3labs/mcp-go/mcp"
	"github.com/mark3labs/mcp-go/server"

	"github.com/cprs-go/cprs/core"
	"github.com/cprs-go/cprs/core/source"
	"github.com/cprs-go/cprs/tools"
	"github.com/cprs-go/cprs/tools/httpapi"
)

// Name is the name of the server, by which hosts tell its tools from those of others.
const Name = "cprs"

// The defaults of Options.
const (
	DefaultConcurrency = 4
	DefaultQueue       = 64
	DefaultTimeout     = 50 * time.Second // many hosts give a call up after 60: what was found until then is worth more than nothing
)

// Options say what a Server offers. Nil and zero values mean the defaults.
type Options struct {
	tools.Options

	Tools        []string // the names of the tools to offer; nil: all
	ToolPrefix   string   // before every tool name, for hosts that do not keep servers apart
	Instructions string   // for the model, beside the descriptions; empty: the built-in ones
	NoStructured bool     // results as text only, for hosts that show a model both forms

	ClientRoots ClientRoots // what the folders count that a client names; it needs Sources

	Concurrency int           // calls that run at a time; 0: DefaultConcurrency
	Queue       int           // calls that wait, before the next is told to come later; 0: DefaultQueue, negative: none
	Timeout     time.Duration // of a call, waiting included; what has been read by then is the answer. 0: DefaultTimeout

	HTTP             httpapi.Options // who may call over HTTP
	ProtocolVersions []string        // offered over HTTP; nil: all
	Logger           *slog.Logger    // nil: slog.Default(). No text, instruction or query is logged
}

// Server is an MCP server. It is safe for concurrent use.
type Server struct {
	opt  Options
	set  *tools.Set
	gate *httpapi.Gate
	mcp  *server.MCPServer

	once   sync.Once // for http
	stream *server.StreamableHTTPServer
	http   http.Handler
}

// New makes a server of c. The caller closes c, after the Server.
func New(c core.Compressor, opts *Options) (*Server, error) {
	return build(c, opts, server.WithTitle("cprs: read long text by instruction"))
}

// build is New with more options of mcp-go, which win over those that are set here.
func build(c core.Compressor, opts *Options, more ...server.ServerOption) (*Server, error) {
	s := &Server{}
	if opts != nil {
		s.opt = *opts
	}
	s.defaults()
	if s.opt.ClientRoots != ClientRootsIgnored && s.opt.Sources == nil {
		return nil, &core.Error{Code: core.CodeInvalidArgument, Message: "the roots of clients are to be used, and nothing can be read", Hint: "give Sources"}
	}
	var err error
	if s.set, err = tools.New(c, &s.opt.Options); err != nil {
		return nil, err
	}
	for _, name := range s.opt.Tools {
		if !slices.ContainsFunc(s.set.Tools(), func(t tools.Tool) bool { return t.Name == name }) {
			return nil, errors.Join(unknownTool(name, s.set.Tools()), s.set.Close())
		}
	}
	s.gate = httpapi.NewGate(s.opt.Concurrency, s.opt.Queue)
	ours := completer{s.set, s.opt.Sources}
	if s.opt.ClientRoots != ClientRootsIgnored { // a completion cannot ask the client what it may see
		ours.sources = nil
	}
	s.mcp = server.NewMCPServer(Name, Version(), append([]server.ServerOption{
		server.WithInstructions(s.opt.Instructions),
		server.WithToolCapabilities(false), server.WithResourceCapabilities(false, false), server.WithPromptCapabilities(false),
		server.WithCompletions(), server.WithResourceCompletionProvider(ours), server.WithPromptCompletionProvider(ours),
		server.WithRecovery(), server.WithResourceRecovery(), server.WithLogger(s.opt.Logger),
	}, more...)...)
	if err := s.Register(s.mcp); err != nil {
		return nil, errors.Join(err, s.set.Close())
	}
	return s, nil
}

func (s *Server) defaults() {
	o := &s.opt
	if o.Instructions == "" {
		o.Instructions = instructions
	}
	if o.Concurrency <= 0 {
		o.Concurrency = DefaultConcurrency
	}
	if o.Queue == 0 {
		o.Queue = DefaultQueue
	}
	if o.Timeout <= 0 {
		o.Timeout = DefaultTimeout
	}
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	if o.HTTP.Logger == nil {
		o.HTTP.Logger = o.Logger
	}
}

func unknownTool(name string, all []tools.Tool) error {
	var names []string
	for _, t := range all {
		names = append(names, t.Name)
	}
	hint := "there are " + strings.Join(names, ", ")
	if name == tools.ListSources {
		hint += "; " + name + " needs a folder to list"
	}
	return &core.Error{Code: core.CodeInvalidArgument, Message: fmt.Sprintf("there is no tool %q", name), Hint: hint}
}

// MCP is the server of mcp-go, for programs that add tools of their own to it.
func (s *Server) MCP() *server.MCPServer { return s.mcp }

// Register adds the tools, the resource template and the prompt to another server of mcp-go. It fails if a name is taken there.
func (s *Server) Register(dst *server.MCPServer) (err error) {
	offered := s.serverTools()
	for _, t := range offered {
		if dst.GetTool(t.Tool.Name) != nil {
			return fmt.Errorf("adding tool %s: the server has one of that name; set ToolPrefix", t.Tool.Name)
		}
	}
	defer func() { // mcp-go panics where names collide
		if fault := recover(); fault != nil {
			err = fmt.Errorf("adding the resource template and the prompt: %v", fault)
		}
	}()
	dst.AddTools(offered...)
	dst.AddResourceTemplate(originalsTemplate(), s.readOriginal)
	if s.offers(tools.CompressContext) {
		dst.AddPrompt(s.filesPrompt(), s.promptFiles)
	}
	return nil
}

// offers reports whether the options name a tool.
func (s *Server) offers(tool string) bool {
	return s.opt.Tools == nil || slices.Contains(s.opt.Tools, tool)
}

// Close releases what the server holds. No call may be under way.
func (s *Server) Close() error {
	s.stopStreams()
	return s.set.Close()
}

// Version is the version of this module, as far as the program knows it.
func Version() string {
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, m := range append([]*debug.Module{&info.Main}, info.Deps...) {
			if m.Path == "github.com/cprs-go/cprs" && m.Version != "" && m.Version != "(devel)" {
				return m.Version
			}
		}
	}
	return "0.0.0-dev"
}

// implementation is how a Server or Proxy names itself to others.
func implementation() mcp.Implementation { return mcp.Implementation{Name: Name, Version: Version()} }

// Tools lists the tools that a server with a folder to read offers, for those who describe it before it runs.
func Tools() ([]tools.Tool, error) {
	files, err := source.New(nil)
	if err != nil {
		return nil, err
	}
	defer files.Close()
	set, err := tools.New(tools.NewLazy(func(context.Context) (core.Compressor, error) { return nil, errors.New("not for calls") }), &tools.Options{Sources: files})
	if err != nil {
		return nil, err
	}
	return set.Tools(), set.Close()
}
