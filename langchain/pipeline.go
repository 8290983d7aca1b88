package langchain

import (
	"context"
	"fmt"
	"time"

	"github.com/tmc/langchaingo/callbacks"
	"github.com/tmc/langchaingo/schema"
)

// CompressorPipeline is a DocumentCompressor that sends documents through stages, one after the other.
type CompressorPipeline struct {
	Stages []DocumentCompressor

	// CallbacksHandler is told of each stage as of a chain: documents and tokens in and out, and the time.
	CallbacksHandler callbacks.Handler
	// TokenCounter counts for the handler. The default is the first stage that is a TokenCounter.
	TokenCounter TokenCounter
}

var _ DocumentCompressor = (*CompressorPipeline)(nil)

// NewCompressorPipeline makes a pipeline of stages.
func NewCompressorPipeline(stages ...DocumentCompressor) *CompressorPipeline {
	return &CompressorPipeline{Stages: stages}
}

// CompressDocuments sends docs through the stages. It ends early where a stage leaves none.
func (p *CompressorPipeline) CompressDocuments(ctx context.Context, docs []schema.Document, query string) ([]schema.Document, error) {
	count := p.counter()
	for i, stage := range p.Stages {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		if len(docs) == 0 {
			break
		}
		name, began := fmt.Sprintf("stage %d of %d", i+1, len(p.Stages)), time.Now()
		if p.CallbacksHandler != nil {
			p.CallbacksHandler.HandleChainStart(ctx, map[string]any{KeyComponent: name, KeyDocuments: len(docs), KeyTokensIn: tokensOf(count, docs)})
		}
		out, err := stage.CompressDocuments(ctx, docs, query)
		if err != nil {
			err = fmt.Errorf("running %s: %w", name, err)
			if p.CallbacksHandler != nil {
				p.CallbacksHandler.HandleChainError(ctx, err)
			}
			return nil, err
		}
		if p.CallbacksHandler != nil {
			p.CallbacksHandler.HandleChainEnd(ctx, map[string]any{
				KeyComponent: name, KeyDocuments: len(out), KeyTokensIn: tokensOf(count, docs), KeyTokensOut: tokensOf(count, out), KeyElapsed: time.Since(began),
			})
		}
		docs = out
	}
	return docs, nil
}

func (p *CompressorPipeline) counter() TokenCounter {
	if p.TokenCounter != nil {
		return p.TokenCounter
	}
	for _, s := range p.Stages {
		if c, ok := s.(TokenCounter); ok {
			return c
		}
	}
	return byteCounter{}
}

func tokensOf(c TokenCounter, docs []schema.Document) int {
	n := 0
	for _, d := range docs {
		n += c.CountTokens(d.PageContent)
	}
	return n
}
