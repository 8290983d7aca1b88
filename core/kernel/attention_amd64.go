package kernel

import "math"

// attend computes one head after the other, and one tile of queries after the other: scores against all keys, their
// exponentials, and the weighted sum of the values.
func (m *assembly) attend(dst, qkv []float32, rows, heads, dim int, s *Scratch) {
	if rows == 0 {
		return
	}
	h, padded := heads*dim, roundUp(rows, m.f32Cols)
	s.keys = grow(s.keys, padded*dim)
	s.values = grow(s.values, rows*roundUp(dim, m.f32Cols))
	s.scores = grow(s.scores, m.f32Rows*(padded+chunk))
	s.tile = grow(s.tile, m.f32Rows*m.f32Cols)
	s.pad = grow(s.pad, m.f32Rows*3*h)
	x := qkv
	if rows < m.f32Rows {
		copy(s.pad, qkv)
		x = s.pad
	}
	for head := range heads {
		m.packKeys(s.keys, qkv[h+head*dim:], rows, 3*h, dim)
		m.packValues(s.values, qkv[2*h+head*dim:], rows, 3*h, dim)
		out := output{dst[head*dim:], h, s.tile}
		tiles(rows, m.f32Rows, func(i int, partial bool) {
			m.score(&x[i*3*h+head*dim], rows, 3*h, dim, s)
			for j := 0; j < dim; j += m.f32Cols {
				cols := min(m.f32Cols, dim-j)
				whole := !partial && cols == m.f32Cols
				c, ldc := out.tile(i, j, m.f32Cols, whole)
				m.gemmScaled(rows, &s.scores[0], 4*(padded+chunk), &s.values[j*rows], c, ldc, &s.inverse[0])
				if !whole {
					out.fetch(i, j, min(rows, m.f32Rows), cols, m.f32Cols)
				}
			}
		})
	}
}

// score sets s.scores to the exponentials of the scores of one tile of queries, and s.inverse to 1/Σ of each row of it.
func (m *assembly) score(q *float32, rows, stride, dim int, s *Scratch) {
	padded := roundUp(rows, m.f32Cols)
	lds := padded + chunk
	m.gemmScores(padded/m.f32Cols, dim, q, 4*stride, &s.keys[0], &s.scores[0], 4*lds)
	for r := range m.f32Rows {
		for j := rows; j < padded; j++ {
			s.scores[r*lds+j] = float32(math.Inf(-1)) // its exponential, 2⁻⁸⁰, is lost in the sum
		}
	}
	m.expRows(&s.scores[0], 4*lds, m.f32Rows, padded, float32(math.Log2E/math.Sqrt(float64(dim))), &s.inverse[0])
}

// packKeys transposes the keys of one head, of which x holds a row every stride values, into panels of f32Cols keys: for each
// dimension, its value in every key of the panel.
func (m *assembly) packKeys(dst, x []float32, rows, stride, dim int) {
	const block = 8
	for j := 0; j < rows; j += m.f32Cols {
		panel := dst[j*dim:][:m.f32Cols*dim]
		for r := 0; r < m.f32Cols; r += block {
			if j+r+block <= rows && dim%block == 0 {
				transpose8(&panel[r], 4*m.f32Cols, &x[(j+r)*stride], 4*stride, dim)
				continue
			}
			for c := r; c < r+block; c++ {
				for i := range dim {
					panel[i*m.f32Cols+c] = 0
					if j+c < rows {
						panel[i*m.f32Cols+c] = x[(j+c)*stride+i]
					}
				}
			}
		}
	}
}

// packValues copies the values of one head, of which x holds a row every stride values, into panels of f32Cols dimensions.
func (m *assembly) packValues(dst, x []float32, rows, stride, dim int) {
	for j := 0; j < dim; j += m.f32Cols {
		panel, cols := dst[j*rows:], min(m.f32Cols, dim-j)
		if cols == m.f32Cols {
			for c := 0; c < cols; c += chunk {
				copyRows(&panel[c], 4*m.f32Cols, &x[j+c], 4*stride, rows)
			}
			continue
		}
		for i := range rows {
			line := panel[i*m.f32Cols:][:m.f32Cols]
			copy(line, x[i*stride+j:][:cols])
			clear(line[cols:])
		}
	}
}
