// Command cprs keeps what an instruction asks for of documents, logs and chats: verbatim, with offsets, inside a token
// budget.
//
// One file a command; each wires packages and holds no logic. Data goes to stdout, everything said to people to stderr.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"
)

func main() { os.Exit(run()) }

// run is main with the exit status as its result.
func run() int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop) // a second Ctrl-C ends the process at once
	cmd, err := newRootCommand().ExecuteContextC(ctx)
	return exitStatus(cmd, err)
}

func newRootCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "cprs",
		Short: "Keep what an instruction asks for, drop the rest",
		Long: `cprs reads an instruction in plain words and a pile of text, and hands on the parts of the text that the instruction asks
for: verbatim, with byte offsets and scores, inside a token budget. The model is inside the program.`,
		Example: `  cprs compress -i "What does the contract say about termination?" contract.txt
  cprs compress -i "why did the job fail?" --max-tokens 400 build.log`,
		SilenceUsage:  true,
		SilenceErrors: true,
	}
	cmd.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return usageError{err} })
	cmd.AddGroup(&cobra.Group{ID: "work", Title: "Compress:"}, &cobra.Group{ID: "measure", Title: "Train, measure and inspect:"})
	for _, c := range []*cobra.Command{newCompressCommand(), newBatchCommand(), newServeCommand(), newMCPCommand()} {
		c.GroupID = "work"
		cmd.AddCommand(c)
	}
	for _, c := range []*cobra.Command{newTrainCommand(), newBenchCommand(), newEvalCommand(), newDataCommand(), newModelCommand(), newVersionCommand()} {
		c.GroupID = "measure"
		cmd.AddCommand(c)
	}
	markUsage(cmd)
	return cmd
}

// markUsage makes the errors of all checks of arguments below cmd usage errors. A command that only holds others refuses names that it
// does not hold.
func markUsage(cmd *cobra.Command) {
	for _, c := range cmd.Commands() {
		markUsage(c)
		if !c.Runnable() {
			c.Args, c.RunE = cobra.NoArgs, func(cmd *cobra.Command, _ []string) error { return cmd.Help() }
		}
		if check := c.Args; check != nil {
			c.Args = func(cmd *cobra.Command, args []string) error {
				if err := check(cmd, args); err != nil {
					return usageError{err}
				}
				return nil
			}
		}
	}
}
