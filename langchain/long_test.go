package langchain_test

import (
	"context"
	"flag"
	"fmt"
	"strings"
	"testing"

	"github.com/tmc/langchaingo/chains"
	"github.com/tmc/langchaingo/llms"
	"github.com/tmc/langchaingo/memory"

	"github.com/cprs-go/cprs/core"
	"github.com/cprs-go/cprs/core/engine"
	"github.com/cprs-go/cprs/core/tokenizer"
	"github.com/cprs-go/cprs/langchain"
)

// facts are said early in a long chat and asked for at its end.
var facts = []struct{ said, answer, asked, evidence string }{
	{"By the way, our dentist is Dr. Moreau in Rue Verte.", "I will remember the dentist.", "Who is our dentist?", "Dr. Moreau"},
	{"The boiler was last serviced on 14 March by Hanley & Sons.", "Noted, 14 March.", "When was the boiler serviced, and by whom?", "14 March by Hanley"},
	{"My sister's flight lands at 18:40 in Porto.", "Then you should leave at six.", "At what time does my sister land?", "18:40"},
}

// smallTalk is a chat of n messages with the facts in its first tenth.
func smallTalk(n int) []llms.ChatMessage {
	topics := []string{"the garden", "a film", "lunch", "the weather", "a walk", "that song", "the neighbours", "my new shoes"}
	var out []llms.ChatMessage
	for i := range n / 2 {
		human, ai := fmt.Sprintf("What do you think of %s, no. %d?", topics[i%len(topics)], i), fmt.Sprintf("I like %s well enough, as I said.", topics[i*3%len(topics)])
		if k := i - n/40; k >= 0 && k < len(facts) {
			human, ai = facts[k].said, facts[k].answer
		}
		out = append(out, llms.HumanChatMessage{Content: human}, llms.AIChatMessage{Content: ai})
	}
	return out
}

var embedded = flag.Bool("embedded", false, "have TestLongChat read 2,000 messages with the embedded critic, which takes a minute")

// TestLongChat asks for old facts at the end of 2,000 messages.
func TestLongChat(t *testing.T) {
	var c core.Compressor = newCompressor()
	count := count
	if *embedded {
		e := open(t)
		c, count = e, func(text string) int { return tokenizer.Count(e.Tokenizer(), text) }
	}
	const budget = 400
	llm := &model{}
	var event langchain.TrimEvent
	m := langchain.NewMemory(c, langchain.ForConversation(), langchain.WithChatHistory(historyOf(smallTalk(2000)...)), langchain.WithBudget(budget),
		langchain.WithOnTrim(func(e langchain.TrimEvent) { event = e }))
	for i, f := range facts {
		if !*embedded {
			f.asked = f.said // that critic knows no other words
		}
		if _, err := chains.Run(context.Background(), chains.NewConversation(llm, m), f.asked); err != nil {
			t.Fatal(err)
		}
		t.Logf("%d tokens of history in %d turns became %d in %v", event.TokensIn, event.Turns, event.TokensOut, event.Elapsed)
		history := strings.TrimSuffix(llm.prompt(i), "\nHuman: "+f.asked+"\nAI:")
		if count(history) > budget+60 { // with the chain's own words
			t.Errorf("the history has %d tokens", count(history))
		}
		if !strings.Contains(history, f.evidence) || i == 0 && !strings.Contains(history, "no. 999?") {
			t.Errorf("%q is asked with\n%s", f.asked, history)
		}
	}
}

// BenchmarkMemory trims a chat of 2,000 messages that the critic has read before: for a new question, and for the same one.
func BenchmarkMemory(b *testing.B) {
	m := langchain.NewMemory(open(b), langchain.WithChatHistory(memory.NewChatMessageHistory(memory.WithPreviousMessages(smallTalk(2000)))))
	ask := func(question string) {
		if _, err := m.LoadMemoryVariables(context.Background(), map[string]any{"input": question}); err != nil {
			b.Fatal(err)
		}
	}
	ask("Who is our dentist?")
	b.Run("new question", func(b *testing.B) {
		for i := 0; b.Loop(); i++ {
			ask(fmt.Sprintf("Who is our dentist, %d?", i))
		}
	})
	b.Run("same question", func(b *testing.B) {
		for b.Loop() {
			ask("Who is our dentist?")
		}
	})
}

// open opens the embedded critic.
func open(tb testing.TB) *engine.Engine {
	tb.Helper()
	e, err := engine.Open(context.Background(), nil)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { e.Close() })
	return e
}
