package kernel

import (
	"fmt"
	"math"
	"math/rand/v2"
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

func TestInt8DensePlain(t *testing.T) {
	atLevels(t, func(t *testing.T) {
		r := rand.New(rand.NewPCG(1, 2))
		for _, rows := range []int{1, 5, 13, 61} {
			t.Run(fmt.Sprint(rows), func(t *testing.T) {
				const n, k = 68, 64
				x := normal(r, rows*k, 1)
				w := make([]int8, n*k)
				for i := range w {
					w[i] = int8(r.IntN(255) - 127)
				}
				scale := make([]float32, n)
				for i := range scale {
					scale[i] = 0.01
				}
				bias := normal(r, n, 1)
				d := NewInt8Dense(w, scale, bias, n, k)
				var a Rows
				var s Scratch
				d.Load(&a, x, rows)
				dst := make([]float32, rows*n)
				d.Mul(dst, &a, &s)
				for i := range rows {
					for j := range n {
						want := float64(bias[j])
						for l := range k {
							want += 0.01 * float64(x[i*k+l]) * float64(w[j*k+l])
						}
						if math.Abs(want-float64(dst[i*n+j])) > 0.3 {
							t.Fatalf("%d,%d: %g want %g", i, j, dst[i*n+j], want)
						}
					}
				}
			})
		}
	})
}
