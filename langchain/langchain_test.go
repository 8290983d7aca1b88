package langchain_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"unicode/utf8"

	"github.com/tmc/langchaingo/callbacks"
	"github.com/tmc/langchaingo/llms"
	"github.com/tmc/langchaingo/schema"

	"github.com/cprs-go/cprs/core"
	"github.com/cprs-go/cprs/core/critic/critictest"
	"github.com/cprs-go/cprs/core/tokenizer"
)

// compressor is the pipeline with a critic that keeps words of the query, and records the requests.
type compressor struct {
	*core.Pipeline
	mu       sync.Mutex
	requests []core.Request
	err      error
}

func newCompressor() *compressor {
	return &compressor{Pipeline: core.NewPipeline(core.PipelineOptions{
		Critic: critictest.Match(0), Layout: critictest.Layout(64), Tokenizer: critictest.Tokenizer{}, ID: "match", Threshold: 0.2,
	})}
}

func (c *compressor) Tokenizer() tokenizer.Tokenizer { return critictest.Tokenizer{} }

func (c *compressor) Compress(ctx context.Context, req core.Request) (*core.Result, error) {
	c.mu.Lock()
	c.requests = append(c.requests, req)
	err := c.err
	c.mu.Unlock()
	if err != nil {
		return nil, err
	}
	return c.Pipeline.Compress(ctx, req)
}

var errBroken = errors.New("the critic is broken")

func broken() *compressor {
	c := newCompressor()
	c.err = errBroken
	return c
}

func count(text string) int { return tokenizer.Count(critictest.Tokenizer{}, text) }

// model records the messages that reach it and answers in turn.
type model struct {
	answers []string
	calls   [][]llms.MessageContent
	options []llms.CallOptions
	respond func(messages []llms.MessageContent) *llms.ContentChoice
}

func (m *model) GenerateContent(_ context.Context, messages []llms.MessageContent, options ...llms.CallOption) (*llms.ContentResponse, error) {
	var o llms.CallOptions
	for _, set := range options {
		set(&o)
	}
	m.calls, m.options = append(m.calls, messages), append(m.options, o)
	if m.respond != nil {
		return &llms.ContentResponse{Choices: []*llms.ContentChoice{m.respond(messages)}}, nil
	}
	answer := "ok"
	if len(m.answers) > 0 {
		answer = m.answers[(len(m.calls)-1)%len(m.answers)]
	}
	return &llms.ContentResponse{Choices: []*llms.ContentChoice{{Content: answer}}}, nil
}

func (m *model) Call(ctx context.Context, prompt string, options ...llms.CallOption) (string, error) {
	return llms.GenerateFromSinglePrompt(ctx, m, prompt, options...)
}

// prompt is the text of call i.
func (m *model) prompt(i int) string {
	var b strings.Builder
	for _, message := range m.calls[i] {
		for _, p := range message.Parts {
			fmt.Fprint(&b, p)
		}
	}
	return b.String()
}

// handler records callbacks by name.
type handler struct {
	callbacks.SimpleHandler
	mu     sync.Mutex
	events []string
	ends   []map[string]any
	errs   []error
}

func (h *handler) add(event string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.events = append(h.events, event)
}

func (h *handler) HandleChainStart(context.Context, map[string]any) { h.add("chain start") }
func (h *handler) HandleChainEnd(_ context.Context, out map[string]any) {
	h.add("chain end")
	h.ends = append(h.ends, out)
}
func (h *handler) HandleChainError(_ context.Context, err error) {
	h.add("chain error")
	h.errs = append(h.errs, err)
}
func (h *handler) HandleRetrieverStart(_ context.Context, q string) { h.add("retriever start " + q) }
func (h *handler) HandleRetrieverEnd(_ context.Context, _ string, docs []schema.Document) {
	h.add(fmt.Sprintf("retriever end %d", len(docs)))
}
func (h *handler) HandleToolStart(_ context.Context, in string) { h.add("tool start " + in) }
func (h *handler) HandleToolEnd(context.Context, string)        { h.add("tool end") }
func (h *handler) HandleToolError(context.Context, error)       { h.add("tool error") }

// verbatim fails the test unless every piece of text between marks stands in source.
func verbatim(t *testing.T, text, source string) {
	t.Helper()
	for piece := range strings.SplitSeq(text, "[…]") {
		if !strings.Contains(source, strings.TrimSpace(piece)) {
			t.Errorf("%q is not in the source", piece)
		}
	}
	if utf8.ValidString(source) && !utf8.ValidString(text) {
		t.Errorf("%q cuts a rune", text)
	}
}
