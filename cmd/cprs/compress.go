package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/schollz/progressbar/v3"
	"github.com/spf13/cobra"

	"github.com/cprs-go/cprs/cmd/cprs/internal/report"
	"github.com/cprs-go/cprs/core"
	"github.com/cprs-go/cprs/core/engine"
	"github.com/cprs-go/cprs/core/source"
	"github.com/cprs-go/cprs/core/tokenizer"
	"github.com/cprs-go/cprs/core/wire"
)

// compressFlags are the flags of cprs compress.
type compressFlags struct {
	req       core.Request
	unit, gap string
	pins      []string
	format    string
	output    string
	hidden    bool
	quiet     bool
	verbose   bool
	timeout   time.Duration
	engine    engine.Options
}

func newCompressCommand() *cobra.Command {
	var f compressFlags
	cmd := &cobra.Command{
		Use:   "compress -i INSTRUCTION [FILE|FOLDER|GLOB|-]...",
		Short: "Keep what the instruction asks for of files, folders or standard input",
		Long: `Keep what the instruction asks for of files, folders or standard input.

Without a bound the critic's own threshold decides. --max-tokens or --ratio fills the bound with the best units; with --threshold
too, only units that reach it are kept. Folders are read with their .gitignore; a glob may hold **; FILE:10-20 means lines.

Exit status: 0 done, 1 fault, 2 wrong use, 3 nothing relevant, 130 interrupted.`,
		Example: `  cprs compress -i "What does the contract say about termination?" contract.txt
  cprs compress -i "why did the job fail?" --max-tokens 400 --pin @errors build.log
  cprs compress -i "error handling" --ratio 0.1 'src/**/*.go'
  cprs compress -i "rent increases" --explain --format html -o lease.html lease.txt
  git log -p | cprs compress -i "changes of the retry policy" --unit line -`,
		RunE: func(cmd *cobra.Command, args []string) error { return f.run(cmd, args) },
	}
	fs := cmd.Flags()
	fs.StringVarP(&f.req.Instruction, "instruction", "i", "", "what to keep, in plain words")
	fs.StringVarP(&f.req.Query, "query", "q", "", "the question that the kept text must answer")
	fs.StringVar(&f.unit, "unit", "auto", "grain of what is kept: auto, phrase, sentence, line or paragraph")
	fs.IntVar(&f.req.Budget.MaxTokens, "max-tokens", 0, "most tokens of the result; never exceeded")
	fs.Float64Var(&f.req.Budget.Ratio, "ratio", 0, "the same as a share of the input, in (0,1]")
	fs.Float64Var(&f.req.Budget.Threshold, "threshold", 0, "least score of what is kept, in [0,1]")
	fs.StringArrayVar(&f.pins, "pin", nil, "regular expression, or @errors, @numbers, @headings: matching text is never dropped")
	fs.BoolVar(&f.req.Explain, "explain", false, "show every unit with its score, kept or not")
	fs.StringVar(&f.format, "format", "text", "text, json or html")
	fs.StringVar(&f.gap, "gap", "ellipsis", "mark where text was left out: ellipsis, lines, none or labels (name and lines)")
	fs.BoolVar(&f.req.NoLabels, "no-labels", false, "do not keep the heading, columns, speaker, section or function that a kept part belongs to")
	fs.StringVarP(&f.output, "output", "o", "", "file to write; default: standard output")
	fs.DurationVar(&f.timeout, "timeout", 0, "longest time of the reading, after which what has been read is the answer; default: none")
	fs.BoolVar(&f.hidden, "hidden", false, "also read hidden files of folders")
	fs.BoolVar(&f.quiet, "quiet", false, "no summary on a terminal")
	fs.BoolVarP(&f.verbose, "verbose", "v", false, "a summary even without a terminal, and all files that were skipped")
	engineFlags(cmd, &f.engine)
	completeNames(cmd)
	return cmd
}

// engineFlags are the flags of all commands that open a critic.
func engineFlags(cmd *cobra.Command, o *engine.Options) {
	fs := cmd.Flags()
	fs.StringVar(&o.CriticDir, "critic", "", "folder of a critic; default: the embedded one")
	fs.StringVar(&o.Backend, "backend", "go", "go, xla:cpu or xla:cuda")
	fs.IntVar(&o.Workers, "workers", 0, "most goroutines that compute at a time; default: one per processor")
	fs.StringVar(&o.Hybrid.Precision, "precision", "", precisionHelp)
	fs.IntVar(&o.Hybrid.WindowTokens, "window-tokens", 0, "most tokens of a hybrid critic's window; default: 8192")
	fs.IntVar(&o.Hybrid.BatchTokens, "batch-tokens", 0, "tokens that a hybrid critic reads at a time on a device; default: one window, on CUDA short ones together")
	fs.IntVar(&o.Hybrid.Devices, "devices", 0, "devices that a hybrid critic uses side by side; default: all GPUs")
	fs.StringSliceVar(&o.Hybrid.Categories, "category", nil, "word that a hybrid critic may sort kept text under; may be repeated")
	fs.BoolVar(&o.Hybrid.Categorise, "categorise", false, "sort kept text under the words of the instruction, as in: tag the needles with 'needle'")
}

// openEngine opens a critic, with its progress on a terminal: a large one takes its time.
func openEngine(ctx context.Context, o engine.Options, stderr io.Writer) (*engine.Engine, error) {
	show, done := progressOn(stderr, "loading", progressbar.OptionShowBytes(true))
	defer done()
	o.Loading = show
	return engine.Open(ctx, &o)
}

func completeNames(cmd *cobra.Command) {
	for flag, names := range completions {
		if cmd.Flags().Lookup(flag) != nil {
			cmd.RegisterFlagCompletionFunc(flag, cobra.FixedCompletions(names, cobra.ShellCompDirectiveNoFileComp))
		}
	}
}

func (f *compressFlags) run(cmd *cobra.Command, args []string) (err error) {
	if err := f.parse(cmd, &args); err != nil {
		return err
	}
	ctx, stderr := cmd.Context(), cmd.ErrOrStderr()
	stdin := cmd.InOrStdin()
	if slices.Contains(args, "-") { // else its content is not ours to take
		stdin = interruptible(ctx, stdin)
	}
	docs, skipped, err := source.Files(ctx, args, stdin, &source.Options{Hidden: f.hidden})
	for _, s := range skipped {
		if expected := s.Reason == source.Ignored || s.Reason == source.Hidden; !expected || f.verbose {
			warn(stderr, "%s was skipped: %s", s.Path, s.Reason)
		}
	}
	if err != nil {
		return err
	}
	f.req.Documents = docs
	if err := f.checkOutput(); err != nil {
		return err
	}
	e, err := openEngine(ctx, f.engine, stderr)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, e.Close()) }()
	res, err := f.compress(ctx, e, stderr)
	if err != nil {
		return err
	}
	for _, w := range res.Warnings {
		warn(stderr, "%s", w)
	}
	if err := f.write(cmd, e, res); err != nil {
		return err
	}
	if f.verbose || isTerminal(stderr) && !f.quiet {
		fmt.Fprintln(stderr, summary(res))
	}
	if res.Status == core.NothingRelevant {
		return errNothingRelevant
	}
	return nil
}

// parse turns names into values and refuses what makes no sense before anything is read.
func (f *compressFlags) parse(cmd *cobra.Command, args *[]string) (err error) {
	if f.req.Unit, err = wire.ParseUnit(f.unit); err != nil {
		return err
	}
	if f.req.Gap, err = wire.ParseGap(f.gap); err != nil {
		return err
	}
	for _, s := range f.pins {
		pin, err := wire.ParsePin(s)
		if err != nil {
			return err
		}
		f.req.Pins = append(f.req.Pins, pin)
	}
	switch f.format {
	case "html":
		f.req.Explain = true
	case "text", "json":
	default:
		return invalid(fmt.Errorf("there is no format %q", f.format), "give text, json or html")
	}
	for _, name := range []string{"max-tokens", "ratio"} {
		if cmd.Flags().Changed(name) && (f.req.Budget.MaxTokens == 0 && f.req.Budget.Ratio == 0) {
			return invalid(fmt.Errorf("--%s is 0", name), "give a number above 0, or leave it out for no bound")
		}
	}
	if f.timeout < 0 {
		return invalid(fmt.Errorf("--timeout is %v", f.timeout), "give a time such as 30s, or leave it out for no limit")
	}
	if len(*args) == 0 {
		if isTerminal(cmd.InOrStdin()) {
			return invalid(errors.New("there is nothing to read"), "name a file or a folder, or pipe text into cprs")
		}
		*args = []string{"-"}
	}
	return core.Check(&f.req)
}

func (f *compressFlags) compress(ctx context.Context, e *engine.Engine, stderr io.Writer) (*core.Result, error) {
	show, done := progressOn(stderr, "reading", progressbar.OptionShowBytes(true))
	defer done()
	f.req.Progress = show
	if f.timeout == 0 {
		return e.Compress(ctx, f.req)
	}
	ctx, cancel := context.WithTimeout(ctx, f.timeout)
	defer cancel()
	res, err := e.Compress(ctx, f.req)
	if err == nil && res.Status == core.Partial {
		res.Warnings = append(res.Warnings, fmt.Sprintf("--timeout %v stopped the reading: %s", f.timeout, unread(&f.req, res)))
	}
	return res, err
}

// unread says how much of a request's text was not read.
func unread(req *core.Request, res *core.Result) string {
	left, total := 0, 0
	for _, s := range res.Unread {
		left += s.End - s.Start
	}
	for _, d := range req.Documents {
		total += len(d.Text)
	}
	return fmt.Sprintf("%d of %d bytes were not read", left, total)
}

// checkOutput refuses to overwrite what is read.
func (f *compressFlags) checkOutput() error {
	out, err := os.Stat(f.output)
	if err != nil {
		return nil
	}
	for _, d := range f.req.Documents {
		ref, _ := source.ParseRef(d.ID)
		for _, name := range []string{d.ID, ref.Path} {
			if in, err := os.Stat(name); err == nil && os.SameFile(in, out) {
				return invalid(fmt.Errorf("--output %s is one of the files to read", f.output), "name another file")
			}
		}
	}
	return nil
}

// write renders res to standard output, or to the file that the flags name.
func (f *compressFlags) write(cmd *cobra.Command, e *engine.Engine, res *core.Result) error {
	if f.output == "" {
		return f.render(cmd.OutOrStdout(), e, res)
	}
	file, err := os.Create(f.output)
	if err != nil {
		return err
	}
	return errors.Join(f.render(file, e, res), file.Close())
}

func (f *compressFlags) render(w io.Writer, e *engine.Engine, res *core.Result) error {
	switch {
	case f.format == "json":
		return wire.Write(w, wire.NewResult(nil, f.req.Documents, res))
	case f.format == "html":
		return report.Page(w, &f.req, res, func(s string) int { return tokenizer.Count(e.Tokenizer(), s) })
	case f.req.Explain:
		return report.Table(w, f.req.Documents, res, columns(w))
	}
	_, err := io.WriteString(w, res.Text)
	if err == nil && res.Text != "" && !strings.HasSuffix(res.Text, "\n") {
		_, err = io.WriteString(w, "\n")
	}
	return err
}
