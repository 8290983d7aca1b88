package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"

	"github.com/schollz/progressbar/v3"
	"github.com/spf13/cobra"

	"github.com/cprs-go/cprs/core/engine"
	"github.com/cprs-go/cprs/core/engine/bench"
)

func newBenchCommand() *cobra.Command {
	var o engine.Options
	var asJSON bool
	var size int
	cmd := &cobra.Command{
		Use:   "bench [FILE]",
		Short: "Time every stage on this machine",
		Long: `Time every stage on this machine: a first question on a text, and a second one on the same text, which finds the states of
the lower layers kept. Without a file the text is generated prose.`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if size <= 0 {
				return invalid(fmt.Errorf("--bytes is %d", size), "give a number above 0")
			}
			text := bench.Text(size)
			if len(args) == 1 {
				data, err := os.ReadFile(args[0])
				if err != nil {
					return err
				}
				text = string(data)
			}
			if text == "" {
				return invalid(errors.New("the file is empty"), "name a file with text")
			}
			show, done := progressOn(cmd.ErrOrStderr(), "reading", progressbar.OptionShowBytes(true))
			report, err := bench.Run(cmd.Context(), text, o, show)
			done()
			if err != nil {
				return err
			}
			if asJSON {
				enc := json.NewEncoder(cmd.OutOrStdout())
				enc.SetIndent("", "  ")
				return enc.Encode(report)
			}
			_, err = fmt.Fprint(cmd.OutOrStdout(), report)
			return err
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	cmd.Flags().IntVar(&size, "bytes", 1<<20, "size of the generated text")
	engineFlags(cmd, &o)
	cmd.Flags().Int64Var(&o.CacheBytes, "cache", 0, "bytes for states of the text; 0: 256 MiB, negative: none")
	completeNames(cmd)
	return cmd
}
