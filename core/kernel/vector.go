package kernel

// LayerNorm normalises each row of x [rows][n] in place, with gamma and beta [n]; n is the length of gamma.
func LayerNorm(x, gamma, beta []float32, eps float32) {
	n := len(gamma)
	for i := 0; i+n <= len(x); i += n {
		current.addNorm(x[i:i+n], x[i:i+n], nil, gamma, beta, eps)
	}
}

// AddNorm sets each row of x [rows][n] to LayerNorm(x + y), with gamma and beta [n]; n is the length of gamma.
func AddNorm(x, y, gamma, beta []float32, eps float32) {
	addNormRows(x, y[:len(x)], gamma, beta, eps)
}

func addNormRows(x, y, gamma, beta []float32, eps float32) {
	n := len(gamma)
	for i := 0; i+n <= len(x); i += n {
		current.addNorm(x[i:i+n], x[i:i+n], y[i:i+n], gamma, beta, eps)
	}
}

// Softmax replaces x by exp(x) / Σ exp(x). An empty x stays so. It is for short vectors and the same plain Go at every level.
func Softmax(x []float32) {
	if len(x) > 0 {
		softmaxPortable(x)
	}
}

// GELU replaces each value x by x·Φ(x), the exact (erf) form.
func GELU(x []float32) { current.gelu(x) }

// Dot returns Σ x[i]·y[i]. y must be at least as long as x.
func Dot(x, y []float32) float32 { return current.dot(x, y[:len(x)]) }

// Axpy adds a·x to y. y must be at least as long as x.
func Axpy(y []float32, a float32, x []float32) { current.axpy(y[:len(x)], a, x) }

// AxpyInt8 adds a·x to y, as for one row of a quantised embedding. y must be at least as long as x.
func AxpyInt8(y []float32, a float32, x []int8) { current.axpyInt8(y[:len(x)], a, x) }

// EncodeF16 converts src to IEEE half precision, rounding half to even. dst must be at least as long as src.
func EncodeF16(dst []uint16, src []float32) { current.encodeF16(dst[:len(src)], src) }

// DecodeF16 converts IEEE half precision to f32. dst must be at least as long as src.
func DecodeF16(dst []float32, src []uint16) { current.decodeF16(dst[:len(src)], src) }

// Attention sets dst [rows][heads·dim] to the multi-head attention of one sequence. qkv [rows][3·heads·dim] holds the
// queries, keys and values of all heads side by side; scores are scaled by 1/√dim, and every row attends to all rows.
func Attention(dst, qkv []float32, rows, heads, dim int, s *Scratch) {
	h := heads * dim
	current.attend(dst[:rows*h], qkv[:rows*3*h], rows, heads, dim, s)
}
