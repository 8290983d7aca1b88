package graph

import (
	"context"
	"fmt"
	"math"

	"github.com/gomlx/compute"
	gx "github.com/gomlx/gomlx/core/graph"

	"github.com/cprs-go/cprs/core/label"
	"github.com/cprs-go/cprs/core/model/checkpoint"
	"github.com/cprs-go/cprs/core/model/latejoin"
	"github.com/cprs-go/cprs/core/window"
)

// Options configure a Critic. Nil and zero values mean the defaults.
type Options struct {
	// Batch is the most windows of one run, a power of two; 0: 8 on XLA, 1 on pure Go, which gains nothing from more and would
	// notice a cancelled context later. Smaller batches of powers of two are used too, so that few programs are compiled.
	Batch int
}

// Critic is a late-join critic on a backend: a critic.Critic. A program is compiled at the first use of each combination of padded
// header length, padded window length and batch size.
type Critic struct {
	cfg    latejoin.Config
	params *parameters
	encode *program // headers
	judge  *program // windows
	batch  int
}

// Open loads the late-join critic of ckpt, in float32, to run on b. The checkpoint may be closed afterwards; the backend stays the
// caller's and must outlive the critic.
func Open(ckpt *checkpoint.Checkpoint, b compute.Backend, opts *Options) (*Critic, error) {
	cfg, err := latejoin.ParseConfig(ckpt.Config())
	if err != nil {
		return nil, fmt.Errorf("opening the critic %s: %w", ckpt.Name(), err)
	}
	c := &Critic{cfg: cfg, batch: 1}
	switch {
	case opts != nil && opts.Batch != 0:
		c.batch = opts.Batch
	case b.Name() == "xla":
		c.batch = 8
	}
	if c.batch < 1 || c.batch&(c.batch-1) != 0 {
		return nil, fmt.Errorf("a batch of %d windows is no power of two", c.batch)
	}
	if c.params, err = load(ckpt, Shapes(cfg)); err != nil {
		return nil, err
	}
	if c.encode, err = newProgram(b, c.params, c.buildEncode); err == nil {
		c.judge, err = newProgram(b, c.params, c.buildJudge)
	}
	if err != nil {
		return nil, fmt.Errorf("preparing the critic of %s: %w", ckpt.Name(), err)
	}
	return c, nil
}

// buildEncode takes the ids and lengths of headers and gives their states.
func (c *Critic) buildEncode(w Weights, in []*gx.Node) []*gx.Node {
	return []*gx.Node{New(c.cfg).Encode(w, in[0], in[1])}
}

// buildJudge takes the states, lengths and pool of headers, then the ids, lengths, segments and units of windows.
func (c *Critic) buildJudge(w Weights, in []*gx.Node) []*gx.Node {
	m := New(c.cfg)
	v := m.Judge(w,
		Questions{States: in[0], Lengths: in[1], Pool: in[2]},
		Windows{States: m.Encode(w, in[3], in[4]), Lengths: in[4], Segments: in[5], Units: in[6]})
	return []*gx.Node{v.Tags, v.Relevance, v.Similarity}
}

// Close gives the memory of the weights and programs back. No call of Score may be under way.
func (c *Critic) Close() error {
	c.encode.exec.Finalize()
	c.judge.exec.Finalize()
	c.params.free()
	return nil
}

// Score judges windows; see critic.Critic.
func (c *Critic) Score(ctx context.Context, ws []window.Window) ([]label.Scores, error) {
	groups, err := c.group(ws)
	if err != nil {
		return nil, err
	}
	scores := make([]label.Scores, len(ws))
	for _, g := range groups {
		if err := c.scoreGroup(ctx, g, scores); err != nil {
			return nil, err
		}
	}
	return scores, nil
}

// scoreGroup fills the scores of the windows of one header.
func (c *Critic) scoreGroup(ctx context.Context, g *group, scores []label.Scores) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if err := c.ask(g.question); err != nil {
		return fmt.Errorf("encoding a header: %w", err)
	}
	defer g.question.free()
	for rows := range batches(g.rows, c.batch) {
		if err := ctx.Err(); err != nil {
			return err
		}
		out, err := c.run(g.question, rows)
		if err != nil {
			return fmt.Errorf("scoring window %d: %w", rows[0].index, err)
		}
		for i, r := range rows {
			scores[r.index] = out.scores(i, r)
		}
	}
	return nil
}

// ask encodes a header. Its states stay on the backend.
func (c *Critic) ask(q *question) error {
	out, err := c.encode.run(q.ids, q.lengths)
	if err == nil {
		q.states = out[0]
	}
	return err
}

// logits are the results of one run.
type logits struct {
	tags       []float32 // [batch, tokens, 4]
	relevance  []float32 // [batch]
	similarity []float32 // [batch, tokens]
	tokens     int
}

// run judges rows of a question that was asked, padded to the first and longest.
func (c *Critic) run(q *question, rows []*row) (*logits, error) {
	tokens := padded(len(rows[0].ids), windowStep, c.cfg.Encoder.Positions)
	ids, segments := make([][]int32, len(rows)), make([][]int32, len(rows))
	lengths, units := make([]int32, len(rows)), make([]int32, len(rows))
	for i, r := range rows {
		ids[i], segments[i] = pad(r.ids, tokens), pad(r.segments, tokens)
		lengths[i], units[i] = int32(len(r.ids)), r.unit
	}
	out, err := c.judge.run(q.states, q.lengths, q.pool, ids, lengths, segments, units)
	if err != nil {
		return nil, err
	}
	l := &logits{tokens: tokens}
	for i, dst := range []*[]float32{&l.tags, &l.relevance, &l.similarity} {
		if *dst, err = floats(out[i]); err != nil {
			return nil, err
		}
	}
	return l, nil
}

// scores are those of row i of the run.
func (l *logits) scores(i int, r *row) label.Scores {
	s := label.Scores{Probs: make([][4]float32, r.last-r.first), Relevance: sigmoid(l.relevance[i])}
	for t := range s.Probs {
		label.Softmax(s.Probs[t][:], l.tags[4*(i*l.tokens+r.first+t):])
	}
	return s
}

func sigmoid(x float32) float32 { return float32(1 / (1 + math.Exp(-float64(x)))) }
