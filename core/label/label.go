// Package label turns what a critic says of every token into spans of tokens.
//
// A critic gives each token the probabilities of the tags Begin, Inside, Outside, End (paper, section 3; released
// code, ids 0 to 3). Decode reads them in the sound mode that all users get; FillCompat, SpansCompat and CleanCompat reproduce the
// released code bit for bit and serve as proof of parity only. The package stands between core/critic and core/selector.
package label

import "math"

// Tag is the position of a token in a kept span, with the ids of the released checkpoints.
type Tag uint8

// The four tags.
const (
	Begin Tag = iota
	Inside
	Outside
	End
)

// String is the tag's letter: B, I, O or E.
func (t Tag) String() string {
	if int(t) < len("BIOE") {
		return "BIOE"[t : t+1]
	}
	return "?"
}

// Scores is what a critic says of one window.
type Scores struct {
	// Probs holds the probabilities of B, I, O, E, one row for each of the window's own tokens.
	Probs [][4]float32
	// Relevance is the probability that the window holds anything asked for; 0 if the critic does not say.
	Relevance float32
	// Categories holds, for each of the window's own tokens, the probability of each category of the header given that the token is
	// kept; nil if the critic tells none apart.
	Categories [][]float32
}

// Keep is the probability that token i is kept: 1 − P(Outside).
func (s Scores) Keep(i int) float32 { return 1 - s.Probs[i][Outside] }

// Softmax fills p with the probabilities of as many logits, at least one.
func Softmax(p, logits []float32) {
	top := logits[0]
	for i := range p {
		top = max(top, logits[i])
	}
	var sum float64
	for i := range p {
		sum += math.Exp(float64(logits[i] - top))
	}
	for i := range p {
		p[i] = float32(math.Exp(float64(logits[i]-top)) / sum)
	}
}
