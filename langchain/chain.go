package langchain

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/tmc/langchaingo/chains"
	"github.com/tmc/langchaingo/memory"
	"github.com/tmc/langchaingo/schema"

	"github.com/cprs-go/cprs/core"
)

// The keys of a chain of NewCompressChain, which are those of chains.StuffDocuments and of the chains that call it.
const (
	inputDocuments = "input_documents"
	inputQuestion  = "question"
	outputContext  = "context"
)

// WithLLMChain has the chain of NewCompressChain go on to c, with the context and all other inputs, and give its outputs.
func WithLLMChain(c chains.Chain) ChainOption { return option(func(s *settings) { s.llmChain = c }) }

// NewCompressChain makes a chain from input_documents, a []schema.Document, and question to context: what the question
// asks for of the documents, as NewDocumentCompressor keeps it, joined by blank lines. With WithLLMChain it takes the place of
// chains.NewStuffDocuments in chains.NewRetrievalQA and chains.NewConversationalRetrievalQA.
func NewCompressChain(c core.Compressor, opts ...ChainOption) chains.Chain {
	s := newSettings(c, settings{sourceKey: "source"}, opts)
	return &compressChain{documents: &Compressor{s}, next: s.llmChain}
}

type compressChain struct {
	documents *Compressor
	next      chains.Chain // or nil
}

// Call implements chains.Chain.
func (c *compressChain) Call(ctx context.Context, values map[string]any, options ...chains.ChainCallOption) (map[string]any, error) {
	docs, ok := values[inputDocuments].([]schema.Document)
	if !ok {
		return nil, fmt.Errorf("%w: %s: %w", chains.ErrInvalidInputValues, inputDocuments, chains.ErrInputValuesWrongType)
	}
	question, ok := values[inputQuestion].(string)
	if !ok {
		return nil, fmt.Errorf("%w: %s: %w", chains.ErrInvalidInputValues, inputQuestion, chains.ErrInputValuesWrongType)
	}
	kept, err := c.documents.CompressDocuments(ctx, docs, question)
	if err != nil {
		return nil, err
	}
	texts := make([]string, len(kept))
	for i, d := range kept {
		texts[i] = d.PageContent
	}
	text := strings.Join(texts, "\n\n")
	if c.next == nil {
		return map[string]any{outputContext: text}, nil
	}
	inputs := maps.Clone(values)
	inputs[outputContext] = text
	return chains.Call(ctx, c.next, inputs, options...)
}

// GetMemory implements chains.Chain.
func (c *compressChain) GetMemory() schema.Memory { return memory.NewSimple() }

// GetInputKeys implements chains.Chain.
func (c *compressChain) GetInputKeys() []string { return []string{inputDocuments, inputQuestion} }

// GetOutputKeys implements chains.Chain.
func (c *compressChain) GetOutputKeys() []string {
	if c.next == nil {
		return []string{outputContext}
	}
	return slices.Clone(c.next.GetOutputKeys())
}
