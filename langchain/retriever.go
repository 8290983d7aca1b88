package langchain

import (
	"context"
	"fmt"

	"github.com/tmc/langchaingo/callbacks"
	"github.com/tmc/langchaingo/schema"
)

// ContextualCompressionRetriever is a schema.Retriever that compresses what another one finds, with the same query.
type ContextualCompressionRetriever struct {
	BaseCompressor   DocumentCompressor
	BaseRetriever    schema.Retriever
	CallbacksHandler callbacks.Handler

	// FailOpen gives the documents as they were found where the compressor fails; the handler is told. Else that is an error.
	FailOpen bool
}

var _ schema.Retriever = (*ContextualCompressionRetriever)(nil)

// NewContextualCompressionRetriever makes a retriever that finds with r and compresses with base.
func NewContextualCompressionRetriever(base DocumentCompressor, r schema.Retriever, opts ...RetrieverOption) *ContextualCompressionRetriever {
	s := newSettings(nil, settings{}, opts)
	return &ContextualCompressionRetriever{BaseCompressor: base, BaseRetriever: r, CallbacksHandler: s.callbacks, FailOpen: s.failOpen}
}

// WithFailOpen sets FailOpen of a ContextualCompressionRetriever.
func WithFailOpen() RetrieverOption { return option(func(s *settings) { s.failOpen = true }) }

// GetRelevantDocuments finds documents and keeps of them what query asks for.
func (r *ContextualCompressionRetriever) GetRelevantDocuments(ctx context.Context, query string) ([]schema.Document, error) {
	if r.CallbacksHandler != nil {
		r.CallbacksHandler.HandleRetrieverStart(ctx, query)
	}
	docs, err := r.BaseRetriever.GetRelevantDocuments(ctx, query)
	if err != nil {
		return nil, err
	}
	out, err := r.BaseCompressor.CompressDocuments(ctx, docs, query)
	if err != nil {
		err = fmt.Errorf("compressing what the retriever found: %w", err)
		if r.CallbacksHandler != nil {
			r.CallbacksHandler.HandleChainError(ctx, err)
		}
		if !r.FailOpen || ctx.Err() != nil {
			return nil, err
		}
		out = docs
	}
	if r.CallbacksHandler != nil {
		r.CallbacksHandler.HandleRetrieverEnd(ctx, query, out)
	}
	return out, nil
}
