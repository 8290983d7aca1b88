// Package engine joins a checkpoint, a compute backend and the pipeline to one Compressor that is ready to use.
//
// Open(ctx, nil) gives the embedded critic on the pure-Go kernels: no file, no download, no cgo. A folder may hold another critic of
// its kind, or a hybrid one, the paper's; config.json says which. Everything above, the commands and the adapters, starts here.
package engine

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/gomlx/compute"

	"github.com/cprs-go/cprs/core"
	"github.com/cprs-go/cprs/core/backend"
	"github.com/cprs-go/cprs/core/compat"
	"github.com/cprs-go/cprs/core/critic"
	"github.com/cprs-go/cprs/core/kernel"
	"github.com/cprs-go/cprs/core/model/checkpoint"
	"github.com/cprs-go/cprs/core/model/embedded"
	"github.com/cprs-go/cprs/core/model/graph"
	"github.com/cprs-go/cprs/core/model/hybrid"
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
	Hybrid     Hybrid // for critics of the paper's kind
	// Loading, if set, is told how many bytes of a hybrid critic's weights have been moved to the devices.
	Loading func(done, total int64)
	Compat  bool // have a hybrid critic work as the released code does, defects included: for parity, not for use
}

// Hybrid are the options of hybrid critics.
type Hybrid struct {
	Precision    string // of activations: "f32", "f16" or "bf16"; empty: "f32", on CUDA "bf16"
	WindowTokens int    // most tokens of a window, instruction and query included; 0: 8192, or what the model allows
	BatchTokens  int    // about how many tokens go through a device at a time, at least one window; 0: one window, on CUDA short ones together
	Devices      int    // devices of the backend that work side by side, each with a copy of the weights; 0: all on CUDA, else 1

	// Categorise has spans carry the category that an instruction names, as in "tag the needles with 'needle'", or one of
	// Categories; the critic then reads its word head too. Categories alone switches it on.
	Categorise bool
	Categories []string
}

// Info says what an Engine is made of.
type Info struct {
	Critic    string   // id, for example "late-join-6+2x384-int8" or "hybrid-qwen2-21+7x3584-bf16"
	Hash      string   // SHA-256 of the critic's configuration and weights, in hex
	Tokenizer string   // that counts budgets
	Backend   string   // "go", "xla:cpu" or "xla:cuda"
	Kernel    string   // level of the pure-Go kernels: "amx", "avx512-vnni", "avx2" or "portable"
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

	released *compat.Pipeline  // nil without Options.Compat
	flops    func(int) float64 // of a row of so many ids; nil if nobody counts them
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
	if o.CriticDir == "" {
		m, tok, err := embedded.Load()
		if err != nil {
			return err
		}
		ckpt, err := embedded.Checkpoint()
		if err != nil {
			return err
		}
		return e.openLateJoin(o, ckpt, m, tok)
	}
	kind, err := checkpoint.ModelType(o.CriticDir)
	if err != nil {
		return err
	}
	if kind != latejoin.ModelType && kind != hybrid.ModelType {
		return fmt.Errorf("its model_type is %q, neither %s nor %s", kind, latejoin.ModelType, hybrid.ModelType)
	}
	tokenizerJSON, err := os.ReadFile(filepath.Join(o.CriticDir, "tokenizer.json"))
	if err != nil {
		return err
	}
	ckpt, err := checkpoint.Open(o.CriticDir)
	if err != nil {
		return err
	}
	defer ckpt.Close()
	if kind == hybrid.ModelType {
		return e.openHybrid(o, ckpt, tokenizerJSON)
	}
	if o.Compat {
		return errors.New("compat is for hybrid critics")
	}
	tok, err := wordpiece.Parse(tokenizerJSON)
	if err != nil {
		return err
	}
	m, err := latejoin.Load(ckpt, "")
	if err != nil {
		return err
	}
	return e.openLateJoin(o, ckpt, m, tok)
}

// openLateJoin joins the embedded kind of critic with its stages.
func (e *Engine) openLateJoin(o Options, ckpt *checkpoint.Checkpoint, m *latejoin.Model, tok *wordpiece.Tokenizer) error {
	layout, err := m.Layout(tok)
	if err != nil {
		return err
	}
	var c critic.Critic
	if o.Backend == Go {
		c = latejoin.New(m, &latejoin.Options{Workers: o.Workers, CacheBytes: o.CacheBytes})
	} else {
		b, err := e.backend(o.Backend)
		if err != nil {
			return err
		}
		g, err := graph.Open(ckpt, b, nil)
		if err != nil {
			return err
		}
		e.closeFirst(g.Close)
		c = g
	}
	e.join(core.PipelineOptions{Critic: c, Layout: layout, Tokenizer: tok, ID: m.ID(), Hash: m.Hash(), Fusion: m.Fusion(), MendSlips: true})
	return nil
}

// join makes the pipeline.
func (e *Engine) join(o core.PipelineOptions) {
	o.Threshold = defaultThreshold
	e.tok = o.Tokenizer
	e.cache, _ = o.Critic.(critic.Caching)
	e.info.Critic, e.info.Hash, e.info.Tokenizer = o.ID, o.Hash, o.Tokenizer.Name()
	e.Pipeline = core.NewPipeline(o)
}

// backend opens a GoMLX backend, which lives as long as e.
func (e *Engine) backend(name string) (compute.Backend, error) {
	b, err := backend.Open(name)
	if err != nil {
		return nil, &core.Error{Code: core.CodeInvalidArgument, Message: fmt.Sprintf("the backend %q cannot be opened", name), Hint: "leave --backend out for pure Go", Err: err}
	}
	e.closeFirst(func() error { b.Finalize(); return nil })
	return b, nil
}

// closeFirst has Close call f before what it calls now.
func (e *Engine) closeFirst(f func() error) { e.close = append([]func() error{f}, e.close...) }

// FLOPs are the floating-point operations that the critic spends on a row of n ids, 0 if nobody counts them: a hybrid critic's are.
func (e *Engine) FLOPs(n int) float64 {
	if e.flops == nil {
		return 0
	}
	return e.flops(n)
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
