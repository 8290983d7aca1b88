package main

import (
	"errors"
	"runtime"

	"github.com/schollz/progressbar/v3"
	"github.com/spf13/cobra"

	"github.com/cprs-go/cprs/cmd/cprs/internal/batch"
	"github.com/cprs-go/cprs/core/engine"
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
			e, err := openEngine(cmd.Context(), o, cmd.ErrOrStderr())
			if err != nil {
				return err
			}
			defer func() { err = errors.Join(err, e.Close()) }()
			return answer(cmd, e, o.Workers)
		},
	}
	engineFlags(cmd, &o)
	completeNames(cmd)
	return cmd
}

// answer answers the requests on standard input.
func answer(cmd *cobra.Command, e *engine.Engine, workers int) error {
	stderr := cmd.ErrOrStderr()
	show, done := progressOn(stderr, "requests", progressbar.OptionShowCount())
	if isTerminal(cmd.OutOrStdout()) { // the answers themselves show it
		show = nil
	}
	if workers <= 0 {
		workers = runtime.GOMAXPROCS(0)
	}
	ctx := cmd.Context()
	count, err := batch.Run(ctx, e, interruptible(ctx, cmd.InOrStdin()), cmd.OutOrStdout(), workers, func(n int) {
		if show != nil {
			show(int64(n), -1)
		}
	})
	done()
	if count.Failed > 0 {
		warn(stderr, "%d of %d requests were answered by an error", count.Failed, count.Answered)
	}
	return err
}
