package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"

	"github.com/schollz/progressbar/v3"
	"github.com/spf13/cobra"

	"github.com/cprs-go/cprs/core/engine"
	"github.com/cprs-go/cprs/core/eval"
	"github.com/cprs-go/cprs/core/eval/minilm"
	"github.com/cprs-go/cprs/core/eval/needle"
	"github.com/cprs-go/cprs/core/train/synth"
)

// evalFlags are what cprs eval and cprs eval needle share.
type evalFlags struct {
	engine engine.Options
	minilm string
	seed   uint64
	format string
	plot   string
}

func newEvalCommand() *cobra.Command {
	var f evalFlags
	var data, baselines, gates []string
	var shares []float64
	var perSet int
	var wording string
	cmd := &cobra.Command{
		Use:   "eval [FILE|DIR]...",
		Short: "Measure how much evidence is kept at what compression",
		Args:  cobra.ArbitraryArgs,
		Long: `Measure how much evidence is kept at what compression, beside baselines and without a language model.

The data are JSONL files (also gzipped) of records with questions and the byte spans of their evidence; a folder stands for
its *.jsonl and *.jsonl.gz files. Budgets are shares of a record's tokens and ceilings for every method.

The embedding baselines minilm and bm25+minilm need the weights of all-MiniLM-L6-v2: core/eval/minilm/fetch.sh DIR
fetches them, --minilm DIR names their folder.`,
		Example: `  cprs eval --plot curve.svg cases/
  cprs eval --minilm weights/minilm --format json --gate recall=0.6@0.1 --gate false_keep=0.05@threshold cases.jsonl`,
		RunE: func(cmd *cobra.Command, args []string) error {
			sets, err := loadSets(append(data, args...))
			if err != nil {
				return err
			}
			if err := reword(sets, wording, f.seed); err != nil {
				return err
			}
			parsed, err := parseGates(gates)
			if err != nil {
				return err
			}
			return f.eval(cmd, sets, baselines, eval.Options{Shares: shares, PerSet: perSet, Seed: f.seed}, parsed)
		},
	}
	f.register(cmd)
	fs := cmd.Flags()
	fs.StringArrayVar(&data, "data", nil, "a file or folder of cases; more may follow as arguments")
	fs.StringSliceVar(&baselines, "baselines", nil, "of "+strings.Join(eval.BaselineNames(), ", ")+" (default: all that can run)")
	fs.Float64SliceVar(&shares, "budgets", []float64{0.05, 0.1, 0.2, 0.5}, "shares of the tokens that may be kept")
	fs.IntVar(&perSet, "per-set", 40, "questions with an answer drawn from each file, and as many without; 0: all")
	fs.StringArrayVar(&gates, "gate", nil, "fail if missed: METRIC=BOUND@SHARE or @threshold, METRIC one of recall, full, survival, precision, f2, kept, refused, false_keep")
	fs.StringVar(&wording, "wording", "", "ask every question otherwise: "+strings.Join(slices.Sorted(maps.Keys(synth.Wordings)), ", "))
	cmd.AddCommand(newNeedleCommand(), newFusionCommand())
	return cmd
}

func (f *evalFlags) register(cmd *cobra.Command) {
	engineFlags(cmd, &f.engine)
	fs := cmd.Flags()
	fs.StringVar(&f.minilm, "minilm", "", "folder of all-MiniLM-L6-v2")
	fs.Uint64Var(&f.seed, "seed", 1, "of every draw")
	fs.StringVar(&f.format, "format", "markdown", "markdown or json")
	fs.StringVar(&f.plot, "plot", "", "also draw to a file: .svg, .png or .pdf")
}

// eval measures the critic and the baselines.
func (f *evalFlags) eval(cmd *cobra.Command, sets []*eval.Set, baselines []string, opt eval.Options, gates []eval.Gate) error {
	return f.open(cmd.Context(), func(e *engine.Engine, encoder eval.Encoder) error {
		if baselines == nil {
			baselines = eval.BaselineNames()
			if encoder == nil {
				baselines = baselines[:len(baselines)-2]
			}
		}
		methods, err := eval.Baselines(baselines, encoder, f.seed)
		if err != nil {
			return invalid(err, "see: cprs eval --help")
		}
		opt.Tokenizer = e.Tokenizer()
		opt.Methods = append([]eval.Method{eval.Compressor("cprs", e)}, methods...)
		show, done := countOn(cmd.ErrOrStderr(), "questions")
		opt.Progress = show
		report, err := eval.Run(cmd.Context(), sets, opt)
		done()
		if err != nil {
			return err
		}
		f.provenance(&report.Provenance, e)
		if err := f.print(cmd, report); err != nil {
			return err
		}
		var missed []error
		for _, g := range gates {
			missed = append(missed, g.Check(report))
		}
		return errors.Join(missed...)
	})
}

// open runs what needs the critic and, if its folder is named, the sentence encoder.
func (f *evalFlags) open(ctx context.Context, use func(*engine.Engine, eval.Encoder) error) (err error) {
	if f.format != "markdown" && f.format != "json" {
		return invalid(fmt.Errorf("there is no format %q", f.format), "give markdown or json")
	}
	var encoder eval.Encoder
	if f.minilm != "" {
		m, err := minilm.Open(f.minilm)
		if err != nil {
			return invalid(err, "fetch the weights: core/eval/minilm/fetch.sh DIR")
		}
		encoder = m
	}
	e, err := engine.Open(ctx, &f.engine)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, e.Close()) }()
	return use(e, encoder)
}

func (f *evalFlags) provenance(p *eval.Provenance, e *engine.Engine) {
	info := e.Info()
	p.Command = strings.Join(append([]string{"cprs"}, os.Args[1:]...), " ")
	p.Critic, p.CriticHash, p.Backend, p.Kernel = info.Critic, info.Hash, info.Backend, info.Kernel
	if p.Threads = f.engine.Workers; p.Threads == 0 {
		p.Threads = runtime.GOMAXPROCS(0)
	}
}

// evalReport is what both reports can do.
type evalReport interface {
	Markdown(io.Writer) error
	JSON(io.Writer) error
	Plot(path string) error
}

func (f *evalFlags) print(cmd *cobra.Command, r evalReport) error {
	if f.plot != "" {
		if err := r.Plot(f.plot); err != nil {
			return err
		}
	}
	if f.format == "json" {
		return r.JSON(cmd.OutOrStdout())
	}
	return r.Markdown(cmd.OutOrStdout())
}

// loadSets loads files, and the cases in folders.
func loadSets(paths []string) ([]*eval.Set, error) {
	var sets []*eval.Set
	for _, path := range paths {
		files := []string{path}
		if info, err := os.Stat(path); err == nil && info.IsDir() {
			if files, err = filepath.Glob(filepath.Join(path, "*.jsonl*")); err != nil {
				return nil, err
			}
		}
		for _, file := range files {
			s, err := eval.Load(file)
			if err != nil {
				return nil, invalid(err, "give JSONL files of records: {\"id\",\"docs\":[{\"title\",\"text\"}],\"queries\":[{\"q\",\"spans\":[[doc,start,end]],\"level\"}]}")
			}
			sets = append(sets, s)
		}
	}
	if len(sets) == 0 {
		return nil, invalid(errors.New("there are no cases"), "name a JSONL file, or a folder of them")
	}
	return sets, nil
}

// reword has all questions asked in the wording of that name, if it has one.
func reword(sets []*eval.Set, wording string, seed uint64) error {
	if wording == "" {
		return nil
	}
	ask, ok := synth.Wordings[wording]
	if !ok {
		return invalid(fmt.Errorf("there is no wording %q", wording), "see: cprs eval --help")
	}
	rng := rand.New(rand.NewPCG(seed, 0))
	for _, s := range sets {
		for _, r := range s.Records {
			for i := range r.Queries {
				r.Queries[i].Text = ask(r.Queries[i].Text, rng)
			}
		}
	}
	return nil
}

func parseGates(specs []string) ([]eval.Gate, error) {
	var gates []eval.Gate
	for _, s := range specs {
		g, err := eval.ParseGate(s)
		if err != nil {
			return nil, invalid(err, "for example --gate recall=0.6@0.1")
		}
		gates = append(gates, g)
	}
	return gates, nil
}

// countOn is progressOn for things that are counted one by one.
func countOn(w io.Writer, what string) (show func(done, total int), done func()) {
	show64, done := progressOn(w, what, progressbar.OptionShowCount())
	if show64 == nil {
		return nil, done
	}
	return func(done, total int) { show64(int64(done), int64(total)) }, done
}

func newNeedleCommand() *cobra.Command {
	var f evalFlags
	var lengths, kinds, haystacks []string
	var method string
	grid := needle.Grid{}
	cmd := &cobra.Command{
		Use:   "needle",
		Short: "Measure whether an answer is kept at every depth of texts of every length",
		Long: `Measure whether an answer is kept at every depth of texts of every length.

The cases are generated: needles among distractors, values spread over the text, chains of variables, records, log lines,
and a question without an answer. The same seed gives the same cases.`,
		Example: `  cprs eval needle --lengths 4k,32k,128k --depths 10 --plot needles.svg
  cprs eval needle --kinds single,log --lengths 1m --depths 5 --haystack stories.txt.gz`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			var err error
			if grid.Lengths, err = parseLengths(lengths); err != nil {
				return invalid(err, "for example --lengths 4k,32k,128k")
			}
			for _, k := range kinds {
				grid.Kinds = append(grid.Kinds, needle.Kind(k))
			}
			for _, h := range haystacks {
				texts, err := needle.LoadHaystack(h)
				if err != nil {
					return invalid(err, "give a text file")
				}
				grid.Haystack = append(grid.Haystack, texts...)
			}
			grid.Seed = f.seed
			return f.needle(cmd, method, grid)
		},
	}
	f.register(cmd)
	var all []string
	for _, k := range needle.Kinds() {
		all = append(all, string(k))
	}
	fs := cmd.Flags()
	fs.StringSliceVar(&lengths, "lengths", []string{"4k", "32k", "128k"}, "of the texts in tokens; k and m stand for 1024 and 1048576")
	fs.IntVar(&grid.Depths, "depths", 10, "places of the answer, from the beginning of the text to its end")
	fs.StringSliceVar(&kinds, "kinds", all, "of cases")
	fs.Float64Var(&grid.Share, "budget", 0.1, "share of the tokens that may be kept")
	fs.StringArrayVar(&haystacks, "haystack", nil, "file of texts to hide needles in, also gzipped (default: generated text)")
	fs.StringVar(&method, "method", "cprs", "cprs, or a baseline of cprs eval")
	return cmd
}

func (f *evalFlags) needle(cmd *cobra.Command, method string, grid needle.Grid) error {
	return f.open(cmd.Context(), func(e *engine.Engine, encoder eval.Encoder) error {
		grid.Tokenizer = e.Tokenizer()
		m := eval.Compressor("cprs", e)
		if method != m.Name() {
			baselines, err := eval.Baselines([]string{method}, encoder, f.seed)
			if err != nil {
				return invalid(err, "see: cprs eval needle --help")
			}
			m = baselines[0]
		}
		show, done := countOn(cmd.ErrOrStderr(), "cases")
		grid.Progress = show
		report, err := needle.Run(cmd.Context(), m, grid)
		done()
		if err != nil {
			return err
		}
		f.provenance(&report.Provenance, e)
		return f.print(cmd, report)
	})
}

// parseLengths reads numbers such as 4000, 4k, 1m.
func parseLengths(specs []string) ([]int, error) {
	var out []int
	for _, s := range specs {
		digits, unit := strings.ToLower(s), 1
		if d, ok := strings.CutSuffix(digits, "k"); ok {
			digits, unit = d, 1<<10
		} else if d, ok := strings.CutSuffix(digits, "m"); ok {
			digits, unit = d, 1<<20
		}
		n, err := strconv.Atoi(digits)
		if err != nil || n <= 0 || n > 1<<30/unit {
			return nil, fmt.Errorf("length %q is no number of tokens", s)
		}
		out = append(out, n*unit)
	}
	return out, nil
}
