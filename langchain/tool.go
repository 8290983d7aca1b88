package langchain

import (
	"context"
	"fmt"
	"strings"

	lctools "github.com/tmc/langchaingo/tools"

	"github.com/cprs-go/cprs/core"
)

// DefaultToolBudget is the most tokens of an observation that a wrapped tool gives where WithBudget does not say.
const DefaultToolBudget = 1000

// leastToolBudget has room for the line that ends a shortened observation, and some text.
const leastToolBudget = 64

// WithGoal says what the observations of a wrapped tool are for. The default is the tool's name with its input;
// ContextWithQuery goes before both.
func WithGoal(goal string) ToolOption { return option(func(s *settings) { s.goal = goal }) }

// WrapTool makes a tool that shortens the observations of t: agents put every one of them into all later prompts. Observations
// within WithBudget tokens and errors of t pass as they are. A shortened one ends with a line that says so, inside the
// budget, which is 64 at least. If the compressor fails, the observation passes as it is, and the handler of WithCallbacks is told.
func WrapTool(t lctools.Tool, c core.Compressor, opts ...ToolOption) lctools.Tool {
	s := newSettings(c, settings{}, opts)
	if s.budget.MaxTokens <= 0 {
		s.budget.MaxTokens = DefaultToolBudget
	}
	s.budget.MaxTokens = max(s.budget.MaxTokens, leastToolBudget)
	return &wrappedTool{t, s}
}

type wrappedTool struct {
	lctools.Tool
	s settings
}

// Call calls the inner tool.
func (t *wrappedTool) Call(ctx context.Context, input string) (string, error) {
	observation, err := t.Tool.Call(ctx, input)
	if err != nil || within(t.s.counter, observation, t.s.budget.MaxTokens) {
		return observation, err
	}
	goal := queryOf(ctx)
	if goal == "" {
		goal = t.s.goal
	}
	if goal == "" {
		goal = t.Name() + ": " + strings.TrimSpace(input)
	}
	tokens := t.s.counter.CountTokens(observation)
	budget := t.s.budget
	budget.MaxTokens = max(1, budget.MaxTokens-t.s.counter.CountTokens("\n"+t.note(tokens, tokens)))
	res, err := t.s.compress(ctx, "tool", goal, core.Request{Documents: []core.Document{{ID: t.Name(), Text: observation}}, Budget: budget})
	if err != nil {
		return observation, ctx.Err()
	}
	if res.Status == core.PassedThrough {
		return observation, nil
	}
	text := excerpt(observation, res.Spans)
	if text != "" {
		text += "\n"
	}
	return text + t.note(t.s.counter.CountTokens(text), tokens), nil
}

// note is the line that ends a shortened observation.
func (t *wrappedTool) note(kept, tokens int) string {
	return fmt.Sprintf("[shortened to what matters: %d of %d tokens; call %s with a narrower input for more]", kept, tokens, t.Name())
}
