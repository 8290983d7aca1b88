package kernel

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

// layer is one kind of dense layer with the weights it was made of, as f32.
type layer struct {
	Dense
	w, bias []float32
	n, k    int
}

func newInt8(r *rand.Rand, n, k int) layer {
	w, scale := make([]int8, n*k), make([]float32, n)
	for i := range w { // as spread as those of trained layers
		w[i] = int8(min(max(r.NormFloat64()*38, -127), 127))
	}
	for j := range scale {
		scale[j] = float32(r.Float64()+0.5) / 127 / float32(math.Sqrt(float64(k)))
	}
	plain := make([]float32, n*k)
	for i, v := range w {
		plain[i] = float32(v) * scale[i/k]
	}
	bias := normal(r, n, 1)
	return layer{NewInt8Dense(w, scale, bias, n, k), plain, bias, n, k}
}

func newF32(r *rand.Rand, n, k int) layer {
	w, bias := normal(r, n*k, 1/math.Sqrt(float64(k))), normal(r, n, 1)
	return layer{NewF32Dense(w, bias, n, k), w, bias, n, k}
}

// exact returns x·Wᵀ + bias in f64.
func (l layer) exact(x []float32, rows int) []float64 {
	y := make([]float64, rows*l.n)
	for i := range rows {
		for j := range l.n {
			sum := float64(l.bias[j])
			for c := range l.k {
				sum += float64(x[i*l.k+c]) * float64(l.w[j*l.k+c])
			}
			y[i*l.n+j] = sum
		}
	}
	return y
}

// near reports the first value further than tolerance from want.
func near(t *testing.T, got []float32, want []float64, tolerance float64) {
	t.Helper()
	for i, w := range want {
		if d := math.Abs(float64(got[i]) - w); !(d <= tolerance) {
			t.Fatalf("value %d is %g, want %g ± %g", i, got[i], w, tolerance)
		}
	}
}

// values of a Rows, whatever its kind.
func (r *Rows) values(t *testing.T) []float32 {
	t.Helper()
	if len(r.scale) == 0 {
		return r.f32
	}
	x := make([]float32, r.rows*r.k)
	for i := range x {
		x[i] = float32(r.integer(i/r.k, i%r.k)) * r.scale[i/r.k]
	}
	return x
}

// integer returns what value j of row i was quantised to.
func (r *Rows) integer(i, j int) int {
	if current.bytes {
		return int(r.q8[i*r.stride+j]) - 128
	}
	return int(r.q16[i*r.stride+j])
}

var kinds = []struct {
	name string
	make func(r *rand.Rand, n, k int) layer
}{
	{"int8", newInt8},
	{"f32", newF32},
}

// shapes are outputs × inputs of the tag head, the test checkpoints and the critic, and odd ones.
var shapes = [][2]int{
	{4, 64}, {1, 384}, {64, 64}, {128, 64}, {64, 128}, {192, 64}, {384, 384}, {1152, 384}, {1536, 384}, {384, 1536},
	{15, 16}, {17, 1}, {63, 15}, {65, 17}, {100, 50},
}

var rowCounts = []int{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, blockRows - 1, blockRows, blockRows + 1, blockRows + tileRows - 1, blockRows + tileRows}

// tolerance is against f64, for outputs of about 1.
const tolerance = 3e-5

// eachCase runs f for every kind of layer, shape and number of rows, at every level; for large shapes with few of the
// numbers, and in short mode, which is for emulators, for few numbers and small shapes.
func eachCase(t *testing.T, f func(t *testing.T, l layer, rows int, x []float32)) {
	for _, kind := range kinds {
		for _, shape := range shapes {
			n, k := shape[0], shape[1]
			counts := rowCounts
			if n*k > 1<<12 {
				counts = []int{1, 5, 13}
			}
			if testing.Short() {
				if n*k > 1<<12 {
					continue
				}
				counts = []int{1, 6, 13}
			}
			t.Run(fmt.Sprintf("%s/%d×%d", kind.name, n, k), func(t *testing.T) {
				atLevels(t, func(t *testing.T) {
					r := rand.New(rand.NewPCG(7, uint64(n)))
					l := kind.make(r, n, k)
					for _, rows := range counts {
						f(t, l, rows, normal(r, rows*k, 1))
					}
				})
			})
		}
	}
}

func TestMul(t *testing.T) {
	eachCase(t, func(t *testing.T, l layer, rows int, x []float32) {
		var a Rows
		var s Scratch
		l.Load(&a, x, rows)
		got := make([]float32, rows*l.n+1)
		got[rows*l.n] = 42
		l.Mul(got, &a, &s)
		if got[rows*l.n] != 42 {
			t.Error("Mul wrote past its rows")
		}
		near(t, got, l.exact(a.values(t), rows), tolerance)
	})
}

func TestMulGELU(t *testing.T) {
	eachCase(t, func(t *testing.T, l layer, rows int, x []float32) {
		var a, h Rows
		var s Scratch
		l.Load(&a, x, rows)
		l.MulGELU(&h, &a, &s)
		want := l.exact(a.values(t), rows)
		for i, v := range want {
			want[i] = exactGELU(v)
		}
		allowed := tolerance
		if _, quantised := l.Dense.(*Int8Dense); quantised {
			for _, v := range want {
				allowed = max(allowed, tolerance+math.Abs(v)/254)
			}
		}
		if h.rows != rows || h.k != l.n {
			t.Fatalf("MulGELU made rows of %d×%d, want %d×%d", h.rows, h.k, rows, l.n)
		}
		near(t, h.values(t), want, allowed)
	})
}

func TestMulAddNorm(t *testing.T) {
	eachCase(t, func(t *testing.T, l layer, rows int, x []float32) {
		if l.n < 15 {
			return // the spread of so few values says nothing about the sums
		}
		var a Rows
		var s Scratch
		r := rand.New(rand.NewPCG(3, 4))
		gamma, beta, residual := normal(r, l.n, 1), normal(r, l.n, 1), normal(r, rows*l.n, 1)
		l.Load(&a, x, rows)
		want := l.exact(a.values(t), rows)
		for i, v := range residual {
			want[i] += float64(v)
		}
		exactNorm(want, gamma, beta)
		l.MulAddNorm(residual, &a, gamma, beta, 1e-12, &s)
		near(t, residual, want, 5e-5)
	})
}

func exactGELU(x float64) float64 { return x / 2 * (1 + math.Erf(x/math.Sqrt2)) }

func exactNorm(x []float64, gamma, beta []float32) {
	n := len(gamma)
	for row := range slices.Chunk(x, n) {
		var mean, variance float64
		for _, v := range row {
			mean += v / float64(n)
		}
		for _, v := range row {
			variance += (v - mean) * (v - mean) / float64(n)
		}
		for j, v := range row {
			row[j] = (v-mean)/math.Sqrt(variance)*float64(gamma[j]) + float64(beta[j])
		}
	}
}

// TestInt8Extremes drives the sums to where saturating instructions lose them, and to just before.
func TestInt8Extremes(t *testing.T) {
	atLevels(t, func(t *testing.T) {
		const n, k = 64, 48
		for _, pair := range [][2]int8{{127, 127}, {-127, -127}, {127, 1}, {-127, -1}, {64, 64}, {-64, -64}, {64, 65}, {-65, -64}, {127, -127}, {0, 127}} {
			for _, activation := range []float32{127, -127} {
				w, scale, bias, x := make([]int8, n*k), make([]float32, n), make([]float32, n), make([]float32, k)
				for i := range w {
					w[i] = pair[i%2]
				}
				for i := range x {
					x[i] = activation
				}
				for i := range scale {
					scale[i] = 1
				}
				d := NewInt8Dense(w, scale, bias, n, k)
				var a Rows
				var s Scratch
				d.Load(&a, x, 1)
				got := make([]float32, n)
				d.Mul(got, &a, &s)
				for j, v := range got {
					if want := activation * (float32(pair[0]) + float32(pair[1])) * k / 2; v != want {
						t.Fatalf("output %d of weights %d and activation %v is %v, want %v", j, pair, activation, v, want)
					}
				}
			}
		}
	})
}

// TestInt8SumsAreExact has integer scales, so that f32 holds every sum as it is.
func TestInt8SumsAreExact(t *testing.T) {
	atLevels(t, func(t *testing.T) {
		const n, k, rows = 80, 384, 13
		r := rand.New(rand.NewPCG(5, 6))
		w, scale, bias, x := make([]int8, n*k), make([]float32, n), make([]float32, n), make([]float32, rows*k)
		for i := range w {
			w[i] = int8(r.IntN(255) - 127)
		}
		for i := range x {
			x[i] = float32(r.IntN(255) - 127)
		}
		for i := range rows {
			x[i*k] = 127 // the scale of every row is 1
		}
		for i := range scale {
			scale[i] = 1
		}
		d := NewInt8Dense(w, scale, bias, n, k)
		var a Rows
		var s Scratch
		d.Load(&a, x, rows)
		got := make([]float32, rows*n)
		d.Mul(got, &a, &s)
		for i := range rows {
			for j := range n {
				want := 0
				for c := range k {
					want += int(x[i*k+c]) * int(w[j*k+c])
				}
				if got[i*n+j] != float32(want) {
					t.Fatalf("sum %d,%d is %v, want %d", i, j, got[i*n+j], want)
				}
			}
		}
	})
}

// TestRowsAreIndependent computes each row alone and among others.
func TestRowsAreIndependent(t *testing.T) {
	for _, kind := range kinds {
		t.Run(kind.name, func(t *testing.T) {
			atLevels(t, func(t *testing.T) {
				r := rand.New(rand.NewPCG(8, 9))
				up, down := kind.make(r, 100, 64), kind.make(r, 64, 100)
				gamma, beta := normal(r, 64, 1), normal(r, 64, 1)
				forward := func(x []float32, rows int) []float32 {
					var a, h Rows
					var s Scratch
					out := slices.Clone(x)
					up.Load(&a, out, rows)
					up.MulGELU(&h, &a, &s)
					down.MulAddNorm(out, &h, gamma, beta, 1e-12, &s)
					return out
				}
				const rows = 2*blockRows + 7
				x := normal(r, rows*64, 1)
				all := forward(x, rows)
				for _, n := range []int{1, 5, 6, 12, 13, blockRows, rows - 1} {
					for from := 0; from+n <= rows; from += 17 {
						if got := forward(x[from*64:(from+n)*64], n); !slices.Equal(got, all[from*64:(from+n)*64]) {
							t.Fatalf("rows %d…%d alone differ from the same among %d", from, from+n, rows)
						}
					}
				}
			})
		})
	}
}

func TestMulDoesNotAllocate(t *testing.T) {
	for _, kind := range kinds {
		atLevels(t, func(t *testing.T) {
			r := rand.New(rand.NewPCG(8, 9))
			up, down := kind.make(r, 100, 64), kind.make(r, 64, 100)
			gamma, beta, x := normal(r, 64, 1), normal(r, 64, 1), normal(r, 70*64, 1)
			var a, h Rows
			var s Scratch
			if n := testing.AllocsPerRun(5, func() {
				up.Load(&a, x, 70)
				up.MulGELU(&h, &a, &s)
				down.MulAddNorm(x, &h, gamma, beta, 1e-12, &s)
			}); n > 0 {
				t.Errorf("%s: %v allocations a call, want none", kind.name, n)
			}
		})
	}
}

func TestLayersOfNothingPanic(t *testing.T) {
	for _, c := range [][4]int{{0, 0, 0, 0}, {5, 2, 2, 2}, {4, 1, 2, 2}} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("NewF32Dense of %v did not panic", c)
				}
			}()
			NewF32Dense(make([]float32, c[0]), make([]float32, c[1]), c[2], c[3])
		}()
	}
}
