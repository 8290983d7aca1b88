package embedded

import (
	"bytes"
	"errors"
	"testing"

	"github.com/cprs-go/cprs/core/model/checkpoint"
)

func TestLoad(t *testing.T) {
	m, tok, err := Load()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := m.Layout(tok); err != nil {
		t.Error(err)
	}
	if m2, tok2, _ := Load(); m2 != m || tok2 != tok {
		t.Error("the second call loaded again")
	}
}

func TestHash(t *testing.T) {
	ckpt, err := checkpoint.FromBytes("embedded", config, weights)
	if err != nil {
		t.Fatal(err)
	}
	if got := ckpt.Hash(); got != hash {
		t.Errorf("hash is %s, sums.go says %s; run go generate", got, hash)
	}
}

func TestSize(t *testing.T) {
	if n := len(config) + len(weights) + len(vocabulary); n > 30_000_000 {
		t.Errorf("%d bytes, more than 30 MB", n)
	}
}

func TestCorrupt(t *testing.T) {
	flipped := bytes.Clone(weights)
	flipped[len(flipped)/2] ^= 1
	for name, c := range map[string]critic{
		"a bit of the weights": load(config, flipped, vocabulary),
		"weights cut short":    load(config, weights[:1000], vocabulary),
		"no weights":           load(config, nil, vocabulary),
		"other configuration":  load(append([]byte(" "), config...), weights, vocabulary),
		"no tokenizer":         load(config, weights, nil),
	} {
		if !errors.Is(c.err, ErrCorrupt) || c.model != nil {
			t.Errorf("%s: %v", name, c.err)
		}
	}
}

func BenchmarkLoad(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		if c := load(config, weights, vocabulary); c.err != nil {
			b.Fatal(c.err)
		}
	}
}
