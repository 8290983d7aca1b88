package eval

import (
	"context"
	"math"
)

// Encoder turns texts into vectors of length one whose dot product is their similarity. core/eval/minilm has one.
type Encoder interface {
	// Encode returns one vector a text.
	Encode(ctx context.Context, texts []string) ([][]float32, error)
}

// Embeddings ranks passages by the cosine of their vector and the question's.
func Embeddings(name string, e Encoder) Ranker { return &embeddings{name: name, encoder: e} }

type embeddings struct {
	name    string
	encoder Encoder
	corpus  *Corpus     // of passages, the last one that was indexed
	vectors [][]float32 // of its passages
}

func (r *embeddings) Name() string { return r.name }

// Index encodes the passages of c once, also when a Fusion asks again.
func (r *embeddings) Index(ctx context.Context, c *Corpus) (func(context.Context, *Query) ([]float32, error), error) {
	if r.corpus != c {
		texts := make([]string, len(c.Passages))
		for i := range texts {
			texts[i] = c.text(i)
		}
		vectors, err := r.encoder.Encode(ctx, texts)
		if err != nil {
			return nil, err
		}
		r.corpus, r.vectors = c, vectors
	}
	vectors := r.vectors
	return func(ctx context.Context, q *Query) ([]float32, error) {
		query, err := r.encoder.Encode(ctx, []string{q.Text})
		if err != nil {
			return nil, err
		}
		scores := make([]float32, len(vectors))
		for i, v := range vectors {
			for j, x := range v {
				scores[i] += x * query[0][j]
			}
		}
		return scores, nil
	}, nil
}

// Fusion ranks passages by the sum of the scores of two rankers, each brought to mean 0 and deviation 1 over the corpus.
func Fusion(a, b Ranker) Ranker { return summed{a, b} }

type summed struct{ a, b Ranker }

func (r summed) Name() string { return r.a.Name() + "+" + r.b.Name() }

func (r summed) Index(ctx context.Context, c *Corpus) (func(context.Context, *Query) ([]float32, error), error) {
	a, err := r.a.Index(ctx, c)
	if err != nil {
		return nil, err
	}
	b, err := r.b.Index(ctx, c)
	if err != nil {
		return nil, err
	}
	return func(ctx context.Context, q *Query) ([]float32, error) {
		sum, err := a(ctx, q)
		if err != nil {
			return nil, err
		}
		other, err := b(ctx, q)
		if err != nil {
			return nil, err
		}
		standardise(sum)
		standardise(other)
		for i := range sum {
			sum[i] += other[i]
		}
		return sum, nil
	}, nil
}

// standardise brings scores to mean 0 and deviation 1; scores that are all equal to 0.
func standardise(scores []float32) {
	var sum, squares float64
	for _, s := range scores {
		sum += float64(s)
		squares += float64(s) * float64(s)
	}
	n := float64(len(scores))
	mean := sum / n
	deviation := math.Sqrt(max(0, squares/n-mean*mean))
	for i := range scores {
		if deviation < 1e-9 {
			scores[i] = 0
			continue
		}
		scores[i] = float32((float64(scores[i]) - mean) / deviation)
	}
}
