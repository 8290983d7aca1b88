//go:build cgo

// The driver of memory/sqlite3 is in C.

package langchain_test

import (
	"context"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/tmc/langchaingo/llms"
	"github.com/tmc/langchaingo/memory/sqlite3"

	"github.com/cprs-go/cprs/langchain"
)

// TestSQLite keeps a history in a real file, over a restart.
func TestSQLite(t *testing.T) {
	ctx := context.Background()
	file := filepath.Join(t.TempDir(), "chat.db")
	open := func(opts ...langchain.MemoryOption) (*langchain.Memory, *sqlite3.SqliteChatMessageHistory) {
		h := sqlite3.NewSqliteChatMessageHistory(sqlite3.WithDBAddress(file), sqlite3.WithOverwrite())
		t.Cleanup(func() { h.DB.Close() })
		opts = append(opts, langchain.WithChatHistory(h), langchain.WithBudget(60), langchain.WithMinScore(0.2))
		return langchain.NewMemory(newCompressor(), opts...), h
	}
	m, h := open()
	turns := chat(20)
	for i := 0; i < len(turns); i += 2 {
		if err := m.SaveContext(ctx, map[string]any{"input": turns[i].GetContent()}, map[string]any{"output": turns[i+1].GetContent()}); err != nil {
			t.Fatal(err)
		}
	}
	first := load(t, m, "my locker code")
	if !strings.Contains(first, "7731") || count(first) > 60 {
		t.Errorf("got\n%s", first)
	}
	h.DB.Close()

	m, h = open()
	if got := load(t, m, "my locker code"); got != first {
		t.Errorf("after a restart it gives\n%s\nnot\n%s", got, first)
	}
	if messages, err := h.Messages(ctx); err != nil || !reflect.DeepEqual(messages, turns) {
		t.Errorf("the file has %d messages, %v", len(messages), err)
	}
	h.DB.Close()

	m, _ = open(langchain.WithPersist(true))
	load(t, m, "my locker code")
	_, h = open()
	messages, err := h.Messages(ctx)
	text, _ := llms.GetBufferString(messages, "Human", "AI")
	if err != nil || text != first {
		t.Errorf("persisted, the file has\n%s\n%v", text, err)
	}
}
