package langchain

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/tmc/langchaingo/llms"
	"github.com/tmc/langchaingo/memory"
	"github.com/tmc/langchaingo/schema"

	"github.com/cprs-go/cprs/core"
)

// DefaultMemoryBudget is the most tokens of history that a Memory gives where WithBudget does not say.
const DefaultMemoryBudget = 2000

// TrimEvent says what a Memory did with a history that exceeds the budget.
type TrimEvent struct {
	Query               string
	Turns, KeptTurns    int // kept whole or in part
	TokensIn, TokensOut int // of the history as a string
	Elapsed             time.Duration
	Cached              bool  // the same history was trimmed for the same query before
	Err                 error // why the critic could not choose; the newest turns that fit were kept instead
}

// memorySettings are the options of a Memory alone.
type memorySettings struct {
	history        schema.ChatMessageHistory
	inner          schema.Memory
	memoryKey      string
	inputKey       string
	outputKey      string
	human, ai      string
	returnMessages bool
	keepTurns      int
	dropSystem     bool
	persist        bool
	onTrim         func(TrimEvent)
}

func memoryOption(f func(m *memorySettings)) MemoryOption {
	return option(func(s *settings) { f(&s.memory) })
}

// WithChatHistory keeps the messages in h. The default is a history in memory.
func WithChatHistory(h schema.ChatMessageHistory) MemoryOption {
	return memoryOption(func(m *memorySettings) { m.history = h })
}

// WithMemory trims what inner gives, string or messages, and leaves saving and clearing to it. Keys are those of inner.
func WithMemory(inner schema.Memory) MemoryOption {
	return memoryOption(func(m *memorySettings) { m.inner = inner })
}

// WithMemoryKey names the variable with the history. The default is "history".
func WithMemoryKey(key string) MemoryOption {
	return memoryOption(func(m *memorySettings) { m.memoryKey = key })
}

// WithInputKey names the chain's input that is saved as the human's message and is the query for older turns. The default is the
// only input that is a string and no memory variable.
func WithInputKey(key string) MemoryOption {
	return memoryOption(func(m *memorySettings) { m.inputKey = key })
}

// WithOutputKey names the chain's output that is saved as the model's message. The default is the only output that is a string.
func WithOutputKey(key string) MemoryOption {
	return memoryOption(func(m *memorySettings) { m.outputKey = key })
}

// WithReturnMessages gives the history as []llms.ChatMessage rather than as a string. An agents.Executor takes strings only.
func WithReturnMessages(messages bool) MemoryOption {
	return memoryOption(func(m *memorySettings) { m.returnMessages = messages })
}

// WithHumanPrefix names the human in the history. The default is "Human".
func WithHumanPrefix(prefix string) MemoryOption {
	return memoryOption(func(m *memorySettings) { m.human = prefix })
}

// WithAIPrefix names the model in the history. The default is "AI".
func WithAIPrefix(prefix string) MemoryOption {
	return memoryOption(func(m *memorySettings) { m.ai = prefix })
}

// WithKeepLastTurns is how many of the newest turns are kept as they are, if they fit. The default is 2.
func WithKeepLastTurns(n int) MemoryOption {
	return memoryOption(func(m *memorySettings) { m.keepTurns = max(0, n) })
}

// WithKeepSystem says whether system messages are kept as they are, if they fit. The default is true.
func WithKeepSystem(keep bool) MemoryOption {
	return memoryOption(func(m *memorySettings) { m.dropSystem = !keep })
}

// WithPersist says whether the history under a Memory is replaced by what was kept. What one question does not ask for is then
// gone for the next one. The default is false. It has no effect together with WithMemory.
func WithPersist(persist bool) MemoryOption {
	return memoryOption(func(m *memorySettings) { m.persist = persist })
}

// WithOnTrim calls f whenever the history exceeds the budget. Calls may come from several goroutines.
func WithOnTrim(f func(TrimEvent)) MemoryOption {
	return memoryOption(func(m *memorySettings) { m.onTrim = f })
}

func withKeys(memory, input, output string) MemoryOption {
	return memoryOption(func(m *memorySettings) { m.memoryKey, m.inputKey, m.outputKey = memory, input, output })
}

// ForConversation sets the keys of chains.NewConversation: history, input, text.
func ForConversation() MemoryOption { return withKeys("history", "input", "text") }

// ForRetrievalQA sets the keys of chains.NewConversationalRetrievalQA: chat_history, question, text.
func ForRetrievalQA() MemoryOption { return withKeys("chat_history", "question", "text") }

// ForAgent sets the keys of agents.NewExecutor: history, input, output.
func ForAgent() MemoryOption { return withKeys("history", "input", "output") }

// Memory is a schema.Memory that gives a chain no more of the history than a budget allows: system messages and the newest turns as
// they are, and of older turns what the chain's current input asks for. A turn is a message of the human with all that
// follows up to the next one; if anything of a turn is kept, something of each of its messages is, under the same role and with the
// same tool calls, so that neither a question and its answer nor a tool call and its result are torn apart. […] stands where
// text or turns were left out. A history within the budget is given as memory.ConversationBuffer gives it.
//
// The stored history stays complete. A Memory is safe for concurrent use, also over a history that is not.
type Memory struct {
	s     settings
	store sync.Mutex // guards the history
	cache trimCache
}

var _ schema.Memory = (*Memory)(nil)

// NewMemory makes a Memory that asks c what of the history matters.
func NewMemory(c core.Compressor, opts ...MemoryOption) *Memory {
	defaults := settings{unit: core.UnitSentence, memory: memorySettings{memoryKey: "history", human: "Human", ai: "AI", keepTurns: 2}}
	m := &Memory{s: newSettings(c, defaults, opts)}
	if m.s.budget.MaxTokens <= 0 {
		m.s.budget.MaxTokens = DefaultMemoryBudget
	}
	if m.s.memory.history == nil {
		m.s.memory.history = memory.NewChatMessageHistory()
	}
	return m
}

// GetMemoryKey is the name of the variable with the history.
func (m *Memory) GetMemoryKey(ctx context.Context) string {
	if in := m.s.memory.inner; in != nil {
		return in.GetMemoryKey(ctx)
	}
	return m.s.memory.memoryKey
}

// MemoryVariables are the names of the variables that LoadMemoryVariables sets.
func (m *Memory) MemoryVariables(ctx context.Context) []string {
	if in := m.s.memory.inner; in != nil {
		return in.MemoryVariables(ctx)
	}
	return []string{m.s.memory.memoryKey}
}

// LoadMemoryVariables gives the history, trimmed for inputs. It fails only if the history cannot be read or ctx has ended.
func (m *Memory) LoadMemoryVariables(ctx context.Context, inputs map[string]any) (map[string]any, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	query := m.query(ctx, inputs)
	if m.s.memory.inner != nil {
		return m.loadInner(ctx, inputs, query)
	}
	messages, err := m.messages(ctx)
	if err != nil {
		return nil, fmt.Errorf("reading the chat history: %w", err)
	}
	kept, trimmed, err := m.trim(ctx, messages, query)
	if err != nil {
		return nil, err
	}
	if trimmed && m.s.memory.persist {
		if err := m.replace(ctx, len(messages), kept); err != nil {
			return nil, fmt.Errorf("replacing the chat history: %w", err)
		}
	}
	if m.s.memory.returnMessages {
		return map[string]any{m.s.memory.memoryKey: kept}, nil
	}
	text, err := m.render(kept)
	if err != nil {
		return nil, err
	}
	return map[string]any{m.s.memory.memoryKey: text}, nil
}

// loadInner trims what another memory gives.
func (m *Memory) loadInner(ctx context.Context, inputs map[string]any, query string) (map[string]any, error) {
	m.store.Lock()
	vars, err := m.s.memory.inner.LoadMemoryVariables(ctx, inputs)
	m.store.Unlock()
	if err != nil {
		return nil, fmt.Errorf("reading the memory: %w", err)
	}
	key := m.GetMemoryKey(ctx)
	out := with(vars, nil)
	switch v := vars[key].(type) {
	case string:
		kept, trimmed, err := m.trim(ctx, m.parse(v), query)
		if err != nil || !trimmed {
			return out, err
		}
		if out[key], err = m.render(kept); err != nil {
			return nil, err
		}
	case []llms.ChatMessage:
		if out[key], _, err = m.trim(ctx, slices.Clone(v), query); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// messages reads the history. The copy stays as it is whatever is added to the history.
func (m *Memory) messages(ctx context.Context) ([]llms.ChatMessage, error) {
	m.store.Lock()
	defer m.store.Unlock()
	messages, err := m.s.memory.history.Messages(ctx)
	return slices.Clone(messages), err
}

// replace puts kept in the place of the first n messages of the history.
func (m *Memory) replace(ctx context.Context, n int, kept []llms.ChatMessage) error {
	m.store.Lock()
	defer m.store.Unlock()
	now, err := m.s.memory.history.Messages(ctx)
	if err != nil || len(now) < n { // it was cleared or replaced meanwhile
		return err
	}
	return m.s.memory.history.SetMessages(ctx, slices.Concat(kept, now[n:]))
}

// SaveContext adds a turn, the chain's input and output, to the history.
func (m *Memory) SaveContext(ctx context.Context, inputs, outputs map[string]any) error {
	m.store.Lock()
	defer m.store.Unlock()
	if in := m.s.memory.inner; in != nil {
		return in.SaveContext(ctx, inputs, outputs)
	}
	human, ok := m.value(inputs, m.s.memory.inputKey)
	if !ok {
		return fmt.Errorf("%w: no single text among the inputs; name it with WithInputKey", memory.ErrInvalidInputValues)
	}
	ai, ok := m.value(outputs, m.s.memory.outputKey)
	if !ok {
		return fmt.Errorf("%w: no single text among the outputs; name it with WithOutputKey", memory.ErrInvalidInputValues)
	}
	if err := m.s.memory.history.AddUserMessage(ctx, human); err != nil {
		return err
	}
	return m.s.memory.history.AddAIMessage(ctx, ai)
}

// Clear empties the history.
func (m *Memory) Clear(ctx context.Context) error {
	m.store.Lock()
	defer m.store.Unlock()
	if in := m.s.memory.inner; in != nil {
		return in.Clear(ctx)
	}
	return m.s.memory.history.Clear(ctx)
}

// query is what older turns are asked for; empty if that cannot be told.
func (m *Memory) query(ctx context.Context, inputs map[string]any) string {
	if q := queryOf(ctx); q != "" {
		return q
	}
	q, _ := m.value(inputs, m.s.memory.inputKey)
	return q
}

// value is the text under key, or the only text that is no memory variable.
func (m *Memory) value(values map[string]any, key string) (text string, ok bool) {
	if v, found := values[key]; found {
		text, ok = v.(string)
		return text, ok
	}
	n := 0
	for k, v := range values {
		if s, isText := v.(string); isText && k != m.s.memory.memoryKey {
			text = s
			n++
		}
	}
	if n != 1 {
		return "", false
	}
	return text, true
}

// trim is the part of a history that fits into the budget, and whether that is not all of it. messages are not modified.
func (m *Memory) trim(ctx context.Context, messages []llms.ChatMessage, query string) (kept []llms.ChatMessage, trimmed bool, err error) {
	began := time.Now()
	text, err := m.render(messages)
	if err != nil {
		return nil, false, err
	}
	if within(m.s.counter, text, m.s.budget.MaxTokens) {
		return messages, false, nil
	}
	key := keyOf(messages, query)
	kept, event, ok := m.cache.get(key)
	if !ok {
		if kept, event, err = newTrimmer(m, messages).trim(ctx, query); err != nil {
			return nil, false, err
		}
		event.TokensIn = m.s.counter.CountTokens(text)
		if event.Err == nil { // a critic that failed may work the next time
			m.cache.put(key, kept, event)
		}
	}
	event.Query, event.Cached, event.Elapsed = query, ok, time.Since(began)
	if m.s.memory.onTrim != nil {
		m.s.memory.onTrim(event)
	}
	return slices.Clone(kept), true, nil
}

// render writes messages as memory.ConversationBuffer does.
func (m *Memory) render(messages []llms.ChatMessage) (string, error) {
	text, err := llms.GetBufferString(messages, m.s.memory.human, m.s.memory.ai)
	if err != nil {
		return "", fmt.Errorf("writing the chat history: %w", err)
	}
	return text, nil
}
