package mcpserver

import (
	"context"
	_ "embed"
	"fmt"
	"time"

	"github.com/mark3labs/mcp-go/mcp"
	"github.com/mark3labs/mcp-go/server"

	"github.com/cprs-go/cprs/core"
	"github.com/cprs-go/cprs/tools"
	"github.com/cprs-go/cprs/tools/httpapi"
)

//go:embed instructions.md
var instructions string

// What a host may be told to let through of one result: some cut at fewer characters than our largest budget has.
const (
	charsPerToken   = 8
	mostResultChars = 500_000
	resultCharsMeta = "anthropic/maxResultSizeChars"
)

// serverTools are the tools that the options name, in the order of tools.Set.
func (s *Server) serverTools() []server.ServerTool {
	largest := s.opt.MaxBudget
	if largest == 0 {
		largest = max(tools.DefaultMaxBudget, s.opt.Budget)
	}
	var out []server.ServerTool
	for _, t := range s.set.Tools() {
		if !s.offers(t.Name) {
			continue
		}
		tool := mcp.Tool{
			Name: s.opt.ToolPrefix + t.Name, Title: t.Title, Description: t.Description, RawInputSchema: t.InputSchema,
			Annotations: mcp.ToolAnnotation{ReadOnlyHint: new(true), DestructiveHint: new(false), IdempotentHint: new(true), OpenWorldHint: new(false)},
		}
		if !s.opt.NoStructured {
			tool.RawOutputSchema = t.OutputSchema
		}
		if t.Name != tools.ListSources {
			tool.Meta = mcp.NewMetaFromMap(map[string]any{resultCharsMeta: min(largest*charsPerToken, mostResultChars)})
		}
		out = append(out, server.ServerTool{Tool: tool, Handler: drained(s.rooted(t.Name, s.limited(s.handler(t))))})
	}
	return out
}

// handler adapts a tool. Whatever the model can act on is a result; an error is a cancelled call only.
func (s *Server) handler(t tools.Tool) server.ToolHandlerFunc {
	return func(ctx context.Context, req mcp.CallToolRequest) (*mcp.CallToolResult, error) {
		res, err := t.Call(ctx, req.Params.RawArguments, progress(ctx, req.Params.Meta))
		switch {
		case err == nil && res.IsError:
			return mcp.NewToolResultError(res.Text), nil
		case err == nil && s.opt.NoStructured:
			return mcp.NewToolResultText(res.Text), nil
		case err == nil:
			return mcp.NewToolResultStructured(res.Structured, res.Text), nil
		case ctx.Err() == context.Canceled:
			return nil, ctx.Err()
		case ctx.Err() != nil:
			return s.late(t.Name), nil
		}
		s.opt.Logger.Error("a tool failed", "tool", t.Name, "type", fmt.Sprintf("%T", err))
		return mcp.NewToolResultErrorf("[internal] %s failed inside. Call it once more; if it fails again, go on without it and tell the user.", t.Name), nil
	}
}

func (s *Server) late(tool string) *mcp.CallToolResult {
	return mcp.NewToolResultErrorf("[%s] The time limit of %v passed. Call %s again with less text: fewer files, or lines as in app.log:1-2000.", core.CodeDeadline, s.opt.Timeout, tool)
}

// limited bounds the time of a call, and how many run.
func (s *Server) limited(next server.ToolHandlerFunc) server.ToolHandlerFunc {
	return func(ctx context.Context, req mcp.CallToolRequest) (*mcp.CallToolResult, error) {
		ctx, cancel := context.WithTimeout(ctx, s.opt.Timeout)
		defer cancel()
		leave, err := s.gate.Enter(ctx)
		switch {
		case err == httpapi.ErrBusy:
			return mcp.NewToolResultErrorf("[busy] %d calls are running and %d are waiting here. Call %s again in a few seconds.", s.opt.Concurrency, max(s.opt.Queue, 0), req.Params.Name), nil
		case err == context.DeadlineExceeded:
			return s.late(req.Params.Name), nil
		case err != nil:
			return nil, err
		}
		defer leave()
		return next(ctx, req)
	}
}

// drained holds a result back until the progress that was sent before it is on its way: mcp-go writes notifications from a
// channel of their own, which a short call would overtake.
func drained(next server.ToolHandlerFunc) server.ToolHandlerFunc {
	const (
		longest = 200 * time.Millisecond
		write   = 20 * time.Millisecond // for the last one, which has left the channel
	)
	return func(ctx context.Context, req mcp.CallToolRequest) (*mcp.CallToolResult, error) {
		res, err := next(ctx, req)
		session := server.ClientSessionFromContext(ctx)
		if session == nil || token(req.Params.Meta) == nil {
			return res, err
		}
		for began := time.Now(); len(session.NotificationChannel()) > 0 && time.Since(began) < longest; {
			time.Sleep(time.Millisecond)
		}
		time.Sleep(write)
		return res, err
	}
}

// token is the progress token of a request; nil if its sender wants no progress.
func token(meta *mcp.Meta) mcp.ProgressToken {
	if meta == nil {
		return nil
	}
	return meta.ProgressToken
}

// progressEvery is the least time between two progress notifications of a call.
const progressEvery = 250 * time.Millisecond

// progress sends how much has been read, or is nil if nobody asked. It is called by one goroutine at a time.
func progress(ctx context.Context, meta *mcp.Meta) func(done, total int64) {
	tok, srv := token(meta), server.ServerFromContext(ctx)
	if tok == nil || srv == nil {
		return nil
	}
	var last time.Time
	sent := int64(-1)
	return func(done, total int64) {
		now := time.Now()
		if done <= sent || now.Sub(last) < progressEvery || ctx.Err() != nil {
			return
		}
		sent, last = done, now
		// A client that is gone or slow loses it.
		_ = srv.SendNotificationToClient(ctx, string(mcp.MethodNotificationProgress), map[string]any{
			"progressToken": tok, "progress": done, "total": total, "message": fmt.Sprintf("read %d of %d KiB", done>>10, total>>10),
		})
	}
}
