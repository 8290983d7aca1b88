package latejoin

import "github.com/cprs-go/cprs/core/kernel"

// states are the encoder's final states of one row, [tokens][hidden]. An int8 critic holds them in half precision, whether they
// are cached or not, so that a cached row gives the same scores; an f32 critic holds them as they are.
type states struct {
	half []uint16
	full []float32
}

// newStates has room for n numbers.
func newStates(n int, half bool) states {
	if half {
		return states{half: make([]uint16, n)}
	}
	return states{full: make([]float32, n)}
}

// cut takes the first n numbers off s.
func (s *states) cut(n int) (first states) {
	if s.half != nil {
		first.half, s.half = s.half[:n], s.half[n:]
	} else {
		first.full, s.full = s.full[:n], s.full[n:]
	}
	return first
}

// set stores x, as many numbers as s has room for.
func (s states) set(x []float32) {
	if s.half != nil {
		kernel.EncodeF16(s.half, x)
		return
	}
	copy(s.full, x)
}

// copyTo writes the numbers to dst.
func (s states) copyTo(dst []float32) {
	if s.half != nil {
		kernel.DecodeF16(dst, s.half)
		return
	}
	copy(dst, s.full)
}

func (s states) bytes() int64 { return int64(2*len(s.half) + 4*len(s.full)) }
