package main

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/cprs-go/cprs/core/train"
)

func newTrainCommand() *cobra.Command {
	opt := train.Defaults()
	var from dataFlags
	var dev []string
	cmd := &cobra.Command{
		Use:   "train --data FILE --out FOLDER",
		Short: "Train a critic, or fine-tune one on labelled spans",
		Args:  cobra.NoArgs,
		Long: `Train a critic, or fine-tune one on labelled spans.

The data are JSONL files (also gzipped) of records, a line each:

  {"id": "1", "docs": [{"title": "", "text": "Rent is due on the 3rd. Pets are not allowed."}],
   "queries": [{"q": "When is the rent due?", "level": "sentence", "spans": [[0, 0, 23]]}]}

Spans are [document, start, end] in bytes of the document's UTF-8 text; a question without spans has no answer there.
Level is keyword, sentence, paragraph, line or turn. A file with wrong offsets is refused, with the line at fault.

Training starts from the embedded critic, from another one, or from a BERT encoder such as all-MiniLM-L6-v2. OUT/best is the critic that did best on the
--dev files: use it with --critic OUT/best. Ctrl-C saves the state; --resume goes on exactly where it stands. OUT/log.csv and
OUT/plot.svg show how it went. On a CPU, XLA trains many times faster than pure Go: see core/backend/xla.`,
		Example: `  cprs train --data my_spans.jsonl --dev my_dev.jsonl --out tuned --steps 300
  cprs compress --critic tuned/best -i "the payment terms" contract.txt
  cprs train --from minilm --frozen -1 --data data/train --dev data/dev --out run --backend xla:cuda --bf16 --steps 20000 --batch-tokens 32768`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if opt.Out == "" || len(from.data) == 0 {
				return usageError{fmt.Errorf("--data and --out are needed")}
			}
			err := from.load(&opt)
			if err != nil {
				return err
			}
			if opt.Dev, err = train.LoadData(files(dev)); err != nil {
				return err
			}
			showTraining(cmd.ErrOrStderr(), &opt)
			if err := train.Run(cmd.Context(), opt); err != nil {
				return err
			}
			fmt.Fprintln(cmd.OutOrStdout(), filepath.Join(opt.Out, "best"))
			return nil
		},
	}
	fs := cmd.Flags()
	from.add(fs, &opt)
	fs.StringArrayVar(&dev, "dev", nil, "a file or folder of records to choose the best weights by; may be repeated")
	fs.StringVar(&opt.Out, "out", "", "folder for the results")
	fs.BoolVar(&opt.Resume, "resume", false, "go on with the training in --out, with the same options")
	fs.StringVar(&opt.Backend, "backend", "go", "go, xla:cpu or xla:cuda")
	fs.BoolVar(&opt.BFloat16, "bf16", opt.BFloat16, "compute in bfloat16; for GPUs")
	fs.IntVar(&opt.WarmUp, "warm-up", opt.WarmUp, "steps in which the learning rates rise")
	fs.Float64Var(&opt.JointRate, "joint-rate", opt.JointRate, "highest learning rate of the joint layers and heads")
	fs.Float64Var(&opt.EncoderRate, "encoder-rate", opt.EncoderRate, "highest learning rate of the encoder")
	fs.IntVar(&opt.Frozen, "frozen", opt.Frozen, "encoder layers, from the lowest, that stay as they are with the embeddings; -1: none")
	fs.Float64Var(&opt.Ranking, "ranking", opt.Ranking, "weight of the ranking of units in the loss")
	fs.Float64Var(&opt.Average, "average", opt.Average, "running average of the weights; 0: none")
	fs.IntVar(&opt.DevEvery, "dev-every", opt.DevEvery, "steps between development scores")
	fs.IntVar(&opt.DevPerSet, "dev-per-set", opt.DevPerSet, "questions with an answer drawn from each --dev file, and as many without")
	fs.IntVar(&opt.Patience, "patience", opt.Patience, "development scores in a row without a new best after which to stop; 0: never")
	fs.DurationVar(&opt.SaveEvery, "save-every", opt.SaveEvery, "time between saved states")
	fs.DurationVar(&opt.Limit, "limit", 0, "stop after this time, for example 90m; 0: never")
	return cmd
}

// dataFlags say which batches a training reads.
type dataFlags struct {
	data   []string
	recipe string
}

// add adds the flags to fs, with those that are fields of opt.
func (f *dataFlags) add(fs *pflag.FlagSet, opt *train.Options) {
	fs.StringArrayVar(&f.data, "data", nil, "a file or folder of records to train on; may be repeated")
	fs.StringVar(&f.recipe, "recipe", "", "how sources are mixed, JSON (default: core/train/recipe.json)")
	fs.StringVar(&opt.From, "from", "", "folder of a critic to go on from, or of a BERT encoder to start from (default: the embedded critic)")
	fs.IntVar(&opt.Steps, "steps", opt.Steps, "steps of the whole training")
	fs.IntVar(&opt.BatchTokens, "batch-tokens", opt.BatchTokens, "tokens of the windows of a step")
	fs.Uint64Var(&opt.Seed, "seed", opt.Seed, "of the order of the data and of new weights")
}

// load reads the recipe and the records into opt.
func (f *dataFlags) load(opt *train.Options) (err error) {
	if opt.Recipe, err = train.LoadRecipe(f.recipe); err != nil {
		return err
	}
	opt.Data, err = train.LoadData(files(f.data))
	return err
}

// files are paths, with a folder's record files in its place.
func files(paths []string) []string {
	var out []string
	for _, path := range paths {
		if info, err := os.Stat(path); err == nil && info.IsDir() {
			found, _ := filepath.Glob(filepath.Join(path, "*.jsonl*")) // the pattern is sound
			out = append(out, found...)
			continue
		}
		out = append(out, path)
	}
	return out
}

// telling is how often a training says where it stands: on a terminal, and in a log.
const (
	tellingOnTerminal = time.Second
	tellingInLog      = 30 * time.Second
)

// showTraining says where a training stands: one line that is overwritten on a terminal, a line now and then elsewhere.
func showTraining(w io.Writer, opt *train.Options) {
	every, open, end := tellingInLog, "", "\n"
	if isTerminal(w) {
		every, open, end = tellingOnTerminal, "\r\x1b[K", ""
	}
	var last time.Time
	opt.Progress = func(p train.Progress) {
		if time.Since(last) < every && p.Step < p.Steps {
			return
		}
		last = time.Now()
		l := p.Loss
		left := time.Duration(float64(p.Tokens) / float64(p.Step) * float64(p.Steps-p.Step) / p.PerSecond * float64(time.Second))
		fmt.Fprintf(w, "%sstep %d of %d: loss %.3f (tags %.3f, relevance %.3f, rank %.3f), rate %.1e, %.0f tokens/s, %v left%s",
			open, p.Step, p.Steps, l.Total, l.Tags, l.Relevance, l.Rank, p.Rate, p.PerSecond, left.Round(time.Second), end)
	}
	opt.Scored = func(step int, s train.Score, best bool) {
		mark := ""
		if best {
			mark = ", best so far"
		}
		fmt.Fprintf(w, "%sstep %d: %.1f %% of the evidence at 10 %% of the tokens; %.1f %% kept where there is no answer%s\n",
			open, step, 100*s.Recall, 100*s.FalseKeep, mark)
	}
}
