package mcpserver

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/mark3labs/mcp-go/mcp"
	"github.com/mark3labs/mcp-go/server"

	"github.com/cprs-go/cprs/core"
	"github.com/cprs-go/cprs/tools"
)

// DefaultShortenTime bounds how long a result waits to be shortened.
const DefaultShortenTime = 30 * time.Second

// ProxyOptions say what a Proxy does with results. Nil and zero values mean the defaults.
type ProxyOptions struct {
	Options                   // of the server towards the host. Its tools are those of the upstream server, and expand_context
	Rules       []Rule        // the first that matches a tool counts; where none does, long results are compressed
	Threshold   int           // of rules without one; 0: DefaultResultThreshold
	Budget      int           // of rules without one; 0: DefaultResultBudget
	Keep        bool          // offer the argument _keep where no rule says otherwise
	ShortenTime time.Duration // that a result waits to be shortened, before it passes as it was; 0: DefaultShortenTime
	Structured  Structured    // what happens to the structured form of results; empty: StructuredKeep
}

// ProxyStats count what a Proxy did.
type ProxyStats struct {
	Calls     int64 // of tools and resources
	Shortened int64 // texts
	Failed    int64 // texts that passed as they were because shortening failed
	TokensIn  int64 // of the texts that were shortened
	TokensOut int64
}

// Proxy is an MCP server that offers what another one does and shortens its long text results. Whatever fails on our side, the result
// passes as it was. The Server in it serves it.
type Proxy struct {
	*Server
	c     core.Compressor
	opt   ProxyOptions
	rules []Rule
	link  *link

	warned   sync.Once
	listing  sync.Mutex // one listing of the upstream server at a time
	tokens   atomic.Int64
	progress sync.Map // our progress token → *asked

	calls, shortened, failed, in, out atomic.Int64
}

// asked is a call that wants progress: its context and the host's own token.
type asked struct {
	ctx   context.Context
	token mcp.ProgressToken
}

// NewProxy connects to up, lists what it offers and stands in front of it. The caller closes c, after the Proxy.
func NewProxy(ctx context.Context, up Upstream, c core.Compressor, opts *ProxyOptions) (*Proxy, error) {
	p := &Proxy{c: c}
	if opts != nil {
		p.opt = *opts
	}
	if err := p.defaults(); err != nil {
		return nil, err
	}
	p.link = &link{up: up, logger: p.opt.Logger, notify: p.notified, again: p.relist}
	p.link.life, p.link.cancel = context.WithCancel(context.WithoutCancel(ctx))
	info, err := p.link.connect(ctx)
	if err != nil {
		p.link.close()
		return nil, err
	}
	if err := p.front(ctx, info); err != nil {
		return nil, errors.Join(err, p.Close())
	}
	return p, nil
}

func (p *Proxy) defaults() (err error) {
	o := &p.opt
	if o.Threshold == 0 {
		o.Threshold = DefaultResultThreshold
	}
	if o.Budget == 0 {
		o.Budget = DefaultResultBudget
	}
	if o.ShortenTime <= 0 {
		o.ShortenTime = DefaultShortenTime
	}
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	if err := o.Structured.check(); err != nil {
		return err
	}
	p.rules, err = prepare(o.Rules, o)
	return err
}

const proxyInstructions = "Long results of these tools are shortened to the parts that matter, word for word; a last line says so and names a handle. expand_context with that handle gives back what was left out."

// front makes the server towards the host: it bears the upstream's title and instructions.
func (p *Proxy) front(ctx context.Context, info *mcp.InitializeResult) error {
	all, err := p.link.list(ctx, mcp.MethodToolsList, "tools")
	if err != nil && info.Capabilities.Tools != nil {
		return err
	}
	o := p.opt.Options
	o.Tools = []string{tools.ExpandContext}
	for _, t := range all {
		if nameOf(t) == tools.ExpandContext {
			o.ToolPrefix = Name + "_"
		}
	}
	o.Instructions = strings.TrimSpace(info.Instructions + "\n\n" + proxyInstructions)
	more := []server.ServerOption{
		server.WithTitle(cmp.Or(info.ServerInfo.Title, info.ServerInfo.Name) + " (long results shortened by cprs)"),
		server.WithToolCapabilities(true), server.WithResourceCapabilities(false, true), server.WithPromptCapabilities(true),
	}
	if info.Capabilities.Completions != nil {
		more = append(more, server.WithResourceCompletionProvider(forwarder{p}), server.WithPromptCompletionProvider(forwarder{p}))
	}
	if p.Server, err = build(p.c, &o, more...); err != nil {
		return err
	}
	p.offerTools(all)
	p.offerResources(ctx)
	p.offerPrompts(ctx)
	return nil
}

// Close ends the upstream server, if it was started here, and releases what the proxy holds. No call may be under way.
func (p *Proxy) Close() error {
	p.link.close()
	if p.Server == nil {
		return nil
	}
	return p.Server.Close()
}

// Stats counts what was done so far.
func (p *Proxy) Stats() ProxyStats {
	return ProxyStats{Calls: p.calls.Load(), Shortened: p.shortened.Load(), Failed: p.failed.Load(), TokensIn: p.in.Load(), TokensOut: p.out.Load()}
}

// nameOf is the name in the JSON of a tool, resource or prompt.
func nameOf(raw json.RawMessage) string {
	var v struct {
		Name string `json:"name"`
	}
	_ = json.Unmarshal(raw, &v) // what has no name is refused later
	return v.Name
}

// notified passes on what the upstream server says by itself: progress, to the call that asked; changed lists, once they are read.
func (p *Proxy) notified(n mcp.JSONRPCNotification) {
	switch n.Method {
	case string(mcp.MethodNotificationProgress):
		fields := n.Params.AdditionalFields
		call, ok := p.progress.Load(fmt.Sprint(fields["progressToken"]))
		if !ok {
			return
		}
		a := call.(*asked)
		out := map[string]any{}
		for k, v := range fields {
			out[k] = v
		}
		out["progressToken"] = a.token
		if srv := server.ServerFromContext(a.ctx); srv != nil && a.ctx.Err() == nil {
			_ = srv.SendNotificationToClient(a.ctx, n.Method, out) // a host that is gone loses it
		}
	case mcp.MethodNotificationToolsListChanged, mcp.MethodNotificationResourcesListChanged, mcp.MethodNotificationPromptsListChanged:
		p.link.wait.Go(func() { p.relist(p.link.life) }) // not here: the answers come through the caller
	}
}

// relist reads all lists anew and tells the host.
func (p *Proxy) relist(ctx context.Context) {
	if p.Server == nil {
		return // still being made
	}
	p.listing.Lock()
	defer p.listing.Unlock()
	if all, err := p.link.list(ctx, mcp.MethodToolsList, "tools"); err == nil {
		p.offerTools(all)
	}
	p.offerResources(ctx)
	p.offerPrompts(ctx)
}

// offerTools offers the tools of the upstream server and ours. Schemas pass as they came.
func (p *Proxy) offerTools(all []json.RawMessage) {
	offered := p.Server.serverTools()
	for _, raw := range all {
		tool, ok := p.tool(raw)
		if !ok || slices.ContainsFunc(offered, func(t server.ServerTool) bool { return t.Tool.Name == tool.Tool.Name }) {
			continue
		}
		offered = append(offered, tool)
	}
	p.warnStructured(offered)
	defer p.survive("tools")
	p.MCP().SetTools(offered...)
}

// warnStructured says once that structured results pass as they are.
func (p *Proxy) warnStructured(offered []server.ServerTool) {
	for _, t := range offered {
		theirs := p.Server.opt.ToolPrefix+tools.ExpandContext != t.Tool.Name && ruleFor(p.rules, t.Tool.Name).Action == ActionCompress
		if theirs && len(t.Tool.RawOutputSchema) > 0 && (p.opt.Structured == "" || p.opt.Structured == StructuredKeep) {
			p.warned.Do(func() {
				p.opt.Logger.Warn("structured results pass as they are, and some hosts show a model only these: consider --structured compress or drop", "tool", t.Tool.Name)
			})
		}
	}
}

// survive makes a refusal of mcp-go, which panics, a line of the log.
func (p *Proxy) survive(what string) {
	if fault := recover(); fault != nil {
		p.opt.Logger.Error("what the upstream server offers is refused", "what", what, "why", fault)
	}
}

// tool is a tool of the upstream server as it is offered here; ok is false if it is not.
func (p *Proxy) tool(raw json.RawMessage) (_ server.ServerTool, ok bool) {
	var t mcp.Tool
	var schemas struct {
		InputSchema  json.RawMessage `json:"inputSchema"`
		OutputSchema json.RawMessage `json:"outputSchema"`
	}
	var plain map[string]json.RawMessage
	if json.Unmarshal(raw, &schemas) != nil || json.Unmarshal(raw, &plain) != nil {
		return server.ServerTool{}, false
	}
	delete(plain, "inputSchema") // the types of mcp-go would lose some of it
	delete(plain, "outputSchema")
	delete(plain, "execution") // tasks are not offered here
	rest, err := json.Marshal(plain)
	if err == nil {
		err = json.Unmarshal(rest, &t)
	}
	rule := ruleFor(p.rules, t.Name)
	if err != nil || t.Name == "" || rule.Action == ActionHide {
		return server.ServerTool{}, false
	}
	t.RawInputSchema, t.RawOutputSchema = schemas.InputSchema, schemas.OutputSchema
	if len(t.RawInputSchema) == 0 {
		t.RawInputSchema = json.RawMessage(`{"type":"object"}`)
	}
	kept := false
	if rule.Keep && rule.Action == ActionCompress {
		t.RawInputSchema, kept = withKeep(t.RawInputSchema)
	}
	if p.opt.Structured == StructuredDrop && rule.Action == ActionCompress {
		t.RawOutputSchema = nil
	}
	return server.ServerTool{Tool: t, Handler: drained(p.forward(rule, kept, newOutputSchema(schemas.OutputSchema)))}, true
}

// forward is a call of the upstream server's tool.
func (p *Proxy) forward(rule *Rule, kept bool, schema *outputSchema) server.ToolHandlerFunc {
	return func(ctx context.Context, req mcp.CallToolRequest) (*mcp.CallToolResult, error) {
		p.calls.Add(1)
		args, keep := req.Params.RawArguments, ""
		if kept {
			args, keep = takeKeep(args)
		}
		params := map[string]any{"name": req.Params.Name}
		if len(args) > 0 {
			params["arguments"] = args
		}
		if tok := token(req.Params.Meta); tok != nil {
			ours := fmt.Sprintf("cprs-%d", p.tokens.Add(1))
			p.progress.Store(ours, &asked{ctx, tok})
			defer p.progress.Delete(ours)
			params["_meta"] = map[string]any{"progressToken": ours}
		}
		raw, err := p.link.request(ctx, mcp.MethodToolsCall, params)
		if err != nil {
			return p.unanswered(ctx, req.Params.Name, err)
		}
		res := &mcp.CallToolResult{}
		if err := json.Unmarshal(raw, res); err != nil {
			return nil, fmt.Errorf("reading the result of the upstream server: %w", err)
		}
		if rule.Action == ActionCompress && !res.IsError {
			tool := req.Params.Name
			s := &shortening{p: p, ctx: ctx, rule: rule, tool: tool, instruction: rule.instructionFor(tool, keep, args), known: map[string]string{}}
			s.result(res, schema)
		}
		return res, nil
	}
}

// unanswered is the end of a call that has no result. What the upstream server itself refused passes as an error.
func (p *Proxy) unanswered(ctx context.Context, tool string, err error) (*mcp.CallToolResult, error) {
	p.link.mu.Lock()
	down := p.link.c == nil
	p.link.mu.Unlock()
	if ctx.Err() == nil && down {
		return mcp.NewToolResultErrorf("[upstream_lost] The server of %s ended and is being started again; whether the call took effect is not known. Call again in a few seconds if that does no harm.", tool), nil
	}
	return nil, err
}

// bytesPerToken estimates: English and code have some four bytes a token.
const bytesPerToken = 4

// isLong reports whether a text is one to shorten. JSON is not: parts of it would be no JSON.
func isLong(rule *Rule, text string) bool {
	if len(text)/bytesPerToken < rule.Threshold {
		return false
	}
	trimmed := strings.TrimSpace(text)
	return !(strings.HasPrefix(trimmed, "{") || strings.HasPrefix(trimmed, "[")) || !json.Valid([]byte(trimmed))
}

// shorten keeps of a text what the instruction asks for, and says so in a last line; on any failure it is the text.
func (p *Proxy) shorten(ctx context.Context, name, instruction, text string, budget int) string {
	limited, cancel := context.WithTimeout(ctx, p.opt.ShortenTime)
	defer cancel()
	docs := []core.Document{{ID: name, Text: text}}
	res, err := p.compress(limited, core.Request{Instruction: instruction, Documents: docs, Budget: core.Budget{MaxTokens: budget}, Gap: core.GapLabels})
	if err == nil && res.Status == core.PassedThrough {
		return text
	}
	var handle string
	if err == nil && res.Status == core.Compressed {
		handle, err = p.set.Keep(ctx, docs)
	}
	if err != nil || res.Status != core.Compressed {
		p.failed.Add(1)
		p.opt.Logger.Warn("a result passes as it was", "tool", name, "type", fmt.Sprintf("%T", err))
		return text
	}
	p.shortened.Add(1)
	p.in.Add(int64(res.Stats.TokensIn))
	p.out.Add(int64(res.Stats.TokensOut))
	return fmt.Sprintf("%s\n\n[cprs] shortened %d→%d tokens; full text: %s; use %s", res.Text, res.Stats.TokensIn, res.Stats.TokensOut, tools.URI(handle, ""), p.Server.opt.ToolPrefix+tools.ExpandContext)
}

// compress is a call of the compressor, through the gate, in which a panic is a failure too.
func (p *Proxy) compress(ctx context.Context, req core.Request) (res *core.Result, err error) {
	defer func() {
		if fault := recover(); fault != nil {
			err = fmt.Errorf("panic: %T", fault)
		}
	}()
	leave, err := p.gate.Enter(ctx)
	if err != nil {
		return nil, err
	}
	defer leave()
	return p.c.Compress(ctx, req)
}
