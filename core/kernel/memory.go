package kernel

import "unsafe"

// lineSize is the alignment, in bytes, of every buffer a kernel reads with full-width loads.
const lineSize = 64

// aligned returns n zeroed values that start on a cache line.
func aligned[T any](n int) []T {
	var zero T
	size := int(unsafe.Sizeof(zero))
	s := make([]T, n+lineSize/size)
	off := 0
	if r := int(uintptr(unsafe.Pointer(unsafe.SliceData(s))) % lineSize); r != 0 {
		off = (lineSize - r) / size
	}
	return s[off : off+n : off+n]
}

// grow returns s with length n, and new memory when s is too small; what it held is lost then.
func grow[T any](s []T, n int) []T {
	if n <= cap(s) {
		return s[:n]
	}
	return aligned[T](n)
}

// roundUp returns the smallest multiple of m that is at least n.
func roundUp(n, m int) int { return (n + m - 1) / m * m }

// Scratch is the working memory of one worker. The zero value is ready; it grows to what the largest call needs and is
// then reused. It must not be shared by calls that run at the same time.
type Scratch struct {
	block   []float32         // output rows of a dense layer on their way to an epilogue
	pad     []float32         // input rows where there are fewer than one tile
	tile    []float32         // an output tile that reaches over the edge
	keys    []float32         // keys of one head, in panels
	values  []float32         // values of one head, in panels
	scores  []float32         // scores of one tile of queries
	inverse [tileRows]float32 // 1/Σ of each row of scores
}
