// Command asm writes the assembly of package kernel: kernels_amd64.s and its Go declarations.
//
// Nearly every kernel is generated twice from the same code, for AVX2 and for AVX-512. Where lanes are summed, AVX2 keeps sixteen of
// them in two registers and joins them in the order AVX-512 does, so that both give the same bits.
package main

import . "github.com/mmcloughlin/avo/build"

//go:generate go run . -out ../kernels_amd64.s -stubs ../kernels_amd64.go -pkg kernel
//go:generate go run ./vex ../kernels_amd64.s

func main() {
	for _, m := range []isa{{name: "AVX2", lanes: 8}, {name: "AVX512", lanes: 16}} {
		if m.lanes == 8 {
			m.gemmMixed(6, 2)
			m.quantize(true)
			m.gemmF32(6, 2)
			m.gemmScores(6, 2)
			m.gemmScaled(6, 2)
		} else {
			m.gemmInt8(6, 4)
			m.gemmF32(12, 2)
			m.gemmScores(12, 2)
			m.gemmScaled(12, 2)
		}
		m.quantize(false)
		m.absMax()
		m.gelu()
		m.expRows()
		m.addNorm()
		m.dot()
		m.axpy()
		m.axpyInt8()
		m.encodeF16()
		m.decodeF16()
	}
	isa{name: "AVXVNNI", lanes: 8}.gemmInt8(6, 2)
	transpose8()
	copyRows()
	hasF16C()
	Generate()
}
