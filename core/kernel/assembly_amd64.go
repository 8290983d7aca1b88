package kernel

import "unsafe"

//go:generate go generate -C asm

// assembly is a set of assembly kernels, and the Go code that walks matrices with them. The kernels work on whole tiles and
// on multiples of 16 values.
type assembly struct {
	int8Rows, int8Cols int  // the tile of tileInt8
	f32Rows, f32Cols   int  // the tile of gemmF32, gemmScores and gemmScaled
	words              bool // whether tileInt8 reads activations as words too, beside bytes

	packInt8   func(d *Int8Dense, w []int8)
	tileInt8   func(d *Int8Dense, a *Rows, i, j int, c *float32, ldc int) // rows from i on, outputs from j on
	gemmF32    func(k int, a *float32, lda int, b, c *float32, ldc int, bias *float32)
	gemmScores func(panels, k int, a *float32, lda int, b, c *float32, ldc int)
	gemmScaled func(k int, a *float32, lda int, b, c *float32, ldc int, rowScale *float32)
	quantize   func(bytes *uint8, words *int16, x *float32, n int, inv float32)
	absMax     func(x *float32, n int) float32
	gelu       func(x *float32, n int) float32
	expRows    func(x *float32, stride, rows, n int, scale float32, inverse *float32)
	addNorm    func(dst, x, y *float32, n int, gamma, beta *float32, eps float32)
	dot        func(x, y *float32, n int) float32
	axpy       func(y *float32, a float32, x *float32, n int)
	axpyInt8   func(y *float32, a float32, x *int8, n int)
	encodeF16  func(dst *uint16, x *float32, n int)
	decodeF16  func(dst *float32, x *uint16, n int)
}

func (m *assembly) level(name string) *level {
	return &level{
		name:     name,
		bytes:    true,
		words:    m.words,
		packInt8: m.packInt8,
		mulInt8:  m.mulInt8,
		packF32:  m.packF32,
		mulF32:   m.mulF32,
		attend:   m.attend,
		absMax: func(x []float32) float32 {
			head, tail := split(x)
			return max(m.absMax(start(head), len(head)), absMaxPortable(tail))
		},
		quantize: func(bytes []uint8, words []int16, x []float32, inv float32) {
			head, tail := split(x)
			m.quantize(start(bytes), start(words), start(head), len(head), inv)
			if words != nil {
				words = words[len(head):]
			}
			quantizePortable(bytes[len(head):], words, tail, inv)
		},
		gelu: func(x []float32) float32 {
			head, tail := split(x)
			return max(m.gelu(start(head), len(head)), geluPortable(tail))
		},
		addNorm: func(dst, x, y, gamma, beta []float32, eps float32) {
			if len(dst)%chunk != 0 {
				addNormPortable(dst, x, y, gamma, beta, eps)
				return
			}
			m.addNorm(start(dst), start(x), start(y), len(dst), start(gamma), start(beta), eps)
		},
		dot: func(x, y []float32) float32 {
			head, tail := split(x)
			return m.dot(start(head), start(y), len(head)) + dotPortable(tail, y[len(head):])
		},
		axpy: func(y []float32, a float32, x []float32) {
			head, tail := split(x)
			m.axpy(start(y), a, start(head), len(head))
			axpyPortable(y[len(head):], a, tail)
		},
		axpyInt8: func(y []float32, a float32, x []int8) {
			head, tail := split(x)
			m.axpyInt8(start(y), a, start(head), len(head))
			axpyInt8Portable(y[len(head):], a, tail)
		},
		encodeF16: func(dst []uint16, src []float32) {
			head, tail := split(src)
			m.encodeF16(start(dst), start(head), len(head))
			encodeF16Portable(dst[len(head):], tail)
		},
		decodeF16: func(dst []float32, src []uint16) {
			head, tail := split(src)
			m.decodeF16(start(dst), start(head), len(head))
			decodeF16Portable(dst[len(head):], tail)
		},
	}
}

// chunk is how many values the elementwise kernels take at once.
const chunk = 16

// split returns the part of x that is whole chunks, and the rest.
func split[T any](x []T) (head, tail []T) {
	n := len(x) / chunk * chunk
	return x[:n], x[n:]
}

func start[T any](x []T) *T { return unsafe.SliceData(x) }

// packF32 lays the weights out in panels of f32Cols outputs: for each input, its weight in every output of the panel.
func (m *assembly) packF32(d *F32Dense, w []float32) {
	d.w = aligned[float32](roundUp(d.n, m.f32Cols) * d.k)
	for j := range d.n {
		panel := d.w[j/m.f32Cols*m.f32Cols*d.k+j%m.f32Cols:]
		for i, v := range w[j*d.k : (j+1)*d.k] {
			panel[i*m.f32Cols] = v
		}
	}
}

// tiles calls do with the first row of each tile of height rows. The last tile reaches back over rows of the one before, which are
// then computed twice, alike; where there are fewer rows than one tile, first is 0 and partial is true.
func tiles(rows, height int, do func(first int, partial bool)) {
	if rows < height {
		do(0, true)
		return
	}
	for i := 0; i < rows; i += height {
		do(min(i, rows-height), false)
	}
}

// output is where the kernels write a tile: in dst, or beside it if it would reach over the edge of dst.
type output struct {
	dst    []float32 // [rows][stride]
	stride int
	beside []float32 // one tile
}

// tile returns where the tile at row i and column j is to be written, and its row stride in bytes.
func (o output) tile(i, j, cols int, whole bool) (c *float32, ldc int) {
	if whole {
		return &o.dst[i*o.stride+j], 4 * o.stride
	}
	return &o.beside[0], 4 * cols
}

// fetch copies what of a tile beside dst lies inside: rows × cols values of a tile of width tileCols.
func (o output) fetch(i, j, rows, cols, tileCols int) {
	for r := range rows {
		copy(o.dst[(i+r)*o.stride+j:][:cols], o.beside[r*tileCols:])
	}
}

// mulInt8 computes rows from…to of a into dst, panel by panel.
func (m *assembly) mulInt8(d *Int8Dense, dst []float32, a *Rows, from, to int, s *Scratch) {
	s.tile = grow(s.tile, m.int8Rows*m.int8Cols)
	rows, out := to-from, output{dst, d.n, s.tile}
	for j := 0; j < d.n; j += m.int8Cols {
		cols := min(m.int8Cols, d.n-j)
		tiles(rows, m.int8Rows, func(i int, partial bool) {
			whole := !partial && cols == m.int8Cols
			c, ldc := out.tile(i, j, m.int8Cols, whole)
			m.tileInt8(d, a, from+i, j, c, ldc)
			if !whole {
				out.fetch(i, j, min(rows, m.int8Rows), cols, m.int8Cols)
			}
		})
	}
}

// mulF32 computes rows from…to of a into dst, panel by panel.
func (m *assembly) mulF32(d *F32Dense, dst []float32, a *Rows, from, to int, s *Scratch) {
	s.tile = grow(s.tile, m.f32Rows*m.f32Cols)
	rows, out := to-from, output{dst, d.n, s.tile}
	x := a.f32[from*d.k : to*d.k]
	if rows < m.f32Rows {
		s.pad = grow(s.pad, m.f32Rows*d.k)
		copy(s.pad, x)
		x = s.pad
	}
	for j := 0; j < d.n; j += m.f32Cols {
		cols := min(m.f32Cols, d.n-j)
		tiles(rows, m.f32Rows, func(i int, partial bool) {
			whole := !partial && cols == m.f32Cols
			c, ldc := out.tile(i, j, m.f32Cols, whole)
			m.gemmF32(d.k, &x[i*d.k], 4*d.k, &d.w[j*d.k], c, ldc, &d.bias[j])
			if !whole {
				out.fetch(i, j, min(rows, m.f32Rows), cols, m.f32Cols)
			}
		})
	}
}
