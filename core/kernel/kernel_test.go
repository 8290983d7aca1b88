package kernel

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

// atLevels runs a test once for each level this CPU has.
func atLevels(t *testing.T, f func(t *testing.T)) {
	t.Helper()
	was := Level()
	defer func() { _ = SetLevel(was) }()
	for _, name := range Levels() {
		if err := SetLevel(name); err != nil {
			t.Fatal(err)
		}
		t.Run(name, f)
	}
}

func TestSetLevelRefusesUnknown(t *testing.T) {
	was := Level()
	if err := SetLevel("abacus"); err == nil || Level() != was {
		t.Errorf("SetLevel(abacus) = %v, level %q; want an error and %q", err, Level(), was)
	}
}

func TestTrial(t *testing.T) {
	var want []float32
	atLevels(t, func(t *testing.T) {
		got := trial()
		if want == nil {
			want = slices.Clone(got)
		}
		if !agree(got, want) {
			t.Errorf("the trial gives %v, at the fastest level %v", got, want)
		}
		got[len(got)-1] += 0.1
		if agree(got, want) {
			t.Error("the trial passes with a wrong value")
		}
		got[len(got)-1] = float32(math.NaN())
		if agree(got, want) {
			t.Error("the trial passes with NaN")
		}
	})
}

// TestVectorLevelsGiveTheSameBits needs a CPU, or an emulator, with more than AVX2; asm/emulate has one.
func TestVectorLevelsGiveTheSameBits(t *testing.T) {
	var vector []string
	for _, name := range Levels() {
		if name != "avx2" && name != "portable" {
			vector = append(vector, name)
		}
	}
	if len(vector) == 0 {
		t.Skip("this CPU has at most one vector level")
	}
	was := Level()
	defer func() { _ = SetLevel(was) }()
	results := func(level string, rows, heads, dim, ffn int) []float32 {
		if err := SetLevel(level); err != nil {
			t.Fatal(err)
		}
		h := heads * dim
		var all []float32
		for _, kind := range kinds {
			r := rand.New(rand.NewPCG(uint64(rows), uint64(h)))
			in, out, up, down := kind.make(r, 3*h, h), kind.make(r, h, h), kind.make(r, ffn, h), kind.make(r, h, ffn)
			gamma, beta, x := normal(r, h, 1), normal(r, h, 1), normal(r, rows*h, 1)
			qkv, y, half := make([]float32, rows*3*h), make([]float32, rows*h), make([]uint16, rows*h)
			var a, f Rows
			var s Scratch
			in.Load(&a, x, rows)
			in.Mul(qkv, &a, &s)
			Attention(y, qkv, rows, heads, dim, &s)
			out.Load(&a, y, rows)
			out.MulAddNorm(x, &a, gamma, beta, 1e-12, &s)
			all = append(append(append(all, qkv...), y...), x...)
			up.Load(&a, x, rows)
			up.MulGELU(&f, &a, &s)
			down.MulAddNorm(x, &f, gamma, beta, 1e-12, &s)
			all = append(all, x...)
			Axpy(x, 0.3, y)
			GELU(x)
			LayerNorm(x, gamma, beta, 1e-12)
			EncodeF16(half, x)
			DecodeF16(y, half)
			all = append(append(append(all, x...), y...), Dot(x, y))
		}
		return all
	}
	for _, c := range [][4]int{{5, 1, 16, 20}, {13, 2, 32, 128}, {33, 3, 32, 100}, {70, 2, 8, 64}, {16, 2, 32, 64}, {101, 4, 32, 256}} {
		want := results("avx2", c[0], c[1], c[2], c[3])
		for _, level := range vector {
			for i, x := range results(level, c[0], c[1], c[2], c[3]) {
				if math.Float32bits(x) != math.Float32bits(want[i]) {
					t.Fatalf("%d rows, %d heads of %d, FFN %d: value %d is %v at %s, %v at avx2", c[0], c[1], c[2], c[3], i, x, level, want[i])
				}
			}
		}
	}
}

func normal(r *rand.Rand, n int, sigma float64) []float32 {
	x := make([]float32, n)
	for i := range x {
		x[i] = float32(r.NormFloat64() * sigma)
	}
	return x
}

func TestHalf(t *testing.T) {
	for _, c := range []struct {
		x float32
		h uint16
	}{
		{0, 0}, {1, 0x3c00}, {-2, 0xc000}, {65504, 0x7bff}, {65519.996, 0x7bff}, {65520, 0x7c00}, {float32(math.Inf(-1)), 0xfc00},
		{1.0 / (1 << 14), 0x0400}, {1.0 / (1 << 24), 1}, {1.0 / (1 << 25), 0}, {1.5 / (1 << 24), 2}, {1 + 1.0/(1<<11), 0x3c00}, {1 + 3.0/(1<<11), 0x3c02},
	} {
		if h := halfBits(c.x); h != c.h {
			t.Errorf("halfBits(%g) = %#04x, want %#04x", c.x, h, c.h)
		}
	}
	for h := range 1 << 16 {
		v := halfValue(uint16(h))
		if v == v && halfBits(v) != uint16(h) {
			t.Errorf("halfBits(halfValue(%#04x)) = %#04x", h, halfBits(v))
		}
	}
}
