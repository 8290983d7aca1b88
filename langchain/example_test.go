package langchain_test

import (
	"context"
	"fmt"
	"log"
	"strings"

	"github.com/tmc/langchaingo/chains"
	"github.com/tmc/langchaingo/llms"
	"github.com/tmc/langchaingo/llms/fake"
	"github.com/tmc/langchaingo/prompts"
	"github.com/tmc/langchaingo/schema"

	"github.com/cprs-go/cprs/core/engine"
	"github.com/cprs-go/cprs/langchain"
	"github.com/cprs-go/cprs/tools"
)

// lease is what the examples read.
var lease = []schema.Document{
	{PageContent: "The lease begins on 1 May 2021. The rent is 900 euros, due on the first day of each month. " +
		"Either party may terminate the lease with ninety days of written notice.", Metadata: map[string]any{"source": "lease.txt"}},
	{PageContent: "The garden is shared by all tenants. Bicycles belong in the cellar, not in the hall.", Metadata: map[string]any{"source": "rules.txt"}},
}

const question = "How many days of notice must a party give to terminate the lease?"

// critic opens the embedded critic, once: it needs no file, no download and no GPU.
func critic() *engine.Engine {
	e, err := engine.Open(context.Background(), nil)
	if err != nil {
		log.Fatal(err)
	}
	return e
}

// yourModel stands for a model such as openai.New gives. This one needs no account and shows its prompt.
type yourModel struct{ *fake.LLM }

func newModel() llms.Model { return yourModel{fake.NewFakeLLM([]string{"Ninety days."})} }

func (m yourModel) GenerateContent(ctx context.Context, messages []llms.MessageContent, options ...llms.CallOption) (*llms.ContentResponse, error) {
	for _, msg := range messages {
		for _, p := range msg.Parts {
			switch p := p.(type) {
			case llms.TextContent:
				fmt.Printf("%s: %s\n", msg.Role, p.Text)
			case llms.ToolCallResponse:
				fmt.Printf("%s: %s\n", msg.Role, p.Content)
			}
		}
	}
	return m.LLM.GenerateContent(ctx, messages, options...)
}

// retriever stands for that of a vector store, such as vectorstores.ToRetriever gives.
type retriever []schema.Document

func (r retriever) GetRelevantDocuments(context.Context, string) ([]schema.Document, error) {
	return r, nil
}

// A question is answered from no more of the found documents than it asks for.
func Example() {
	ctx := context.Background()
	cprs, err := engine.Open(ctx, nil) // the embedded critic: no download, no GPU
	if err != nil {
		log.Fatal(err)
	}
	defer cprs.Close()

	compressor := langchain.NewDocumentCompressor(cprs, langchain.WithBudget(20))
	r := langchain.NewContextualCompressionRetriever(compressor, retriever(lease)) // around the retriever that you have
	answer, err := chains.Run(ctx, chains.NewRetrievalQAFromLLM(newModel(), r), question)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(answer)
	// Output:
	// human: Use the following pieces of context to answer the question at the end. If you don't know the answer, just say that you don't know, don't try to make up an answer.
	//
	// Either party may terminate the lease with ninety days of written notice.
	//
	// Question: How many days of notice must a party give to terminate the lease?
	// Helpful Answer:
	// Ninety days.
}

func ExampleNewDocumentCompressor() {
	c := langchain.NewDocumentCompressor(critic(), langchain.WithBudget(20), langchain.WithSourceLabel(true))
	docs, err := c.CompressDocuments(context.Background(), lease, question)
	if err != nil {
		log.Fatal(err)
	}
	for _, d := range docs {
		fmt.Println(d.PageContent)
		fmt.Println(d.Metadata[langchain.MetaTokensOut], "of", d.Metadata[langchain.MetaTokensIn], "tokens")
	}
	// Output:
	// [lease.txt]
	// Either party may terminate the lease with ninety days of written notice.
	// 13 of 36 tokens
}

func ExampleNewCompressorPipeline() {
	p := langchain.NewCompressorPipeline(
		langchain.NewRedundantFilter(0),
		langchain.NewReranker(critic(), 1),
		langchain.CompressorFunc(func(_ context.Context, docs []schema.Document, _ string) ([]schema.Document, error) {
			fmt.Println(len(docs), "left") // a stage of your own
			return docs, nil
		}),
		langchain.NewDocumentCompressor(critic(), langchain.WithBudget(20)),
	)
	docs, err := p.CompressDocuments(context.Background(), append(lease, lease[0]), question)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(docs[0].PageContent)
	// Output:
	// 1 left
	// Either party may terminate the lease with ninety days of written notice.
}

func ExampleNewContextualCompressionRetriever() {
	r := langchain.NewContextualCompressionRetriever(langchain.NewDocumentCompressor(critic(), langchain.WithBudget(20)), retriever(lease))
	docs, err := r.GetRelevantDocuments(context.Background(), question)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(docs[0].PageContent)
	// Output:
	// Either party may terminate the lease with ninety days of written notice.
}

func ExampleNewRelevanceFilter() {
	docs, err := langchain.NewRelevanceFilter(critic()).CompressDocuments(context.Background(), lease, question)
	if err != nil {
		log.Fatal(err)
	}
	for _, d := range docs {
		fmt.Println(d.Metadata["source"])
	}
	// Output:
	// lease.txt
}

func ExampleNewReranker() {
	docs, err := langchain.NewReranker(critic(), 0).CompressDocuments(context.Background(), lease, "Where do I put my bike?")
	if err != nil {
		log.Fatal(err)
	}
	for _, d := range docs {
		fmt.Println(d.Metadata["source"])
	}
	// Output:
	// rules.txt
	// lease.txt
}

func ExampleNewRedundantFilter() {
	docs, err := langchain.NewRedundantFilter(0.8).CompressDocuments(context.Background(), append(lease, lease[1]), "")
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(len(docs))
	// Output:
	// 2
}

func ExampleNewLongContextReorder() {
	var docs []schema.Document
	for _, rank := range []string{"1st", "2nd", "3rd", "4th", "5th"} {
		docs = append(docs, schema.Document{PageContent: rank})
	}
	docs, err := langchain.NewLongContextReorder().CompressDocuments(context.Background(), docs, "")
	if err != nil {
		log.Fatal(err)
	}
	for _, d := range docs {
		fmt.Print(d.PageContent, " ")
	}
	// Output:
	// 1st 3rd 5th 4th 2nd
}

func ExampleNewMemory() {
	ctx := context.Background()
	m := langchain.NewMemory(critic(), langchain.ForConversation(), langchain.WithBudget(60), langchain.WithKeepLastTurns(1))
	for _, turn := range [][2]string{
		{"Our dentist is Dr. Moreau in Rue Verte.", "I will remember the dentist."},
		{"What is a good soup for cold days?", "Leek and potato. Let it simmer for half an hour."},
		{"And to drink?", "Tea with ginger and a little honey goes well with it."},
		{"Thanks! Is it going to rain?", "I cannot see the weather."},
	} {
		if err := m.SaveContext(ctx, map[string]any{"input": turn[0]}, map[string]any{"text": turn[1]}); err != nil {
			log.Fatal(err)
		}
	}
	vars, err := m.LoadMemoryVariables(ctx, map[string]any{"input": "Who is our dentist?"})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(strings.Contains(vars["history"].(string), "Dr. Moreau"), strings.Contains(vars["history"].(string), "rain"))
	// Output:
	// true true
}

func ExampleWrapModel() {
	m := langchain.WrapModel(newModel(), critic(), langchain.WithTrigger(50), langchain.WithBudget(20))
	page := lease[1].PageContent + " Either party may terminate the lease with ninety days of written notice. " +
		"Pets need the landlord's consent. The cellar is locked at night. Waste is collected on Tuesdays. The roof was mended two years ago. Children may play in the yard."
	_, err := m.GenerateContent(context.Background(), []llms.MessageContent{
		llms.TextParts(llms.ChatMessageTypeHuman, "Please read the lease."),
		{Role: llms.ChatMessageTypeTool, Parts: []llms.ContentPart{llms.ToolCallResponse{ToolCallID: "1", Name: "read", Content: page}}},
		llms.TextParts(llms.ChatMessageTypeHuman, question),
	})
	if err != nil {
		log.Fatal(err)
	}
	// Output:
	// human: Please read the lease.
	// tool: Either party may terminate the lease with ninety days of written notice.
	// human: How many days of notice must a party give to terminate the lease?
}

// search stands for a tool with long observations.
type search struct{}

func (search) Name() string        { return "search" }
func (search) Description() string { return "searches the house's papers" }
func (search) Call(context.Context, string) (string, error) {
	return strings.Repeat(lease[1].PageContent+"\n", 20) + lease[0].PageContent, nil
}

func ExampleWrapTool() {
	t := langchain.WrapTool(search{}, critic(), langchain.WithBudget(64))
	ctx := langchain.ContextWithQuery(context.Background(), question)
	observation, err := t.Call(ctx, "notice period")
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(strings.Contains(observation, "ninety days of written notice"))
	fmt.Println(observation[strings.LastIndex(observation, "["):])
	// Output:
	// true
	// [shortened to what matters: 36 of 416 tokens; call search with a narrower input for more]
}

func ExampleNewCompressChain() {
	model := newModel()
	answer := chains.NewLLMChain(model, prompts.NewPromptTemplate("{{.context}}\n{{.question}}\n", []string{"context", "question"}))
	qa := chains.NewRetrievalQA(langchain.NewCompressChain(critic(), langchain.WithBudget(20), langchain.WithLLMChain(answer)), retriever(lease))
	out, err := chains.Run(context.Background(), qa, question)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(out)
	// Output:
	// human: Either party may terminate the lease with ninety days of written notice.
	// How many days of notice must a party give to terminate the lease?
	//
	// Ninety days.
}

func ExampleAgentTools() {
	set, err := tools.New(critic(), nil)
	if err != nil {
		log.Fatal(err)
	}
	defer set.Close()
	for _, t := range langchain.AgentTools(set) { // for agents.NewOneShotAgent, agents.NewConversationalAgent …
		fmt.Println(t.Name())
	}
	// Output:
	// compress_context
	// expand_context
}

func ExampleDefinitions() {
	set, err := tools.New(critic(), nil)
	if err != nil {
		log.Fatal(err)
	}
	defer set.Close()
	for _, t := range langchain.Definitions(set) { // for llms.WithTools
		fmt.Println(t.Type, t.Function.Name)
	}
	// Output:
	// function compress_context
	// function expand_context
}
