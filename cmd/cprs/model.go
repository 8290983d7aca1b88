package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/schollz/progressbar/v3"
	"github.com/spf13/cobra"

	"github.com/cprs-go/cprs/core"
	"github.com/cprs-go/cprs/core/backend"
	"github.com/cprs-go/cprs/core/model/checkpoint"
	"github.com/cprs-go/cprs/core/model/hub"
	"github.com/cprs-go/cprs/core/model/hybrid"
	"github.com/cprs-go/cprs/core/model/hybrid/synth"
)

func newModelCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "model", Short: "Look into critics, fetch them, run them on ids"}
	cmd.AddCommand(newInspectCommand(), newLogitsCommand(), newSynthCommand(), newPullCommand())
	return cmd
}

func newLogitsCommand() *cobra.Command {
	var dir, name, precision string
	cmd := &cobra.Command{
		Use:   "logits --critic FOLDER < ids.json",
		Short: "Run a hybrid critic on token ids",
		Long: `Run a hybrid critic on token ids and print the logits of the tags, for whoever compares with another program.

Standard input is JSON: one row of ids, or a list of rows. Rows are whole: header and text.`,
		Example: `  echo '[[1,2,3]]' | cprs model logits --critic FOLDER`,
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if dir == "" {
				return usageError{errors.New("--critic is needed")}
			}
			rows, err := readRows(interruptible(cmd.Context(), cmd.InOrStdin()))
			if err != nil {
				return err
			}
			return printLogits(cmd.Context(), cmd.OutOrStdout(), dir, name, hybrid.Precision(precision), rows)
		},
	}
	cmd.Flags().StringVar(&dir, "critic", "", "folder of a hybrid critic")
	cmd.Flags().StringVar(&name, "backend", "go", "go, xla:cpu or xla:cuda")
	cmd.Flags().StringVar(&precision, "precision", "", precisionHelp)
	completeNames(cmd)
	return cmd
}

const precisionHelp = "of a hybrid critic's activations: f32, f16 or bf16; default: f32, on CUDA bf16"

// readRows reads a row of ids or a list of rows.
func readRows(r io.Reader) ([][]int32, error) {
	text, err := io.ReadAll(r)
	if err != nil {
		return nil, err
	}
	var rows [][]int32
	if err = json.Unmarshal(text, &rows); err != nil {
		var row []int32
		if json.Unmarshal(text, &row) != nil {
			return nil, invalid(fmt.Errorf("standard input holds no ids: %w", err), "give JSON such as [[1,2,3],[4,5]]")
		}
		rows = [][]int32{row}
	}
	return rows, nil
}

// printLogits writes one line of JSON.
func printLogits(ctx context.Context, w io.Writer, dir, name string, precision hybrid.Precision, rows [][]int32) (err error) {
	ckpt, err := checkpoint.Open(dir)
	if err != nil {
		return foreign(dir, err)
	}
	defer ckpt.Close()
	b, err := backend.Open(name)
	if err != nil {
		return &core.Error{Code: core.CodeInvalidArgument, Message: fmt.Sprintf("the backend %q cannot be opened", name), Hint: "leave --backend out for pure Go", Err: err}
	}
	defer b.Finalize()
	c, err := hybrid.Open(ckpt, b, &hybrid.Options{Precision: precision})
	if err != nil {
		return foreign(dir, err)
	}
	defer func() { err = errors.Join(err, c.Close()) }()
	logits, err := c.Logits(ctx, rows)
	if errors.Is(err, hybrid.ErrOutOfMemory) {
		return &core.Error{Code: core.CodeCriticFailed, Message: err.Error(), Hint: "give shorter rows, or take a device with more memory"}
	}
	if err != nil {
		return invalid(err, "check the ids")
	}
	return json.NewEncoder(w).Encode(struct {
		Critic string          `json:"critic"`
		Labels string          `json:"labels"`
		Logits []hybrid.Logits `json:"logits"` // rows, ids, labels
	}{c.ID(), c.Config().Labels, logits})
}

func newSynthCommand() *cobra.Command {
	var geometry string
	var seed uint64
	cmd := &cobra.Command{
		Use:   "synth --geometry NAME FOLDER",
		Short: "Write a hybrid critic with random weights",
		Long: `Write a hybrid critic with random weights in the files of a released one: to try the hybrid critic and to measure a machine
without its weights. It knows nothing.`,
		Example: `  cprs model synth --geometry qwen2-7b /data/random && cprs bench --critic /data/random --backend xla:cuda --tokens 131072`,
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			show, done := progressOn(cmd.ErrOrStderr(), "writing", progressbar.OptionShowBytes(true))
			defer done()
			if err := synth.Write(cmd.Context(), args[0], geometry, seed, show); err != nil {
				if cmd.Context().Err() != nil {
					return err
				}
				return invalid(err, "name a geometry and a folder that holds no model")
			}
			return nil
		},
	}
	cmd.Flags().StringVar(&geometry, "geometry", "tiny", "qwen2-7b (15 GB), qwen2-0.5b (1.3 GB) or tiny")
	cmd.Flags().Uint64Var(&seed, "seed", 1, "of the weights")
	cmd.RegisterFlagCompletionFunc("geometry", cobra.FixedCompletions(synth.Geometries(), cobra.ShellCompDirectiveNoFileComp))
	return cmd
}

func newPullCommand() *cobra.Command {
	o := hub.Options{Token: os.Getenv("HF_TOKEN"), Endpoint: os.Getenv("HF_ENDPOINT")}
	cmd := &cobra.Command{
		Use:   "pull OWNER/NAME [FOLDER]",
		Short: "Fetch a critic from the Hugging Face hub",
		Long: `Fetch a critic from the Hugging Face hub to a folder, by default one of its name. A download that broke is gone on with; checksums
are compared. HF_TOKEN and HF_ENDPOINT are honoured. Every command takes a folder that was brought by hand as well.`,
		Example: `  cprs model pull Tongyi-Zhiwen/QwenLong-CPRS-7B && cprs model inspect QwenLong-CPRS-7B`,
		Args:    cobra.RangeArgs(1, 2),
		RunE: func(cmd *cobra.Command, args []string) error {
			dir := filepath.Base(args[0])
			if len(args) == 2 {
				dir = args[1]
			}
			show, done := progressOn(cmd.ErrOrStderr(), "fetching", progressbar.OptionShowBytes(true))
			o.Progress = show
			commit, err := hub.Pull(cmd.Context(), args[0], dir, &o)
			done()
			if err != nil {
				if cmd.Context().Err() != nil {
					return err
				}
				return &core.Error{Code: core.CodeNotFound, Message: fmt.Sprintf("%s cannot be fetched", args[0]), Hint: "run it again to go on where it stopped, or bring the folder by hand", Err: err}
			}
			_, err = fmt.Fprintf(cmd.OutOrStdout(), "%s %s\n", dir, commit)
			return err
		},
	}
	cmd.Flags().StringVar(&o.Revision, "revision", "main", "branch, tag or commit")
	return cmd
}

func foreign(source string, err error) error {
	return &core.Error{Code: core.CodeCriticFailed, Message: fmt.Sprintf("%s holds no critic that can be read", source),
		Hint: "give a folder with config.json and model.safetensors of a late-join or hybrid critic", Err: err}
}
