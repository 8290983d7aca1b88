package kernel

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

var lengths = []int{0, 1, 15, 16, 17, 31, 32, 33, 64, 384}

// eachLength runs f at every level for each length, with values of two vectors.
func eachLength(t *testing.T, f func(t *testing.T, x, y []float32)) {
	atLevels(t, func(t *testing.T) {
		for _, n := range lengths {
			t.Run(fmt.Sprint(n), func(t *testing.T) {
				r := rand.New(rand.NewPCG(1, uint64(n)))
				f(t, normal(r, n, 2), normal(r, n, 2))
			})
		}
	})
}

func TestGELU(t *testing.T) {
	atLevels(t, func(t *testing.T) {
		var x []float32
		step := 1.0 / 512
		if testing.Short() {
			step = 1.0 / 16
		}
		for v := -12.0; v <= 12; v += step {
			x = append(x, float32(v))
		}
		x = append(x, 0, 1e-30, -1e-30, 1e30, -1e30, 1e4, -1e4)
		got := slices.Clone(x)
		GELU(got)
		for i, v := range x {
			want := exactGELU(float64(v))
			if d := math.Abs(float64(got[i]) - want); d > 4e-7*max(1, math.Abs(float64(v))) {
				t.Errorf("gelu(%g) = %g, want %g", v, got[i], want)
			}
		}
	})
}

func TestSoftmax(t *testing.T) {
	eachLength(t, func(t *testing.T, x, _ []float32) {
		want, sum := make([]float64, len(x)), 0.0
		for i, v := range x {
			want[i] = math.Exp(float64(v))
			sum += want[i]
		}
		for i := range want {
			want[i] /= sum
		}
		Softmax(x)
		near(t, x, want, 1e-6)
	})
}

func TestAddNorm(t *testing.T) {
	eachLength(t, func(t *testing.T, x, y []float32) {
		if len(x) < 15 {
			return
		}
		r := rand.New(rand.NewPCG(3, 4))
		gamma, beta := normal(r, len(x), 1), normal(r, len(x), 1)
		want, alone := make([]float64, len(x)), make([]float64, len(x))
		for i := range x {
			alone[i], want[i] = float64(x[i]), float64(x[i])+float64(y[i])
		}
		exactNorm(want, gamma, beta)
		exactNorm(alone, gamma, beta)
		got := slices.Clone(x)
		AddNorm(got, y, gamma, beta, 1e-12)
		near(t, got, want, 1e-5)
		LayerNorm(x, gamma, beta, 1e-12)
		near(t, x, alone, 1e-5)
	})
}

func TestNormOfConstantRowIsFinite(t *testing.T) {
	atLevels(t, func(t *testing.T) {
		x, gamma, beta := make([]float32, 64), make([]float32, 64), make([]float32, 64)
		for i := range x {
			x[i], beta[i] = 3, float32(i)
		}
		LayerNorm(x, gamma, beta, 1e-12)
		if !slices.Equal(x, beta) {
			t.Errorf("LayerNorm of a constant row is %v, want beta", x)
		}
	})
}

func TestDotAxpy(t *testing.T) {
	eachLength(t, func(t *testing.T, x, y []float32) {
		dot, sum, bytes := 0.0, make([]float64, len(x)), make([]int8, len(x))
		withBytes := make([]float64, len(x))
		for i := range x {
			bytes[i] = int8(13 * i)
			dot += float64(x[i]) * float64(y[i])
			sum[i] = float64(y[i]) + 0.5*float64(x[i])
			withBytes[i] = float64(y[i]) + 0.5*float64(bytes[i])
		}
		near(t, []float32{Dot(x, y)}, []float64{dot}, 1e-3)
		z := slices.Clone(y)
		Axpy(z, 0.5, x)
		near(t, z, sum, 1e-6)
		AxpyInt8(y, 0.5, bytes)
		near(t, y, withBytes, 1e-5)
	})
}

func TestF16IsAlikeAtEveryLevel(t *testing.T) {
	atLevels(t, func(t *testing.T) {
		var x []float32
		step := 1
		if testing.Short() {
			step = 97
		}
		for h := 0; h < 1<<16; h += step {
			if v := halfValue(uint16(h)); v == v {
				x = append(x, v, math.Nextafter32(v, 1e9), math.Nextafter32(v, -1e9), (v+halfValue(uint16(h)^1))/2)
			}
		}
		x = append(x, 1)[:len(x)|1] // not a multiple of 16
		got, want := make([]uint16, len(x)), make([]uint16, len(x))
		EncodeF16(got, x)
		encodeF16Portable(want, x)
		back, wantBack := make([]float32, len(x)), make([]float32, len(x))
		DecodeF16(back, got)
		decodeF16Portable(wantBack, want)
		for i := range x {
			if x[i] == x[i] && (got[i] != want[i] || back[i] != wantBack[i]) {
				t.Fatalf("%g becomes %#04x and %g, want %#04x and %g", x[i], got[i], back[i], want[i], wantBack[i])
			}
		}
	})
}

// TestQuantize compares with rounding in f64, ties included.
func TestQuantize(t *testing.T) {
	eachLength(t, func(t *testing.T, x, _ []float32) {
		for i := range x {
			if i%2 == 0 {
				x[i] = float32(i%100) + 0.5 // ties once the greatest is 127
			}
		}
		if len(x) > 1 {
			x[1] = -127
		}
		var a Rows
		a.Quantize(x, 1, len(x))
		top := float64(absMaxPortable(x))
		for i, v := range x {
			if want := math.RoundToEven(float64(v * float32(127/top))); a.integer(0, i) != int(want) {
				t.Errorf("%g of %g becomes %d, want %v", v, top, a.integer(0, i), want)
			}
		}
	})
}

func TestQuantizeZeros(t *testing.T) {
	atLevels(t, func(t *testing.T) {
		var a Rows
		a.Quantize(make([]float32, 40), 2, 20)
		for i := range 40 {
			if a.integer(i/20, i%20) != 0 || a.scale[i/20] != 0 {
				t.Fatalf("zero became %d·%g", a.integer(i/20, i%20), a.scale[i/20])
			}
		}
	})
}
