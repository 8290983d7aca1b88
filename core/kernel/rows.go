package kernel

import "math"

// Rows holds activations as dense layers read them: quantised for [Int8Dense], plain for [F32Dense]. The zero value is
// ready; memory is reused from one Load to the next.
type Rows struct {
	rows, k int
	stride  int       // values from one quantised row to the next
	q8      []uint8   // q+128, where the level reads bytes
	q16     []int16   // q, where the level reads words
	scale   []float32 // of each row: x ≈ q·scale
	f32     []float32
	own     []float32 // memory of f32 where it is not borrowed
}

// depth is how many inputs an int8 kernel takes at once, at least. Quantised rows are padded to whole cache lines, and lie one line
// further apart: at 768 or 3072 bytes from each other, the rows of a tile would contend for the same sets of the cache.
const depth = 16

// tileRows is the most rows a vector kernel reads at once; buffers of Rows always hold as many.
const tileRows = 16

// shape prepares memory for quantised rows.
func (r *Rows) shape(rows, k int) {
	r.rows, r.k, r.stride = rows, k, roundUp(k, lineSize)+lineSize
	padded := max(rows, tileRows)
	r.scale = grow(r.scale, padded)
	if current.bytes {
		r.q8 = grow(r.q8, padded*r.stride)
	}
	if current.words {
		r.q16 = grow(r.q16, padded*r.stride)
	}
}

// Quantize sets r to the rows of x [rows][k], each scaled so that its largest magnitude becomes 127 and rounded half to
// even. Values must be finite.
func (r *Rows) Quantize(x []float32, rows, k int) {
	r.shape(rows, k)
	for i := range rows {
		row := x[i*k : (i+1)*k]
		r.quantizeRow(i, row, current.absMax(row))
	}
}

// quantizeRow sets row i to x, whose largest magnitude is absMax.
func (r *Rows) quantizeRow(i int, x []float32, absMax float32) {
	// A row that is all but zero would have an infinite inverse: it becomes zero.
	var inv float32
	r.scale[i] = 0
	if absMax > 1e-30 {
		r.scale[i], inv = absMax/127, 127/absMax
	}
	lo, hi := i*r.stride, (i+1)*r.stride
	var bytes []uint8
	var words []int16
	if current.bytes {
		bytes = r.q8[lo:hi]
		for j := len(x); j < len(bytes); j++ {
			bytes[j] = 128
		}
	}
	if current.words {
		words = r.q16[lo:hi]
		clear(words[len(x):])
	}
	current.quantize(bytes, words, x, inv)
}

// Borrow sets r to the rows of x [rows][k] as they are. r refers to x until the next Load.
func (r *Rows) Borrow(x []float32, rows, k int) {
	r.rows, r.k, r.f32 = rows, k, x[:rows*k]
}

// roundEven is the rounding of quantisation, the one of the CPU's conversion instructions.
func roundEven(x float32) int { return int(math.RoundToEven(float64(x))) }
