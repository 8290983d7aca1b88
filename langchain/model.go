package langchain

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/tmc/langchaingo/llms"

	"github.com/cprs-go/cprs/core"
)

// DefaultTrigger is the number of tokens of a call above which a wrapped model shortens, where WithTrigger does not say.
const DefaultTrigger = 8000

// leastShortened is the tokens from which on a text is worth shortening.
const leastShortened = 64

// WithTrigger is the number of tokens of all texts of a call above which a wrapped model shortens. Below it calls pass as they
// are, so that the provider's prompt cache is not lost for little. The default is DefaultTrigger.
func WithTrigger(tokens int) ModelOption { return option(func(s *settings) { s.trigger = tokens }) }

// WithKeepLastMessages is how many messages at the end keep their texts as they are; results of tools among them may be
// shortened all the same. The default is 2.
func WithKeepLastMessages(n int) ModelOption {
	return option(func(s *settings) { s.keepMessages = n })
}

// WithQuery finds in the messages of a call what old texts are asked for. The default is the last message of a human;
// ContextWithQuery goes before both.
func WithQuery(f func(context.Context, []llms.MessageContent) string) ModelOption {
	return option(func(s *settings) { s.query = f })
}

// WithCompressSystem says whether texts of system messages may be shortened. The default is false.
func WithCompressSystem(compress bool) ModelOption {
	return option(func(s *settings) { s.system = compress })
}

// WithToolResults says whether results of tools may be shortened. The default is true.
func WithToolResults(compress bool) ModelOption {
	return option(func(s *settings) { s.noToolResults = !compress })
}

// WrapModel makes a model that shortens long old texts and results of tools before each call of m: to WithBudget tokens
// all together, by default half of the trigger.
//
// It never touches the last message of a human, images and other binary parts, tool calls and their ids, nor anything up to the last part that
// is marked as cached content. Chains write all they have into one message of a human; such calls pass as they are. Call options,
// streaming and errors are those of m. If the compressor fails, the call passes as it is, and the handler of WithCallbacks is
// told. The result is an llms.ReasoningModel if m is one.
func WrapModel(m llms.Model, c core.Compressor, opts ...ModelOption) llms.Model {
	s := newSettings(c, settings{trigger: DefaultTrigger, keepMessages: 2}, opts)
	if s.budget.MaxTokens <= 0 {
		s.budget.MaxTokens = max(1, s.trigger/2)
	}
	w := &wrappedModel{inner: m, s: s}
	if r, ok := m.(llms.ReasoningModel); ok {
		return &reasoningModel{w, r}
	}
	return w
}

type wrappedModel struct {
	inner llms.Model
	s     settings
}

// reasoningModel is a wrappedModel of a model that may reason.
type reasoningModel struct {
	*wrappedModel
	reasoning llms.ReasoningModel
}

var (
	_ llms.Model          = (*wrappedModel)(nil)
	_ llms.ReasoningModel = (*reasoningModel)(nil)
)

// SupportsReasoning asks the inner model.
func (m *reasoningModel) SupportsReasoning() bool { return m.reasoning.SupportsReasoning() }

// Call implements llms.Model.
func (m *wrappedModel) Call(ctx context.Context, prompt string, options ...llms.CallOption) (string, error) {
	return llms.GenerateFromSinglePrompt(ctx, m, prompt, options...)
}

// GenerateContent shortens messages and calls the inner model.
func (m *wrappedModel) GenerateContent(ctx context.Context, messages []llms.MessageContent, options ...llms.CallOption) (*llms.ContentResponse, error) {
	if tokens := m.tokens(messages); tokens > m.s.trigger {
		short, err := m.shorten(ctx, messages)
		if err != nil {
			return nil, err
		}
		messages = short
	}
	return m.inner.GenerateContent(ctx, messages, options...)
}

// tokens is how many tokens the texts of messages have.
func (m *wrappedModel) tokens(messages []llms.MessageContent) int {
	n := 0
	for _, msg := range messages {
		for _, p := range msg.Parts {
			if c, ok := p.(llms.CachedContent); ok {
				p = c.ContentPart
			}
			n += m.s.counter.CountTokens(textOf(p))
		}
	}
	return n
}

// textOf is the text of a part; empty if it has none.
func textOf(p llms.ContentPart) string {
	switch p := p.(type) {
	case llms.TextContent:
		return p.Text
	case llms.ToolCallResponse:
		return p.Content
	}
	return ""
}

// withText is a part with another text.
func withText(p llms.ContentPart, text string) llms.ContentPart {
	switch p := p.(type) {
	case llms.TextContent:
		p.Text = text
		return p
	case llms.ToolCallResponse:
		p.Content = text
		return p
	}
	return p
}

// place is a part of a message.
type place struct{ message, part int }

// shorten is messages with less text. The error is that of ctx.
func (m *wrappedModel) shorten(ctx context.Context, messages []llms.MessageContent) ([]llms.MessageContent, error) {
	query := m.queryFor(ctx, messages)
	places := m.places(messages)
	if strings.TrimSpace(query) == "" || len(places) == 0 {
		return messages, nil
	}
	req := core.Request{Documents: make([]core.Document, len(places)), Budget: m.s.budget}
	for i, at := range places {
		req.Documents[i] = core.Document{ID: fmt.Sprintf("message %d", at.message+1), Text: textOf(messages[at.message].Parts[at.part])}
	}
	req.Budget.MaxTokens = max(1, req.Budget.MaxTokens-len(places)*m.s.counter.CountTokens(gap)) // room for marks where nothing is kept
	res, err := m.s.compress(ctx, "model", query, req)
	if err != nil {
		return messages, ctx.Err()
	}
	if res.Status == core.PassedThrough {
		return messages, nil
	}
	out := slices.Clone(messages)
	for i, parts := range byDocument(res.Spans, len(places)) {
		at := places[i]
		if i == 0 || places[i-1].message != at.message {
			out[at.message].Parts = slices.Clone(messages[at.message].Parts)
		}
		text := excerpt(req.Documents[i].Text, parts)
		if text == "" {
			text = gap // providers refuse empty texts
		}
		out[at.message].Parts[at.part] = withText(messages[at.message].Parts[at.part], text)
	}
	return out, nil
}

// queryFor is what the call is about.
func (m *wrappedModel) queryFor(ctx context.Context, messages []llms.MessageContent) string {
	if q := queryOf(ctx); q != "" {
		return q
	}
	if m.s.query != nil {
		return m.s.query(ctx, messages)
	}
	i := lastHuman(messages)
	if i < 0 {
		return ""
	}
	var texts []string
	for _, p := range messages[i].Parts {
		if text := textOf(p); text != "" {
			texts = append(texts, text)
		}
	}
	return strings.Join(texts, "\n")
}

// lastHuman is the index of the last message of a human, or -1.
func lastHuman(messages []llms.MessageContent) int {
	for i := len(messages) - 1; i >= 0; i-- {
		if messages[i].Role == llms.ChatMessageTypeHuman {
			return i
		}
	}
	return -1
}

// places are the parts that may be shortened and are long enough.
func (m *wrappedModel) places(messages []llms.MessageContent) []place {
	human := lastHuman(messages)
	var out []place
	for i, msg := range messages {
		for j, p := range msg.Parts {
			if _, ok := p.(llms.CachedContent); ok {
				out = nil // a prompt cache holds all that comes before, too
				continue
			}
			if i == human || msg.Role == llms.ChatMessageTypeSystem && !m.s.system {
				continue
			}
			_, result := p.(llms.ToolCallResponse)
			if result && m.s.noToolResults || !result && i >= len(messages)-m.s.keepMessages {
				continue
			}
			if m.s.counter.CountTokens(textOf(p)) >= leastShortened {
				out = append(out, place{i, j})
			}
		}
	}
	return out
}
