// Command langchain-rag answers a question on a contract from what a retriever finds: first with all of it in the prompt, then with what
// the question asks for.
//
//	go run ./examples/langchain-rag [QUESTION]
//
// It needs no account: without OPENAI_API_KEY it shows the prompts only.
package main

import (
	"context"
	"fmt"
	"io"
	"log"
	"os"
	"path/filepath"
	"strings"

	"github.com/tmc/langchaingo/chains"
	"github.com/tmc/langchaingo/llms"
	"github.com/tmc/langchaingo/llms/fake"
	"github.com/tmc/langchaingo/llms/openai"
	"github.com/tmc/langchaingo/schema"
	"github.com/tmc/langchaingo/textsplitter"

	"github.com/cprs-go/cprs/core/engine"
	"github.com/cprs-go/cprs/core/tokenizer"
	"github.com/cprs-go/cprs/langchain"
)

func main() {
	question := "For how many months does the agreement remain in effect?"
	if len(os.Args) > 1 {
		question = strings.Join(os.Args[1:], " ")
	}
	if err := run(os.Stdout, filepath.Join("examples", "documents", "distributor-agreement.txt"), question); err != nil {
		log.Fatal(err)
	}
}

func run(w io.Writer, file, question string) error {
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
	passages, err := split(file)
	if err != nil {
		return err
	}
	found := keywords{passages, 8} // or the retriever of a vector store

	compressor := langchain.NewDocumentCompressor(cprs, langchain.WithBudget(300))
	for _, way := range []struct {
		name      string
		retriever schema.Retriever
	}{
		{"all that was found", found},
		{"what the question asks for", langchain.NewContextualCompressionRetriever(compressor, found)},
	} {
		seen := &recorder{Model: llm}
		answer, err := chains.Run(ctx, chains.NewRetrievalQAFromLLM(seen, way.retriever), question)
		if err != nil {
			return err
		}
		fmt.Fprintf(w, "=== %s: %d tokens\n\n%s %s\n\n", way.name, tokenizer.Count(cprs.Tokenizer(), seen.prompt), seen.prompt, answer)
	}
	return nil
}

// split cuts a file into passages.
func split(file string) ([]schema.Document, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	cut := textsplitter.NewRecursiveCharacter(textsplitter.WithChunkSize(1200), textsplitter.WithChunkOverlap(0))
	return textsplitter.CreateDocuments(cut, []string{string(text)}, []map[string]any{{"source": filepath.Base(file)}})
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
