package eval

import "testing"

func TestEstimate(t *testing.T) {
	constant := []values{{"a", []float64{1, 1, 1}}, {"b", []float64{0, 0}}}
	if got := newBootstrap(1).estimate(constant); !near(got.Mean, 0.5) || !near(got.Low, 0.5) || !near(got.High, 0.5) {
		t.Errorf("constant values: %+v", got)
	}
	// Each set counts the same: (1/4 + 1) / 2.
	uneven := []values{{"a", []float64{1, 0, 0, 0}}, {"b", []float64{1}}}
	if got := newBootstrap(1).estimate(uneven); !near(got.Mean, 0.625) {
		t.Errorf("mean over sets: %+v", got)
	}
}

// TestEstimateInterval checks the width against the normal interval of a coin: 0.5 ± 1.96·0.5/√400.
func TestEstimateInterval(t *testing.T) {
	coin := values{set: "coin"}
	for i := range 400 {
		coin.of = append(coin.of, float64(i%2))
	}
	got := newBootstrap(7).estimate([]values{coin})
	if got.Low < 0.44 || got.Low > 0.46 || got.High < 0.54 || got.High > 0.56 {
		t.Errorf("interval of a coin: %+v", got)
	}
	if again := newBootstrap(7).estimate([]values{coin}); again != got {
		t.Errorf("the same seed gives %+v, then %+v", got, again)
	}
	if other := newBootstrap(8).estimate([]values{coin}); other.Mean != got.Mean {
		t.Errorf("another seed changes the mean: %+v, %+v", got, other)
	}
}
