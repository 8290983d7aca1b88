package kernel

import (
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
