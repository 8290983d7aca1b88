package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"github.com/spf13/cobra"

	"github.com/cprs-go/cprs/core/eval/needle"
	"github.com/cprs-go/cprs/core/train"
	"github.com/cprs-go/cprs/core/train/synth"
)

func newDataCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "data", Short: "Make synthetic records, and batches of a training"}
	cmd.AddCommand(newDataListCommand(), newDataSynthCommand(), newDataBatchesCommand())
	return cmd
}

func newDataListCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "list",
		Short: "List the generators",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			for _, name := range synth.Names() {
				if _, err := fmt.Fprintf(cmd.OutOrStdout(), "%-14s %s\n", name, synth.About(name)); err != nil {
					return err
				}
			}
			return nil
		},
	}
}

func newDataSynthCommand() *cobra.Command {
	var generators []string
	var haystack string
	var n int
	var seed uint64
	var opt synth.Options
	cmd := &cobra.Command{
		Use:   "synth",
		Short: "Write made-up records as JSON lines",
		Args:  cobra.NoArgs,
		Long: `Write made-up records as JSON lines: texts, questions, and the exact spans of their evidence, in the form that cprs eval and
cprs train read. The same name, seed and number give the same record.

Training draws from seeds below 900; evaluate with seeds from 900 on.`,
		Example: `  cprs data synth --generator logs --n 200 --seed 991 > logs.jsonl && cprs eval logs.jsonl
  cprs data synth --generator needle --haystack stories.txt.gz --size 4000 > needles.jsonl`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if n < 0 {
				return invalid(fmt.Errorf("--n is %d", n), "give a number of records")
			}
			if slices.Contains(generators, "all") {
				generators = synth.Names()
			}
			if len(generators) == 0 {
				return usageError{errors.New("--generator is needed")}
			}
			if haystack != "" {
				var err error
				if opt.Haystack, err = needle.LoadHaystack(haystack); err != nil {
					return invalid(err, "name a text file")
				}
			}
			out := json.NewEncoder(cmd.OutOrStdout())
			out.SetEscapeHTML(false)
			for _, name := range generators {
				g, err := synth.New(name, seed, &opt)
				if err != nil {
					return invalid(err, "see: cprs data list")
				}
				for i := range n {
					if err := out.Encode(g.Record(i)); err != nil {
						return err
					}
				}
			}
			return nil
		},
	}
	fs := cmd.Flags()
	fs.StringSliceVar(&generators, "generator", nil, "one or several of cprs data list, or all")
	fs.IntVar(&n, "n", 10, "records of each generator")
	fs.Uint64Var(&seed, "seed", 1, "of every draw")
	fs.IntVar(&opt.Size, "size", 0, "length of the texts in bytes, about; 0: 400 to 6,000")
	fs.StringVar(&haystack, "haystack", "", "file of texts to hide facts in, parted by lines with a form feed (default: made-up text)")
	return cmd
}

func newDataBatchesCommand() *cobra.Command {
	opt := train.Defaults()
	var from dataFlags
	var first int
	cmd := &cobra.Command{
		Use:   "batches --data FILE",
		Short: "Write the batches of a training, for another framework",
		Args:  cobra.NoArgs,
		Long: `Write what cprs train would begin with and read, for a training in another framework: safetensors files one after the other, the
starting weights and then a batch a step. core/train/pytorch/train.py reads them from its standard input.`,
		Example: `  cprs data batches --data data/train --steps 2000 --batch-tokens 8192 | python core/train/pytorch/train.py --out run --steps 2000`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if len(from.data) == 0 {
				return usageError{errors.New("--data is needed")}
			}
			if isTerminal(cmd.OutOrStdout()) {
				return invalid(errors.New("batches are no text for a terminal"), "send them to a program or a file: cprs data batches … | python core/train/pytorch/train.py …")
			}
			if err := from.load(&opt); err != nil {
				return err
			}
			return train.Export(cmd.Context(), opt, first, cmd.OutOrStdout())
		},
	}
	fs := cmd.Flags()
	from.add(fs, &opt)
	fs.IntVar(&first, "first", 0, "first step, to go on with a training")
	return cmd
}
