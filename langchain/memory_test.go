package langchain_test

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"sync"
	"testing"

	"github.com/tmc/langchaingo/llms"
	"github.com/tmc/langchaingo/memory"

	"github.com/cprs-go/cprs/core/critic/critictest"
	"github.com/cprs-go/cprs/core/tokenizer"
	"github.com/cprs-go/cprs/langchain"
)

// chat is a history of n turns of small talk with some facts in turn 3.
func chat(n int) []llms.ChatMessage {
	var out []llms.ChatMessage
	for i := range n {
		question, answer := fmt.Sprintf("What about topic %d? I wonder.", i), fmt.Sprintf("Topic %d is dull. Let us go on.", i)
		if i == 3 {
			question, answer = "My locker code is 7731. Please remember it.", "Noted. The weather is fine."
		}
		out = append(out, llms.HumanChatMessage{Content: question}, llms.AIChatMessage{Content: answer})
	}
	return out
}

func load(t *testing.T, m *langchain.Memory, input string) string {
	t.Helper()
	vars, err := m.LoadMemoryVariables(context.Background(), map[string]any{"input": input})
	if err != nil {
		t.Fatal(err)
	}
	return vars[m.GetMemoryKey(context.Background())].(string)
}

func historyOf(messages ...llms.ChatMessage) *memory.ChatMessageHistory {
	return memory.NewChatMessageHistory(memory.WithPreviousMessages(messages))
}

func TestMemoryWithinBudgetIsTheBuffer(t *testing.T) {
	ctx := context.Background()
	messages := append([]llms.ChatMessage{llms.SystemChatMessage{Content: "Be kind."}}, chat(3)...)
	messages = append(messages, llms.AIChatMessage{Content: "x", FunctionCall: &llms.FunctionCall{Name: "f", Arguments: "{}"}}, llms.GenericChatMessage{Role: "bob", Content: "hi"})
	tokens := 0
	for _, asMessages := range []bool{false, true} {
		want, err := memory.NewConversationBuffer(memory.WithChatHistory(historyOf(messages...)), memory.WithReturnMessages(asMessages)).LoadMemoryVariables(ctx, nil)
		if err != nil {
			t.Fatal(err)
		}
		if !asMessages {
			tokens = count(want["history"].(string))
		}
		c := newCompressor()
		for _, budget := range []int{tokens, tokens + 1} {
			m := langchain.NewMemory(c, langchain.WithChatHistory(historyOf(messages...)), langchain.WithReturnMessages(asMessages), langchain.WithBudget(budget))
			got, err := m.LoadMemoryVariables(ctx, map[string]any{"input": "topic"})
			if err != nil || !reflect.DeepEqual(got, want) || len(c.requests) > 0 {
				t.Errorf("got %v, %v, want %v", got, err, want)
			}
		}
		m := langchain.NewMemory(c, langchain.WithChatHistory(historyOf(messages...)), langchain.WithReturnMessages(asMessages), langchain.WithBudget(tokens-1))
		if got, err := m.LoadMemoryVariables(ctx, map[string]any{"input": "topic"}); err != nil || reflect.DeepEqual(got, want) {
			t.Errorf("one token over the budget gives %v, %v", got, err)
		}
	}
}

func TestMemoryTrims(t *testing.T) {
	system := llms.SystemChatMessage{Content: "Be kind."}
	tests := []struct {
		name     string
		messages []llms.ChatMessage
		opts     []langchain.MemoryOption
		input    string
		want     string
	}{
		{"what is asked for, in pairs", append([]llms.ChatMessage{system}, chat(20)...), nil, "my locker code", `system: Be kind.
Human: […]
My locker code is 7731.
AI: Noted.
Human: What about topic 18? I wonder.
AI: Topic 18 is dull. Let us go on.
Human: What about topic 19? I wonder.
AI: Topic 19 is dull. Let us go on.`},
		{"no query: recency", chat(20), nil, "", `Human: What about topic 16? I wonder.
AI: Topic 16 is dull. Let us go on.
Human: What about topic 17? I wonder.
AI: Topic 17 is dull. Let us go on.
Human: What about topic 18? I wonder.
AI: Topic 18 is dull. Let us go on.
Human: What about topic 19? I wonder.
AI: Topic 19 is dull. Let us go on.`},
		{"no turn as it is", chat(20), []langchain.MemoryOption{langchain.WithKeepLastTurns(0), langchain.WithMinScore(0.3)}, "my locker code", `Human: […]
My locker code is 7731.
AI: Noted.`},
		{"one turn larger than the budget", []llms.ChatMessage{llms.HumanChatMessage{Content: strings.Repeat("Cats sleep. ", 100)}, llms.AIChatMessage{Content: strings.Repeat("Dogs bark. ", 100) + "The code is 12."}},
			[]langchain.MemoryOption{langchain.WithMinScore(0.5)}, "the code is", `Human: Cats sleep.
AI: The code is 12.`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var event langchain.TrimEvent
			opts := append([]langchain.MemoryOption{langchain.WithChatHistory(historyOf(tt.messages...)), langchain.WithBudget(90),
				langchain.WithMinScore(0.2), langchain.WithOnTrim(func(e langchain.TrimEvent) { event = e })}, tt.opts...)
			m := langchain.NewMemory(newCompressor(), opts...)
			got := load(t, m, tt.input)
			if got != tt.want {
				t.Errorf("got\n%s\nwant\n%s", got, tt.want)
			}
			if event.Query != tt.input || event.TokensOut != count(got) || event.TokensIn <= 90 || event.Err != nil {
				t.Errorf("event %+v", event)
			}
		})
	}
}

// TestMemoryIsBounded holds the history to the budget, whatever it is, and pairs together.
func TestMemoryIsBounded(t *testing.T) {
	messages := append([]llms.ChatMessage{llms.AIChatMessage{Content: "Hello, I am first."}, llms.SystemChatMessage{Content: "Be kind and brief."}}, chat(12)...)
	messages = append(messages, llms.SystemChatMessage{Content: "Now be blunt."}, llms.HumanChatMessage{Content: "Bye 🙂."})
	all, err := llms.GetBufferString(messages, "Human", "AI")
	if err != nil {
		t.Fatal(err)
	}
	for _, counter := range []langchain.TokenCounter{nil, runes{}} {
		for budget := 1; budget < 300; budget++ {
			m := langchain.NewMemory(newCompressor(), langchain.WithChatHistory(historyOf(messages...)), langchain.WithBudget(budget),
				langchain.WithTokenCounter(counter), langchain.WithReturnMessages(true))
			vars, err := m.LoadMemoryVariables(context.Background(), map[string]any{"input": "topic 7 locker"})
			if err != nil {
				t.Fatal(err)
			}
			kept := vars["history"].([]llms.ChatMessage)
			text, err := llms.GetBufferString(kept, "Human", "AI")
			if err != nil {
				t.Fatal(err)
			}
			if n := tokensBy(counter, text); n > budget {
				t.Fatalf("%d tokens of a budget of %d:\n%s", n, budget, text)
			}
			for i, msg := range kept {
				verbatim(t, msg.GetContent(), all)
				if msg.GetType() == llms.ChatMessageTypeHuman && !strings.Contains(msg.GetContent(), "Bye") {
					if i+1 == len(kept) || kept[i+1].GetType() != llms.ChatMessageTypeAI || kept[i+1].GetContent() == "" {
						t.Fatalf("budget %d: %q has lost its answer", budget, msg.GetContent())
					}
				}
			}
		}
	}
}

// runes is a counter of its own.
type runes struct{}

func (runes) CountTokens(text string) int { return len([]rune(text)) }

func tokensBy(c langchain.TokenCounter, text string) int {
	if c == nil {
		return count(text)
	}
	return c.CountTokens(text)
}

func TestMemoryKeepsToolCallsTogether(t *testing.T) {
	messages := []llms.ChatMessage{
		llms.HumanChatMessage{Content: "Look up the locker code."},
		llms.AIChatMessage{Content: "", ToolCalls: []llms.ToolCall{{ID: "c1", FunctionCall: &llms.FunctionCall{Name: "lookup"}}}},
		llms.ToolChatMessage{ID: "c1", Content: strings.Repeat("Dogs bark at night. ", 50) + "The locker code is 7731."},
		llms.AIChatMessage{Content: "It is 7731."},
	}
	m := langchain.NewMemory(newCompressor(), langchain.WithChatHistory(historyOf(append(messages, chat(2)...)...)), langchain.WithReturnMessages(true),
		langchain.WithBudget(100), langchain.WithMinScore(0.4))
	vars, err := m.LoadMemoryVariables(context.Background(), map[string]any{"input": "locker code is"})
	if err != nil {
		t.Fatal(err)
	}
	want := append([]llms.ChatMessage{messages[0], messages[1], llms.ToolChatMessage{ID: "c1", Content: "The locker code is 7731."}, messages[3]}, chat(2)...)
	if got := vars["history"]; !reflect.DeepEqual(got, want) {
		t.Errorf("got %q", got)
	}
}

func TestMemoryIsNotDestructive(t *testing.T) {
	ctx := context.Background()
	h := historyOf(chat(20)...)
	m := langchain.NewMemory(newCompressor(), langchain.WithChatHistory(h), langchain.WithBudget(60))
	load(t, m, "topic 7")
	if got, _ := h.Messages(ctx); !reflect.DeepEqual(got, chat(20)) {
		t.Error("the history was modified")
	}
	m = langchain.NewMemory(newCompressor(), langchain.WithChatHistory(h), langchain.WithBudget(60), langchain.WithPersist(true))
	text := load(t, m, "topic 7")
	messages, _ := h.Messages(ctx)
	if got, _ := llms.GetBufferString(messages, "Human", "AI"); got != text || got == "" {
		t.Errorf("the history is\n%s\nwant\n%s", got, text)
	}
	if again := load(t, m, "topic 9"); again != text {
		t.Errorf("within the budget the history is\n%s\nwant\n%s", again, text)
	}
}

func TestMemoryFallsBack(t *testing.T) {
	h := &handler{}
	var events []langchain.TrimEvent
	c := broken()
	m := langchain.NewMemory(c, langchain.WithChatHistory(historyOf(chat(20)...)), langchain.WithBudget(60), langchain.WithCallbacks(h),
		langchain.WithOnTrim(func(e langchain.TrimEvent) { events = append(events, e) }))
	got := load(t, m, "locker code")
	if count(got) > 60 || !strings.HasSuffix(got, "AI: Topic 19 is dull. Let us go on.") || strings.Contains(got, "locker") {
		t.Errorf("got\n%s", got)
	}
	if len(events) != 1 || !errors.Is(events[0].Err, errBroken) || len(h.errs) != 1 {
		t.Errorf("events %+v, errors %v", events, h.errs)
	}
	c.err = nil // what failed is tried again
	if got := load(t, m, "locker code"); !strings.Contains(got, "7731") {
		t.Errorf("got\n%s", got)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := m.LoadMemoryVariables(ctx, map[string]any{"input": "x"}); !errors.Is(err, context.Canceled) {
		t.Errorf("a cancelled context gives %v", err)
	}
}

func TestMemoryScoresUnchangedHistoryOnce(t *testing.T) {
	c := newCompressor()
	var cached []bool
	h := historyOf(chat(20)...)
	m := langchain.NewMemory(c, langchain.WithChatHistory(h), langchain.WithBudget(60), langchain.WithOnTrim(func(e langchain.TrimEvent) { cached = append(cached, e.Cached) }))
	first := load(t, m, "locker code")
	if load(t, m, "locker code") != first {
		t.Error("the second call differs")
	}
	load(t, m, "topic 4")
	if err := m.SaveContext(context.Background(), map[string]any{"input": "a"}, map[string]any{"output": "b"}); err != nil {
		t.Fatal(err)
	}
	load(t, m, "locker code")
	if want := []bool{false, true, false, false}; !reflect.DeepEqual(cached, want) || len(c.requests) != 3 {
		t.Errorf("cached %v, %d requests", cached, len(c.requests))
	}
}

func TestMemoryValues(t *testing.T) {
	ctx := context.Background()
	tests := []struct {
		name            string
		opts            []langchain.MemoryOption
		inputs, outputs map[string]any
		want            string // saved
	}{
		{"only input", nil, map[string]any{"q": "hi", "n": 3}, map[string]any{"a": "ho", "docs": []int{1}}, "Human: hi\nAI: ho"},
		{"memory key does not count", nil, map[string]any{"q": "hi", "history": "old"}, map[string]any{"a": "ho"}, "Human: hi\nAI: ho"},
		{"named", []langchain.MemoryOption{langchain.WithInputKey("q"), langchain.WithOutputKey("a")}, map[string]any{"q": "hi", "p": "no"}, map[string]any{"a": "ho", "b": "no"}, "Human: hi\nAI: ho"},
		{"preset", []langchain.MemoryOption{langchain.ForRetrievalQA()}, map[string]any{"question": "hi", "p": "no"}, map[string]any{"text": "ho", "generated_question": "no"}, "Human: hi\nAI: ho"},
		{"prefixes", []langchain.MemoryOption{langchain.WithHumanPrefix("U"), langchain.WithAIPrefix("M")}, map[string]any{"q": "hi"}, map[string]any{"a": "ho"}, "U: hi\nM: ho"},
		{"two inputs", nil, map[string]any{"q": "hi", "p": "no"}, map[string]any{"a": "ho"}, ""},
		{"no output", nil, map[string]any{"q": "hi"}, map[string]any{"a": 3}, ""},
		{"named one is no text", []langchain.MemoryOption{langchain.WithInputKey("n")}, map[string]any{"q": "hi", "n": 3}, map[string]any{"a": "ho"}, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			m := langchain.NewMemory(newCompressor(), tt.opts...)
			err := m.SaveContext(ctx, tt.inputs, tt.outputs)
			if (err == nil) != (tt.want != "") || err != nil && !errors.Is(err, memory.ErrInvalidInputValues) {
				t.Fatal(err)
			}
			if got := load(t, m, ""); got != tt.want {
				t.Errorf("saved %q, want %q", got, tt.want)
			}
			if err := m.Clear(ctx); err != nil {
				t.Fatal(err)
			}
			if got := load(t, m, ""); got != "" {
				t.Errorf("cleared, it has %q", got)
			}
		})
	}
}

func TestMemoryOverAnotherMemory(t *testing.T) {
	ctx := context.Background()
	const budget = 60
	for _, asMessages := range []bool{false, true} {
		inner := memory.NewConversationBuffer(memory.WithChatHistory(historyOf(chat(20)...)), memory.WithMemoryKey("past"), memory.WithReturnMessages(asMessages),
			memory.WithInputKey("input"))
		m := langchain.NewMemory(newCompressor(), langchain.WithMemory(inner), langchain.WithBudget(budget), langchain.WithMinScore(0.2))
		if m.GetMemoryKey(ctx) != "past" || m.MemoryVariables(ctx)[0] != "past" {
			t.Error("keys differ from those of the inner memory")
		}
		vars, err := m.LoadMemoryVariables(ctx, map[string]any{"input": "my locker code"})
		if err != nil {
			t.Fatal(err)
		}
		text, isText := vars["past"].(string)
		if isText == asMessages {
			t.Fatalf("got a %T", vars["past"])
		}
		if asMessages {
			if text, err = llms.GetBufferString(vars["past"].([]llms.ChatMessage), "Human", "AI"); err != nil {
				t.Fatal(err)
			}
		}
		if count(text) > budget || !strings.Contains(text, "My locker code is 7731.") || !strings.Contains(text, "\nAI: Noted.") || !strings.Contains(text, "topic 19") {
			t.Errorf("got\n%s", text)
		}
		if err := m.SaveContext(ctx, map[string]any{"input": "hi"}, map[string]any{"output": "ho"}); err != nil {
			t.Fatal(err)
		}
		if messages, _ := inner.ChatHistory.Messages(ctx); len(messages) != 42 {
			t.Errorf("the inner memory has %d messages", len(messages))
		}
		if err := m.Clear(ctx); err != nil {
			t.Fatal(err)
		}
	}
	// A string that is no chat is cut like any other text.
	summary := &memory.Simple{}
	if vars, err := langchain.NewMemory(newCompressor(), langchain.WithMemory(summary)).LoadMemoryVariables(ctx, nil); err != nil || len(vars) != 0 {
		t.Errorf("got %v, %v", vars, err)
	}
}

// FuzzMemory holds any chat to the budget, and within it to the bytes of the buffer.
func FuzzMemory(f *testing.F) {
	f.Add("My locker code is 7731.\x00Noted.\x00What now?\x00Nothing. Go on.", "locker", 20)
	f.Add("Human: a\nAI: b\x00\xff\x00\x00 \n", "a", 3)
	f.Add("a\n\nb: c\x00system: x", "", 1)
	f.Fuzz(func(t *testing.T, text, query string, budget int) {
		if len(text) > 1<<12 || budget < 1 {
			return
		}
		var messages []llms.ChatMessage
		for i, content := range strings.Split(text, "\x00") {
			messages = append(messages, []llms.ChatMessage{llms.HumanChatMessage{Content: content}, llms.AIChatMessage{Content: content},
				llms.HumanChatMessage{Content: content}, llms.ToolChatMessage{Content: content}, llms.SystemChatMessage{Content: content}}[i%5])
		}
		all, err := llms.GetBufferString(messages, "Human", "AI")
		if err != nil {
			t.Fatal(err)
		}
		m := langchain.NewMemory(newCompressor(), langchain.WithChatHistory(historyOf(messages...)), langchain.WithBudget(budget))
		inner := langchain.NewMemory(newCompressor(), langchain.WithMemory(memory.NewConversationBuffer(memory.WithChatHistory(historyOf(messages...)))), langchain.WithBudget(budget))
		for _, m := range []*langchain.Memory{m, inner} {
			got := load(t, m, query)
			if n := tokenizer.Count(critictest.Tokenizer{}, got); n > budget {
				t.Errorf("%d tokens of %d", n, budget)
			}
			if count(all) <= budget && got != all {
				t.Errorf("got %q, want %q", got, all)
			}
		}
	})
}

func TestMemoryIsSharedByGoroutines(t *testing.T) {
	ctx := context.Background()
	m := langchain.NewMemory(newCompressor(), langchain.WithBudget(60))
	var wg sync.WaitGroup
	for g := range 32 {
		wg.Go(func() {
			for i := range 5 {
				in := map[string]any{"input": fmt.Sprintf("What about topic %d of %d?", i, g)}
				vars, err := m.LoadMemoryVariables(ctx, in)
				if err != nil || count(vars["history"].(string)) > 60 {
					t.Errorf("%v, %v", vars, err)
				}
				if err := m.SaveContext(ctx, in, map[string]any{"output": fmt.Sprintf("Nothing on topic %d of %d.", i, g)}); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	m = langchain.NewMemory(newCompressor(), langchain.WithMemory(m))
	vars, err := m.LoadMemoryVariables(ctx, map[string]any{"input": ""})
	if err != nil || len(vars) != 1 {
		t.Errorf("%v, %v", vars, err)
	}
}
