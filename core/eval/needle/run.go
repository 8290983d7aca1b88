package needle

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"

	"github.com/cprs-go/cprs/core/eval"
)

// Grid says what Run measures: a case of every kind at every length and depth.
type Grid struct {
	Kinds   []Kind
	Lengths []int // in tokens
	Depths  int   // depths from 0 to 1 at equal distances; 1: the middle
	Share   float64
	Options // of each case; Tokens and Depth are set by the grid

	// Progress, if set, is told how many of the cases are done.
	Progress func(done, total int)
}

// Report is what Run measured.
type Report struct {
	Provenance eval.Provenance `json:"provenance"`
	Method     string          `json:"method"`
	Share      float64         `json:"share"`
	Kinds      []Kind          `json:"kinds"`
	Lengths    []int           `json:"lengths"`
	Depths     []float64       `json:"depths"`
	Cells      []Cell          `json:"cells"` // by kind, length, depth
}

// Cell is the outcome of one case.
type Cell struct {
	Kind  Kind    `json:"kind"`
	Size  int     `json:"length"`
	Depth float64 `json:"depth"`
	// Score is the evidence recall at the grid's share; of Absent the share of the text that is dropped at the
	// method's own threshold.
	Score float64 `json:"score"`
}

// Run measures m over a grid. Absent is left out if m has no threshold of its own.
func Run(ctx context.Context, m eval.Method, grid Grid) (*Report, error) {
	if !(grid.Share > 0 && grid.Share <= 1) {
		return nil, fmt.Errorf("share %v is not in (0,1]", grid.Share)
	}
	if grid.Depths < 1 {
		return nil, fmt.Errorf("%d depths: at least 1 is needed", grid.Depths)
	}
	r := &Report{Method: m.Name(), Share: grid.Share, Lengths: grid.Lengths, Depths: depths(grid.Depths)}
	r.Provenance.Tokenizer, r.Provenance.Seed = grid.Tokenizer.Name(), grid.Seed
	done, total := 0, len(grid.Kinds)*len(grid.Lengths)*grid.Depths
	for _, kind := range grid.Kinds {
		measured := false
		for _, length := range grid.Lengths {
			for _, depth := range r.Depths {
				opt := grid.Options
				opt.Tokens, opt.Depth = length, depth
				score, ok, err := ask(ctx, m, kind, opt, grid.Share)
				if err != nil {
					return nil, fmt.Errorf("%s at %d tokens, depth %g: %w", kind, length, depth, err)
				}
				if ok {
					measured = true
					r.Cells = append(r.Cells, Cell{kind, length, depth, score})
				}
				done++
				if grid.Progress != nil {
					grid.Progress(done, total)
				}
			}
		}
		if measured {
			r.Kinds = append(r.Kinds, kind)
		}
	}
	return r, nil
}

func depths(n int) []float64 {
	if n == 1 {
		return []float64{0.5}
	}
	out := make([]float64, n)
	for i := range out {
		out[i] = float64(i) / float64(n-1)
	}
	return out
}

// ask makes one case and measures m on it.
func ask(ctx context.Context, m eval.Method, kind Kind, opt Options, share float64) (score float64, ok bool, err error) {
	rec, err := Generate(kind, opt)
	if err != nil {
		return 0, false, err
	}
	q := &rec.Queries[0]
	corpus := eval.NewCorpus(rec, q.Unit(rec), opt.Tokenizer)
	keeper, err := m.Open(ctx, corpus)
	if err != nil {
		return 0, false, err
	}
	if kind == Absent {
		share = eval.Threshold
	}
	kept, err := keeper.Keep(ctx, q, share)
	if err != nil || kept == nil {
		return 0, false, err
	}
	s := eval.Measure(corpus, q, kept, share)
	if kind == Absent {
		return 1 - s.Kept, true, nil
	}
	return s.Recall, true, nil
}

// score is the score of a cell; ok is false if it was not measured.
func (r *Report) score(kind Kind, length int, depth float64) (s float64, ok bool) {
	for _, c := range r.Cells {
		if c.Kind == kind && c.Size == length && c.Depth == depth {
			return c.Score, true
		}
	}
	return 0, false
}

// Markdown writes a table of means over depths, and of the worst depth.
func (r *Report) Markdown(out io.Writer) error {
	w := bufio.NewWriter(out)
	p := r.Provenance
	if p.Command != "" {
		fmt.Fprintf(w, "    %s\n\n", p.Command)
	}
	if p.Critic != "" {
		fmt.Fprintf(w, "Critic %s, SHA-256 %.12s, backend %s, %d threads, %s kernels. ", p.Critic, p.CriticHash, p.Backend, p.Threads, p.Kernel)
	}
	fmt.Fprintf(w, "Tokens of %s, seed %d. Evidence recall of %s at %g %% kept, mean over %d depths (worst depth); of %s the share of the text "+
		"dropped at the method's own threshold. In per cent.\n\n| kind |", p.Tokenizer, p.Seed, r.Method, 100*r.Share, len(r.Depths), Absent)
	for _, l := range r.Lengths {
		fmt.Fprintf(w, " %s |", lengthName(l))
	}
	fmt.Fprint(w, "\n|---|")
	for range r.Lengths {
		fmt.Fprint(w, "---|")
	}
	for _, k := range r.Kinds {
		fmt.Fprintf(w, "\n| %s |", k)
		for _, l := range r.Lengths {
			mean, worst := r.over(k, l)
			fmt.Fprintf(w, " %.1f (%.1f) |", 100*mean, 100*worst)
		}
	}
	fmt.Fprintln(w)
	return w.Flush()
}

// over is the mean and the worst score over depths.
func (r *Report) over(kind Kind, length int) (mean, worst float64) {
	worst = 1
	for _, d := range r.Depths {
		s, _ := r.score(kind, length, d)
		mean += s / float64(len(r.Depths))
		worst = min(worst, s)
	}
	return mean, worst
}

// JSON writes the report as one JSON object.
func (r *Report) JSON(w io.Writer) error {
	enc := json.NewEncoder(w)
	enc.SetIndent("", " ")
	return enc.Encode(r)
}

// lengthName is 128K for 131072 and 128000.
func lengthName(tokens int) string {
	for _, u := range []struct {
		size int
		name string
	}{{1 << 20, "M"}, {1_000_000, "M"}, {1 << 10, "K"}, {1000, "K"}} {
		if tokens%u.size == 0 {
			return fmt.Sprint(tokens/u.size) + u.name
		}
	}
	return fmt.Sprint(tokens)
}
