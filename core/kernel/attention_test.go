package kernel

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
)

func exactAttention(qkv []float32, rows, heads, dim int) []float64 {
	h := heads * dim
	dst := make([]float64, rows*h)
	for head := range heads {
		for i := range rows {
			p, sum := make([]float64, rows), 0.0
			for j := range rows {
				for c := range dim {
					p[j] += float64(qkv[i*3*h+head*dim+c]) * float64(qkv[j*3*h+h+head*dim+c])
				}
				p[j] = math.Exp(p[j] / math.Sqrt(float64(dim)))
				sum += p[j]
			}
			for j := range rows {
				for c := range dim {
					dst[i*h+head*dim+c] += p[j] / sum * float64(qkv[j*3*h+2*h+head*dim+c])
				}
			}
		}
	}
	return dst
}

func TestAttention(t *testing.T) {
	for _, shape := range [][2]int{{12, 32}, {4, 16}, {1, 64}, {2, 8}, {3, 7}, {1, 1}} {
		if testing.Short() && shape[0] > 4 {
			continue
		}
		for _, rows := range []int{0, 1, 2, 5, 6, 7, 11, 12, 13, 15, 16, 17, 31, 32, 33, 64, 100} {
			t.Run(fmt.Sprintf("%d×%d/%d", shape[0], shape[1], rows), func(t *testing.T) {
				heads, dim := shape[0], shape[1]
				qkv := normal(rand.New(rand.NewPCG(1, uint64(rows))), rows*3*heads*dim, 1.5)
				want := exactAttention(qkv, rows, heads, dim)
				atLevels(t, func(t *testing.T) {
					var s Scratch
					got := make([]float32, rows*heads*dim)
					Attention(got, qkv, rows, heads, dim, &s)
					near(t, got, want, 1e-5)
				})
			})
		}
	}
}

// TestAttentionOfGreatScores has scores whose exponentials f32 cannot hold.
func TestAttentionOfGreatScores(t *testing.T) {
	atLevels(t, func(t *testing.T) {
		const rows, dim = 20, 16
		qkv := make([]float32, rows*3*dim)
		for i := range rows {
			row := qkv[i*3*dim:]
			for c := range dim {
				row[c], row[dim+c], row[2*dim+c] = 30, 30*float32(i)/rows, float32(i)
			}
		}
		var s Scratch
		got := make([]float32, rows*dim)
		Attention(got, qkv, rows, 1, dim, &s)
		want := make([]float64, rows*dim)
		for i := range want {
			want[i] = rows - 1 // the last key wins
		}
		near(t, got, want, 1e-5)
	})
}

func TestAttentionDoesNotAllocate(t *testing.T) {
	atLevels(t, func(t *testing.T) {
		qkv, dst := normal(rand.New(rand.NewPCG(1, 1)), 20*3*64, 1), make([]float32, 20*64)
		var s Scratch
		if n := testing.AllocsPerRun(5, func() { Attention(dst, qkv, 20, 4, 16, &s) }); n > 0 {
			t.Errorf("%v allocations a call, want none", n)
		}
	})
}
