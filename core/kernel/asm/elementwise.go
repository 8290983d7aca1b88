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

// at returns the value at x: the even and the odd powers by Horner's rule in x², so that two chains run side by side.
func (s series) at(m isa, x chunk) chunk {
	square := m.chunk()
	apply(VMULPS, x, x, square)
	sums := [2]chunk{m.chunk(), m.chunk()}
	for i := len(s) - 1; i >= 0; i-- {
		c, sum := s[i].register(), sums[i%2]
		if i+2 < len(s) {
			apply(VFMADD213PS, c, square, sum)
			continue
		}
		for _, r := range sum {
			VMOVAPS(c, r)
		}
	}
	apply(VFMADD213PS, sums[0], x, sums[1])
	return sums[1]
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
	Store(m.max(top), ReturnIndex(0))
	leave()
}

// quantize rounds half to even, as the conversion instruction does by default.
func (m isa) quantize() {
	form := "int16"
	if m.lanes == chunkLanes {
		form = "u8 with zero point 128"
	}
	m.function("quantize", "(dst *byte, x *float32, n int, inv float32)", "sets dst to x·inv rounded, as "+form+"; "+multiple)
	dst, x, n, inv := param("dst"), param("x"), param("n"), m.paramF32("inv")
	flip := XMM()
	if m.lanes == chunkLanes {
		VBROADCASTSS(memory(0x80808080), flip)
	}
	eachChunk(n, func(i reg.GPVirtual) {
		v := m.load(x, i)
		apply(VMULPS, inv, v, v)
		for _, r := range v {
			VCVTPS2DQ(r, r)
		}
		if m.lanes == chunkLanes {
			q := XMM()
			VPMOVSDB(v[0], q)
			VPXOR(flip, q, q)
			VMOVDQU(q, Mem{Base: dst, Index: i, Scale: 1})
			return
		}
		VPACKSSDW(v[1], v[0], v[0])
		VPERMQ(Imm(0xd8), v[0], v[0])
		VMOVDQU(v[0], Mem{Base: dst, Index: i, Scale: 2})
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
		y := p.at(m, t)
		apply(VFMADD213PS, half.register(), c, y)
		apply(VMULPS, v, y, y)
		m.store(y, x, i)
		m.absMaxInto(top, y, signless)
	})
	Store(m.max(top), ReturnIndex(0))
	leave()
}

// exp2Polynomial returns Q of expSum.
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
	return q
}

// expSum computes 2^y as 2^⌊y⌉·(1 + r·Q(r)); adding 1.5·2²³ leaves ⌊y⌉ in the lowest bits.
func (m isa) expSum() {
	m.function("expSum", "(x *float32, n int, scale float32) float32",
		"replaces x by 2^((x−max x)·scale) and returns the sum; scale is positive; "+multiple)
	x, n, scale := param("x"), param("n"), m.paramF32("scale")
	top := m.chunk()
	for _, r := range top {
		VBROADCASTSS(memory(0xff800000), r)
	}
	eachChunk(n, func(i reg.GPVirtual) {
		apply(VMAXPS, m.load(x, i), top, top)
	})
	shift := m.broadcast(m.max(top))
	VMULPS(scale, shift, shift)
	q := m.series(exp2Polynomial())
	sum, lowest, magic, one := m.zero(), m.value(f32(-126)), m.value(f32(1.5*(1<<23))), m.value(f32(1))
	eachChunk(n, func(i reg.GPVirtual) {
		y, whole := m.load(x, i), m.chunk()
		apply(VFMSUB213PS, shift, chunk{scale, scale}, y)
		apply(VMAXPS, lowest.register(), y, y)
		c := magic.register()
		apply(VADDPS, c, y, whole)
		r := m.chunk()
		apply(VSUBPS, c, whole, r)
		apply(VSUBPS, r, y, r)
		p := q.at(m, r)
		apply(VFMADD213PS, one.register(), r, p)
		for j := range whole {
			VPSLLD(Imm(23), whole[j], whole[j])
		}
		apply(VPADDD, whole, p, p)
		m.store(p, x, i)
		apply(VADDPS, p, sum, sum)
	})
	Store(m.sum(sum), ReturnIndex(0))
	leave()
}

func (m isa) addNorm() {
	m.function("addNorm", "(dst, x, y *float32, n int, gamma, beta *float32, eps float32)",
		"sets dst to LayerNorm(x + y); a nil y counts as zero; "+multiple)
	dst, x, y, n := param("dst"), param("x"), param("y"), param("n")
	total := m.zero()
	TESTQ(y, y)
	JZ(LabelRef("alone"))
	eachChunk(n, func(i reg.GPVirtual) {
		v := m.load(x, i)
		for j, r := range v {
			VADDPS(m.part(y, i, j), r, r)
		}
		m.store(v, dst, i)
		apply(VADDPS, v, total, total)
	})
	JMP(LabelRef("mean"))
	Label("alone")
	eachChunk(n, func(i reg.GPVirtual) {
		v := m.load(x, i)
		m.store(v, dst, i)
		apply(VADDPS, v, total, total)
	})
	Label("mean")
	count := XMM()
	VXORPS(count, count, count)
	VCVTSI2SSQ(n, count, count)
	sum := m.sum(total)
	VDIVSS(count, sum, sum)
	mean := m.broadcast(sum)
	squares := m.zero()
	eachChunk(n, func(i reg.GPVirtual) {
		v := m.load(dst, i)
		apply(VSUBPS, mean, v, v)
		apply(VFMADD231PS, v, v, squares)
	})
	variance, eps := m.sum(squares), Load(Param("eps"), XMM()).(reg.VecVirtual)
	VDIVSS(count, variance, variance)
	VADDSS(eps, variance, variance)
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
	Store(m.sum(sum), ReturnIndex(0))
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
