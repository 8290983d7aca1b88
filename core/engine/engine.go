// Package engine joins a checkpoint, a compute backend and the pipeline to one Compressor that is ready to use.
//
// Open(ctx, nil) gives the embedded critic on the pure-Go kernels: no file, no download, no cgo. Everything above, the
// commands and the adapters, starts here.
package engine

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/cprs-go/cprs/core"
	"github.com/cprs-go/cprs/core/backend"
	"github.com/cprs-go/cprs/core/critic"
	"github.com/cprs-go/cprs/core/kernel"
	"github.com/cprs-go/cprs/core/model/checkpoint"
	"github.com/cprs-go/cprs/core/model/embedded"
	"github.com/cprs-go/cprs/core/model/graph"
	"github.com/cprs-go/cprs/core/model/latejoin"
	"github.com/cprs-go/cprs/core/tokenizer"
	"github.com/cprs-go/cprs/core/tokenizer/wordpiece"
)

// Go is the name of the default backend: pure Go.
const Go = "go"

// defaultThreshold is the least score of a kept unit where neither request nor checkpoint say: the critics are trained to put
// one half between what is asked for and what is not.
const defaultThreshold = 0.5

// Options choose critic and backend. Nil and zero values mean the defaults.
type Options struct {
	CriticDir  string // folder of a checkpoint; empty: the embedded critic
	Backend    string // "go", "xla:cpu" or "xla:cuda"; empty: "go"
	Workers    int    // most goroutines that compute at a time; 0: one per processor
	CacheBytes int64  // for the states of texts that may be asked about again; 0: 256 MiB, negative: none
}

// Info says what an Engine is made of.
type Info struct {
	Critic    string   // id, for example "late-join-6+2x384-int8"
	Hash      string   // SHA-256 of the critic's configuration and weights, in hex
	Tokenizer string   // that counts budgets
	Backend   string   // "go", "xla:cpu" or "xla:cuda"
	Kernel    string   // level of the pure-Go kernels: "avx512-vnni", "avx2" or "portable"
	Features  []string // of the processor that the kernels can use
	Threshold float64  // least score of a kept unit where a request sets no budget
}

// Engine is a Compressor with its critic. It is safe for concurrent use.
type Engine struct {
	*core.Pipeline
	info  Info
	tok   tokenizer.Tokenizer
	cache critic.Caching // nil: the critic keeps nothing
	close []func() error // in order
}

// Open loads the critic and prepares the backend. It fails with an *core.Error.
func Open(ctx context.Context, opts *Options) (*Engine, error) {
	var o Options
	if opts != nil {
		o = *opts
	}
	if o.Backend == "" {
		o.Backend = Go
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	e := &Engine{info: Info{Backend: o.Backend, Kernel: kernel.Level(), Features: kernel.Features(), Threshold: defaultThreshold}}
	if err := e.open(o); err != nil {
		return nil, errors.Join(fault(o, err), e.Close())
	}
	return e, nil
}

// fault makes an error of open one that a caller can act on.
func fault(o Options, err error) error {
	var known *core.Error
	if errors.As(err, &known) {
		return err
	}
	what, hint := "the embedded critic cannot be loaded", "install cprs anew: its file is damaged"
	if o.CriticDir != "" {
		what, hint = fmt.Sprintf("the critic in %s cannot be loaded", o.CriticDir), "give the folder of a critic: config.json, model.safetensors, tokenizer.json"
	}
	return &core.Error{Code: core.CodeCriticFailed, Message: what, Hint: hint, Err: err}
}

func (e *Engine) open(o Options) error {
	m, tok, ckpt, err := load(o.CriticDir)
	if err != nil {
		return err
	}
	defer ckpt.Close()
	layout, err := m.Layout(tok)
	if err != nil {
		return err
	}
	var c critic.Critic
	if o.Backend == Go {
		c = latejoin.New(m, &latejoin.Options{Workers: o.Workers, CacheBytes: o.CacheBytes})
	} else if c, err = e.graph(o.Backend, ckpt); err != nil {
		return err
	}
	e.tok = tok
	e.cache, _ = c.(critic.Caching)
	e.info.Critic, e.info.Hash, e.info.Tokenizer = m.ID(), m.Hash(), tok.Name()
	e.Pipeline = core.NewPipeline(core.PipelineOptions{
		Critic: c, Layout: layout, Tokenizer: tok, ID: m.ID(), Hash: m.Hash(), Threshold: defaultThreshold, Fusion: m.Fusion(),
	})
	return nil
}

// load reads the critic in dir, or the embedded one. The checkpoint is the caller's to close.
func load(dir string) (*latejoin.Model, *wordpiece.Tokenizer, *checkpoint.Checkpoint, error) {
	if dir == "" {
		m, tok, err := embedded.Load()
		if err != nil {
			return nil, nil, nil, err
		}
		ckpt, err := embedded.Checkpoint()
		return m, tok, ckpt, err
	}
	text, err := os.ReadFile(filepath.Join(dir, "tokenizer.json"))
	if err != nil {
		return nil, nil, nil, err
	}
	tok, err := wordpiece.Parse(text)
	if err != nil {
		return nil, nil, nil, fmt.Errorf("reading tokenizer.json: %w", err)
	}
	ckpt, err := checkpoint.Open(dir)
	if err != nil {
		return nil, nil, nil, err
	}
	m, err := latejoin.Load(ckpt, "")
	if err != nil {
		return nil, nil, nil, errors.Join(err, ckpt.Close())
	}
	return m, tok, ckpt, nil
}

// graph is the critic of ckpt on a GoMLX backend.
func (e *Engine) graph(name string, ckpt *checkpoint.Checkpoint) (critic.Critic, error) {
	b, err := backend.Open(name)
	if err != nil {
		return nil, &core.Error{Code: core.CodeInvalidArgument, Message: fmt.Sprintf("the backend %q cannot be opened", name), Hint: "leave --backend out for pure Go", Err: err}
	}
	e.close = append(e.close, func() error { b.Finalize(); return nil })
	c, err := graph.Open(ckpt, b, nil)
	if err != nil {
		return nil, err
	}
	e.close = append([]func() error{c.Close}, e.close...)
	return c, nil
}

// Info says what e is made of.
func (e *Engine) Info() Info { return e.info }

// Tokenizer is the critic's tokenizer, which counts the budgets.
func (e *Engine) Tokenizer() tokenizer.Tokenizer { return e.tok }

// CacheStats are the figures of what the critic keeps of texts that may be asked about again; all zero if it keeps nothing.
func (e *Engine) CacheStats() critic.CacheStats {
	if e.cache == nil {
		return critic.CacheStats{}
	}
	return e.cache.CacheStats()
}

// Close gives back what the backend holds. No call of Compress may be under way.
func (e *Engine) Close() error {
	var errs []error
	for _, f := range e.close {
		errs = append(errs, f())
	}
	e.close = nil
	return errors.Join(errs...)
}
