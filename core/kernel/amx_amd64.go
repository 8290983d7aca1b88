package kernel

const (
	amxDepth = 64 // inputs of a tile
	amxCols  = 64 // outputs of four tiles, as wide as a panel of avx512
)

// amx is avx512 with the bytes multiplied by AMX where inputs and outputs are whole tiles. The weights lie as for avx512: sixteen
// groups of a panel are four tiles side by side.
var amx = func() *level {
	l := avx512Kernels.level("amx")
	l.mulInt8 = mulInt8AMX
	return l
}()

func mulInt8AMX(d *Int8Dense, dst []float32, a *Rows, from, to int, s *Scratch) {
	rows := to - from
	if d.k%amxDepth != 0 || d.n%amxCols != 0 || rows < tileRows {
		avx512Kernels.mulInt8(d, dst, a, from, to, s)
		return
	}
	s.tile = grow(s.tile, tileRows*amxCols)
	for j := 0; j < d.n; j += amxCols {
		multiply := func(i, tiles int) {
			gemmInt8AMX(tiles, d.k/amxDepth, &a.q8[(from+i)*a.stride], a.stride, &d.w8[j*d.k], &dst[i*d.n+j], 4*d.n,
				&a.scale[from+i], &d.scale[j], &d.bias[j], &d.offset[j], &s.tile[0])
		}
		multiply(0, rows/tileRows)
		if rows%tileRows > 0 {
			multiply(rows-tileRows, 1)
		}
	}
}

// gemmInt8AMX sets c, of tiles·16 rows × 64 columns, to (offset + a·b)·rowScale·scale + bias, over k groups of 64 values. sums is memory for
// a tile of int32.
//
//go:noescape
func gemmInt8AMX(tiles, k int, a *uint8, lda int, b *int8, c *float32, ldc int, rowScale, scale, bias *float32, offset *int32, sums *float32)
