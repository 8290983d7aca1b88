package main

import (
	"math"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

const multiple = "n is a multiple of 16."

func f32(v float64) uint32 { return math.Float32bits(float32(v)) }

// polynomial returns the coefficients, lowest first, of the polynomial of the given degree that equals f at the Chebyshev
// points of [−1, 1].
func polynomial(degree int, f func(t float64) float64) []float64 {
	n := degree + 1
	sum := make([]float64, n)
	previous, current := make([]float64, n), make([]float64, n) // of the Chebyshev polynomials j−1 and j
	current[0] = 1
	for j := range n {
		var c float64
		for i := range n {
			angle := math.Pi * (float64(i) + 0.5) / float64(n)
			c += f(math.Cos(angle)) * math.Cos(float64(j)*angle) * 2 / float64(n)
		}
		if j == 0 {
			c /= 2
		}
		next := make([]float64, n)
		for i := range n {
			sum[i] += c * current[i]
			next[i] -= previous[i]
			if i+1 < n {
				next[i+1] += current[i] * 2
			}
		}
		if j == 0 { // T₁ = t, not 2t
			clear(next)
			if n > 1 {
				next[1] = 1
			}
		}
		previous, current = current, next
	}
	return sum
}

// series is a polynomial, with its coefficients lowest first.
type series []value

func (m isa) series(coefficients []float64) series {
	var s series
	for _, c := range coefficients {
		s = append(s, m.value(f32(c)))
	}
	return s
}

// split returns the value at x: the even and the odd powers by Horner's rule in x², so that two chains run side by side.
func (s series) split(m isa, x chunk) chunk {
	square := m.chunk()
	apply(VMULPS, x, x, square)
	var sums [2]chunk
	for i := len(s) - 1; i >= 0; i-- {
		if sums[i%2] == nil {
			sums[i%2] = s[i].chunk()
			continue
		}
		apply(VFMADD213PS, s[i].register(), square, sums[i%2])
	}
	apply(VFMADD213PS, sums[0], x, sums[1])
	return sums[1]
}

// horner returns the value at x by Horner's rule.
func (s series) horner(x chunk) chunk {
	sum := s[len(s)-1].chunk()
	for i := len(s) - 2; i >= 0; i-- {
		apply(VFMADD213PS, s[i].register(), x, sum)
	}
	return sum
}

// absMaxInto keeps in top the greatest magnitude of each lane.
func (m isa) absMaxInto(top, x chunk, signless reg.VecVirtual) {
	t := m.chunk()
	apply(VANDPS, signless, x, t)
	apply(VMAXPS, t, top, top)
}

func (m isa) absMax() {
	m.function("absMax", "(x *float32, n int) float32", "returns the greatest magnitude of x; "+multiple)
	x, n := param("x"), param("n")
	top, signless := m.zero(), m.constant(1<<31-1)
	eachChunk(n, func(i reg.GPVirtual) {
		m.absMaxInto(top, m.load(x, i), signless)
	})
	result(m.max(top))
	leave()
}

// quantize rounds half to even, as the conversion instruction does by default.
func (m isa) quantize(toWords bool) {
	name, doc := "quantizeBytes", "sets bytes to x·inv rounded, as u8 with zero point 128; words is not used; "
	if toWords {
		name, doc = "quantizeBoth", "sets words to x·inv rounded, and bytes to the same as u8 with zero point 128; "
	}
	m.function(name, "(bytes *uint8, words *int16, x *float32, n int, inv float32)", doc+multiple)
	bytes, x, n, inv := param("bytes"), param("x"), param("n"), m.paramF32("inv")
	words, flip := GP64(), XMM()
	VBROADCASTSS(memory(0x80808080), flip)
	if toWords {
		words = param("words")
	}
	eachChunk(n, func(i reg.GPVirtual) {
		v, q := m.load(x, i), XMM()
		apply(VMULPS, inv, v, v)
		for _, r := range v {
			VCVTPS2DQ(r, r)
		}
		if m.lanes == chunkLanes {
			VPMOVSDB(v[0], q)
		} else {
			VPACKSSDW(v[1], v[0], v[0])
			VPERMQ(Imm(0xd8), v[0], v[0])
			if toWords {
				VMOVDQU(v[0], Mem{Base: words, Index: i, Scale: 2})
			}
			VEXTRACTI128(Imm(1), v[0], q)
			VPACKSSWB(q, v[0].AsX(), q)
		}
		VPXOR(flip, q, q)
		VMOVDQU(q, Mem{Base: bytes, Index: i, Scale: 1})
	})
	leave()
}

const geluLimit = 5

// geluPolynomial returns P of gelu for t in [−1, 1], where x² = geluLimit²·(t+1)/2.
func geluPolynomial() []float64 {
	return polynomial(12, func(t float64) float64 {
		x := geluLimit * math.Sqrt((t+1)/2)
		if x == 0 {
			return 1 / math.Sqrt(2*math.Pi)
		}
		return math.Erf(x/math.Sqrt2) / 2 / x
	})
}

// gelu computes x·Φ(x) as x·(½ + x·P(x²)) with x clamped to ±5, where Φ is 0 or 1 to within 3e-7.
func (m isa) gelu() {
	m.function("gelu", "(x *float32, n int) float32", "replaces x by x·Φ(x) and returns the greatest magnitude; "+multiple)
	x, n := param("x"), param("n")
	p := m.series(geluPolynomial())
	top, signless := m.zero(), m.constant(1<<31-1)
	low, high := m.value(f32(-geluLimit)), m.value(f32(geluLimit))
	half, slope, minusOne := m.value(f32(0.5)), m.value(f32(2.0/(geluLimit*geluLimit))), m.value(f32(-1))
	eachChunk(n, func(i reg.GPVirtual) {
		v, c, t := m.load(x, i), m.chunk(), m.chunk()
		apply(VMAXPS, low.register(), v, c)
		apply(VMINPS, high.register(), c, c)
		apply(VMULPS, c, c, t)
		k := slope.register()
		apply(VFMADD213PS, minusOne.register(), chunk{k, k}, t)
		y := p.split(m, t)
		apply(VFMADD213PS, half.register(), c, y)
		apply(VMULPS, v, y, y)
		m.store(y, x, i)
		m.absMaxInto(top, y, signless)
	})
	result(m.max(top))
	leave()
}

// exp2Polynomial returns P of expRows, for arguments in [−½, ½]; P(0) is 1.
func exp2Polynomial() []float64 {
	q := polynomial(4, func(t float64) float64 {
		r := t / 2
		if r == 0 {
			return math.Ln2
		}
		return math.Expm1(r*math.Ln2) / r
	})
	for i := range q { // from t to r
		q[i] *= math.Pow(2, float64(i))
	}
	return append([]float64{1}, q...)
}

// expRows computes 2^y as 2^⌊y⌉·P(y−⌊y⌉), with y = (x·scale)−top where top is the greatest x·scale rounded. Added to 1.5·2²³, the
// whole part of y lies in the lowest bits, ready to be moved to the exponent. The maxima of all rows come before the first
// exponential, so that no row waits for its own.
func (m isa) expRows() {
	m.function("expRows", "(x *float32, stride, rows, n int, scale float32, inverse *float32)",
		"replaces each row of x by 2^(x·scale−top), where top is the greatest x·scale rounded, and sets inverse to 1/Σ of each; "+
			"stride is in bytes, scale is positive, x·scale lies within ±2²¹; "+multiple)
	stride, n, scale := param("stride"), param("n"), m.paramF32("scale")
	m.eachRow("max", func(x, inverse reg.GPVirtual) {
		top := m.chunk()
		for _, r := range top {
			VBROADCASTSS(memory(0xff800000), r)
		}
		eachChunk(n, func(i reg.GPVirtual) {
			for j, r := range top {
				VMAXPS(m.part(x, i, j), r, r)
			}
		})
		r := m.max(top)
		VMULSS(scale.AsX(), r, r)
		VROUNDSS(Imm(0), r, r, r)
		VMOVSS(r, Mem{Base: inverse})
		ADDQ(stride, x)
	})
	p := m.series(exp2Polynomial())
	m.eachRow("exp", func(x, inverse reg.GPVirtual) {
		top, least, magic := XMM(), XMM(), XMM()
		VMOVSS(Mem{Base: inverse}, top)
		VADDSS(memory(f32(-80)), top, least) // 2⁻⁸⁰ is lost in the sum, and no product of it is subnormal
		VDIVSS(scale.AsX(), least, least)
		VMOVSS(memory(f32(1.5*(1<<23))), magic)
		VSUBSS(top, magic, magic)
		lowest, shift, sum := m.broadcast(least), m.broadcast(magic), m.zero()
		eachChunk(n, func(i reg.GPVirtual) {
			r, bits, whole := m.load(x, i), m.chunk(), m.chunk()
			apply(VMAXPS, lowest, r, r)
			for j, b := range bits {
				VMOVAPS(r[j], b)
			}
			apply(VFMADD213PS, shift, chunk{scale, scale}, bits)
			apply(VSUBPS, shift, bits, whole)
			apply(VFMSUB132PS, chunk{scale, scale}, whole, r)
			y := p.horner(r)
			for _, b := range bits {
				VPSLLD(Imm(23), b, b)
			}
			apply(VPADDD, bits, y, y)
			m.store(y, x, i)
			apply(VADDPS, y, sum, sum)
		})
		total, one := m.sum(sum), XMM()
		VMOVSS(memory(f32(1)), one)
		VDIVSS(total, one, one)
		VMOVSS(one, Mem{Base: inverse})
		ADDQ(stride, x)
	})
	leave()
}

// eachRow emits a loop over the rows of x and of inverse; body moves x on.
func (m isa) eachRow(label string, body func(x, inverse reg.GPVirtual)) {
	x, inverse, rows := param("x"), param("inverse"), param("rows")
	Label(label)
	body(x, inverse)
	ADDQ(Imm(4), inverse)
	DECQ(rows)
	JNZ(LabelRef(label))
}

func (m isa) addNorm() {
	m.function("addNorm", "(dst, x, y *float32, n int, gamma, beta *float32, eps float32)",
		"sets dst to LayerNorm(x + y); a nil y counts as zero; "+multiple)
	dst, x, y, n := param("dst"), param("x"), param("y"), param("n")
	total := [2]chunk{m.zero(), m.zero()}
	TESTQ(y, y)
	JZ(LabelRef("alone"))
	eachPair(n, func(i reg.GPVirtual, half int) {
		v := m.loadAt(x, i, half)
		for j, r := range v {
			VADDPS(m.partAt(y, i, half, j), r, r)
		}
		m.storeAt(v, dst, i, half)
		apply(VADDPS, v, total[half], total[half])
	})
	JMP(LabelRef("mean"))
	Label("alone")
	eachPair(n, func(i reg.GPVirtual, half int) {
		v := m.loadAt(x, i, half)
		m.storeAt(v, dst, i, half)
		apply(VADDPS, v, total[half], total[half])
	})
	Label("mean")
	count := XMM()
	VXORPS(count, count, count)
	VCVTSI2SSQ(n, count, count)
	apply(VADDPS, total[1], total[0], total[0])
	sum := m.sum(total[0])
	VDIVSS(count, sum, sum)
	mean := m.broadcast(sum)
	squares := [2]chunk{m.zero(), m.zero()}
	eachPair(n, func(i reg.GPVirtual, half int) {
		v := m.loadAt(dst, i, half)
		apply(VSUBPS, mean, v, v)
		apply(VFMADD231PS, v, v, squares[half])
	})
	apply(VADDPS, squares[1], squares[0], squares[0])
	variance := m.sum(squares[0])
	VDIVSS(count, variance, variance)
	VADDSS(address("eps"), variance, variance)
	VSQRTSS(variance, variance, variance)
	one := XMM()
	VMOVSS(memory(f32(1)), one)
	VDIVSS(variance, one, one)
	inv, gamma, beta := m.broadcast(one), param("gamma"), param("beta")
	eachChunk(n, func(i reg.GPVirtual) {
		v, b := m.load(dst, i), m.load(beta, i)
		apply(VSUBPS, mean, v, v)
		apply(VMULPS, inv, v, v)
		for j, r := range v {
			VFMADD132PS(m.part(gamma, i, j), b[j], r)
		}
		m.store(v, dst, i)
	})
	leave()
}

func (m isa) dot() {
	m.function("dot", "(x, y *float32, n int) float32", "returns Σ x·y; "+multiple)
	x, y, n, sum := param("x"), param("y"), param("n"), m.zero()
	eachChunk(n, func(i reg.GPVirtual) {
		v := m.load(x, i)
		for j, r := range v {
			VFMADD231PS(m.part(y, i, j), r, sum[j])
		}
	})
	result(m.sum(sum))
	leave()
}

func (m isa) axpy() {
	m.function("axpy", "(y *float32, a float32, x *float32, n int)", "adds a·x to y; "+multiple)
	y, a, x, n := param("y"), m.paramF32("a"), param("x"), param("n")
	eachChunk(n, func(i reg.GPVirtual) {
		v := m.load(y, i)
		for j, r := range v {
			VFMADD231PS(m.part(x, i, j), a, r)
		}
		m.store(v, y, i)
	})
	leave()
}

func (m isa) axpyInt8() {
	m.function("axpyInt8", "(y *float32, a float32, x *int8, n int)", "adds a·x to y; "+multiple)
	y, a, x, n := param("y"), m.paramF32("a"), param("x"), param("n")
	eachChunk(n, func(i reg.GPVirtual) {
		v := m.load(y, i)
		for j, r := range v {
			w := m.register()
			VPMOVSXBD(Mem{Base: x, Index: i, Scale: 1, Disp: j * m.lanes}, w)
			VCVTDQ2PS(w, w)
			VFMADD231PS(w, a, r)
		}
		m.store(v, y, i)
	})
	leave()
}

func (m isa) encodeF16() {
	m.function("encodeF16", "(dst *uint16, x *float32, n int)", "converts to half precision, half to even; "+multiple)
	dst, x, n := param("dst"), param("x"), param("n")
	eachChunk(n, func(i reg.GPVirtual) {
		for j, r := range m.load(x, i) {
			VCVTPS2PH(Imm(0), r, Mem{Base: dst, Index: i, Scale: 2, Disp: j * m.lanes * 2})
		}
	})
	leave()
}

func (m isa) decodeF16() {
	m.function("decodeF16", "(dst *float32, x *uint16, n int)", "converts from half precision; "+multiple)
	dst, x, n := param("dst"), param("x"), param("n")
	eachChunk(n, func(i reg.GPVirtual) {
		v := m.chunk()
		for j, r := range v {
			VCVTPH2PS(Mem{Base: x, Index: i, Scale: 2, Disp: j * m.lanes * 2}, r)
		}
		m.store(v, dst, i)
	})
	leave()
}
