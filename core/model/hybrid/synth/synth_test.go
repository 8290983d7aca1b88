package synth

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/cprs-go/cprs/core/backend"
	"github.com/cprs-go/cprs/core/model/checkpoint"
	"github.com/cprs-go/cprs/core/model/hybrid"
	"github.com/cprs-go/cprs/core/tokenizer/bpe"
)

// A tiny critic has several files, opens, runs, and is the same each time.
func TestTiny(t *testing.T) {
	a, b := t.TempDir(), t.TempDir()
	var last, total int64
	for _, dir := range []string{a, b} {
		if err := Write(t.Context(), dir, "tiny", 7, func(done, all int64) { last, total = done, all }); err != nil {
			t.Fatal(err)
		}
	}
	if last != total || total < 400_000 {
		t.Errorf("progress ended at %d of %d", last, total)
	}
	files, err := os.ReadDir(a)
	if err != nil || len(files) < 6 {
		t.Fatalf("%d files, %v", len(files), err)
	}
	for _, f := range files {
		x, err1 := os.ReadFile(filepath.Join(a, f.Name()))
		y, err2 := os.ReadFile(filepath.Join(b, f.Name()))
		if err := errors.Join(err1, err2); err != nil || !bytes.Equal(x, y) {
			t.Errorf("%s differs between two runs: %v", f.Name(), err)
		}
	}
	ckpt, err := checkpoint.Open(a)
	if err != nil {
		t.Fatal(err)
	}
	defer ckpt.Close()
	back, err := backend.Open(backend.Go)
	if err != nil {
		t.Skip(err)
	}
	defer back.Finalize()
	c, err := hybrid.Open(ckpt, back, &hybrid.Options{Categories: true})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if _, err := c.Logits(t.Context(), [][]int32{{1, 2, 3}}); err != nil {
		t.Error(err)
	}
}

// The large geometry has the files and tensors of the released one; none of it is written here.
func TestLayout(t *testing.T) {
	g := geometries["qwen2-7b"]
	var c hybrid.Config
	c.Layers, c.Hidden, c.Heads, c.KVHeads, c.HeadSize = g.layers, g.hidden, g.heads, g.kvHeads, 128
	c.Intermediate, c.Vocab, c.Labels = g.intermediate, g.vocab, "BIOE"
	files := shards(c.Tensors(checkpoint.BF16), g.shard)
	total, count := int64(0), 0
	for _, f := range files {
		for _, x := range f {
			total += int64(x.Bytes())
			count++
		}
	}
	if len(files) != 4 || total/1e9 != 15 || count != 28*12+5 {
		t.Errorf("%d files, %d bytes, %d tensors", len(files), total, count)
	}
}

func TestWriteRefuses(t *testing.T) {
	dir := t.TempDir()
	if err := Write(t.Context(), dir, "huge", 1, nil); err == nil || !strings.Contains(err.Error(), "tiny") {
		t.Error(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := Write(ctx, dir, "tiny", 1, nil); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	if err := Write(t.Context(), dir, "tiny", 1, nil); err != nil {
		t.Fatal(err)
	}
	if err := Write(t.Context(), dir, "tiny", 1, nil); err == nil || !strings.Contains(err.Error(), "already") {
		t.Error(err)
	}
}

func TestTokenizer(t *testing.T) {
	if _, err := bpe.Parse(tokenizerJSON); err != nil {
		t.Error(err)
	}
}
