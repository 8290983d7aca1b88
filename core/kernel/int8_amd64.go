package kernel

// group is how many inputs of one output lie side by side in a panel of int8 weights.
const group = 4

// packBytes lays the weights out in panels of cols outputs: for each group of inputs, the group of every output.
func packBytes(d *Int8Dense, w []int8, cols int) {
	k, n := roundUp(d.k, depth), roundUp(d.n, cols)
	d.w8, d.offset = aligned[int8](n*k), aligned[int32](n)
	for j := range d.n {
		dst := d.w8[j/cols*cols*k+j%cols*group:]
		d.offset[j] = -128 * spread(dst, w[j*d.k:(j+1)*d.k], cols*group)
	}
}

// spread writes w by groups, step values apart, and returns its sum.
func spread(dst, w []int8, step int) (sum int32) {
	for len(w) >= group {
		dst[0], dst[1], dst[2], dst[3] = w[0], w[1], w[2], w[3]
		sum += int32(w[0]) + int32(w[1]) + int32(w[2]) + int32(w[3])
		if w = w[group:]; len(w) > 0 {
			dst = dst[step:]
		}
	}
	for i, v := range w {
		dst[i] = v
		sum += int32(v)
	}
	return sum
}

func tileAVX512(d *Int8Dense, a *Rows, i, j int, c *float32, ldc int) {
	k := roundUp(d.k, depth)
	gemmInt8AVX512(k/depth, &a.q8[i*a.stride], a.stride, &d.w8[j*k], c, ldc, &a.scale[i], &d.scale[j], &d.bias[j], &d.offset[j])
}

func tileAVXVNNI(d *Int8Dense, a *Rows, i, j int, c *float32, ldc int) {
	k := roundUp(d.k, depth)
	gemmInt8AVXVNNI(k/depth, &a.q8[i*a.stride], a.stride, &d.w8[j*k], c, ldc, &a.scale[i], &d.scale[j], &d.bias[j], &d.offset[j])
}

// mixedCols is the width of a panel for gemmMixed.
const mixedCols = 16

// packMixed lays the weights out in panels.
func packMixed(d *Int8Dense, w []int8) {
	groups := roundUp(d.k, group) / group
	d.offset = aligned[int32](roundUp(d.n, mixedCols))
	heavy := make([]bool, groups)
	padded := make([]int8, mixedCols*groups*group) // the rows of one panel, in whole groups
	for j := 0; j < d.n; j += mixedCols {
		clear(padded)
		for c := range min(mixedCols, d.n-j) {
			copy(padded[c*groups*group:], w[(j+c)*d.k:(j+c+1)*d.k])
		}
		findHeavy(heavy, padded)
		d.panels = append(d.panels, newPanel(heavy, padded, d.offset[j:j+mixedCols]))
	}
}

// findHeavy sets which groups of the rows w have neighbours whose products with two u8 may not sum up in 16 bits.
func findHeavy(heavy []bool, w []int8) {
	clear(heavy)
	for i := 0; i < len(w); i += group {
		x, y := int(w[i])+int(w[i+1]), int(w[i+2])+int(w[i+3])
		if x > 128 || x < -128 || y > 128 || y < -128 {
			heavy[i/group%len(heavy)] = true
		}
	}
}

// newPanel packs the rows w and sets their offsets.
func newPanel(heavy []bool, w []int8, offset []int32) panel {
	var p panel
	for g, h := range heavy {
		if h {
			p.heavyFirst = append(p.heavyFirst, int32(g*group))
		} else {
			p.lightFirst = append(p.lightFirst, int32(g*group))
		}
	}
	p.light = aligned[int8](len(p.lightFirst) * mixedCols * group)
	p.heavy = aligned[int16](len(p.heavyFirst) * mixedCols * group)
	for c := range mixedCols {
		row := w[c*len(heavy)*group:]
		var sum int32
		for i, first := range p.lightFirst {
			from, to := row[first:first+group], p.light[(i*mixedCols+c)*group:][:group]
			to[0], to[1], to[2], to[3] = from[0], from[1], from[2], from[3]
			sum += int32(from[0]) + int32(from[1]) + int32(from[2]) + int32(from[3])
		}
		offset[c] = -128 * sum
		for i, first := range p.heavyFirst {
			from, to := row[first:first+group], p.heavy[(2*i*mixedCols+c)*2:]
			to[0], to[1] = int16(from[0]), int16(from[1])
			to[2*mixedCols], to[2*mixedCols+1] = int16(from[2]), int16(from[3])
		}
	}
	return p
}

func tileMixed(d *Int8Dense, a *Rows, i, j int, c *float32, ldc int) {
	p := &d.panels[j/mixedCols]
	gemmMixedAVX2(len(p.lightFirst), start(p.lightFirst), start(p.light), len(p.heavyFirst), start(p.heavyFirst), start(p.heavy),
		&a.q8[i*a.stride], &a.q16[i*a.stride], a.stride, c, ldc, &a.scale[i], &d.scale[j], &d.bias[j], &d.offset[j])
}
