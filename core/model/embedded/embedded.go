// Package embedded is the default critic: weights and tokenizer that travel in the binary.
//
// The files beside this one are a late-join critic with int8 weights, made by gen from a folder in f16; LICENSE and NOTICE.md say
// where they come from. Nothing is read or unpacked before Load. core/engine is the user of this package.
package embedded

import (
	"bytes"
	_ "embed" // for the files of the critic
	"errors"
	"fmt"
	"hash/crc32"
	"sync"

	"github.com/cprs-go/cprs/core/model/checkpoint"
	"github.com/cprs-go/cprs/core/model/latejoin"
	"github.com/cprs-go/cprs/core/tokenizer/wordpiece"
)

//go:generate go run ./gen $CPRS_CRITIC

//go:embed config.json
var config []byte

//go:embed model.safetensors
var weights []byte

//go:embed tokenizer.json
var vocabulary []byte

// ErrCorrupt is wrapped by Load if the files in the binary are not those that it was made with.
var ErrCorrupt = errors.New("the embedded critic is damaged")

// Load gives the critic's model and tokenizer. The first call loads them; all share one copy.
func Load() (*latejoin.Model, *wordpiece.Tokenizer, error) {
	l := loaded()
	return l.model, l.tok, l.err
}

// Checkpoint is the critic's configuration and int8 weights as a checkpoint, for whoever inspects them or runs them elsewhere.
func Checkpoint() (*checkpoint.Checkpoint, error) {
	return checkpoint.FromBytes("the embedded critic", config, weights)
}

// TokenizerFile is the critic's tokenizer.json, for whoever writes a critic that grew out of this one.
func TokenizerFile() []byte { return bytes.Clone(vocabulary) }

type critic struct {
	model *latejoin.Model
	tok   *wordpiece.Tokenizer
	err   error
}

var loaded = sync.OnceValue(func() critic { return load(config, weights, vocabulary) })

// load opens model and tokenizer at the same time.
func load(config, weights, vocabulary []byte) (c critic) {
	if got := sum(config, weights, vocabulary); got != checksum {
		return critic{err: fmt.Errorf("%w: checksum %08x, not %08x", ErrCorrupt, got, checksum)}
	}
	var tokErr, err error
	var wg sync.WaitGroup
	wg.Go(func() { c.tok, tokErr = wordpiece.Parse(vocabulary) })
	ckpt, err := checkpoint.FromBytes("the embedded critic", config, weights)
	if err == nil {
		c.model, err = latejoin.Load(ckpt, hash)
	}
	wg.Wait()
	if err = errors.Join(err, tokErr); err != nil {
		return critic{err: fmt.Errorf("%w: %w", ErrCorrupt, err)}
	}
	return c
}

// sum guards the files against damage. It is many times faster than their SHA-256, which is a constant here.
func sum(files ...[]byte) (crc uint32) {
	table := crc32.MakeTable(crc32.Castagnoli)
	for _, f := range files {
		crc = crc32.Update(crc, table, f)
	}
	return crc
}
