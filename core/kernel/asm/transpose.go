package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// transpose8 serves both instruction sets.
func transpose8() {
	TEXT("transpose8", NOSPLIT, "func(dst *float32, ldd int, src *float32, lds int, n int)")
	Doc("transpose8 writes 8 rows of n values, lds bytes apart, as n rows of 8, ldd bytes apart; n is a multiple of 8.")
	Pragma("noescape")
	dst, n := param("dst"), param("n")
	ldd := param("ldd")
	src := rowsAt(param("src"), param("lds"), 8)
	Label("loop")
	var r, t [8]reg.VecVirtual
	for i := range r {
		r[i], t[i] = YMM(), nil
		VMOVUPS(src.at(i, 0), r[i])
	}
	for i := 0; i < 8; i += 2 {
		t[i], t[i+1] = YMM(), YMM()
		VUNPCKLPS(r[i+1], r[i], t[i])
		VUNPCKHPS(r[i+1], r[i], t[i+1])
	}
	var q [8]reg.VecVirtual
	for i := 0; i < 8; i += 4 {
		for j := range 4 {
			q[i+j] = YMM()
			VSHUFPS(Imm([2]uint64{0x44, 0xee}[j%2]), t[i+2+j/2], t[i+j/2], q[i+j])
		}
	}
	for j := range 8 {
		out := YMM()
		VPERM2F128(Imm([2]uint64{0x20, 0x31}[j/4]), q[4+j%4], q[j%4], out)
		VMOVUPS(out, Mem{Base: dst})
		ADDQ(ldd, dst)
	}
	src.advance(32)
	SUBQ(Imm(8), n)
	JNZ(LabelRef("loop"))
	leave()
}

// copyRows serves both instruction sets too.
func copyRows() {
	TEXT("copyRows", NOSPLIT, "func(dst *float32, ldd int, src *float32, lds int, rows int)")
	Doc("copyRows copies rows of 16 values, ldd and lds bytes apart; there is at least one.")
	Pragma("noescape")
	dst, ldd, src, lds, rows := param("dst"), param("ldd"), param("src"), param("lds"), param("rows")
	Label("loop")
	low, high := YMM(), YMM()
	VMOVUPS(Mem{Base: src}, low)
	VMOVUPS(Mem{Base: src, Disp: 32}, high)
	VMOVUPS(low, Mem{Base: dst})
	VMOVUPS(high, Mem{Base: dst, Disp: 32})
	ADDQ(lds, src)
	ADDQ(ldd, dst)
	DECQ(rows)
	JNZ(LabelRef("loop"))
	leave()
}

func hasF16C() {
	TEXT("hasF16C", NOSPLIT, "func() bool")
	Doc("hasF16C tells whether the CPU converts half precision; golang.org/x/sys/cpu does not know.")
	MOVL(U32(1), reg.EAX)
	XORL(reg.ECX, reg.ECX)
	CPUID()
	SHRL(Imm(29), reg.ECX)
	ANDL(Imm(1), reg.ECX)
	Store(reg.CL, ReturnIndex(0))
	RET()
}
