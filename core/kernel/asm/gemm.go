package main

import (
	"fmt"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// rowSet addresses the rows of a matrix with one pointer for every three of them.
type rowSet struct {
	bases  []reg.GPVirtual
	stride reg.GPVirtual // in bytes
}

func rowsAt(base, stride reg.GPVirtual, rows int) rowSet {
	s := rowSet{bases: []reg.GPVirtual{base}, stride: stride}
	for i := 3; i < rows; i += 3 {
		next := GP64()
		LEAQ(Mem{Base: s.bases[len(s.bases)-1], Index: stride, Scale: 2}, next)
		ADDQ(stride, next)
		s.bases = append(s.bases, next)
	}
	return s
}

func (s rowSet) at(row, disp int) Mem {
	a := Mem{Base: s.bases[row/3], Disp: disp}
	if row%3 > 0 {
		a.Index, a.Scale = s.stride, uint8(row%3)
	}
	return a
}

func (s rowSet) advance(bytes int) {
	for _, b := range s.bases {
		ADDQ(I32(bytes), b)
	}
}

// tile is the block of outputs that stays in registers: rows × vecs registers.
type tile struct {
	isa
	rows, vecs int
	acc        [][]reg.VecVirtual
}

func (m isa) tile(rows, vecs int) tile {
	t := tile{isa: m, rows: rows, vecs: vecs}
	for range rows {
		var row []reg.VecVirtual
		for range vecs {
			row = append(row, m.register())
		}
		t.acc = append(t.acc, row)
	}
	return t
}

func (t tile) width() int { return t.vecs * t.bytes() }

// start sets every row of the tile to the vectors at p, or to zero where p is nil.
func (t tile) start(p reg.Register) {
	for i, row := range t.acc {
		for j, r := range row {
			switch {
			case p == nil:
				clearRegister(r)
			case i == 0:
				VMOVUPS(Mem{Base: p, Disp: j * t.bytes()}, r)
			default:
				VMOVAPS(t.acc[0][j], r)
			}
		}
	}
}

// step adds to the tile the product of one value (or group of values) of each row of a, at disp, with one line of the
// panel b; multiply adds the products of the registers of b and a broadcast value to a row of accumulators.
func (t tile) step(a rowSet, disp int, b reg.GPVirtual, line int, broadcast func(...Op), multiply func(b []reg.VecVirtual, a reg.VecVirtual, acc []reg.VecVirtual)) {
	var w []reg.VecVirtual
	for j := range t.vecs {
		r := t.register()
		VMOVUPS(Mem{Base: b, Disp: line*t.width() + j*t.bytes()}, r)
		w = append(w, r)
	}
	for i, row := range t.acc {
		v := t.register()
		broadcast(a.at(i, disp), v)
		multiply(w, v, row)
	}
}

// store writes the tile to the rows of c.
func (t tile) store() {
	c := rowsAt(param("c"), param("ldc"), t.rows)
	for i, row := range t.acc {
		for j, r := range row {
			VMOVUPS(r, c.at(i, j*t.bytes()))
		}
	}
}

// gemmInt8 multiplies int8 weights: by VPDPBUSD with groups of four u8 activations, or, since VPMADDUBSW saturates, by
// VPMADDWD with pairs of int16 ones and weights widened to int16.
func (m isa) gemmInt8(name string, rows, vecs int) {
	m.function(name, "(k int, a *byte, lda int, b *byte, c *float32, ldc int, rowScale, scale, bias *float32, offset *int32)",
		fmt.Sprintf("sets the tile c of %d rows × %d columns to (offset + a·b)·rowScale·scale + bias, over k groups of 16 values.", rows, vecs*m.lanes))
	t := m.tile(rows, vecs)
	values, lines, multiply := 32, 8, m.multiplyInt16
	if m.lanes == chunkLanes {
		values, lines, multiply = 16, 4, multiplyInt8
		t.start(param("offset"))
	} else {
		t.start(nil)
	}
	k, b := param("k"), param("b")
	a := rowsAt(param("a"), param("lda"), rows)
	Label("loop")
	for l := range lines {
		if m.lanes == chunkLanes {
			// A panel over many inputs does not stay in the first-level cache.
			for j := range vecs {
				PREFETCHT0(Mem{Base: b, Disp: (l+lines)*t.width() + j*t.bytes()})
			}
		}
		t.step(a, 4*l, b, l, VPBROADCASTD, multiply)
	}
	a.advance(values)
	ADDQ(I32(lines*t.width()), b)
	DECQ(k)
	JNZ(LabelRef("loop"))
	t.scaleInt32()
	t.store()
	leave()
}

func multiplyInt8(b []reg.VecVirtual, a reg.VecVirtual, acc []reg.VecVirtual) {
	for j, c := range acc {
		VPDPBUSD(b[j], a, c)
	}
}

// multiplyInt16 keeps the multiplications together: so they contend less with the additions for the same ports.
func (m isa) multiplyInt16(b []reg.VecVirtual, a reg.VecVirtual, acc []reg.VecVirtual) {
	var products []reg.VecVirtual
	for j := range acc {
		product := a // which is not used any more after the last product
		if j < len(acc)-1 {
			product = m.register()
		}
		VPMADDWD(b[j], a, product)
		products = append(products, product)
	}
	for j, c := range acc {
		VPADDD(products[j], c, c)
	}
}

// scaleInt32 turns the sums into f32: sum·rowScale·scale + bias.
func (t tile) scaleInt32() {
	rowScale, scale, bias := param("rowScale"), param("scale"), param("bias")
	for i, row := range t.acc {
		r := t.register()
		VBROADCASTSS(Mem{Base: rowScale, Disp: 4 * i}, r)
		for j, acc := range row {
			b := t.register()
			VMOVUPS(Mem{Base: bias, Disp: j * t.bytes()}, b)
			VCVTDQ2PS(acc, acc)
			VMULPS(r, acc, acc)
			VFMADD132PS(Mem{Base: scale, Disp: j * t.bytes()}, b, acc)
		}
	}
}

// multiplyF32 emits the loops over k of an f32 tile, four lines at a time and then one.
func (t tile) multiplyF32() {
	k, b := param("k"), param("b")
	a := rowsAt(param("a"), param("lda"), t.rows)
	fma := func(b []reg.VecVirtual, a reg.VecVirtual, acc []reg.VecVirtual) {
		for j, c := range acc {
			VFMADD231PS(b[j], a, c)
		}
	}
	for _, lines := range []int{4, 1} {
		loop, end := fmt.Sprintf("by%d", lines), fmt.Sprintf("end%d", lines)
		Label(loop)
		CMPQ(k, Imm(uint64(lines)))
		JLT(LabelRef(end))
		for l := range lines {
			t.step(a, 4*l, b, l, VBROADCASTSS, fma)
		}
		a.advance(4 * lines)
		ADDQ(I32(lines*t.width()), b)
		SUBQ(Imm(uint64(lines)), k)
		JMP(LabelRef(loop))
		Label(end)
	}
}

func (m isa) gemmF32(rows, vecs int) {
	m.function("gemmF32", "(k int, a *float32, lda int, b *float32, c *float32, ldc int, bias *float32)",
		fmt.Sprintf("sets the tile c of %d rows × %d columns to bias + a·b over k values.", rows, vecs*m.lanes))
	t := m.tile(rows, vecs)
	t.start(param("bias"))
	t.multiplyF32()
	t.store()
	leave()
}

func (m isa) gemmScaled(rows, vecs int) {
	m.function("gemmScaled", "(k int, a *float32, lda int, b *float32, c *float32, ldc int, rowScale *float32)",
		fmt.Sprintf("sets the tile c of %d rows × %d columns to (a·b)·rowScale over k values.", rows, vecs*m.lanes))
	t := m.tile(rows, vecs)
	t.start(nil)
	t.multiplyF32()
	rowScale := param("rowScale")
	for i, row := range t.acc {
		r := t.register()
		VBROADCASTSS(Mem{Base: rowScale, Disp: 4 * i}, r)
		for _, acc := range row {
			VMULPS(r, acc, acc)
		}
	}
	t.store()
	leave()
}
