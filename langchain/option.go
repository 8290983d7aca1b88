package langchain

import (
	"context"
	"errors"
	"fmt"

	"github.com/tmc/langchaingo/callbacks"
	"github.com/tmc/langchaingo/chains"
	"github.com/tmc/langchaingo/llms"

	"github.com/cprs-go/cprs/core"
	"github.com/cprs-go/cprs/core/tokenizer"
)

// The options of each constructor. An option that fits several constructors has all their types.
type (
	// CompressorOption is an option of NewDocumentCompressor.
	CompressorOption interface {
		apply(*settings)
		forCompressor()
	}
	// RetrieverOption is an option of NewContextualCompressionRetriever.
	RetrieverOption interface {
		apply(*settings)
		forRetriever()
	}
	// MemoryOption is an option of NewMemory.
	MemoryOption interface {
		apply(*settings)
		forMemory()
	}
	// ModelOption is an option of WrapModel.
	ModelOption interface {
		apply(*settings)
		forModel()
	}
	// ToolOption is an option of WrapTool.
	ToolOption interface {
		apply(*settings)
		forTool()
	}
	// ChainOption is an option of NewCompressChain.
	ChainOption interface {
		apply(*settings)
		forChain()
	}
	// AgentOption is an option of AgentTools.
	AgentOption interface {
		apply(*settings)
		forAgent()
	}

	// RequestOption shapes the request to the compressor, whoever makes it: also NewRelevanceFilter and NewReranker.
	RequestOption interface {
		CompressorOption
		ChainOption
		MemoryOption
		ModelOption
		ToolOption
	}
	// DocumentOption is about lists of documents.
	DocumentOption interface {
		CompressorOption
		ChainOption
	}
	// CallbacksOption fits all constructors.
	CallbacksOption interface {
		RequestOption
		RetrieverOption
		AgentOption
	}
)

// option is every option: what it fits is told by the interface that its constructor returns.
type option func(*settings)

func (o option) apply(s *settings) { o(s) }
func (option) forCompressor()      {}
func (option) forRetriever()       {}
func (option) forMemory()          {}
func (option) forModel()           {}
func (option) forTool()            {}
func (option) forChain()           {}
func (option) forAgent()           {}

// settings are the options of one component.
type settings struct {
	c           core.Compressor
	counter     TokenCounter
	callbacks   callbacks.Handler
	budget      core.Budget
	unit        core.Unit
	instruction func(query string) string

	// documents
	keepEmpty      bool
	sourceKey      string
	sourceLabel    bool
	sentenceWindow int
	llmChain       chains.Chain

	failOpen bool // retriever

	memory memorySettings

	// model
	trigger       int
	keepMessages  int
	query         func(context.Context, []llms.MessageContent) string
	system        bool
	noToolResults bool

	goal string // tool
}

// newSettings applies opts to the defaults in s.
func newSettings[O interface{ apply(*settings) }](c core.Compressor, s settings, opts []O) settings {
	s.c = c
	for _, o := range opts {
		o.apply(&s)
	}
	if s.counter == nil {
		s.counter = counterOf(c)
	}
	return s
}

// WithBudget bounds what is kept by a number of tokens: of all documents of a call, of the whole history that a Memory gives, of
// all texts that a wrapped model shortens in one call, of one observation of a wrapped tool. Zero means the default: no bound for
// documents, DefaultMemoryBudget, half of the trigger of a model, DefaultToolBudget.
func WithBudget(tokens int) RequestOption {
	return option(func(s *settings) { s.budget.MaxTokens = tokens })
}

// WithMinScore sets the least score, in [0,1], of what is kept. The default is 0 under a budget, else the critic's own.
func WithMinScore(score float64) RequestOption {
	return option(func(s *settings) { s.budget.Threshold = score })
}

// WithUnit sets the grain of what is kept. The default is core.UnitAuto, in a Memory core.UnitSentence.
func WithUnit(u core.Unit) RequestOption { return option(func(s *settings) { s.unit = u }) }

// WithInstruction makes of a query the instruction that says what to keep. The default is the query alone.
func WithInstruction(f func(query string) string) RequestOption {
	return option(func(s *settings) { s.instruction = f })
}

// WithTokenCounter counts tokens with t. The default is the tokenizer of the compressor, if it has a method
// Tokenizer() tokenizer.Tokenizer as *engine.Engine has, else an estimate of a token for every four bytes.
func WithTokenCounter(t TokenCounter) RequestOption {
	return option(func(s *settings) { s.counter = t })
}

// WithCallbacks tells h what happens. A compression is a chain to it: it starts with the numbers of documents, and ends with
// tokens, status and time; texts are not passed on. Retrievers and tools also make the calls that are named after them.
func WithCallbacks(h callbacks.Handler) CallbacksOption {
	return option(func(s *settings) { s.callbacks = h })
}

// TokenCounter counts the tokens of a text.
type TokenCounter interface {
	CountTokens(text string) int
}

// counterOf is the counter of a compressor.
func counterOf(c any) TokenCounter {
	if h, ok := c.(interface{ Tokenizer() tokenizer.Tokenizer }); ok {
		return tokenizerCounter{h.Tokenizer()}
	}
	return byteCounter{}
}

type tokenizerCounter struct{ t tokenizer.Tokenizer }

func (c tokenizerCounter) CountTokens(text string) int { return tokenizer.Count(c.t, text) }

// byteCounter estimates.
type byteCounter struct{}

func (byteCounter) CountTokens(text string) int { return (len(text) + 3) / 4 }

// The keys of what a callbacks.Handler is told of a compression, in HandleChainStart and HandleChainEnd.
const (
	KeyComponent = "component"  // string: what compresses, for example "memory"
	KeyDocuments = "documents"  // int: how many
	KeyTokensIn  = "tokens_in"  // int
	KeyTokensOut = "tokens_out" // int
	KeyStatus    = "status"     // string, of a core.Status
	KeyElapsed   = "elapsed"    // time.Duration
)

var errNoCompressor = errors.New("there is no compressor")

// compress runs one request for a component and tells the handler.
func (s *settings) compress(ctx context.Context, component, query string, req core.Request) (*core.Result, error) {
	req.Query, req.Unit = query, s.unit
	if s.instruction != nil {
		req.Instruction = s.instruction(query)
	}
	if s.callbacks != nil {
		s.callbacks.HandleChainStart(ctx, map[string]any{KeyComponent: component, KeyDocuments: len(req.Documents)})
	}
	var res *core.Result
	err := errNoCompressor
	if s.c != nil {
		res, err = s.c.Compress(ctx, req)
	}
	if err != nil {
		err = fmt.Errorf("compressing %d documents for the %s: %w", len(req.Documents), component, err)
		s.tell(ctx, err)
		return nil, err
	}
	if s.callbacks != nil {
		s.callbacks.HandleChainEnd(ctx, map[string]any{
			KeyComponent: component, KeyDocuments: len(req.Documents), KeyTokensIn: res.Stats.TokensIn, KeyTokensOut: res.Stats.TokensOut,
			KeyStatus: res.Status.String(), KeyElapsed: res.Stats.Elapsed,
		})
	}
	return res, nil
}

// tell tells the handler of an error.
func (s *settings) tell(ctx context.Context, err error) {
	if s.callbacks != nil {
		s.callbacks.HandleChainError(ctx, err)
	}
}

type queryKey struct{}

// ContextWithQuery says what the calls below ctx are about. Wrapped models and tools keep what q asks for, rather than guess from
// the last message or from the tool's input.
func ContextWithQuery(ctx context.Context, q string) context.Context {
	return context.WithValue(ctx, queryKey{}, q)
}

func queryOf(ctx context.Context) string {
	q, _ := ctx.Value(queryKey{}).(string)
	return q
}
