package langchain_test

import (
	"context"
	"errors"
	"io"
	"log"
	"net/http"
	"os"
	"reflect"
	"strings"
	"testing"

	"github.com/tmc/langchaingo/agents"
	"github.com/tmc/langchaingo/chains"
	"github.com/tmc/langchaingo/llms"
	"github.com/tmc/langchaingo/llms/fake"
	"github.com/tmc/langchaingo/memory"
	"github.com/tmc/langchaingo/prompts"
	"github.com/tmc/langchaingo/schema"

	"github.com/cprs-go/cprs/core"
	"github.com/cprs-go/cprs/langchain"
)

// conversation is what chains.NewConversation makes of a history and an input.
func conversation(history, input string) string {
	return "The following is a friendly conversation between a human and an AI. The AI is talkative and provides lots of specific details " +
		"from its context. If the AI does not know the answer to a question, it truthfully says it does not know.\n\nCurrent conversation:\n" +
		history + "\nHuman: " + input + "\nAI:"
}

func TestConversation(t *testing.T) {
	ctx := context.Background()
	h := historyOf(chat(20)...)
	llm := &model{answers: []string{"It is 7731."}}
	m := langchain.NewMemory(newCompressor(), langchain.ForConversation(), langchain.WithChatHistory(h), langchain.WithBudget(60), langchain.WithMinScore(0.2))
	answer, err := chains.Run(ctx, chains.NewConversation(llm, m), "Tell me my locker code")
	if err != nil || answer != "It is 7731." {
		t.Fatalf("%q, %v", answer, err)
	}
	want := conversation(`Human: […]
My locker code is 7731.
AI: Noted.
Human: What about topic 18? I wonder.
AI: Topic 18 is dull. Let us go on.
Human: What about topic 19? I wonder.
AI: Topic 19 is dull. Let us go on.`, "Tell me my locker code")
	if got := llm.prompt(0); got != want {
		t.Errorf("the prompt is\n%s\nwant\n%s", got, want)
	}
	all := append(chat(20), llms.HumanChatMessage{Content: "Tell me my locker code"}, llms.AIChatMessage{Content: "It is 7731."})
	if got, _ := h.Messages(ctx); !reflect.DeepEqual(got, all) {
		t.Errorf("the history is %v", got)
	}
}

// TestConversationWithinBudget compares with the buffer of langchaingo, prompt by prompt.
func TestConversationWithinBudget(t *testing.T) {
	ctx := context.Background()
	ours, theirs := &model{answers: []string{"a", "b", "c"}}, &model{answers: []string{"a", "b", "c"}}
	a, b := chains.NewConversation(ours, langchain.NewMemory(newCompressor())), chains.NewConversation(theirs, memory.NewConversationBuffer())
	for i, question := range []string{"one", "two", "three"} {
		if _, err := chains.Run(ctx, a, question); err != nil {
			t.Fatal(err)
		}
		if _, err := chains.Run(ctx, b, question); err != nil {
			t.Fatal(err)
		}
		if ours.prompt(i) != theirs.prompt(i) {
			t.Errorf("the prompt is\n%s\nwant\n%s", ours.prompt(i), theirs.prompt(i))
		}
	}
	out, err := chains.Run(ctx, chains.NewConversation(fake.NewFakeLLM([]string{"hello"}), langchain.NewMemory(newCompressor())), "hi")
	if err != nil || out != "hello" {
		t.Errorf("%q, %v", out, err)
	}
}

// TestTokenBufferLosesHistory shows what a Memory does not do.
func TestTokenBufferLosesHistory(t *testing.T) {
	offline(t, func(string) {}) // its counter downloads a vocabulary, and logs that it cannot
	log.SetOutput(io.Discard)
	defer log.SetOutput(os.Stderr)
	ctx := context.Background()
	theirs, ours := historyOf(chat(20)...), historyOf(chat(20)...)
	for _, m := range []schema.Memory{
		memory.NewConversationTokenBuffer(fake.NewFakeLLM(nil), 60, memory.WithChatHistory(theirs)),
		langchain.NewMemory(newCompressor(), langchain.WithBudget(60), langchain.WithChatHistory(ours)),
	} {
		if err := m.SaveContext(ctx, map[string]any{"input": "a"}, map[string]any{"output": "b"}); err != nil {
			t.Fatal(err)
		}
		if _, err := m.LoadMemoryVariables(ctx, map[string]any{"input": "c"}); err != nil {
			t.Fatal(err)
		}
	}
	lost, _ := theirs.Messages(ctx)
	kept, _ := ours.Messages(ctx)
	if len(lost) >= 42 || len(kept) != 42 {
		t.Errorf("the token buffer keeps %d messages, the memory %d", len(lost), len(kept))
	}
}

// recordingRetriever remembers what it was asked.
type recordingRetriever struct {
	docs    []schema.Document
	queries []string
}

func (r *recordingRetriever) GetRelevantDocuments(_ context.Context, query string) ([]schema.Document, error) {
	r.queries = append(r.queries, query)
	return r.docs, nil
}

func stuffed(text, question string) string {
	return "Use the following pieces of context to answer the question at the end. If you don't know the answer, just say that you don't know, " +
		"don't try to make up an answer.\n\n" + text + "\n\nQuestion: " + question + "\nHelpful Answer:"
}

func TestConversationalRetrievalQA(t *testing.T) {
	ctx := context.Background()
	c := newCompressor()
	base := &recordingRetriever{docs: animals}
	r := langchain.NewContextualCompressionRetriever(langchain.NewDocumentCompressor(c, langchain.WithUnit(core.UnitSentence)), base)
	llm := &model{answers: []string{"Do cats purr?", "Yes."}}
	m := langchain.NewMemory(c, langchain.ForRetrievalQA(), langchain.WithChatHistory(historyOf(chat(20)...)), langchain.WithBudget(60), langchain.WithMinScore(0.2))
	chain := chains.NewConversationalRetrievalQAFromLLM(llm, r, m)
	chain.ReturnSourceDocuments = true // a second output
	out, err := chains.Call(ctx, chain, map[string]any{"question": "Do they purr?"})
	if err != nil {
		t.Fatal(err)
	}
	if out["text"] != "Yes." || len(out["source_documents"].([]schema.Document)) != 2 {
		t.Errorf("outputs %v", out)
	}
	if !strings.Contains(llm.prompt(0), "Human: What about topic 19?") || strings.Contains(llm.prompt(0), "topic 9?") || count(llm.prompt(0)) > 60+60 {
		t.Errorf("the question is condensed with\n%s", llm.prompt(0))
	}
	if want := []string{"Do cats purr?"}; !reflect.DeepEqual(base.queries, want) || c.requests[len(c.requests)-1].Query != want[0] {
		t.Errorf("the retriever was asked %q, the compressor %q", base.queries, c.requests[len(c.requests)-1].Query)
	}
	if want := stuffed("Cats sleep all day. […] Cats purr.\n\nAll cats hunt birds in spring.", "Do cats purr?"); llm.prompt(1) != want {
		t.Errorf("the prompt is\n%s\nwant\n%s", llm.prompt(1), want)
	}
	vars, err := m.LoadMemoryVariables(ctx, map[string]any{"question": ""})
	if err != nil || !strings.HasSuffix(vars["chat_history"].(string), "Human: Do they purr?\nAI: Yes.") {
		t.Errorf("%v, %v", vars, err)
	}
	// Without the preset the two outputs have no single text, as with the memories of langchaingo.
	chain.Memory = memory.NewConversationBuffer(memory.WithMemoryKey("chat_history"))
	if _, err := chains.Call(ctx, chain, map[string]any{"question": "Do they purr?"}); !errors.Is(err, memory.ErrInvalidInputValues) {
		t.Errorf("got %v", err)
	}
}

func TestRetrievalQA(t *testing.T) {
	ctx := context.Background()
	c := newCompressor()
	sentences := langchain.WithUnit(core.UnitSentence)
	question := map[string]any{"query": "Do cats purr?"}
	kept := "[pets.txt]\nCats sleep all day. […] Cats purr.\n\nAll cats hunt birds in spring."
	tests := []struct {
		name  string
		chain func(llm llms.Model) chains.Chain
		want  string
	}{
		{"plain stuffing", func(llm llms.Model) chains.Chain { return chains.NewRetrievalQAFromLLM(llm, found(animals)) },
			strings.Join(contents(animals), "\n\n")},
		{"a compressing retriever", func(llm llms.Model) chains.Chain {
			d := langchain.NewDocumentCompressor(c, sentences, langchain.WithSourceLabel(true))
			return chains.NewRetrievalQAFromLLM(llm, langchain.NewContextualCompressionRetriever(d, found(animals)))
		}, kept},
		{"a compressing chain", func(llm llms.Model) chains.Chain {
			next := chains.NewLLMChain(llm, prompts.NewPromptTemplate(stuffed("{{.context}}", "{{.question}}"), []string{"context", "question"}))
			return chains.NewRetrievalQA(langchain.NewCompressChain(c, sentences, langchain.WithSourceLabel(true), langchain.WithLLMChain(next)), found(animals))
		}, kept},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			llm := &model{answers: []string{"Yes."}}
			out, err := chains.Call(ctx, tt.chain(llm), question)
			if err != nil || out["text"] != "Yes." {
				t.Fatalf("%v, %v", out, err)
			}
			if want := stuffed(tt.want, "Do cats purr?"); llm.prompt(0) != want {
				t.Errorf("the prompt is\n%s\nwant\n%s", llm.prompt(0), want)
			}
		})
	}
}

func TestCompressChain(t *testing.T) {
	ctx := context.Background()
	chain := langchain.NewCompressChain(newCompressor(), langchain.WithUnit(core.UnitSentence), langchain.WithBudget(8))
	llm := &model{}
	next := chains.NewLLMChain(llm, prompts.NewPromptTemplate("{{.context}}?", []string{"context"}))
	sequence, err := chains.NewSequentialChain([]chains.Chain{chain, next}, []string{"input_documents", "question"}, []string{"text"})
	if err != nil {
		t.Fatal(err)
	}
	inputs := map[string]any{"input_documents": animals, "question": "cats purr"}
	if out, err := chains.Call(ctx, sequence, inputs); err != nil || out["text"] != "ok" || llm.prompt(0) != "Cats purr.?" {
		t.Errorf("%v, %v, prompt %q", out, err, llm.prompt(0))
	}
	for name, inputs := range map[string]map[string]any{
		"no documents":       {"question": "cats"},
		"other documents":    {"question": "cats", "input_documents": "cats"},
		"no question":        {"input_documents": animals},
		"question of a kind": {"input_documents": animals, "question": 3},
	} {
		if _, err := chains.Call(ctx, chain, inputs); !errors.Is(err, chains.ErrInvalidInputValues) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := chains.Call(ctx, langchain.NewCompressChain(broken()), inputs); !errors.Is(err, errBroken) {
		t.Errorf("got %v", err)
	}
}

// TestFlattenedPrompt: an LLMChain writes all into the last message of a human, which a wrapped model does not touch.
func TestFlattenedPrompt(t *testing.T) {
	c, llm := newCompressor(), &model{}
	chain := chains.NewLLMChain(langchain.WrapModel(llm, c, langchain.WithTrigger(10)), prompts.NewPromptTemplate("{{.text}}", []string{"text"}))
	text := strings.Repeat("Cats sleep. Dogs bark. ", 100)
	ctx := langchain.ContextWithQuery(context.Background(), "cats")
	if _, err := chains.Run(ctx, chain, text); err != nil || llm.prompt(0) != text || len(c.requests) > 0 {
		t.Errorf("%v, %d requests", err, len(c.requests))
	}
}

func TestExecutorTakesStringsOnly(t *testing.T) {
	ctx := context.Background()
	for _, asMessages := range []bool{false, true} {
		llm := &model{answers: []string{"Thought: Do I need to use a tool? No\nAI: It is 7731."}}
		m := langchain.NewMemory(newCompressor(), langchain.ForAgent(), langchain.WithChatHistory(historyOf(chat(20)...)), langchain.WithBudget(60),
			langchain.WithMinScore(0.2), langchain.WithReturnMessages(asMessages))
		e := agents.NewExecutor(agents.NewConversationalAgent(llm, nil), agents.WithMemory(m))
		out, err := chains.Run(ctx, e, "Tell me my locker code")
		if asMessages {
			if !errors.Is(err, agents.ErrExecutorInputNotString) {
				t.Errorf("messages give %v", err)
			}
			continue
		}
		if err != nil || strings.TrimSpace(out) != "It is 7731." {
			t.Fatalf("%q, %v", out, err)
		}
		if want := "Previous conversation history:\nHuman: […]\nMy locker code is 7731.\nAI: Noted.\nHuman: What about topic 18?"; !strings.Contains(llm.prompt(0), want) {
			t.Errorf("the prompt is\n%s", llm.prompt(0))
		}
		if got := load(t, m, ""); !strings.HasSuffix(got, "Human: Tell me my locker code\nAI:  It is 7731.") {
			t.Errorf("saved\n%s", got)
		}
	}
}

// noNetwork tells of every request and fails it.
type noNetwork func(host string)

func (n noNetwork) RoundTrip(r *http.Request) (*http.Response, error) {
	n(r.URL.Host)
	return nil, errors.New("there is no network")
}

// offline cuts the network off for a test.
func offline(t *testing.T, tell noNetwork) {
	before := http.DefaultTransport
	http.DefaultTransport = tell
	t.Cleanup(func() { http.DefaultTransport = before })
}

func TestCountingIsOffline(t *testing.T) {
	offline(t, func(host string) { t.Errorf("a request to %s", host) })
	for _, c := range []core.Compressor{newCompressor(), newCompressor().Pipeline} { // with and without a tokenizer
		load(t, langchain.NewMemory(c, langchain.WithChatHistory(historyOf(chat(20)...)), langchain.WithBudget(60)), "locker")
		if _, err := langchain.WrapModel(&model{}, c, langchain.WithTrigger(100)).GenerateContent(context.Background(), dialogue()); err != nil {
			t.Error(err)
		}
	}
}
