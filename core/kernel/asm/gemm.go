package main

import (
	"fmt"

	"github.com/mmcloughlin/avo/attr"
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

// store writes the tile to the rows at c.
func (t tile) store(c, ldc reg.GPVirtual) {
	rows := rowsAt(c, ldc, t.rows)
	for i, row := range t.acc {
		for j, r := range row {
			VMOVUPS(r, rows.at(i, j*t.bytes()))
		}
	}
}

// gemmInt8 multiplies bytes by VPDPBUSD, in groups of four inputs.
func (m isa) gemmInt8(rows, vecs int) {
	m.function("gemmInt8", "(k int, a *uint8, lda int, b *int8, c *float32, ldc int, rowScale, scale, bias *float32, offset *int32)",
		fmt.Sprintf("sets the tile c of %d rows × %d columns to (offset + a·b)·rowScale·scale + bias, over k groups of 16 values.", rows, vecs*m.lanes))
	const lines = 4
	t := m.tile(rows, vecs)
	t.start(param("offset"))
	k, b := param("k"), param("b")
	a := rowsAt(param("a"), param("lda"), rows)
	Label("loop")
	for l := range lines {
		for line := 0; line < t.width(); line += 64 { // a panel over many inputs does not stay in the first-level cache
			PREFETCHT0(Mem{Base: b, Disp: (l+lines)*t.width() + line})
		}
		t.step(a, 4*l, b, l, VPBROADCASTD, func(b []reg.VecVirtual, a reg.VecVirtual, acc []reg.VecVirtual) {
			for j, c := range acc {
				VPDPBUSD(b[j], a, c)
			}
		})
	}
	a.advance(4 * lines)
	ADDQ(I32(lines*t.width()), b)
	DECQ(k)
	JNZ(LabelRef("loop"))
	t.scaleInt32()
	t.store(param("c"), param("ldc"))
	leave()
}

// gemmMixed does without VPDPBUSD. A light group of four inputs is multiplied as bytes by VPMADDUBSW, whose 16-bit sums of two
// products hold since no two neighbouring weights of it sum to more than ±128. A heavy group is widened to 16 bits for
// VPMADDWD. Which group is which differs from panel to panel, so the groups are listed by their first input.
func (m isa) gemmMixed(rows, vecs int) {
	m.function("gemmMixed", "(lights int, lightFirst *int32, light *int8, heavies int, heavyFirst *int32, heavy *int16, "+
		"a8 *uint8, a16 *int16, stride int, c *float32, ldc int, rowScale, scale, bias *float32, offset *int32)",
		fmt.Sprintf("sets the tile c of %d rows × %d columns to (offset + a·b)·rowScale·scale + bias, with the groups of b; a8 is a16 plus 128.", rows, vecs*m.lanes))
	t := m.tile(rows, vecs)
	t.start(param("offset"))
	stride := param("stride")
	t.eachGroup("light", "lights", param("a8"), stride, 1, func(a rowSet, b reg.GPVirtual) {
		t.step(a, 0, b, 0, VPBROADCASTD, m.multiplyBytes)
		ADDQ(I32(t.width()), b)
	})
	words := GP64()
	LEAQ(Mem{Base: stride, Index: stride, Scale: 1}, words)
	t.eachGroup("heavy", "heavies", param("a16"), words, 2, func(a rowSet, b reg.GPVirtual) {
		t.step(a, 0, b, 0, VPBROADCASTD, m.multiplyWords)
		t.step(a, 4, b, 1, VPBROADCASTD, m.multiplyWords)
		ADDQ(I32(2*t.width()), b)
	})
	t.scaleInt32()
	t.store(param("c"), param("ldc"))
	leave()
}

// eachGroup emits a loop over the groups of one kind; a value of a has the given size.
func (t tile) eachGroup(kind, plural string, a, stride reg.GPVirtual, size uint8, body func(a rowSet, b reg.GPVirtual)) {
	count, list, b := param(plural), param(kind+"First"), param(kind)
	TESTQ(count, count)
	JZ(LabelRef(kind + "End"))
	triple := GP64()
	LEAQ(Mem{Base: stride, Index: stride, Scale: 2}, triple)
	Label(kind)
	first, next := GP64(), GP64()
	MOVLQSX(Mem{Base: list}, first)
	ADDQ(Imm(4), list)
	LEAQ(Mem{Base: a, Index: first, Scale: size}, first)
	LEAQ(Mem{Base: first, Index: triple, Scale: 1}, next)
	body(rowSet{bases: []reg.GPVirtual{first, next}, stride: stride}, b)
	DECQ(count)
	JNZ(LabelRef(kind))
	Label(kind + "End")
}

// multiplyBytes adds the sums of four products.
func (m isa) multiplyBytes(b []reg.VecVirtual, a reg.VecVirtual, acc []reg.VecVirtual) {
	m.multiplyThenAdd(b, a, acc, func(b, a, product reg.VecVirtual) {
		VPMADDUBSW(b, a, product)
	}, func(product reg.VecVirtual) {
		VPMADDWD(onesInt16(), product, product)
	})
}

// multiplyWords adds the sums of two products.
func (m isa) multiplyWords(b []reg.VecVirtual, a reg.VecVirtual, acc []reg.VecVirtual) {
	m.multiplyThenAdd(b, a, acc, func(b, a, product reg.VecVirtual) {
		VPMADDWD(b, a, product)
	}, func(reg.VecVirtual) {})
}

// multiplyThenAdd keeps the multiplications together: so they contend less with the additions for the same ports.
func (m isa) multiplyThenAdd(b []reg.VecVirtual, a reg.VecVirtual, acc []reg.VecVirtual, multiply func(b, a, product reg.VecVirtual), widen func(product reg.VecVirtual)) {
	var products []reg.VecVirtual
	for j := range acc {
		product := a // which is not used any more after the last product
		if j < len(acc)-1 {
			product = m.register()
		}
		multiply(b[j], a, product)
		products = append(products, product)
	}
	for _, product := range products {
		widen(product)
	}
	for j, c := range acc {
		VPADDD(products[j], c, c)
	}
}

var ones Mem

// onesInt16 is a full register of int16 ones in memory.
func onesInt16() Mem {
	if ones.Symbol.Name == "" {
		ones = GLOBL("onesInt16", attr.RODATA|attr.NOPTR)
		for i := range 8 {
			DATA(4*i, U32(0x00010001))
		}
	}
	return ones
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
func (t tile) multiplyF32(k reg.GPVirtual, a rowSet, b reg.GPVirtual) {
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
	t.multiplyF32(param("k"), rowsAt(param("a"), param("lda"), rows), param("b"))
	t.store(param("c"), param("ldc"))
	leave()
}

// gemmScores walks over panels itself: scores sum so few products that a call for each tile would show.
func (m isa) gemmScores(rows, vecs int) {
	m.function("gemmScores", "(panels, k int, a *float32, lda int, b *float32, c *float32, ldc int)",
		fmt.Sprintf("sets c, of %d rows × panels·%d columns, to a·b over k values.", rows, vecs*m.lanes))
	t := m.tile(rows, vecs)
	panels, b := param("panels"), param("b")
	a, c, ldc := rowsAt(param("a"), param("lda"), rows), param("c"), param("ldc")
	Label("panel")
	t.start(nil)
	t.multiplyF32(param("k"), a, b)
	t.store(c, ldc)
	ADDQ(I32(t.width()), c)
	bytes := param("k")
	SHLQ(Imm(2), bytes)
	for _, base := range a.bases {
		SUBQ(bytes, base)
	}
	DECQ(panels)
	JNZ(LabelRef("panel"))
	leave()
}

func (m isa) gemmScaled(rows, vecs int) {
	m.function("gemmScaled", "(k int, a *float32, lda int, b *float32, c *float32, ldc int, rowScale *float32)",
		fmt.Sprintf("sets the tile c of %d rows × %d columns to (a·b)·rowScale over k values.", rows, vecs*m.lanes))
	t := m.tile(rows, vecs)
	t.start(nil)
	t.multiplyF32(param("k"), rowsAt(param("a"), param("lda"), rows), param("b"))
	rowScale := param("rowScale")
	for i, row := range t.acc {
		r := t.register()
		VBROADCASTSS(Mem{Base: rowScale, Disp: 4 * i}, r)
		for _, acc := range row {
			VMULPS(r, acc, acc)
		}
	}
	t.store(param("c"), param("ldc"))
	leave()
}
