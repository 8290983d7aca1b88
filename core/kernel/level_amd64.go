package kernel

import "golang.org/x/sys/cpu"

// levels returns what this CPU and its operating system can run, fastest first.
func levels() []*level {
	ls := []*level{portable}
	if cpu.X86.HasAVX2 && cpu.X86.HasFMA && hasF16C() {
		ls = append([]*level{avx2}, ls...)
		if hasAVX512() {
			ls = append([]*level{avx512}, ls...)
		}
	}
	return ls
}

func hasAVX512() bool {
	x := &cpu.X86
	return x.HasAVX512F && x.HasAVX512BW && x.HasAVX512DQ && x.HasAVX512VL && x.HasAVX512VNNI
}

// Features returns the CPU features that the choice of level looks at and that this CPU has.
func Features() []string {
	x := &cpu.X86
	var names []string
	for _, f := range []struct {
		name string
		has  bool
	}{
		{"avx2", x.HasAVX2}, {"fma", x.HasFMA}, {"f16c", hasF16C()}, {"avx512f", x.HasAVX512F}, {"avx512bw", x.HasAVX512BW},
		{"avx512dq", x.HasAVX512DQ}, {"avx512vl", x.HasAVX512VL}, {"avx512vnni", x.HasAVX512VNNI},
	} {
		if f.has {
			names = append(names, f.name)
		}
	}
	return names
}

var avx2 = (&assembly{
	int8Rows: 6, int8Cols: 16, words: true,
	f32Rows: 6, f32Cols: 16,
	packInt8:   packMixed,
	tileInt8:   tileMixed,
	gemmF32:    gemmF32AVX2,
	gemmScores: gemmScoresAVX2,
	gemmScaled: gemmScaledAVX2,
	quantize:   quantizeAVX2,
	absMax:     absMaxAVX2,
	gelu:       geluAVX2,
	expRows:    expRowsAVX2,
	addNorm:    addNormAVX2,
	dot:        dotAVX2,
	axpy:       axpyAVX2,
	axpyInt8:   axpyInt8AVX2,
	encodeF16:  encodeF16AVX2,
	decodeF16:  decodeF16AVX2,
}).level("avx2")

var avx512 = (&assembly{
	int8Rows: 6, int8Cols: 64,
	f32Rows: 12, f32Cols: 32,
	packInt8:   packBytes,
	tileInt8:   tileBytes,
	gemmF32:    gemmF32AVX512,
	gemmScores: gemmScoresAVX512,
	gemmScaled: gemmScaledAVX512,
	quantize:   quantizeAVX512,
	absMax:     absMaxAVX512,
	gelu:       geluAVX512,
	expRows:    expRowsAVX512,
	addNorm:    addNormAVX512,
	dot:        dotAVX512,
	axpy:       axpyAVX512,
	axpyInt8:   axpyInt8AVX512,
	encodeF16:  encodeF16AVX512,
	decodeF16:  decodeF16AVX512,
}).level("avx512-vnni")
