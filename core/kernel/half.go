package kernel

import "math"

func encodeF16Portable(dst []uint16, src []float32) {
	for i, v := range src {
		dst[i] = halfBits(v)
	}
}

func decodeF16Portable(dst []float32, src []uint16) {
	for i, v := range src {
		dst[i] = halfValue(v)
	}
}

// halfBits rounds x to the nearest half-precision value, half to even.
func halfBits(x float32) uint16 {
	bits := math.Float32bits(x)
	sign := uint16(bits >> 16 & 0x8000)
	mag := bits &^ (1 << 31)
	switch {
	case mag > 0x7f800000: // NaN stays one, quiet
		return sign | 0x7e00 | uint16(mag>>13&0x1ff)
	case mag >= 0x477ff000: // rounds to 65520 or more: infinite
		return sign | 0x7c00
	case mag < 0x38800000: // below 2⁻¹⁴: subnormal, a multiple of 2⁻²⁴
		return sign | uint16(math.RoundToEven(float64(math.Float32frombits(mag))*(1<<24)))
	}
	mag += 0xfff + mag>>13&1 // round at bit 13, half to even
	return sign | uint16((mag-(127-15)<<23)>>13)
}

// halfValue returns the value of a half-precision number.
func halfValue(h uint16) float32 {
	sign := uint32(h&0x8000) << 16
	mag := uint32(h & 0x7fff)
	switch {
	case mag > 0x7c00: // NaN, quiet
		return math.Float32frombits(sign | 0x7fc00000 | mag<<13)
	case mag == 0x7c00:
		return math.Float32frombits(sign | 0x7f800000)
	case mag < 0x0400: // subnormal
		return math.Float32frombits(sign | math.Float32bits(float32(mag)/(1<<24)))
	}
	return math.Float32frombits(sign | mag<<13 + (127-15)<<23)
}
