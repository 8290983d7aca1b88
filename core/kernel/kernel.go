// Package kernel holds the compute kernels of the pure-Go path: dense layers with int8 or f32 weights, attention,
// LayerNorm, GELU and the conversions around them. core/model/… builds a forward pass out of them.
//
// Every matrix is row-major. Each call runs on the calling goroutine; parallelism is the caller's, one [Scratch] and one
// set of [Rows] per worker. The result for a row never depends on the other rows of a call.
//
// The kernels exist at five levels, chosen once from the CPU: "amx", "avx512-vnni", "avx-vnni", "avx2" and "portable" (plain Go). The
// integer sums of int8 layers and the quantisation of activations are the same at every level. The vector levels give the
// same bits everywhere, since they do the same operations in the same order; portable differs from them by rounding
// (relative 1e-5 of a row's largest value).
package kernel

import (
	"fmt"
	"slices"
)

// level is one implementation of the kernels.
type level struct {
	name string
	// bytes and words say how quantised activations are held: as u8 with zero point 128, as int16, or both.
	bytes, words bool

	packInt8  func(d *Int8Dense, w []int8)
	mulInt8   func(d *Int8Dense, dst []float32, a *Rows, from, to int, s *Scratch)
	packF32   func(d *F32Dense, w []float32)
	mulF32    func(d *F32Dense, dst []float32, a *Rows, from, to int, s *Scratch)
	absMax    func(x []float32) float32
	quantize  func(bytes []uint8, words []int16, x []float32, inv float32) // into those that are not nil
	gelu      func(x []float32) (absMax float32)
	addNorm   func(dst, x, y, gamma, beta []float32, eps float32)
	dot       func(x, y []float32) float32
	axpy      func(y []float32, a float32, x []float32)
	axpyInt8  func(y []float32, a float32, x []int8)
	attend    func(dst, qkv []float32, rows, heads, dim int, s *Scratch)
	encodeF16 func(dst []uint16, src []float32)
	decodeF16 func(dst []float32, src []uint16)
}

// current is the level in use.
var current = portable

// Level returns the name of the level in use: "amx", "avx512-vnni", "avx-vnni", "avx2" or "portable".
func Level() string { return current.name }

// Levels returns the names of the levels this CPU can run, fastest first.
func Levels() []string {
	var names []string
	for _, l := range levels() {
		names = append(names, l.name)
	}
	return names
}

// SetLevel makes the kernels run at the named level. It is for tests and benchmarks: layers and rows made before keep
// the layout of their level and must be made anew, and no kernel may run meanwhile.
func SetLevel(name string) error {
	i := slices.Index(Levels(), name)
	if i < 0 {
		return fmt.Errorf("setting kernel level %q: this CPU has %q", name, Levels())
	}
	current = levels()[i]
	return nil
}
