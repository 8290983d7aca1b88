package mcpserver

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/mark3labs/mcp-go/mcp"
	"github.com/mark3labs/mcp-go/server"

	"github.com/cprs-go/cprs/core"
	"github.com/cprs-go/cprs/core/source"
	"github.com/cprs-go/cprs/tools"
)

// originals is the template of the URIs that tools.URI makes.
const originals = "ctx://{handle}/{source}"

// mostOriginal bounds the resource that is read at once: clients bound the length of a message, some break the connection off.
const mostOriginal = 4 << 20

// mostCompletions is what the protocol allows in one answer.
const mostCompletions = 100

func originalsTemplate() mcp.ResourceTemplate {
	return mcp.NewResourceTemplate(originals, "original",
		mcp.WithTemplateTitle("Original text"),
		mcp.WithTemplateDescription("The whole text of a source behind the handle of an earlier answer, as it was when that was made."),
		mcp.WithTemplateMIMEType("text/plain"))
}

// readOriginal reads what a handle keeps. Whatever does not open is reported as missing, with the hint of the store.
func (s *Server) readOriginal(ctx context.Context, req mcp.ReadResourceRequest) ([]mcp.ResourceContents, error) {
	o, err := s.set.Read(ctx, req.Params.URI)
	var known *core.Error
	switch {
	case errors.As(err, &known):
		return nil, fmt.Errorf("%w: %s: %s", server.ErrResourceNotFound, known.Message, known.Hint)
	case err != nil:
		return nil, err
	case len(o.Text) > mostOriginal:
		return nil, fmt.Errorf("the original has %d bytes, at most %d are read at once: call %s with its handle and lines", len(o.Text), mostOriginal, s.opt.ToolPrefix+tools.ExpandContext)
	}
	return []mcp.ResourceContents{mcp.TextResourceContents{URI: o.URI, MIMEType: o.MIMEType, Text: o.Text}}, nil
}

// The prompt and its arguments.
const (
	compressFiles  = "compress_files"
	argInstruction = "instruction"
	argPaths       = "paths"
)

func (s *Server) filesPrompt() mcp.Prompt {
	return mcp.NewPrompt(s.opt.ToolPrefix+compressFiles,
		mcp.WithPromptTitle("Read files by instruction"),
		mcp.WithPromptDescription("Read only what an instruction asks for of files, folders or globs, and answer from it."),
		mcp.WithArgument(argInstruction, mcp.ArgumentDescription("What to look for, in plain words"), mcp.RequiredArgument()),
		mcp.WithArgument(argPaths, mcp.ArgumentDescription("Files, folders or globs, with commas between them"), mcp.RequiredArgument()))
}

func (s *Server) promptFiles(_ context.Context, req mcp.GetPromptRequest) (*mcp.GetPromptResult, error) {
	var paths []string
	for p := range strings.SplitSeq(req.Params.Arguments[argPaths], ",") {
		if p = strings.TrimSpace(p); p != "" {
			paths = append(paths, p)
		}
	}
	instruction := strings.TrimSpace(req.Params.Arguments[argInstruction])
	if instruction == "" || paths == nil {
		return nil, fmt.Errorf("give the arguments %s and %s", argInstruction, argPaths)
	}
	args, err := json.Marshal(map[string]any{argInstruction: instruction, argPaths: paths})
	if err != nil {
		return nil, err
	}
	text := fmt.Sprintf("Call %s with these arguments:\n\n%s\n\nThen do what the instruction says with what it returns, and name the file and lines of what you rely on. "+
		"If something seems missing, call %s with the handle.", s.opt.ToolPrefix+tools.CompressContext, args, s.opt.ToolPrefix+tools.ExpandContext)
	return mcp.NewGetPromptResult("Read only what the instruction asks for.", []mcp.PromptMessage{mcp.NewPromptMessage(mcp.RoleUser, mcp.NewTextContent(text))}), nil
}

// completer completes the variables of the template and the paths of the prompt.
type completer struct {
	set     *tools.Set
	sources *source.Resolver
}

// CompleteResourceArgument implements server.ResourceCompletionProvider.
func (c completer) CompleteResourceArgument(ctx context.Context, uri string, arg mcp.CompleteArgument, known mcp.CompleteContext) (*mcp.Completion, error) {
	switch {
	case uri != originals:
		return &mcp.Completion{}, nil
	case arg.Name == "handle":
		return completion(c.set.Handles(ctx), "", arg.Value), nil
	case arg.Name == "source":
		return completion(c.set.HandleSources(ctx, known.Arguments["handle"]), "", arg.Value), nil
	}
	return &mcp.Completion{}, nil
}

// CompletePromptArgument implements server.PromptCompletionProvider: it completes the last path of the list.
func (c completer) CompletePromptArgument(ctx context.Context, prompt string, arg mcp.CompleteArgument, _ mcp.CompleteContext) (*mcp.Completion, error) {
	if c.sources == nil || arg.Name != argPaths || !strings.HasSuffix(prompt, compressFiles) {
		return &mcp.Completion{}, nil
	}
	at := strings.LastIndexByte(arg.Value, ',') + 1
	before, last := arg.Value[:at], strings.TrimLeft(arg.Value[at:], " ")
	pattern := ""
	if dir := path.Dir(last + "x"); dir != "." {
		pattern = dir + "/**"
	}
	files, _, _, err := c.sources.List(ctx, pattern, 10*mostCompletions)
	if err != nil { // what does not exist yet completes to nothing
		return &mcp.Completion{}, nil
	}
	var names []string
	for _, f := range files {
		names = append(names, f.Path)
	}
	return completion(names, before, last), nil
}

// completion are the values that begin with prefix, each behind before.
func completion(values []string, before, prefix string) *mcp.Completion {
	out := &mcp.Completion{}
	for _, v := range slices.Compact(values) {
		if !strings.HasPrefix(v, prefix) {
			continue
		}
		if out.Total++; len(out.Values) < mostCompletions {
			out.Values = append(out.Values, before+v)
		}
	}
	out.HasMore = out.Total > len(out.Values)
	return out
}
