package hybrid

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/cprs-go/cprs/core/backend"
	"github.com/cprs-go/cprs/core/model/checkpoint"
)

func TestConfigRefuses(t *testing.T) {
	text := string(fixture(t, "cprs_tiny/f32").Config())
	for name, tt := range map[string]struct{ old, new, says string }{
		"foreign":        {`"model_type": "qwen2"`, `"model_type": "llama"`, "llama"},
		"no heads":       {`"num_attention_heads": 4`, `"num_attention_heads": 0`, "num_attention_heads"},
		"uneven groups":  {`"num_key_value_heads": 2`, `"num_key_value_heads": 3`, "multiple"},
		"odd heads":      {`"hidden_size": 64`, `"hidden_size": 12`, "odd"},
		"activation":     {`"silu"`, `"gelu"`, "hidden_act"},
		"sliding window": {`"use_sliding_window": false`, `"use_sliding_window": true`, "use_sliding_window"},
		"scaled":         {`"rope_theta"`, `"rope_scaling": {"type": "yarn"}, "rope_theta"`, "rope_scaling"},
		"labels":         {`"BIOE"`, `"IOB2"`, "bi_label_type"},
		"theta":          {`"rope_theta": 1000000.0`, `"rope_theta": 0`, "rope_theta"},
		"epsilon":        {`"rms_norm_eps": 1e-06`, `"rms_norm_eps": -1`, "rms_norm_eps"},
		"layers":         {`"num_hidden_layers": 4`, `"num_hidden_layers": 100000000`, "num_hidden_layers"},
		"split":          {`"bidirectional_start_layer": 2`, `"bidirectional_start_layer": -1`, "bidirectional_start_layer"},
		"no JSON":        {`{`, `[`, "configuration"},
	} {
		changed := strings.Replace(text, tt.old, tt.new, 1)
		if changed == text {
			t.Fatalf("%s: the configuration does not hold %s", name, tt.old)
		}
		_, err := ParseConfig([]byte(changed))
		if err == nil || !strings.Contains(err.Error(), tt.says) {
			t.Errorf("%s: %v, want one that says %q", name, err, tt.says)
		}
		if foreign := name == "foreign"; errors.Is(err, ErrForeign) != foreign {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestConfigDefaults(t *testing.T) {
	c, err := ParseConfig(fixture(t, "cprs_deep/bf16").Config())
	if err != nil {
		t.Fatal(err)
	}
	if c.CausalLayers() != 21 || c.Causal(21) || !c.Causal(20) || c.HeadSize != 8 || c.ID() != "hybrid-qwen2-21+2x32" {
		t.Errorf("%+v", c)
	}
}

// TestLoadRefuses damages a folder, one thing at a time.
func TestLoadRefuses(t *testing.T) {
	b, err := backend.Open(backend.Go)
	if err != nil {
		t.Skip(err)
	}
	defer b.Finalize()
	const second = "model-00002-of-00002.safetensors"
	for name, tt := range map[string]struct {
		from   string
		damage func(dir string) error
		says   string
	}{
		"missing shard":    {"bf16_sharded", func(dir string) error { return os.Remove(filepath.Join(dir, second)) }, second},
		"truncated":        {"bf16_sharded", func(dir string) error { return os.Truncate(filepath.Join(dir, second), 100_000) }, "cut short"},
		"no head":          {"bf16", edit("model.safetensors", "cls_head.bias", "cls_head.bia2"), `"cls_head.bias"`},
		"other tensor":     {"bf16", edit("model.safetensors", "model.norm.weight", "model.morn.weight"), `"model.morn.weight"`},
		"vocabulary":       {"bf16", edit("config.json", `"vocab_size": 776`, `"vocab_size": 700`), "[776 64]"},
		"more layers":      {"bf16", edit("config.json", `"num_hidden_layers": 4`, `"num_hidden_layers": 5`), "model.layers.4."},
		"not a number":     {"bf16", notANumber, "not finite"},
		"no configuration": {"bf16", func(dir string) error { return os.Remove(filepath.Join(dir, "config.json")) }, "config.json"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			if err := os.CopyFS(dir, os.DirFS(filepath.Join("testdata", "cprs_tiny", tt.from))); err != nil {
				t.Fatal(err)
			}
			if err := tt.damage(dir); err != nil {
				t.Fatal(err)
			}
			ckpt, err := checkpoint.Open(dir)
			if err == nil {
				defer ckpt.Close()
				_, err = Open(ckpt, b, nil)
			}
			if err == nil || !strings.Contains(err.Error(), tt.says) {
				t.Errorf("%v, want one that says %q", err, tt.says)
			}
		})
	}
}

// edit replaces text of a file by text of the same length.
func edit(file, old, new string) func(dir string) error {
	return func(dir string) error {
		path := filepath.Join(dir, file)
		data, err := os.ReadFile(path)
		if err == nil && !bytes.Contains(data, []byte(old)) {
			err = fs.ErrNotExist
		}
		if err != nil {
			return err
		}
		return os.WriteFile(path, bytes.Replace(data, []byte(old), []byte(new), 1), 0o644)
	}
}

// notANumber makes the last number of the weights infinite.
func notANumber(dir string) error {
	path := filepath.Join(dir, "model.safetensors")
	data, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	data[len(data)-2], data[len(data)-1] = 0x80, 0x7f
	return os.WriteFile(path, data, 0o644)
}

func TestOpenRefuses(t *testing.T) {
	b, err := backend.Open(backend.Go)
	if err != nil {
		t.Skip(err)
	}
	defer b.Finalize()
	ckpt := fixture(t, "cprs_tiny/bf16")
	for says, o := range map[string]Options{
		"precision": {Precision: "int8"}, "positions": {WindowTokens: 1 << 20}, "-1 devices": {Devices: -1},
		"9 devices": {Devices: 9}, "batches": {BatchTokens: -5}, "windows of -1": {WindowTokens: -1},
	} {
		if _, err := Open(ckpt, b, &o); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%+v: %v, want one that says %q", o, err, says)
		}
	}
}

// The operations of the released model: about two for each of its 6.5 G weights outside the embeddings, and 8 % more for attention.
func TestFLOPs(t *testing.T) {
	split := 21
	c := Config{Layers: 28, Hidden: 3584, Heads: 28, KVHeads: 4, HeadSize: 128, Intermediate: 18944, Vocab: 152064, Labels: "BIOE", Split: &split}
	if got := c.FLOPs(8192) / 8192; got < 14e9 || got > 15.5e9 {
		t.Errorf("%g operations an id", got)
	}
	if one := c.FLOPs(1); one < 13.0e9 || one > 13.2e9 {
		t.Errorf("%g operations for one id", one)
	}
}

func TestCheck(t *testing.T) {
	if _, err := Check(fixture(t, "cprs_tiny/bf16_sharded")); err != nil {
		t.Error(err)
	}
}

// The estimate of memory grows with the batch and is less where the backend has attention of its own.
func TestActivationBytes(t *testing.T) {
	c, err := Check(fixture(t, "cprs_tiny/bf16"))
	if err != nil {
		t.Fatal(err)
	}
	one := c.ActivationBytes(1, 8192, F32, false)
	if two := c.ActivationBytes(2, 8192, F32, false); two != 2*one || c.ActivationBytes(1, 8192, BF16, true) >= one {
		t.Errorf("%d bytes for one window, %d for two", one, two)
	}
}

// Loading tells how far it is, and leaves the word head alone where nobody asks for it.
func TestLoadingProgress(t *testing.T) {
	b, err := backend.Open(backend.Go)
	if err != nil {
		t.Skip(err)
	}
	defer b.Finalize()
	ckpt := fixture(t, "cprs_tiny/bf16")
	head, _ := ckpt.Tensor(wordHead)
	var totals []int64
	for _, categories := range []bool{false, true} {
		var last, total int64
		c, err := Open(ckpt, b, &Options{Categories: categories, Progress: func(done, all int64) {
			if done <= last {
				t.Errorf("%d bytes after %d", done, last)
			}
			last, total = done, all
		}})
		if err != nil {
			t.Fatal(err)
		}
		c.Close()
		if last != total {
			t.Errorf("ended at %d of %d", last, total)
		}
		totals = append(totals, total)
	}
	if totals[1]-totals[0] != int64(len(head.Data)) {
		t.Errorf("%v bytes without and with the word head of %d", totals, len(head.Data))
	}
}
