package kernel

import "golang.org/x/sys/cpu"

// levels returns what this CPU and its operating system can run, fastest first.
func levels() []*level {
	var ls []*level
	if x := &cpu.X86; x.HasAVX2 && x.HasFMA && hasF16C() {
		if hasAVX512() {
			if hasAMX() {
				ls = append(ls, amx)
			}
			ls = append(ls, avx512)
		}
		if x.HasAVXVNNI {
			ls = append(ls, avxVNNI)
		}
		ls = append(ls, avx2)
	}
	return append(ls, portable)
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
		{"avx2", x.HasAVX2}, {"fma", x.HasFMA}, {"f16c", hasF16C()}, {"avxvnni", x.HasAVXVNNI}, {"avx512f", x.HasAVX512F}, {"avx512bw", x.HasAVX512BW},
		{"avx512dq", x.HasAVX512DQ}, {"avx512vl", x.HasAVX512VL}, {"avx512vnni", x.HasAVX512VNNI}, {"amx", hasAVX512() && hasAMX()},
	} {
		if f.has {
			names = append(names, f.name)
		}
	}
	return names
}

// The levels below avx512 share all kernels but those for int8 weights.
var (
	avx2 = withAVX2(assembly{
		int8Rows: 6, int8Cols: mixedCols, words: true,
		packInt8: packMixed,
		tileInt8: tileMixed,
		quantize: quantizeBothAVX2,
	}).level("avx2")
	avxVNNI = withAVX2(assembly{
		int8Rows: 6, int8Cols: 16,
		packInt8: func(d *Int8Dense, w []int8) { packBytes(d, w, 16) },
		tileInt8: tileAVXVNNI,
		quantize: quantizeBytesAVX2,
	}).level("avx-vnni")
)

// withAVX2 adds the other kernels.
func withAVX2(m assembly) *assembly {
	m.f32Rows, m.f32Cols = 6, 16
	m.gemmF32 = gemmF32AVX2
	m.gemmScores = gemmScoresAVX2
	m.gemmScaled = gemmScaledAVX2
	m.absMax = absMaxAVX2
	m.gelu = geluAVX2
	m.expRows = expRowsAVX2
	m.addNorm = addNormAVX2
	m.dot = dotAVX2
	m.axpy = axpyAVX2
	m.axpyInt8 = axpyInt8AVX2
	m.encodeF16 = encodeF16AVX2
	m.decodeF16 = decodeF16AVX2
	return &m
}

var avx512Kernels = assembly{
	int8Rows: 6, int8Cols: 64,
	f32Rows: 12, f32Cols: 32,
	packInt8:   func(d *Int8Dense, w []int8) { packBytes(d, w, 64) },
	tileInt8:   tileAVX512,
	gemmF32:    gemmF32AVX512,
	gemmScores: gemmScoresAVX512,
	gemmScaled: gemmScaledAVX512,
	quantize:   quantizeBytesAVX512,
	absMax:     absMaxAVX512,
	gelu:       geluAVX512,
	expRows:    expRowsAVX512,
	addNorm:    addNormAVX512,
	dot:        dotAVX512,
	axpy:       axpyAVX512,
	axpyInt8:   axpyInt8AVX512,
	encodeF16:  encodeF16AVX512,
	decodeF16:  decodeF16AVX512,
}

var avx512 = avx512Kernels.level("avx512-vnni")
