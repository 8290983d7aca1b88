package minilm

import (
	"context"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// tiny is a folder with the small BERT and the small vocabulary of other packages' tests.
func tiny(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	for from, to := range map[string]string{
		"../../model/testdata/bert_tiny/f32/config.json":                   "config.json",
		"../../model/testdata/bert_tiny/f32/model.safetensors":             "model.safetensors",
		"../../tokenizer/wordpiece/testdata/wordpiece_4000_tokenizer.json": "tokenizer.json",
	} {
		data, err := os.ReadFile(filepath.FromSlash(from))
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, to), data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func TestEncode(t *testing.T) {
	e, err := Open(tiny(t))
	if err != nil {
		t.Fatal(err)
	}
	if len(e.Hash()) != 64 {
		t.Errorf("hash %q", e.Hash())
	}
	long := strings.Repeat("the ", maxTokens-2)
	texts := []string{"the contract ends", "the contract ends", "a cat", "", long, long + "and more"}
	vectors, err := e.Encode(context.Background(), texts)
	if err != nil {
		t.Fatal(err)
	}
	for i, v := range vectors {
		var norm float64
		for _, x := range v {
			norm += float64(x) * float64(x)
		}
		if math.Abs(norm-1) > 1e-4 {
			t.Errorf("text %d: a vector of length² %v", i, norm)
		}
	}
	if !slices.Equal(vectors[0], vectors[1]) || slices.Equal(vectors[0], vectors[2]) {
		t.Error("a vector does not go with its text")
	}
	if !slices.Equal(vectors[4], vectors[5]) {
		t.Errorf("what follows the first %d tokens is read", maxTokens)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := e.Encode(ctx, texts); err != context.Canceled {
		t.Errorf("cancelled: %v", err)
	}
}

func TestOpenRefuses(t *testing.T) {
	for _, name := range []string{"config.json", "model.safetensors", "tokenizer.json"} {
		dir := tiny(t)
		if err := os.WriteFile(filepath.Join(dir, name), []byte("{"), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := Open(dir); err == nil {
			t.Errorf("a broken %s is read", name)
		}
		if err := os.Remove(filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
		if _, err := Open(dir); err == nil {
			t.Errorf("a folder without %s is read", name)
		}
	}
}
