// Command langchain-memory holds a long chat with a memory of langchaingo and with one that keeps what the question asks for.
//
//	go run ./examples/langchain-memory
//
// It needs no account: without OPENAI_API_KEY it shows the last prompts only.
package main

import (
	"context"
	"fmt"
	"io"
	"log"
	"os"

	"github.com/tmc/langchaingo/chains"
	"github.com/tmc/langchaingo/llms"
	"github.com/tmc/langchaingo/llms/fake"
	"github.com/tmc/langchaingo/llms/openai"
	"github.com/tmc/langchaingo/memory"
	"github.com/tmc/langchaingo/schema"

	"github.com/cprs-go/cprs/core/engine"
	"github.com/cprs-go/cprs/core/tokenizer"
	"github.com/cprs-go/cprs/langchain"
)

func main() {
	if err := run(os.Stdout); err != nil {
		log.Fatal(err)
	}
}

func run(w io.Writer) error {
	ctx := context.Background()
	cprs, err := engine.Open(ctx, nil) // the embedded critic: no download, no GPU
	if err != nil {
		return err
	}
	defer cprs.Close()
	llm, err := model()
	if err != nil {
		return err
	}
	trimmed := langchain.NewMemory(cprs, langchain.ForConversation(), langchain.WithChatHistory(chat()), langchain.WithBudget(150),
		langchain.WithOnTrim(func(e langchain.TrimEvent) {
			fmt.Fprintf(w, "(%d of %d turns kept: %d of %d tokens)\n\n", e.KeptTurns, e.Turns, e.TokensOut, e.TokensIn)
		}))
	for _, way := range []struct {
		name   string
		memory schema.Memory
	}{
		{"memory.ConversationBuffer", memory.NewConversationBuffer(memory.WithChatHistory(chat()))},
		{"langchain.Memory", trimmed},
	} {
		fmt.Fprintf(w, "=== %s\n\n", way.name)
		seen := &recorder{Model: llm}
		answer, err := chains.Run(ctx, chains.NewConversation(seen, way.memory), "What is the code of the garage door?")
		if err != nil {
			return err
		}
		fmt.Fprintf(w, "%s %s\n\nprompt: %d tokens\n\n", seen.prompt, answer, tokenizer.Count(cprs.Tokenizer(), seen.prompt))
	}
	return nil
}

// chat is a history in which the code was said long ago.
func chat() schema.ChatMessageHistory {
	talk := [][2]string{
		{"What goes well with roast pumpkin?", "Sage butter and a few walnuts. A little orange zest lifts it."},
		{"How often should I water a fern?", "When the top of the soil feels dry, about twice a week in summer."},
		{"Tell me something about otters.", "They hold hands while they sleep, so that they do not drift apart."},
		{"Is it worth repairing a kettle?", "If only the switch is broken, yes. A leaking one is better replaced."},
		{"Name a film for a rainy evening.", "Try an old comedy. Something with a train in it."},
	}
	var messages []llms.ChatMessage
	add := func(human, ai string) {
		messages = append(messages, llms.HumanChatMessage{Content: human}, llms.AIChatMessage{Content: ai})
	}
	for i := range 60 {
		if i == 7 {
			add("We moved in today. The code of the garage door is 4096, and the meter stood at 1180.", "Congratulations! I will keep both in mind.")
		}
		add(talk[i%len(talk)][0], talk[i%len(talk)][1])
	}
	return memory.NewChatMessageHistory(memory.WithPreviousMessages(messages))
}

// model is OpenAI's if there is a key, else one that has nothing to say.
func model() (llms.Model, error) {
	if os.Getenv("OPENAI_API_KEY") != "" {
		return openai.New()
	}
	return fake.NewFakeLLM([]string{"(set OPENAI_API_KEY for an answer)"}), nil
}

// recorder remembers the last prompt.
type recorder struct {
	llms.Model
	prompt string
}

func (r *recorder) GenerateContent(ctx context.Context, messages []llms.MessageContent, options ...llms.CallOption) (*llms.ContentResponse, error) {
	r.prompt = fmt.Sprint(messages[0].Parts[0])
	return r.Model.GenerateContent(ctx, messages, options...)
}
