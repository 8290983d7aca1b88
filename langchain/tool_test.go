package langchain_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/tmc/langchaingo/agents"
	"github.com/tmc/langchaingo/chains"
	"github.com/tmc/langchaingo/llms"
	lctools "github.com/tmc/langchaingo/tools"

	"github.com/cprs-go/cprs/core"
	"github.com/cprs-go/cprs/core/source"
	"github.com/cprs-go/cprs/langchain"
	"github.com/cprs-go/cprs/tools"
)

// tool gives long observations.
type tool struct {
	observation string
	err         error
	inputs      []string
}

func (*tool) Name() string        { return "Look" }
func (*tool) Description() string { return "looks" }
func (t *tool) Call(_ context.Context, input string) (string, error) {
	t.inputs = append(t.inputs, input)
	return t.observation, t.err
}

func TestWrapTool(t *testing.T) {
	log := strings.Repeat("Dogs bark at night.\n", 100) + "The locker code is 7731.\n" + strings.Repeat("Stones are hard.\n", 100)
	note := fmt.Sprintf("\n[shortened to what matters: 6 of %d tokens; call Look with a narrower input for more]", count(log))
	asked := langchain.ContextWithQuery(context.Background(), "the code is")
	tests := []struct {
		name        string
		ctx         context.Context
		observation string
		opts        []langchain.ToolOption
		want        string
	}{
		{"the query of the context", asked, log, nil, "The locker code is 7731." + note},
		{"the goal of the option", context.Background(), log, []langchain.ToolOption{langchain.WithGoal("code is")}, "The locker code is 7731." + note},
		{"the input", context.Background(), log, nil, "The locker code is 7731." + note},
		{"short", asked, "Stones are hard.", nil, "Stones are hard."},
		{"empty", asked, "", nil, ""},
		{"nothing matters", langchain.ContextWithQuery(context.Background(), "zebra"), log, nil, strings.TrimPrefix(strings.Replace(note, ": 6 of", ": 0 of", 1), "\n")},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			inner := &tool{observation: tt.observation}
			opts := append([]langchain.ToolOption{langchain.WithBudget(100), langchain.WithMinScore(0.3)}, tt.opts...)
			w := langchain.WrapTool(inner, newCompressor(), opts...)
			if w.Name() != "Look" || w.Description() != "looks" {
				t.Error("name or description differ")
			}
			got, err := w.Call(tt.ctx, "locker code")
			if err != nil || got != tt.want || inner.inputs[0] != "locker code" {
				t.Errorf("got %q, %v, want %q", got, err, tt.want)
			}
		})
	}
}

func TestWrapToolIsBounded(t *testing.T) {
	inner := &tool{observation: strings.Repeat("Dogs bark at night. ", 200)}
	for _, budget := range []int{-1, 0, 1, 63, 64, 65, 200, 999, 1000, 1001} {
		got, err := langchain.WrapTool(inner, newCompressor(), langchain.WithBudget(budget)).Call(context.Background(), "dogs")
		limit := max(budget, 64)
		if budget <= 0 {
			limit = langchain.DefaultToolBudget
		}
		if n := count(got); err != nil || n > limit || n < limit/2 {
			t.Errorf("budget %d gives %d tokens, %v", budget, n, err)
		}
	}
}

func TestWrapToolErrors(t *testing.T) {
	failed := errors.New("no such thing")
	if got, err := langchain.WrapTool(&tool{"half", failed, nil}, newCompressor()).Call(context.Background(), "x"); err != failed || got != "half" {
		t.Errorf("got %q, %v", got, err)
	}
	h, long := &handler{}, strings.Repeat("Dogs bark. ", 1000)
	w := langchain.WrapTool(&tool{observation: long}, broken(), langchain.WithCallbacks(h))
	if got, err := w.Call(context.Background(), "x"); err != nil || got != long || len(h.errs) != 1 {
		t.Errorf("a broken critic gives %d bytes, %v, and tells %v", len(got), err, h.errs)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := w.Call(ctx, "x"); !errors.Is(err, context.Canceled) {
		t.Errorf("a cancelled context gives %v", err)
	}
}

// set makes the agent tools over a folder with two files.
func set(t *testing.T, c core.Compressor) *tools.Set {
	t.Helper()
	dir := t.TempDir()
	files := map[string]string{"pets.txt": strings.Repeat("Dogs bark at night.\n", 40) + "Cats purr.\n" + strings.Repeat("Birds sing.\n", 40), "stones.txt": strings.Repeat("Stones are hard.\n", 40)}
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	r, err := source.New(&source.Options{Roots: []source.Root{{Dir: dir}}})
	if err != nil {
		t.Fatal(err)
	}
	s, err := tools.New(c, &tools.Options{Sources: r, Budget: 100})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close(); r.Close() })
	return s
}

func byName(list []lctools.Tool) map[string]lctools.Tool {
	out := map[string]lctools.Tool{}
	for _, t := range list {
		out[t.Name()] = t
	}
	return out
}

func TestAgentToolInputs(t *testing.T) {
	ctx := context.Background()
	c := newCompressor()
	all := byName(langchain.AgentTools(set(t, c)))
	for _, input := range []string{
		`{"instruction": "cats purr", "paths": ["pets.txt"]}`,
		" {\"instruction\": \"cats purr\", \"paths\": [\"pets.txt\"]}\nObservation:",
		"{\"instruction\": \"cats purr\", \"paths\": \"pets.txt\"}\nThought: I wait",
		"```json\n{\"instruction\": \"cats purr\", \"paths\": [\"pets.txt\"]}\n```\nObservation:",
		"```{\"instruction\": \"cats purr\", \"paths\": [\"pets.txt\"]}```",
		"`cats purr | pets.txt`",
		`{"__arg1": "{\"instruction\": \"cats purr\", \"paths\": [\"pets.txt\"]}"}`,
		`{"__arg1": {"instruction": "cats purr", "paths": ["pets.txt"]}}`,
		`{"__arg1": "cats purr | pets.txt"}`,
		`"{\"instruction\": \"cats purr\", \"paths\": [\"pets.txt\"]}"`,
		`cats purr | pets.txt`,
		"```\ncats purr | pets.txt\n```",
	} {
		got, err := all[tools.CompressContext].Call(ctx, input)
		if err != nil || !strings.Contains(got, "Cats purr.") || !strings.Contains(got, "pets.txt:") {
			t.Errorf("%q gives %q, %v", input, got, err)
		}
		if last := c.requests[len(c.requests)-1]; last.Instruction != "cats purr" || len(last.Documents) != 1 {
			t.Errorf("%q asks for %q in %d documents", input, last.Instruction, len(last.Documents))
		}
	}
	got, err := all[tools.CompressContext].Call(ctx, "stones and cats | pets.txt, stones.txt")
	if err != nil || len(c.requests[len(c.requests)-1].Documents) != 2 {
		t.Errorf("two files give %q, %v", got, err)
	}
	for _, input := range []string{"", "{}", `{"pattern": "*.txt"}`, "*.txt", "```\n*.txt\n```"} {
		if got, err := all[tools.ListSources].Call(ctx, input); err != nil || !strings.Contains(got, "pets.txt") {
			t.Errorf("%q lists %q, %v", input, got, err)
		}
	}
}

func TestAgentToolFailuresAreText(t *testing.T) {
	ctx := context.Background()
	h := &handler{}
	c := newCompressor()
	all := byName(langchain.AgentTools(set(t, c), langchain.WithCallbacks(h)))
	for _, input := range []string{"", "{", `{"instruction": 3`, "no file", "x | ../../etc/passwd", "x | none.txt", `{"paths": ["pets.txt"]}`, `{"__arg1": 3}`, "\xff", `{"__arg1": "{"}`} {
		if got, err := all[tools.CompressContext].Call(ctx, input); err != nil || !strings.HasPrefix(got, "[") {
			t.Errorf("%q gives %q, %v", input, got, err)
		}
	}
	if got, err := all[tools.ExpandContext].Call(ctx, "nothing | cats"); err != nil || !strings.Contains(got, "handle") {
		t.Errorf("a wrong handle gives %q, %v", got, err)
	}
	if h.events[0] != "tool start " || h.events[1] != "tool end" {
		t.Errorf("events are %q", h.events)
	}
	c.err = errBroken
	if got, err := all[tools.CompressContext].Call(ctx, "cats | pets.txt"); err != nil || !strings.Contains(got, errBroken.Error()) || h.events[len(h.events)-1] != "tool error" {
		t.Errorf("a broken critic gives %q, %v; events end with %s", got, err, h.events[len(h.events)-1])
	}
	canceled, cancel := context.WithCancel(ctx)
	cancel()
	if _, err := all[tools.CompressContext].Call(canceled, "cats | pets.txt"); !errors.Is(err, context.Canceled) {
		t.Errorf("a cancelled context gives %v", err)
	}
}

// TestExpand follows a handle from one tool to the other.
func TestExpand(t *testing.T) {
	ctx := context.Background()
	all := byName(langchain.AgentTools(set(t, newCompressor())))
	kept, err := all[tools.CompressContext].Call(ctx, "cats purr | pets.txt")
	if err != nil {
		t.Fatal(err)
	}
	_, handle, _ := strings.Cut(kept, `handle "`)
	handle, _, _ = strings.Cut(handle, `"`)
	got, err := all[tools.ExpandContext].Call(ctx, handle+" | birds sing")
	if err != nil || !strings.Contains(got, "Birds sing.") {
		t.Errorf("%q gives %q, %v", handle, got, err)
	}
}

func TestDescriptionsAndDefinitions(t *testing.T) {
	s := set(t, newCompressor())
	list, defs := langchain.AgentTools(s), langchain.Definitions(s)
	if len(list) != 3 || len(defs) != 3 {
		t.Fatalf("%d tools, %d definitions", len(list), len(defs))
	}
	for i, tool := range s.Tools() {
		lines := strings.Split(list[i].Description(), "\n")
		_, example, _ := strings.Cut(lines[len(lines)-1], ": ")
		if !strings.HasPrefix(list[i].Description(), tool.Description) || !json.Valid([]byte(example)) {
			t.Errorf("%s is described as %q", tool.Name, list[i].Description())
		}
		sent, err := json.Marshal(defs[i].Function.Parameters)
		if err != nil || string(sent) != string(tool.InputSchema) || defs[i].Function.Name != tool.Name || defs[i].Function.Description != tool.Description || defs[i].Type != "function" {
			t.Errorf("%s is defined as %+v, schema %s, %v", tool.Name, defs[i].Function, sent, err)
		}
	}
}

// TestAgents runs the tools under each agent of langchaingo.
func TestAgents(t *testing.T) {
	ctx := langchain.ContextWithQuery(context.Background(), "cats purr")
	c := newCompressor()
	inner := &tool{observation: strings.Repeat("Dogs bark at night.\n", 200) + "Cats purr."}
	list := append(langchain.AgentTools(set(t, c)), langchain.WrapTool(inner, c, langchain.WithBudget(80), langchain.WithMinScore(0.3)))
	tests := []struct {
		name    string
		agent   func(llm llms.Model) agents.Agent
		answers []string
	}{
		{"conversational", func(llm llms.Model) agents.Agent { return agents.NewConversationalAgent(llm, list) }, []string{
			"Do I need to use a tool? Yes\nAction: compress_context\nAction Input: cats purr | pets.txt", "Do I need to use a tool? Yes\nAction: look\nAction Input: cats", "AI: They purr."}},
		{"ReAct", func(llm llms.Model) agents.Agent { return agents.NewOneShotAgent(llm, list) }, []string{
			"Thought: look\nAction: COMPRESS_CONTEXT\nAction Input: ```json\n{\"instruction\": \"cats purr\", \"paths\": [\"pets.txt\"]}\n```\nObservation:",
			"Thought: more\nAction: Look\nAction Input: cats\nObservation:", "Final Answer: They purr."}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			llm := &model{answers: tt.answers}
			out, err := chains.Run(ctx, agents.NewExecutor(tt.agent(llm)), "Do cats purr?")
			if err != nil || strings.TrimSpace(out) != "They purr." {
				t.Fatalf("%q, %v", out, err)
			}
			last := llm.prompt(2)
			if strings.Count(last, "Cats purr.") != 2 || !strings.Contains(last, "[shortened to what matters:") {
				t.Errorf("the last prompt is\n%s", last)
			}
			if grown := count(last) - count(llm.prompt(0)); grown > 100+80+100 {
				t.Errorf("the scratchpad has %d tokens", grown)
			}
		})
	}
}

func TestOpenAIFunctionsAgent(t *testing.T) {
	c := newCompressor()
	list := langchain.AgentTools(set(t, c))
	for _, args := range []string{`{"__arg1": "cats purr | pets.txt"}`, `{"__arg1": "{\"instruction\": \"cats purr\", \"paths\": [\"pets.txt\"]}"}`, `{"instruction": "cats purr", "paths": ["pets.txt"]}`} {
		llm := &model{}
		llm.respond = func(messages []llms.MessageContent) *llms.ContentChoice {
			if len(llm.calls) == 1 {
				return &llms.ContentChoice{ToolCalls: []llms.ToolCall{{ID: "c1", Type: "function", FunctionCall: &llms.FunctionCall{Name: "compress_context", Arguments: args}}}}
			}
			return &llms.ContentChoice{Content: "They purr."}
		}
		out, err := chains.Run(context.Background(), agents.NewExecutor(agents.NewOpenAIFunctionsAgent(llm, list)), "Do cats purr?")
		if err != nil || out != "They purr." {
			t.Fatalf("%q, %v", out, err)
		}
		if got := llm.calls[1][len(llm.calls[1])-1]; got.Role != llms.ChatMessageTypeTool || !strings.Contains(got.Parts[0].(llms.ToolCallResponse).Content, "Cats purr.") {
			t.Errorf("%s gives %v", args, got)
		}
		if want := []string{"compress_context", "expand_context", "list_sources"}; !reflect.DeepEqual(functions(llm.options[0]), want) {
			t.Errorf("the model knows %q", functions(llm.options[0]))
		}
	}
}

func functions(o llms.CallOptions) []string {
	var out []string
	for _, f := range o.Functions {
		out = append(out, f.Name)
	}
	return out
}

// FuzzAgentTool feeds the tools anything: the answer is text.
func FuzzAgentTool(f *testing.F) {
	for _, s := range []string{"cats | pets.txt", "```json\n{}\n```", `{"__arg1": "x"}`, "|", "{", "\x00\xff", `"\"`, "```", `{"__arg1":{"__arg1":null}}`} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, input string) {
		s, err := tools.New(newCompressor(), nil)
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		for _, tool := range langchain.AgentTools(s) {
			if got, err := tool.Call(context.Background(), input); err != nil || got == "" {
				t.Errorf("%s gives %q, %v", tool.Name(), got, err)
			}
		}
	})
}
