package engine

import (
	"fmt"

	"github.com/cprs-go/cprs/core"
	"github.com/cprs-go/cprs/core/model/checkpoint"
	"github.com/cprs-go/cprs/core/model/hybrid"
	"github.com/cprs-go/cprs/core/prompt"
	"github.com/cprs-go/cprs/core/tokenizer/bpe"
)

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
	hash := make(chan string, 1)
	go func() { hash <- ckpt.Hash() }()
	c, err := hybrid.Open(ckpt, b, &hybrid.Options{
		Precision: hybrid.Precision(h.Precision), WindowTokens: h.WindowTokens, BatchTokens: h.BatchTokens, Devices: h.Devices, Categories: categorise, Progress: o.Loading,
	})
	sum := <-hash
	if err != nil {
		return err
	}
	e.closeFirst(c.Close)
	got := c.Options()
	layout, err := prompt.NewChatML(tok, prompt.ChatMLOptions{WindowTokens: got.WindowTokens, Categorise: categorise, Categories: h.Categories})
	if err != nil {
		return err
	}
	if o.Compat {
		if err := e.setReleased(o.CriticDir, tok, c); err != nil {
			return err
		}
	}
	e.flops = cfg.FLOPs
	e.join(core.PipelineOptions{
		Critic: c, Layout: layout, Tokenizer: tok, ID: c.ID(), Hash: sum, BatchTokens: max(got.BatchTokens*got.Devices, got.WindowTokens),
	})
	return nil
}
