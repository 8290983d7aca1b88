// Package langchain brings cprs to programs built on github.com/tmc/langchaingo: retrievers, memories, models, tools and
// chains that keep of long text what the question at hand asks for, word for word, inside a token budget.
//
//	vector store ─► ContextualCompressionRetriever ─┐      Compressor, CompressorPipeline, filters, NewReranker
//	documents ────► NewCompressChain ───────────────┤
//	chat history ─► Memory ─────────────────────────┼─► prompt ─► WrapModel ─► any llms.Model
//	tool output ──► WrapTool ───────────────────────┘
//	files, logs ──► AgentTools, Definitions: the tools of package tools for agents
//
// Every component takes a core.Compressor, for example an *engine.Engine, and options. The inputs of a component are never
// modified; the same input gives the same output; all components are safe for concurrent use. Budgets are counted offline, by
// default with the compressor's own tokenizer.
//
// Programs that get their tools from MCP servers, through one of the bridges to langchaingo, can use "cprs mcp" in place of AgentTools.
//
// langchaingo has no interface for compressing documents; DocumentCompressor and the types around it carry the names
// that they have in LangChain for Python.
package langchain
