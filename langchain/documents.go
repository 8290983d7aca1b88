package langchain

import (
	"context"
	"maps"

	"github.com/tmc/langchaingo/callbacks"
	"github.com/tmc/langchaingo/schema"

	"github.com/cprs-go/cprs/core"
)

// DocumentCompressor makes of documents what a query needs of them: it shortens, drops or orders them. It never modifies docs
// or their metadata.
type DocumentCompressor interface {
	CompressDocuments(ctx context.Context, docs []schema.Document, query string) ([]schema.Document, error)
}

// CompressorFunc is a function that is a DocumentCompressor.
type CompressorFunc func(ctx context.Context, docs []schema.Document, query string) ([]schema.Document, error)

// CompressDocuments calls f.
func (f CompressorFunc) CompressDocuments(ctx context.Context, docs []schema.Document, query string) ([]schema.Document, error) {
	return f(ctx, docs, query)
}

// The keys of metadata that this package adds to documents.
const (
	MetaSpans     = "compression.spans"      // []core.Span: what was kept of the former PageContent; Doc counts the input
	MetaTokensIn  = "compression.tokens_in"  // int: of the former PageContent
	MetaTokensOut = "compression.tokens_out" // int: of the kept spans
	MetaStatus    = "compression.status"     // string, of the core.Status of the whole call
	MetaScore     = "compression.score"      // float32 in [0,1]: by the reranker
)

// Compressor is a DocumentCompressor that keeps the parts of documents that the query asks for.
type Compressor struct{ s settings }

var (
	_ DocumentCompressor     = (*Compressor)(nil)
	_ TokenCounter           = (*Compressor)(nil)
	_ callbacks.HandlerHaver = (*Compressor)(nil)
)

// NewDocumentCompressor makes a compressor of documents. All documents of a call share one budget; without one, the critic's
// own threshold decides. Parts are kept word for word, in order, with […] where something is left out between them. Documents of
// which nothing is kept are dropped. Score and metadata stay, with what was kept added to the metadata.
func NewDocumentCompressor(c core.Compressor, opts ...CompressorOption) *Compressor {
	return &Compressor{newSettings(c, settings{sourceKey: "source"}, opts)}
}

// WithRatio bounds what is kept by a share of the tokens of all documents, in (0,1], in place of WithBudget.
func WithRatio(share float64) DocumentOption {
	return option(func(s *settings) { s.budget.Ratio = share })
}

// WithDropEmpty says whether documents of which nothing is kept are dropped. The default is true; else they stay, with empty
// PageContent.
func WithDropEmpty(drop bool) DocumentOption {
	return option(func(s *settings) { s.keepEmpty = !drop })
}

// WithSourceKey names the metadata that says where a document comes from. The default is "source".
func WithSourceKey(key string) DocumentOption { return option(func(s *settings) { s.sourceKey = key }) }

// WithSourceLabel says whether PageContent begins with a line that names the source, [report.pdf]: chains that stuff documents
// into a prompt lose the metadata. The label does not count towards the budget. The default is false.
func WithSourceLabel(label bool) DocumentOption {
	return option(func(s *settings) { s.sourceLabel = label })
}

// WithSentenceWindow also keeps n sentences before and after each kept part, inside the same budget. The default is 0.
func WithSentenceWindow(n int) DocumentOption {
	return option(func(s *settings) { s.sentenceWindow = n })
}

// CountTokens counts as the compressor does.
func (c *Compressor) CountTokens(text string) int { return c.s.counter.CountTokens(text) }

// GetCallbackHandler is the handler of WithCallbacks.
func (c *Compressor) GetCallbackHandler() callbacks.Handler { return c.s.callbacks }

// CompressDocuments keeps of docs what query asks for.
func (c *Compressor) CompressDocuments(ctx context.Context, docs []schema.Document, query string) ([]schema.Document, error) {
	if len(docs) == 0 {
		return nil, ctx.Err()
	}
	req := core.Request{Documents: c.s.documents(docs), Budget: c.s.budget}
	res, err := c.s.compress(ctx, "documents", query, req)
	if err != nil {
		return nil, err
	}
	parts := byDocument(res.Spans, len(docs))
	if c.s.sentenceWindow > 0 && res.Status != core.PassedThrough {
		if parts, err = c.windows(ctx, docs, query, req, parts); err != nil {
			return nil, err
		}
	}
	return c.results(docs, parts, res), nil
}

// documents are docs as the core takes them.
func (s *settings) documents(docs []schema.Document) []core.Document {
	out := make([]core.Document, len(docs))
	for i, d := range docs {
		out[i].Text = d.PageContent
		out[i].ID, _ = d.Metadata[s.sourceKey].(string)
		out[i].Title, _ = d.Metadata["title"].(string)
	}
	return out
}

// results are the documents with what was kept of them.
func (c *Compressor) results(docs []schema.Document, parts [][]core.Span, res *core.Result) []schema.Document {
	out := make([]schema.Document, 0, len(docs))
	for i, d := range docs {
		if len(parts[i]) == 0 && !c.s.keepEmpty {
			continue
		}
		source, _ := d.Metadata[c.s.sourceKey].(string)
		out = append(out, schema.Document{PageContent: excerpt(d.PageContent, parts[i]), Score: d.Score, Metadata: with(d.Metadata, map[string]any{
			MetaSpans: parts[i], MetaTokensIn: res.Documents[i].Tokens, MetaTokensOut: c.tokens(d.PageContent, parts[i]), MetaStatus: res.Status.String(),
		})})
		if kept := &out[len(out)-1]; c.s.sourceLabel && source != "" && kept.PageContent != "" {
			kept.PageContent = "[" + source + "]\n" + kept.PageContent
		}
	}
	return out
}

func (c *Compressor) tokens(text string, parts []core.Span) int {
	n := 0
	for _, p := range parts {
		n += c.s.counter.CountTokens(text[p.Start:p.End])
	}
	return n
}

// with is a copy of metadata with more keys.
func with(metadata, more map[string]any) map[string]any {
	out := make(map[string]any, len(metadata)+len(more))
	maps.Copy(out, metadata)
	maps.Copy(out, more)
	return out
}

// windowTries is how often a smaller budget is tried for the parts, so that they fit into the whole with their neighbours.
const windowTries = 4

// windows widens the kept parts by their neighbours. Under a budget the parts get a share of it, so that there is room; if
// nothing fits, they stay as they are.
func (c *Compressor) windows(ctx context.Context, docs []schema.Document, query string, req core.Request, parts [][]core.Span) ([][]core.Span, error) {
	limit := c.limit(docs)
	if limit == 0 {
		return c.widened(docs, parts), nil
	}
	req.Budget.Ratio, req.Budget.MaxTokens = 0, limit/(2*c.s.sentenceWindow+1)
	for range windowTries {
		if req.Budget.MaxTokens < 1 {
			break
		}
		res, err := c.s.compress(ctx, "documents", query, req)
		if err != nil {
			return nil, err
		}
		wide := c.widened(docs, byDocument(res.Spans, len(docs)))
		n := 0
		for i, d := range docs {
			n += c.s.counter.CountTokens(excerpt(d.PageContent, wide[i]))
		}
		if n <= limit {
			return wide, nil
		}
		req.Budget.MaxTokens = req.Budget.MaxTokens * limit / (n + 1)
	}
	return parts, nil
}

// limit is the budget in tokens; 0: none.
func (c *Compressor) limit(docs []schema.Document) int {
	if c.s.budget.Ratio == 0 {
		return c.s.budget.MaxTokens
	}
	n := 0
	for _, d := range docs {
		n += c.s.counter.CountTokens(d.PageContent)
	}
	return max(1, int(c.s.budget.Ratio*float64(n)))
}

func (c *Compressor) widened(docs []schema.Document, parts [][]core.Span) [][]core.Span {
	out := make([][]core.Span, len(parts))
	for i, d := range docs {
		out[i] = widen(d.PageContent, parts[i], c.s.sentenceWindow)
	}
	return out
}
