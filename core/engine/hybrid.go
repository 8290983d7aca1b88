package engine

import (
	"cmp"
	"fmt"

	"github.com/cprs-go/cprs/core"
	"github.com/cprs-go/cprs/core/model/checkpoint"
	"github.com/cprs-go/cprs/core/model/hybrid"
	"github.com/cprs-go/cprs/core/prompt"
	"github.com/cprs-go/cprs/core/tokenizer/bpe"
)

// cudaWindows is how many full windows go through a CUDA device at a time by default.
const cudaWindows = 4

// openHybrid joins a hybrid critic with its stages. The weights are hashed while they move to the devices.
func (e *Engine) openHybrid(o Options, ckpt *checkpoint.Checkpoint, tokenizerJSON []byte) error {
	h := o.Hybrid
	cfg, err := hybrid.ParseConfig(ckpt.Config())
	if err != nil {
		return err
	}
	tok, err := bpe.Parse(tokenizerJSON)
	if err != nil {
		return err
	}
	if tok.VocabSize() > cfg.Vocab {
		return fmt.Errorf("the tokenizer has %d tokens, the critic %d", tok.VocabSize(), cfg.Vocab)
	}
	b, err := e.backend(o.Backend)
	if err != nil {
		return err
	}
	categorise := h.Categorise || len(h.Categories) > 0
	window := cmp.Or(h.WindowTokens, min(hybrid.DefaultWindow, cfg.Positions))
	batch := h.BatchTokens
	if batch == 0 && hybrid.IsCUDA(b) {
		batch = cudaWindows * window
	}
	hash := make(chan string, 1)
	go func() { hash <- ckpt.Hash() }()
	c, err := hybrid.Open(ckpt, b, &hybrid.Options{
		Precision: hybrid.Precision(h.Precision), WindowTokens: window, BatchTokens: batch, Devices: h.Devices, Categories: categorise, Progress: o.Loading,
	})
	sum := <-hash
	if err != nil {
		return err
	}
	e.closeFirst(c.Close)
	layout, err := prompt.NewChatML(tok, prompt.ChatMLOptions{WindowTokens: window, Categorise: categorise, Categories: h.Categories})
	if err != nil {
		return err
	}
	if o.Compat {
		if err := e.setReleased(o.CriticDir, tok, c); err != nil {
			return err
		}
	}
	e.flops = cfg.FLOPs
	got := c.Options()
	e.join(core.PipelineOptions{
		Critic: c, Layout: layout, Tokenizer: tok, ID: c.ID(), Hash: sum, BatchTokens: got.BatchTokens * got.Devices,
	})
	return nil
}
