package kernel

import (
	"fmt"
	"math/rand/v2"
	"testing"
)

// benchRows is the usual window.
const benchRows = 256

// report says what was done a second, in units of 10⁹.
func report(b *testing.B, each float64, unit string) {
	b.ReportMetric(each*float64(b.N)/b.Elapsed().Seconds()/1e9, unit)
}

// BenchmarkMul counts a multiplication and an addition as two operations.
func BenchmarkMul(b *testing.B) {
	for _, kind := range kinds {
		for _, shape := range [][2]int{{1152, 384}, {384, 384}, {1536, 384}, {384, 1536}} {
			b.Run(fmt.Sprintf("%s/%d×%d×%d", kind.name, benchRows, shape[1], shape[0]), func(b *testing.B) {
				r := rand.New(rand.NewPCG(1, 1))
				l := kind.make(r, shape[0], shape[1])
				var a Rows
				var s Scratch
				l.Load(&a, normal(r, benchRows*l.k, 1), benchRows)
				dst := make([]float32, benchRows*l.n)
				for b.Loop() {
					l.Mul(dst, &a, &s)
				}
				report(b, 2*benchRows*float64(l.n*l.k), "Gop/s")
			})
		}
	}
}

// BenchmarkLayer is one whole layer of the critic.
func BenchmarkLayer(b *testing.B) {
	const h, ffn = 384, 1536
	for _, kind := range kinds {
		b.Run(kind.name, func(b *testing.B) {
			r := rand.New(rand.NewPCG(1, 1))
			qkv, out, up, down := kind.make(r, 3*h, h), kind.make(r, h, h), kind.make(r, ffn, h), kind.make(r, h, ffn)
			gamma, beta := normal(r, h, 1), normal(r, h, 0.1)
			x, ctx, q := normal(r, benchRows*h, 1), make([]float32, benchRows*h), make([]float32, benchRows*3*h)
			var a, f Rows
			var s Scratch
			for b.Loop() {
				qkv.Load(&a, x, benchRows)
				qkv.Mul(q, &a, &s)
				Attention(ctx, q, benchRows, 12, 32, &s)
				out.Load(&a, ctx, benchRows)
				out.MulAddNorm(x, &a, gamma, beta, 1e-12, &s)
				up.Load(&a, x, benchRows)
				up.MulGELU(&f, &a, &s)
				down.MulAddNorm(x, &f, gamma, beta, 1e-12, &s)
			}
			b.ReportMetric(benchRows*float64(b.N)/b.Elapsed().Seconds(), "tokens/s")
		})
	}
}

func BenchmarkAttention(b *testing.B) {
	const heads, dim = 12, 32
	qkv, dst := normal(rand.New(rand.NewPCG(1, 1)), benchRows*3*heads*dim, 1), make([]float32, benchRows*heads*dim)
	var s Scratch
	for b.Loop() {
		Attention(dst, qkv, benchRows, heads, dim, &s)
	}
	report(b, 4*benchRows*benchRows*heads*dim, "Gop/s")
}

func BenchmarkElementwise(b *testing.B) {
	r := rand.New(rand.NewPCG(1, 1))
	const n = 1536
	x, y, gamma := normal(r, n, 1), normal(r, n, 1), normal(r, n, 1)
	fresh := normal(r, n, 1)
	bytes := make([]int8, n)
	var a Rows
	for _, c := range []struct {
		name string
		do   func()
	}{
		{"gelu", func() { copy(x, fresh); GELU(x) }}, // of its own results, it would soon compute with subnormal numbers
		{"absMax", func() { current.absMax(x) }},
		{"quantize", func() { a.Quantize(x, 1, n) }},
		{"addNorm", func() { AddNorm(x, y, gamma, gamma, 1e-12) }},
		{"dot", func() { Dot(x, y) }},
		{"axpy", func() { Axpy(y, 1e-9, x) }},
		{"axpyInt8", func() { AxpyInt8(y, 1e-9, bytes) }},
	} {
		b.Run(c.name, func(b *testing.B) {
			for b.Loop() {
				c.do()
			}
			report(b, n, "Gvalues/s")
		})
	}
}

// BenchmarkPack packs as many weights as the critic has in its dense layers.
func BenchmarkPack(b *testing.B) {
	const n, k = 1536, 384
	w, scale := make([]int8, n*k), make([]float32, n)
	for b.Loop() {
		for range 24 {
			NewInt8Dense(w, scale, scale, n, k)
		}
	}
}
