package train

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/cprs-go/cprs/core/engine"
	"github.com/cprs-go/cprs/core/eval"
	"github.com/cprs-go/cprs/core/kernel"
	"github.com/cprs-go/cprs/core/model/checkpoint"
	"github.com/cprs-go/cprs/core/model/latejoin"
)

// The folders of Out. Each can be used with --critic, and as the start of another training.
const (
	bestFolder = "best" // highest development score
	lastFolder = "last" // at the last score
	fastFolder = "int8" // the last with int8 weights, as scores are measured
)

// devShare is the share of a text's tokens that may be kept in a development score.
const devShare = 0.1

// Score is what a critic retains of the development sets, means over sets.
type Score struct {
	Recall    float64 // of evidence, at a tenth of the tokens
	FalseKeep float64 // share of the tokens kept where there is no answer
}

// score measures the running average of the weights and keeps it if it is the best so far.
func (t *trainer) score(ctx context.Context) error {
	if err := t.write(lastFolder); err != nil {
		return fmt.Errorf("writing the critic: %w", err)
	}
	if len(t.opt.Dev) == 0 {
		t.state.Scored = t.state.Step
		return copyCritic(t.opt.Out, lastFolder, bestFolder)
	}
	s, err := t.measure(ctx)
	if err != nil {
		return fmt.Errorf("measuring the critic: %w", err)
	}
	t.state.Scored = t.state.Step
	better := s.Recall > t.state.Best
	if t.state.Worse++; better {
		t.state.Best, t.state.Worse = s.Recall, 0
		if err := copyCritic(t.opt.Out, lastFolder, bestFolder); err != nil {
			return err
		}
	}
	if t.opt.Scored != nil {
		t.opt.Scored(t.state.Step, s, better)
	}
	return t.log.score(t.state.Step, s)
}

// measure runs the development sets through the pipeline, with int8 weights: those are fast, and what is shipped.
func (t *trainer) measure(ctx context.Context) (s Score, err error) {
	dir := filepath.Join(t.opt.Out, fastFolder)
	if err := quantize(filepath.Join(t.opt.Out, lastFolder), dir); err != nil {
		return s, err
	}
	e, err := engine.Open(ctx, &engine.Options{CriticDir: dir})
	if err != nil {
		return s, err
	}
	defer func() { err = errors.Join(err, e.Close()) }()
	const name = "cprs"
	r, err := eval.Run(ctx, t.opt.Dev, eval.Options{
		Methods: []eval.Method{eval.Compressor(name, e)}, Tokenizer: e.Tokenizer(), Shares: []float64{devShare}, PerSet: t.opt.DevPerSet, Seed: 1,
	})
	if err != nil {
		return s, err
	}
	if g := r.Find("", "", name, devShare, true); g != nil {
		s.Recall = g.Metrics["recall"].Mean
	}
	if g := r.Find("", "", name, eval.Threshold, false); g != nil {
		s.FalseKeep = g.Metrics["kept"].Mean
	}
	return s, nil
}

// write writes the critic with the average of its weights, in half precision, to a folder of Out.
func (t *trainer) write(folder string) error {
	var all []checkpoint.Tensor
	for _, p := range t.optimizer.params {
		data := t.start.weights[p.Name]
		if p.trained {
			var err error
			if data, err = floats(p.average); err != nil {
				return err
			}
		}
		half := make([]uint16, len(data))
		kernel.EncodeF16(half, data)
		raw := make([]byte, 0, 2*len(half))
		for _, h := range half {
			raw = binary.LittleEndian.AppendUint16(raw, h)
		}
		all = append(all, checkpoint.Tensor{Name: p.Name, DType: checkpoint.F16, Shape: p.Dims, Data: raw})
	}
	var file bytes.Buffer
	if err := checkpoint.Write(&file, all); err != nil {
		return err
	}
	return writeCritic(filepath.Join(t.opt.Out, folder), t.start.config, file.Bytes(), t.start.tokenizer)
}

// quantize writes the critic in one folder with int8 weights to another.
func quantize(from, to string) error {
	ckpt, err := checkpoint.Open(from)
	if err != nil {
		return err
	}
	defer ckpt.Close()
	var file bytes.Buffer
	if err := latejoin.Quantize(ckpt, &file); err != nil {
		return err
	}
	tokenizer, err := os.ReadFile(filepath.Join(from, tokenizerFile))
	if err != nil {
		return err
	}
	return writeCritic(to, ckpt.Config(), file.Bytes(), tokenizer)
}

func writeCritic(dir string, config, weights, tokenizer []byte) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	return errors.Join(
		replaceFile(filepath.Join(dir, checkpoint.ConfigFile), config),
		replaceFile(filepath.Join(dir, checkpoint.WeightsFile), weights),
		replaceFile(filepath.Join(dir, tokenizerFile), tokenizer))
}

// copyCritic copies a folder of out.
func copyCritic(out, from, to string) error {
	var files [3][]byte
	for i, name := range []string{checkpoint.ConfigFile, checkpoint.WeightsFile, tokenizerFile} {
		var err error
		if files[i], err = os.ReadFile(filepath.Join(out, from, name)); err != nil {
			return err
		}
	}
	return writeCritic(filepath.Join(out, to), files[0], files[1], files[2])
}
