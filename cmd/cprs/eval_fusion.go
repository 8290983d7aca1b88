package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/cprs-go/cprs/core"
	"github.com/cprs-go/cprs/core/engine"
	"github.com/cprs-go/cprs/core/eval"
	"github.com/cprs-go/cprs/core/fusion"
)

func newFusionCommand() *cobra.Command {
	var o engine.Options
	opt := eval.FitOptions{Shares: []float64{0.05, 0.1, 0.2}}
	var write bool
	cmd := &cobra.Command{
		Use:   "fusion --critic DIR FILE|DIR...",
		Short: "Fit how words and relevance weigh beside a critic's labels, and what its threshold means",
		Args:  cobra.MinimumNArgs(1),
		Long: `Fit how the words of a question and the relevance of a window weigh beside a critic's labels of tokens, and shift the scores so that 0.5
gives the recall asked for.

The weights are those with the best mean recall at 5, 10 and 20 % kept, less half of what the threshold keeps with an answer and without, over
the means of the sets. They are fitted for sentences, for lines and for questions in other scripts than Latin, where there are questions
of the kind; paragraphs take those of sentences; phrases are left to the critic.`,
		Example: `  cprs eval fusion --critic run/best --write data/dev`,
		RunE: func(cmd *cobra.Command, args []string) error {
			if o.CriticDir == "" {
				return usageError{errors.New("--critic is needed")}
			}
			sets, err := loadSets(args)
			if err != nil {
				return err
			}
			path := filepath.Join(o.CriticDir, "config.json")
			text, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			e, err := engine.Open(cmd.Context(), &o)
			if err != nil {
				return err
			}
			defer e.Close()
			opt.Judge, opt.Tokenizer = e, e.Tokenizer()
			weights, err := fitKinds(cmd, sets, opt)
			if err != nil {
				return err
			}
			if write {
				return writeFusion(path, text, weights)
			}
			return json.NewEncoder(cmd.OutOrStdout()).Encode(map[string]any{"fusion": weights})
		},
	}
	engineFlags(cmd, &o)
	fs := cmd.Flags()
	fs.Float64Var(&opt.Recall, "recall", 0.8, "share of the evidence that a threshold of 0.5 shall keep")
	fs.IntVar(&opt.PerSet, "per-set", 40, "questions with an answer drawn from each file, and as many without; 0: all")
	fs.Uint64Var(&opt.Seed, "seed", 2, "of the draw")
	fs.BoolVar(&write, "write", false, "write the weights into the critic's config.json")
	return cmd
}

// fitKinds fits every kind that the sets have questions of.
func fitKinds(cmd *cobra.Command, sets []*eval.Set, opt eval.FitOptions) (map[string]fusion.Weights, error) {
	weights := map[string]fusion.Weights{}
	var missing []error
	for _, k := range eval.Kinds {
		show, done := countOn(cmd.ErrOrStderr(), "questions")
		opt.Progress = show
		fit, err := eval.FitFusion(cmd.Context(), sets, k, opt)
		done()
		if errors.Is(err, eval.ErrNoQuestion) {
			missing = append(missing, err)
			continue
		}
		if err != nil {
			return nil, err
		}
		weights[k.Name] = fit.Weights
		showFit(cmd.ErrOrStderr(), k.Name, fit)
	}
	if len(weights) == 0 {
		return nil, errors.Join(missing...)
	}
	if w, ok := weights[core.UnitSentence.String()]; ok {
		weights[core.UnitParagraph.String()] = w
	}
	return weights, nil
}

func showFit(w io.Writer, kind string, f *eval.Fit) {
	fmt.Fprintf(w, "%s: %d questions; recall at 5, 10, 20 %%: labels alone %.3f, labels %g, relevance %g and words %g %.3f; at 0.5 (bias %.2f): recall %.3f with %.3f kept, %.3f where there is no answer\n",
		kind, f.Questions, f.Alone, f.Weights.Critic, f.Weights.Relevance, f.Weights.Lexical, f.Fused, f.Weights.Bias, f.Recall, f.Kept, f.FalseKeep)
}

// writeFusion puts weights into the configuration at path, whose text is given.
func writeFusion(path string, text []byte, weights map[string]fusion.Weights) error {
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(text, &fields); err != nil {
		return err
	}
	raw, err := json.Marshal(weights)
	if err != nil {
		return err
	}
	fields["fusion"] = raw
	if raw, err = json.Marshal(fields); err != nil {
		return err
	}
	var out bytes.Buffer
	if err := json.Indent(&out, raw, "", " "); err != nil {
		return err
	}
	return os.WriteFile(path, out.Bytes(), 0o644)
}
