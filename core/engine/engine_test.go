package engine_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/cprs-go/cprs/core"
	"github.com/cprs-go/cprs/core/engine"
	"github.com/cprs-go/cprs/core/model/embedded"
)

func open(t testing.TB, o engine.Options) *engine.Engine {
	t.Helper()
	e, err := engine.Open(context.Background(), &o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := e.Close(); err != nil {
			t.Error(err)
		}
	})
	return e
}

func contract(t testing.TB) core.Document {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", "..", "examples", "documents", "distributor-agreement.txt"))
	if err != nil {
		t.Fatal(err)
	}
	return core.Document{ID: "contract", Text: string(text)}
}

// TestMendsSlips: a mistyped question gives what the right one gives, and a warning for each word; a word of the text is never taken for a slip.
func TestMendsSlips(t *testing.T) {
	e := open(t, engine.Options{})
	ask := func(instruction, query string) *core.Result {
		t.Helper()
		res, err := e.Compress(context.Background(), core.Request{
			Instruction: instruction, Query: query, Budget: core.Budget{MaxTokens: 10},
			Documents: []core.Document{{Text: "The kitchen is green. The rent is due on the third. Cats purr at the contarct."}},
		})
		if err != nil {
			t.Fatal(err)
		}
		return res
	}
	right, mistyped := ask("the sentence that answers", "what colour is the kitchen?"), ask("the sentnece that answers", "what colour is the kitcehn?")
	if want := []string{`"kitcehn" was read as "kitchen"`, `"sentnece" was read as "sentence"`}; !slices.Equal(mistyped.Warnings, want) {
		t.Errorf("warnings %q, want %q", mistyped.Warnings, want)
	}
	if mistyped.Text != right.Text || !reflect.DeepEqual(mistyped.Spans, right.Spans) {
		t.Errorf("mistyped: %q, right: %q", mistyped.Text, right.Text)
	}
	if res := ask("cats and the contarct", ""); len(res.Warnings) > 0 {
		t.Errorf("warnings %q about a word of the text", res.Warnings)
	}
}

// TestSameBytes asks the same with other workers, with the cache cold, warm and off: invariant 3.
func TestSameBytes(t *testing.T) {
	doc := contract(t)
	doc.Text = doc.Text[:4_000]
	req := core.Request{Instruction: "the duties of the distributor", Documents: []core.Document{doc, {Text: "Cats purr."}}, Explain: true, Budget: core.Budget{Ratio: 0.2}}
	var want *core.Result
	for _, o := range []engine.Options{{}, {Workers: 1}, {Workers: 5, CacheBytes: 1 << 20}, {CacheBytes: -1}} {
		e := open(t, o)
		for range 2 {
			got, err := e.Compress(context.Background(), req)
			if err != nil {
				t.Fatal(err)
			}
			got.Stats.Elapsed, got.Stats.Scoring, got.Stats.Selecting = 0, 0, 0
			if want == nil {
				want = got
			}
			if !reflect.DeepEqual(got, want) {
				t.Fatalf("with %+v the result differs", o)
			}
		}
		if s := e.CacheStats(); (s.Hits > 0 && s.Bytes > 0) != (o.CacheBytes >= 0) || (s.Misses > 0) != (o.CacheBytes >= 0) {
			t.Errorf("with %+v the cache has %+v", o, s)
		}
	}
}

func TestOpenFaults(t *testing.T) {
	write := func(dir, name, text string) {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	empty, foreign, truncated := t.TempDir(), t.TempDir(), t.TempDir()
	write(foreign, "config.json", `{"model_type":"gpt2"}`)
	write(foreign, "tokenizer.json", `{"model":{"type":"BPE"}}`)
	ckpt, err := embedded.Checkpoint()
	if err != nil {
		t.Fatal(err)
	}
	write(truncated, "config.json", string(ckpt.Config()))
	write(truncated, "model.safetensors", "\x10\x00\x00\x00\x00\x00\x00\x00{}")
	tok, err := os.ReadFile(filepath.Join("..", "model", "embedded", "tokenizer.json"))
	if err != nil {
		t.Fatal(err)
	}
	write(truncated, "tokenizer.json", string(tok))
	tests := map[string]struct {
		opts engine.Options
		says string
	}{
		"no folder":       {engine.Options{CriticDir: "nowhere"}, "nowhere"},
		"empty folder":    {engine.Options{CriticDir: empty}, "config.json"},
		"foreign":         {engine.Options{CriticDir: foreign}, "gpt2"},
		"truncated":       {engine.Options{CriticDir: truncated}, "model.safetensors"},
		"unknown backend": {engine.Options{Backend: "abacus"}, "abacus"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			_, err := engine.Open(context.Background(), &tt.opts)
			var e *core.Error
			if !errors.As(err, &e) || e.Hint == "" || !strings.Contains(err.Error(), tt.says) {
				t.Errorf("got %v, want an *core.Error that names %s", err, tt.says)
			}
		})
	}
}

func TestOpenCancelled(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := engine.Open(ctx, nil); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

// TestFolder opens the embedded critic's files from a folder: the same critic.
func TestFolder(t *testing.T) {
	e := open(t, engine.Options{CriticDir: filepath.Join("..", "model", "embedded")})
	if a, b := e.Info(), open(t, engine.Options{}).Info(); !reflect.DeepEqual(a, b) {
		t.Errorf("the folder gives %+v, the binary %+v", a, b)
	}
}

func Example() {
	ctx := context.Background()
	cprs, err := engine.Open(ctx, nil) // the embedded critic
	if err != nil {
		fmt.Println(err)
		return
	}
	defer cprs.Close()
	text, err := os.ReadFile("../../examples/documents/distributor-agreement.txt")
	if err != nil {
		fmt.Println(err)
		return
	}
	res, err := cprs.Compress(ctx, core.Request{
		Instruction: "What does the contract say about termination?",
		Budget:      core.Budget{MaxTokens: 600},
		Documents:   []core.Document{{ID: "contract.txt", Text: string(bytes.TrimSpace(text))}},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(res.Status, strings.Contains(res.Text, "13.2 Either party may terminate this Agreement"), res.Stats.TokensOut <= 600)
	// Output: compressed true true
}
