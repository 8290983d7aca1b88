package langchain

import (
	"bytes"
	"context"
	"encoding/json"
	"strings"

	"github.com/tmc/langchaingo/llms"
	lctools "github.com/tmc/langchaingo/tools"

	"github.com/cprs-go/cprs/tools"
)

// AgentTools gives the tools of a set to agents: compress_context, expand_context and, if the set has sources, list_sources. Names,
// descriptions and behaviour are those of the MCP server. The input is JSON as the schema has it, also inside {"__arg1": …},
// a code fence or a string; or plain text: "instruction | path, path", "handle | query", a pattern. What goes wrong is told to the
// model as text, since an error would end the agent's run; the error is that of ctx.
func AgentTools(set *tools.Set, opts ...AgentOption) []lctools.Tool {
	s := newSettings(nil, settings{}, opts)
	var out []lctools.Tool
	for _, t := range set.Tools() {
		out = append(out, &agentTool{t, s})
	}
	return out
}

// Definitions are the tools of a set for llms.WithTools, with the schemas of the MCP server.
func Definitions(set *tools.Set) []llms.Tool {
	var out []llms.Tool
	for _, t := range set.Tools() {
		out = append(out, llms.Tool{Type: "function", Function: &llms.FunctionDefinition{Name: t.Name, Description: t.Description, Parameters: t.InputSchema}})
	}
	return out
}

type agentTool struct {
	tool tools.Tool
	s    settings
}

// examples end the descriptions: agents that work with text see no schema.
var examples = map[string]string{
	tools.CompressContext: `{"instruction": "clauses on termination and notice", "paths": ["contracts/*.md"], "max_tokens": 500}`,
	tools.ExpandContext:   `{"handle": "HANDLE", "query": "notice period"}`,
	tools.ListSources:     `{"pattern": "docs/**/*.md"}`,
}

// Name implements tools.Tool of langchaingo.
func (t *agentTool) Name() string { return t.tool.Name }

// Description implements tools.Tool of langchaingo.
func (t *agentTool) Description() string {
	return t.tool.Description + "\nInput is one line of JSON: " + examples[t.tool.Name]
}

// Call implements tools.Tool of langchaingo.
func (t *agentTool) Call(ctx context.Context, input string) (string, error) {
	if t.s.callbacks != nil {
		t.s.callbacks.HandleToolStart(ctx, input)
	}
	res, err := t.tool.Call(ctx, arguments(t.tool.Name, input), nil)
	if err != nil {
		if t.s.callbacks != nil {
			t.s.callbacks.HandleToolError(ctx, err)
		}
		if ctx.Err() != nil {
			return "", ctx.Err()
		}
		return "The tool failed: " + err.Error() + ". Go on without it and tell the user.", nil
	}
	if t.s.callbacks != nil {
		t.s.callbacks.HandleToolEnd(ctx, res.Text)
	}
	return res.Text, nil
}

// onlyArgument is the name under which agents of langchaingo pass a tool's only argument.
const onlyArgument = "__arg1"

// arguments makes JSON of what an agent calls a tool with.
func arguments(tool, input string) json.RawMessage {
	input = unwrap(input)
	var text string
	if strings.HasPrefix(input, `"`) && json.Unmarshal([]byte(input), &text) == nil {
		input = unwrap(text)
	}
	if !strings.HasPrefix(input, "{") {
		return plain(tool, input)
	}
	var object json.RawMessage
	if json.NewDecoder(strings.NewReader(input)).Decode(&object) != nil {
		return json.RawMessage(input) // the tool says what is wrong with it
	}
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(object, &fields); err == nil && len(fields) == 1 && fields[onlyArgument] != nil {
		inner := bytes.TrimSpace(fields[onlyArgument])
		if json.Unmarshal(inner, &text) != nil {
			return inner
		}
		if text = unwrap(text); !strings.HasPrefix(text, "{") {
			return plain(tool, text)
		}
		return json.RawMessage(text)
	}
	return object
}

// unwrap takes off what agents leave around an input.
func unwrap(input string) string {
	input = strings.TrimSpace(strings.TrimSuffix(strings.TrimSpace(input), "Observation:"))
	if fenced, ok := strings.CutPrefix(input, "```"); ok {
		fenced, _, _ = strings.Cut(fenced, "```")
		if language, rest, ok := strings.Cut(fenced, "\n"); ok && !strings.ContainsAny(language, "{|") {
			fenced = rest
		}
		return strings.TrimSpace(fenced)
	}
	return strings.TrimSpace(strings.Trim(input, "`"))
}

// plain makes JSON of an input in plain words.
func plain(tool, input string) json.RawMessage {
	first, rest := input, ""
	if i := strings.LastIndex(input, "|"); i >= 0 {
		first, rest = strings.TrimSpace(input[:i]), strings.TrimSpace(input[i+1:])
	}
	fields := map[string]any{}
	switch tool {
	case tools.CompressContext:
		fields["instruction"] = first
		if rest != "" {
			var paths []string
			for p := range strings.SplitSeq(rest, ",") {
				paths = append(paths, strings.TrimSpace(p))
			}
			fields["paths"] = paths
		}
	case tools.ExpandContext:
		fields["handle"] = first
		if rest != "" {
			fields["query"] = rest
		}
	default:
		if input != "" {
			fields["pattern"] = input
		}
	}
	out, _ := json.Marshal(fields) // strings always have a JSON form
	return out
}
