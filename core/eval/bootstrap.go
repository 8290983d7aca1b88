package eval

import (
	"math/rand/v2"
	"slices"
)

// Estimate is a mean with its 95 % bootstrap interval.
type Estimate struct {
	Mean float64 `json:"mean"`
	Low  float64 `json:"low"`
	High float64 `json:"high"`
}

// resamples is the number of bootstrap samples behind an interval.
const resamples = 1000

// bootstrap draws questions of each set with replacement. All draws come from the seed: two estimates over the same
// numbers of questions see the same draws.
type bootstrap struct {
	seed  uint64
	draws map[drawKey][]int32 // resamples rows of n indices
}

type drawKey struct {
	set string
	n   int
}

func newBootstrap(seed uint64) *bootstrap {
	return &bootstrap{seed: seed, draws: map[drawKey][]int32{}}
}

func (b *bootstrap) of(set string, n int) []int32 {
	key := drawKey{set, n}
	if b.draws[key] == nil {
		rng := rand.New(rand.NewPCG(b.seed, nameHash(set)))
		d := make([]int32, resamples*n)
		for i := range d {
			d[i] = int32(rng.IntN(n))
		}
		b.draws[key] = d
	}
	return b.draws[key]
}

// values are one figure for each question of a set.
type values struct {
	set string
	of  []float64
}

// estimate is the mean over sets of the mean over questions. Each set counts the same, whatever the number of its questions.
func (b *bootstrap) estimate(sets []values) Estimate {
	means := make([]float64, resamples)
	var total float64
	for _, s := range sets {
		n := len(s.of)
		var sum float64
		for _, v := range s.of {
			sum += v
		}
		total += sum / float64(n)
		draws := b.of(s.set, n)
		for i := range means {
			var sum float64
			for _, j := range draws[i*n : (i+1)*n] {
				sum += s.of[j]
			}
			means[i] += sum / float64(n) / float64(len(sets))
		}
	}
	slices.Sort(means)
	const tail = resamples / 40 // 2.5 %
	return Estimate{Mean: total / float64(len(sets)), Low: means[tail], High: means[resamples-1-tail]}
}
