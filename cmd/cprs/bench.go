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
	var in bench.Input
	cmd := &cobra.Command{
		Use:   "bench [FILE]",
		Short: "Time every stage on this machine",
		Long: `Time every stage on this machine: a first question on a text, and a second one on the same text, which finds the states of
the lower layers kept. Without a file the text is generated prose. A hybrid critic keeps nothing: there the first question compiles its
programs, and the second is the one to quote.`,
		Example: `  cprs bench --critic FOLDER --backend xla:cuda --tokens 131072 --peak-tflops 989`,
		Args:    cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if size <= 0 {
				return invalid(fmt.Errorf("--bytes is %d", size), "give a number above 0")
			}
			if in.Tokens < 0 || in.PeakTFLOPS < 0 {
				return invalid(errors.New("--tokens or --peak-tflops is below 0"), "give a number above 0")
			}
			in.Text = bench.Text(size)
			if len(args) == 1 {
				data, err := os.ReadFile(args[0])
				if err != nil {
					return err
				}
				in.Text, in.Tokens = string(data), 0
			}
			if in.Text == "" {
				return invalid(errors.New("the file is empty"), "name a file with text")
			}
			load, loaded := progressOn(cmd.ErrOrStderr(), "loading", progressbar.OptionShowBytes(true))
			show, done := progressOn(cmd.ErrOrStderr(), "reading", progressbar.OptionShowBytes(true))
			o.Loading = load
			in.Progress = show
			report, err := bench.Run(cmd.Context(), in, o)
			loaded()
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
	cmd.Flags().IntVar(&in.Tokens, "tokens", 0, "size of the generated text in tokens of the critic, instead of --bytes")
	cmd.Flags().Float64Var(&in.PeakTFLOPS, "peak-tflops", 0, "what the device can do at best, for the utilisation of a hybrid critic")
	engineFlags(cmd, &o)
	cmd.Flags().Int64Var(&o.CacheBytes, "cache", 0, "bytes for states of the text; 0: 256 MiB, negative: none")
	completeNames(cmd)
	return cmd
}
