package kernel

import "fmt"

// Dense is a dense layer y = x·Wᵀ + bias, with int8 or f32 weights. It is read-only once made and may be used by many
// workers at the same time. The weights are [n][k]: n outputs, k inputs.
type Dense interface {
	// Load prepares a from x [rows][k] for this kind of layer. With f32 weights, a refers to x and does not copy it.
	Load(a *Rows, x []float32, rows int)
	// Mul sets dst [rows][n] to x·Wᵀ + bias for the rows x that a was loaded with.
	Mul(dst []float32, a *Rows, s *Scratch)
	// MulGELU loads dst with gelu(x·Wᵀ + bias) for a following layer of the same kind. dst must not be a.
	MulGELU(dst, a *Rows, s *Scratch)
	// MulAddNorm sets x [rows][n] to LayerNorm(x + a·Wᵀ + bias) with gamma and beta [n]. a may have been loaded from x.
	MulAddNorm(x []float32, a *Rows, gamma, beta []float32, eps float32, s *Scratch)
}

// blockRows is how many rows pass through a layer before its epilogue: few enough that a block of 1536 f32 outputs stays
// in the second-level cache, many enough that reading all weights once a block costs little.
const blockRows = 48

// blocks calls do for consecutive ranges that cover rows, none of fewer than tileRows rows unless rows is smaller itself.
func blocks(rows int, do func(from, to int)) {
	for from := 0; from < rows; {
		to := from + blockRows
		if to+tileRows > rows {
			to = rows
		}
		do(from, to)
		from = to
	}
}

func checkWeights(w, bias, n, k int) {
	if n <= 0 || k <= 0 || w != n*k || bias != n {
		panic(fmt.Sprintf("kernel: %d weights and a bias of %d do not make a layer of %d×%d", w, bias, n, k))
	}
}

func checkRows(a *Rows, k int) {
	if a.k != k {
		panic(fmt.Sprintf("kernel: rows of %d values for a layer of %d inputs", a.k, k))
	}
}

// Int8Dense is a dense layer with int8 weights, one scale an output; its inputs are quantised row by row at run time.
type Int8Dense struct {
	n, k   int
	lv     *level
	scale  []float32 // [n], padded to whole panels
	bias   []float32 // [n], padded to whole panels
	w8     []int8    // where all weights are multiplied as bytes
	panels []panel   // where not all are
	offset []int32   // −128·Σ of the weights of an output that meet activations with zero point 128
}

// panel holds the weights of a few outputs, in groups of four inputs. A group is light if the 16-bit sums of two products of
// neighbouring inputs cannot overflow in any of the outputs.
type panel struct {
	lightFirst, heavyFirst []int32 // the first input of each group
	light                  []int8  // [lights][outputs][4]
	heavy                  []int16 // [heavies][2][outputs][2]
}

// NewInt8Dense packs the weights w [n][k], of which output j counts scale[j] each, for the level in use. Weights lie in
// −127…127. It panics if the lengths do not fit.
func NewInt8Dense(w []int8, scale, bias []float32, n, k int) *Int8Dense {
	checkWeights(len(w), len(bias), n, k)
	checkWeights(len(w), len(scale), n, k)
	d := &Int8Dense{n: n, k: k, lv: current}
	d.scale, d.bias = aligned[float32](roundUp(n, lineSize)), aligned[float32](roundUp(n, lineSize))
	copy(d.scale, scale)
	copy(d.bias, bias)
	d.lv.packInt8(d, w)
	return d
}

// Load quantises x [rows][k] into a.
func (d *Int8Dense) Load(a *Rows, x []float32, rows int) { a.Quantize(x, rows, d.k) }

// Mul implements [Dense].
func (d *Int8Dense) Mul(dst []float32, a *Rows, s *Scratch) {
	checkRows(a, d.k)
	d.lv.mulInt8(d, dst[:a.rows*d.n], a, 0, a.rows, s)
}

// MulGELU implements [Dense]; what it loads into dst is quantised.
func (d *Int8Dense) MulGELU(dst, a *Rows, s *Scratch) {
	checkRows(a, d.k)
	dst.shape(a.rows, d.n)
	blocks(a.rows, func(from, to int) {
		s.block = grow(s.block, (to-from)*d.n)
		d.lv.mulInt8(d, s.block, a, from, to, s)
		for i := range to - from {
			row := s.block[i*d.n : (i+1)*d.n]
			dst.quantizeRow(from+i, row, d.lv.gelu(row))
		}
	})
}

// MulAddNorm implements [Dense].
func (d *Int8Dense) MulAddNorm(x []float32, a *Rows, gamma, beta []float32, eps float32, s *Scratch) {
	checkRows(a, d.k)
	blocks(a.rows, func(from, to int) {
		s.block = grow(s.block, (to-from)*d.n)
		d.lv.mulInt8(d, s.block, a, from, to, s)
		addNormRows(x[from*d.n:to*d.n], s.block, gamma, beta, eps)
	})
}

// F32Dense is a dense layer with f32 weights.
type F32Dense struct {
	n, k int
	lv   *level
	bias []float32 // [n], padded to whole panels
	w    []float32
}

// NewF32Dense packs the weights w [n][k] for the level in use. It panics if the lengths do not fit.
func NewF32Dense(w, bias []float32, n, k int) *F32Dense {
	checkWeights(len(w), len(bias), n, k)
	d := &F32Dense{n: n, k: k, lv: current}
	d.bias = aligned[float32](roundUp(n, lineSize))
	copy(d.bias, bias)
	d.lv.packF32(d, w)
	return d
}

// Load makes a refer to x [rows][k].
func (d *F32Dense) Load(a *Rows, x []float32, rows int) { a.Borrow(x, rows, d.k) }

// Mul implements [Dense].
func (d *F32Dense) Mul(dst []float32, a *Rows, s *Scratch) {
	checkRows(a, d.k)
	d.lv.mulF32(d, dst[:a.rows*d.n], a, 0, a.rows, s)
}

// MulGELU implements [Dense].
func (d *F32Dense) MulGELU(dst, a *Rows, s *Scratch) {
	checkRows(a, d.k)
	dst.own = grow(dst.own, a.rows*d.n)
	dst.Borrow(dst.own, a.rows, d.n)
	blocks(a.rows, func(from, to int) {
		block := dst.f32[from*d.n : to*d.n]
		d.lv.mulF32(d, block, a, from, to, s)
		for i := 0; i < len(block); i += d.n {
			d.lv.gelu(block[i : i+d.n])
		}
	})
}

// MulAddNorm implements [Dense].
func (d *F32Dense) MulAddNorm(x []float32, a *Rows, gamma, beta []float32, eps float32, s *Scratch) {
	checkRows(a, d.k)
	blocks(a.rows, func(from, to int) {
		s.block = grow(s.block, (to-from)*d.n)
		d.lv.mulF32(d, s.block, a, from, to, s)
		addNormRows(x[from*d.n:to*d.n], s.block, gamma, beta, eps)
	})
}
