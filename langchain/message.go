package langchain

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"strings"
	"sync"

	"github.com/tmc/langchaingo/llms"

	"github.com/cprs-go/cprs/core/tokenizer"
)

// withContent is msg with other content and all else as it is.
func withContent(msg llms.ChatMessage, content string) llms.ChatMessage {
	if content == msg.GetContent() {
		return msg
	}
	switch m := msg.(type) {
	case llms.HumanChatMessage:
		m.Content = content
		return m
	case llms.AIChatMessage:
		m.Content = content
		return m
	case llms.SystemChatMessage:
		m.Content = content
		return m
	case llms.GenericChatMessage:
		m.Content = content
		return m
	case llms.FunctionChatMessage:
		m.Content = content
		return m
	case llms.ToolChatMessage:
		m.Content = content
		return m
	}
	return shortened{msg, content}
}

// shortened is a message of a type that this package does not know, with other content.
type shortened struct {
	llms.ChatMessage
	content string
}

// GetContent implements llms.ChatMessage.
func (s shortened) GetContent() string { return s.content }

// bare is msg with nothing in it but its role.
func bare(msg llms.ChatMessage) llms.ChatMessage {
	if m, ok := msg.(llms.AIChatMessage); ok {
		m.FunctionCall = nil
		msg = m
	}
	return withContent(msg, "")
}

// parse reads a history that was written as a string. What stands before the first role becomes a system message.
func (m *Memory) parse(text string) []llms.ChatMessage {
	var out []llms.ChatMessage
	add := func(role, content string) {
		switch role {
		case m.s.memory.human:
			out = append(out, llms.HumanChatMessage{Content: content})
		case m.s.memory.ai:
			out = append(out, llms.AIChatMessage{Content: content})
		case "tool":
			out = append(out, llms.ToolChatMessage{Content: content})
		case "function":
			out = append(out, llms.FunctionChatMessage{Content: content})
		default:
			out = append(out, llms.SystemChatMessage{Content: content})
		}
	}
	role, content := "", []string(nil)
	for line := range strings.SplitSeq(text, "\n") {
		r, rest, ok := strings.Cut(line, ": ")
		switch {
		case !ok || r != m.s.memory.human && r != m.s.memory.ai && r != "system" && r != "tool" && r != "function":
			content = append(content, line)
			continue
		case content != nil:
			add(role, strings.Join(content, "\n"))
		}
		role, content = r, []string{rest}
	}
	add(role, strings.Join(content, "\n"))
	return out
}

// within reports whether a text has at most limit tokens.
func within(c TokenCounter, text string, limit int) bool {
	if t, ok := c.(tokenizerCounter); ok {
		return tokenizer.CountUpTo(t.t, text, limit) <= limit
	}
	return c.CountTokens(text) <= limit
}

// trimKey names a history and what it is asked.
type trimKey [sha256.Size]byte

func keyOf(messages []llms.ChatMessage, query string) trimKey {
	h := sha256.New()
	add := func(s string) {
		h.Write(binary.LittleEndian.AppendUint64(nil, uint64(len(s))))
		h.Write([]byte(s))
	}
	add(query)
	for _, m := range messages {
		add(string(m.GetType()))
		add(m.GetContent())
		calls, _ := json.Marshal(m) // of a type that has no JSON, type and content must do
		add(string(calls))
	}
	return trimKey(h.Sum(nil))
}

// cachedTrims is how many trimmed histories a Memory remembers.
const cachedTrims = 16

// trimCache remembers the newest trimmed histories.
type trimCache struct {
	mu    sync.Mutex
	trims map[trimKey]cachedTrim
	order []trimKey // oldest first
}

type cachedTrim struct {
	messages []llms.ChatMessage // read-only
	event    TrimEvent
}

func (c *trimCache) get(k trimKey) ([]llms.ChatMessage, TrimEvent, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	t, ok := c.trims[k]
	return t.messages, t.event, ok
}

func (c *trimCache) put(k trimKey, messages []llms.ChatMessage, e TrimEvent) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if _, ok := c.trims[k]; ok {
		return
	}
	if c.trims == nil {
		c.trims = map[trimKey]cachedTrim{}
	}
	if len(c.order) == cachedTrims {
		delete(c.trims, c.order[0])
		c.order = c.order[1:]
	}
	c.trims[k] = cachedTrim{messages, e}
	c.order = append(c.order, k)
}
