// Package hybrid is the paper's critic for GoMLX: Qwen2 whose lower layers are causal and whose upper layers see the whole window, with
// a head that gives each token the logits of B, I, O and E. It runs on every backend that core/backend opens.
//
//	header ids + window ids ─► embeddings ─► causal layers ─► bidirectional layers ─┬─► B I O E of every token
//	                                                                                 └─► words of the vocabulary, if asked
//
// Model builds the graph; Critic implements critic.Critic with it: windows in batches of a few padded lengths, on one or more devices
// of a host, weights moved to each straight from the mapped checkpoint. The package stands beside core/model/latejoin, above core/backend
// and core/model/checkpoint.
//
// What is scored follows the released code: the tags alone decide. Where Options ask for categories and the checkpoint has the word head,
// the decision space is the paper's, tags times words: a token is kept as a tag other than O together with the first token of a category's
// word, or dropped as O together with "outside"; mixtures of both are ruled out.
package hybrid

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"

	"github.com/cprs-go/cprs/core/critic"
	"github.com/cprs-go/cprs/core/label"
	"github.com/cprs-go/cprs/core/model/checkpoint"
	"github.com/cprs-go/cprs/core/window"
)

// DefaultWindow is the number of ids that the released model reads at a time.
const DefaultWindow = 8192

// Precision is the type of activations.
type Precision string

// The precisions. F16 is what the released server computes with.
const (
	F32  Precision = "f32"
	F16  Precision = "f16"
	BF16 Precision = "bf16"
)

var precisions = map[Precision]dtypes.DType{F32: dtypes.Float32, F16: dtypes.Float16, BF16: dtypes.BFloat16}

// Options set up a Critic. Nil and zero values mean the defaults.
type Options struct {
	Precision    Precision // empty: F32, on CUDA BF16
	WindowTokens int       // most ids of a row, header and text; 0: 8192, or what the model's positions allow
	// BatchTokens is about how many ids, padding included, go through a device at a time, but at least one window. 0: one window; on
	// CUDA as many short ones as make up a full one. A device that is short of memory gets less by itself.
	BatchTokens int
	// Devices is how many devices of the backend work side by side, each with its own copy of the weights. 0: all on CUDA, else 1,
	// since there they share the processor.
	Devices    int
	Categories bool // read the word head, where headers carry categories

	// Progress, if set, is told how many bytes of weights have been moved. Calls come one at a time.
	Progress func(done, total int64)
}

// Critic is a hybrid critic on a backend. It is safe for concurrent use.
type Critic struct {
	cfg     Config
	opt     Options
	devices chan runner // those that are idle
	all     []runner
	limit   atomic.Int64 // most ids of a batch
}

var _ critic.Critic = (*Critic)(nil)

// Open moves the critic of ckpt to the devices of b. The checkpoint may be closed afterwards; the backend stays the caller's and must
// outlive the critic.
func Open(ckpt *checkpoint.Checkpoint, b compute.Backend, opts *Options) (*Critic, error) {
	cfg, err := ParseConfig(ckpt.Config())
	if err != nil {
		return nil, fmt.Errorf("opening the critic %s: %w", ckpt.Name(), err)
	}
	var o Options
	if opts != nil {
		o = *opts
	}
	if err := o.complete(&cfg, b); err != nil {
		return nil, fmt.Errorf("opening the critic %s: %w", ckpt.Name(), err)
	}
	if _, ok := ckpt.Tensor(wordHead); o.Categories && !ok && !cfg.Tied {
		return nil, fmt.Errorf("opening the critic %s: categories need the tensor %q, which it does not have", ckpt.Name(), wordHead)
	}
	params, err := load(ckpt, &cfg, b, &o)
	if err != nil {
		return nil, err
	}
	runners, err := newDevices(&Model{Config: cfg, DType: precisions[o.Precision]}, b, params)
	if err != nil {
		free(params)
		return nil, fmt.Errorf("preparing the critic of %s: %w", ckpt.Name(), err)
	}
	return newCritic(cfg, o, runners), nil
}

// complete fills in the defaults and checks the rest.
func (o *Options) complete(cfg *Config, b compute.Backend) error {
	if o.Precision == "" {
		o.Precision = F32
		if isCUDA(b) {
			o.Precision = BF16
		}
	}
	if o.WindowTokens == 0 {
		o.WindowTokens = min(DefaultWindow, cfg.Positions)
	}
	if o.BatchTokens == 0 {
		o.BatchTokens = 1
		if isCUDA(b) {
			o.BatchTokens = o.WindowTokens
		}
	}
	if o.Devices == 0 {
		o.Devices = 1
		if isCUDA(b) {
			o.Devices = b.NumDevices()
		}
	}
	_, known := precisions[o.Precision]
	switch {
	case !known:
		return fmt.Errorf("there is no precision %q: want f32, f16 or bf16", o.Precision)
	case o.WindowTokens < 1 || o.WindowTokens > cfg.Positions:
		return fmt.Errorf("windows of %d ids: the model has %d positions", o.WindowTokens, cfg.Positions)
	case o.BatchTokens < 1:
		return fmt.Errorf("batches of %d ids", o.BatchTokens)
	case o.Devices < 1 || o.Devices > b.NumDevices():
		return fmt.Errorf("%d devices: the backend has %d", o.Devices, b.NumDevices())
	}
	return nil
}

func newCritic(cfg Config, o Options, runners []runner) *Critic {
	c := &Critic{cfg: cfg, opt: o, all: runners, devices: make(chan runner, len(runners))}
	c.limit.Store(int64(o.BatchTokens))
	for _, r := range runners {
		c.devices <- r
	}
	return c
}

// Config is the shape of the critic.
func (c *Critic) Config() Config { return c.cfg }

// Options are those of Open, with the defaults filled in.
func (c *Critic) Options() Options { return c.opt }

// ID says what the critic is, for example "hybrid-qwen2-21+7x3584-f32".
func (c *Critic) ID() string { return c.cfg.ID() + "-" + string(c.opt.Precision) }

// ID says what a critic of this shape is, for example "hybrid-qwen2-21+7x3584".
func (c *Config) ID() string {
	return fmt.Sprintf("hybrid-qwen2-%d+%dx%d", c.CausalLayers(), c.Layers-c.CausalLayers(), c.Hidden)
}

// Close gives the memory of weights and programs back. No call of Score may be under way.
func (c *Critic) Close() error {
	var errs []error
	for _, r := range c.all {
		errs = append(errs, r.close())
	}
	return errors.Join(errs...)
}

// Logits are the logits of the tags of one row, [tokens][tags].
type Logits [][]float32

// Logits gives the logits of whole rows of ids, in order. They may be longer than a window, as long as the model has positions.
func (c *Critic) Logits(ctx context.Context, ids [][]int32) ([]Logits, error) {
	rows := make([]*row, len(ids))
	for i, r := range ids {
		rows[i] = &row{index: i, ids: r}
	}
	for _, r := range rows {
		if err := c.check(r, c.cfg.Positions); err != nil {
			return nil, fmt.Errorf("row %d: %w", r.index, err)
		}
	}
	if err := c.forward(ctx, rows); err != nil {
		return nil, err
	}
	out, tags := make([]Logits, len(rows)), len(c.cfg.Labels)
	for i, r := range rows {
		for t := range r.ids {
			out[i] = append(out[i], r.tags[t*tags:(t+1)*tags])
		}
	}
	return out, nil
}

// Score judges windows; see critic.Critic. The scores of a window depend on its row alone, whatever is read beside it and on how many
// devices. Only another BatchTokens, or less of it for want of memory, may round differently: logits stay within 1e-5 (f32).
func (c *Critic) Score(ctx context.Context, ws []window.Window) ([]label.Scores, error) {
	rows := make([]*row, len(ws))
	for i := range ws {
		r, err := c.row(&ws[i], i)
		if err == nil {
			err = c.check(r, c.opt.WindowTokens)
		}
		if err != nil {
			return nil, fmt.Errorf("scoring window %d, bytes %d to %d of document %d: %w", i, ws[i].Range.Start, ws[i].Range.End, ws[i].Doc, err)
		}
		rows[i] = r
	}
	if err := c.forward(ctx, rows); err != nil {
		return nil, err
	}
	out := make([]label.Scores, len(ws))
	for i, r := range rows {
		out[i] = c.scores(r)
	}
	return out, nil
}

// forward fills the logits of rows, on all devices that are idle.
func (c *Critic) forward(ctx context.Context, rows []*row) error {
	jobs := c.jobs(rows)
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var next atomic.Int64
	var wg sync.WaitGroup
	for range min(len(c.all), len(jobs)) {
		wg.Go(func() {
			for ctx.Err() == nil {
				i := int(next.Add(1)) - 1
				if i >= len(jobs) {
					return
				}
				select {
				case <-ctx.Done():
				case d := <-c.devices:
					err := c.run(ctx, d, jobs[i])
					c.devices <- d
					if err != nil {
						cancel(fmt.Errorf("scoring window %d: %w", jobs[i].rows[0].index, err))
					}
				}
			}
		})
	}
	wg.Wait()
	return context.Cause(ctx)
}

// run computes a job. Where the device's memory is short, this job and later ones go in smaller batches.
func (c *Critic) run(ctx context.Context, d runner, j job) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if j.size > 1 && int64(j.size*j.tokens) > c.limit.Load() {
		return c.split(ctx, d, j)
	}
	out, err := d.run(j.batch())
	if errors.Is(err, ErrOutOfMemory) && j.size > 1 {
		c.limit.Store(min(c.limit.Load(), int64(j.size/2*j.tokens)))
		return c.split(ctx, d, j)
	}
	if err != nil {
		return err
	}
	return j.take(out, len(c.cfg.Labels))
}

// split computes a job in batches of the size that memory allows now.
func (c *Critic) split(ctx context.Context, d runner, j job) error {
	for _, smaller := range c.jobs(j.rows) {
		if err := c.run(ctx, d, smaller); err != nil {
			return err
		}
	}
	return nil
}

// scores turns logits into probabilities. Released behaviour: those of the tags. With categories: of the pairs of tag and word that
// go together, the probability of the tags, and for each token that of the categories given that it is kept.
func (c *Critic) scores(r *row) label.Scores {
	tags, n := len(c.cfg.Labels), r.last-r.first
	s := label.Scores{Probs: make([][4]float32, n)}
	for t := range s.Probs {
		label.Softmax(s.Probs[t][:tags], r.tags[(r.first+t)*tags:])
	}
	if len(r.words) == 0 {
		return s
	}
	s.Categories = make([][]float32, n)
	words := make([]float32, len(r.words))
	for t := range s.Probs {
		label.Softmax(words, r.wordLogits[(r.first+t)*r.width:]) // the first is "outside"
		p := &s.Probs[t]
		total := p[label.Outside]*words[0] + (1-p[label.Outside])*(1-words[0])
		if total > 0 {
			for tag := range p {
				share := 1 - words[0]
				if label.Tag(tag) == label.Outside {
					share = words[0]
				}
				p[tag] *= share / total
			}
		}
		kept := make([]float32, len(words)-1)
		label.Softmax(kept, r.wordLogits[(r.first+t)*r.width+1:])
		s.Categories[t] = kept
	}
	return s
}

// isCUDA reports whether b runs on NVIDIA's GPUs.
func isCUDA(b compute.Backend) bool {
	g, ok := b.(interface{ IsCUDA() bool })
	return ok && g.IsCUDA()
}
