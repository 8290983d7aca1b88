package mcpserver

import (
	"context"
	"encoding/json"
	"strings"

	"github.com/mark3labs/mcp-go/mcp"
	"github.com/mark3labs/mcp-go/server"
)

// offerResources offers the resources and templates of the upstream server, and our template.
func (p *Proxy) offerResources(ctx context.Context) {
	var resources []server.ServerResource
	list, _ := p.link.list(ctx, mcp.MethodResourcesList, "resources") // a server without resources may refuse
	for _, raw := range list {
		var r mcp.Resource
		if json.Unmarshal(raw, &r) == nil && r.URI != "" {
			resources = append(resources, server.ServerResource{Resource: r, Handler: p.readResource})
		}
	}
	templates := []server.ServerResourceTemplate{{Template: originalsTemplate(), Handler: p.readOriginal}}
	list, _ = p.link.list(ctx, mcp.MethodResourcesTemplatesList, "resourceTemplates")
	for _, raw := range list {
		var t mcp.ResourceTemplate
		if json.Unmarshal(raw, &t) == nil && t.URITemplate != nil && t.URITemplate.Raw() != originals {
			templates = append(templates, server.ServerResourceTemplate{Template: t, Handler: p.readResource})
		}
	}
	defer p.survive("resources")
	p.MCP().SetResources(resources...)
	p.MCP().SetResourceTemplates(templates...)
}

// readResource reads a resource of the upstream server; its long texts obey the rules.
func (p *Proxy) readResource(ctx context.Context, req mcp.ReadResourceRequest) ([]mcp.ResourceContents, error) {
	p.calls.Add(1)
	uri := req.Params.URI
	raw, err := p.link.request(ctx, mcp.MethodResourcesRead, map[string]any{"uri": uri})
	if err != nil {
		return nil, err
	}
	res, err := mcp.ParseReadResourceResult(&raw)
	if err != nil {
		return nil, err
	}
	rule := ruleFor(p.rules, ReadResource)
	args, err := json.Marshal(map[string]string{"uri": uri})
	if err != nil || rule.Action != ActionCompress {
		return res.Contents, nil
	}
	for i, c := range res.Contents {
		if text, ok := c.(mcp.TextResourceContents); ok && isLong(rule, text.Text) {
			text.Text = p.shorten(ctx, uri, rule.instructionFor(ReadResource, "", args), text.Text, rule.Budget)
			res.Contents[i] = text
		}
	}
	return res.Contents, nil
}

// offerPrompts offers the prompts of the upstream server.
func (p *Proxy) offerPrompts(ctx context.Context) {
	var prompts []server.ServerPrompt
	list, _ := p.link.list(ctx, mcp.MethodPromptsList, "prompts") // a server without prompts may refuse
	for _, raw := range list {
		var prompt mcp.Prompt
		if json.Unmarshal(raw, &prompt) == nil && prompt.Name != "" {
			prompts = append(prompts, server.ServerPrompt{Prompt: prompt, Handler: p.getPrompt})
		}
	}
	defer p.survive("prompts")
	p.MCP().SetPrompts(prompts...)
}

func (p *Proxy) getPrompt(ctx context.Context, req mcp.GetPromptRequest) (*mcp.GetPromptResult, error) {
	raw, err := p.link.request(ctx, mcp.MethodPromptsGet, map[string]any{"name": req.Params.Name, "arguments": req.Params.Arguments})
	if err != nil {
		return nil, err
	}
	return mcp.ParseGetPromptResult(&raw)
}

// forwarder completes what is ours, and asks the upstream server for all else.
type forwarder struct{ p *Proxy }

// CompleteResourceArgument implements server.ResourceCompletionProvider.
func (f forwarder) CompleteResourceArgument(ctx context.Context, uri string, arg mcp.CompleteArgument, known mcp.CompleteContext) (*mcp.Completion, error) {
	if strings.HasPrefix(uri, "ctx://") {
		return completer{f.p.set, nil}.CompleteResourceArgument(ctx, uri, arg, known)
	}
	return f.complete(ctx, mcp.ResourceReference{Type: "ref/resource", URI: uri}, arg, known)
}

// CompletePromptArgument implements server.PromptCompletionProvider.
func (f forwarder) CompletePromptArgument(ctx context.Context, prompt string, arg mcp.CompleteArgument, known mcp.CompleteContext) (*mcp.Completion, error) {
	return f.complete(ctx, mcp.PromptReference{Type: "ref/prompt", Name: prompt}, arg, known)
}

func (f forwarder) complete(ctx context.Context, ref any, arg mcp.CompleteArgument, known mcp.CompleteContext) (*mcp.Completion, error) {
	raw, err := f.p.link.request(ctx, mcp.MethodCompletionComplete, map[string]any{"ref": ref, "argument": arg, "context": known})
	if err != nil {
		return nil, err
	}
	var res mcp.CompleteResult
	if err := json.Unmarshal(raw, &res); err != nil {
		return nil, err
	}
	return &res.Completion, nil
}
