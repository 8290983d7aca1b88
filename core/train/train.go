// Package train trains late-join critics on labelled spans.
//
//	Recipe + eval.Set        which sources, in which shares, and what is made of their records
//	      │  sample.go       batch i by seed: texts, questions, windows (cut by core/window, as at inference)
//	      │  label.go        spans of evidence → tags, roles of units, positions that do not count
//	      ▼  loss.go         tags + relevance of windows + ranking of units, on core/model/graph
//	    step.go              AdamW with clipping, rates by group, running average of the weights
//	      │
//	      ├─ state.go        everything that a step changes, in one file, so that a killed training goes on exactly
//	      ├─ score.go        development scores through the real pipeline
//	      ├─ log.go          log.csv and plot.svg
//	      └─ export.go       the same batches for another framework; pytorch/train.py reads them
//
// Run is the whole of it. core/train/synth makes records out of nothing; the package stands beside core/engine, whose
// critics it makes.
package train

import (
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"time"

	"github.com/cprs-go/cprs/core"
	"github.com/cprs-go/cprs/core/backend"
	"github.com/cprs-go/cprs/core/eval"
)

// Options say how to train.
type Options struct {
	From   string      // folder of a critic to go on from, or of a BERT encoder to start from; empty: the embedded critic
	Out    string      // folder of the results: best/, last/, state.safetensors, log.csv, plot.svg
	Data   []*eval.Set // to train on
	Dev    []*eval.Set // to choose the best weights by; none: the last are the best
	Recipe *Recipe

	Backend  string // of core/backend; empty: pure Go
	BFloat16 bool   // compute in bfloat16, keep the weights in float32; not on pure Go
	Seed     uint64
	Resume   bool // go on where Out stands

	Steps       int     // of the whole training
	WarmUp      int     // steps in which the rates rise
	BatchTokens int     // of the windows of a step, padding included
	JointRate   float64 // highest rate of the joint layers and the heads
	EncoderRate float64 // highest rate of the encoder's layers
	Frozen      int     // lowest layers of the encoder that stay as they are, with the embeddings; negative: none, not even those
	Ranking     float64 // weight of the ranking of units in the loss
	Average     float64 // of the running average of the weights, for each step; 0: none

	SaveEvery time.Duration // between states
	DevEvery  int           // steps between development scores
	DevPerSet int           // questions of each development set
	Patience  int           // development scores in a row without a new best after which to stop; 0: never
	Limit     time.Duration // stop after that time; 0: never

	// Progress, if set, is told of every step; Scored of every development score.
	Progress func(Progress)
	Scored   func(step int, s Score, best bool)
}

// Progress is one step.
type Progress struct {
	Step, Steps int
	Loss        Loss
	Rate        float64 // of the joint layers
	Tokens      int     // read so far, padding not counted
	PerSecond   float64 // tokens, since the run began
}

// Defaults are Options that suit the embedded critic and most data of a user.
func Defaults() Options {
	return Options{
		Seed: 1, Steps: 1000, WarmUp: 50, BatchTokens: 4096, JointRate: 2e-4, EncoderRate: 5e-5, Frozen: 3, Ranking: 0.25, Average: 0.99,
		SaveEvery: 5 * time.Minute, DevEvery: 200, DevPerSet: 20,
	}
}

func (o *Options) check() error {
	bad := func(message, hint string, args ...any) error {
		return &core.Error{Code: core.CodeInvalidArgument, Message: fmt.Sprintf(message, args...), Hint: hint}
	}
	switch {
	case o.Out == "":
		return bad("there is no folder for the results", "name one with --out")
	case o.BFloat16 && (o.Backend == "" || o.Backend == backend.Go):
		return bad("pure Go does not train in bfloat16", "give an XLA backend, or leave bfloat16 out")
	case o.Steps < 1 || o.WarmUp < 0 || o.DevEvery < 1 || o.DevPerSet < 1 || o.Patience < 0:
		return bad("%d steps, %d of warm-up, a score every %d on %d questions, patience %d", "give positive numbers", o.Steps, o.WarmUp, o.DevEvery, o.DevPerSet, o.Patience)
	case !(o.JointRate >= 0 && o.JointRate < 1 && o.EncoderRate >= 0 && o.EncoderRate < 1):
		return bad("learning rates %v and %v", "give small numbers, for example 2e-4 and 5e-5", o.JointRate, o.EncoderRate)
	case !(o.Ranking >= 0 && o.Ranking <= 10):
		return bad("the weight of the ranking is %v", "give 0 to 10", o.Ranking)
	case !(o.Average >= 0 && o.Average < 1):
		return bad("the running average is %v", "give a number in [0,1), for example 0.99", o.Average)
	}
	return nil
}

// schedule is the share of the highest rates at a step: up in a line, down to nothing in half a cosine.
func (o *Options) schedule(step int) float64 {
	if step < o.WarmUp {
		return float64(step+1) / float64(o.WarmUp+1)
	}
	done := float64(step-o.WarmUp) / float64(max(1, o.Steps-o.WarmUp))
	return 0.5 * (1 + math.Cos(math.Pi*min(1, done)))
}

// open reads what a training starts from, and what its batches are drawn by.
func (o *Options) open() (*start, *sampler, error) {
	if o.BatchTokens < 64 || o.BatchTokens > 1<<22 {
		return nil, nil, &core.Error{Code: core.CodeInvalidArgument, Message: fmt.Sprintf("a batch of %d tokens", o.BatchTokens), Hint: "give 64 to 4194304"}
	}
	s, err := openStart(o.From, o.Seed)
	if err != nil {
		return nil, nil, err
	}
	samples, err := newSampler(o.Recipe, o.Data, s.cfg, s.tok, o)
	return s, samples, err
}

// Run trains until the steps are done, ctx ends, the time is over or patience is. The folder Out/best then holds the critic that scored
// best. A training that ended early goes on with Resume.
func Run(ctx context.Context, opt Options) (err error) {
	if err := opt.check(); err != nil {
		return err
	}
	start, samples, err := opt.open()
	if err != nil {
		return err
	}
	if err := os.MkdirAll(opt.Out, 0o755); err != nil {
		return err
	}
	b, err := backend.Open(opt.Backend)
	if err != nil {
		return &core.Error{Code: core.CodeInvalidArgument, Message: fmt.Sprintf("the backend %q cannot be opened", opt.Backend), Hint: "leave --backend out for pure Go", Err: err}
	}
	defer b.Finalize()
	o, err := newOptimizer(b, start.cfg, start.weights, &opt)
	if err != nil {
		return fmt.Errorf("preparing the training: %w", err)
	}
	defer o.close()
	t := &trainer{opt: &opt, start: start, samples: samples, optimizer: o}
	t.state = state{Print: t.fingerprint(), Best: -1}
	if err := t.resume(); err != nil {
		return err
	}
	if t.log, err = openLog(opt.Out, t.state.Step); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, t.log.close()) }()
	return t.run(ctx)
}

// trainer is a training under way.
type trainer struct {
	opt       *Options
	start     *start
	samples   *sampler
	optimizer *optimizer
	state     state
	log       *csvLog

	began  time.Time
	tokens int // since began
}

// drawn is a batch that is ready.
type drawn struct {
	batch *batch
	err   error
}

// run makes steps. The next batch is drawn while one is computed.
func (t *trainer) run(ctx context.Context) error {
	t.began = time.Now()
	saved := t.began
	next := t.draw(t.state.Step)
	for !t.done() && ctx.Err() == nil {
		if t.state.Step < t.opt.Steps && !t.due() { // due at once: an interruption came between a step and its score
			d := <-next
			if d.err != nil {
				return d.err
			}
			next = t.draw(t.state.Step + 1)
			if err := t.step(d.batch); err != nil {
				return err
			}
		}
		if t.due() {
			if err := t.score(ctx); err != nil && ctx.Err() == nil {
				return err
			}
		}
		if t.done() || ctx.Err() != nil || time.Since(saved) > t.opt.SaveEvery {
			if err := t.save(); err != nil {
				return err
			}
			saved = time.Now()
		}
	}
	if err := t.log.plot(filepath.Join(t.opt.Out, "plot.svg")); err != nil {
		return err
	}
	return ctx.Err()
}

// over reports whether there is a reason to make no more steps.
func (t *trainer) over() bool {
	return t.state.Step >= t.opt.Steps || t.opt.Limit > 0 && time.Since(t.began) > t.opt.Limit || t.opt.Patience > 0 && t.state.Worse >= t.opt.Patience
}

// due reports whether a score is to be made before the next step.
func (t *trainer) due() bool {
	return t.state.Step > 0 && t.state.Scored < t.state.Step && (t.state.Step%t.opt.DevEvery == 0 || t.over())
}

func (t *trainer) done() bool { return t.over() && !t.due() }

func (t *trainer) draw(i int) <-chan drawn {
	out := make(chan drawn, 1)
	go func() {
		b, err := t.samples.batch(i)
		out <- drawn{b, err}
	}()
	return out
}

// step trains on one batch and tells of it.
func (t *trainer) step(b *batch) error {
	rate := t.opt.schedule(t.state.Step) * t.opt.JointRate
	loss, err := t.optimizer.step(t.state.Step, b)
	if err != nil {
		return fmt.Errorf("step %d: %w", t.state.Step+1, err)
	}
	if math.IsNaN(loss.Total) || math.IsInf(loss.Total, 0) || math.IsNaN(loss.Norm) {
		return &core.Error{Code: core.CodeInvalidArgument, Message: fmt.Sprintf("step %d: the loss is %v", t.state.Step+1, loss.Total), Hint: "go on from the last state with lower rates"}
	}
	t.state.Step++
	t.state.Tokens += b.tokens
	t.tokens += b.tokens
	p := Progress{
		Step: t.state.Step, Steps: t.opt.Steps, Loss: loss, Rate: rate, Tokens: t.state.Tokens,
		PerSecond: float64(t.tokens) / time.Since(t.began).Seconds(),
	}
	if err := t.log.step(p); err != nil {
		return err
	}
	if t.opt.Progress != nil {
		t.opt.Progress(p)
	}
	return nil
}
