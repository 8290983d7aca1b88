package graph

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/cprs-go/cprs/core/backend"
	"github.com/cprs-go/cprs/core/critic"
	"github.com/cprs-go/cprs/core/model/checkpoint"
	"github.com/cprs-go/cprs/core/model/latejoin"
	"github.com/cprs-go/cprs/core/prompt"
	"github.com/cprs-go/cprs/core/unit"
	"github.com/cprs-go/cprs/core/window"
)

// BenchmarkScore measures the trained critic on windows of 256 ids, in tokens of text per second: the kernels of core/model/latejoin
// in float32 and without their cache, and the graph on each backend. The time of the first call, which compiles, is
// reported apart.
func BenchmarkScore(b *testing.B) {
	b.Run("kernels", func(b *testing.B) {
		ckpt, err := checkpoint.Open(trained(b))
		if err != nil {
			b.Fatal(err)
		}
		defer ckpt.Close()
		c, err := latejoin.Open(ckpt, &latejoin.Options{CacheBytes: -1})
		if err != nil {
			b.Fatal(err)
		}
		benchmark(b, c, 8)
	})
	b.Run("xla:cpu", func(b *testing.B) { benchmark(b, openTrained(b, open(b, "xla:cpu"), nil), 8) })
	b.Run("go", func(b *testing.B) { benchmark(b, openTrained(b, open(b, backend.Go), nil), 1) })
}

func benchmark(b *testing.B, c critic.Critic, windows int) {
	rng := rand.New(rand.NewPCG(1, 1))
	row := func(n int) []int32 {
		ids := make([]int32, n)
		for i := range ids {
			ids[i] = int32(1000 + rng.IntN(29000))
		}
		return ids
	}
	h := &prompt.Header{IDs: row(20), Pool: make([]bool, 20)}
	h.Pool[5] = true
	var ws []window.Window
	for range windows {
		ws = append(ws, window.Window{Header: h, Unit: unit.Sentence, IDs: row(256)})
	}
	start := time.Now()
	score(b, c, ws)
	first := time.Since(start)
	for b.Loop() {
		score(b, c, ws)
	}
	b.ReportMetric(float64(b.N*windows*256)/b.Elapsed().Seconds(), "tokens/s")
	b.ReportMetric(first.Seconds(), "s-first-call")
}
