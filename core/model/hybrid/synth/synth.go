// Package synth writes hybrid critics with random weights in the files of a released one: to measure a machine without its 15 GB of
// weights, and for tests. Such a critic knows nothing. The package stands above core/model/hybrid.
package synth

import (
	"context"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"

	"github.com/cprs-go/cprs/core/model/checkpoint"
	"github.com/cprs-go/cprs/core/model/hybrid"
)

// The tokenizer of all geometries: byte-level BPE laid out as Qwen2's, with few merges.
var (
	//go:embed tokenizer.json
	tokenizerJSON []byte
	//go:embed tokenizer_config.json
	tokenizerConfig []byte
)

// shardBytes is the most bytes of a weights file, as in released checkpoints.
const shardBytes = 5_000_000_000

// geometry is the shape of a model.
type geometry struct {
	layers, hidden, heads, kvHeads, intermediate, vocab, positions int
	split                                                          int // 0: the released one, which config.json does not name
	shard                                                          int64
}

var geometries = map[string]geometry{
	"qwen2-7b":   {28, 3584, 28, 4, 18944, 152064, 131072, 0, shardBytes},
	"qwen2-0.5b": {24, 896, 14, 2, 4864, 151936, 131072, 0, shardBytes},
	"tiny":       {4, 64, 4, 2, 128, 776, 131072, 2, 200_000}, // several files
}

// Geometries are the names of what Write writes.
func Geometries() []string { return []string{"qwen2-7b", "qwen2-0.5b", "tiny"} }

// Write writes a critic of a geometry to dir, which must not hold one: the weights bf16, file by file, never more than a piece in
// memory. The same seed gives the same bytes. progress, if not nil, is told how many bytes of all are written.
func Write(ctx context.Context, dir, name string, seed uint64, progress func(done, total int64)) error {
	g, ok := geometries[name]
	if !ok {
		return fmt.Errorf("there is no geometry %q: want one of %s", name, strings.Join(Geometries(), ", "))
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	if _, err := os.Stat(filepath.Join(dir, checkpoint.ConfigFile)); err == nil {
		return fmt.Errorf("%s holds a model already", dir)
	}
	config, err := json.MarshalIndent(g.config(), "", "  ")
	if err != nil {
		return err
	}
	c, err := hybrid.ParseConfig(config)
	if err != nil {
		return err
	}
	s := &writer{ctx: ctx, dir: dir, random: rand.NewPCG(seed, 0), progress: progress}
	if err := s.weights(shards(c.Tensors(checkpoint.BF16), g.shard)); err != nil {
		return err
	}
	for file, text := range map[string][]byte{"tokenizer.json": tokenizerJSON, "tokenizer_config.json": tokenizerConfig} {
		if err := os.WriteFile(filepath.Join(dir, file), text, 0o644); err != nil {
			return err
		}
	}
	return os.WriteFile(filepath.Join(dir, checkpoint.ConfigFile), append(config, '\n'), 0o644) // last: then the folder is whole
}

// config is the config.json.
func (g *geometry) config() map[string]any {
	c := map[string]any{
		"architectures": []string{"Qwen2ForCausalLMandBIO"}, "model_type": hybrid.ModelType, "bi_label_type": "BIOE", "hidden_act": "silu",
		"num_hidden_layers": g.layers, "hidden_size": g.hidden, "num_attention_heads": g.heads, "num_key_value_heads": g.kvHeads,
		"intermediate_size": g.intermediate, "vocab_size": g.vocab, "max_position_embeddings": g.positions,
		"rope_theta": 1000000.0, "rms_norm_eps": 1e-06, "tie_word_embeddings": false, "use_sliding_window": false, "torch_dtype": "bfloat16",
	}
	if g.split > 0 {
		c["bidirectional_start_layer"] = g.split
	}
	return c
}

// shards parts tensors, in their order, into files of at most most bytes, or one tensor.
func shards(tensors []checkpoint.Tensor, most int64) (out [][]checkpoint.Tensor) {
	size := most
	for _, t := range tensors {
		if size += int64(t.Bytes()); size > most || len(out) == 0 {
			out, size = append(out, nil), int64(t.Bytes())
		}
		out[len(out)-1] = append(out[len(out)-1], t)
	}
	return out
}

// writer writes the files of a folder.
type writer struct {
	ctx         context.Context
	dir         string
	random      *rand.PCG
	progress    func(done, total int64)
	done, total int64
}

// weights writes the weight files and their index.
func (s *writer) weights(files [][]checkpoint.Tensor) error {
	index := map[string]string{}
	for i, tensors := range files {
		for _, t := range tensors {
			index[t.Name] = fmt.Sprintf("model-%05d-of-%05d.safetensors", i+1, len(files))
			s.total += int64(t.Bytes())
		}
	}
	for _, tensors := range files {
		file, err := os.Create(filepath.Join(s.dir, index[tensors[0].Name]))
		if err != nil {
			return err
		}
		err = errors.Join(checkpoint.WriteStream(file, tensors, s.tensor), file.Close())
		if err != nil {
			return fmt.Errorf("writing %s: %w", file.Name(), err)
		}
	}
	text, err := json.MarshalIndent(map[string]any{"metadata": map[string]any{"total_size": s.total}, "weight_map": index}, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(s.dir, checkpoint.IndexFile), text, 0o644)
}

// tensor writes the numbers of a tensor.
func (s *writer) tensor(w io.Writer, t checkpoint.Tensor) error {
	norm := strings.HasSuffix(t.Name, "norm.weight")
	buf := make([]byte, 1<<20)
	for left := t.Bytes(); left > 0; left -= len(buf) {
		if err := s.ctx.Err(); err != nil {
			return err
		}
		buf = buf[:min(len(buf), left)]
		s.fill(buf, norm)
		if _, err := w.Write(buf); err != nil {
			return err
		}
		if s.done += int64(len(buf)); s.progress != nil {
			s.progress(s.done, s.total)
		}
	}
	return nil
}

// fill makes bf16 numbers: 1 for norms; else of either sign, from 2⁻⁷ to 2⁻⁵, about as large as those of a model in training.
func (s *writer) fill(buf []byte, norm bool) {
	const (
		one    = 0x3f80
		free   = 0x80ff // sign, lowest bit of the exponent, mantissa
		lowest = 0x3c00 // 2⁻⁷
	)
	var bits uint64
	for i := 0; i+1 < len(buf); i += 2 {
		v := uint16(one)
		if !norm {
			if i%8 == 0 {
				bits = s.random.Uint64()
			}
			v = uint16(bits)&free | lowest
			bits >>= 16
		}
		buf[i], buf[i+1] = byte(v), byte(v>>8)
	}
}
