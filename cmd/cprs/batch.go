package main

import (
	"bufio"
	"context"
	"errors"
	"io"

	"github.com/spf13/cobra"

	"github.com/cprs-go/cprs/core/engine"
	"github.com/cprs-go/cprs/core/wire"
)

func newBatchCommand() *cobra.Command {
	var o engine.Options
	cmd := &cobra.Command{
		Use:   "batch < requests.jsonl > results.jsonl",
		Short: "Answer requests in JSON, one a line",
		Long: `Answer requests in JSON, one a line, in their order.

A request is {"id","instruction","query","unit","max_tokens"|"ratio","threshold","pins","gap","explain","documents":[{"id","title","text"}]}.
Its result is {"id","status","text","spans":[{"doc","start","end","line","score"}],"units":[…],"stats":{…}}, or
{"id","error":{"code","message","hint"}}: a bad line never ends the batch. Offsets are bytes of the UTF-8 text.

Exit status: 0 if every line was answered, also with errors; 1 if reading or writing failed.`,
		Example: `  cprs batch < requests.jsonl > results.jsonl
  echo '{"instruction":"who pays","documents":[{"text":"Ann pays. Bob eats."}]}' | cprs batch`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) (err error) {
			if isTerminal(cmd.InOrStdin()) {
				return invalid(errors.New("there is nothing to read"), "pipe requests into cprs batch, one JSON object a line")
			}
			e, err := engine.Open(cmd.Context(), &o)
			if err != nil {
				return err
			}
			defer func() { err = errors.Join(err, e.Close()) }()
			return batch(cmd.Context(), e, cmd.InOrStdin(), cmd.OutOrStdout())
		},
	}
	engineFlags(cmd, &o)
	completeNames(cmd)
	return cmd
}

// batch answers the requests of r, each before the next is read.
func batch(ctx context.Context, e *engine.Engine, r io.Reader, w io.Writer) error {
	in, out := wire.NewReader(r), bufio.NewWriter(w)
	for {
		req, err := in.Next()
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case req == nil:
			return err
		}
		if err := wire.Write(out, answer(ctx, e, req, err)); err != nil {
			return err
		}
		if err := out.Flush(); err != nil {
			return err
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
	}
}

// answer is the result of req, or the failure that stands for it.
func answer(ctx context.Context, e *engine.Engine, req *wire.Request, err error) any {
	if err != nil {
		return wire.NewFailure(req.ID, err)
	}
	res, err := e.Compress(ctx, req.Request)
	if err != nil {
		return wire.NewFailure(req.ID, err)
	}
	return wire.NewResult(req.ID, req.Documents, res)
}
