// Command testserver is cprs mcp with a critic that looks for the words of the instruction: quick, and the same everywhere. The
// tests with clients in other languages and modules run it.
package main

import (
	"context"
	"flag"
	"fmt"
	"log/slog"
	"net"
	"os"
	"os/signal"
	"time"

	"github.com/cprs-go/cprs/core"
	"github.com/cprs-go/cprs/core/critic/critictest"
	"github.com/cprs-go/cprs/core/source"
	"github.com/cprs-go/cprs/mcpserver"
	"github.com/cprs-go/cprs/tools"
)

func main() {
	root := flag.String("root", ".", "folder to read")
	http := flag.Bool("http", false, "serve HTTP and print the URL")
	clientRoots := flag.String("client-roots", "", "narrow or add: what the client's roots do")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := serve(ctx, *root, *http, uses[*clientRoots]); err != nil {
		fmt.Fprintln(os.Stderr, "error:", err)
		os.Exit(1)
	}
}

// uses are the values of -client-roots.
var uses = map[string]mcpserver.ClientRoots{"narrow": mcpserver.ClientRootsNarrow, "add": mcpserver.ClientRootsWiden}

func serve(ctx context.Context, root string, http bool, roots mcpserver.ClientRoots) error {
	files, err := source.New(&source.Options{Roots: []source.Root{{Dir: root}}, MaxFileBytes: 64 << 20})
	if err != nil {
		return err
	}
	defer files.Close()
	s, err := mcpserver.New(compressor{core.NewPipeline(core.PipelineOptions{
		Critic: critictest.Match(0), Layout: critictest.Layout(512), Tokenizer: critictest.Tokenizer{}, ID: "match", Hash: "0", Threshold: 0.5,
	})}, &mcpserver.Options{Options: tools.Options{Sources: files, Threshold: 0.6}, ClientRoots: roots, Logger: slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn}))})
	if err != nil {
		return err
	}
	defer s.Close()
	if !http {
		return s.ServeStdio(ctx)
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	fmt.Printf("http://%s%s\n", ln.Addr(), mcpserver.Endpoint)
	return s.Serve(ctx, ln)
}

// compressor is a pipeline that takes its time if the query is "slowly": it reports progress for two seconds first.
type compressor struct{ core.Compressor }

func (c compressor) Compress(ctx context.Context, req core.Request) (*core.Result, error) {
	for i := int64(1); req.Query == "slowly" && i <= 20; i++ {
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(100 * time.Millisecond):
		}
		if req.Progress != nil {
			req.Progress(i<<10, 40<<10)
		}
	}
	return c.Compressor.Compress(ctx, req)
}
