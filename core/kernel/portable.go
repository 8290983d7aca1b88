package kernel

import "math"

// portable is the level that runs everywhere, in plain Go.
var portable = &level{
	name:      "portable",
	words:     true,
	packInt8:  func(d *Int8Dense, w []int8) { d.w8 = append([]int8(nil), w...) },
	mulInt8:   mulInt8Portable,
	packF32:   func(d *F32Dense, w []float32) { d.w = append([]float32(nil), w...) },
	mulF32:    mulF32Portable,
	absMax:    absMaxPortable,
	quantize:  quantizePortable,
	gelu:      geluPortable,
	addNorm:   addNormPortable,
	dot:       dotPortable,
	axpy:      axpyPortable,
	axpyInt8:  axpyInt8Portable,
	attend:    attendPortable,
	encodeF16: encodeF16Portable,
	decodeF16: decodeF16Portable,
}

func mulInt8Portable(d *Int8Dense, dst []float32, a *Rows, from, to int, _ *Scratch) {
	for i := from; i < to; i++ {
		row := a.q16[i*a.stride:][:d.k]
		out := dst[(i-from)*d.n:][:d.n]
		for j := 0; j < d.n; j += 4 {
			sums := dots4(row, d.w8[j*d.k:], min(4, d.n-j))
			for c := range min(4, d.n-j) {
				out[j+c] = float32(sums[c])*a.scale[i]*d.scale[j+c] + d.bias[j+c]
			}
		}
	}
}

// dots4 returns the products of x with the first n rows of w, of which there are at most four: side by side, each value of x is
// read once.
func dots4(x []int16, w []int8, n int) (sums [4]int32) {
	if n < 4 {
		for c := range n {
			for l, v := range w[c*len(x):][:len(x)] {
				sums[c] += int32(x[l]) * int32(v)
			}
		}
		return sums
	}
	k := len(x)
	w0, w1, w2, w3 := w[:k], w[k:][:k], w[2*k:][:k], w[3*k:][:k]
	var s0, s1, s2, s3 int32
	for l, v := range x {
		s0 += int32(v) * int32(w0[l])
		s1 += int32(v) * int32(w1[l])
		s2 += int32(v) * int32(w2[l])
		s3 += int32(v) * int32(w3[l])
	}
	return [4]int32{s0, s1, s2, s3}
}

func mulF32Portable(d *F32Dense, dst []float32, a *Rows, from, to int, _ *Scratch) {
	for i := from; i < to; i++ {
		row := a.f32[i*d.k:][:d.k]
		out := dst[(i-from)*d.n:][:d.n]
		for j := range out {
			out[j] = dotPortable(row, d.w[j*d.k:][:d.k]) + d.bias[j]
		}
	}
}

func absMaxPortable(x []float32) float32 {
	var m float32
	for _, v := range x {
		m = max(m, v, -v)
	}
	return m
}

// The conversion keeps the product from being fused with anything, so that it is rounded alike at every level.
func quantizePortable(bytes []uint8, words []int16, x []float32, inv float32) {
	for i, v := range x {
		q := roundEven(float32(v * inv))
		if bytes != nil {
			bytes[i] = uint8(q + 128)
		}
		if words != nil {
			words[i] = int16(q)
		}
	}
}

func geluPortable(x []float32) (absMax float32) {
	for i, v := range x {
		x[i] = float32(0.5 * float64(v) * (1 + math.Erf(float64(v)*(1/math.Sqrt2))))
	}
	return absMaxPortable(x)
}

func addNormPortable(dst, x, y, gamma, beta []float32, eps float32) {
	var sum, square float32
	for i, v := range x {
		if y != nil {
			v += y[i]
		}
		dst[i] = v
		sum += v
	}
	mean := sum / float32(len(dst))
	for _, v := range dst {
		square += (v - mean) * (v - mean)
	}
	inv := 1 / float32(math.Sqrt(float64(square/float32(len(dst))+eps)))
	for i, v := range dst {
		dst[i] = (v-mean)*inv*gamma[i] + beta[i]
	}
}

func softmaxPortable(x []float32) {
	top := x[0]
	for _, v := range x {
		top = max(top, v)
	}
	var sum float32
	for i, v := range x {
		x[i] = float32(math.Exp(float64(v - top)))
		sum += x[i]
	}
	for i := range x {
		x[i] /= sum
	}
}

func dotPortable(x, y []float32) float32 {
	var s0, s1, s2, s3 float32
	i := 0
	for ; i+4 <= len(x); i += 4 {
		s0 += x[i] * y[i]
		s1 += x[i+1] * y[i+1]
		s2 += x[i+2] * y[i+2]
		s3 += x[i+3] * y[i+3]
	}
	for ; i < len(x); i++ {
		s0 += x[i] * y[i]
	}
	return (s0 + s2) + (s1 + s3)
}

func axpyPortable(y []float32, a float32, x []float32) {
	for i, v := range x {
		y[i] += a * v
	}
}

func axpyInt8Portable(y []float32, a float32, x []int8) {
	for i, v := range x {
		y[i] += a * float32(v)
	}
}

func attendPortable(dst, qkv []float32, rows, heads, dim int, s *Scratch) {
	h := heads * dim
	scale := float32(1 / math.Sqrt(float64(dim)))
	s.scores = grow(s.scores, rows)
	for head := range heads {
		for i := range rows {
			q := qkv[i*3*h+head*dim:][:dim]
			for j := range rows {
				s.scores[j] = scale * dotPortable(q, qkv[j*3*h+h+head*dim:][:dim])
			}
			softmaxPortable(s.scores)
			out := dst[i*h+head*dim:][:dim]
			clear(out)
			for j, p := range s.scores {
				axpyPortable(out, p, qkv[j*3*h+2*h+head*dim:][:dim])
			}
		}
	}
}
