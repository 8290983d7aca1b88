package train

import (
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"testing"

	"github.com/gomlx/compute"
	gx "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"

	"github.com/cprs-go/cprs/core/backend"
	"github.com/cprs-go/cprs/core/model/graph"
)

// golden is what pytorch/gradients.py says of the tiny critic on the batch of testdata/batch.json.
type golden struct {
	Total, Tags, Relevance, Rank float64
	Gradients                    map[string]struct{ Norm, Probe float64 } // length; sum of gᵢ·cos(i)
}

// batchFile is a batch as pytorch/gradients.py reads it.
type batchFile struct {
	Windows, Headers, Pairs, WindowTokens, HeaderTokens, Units                 int
	WindowIDs, WindowLengths, HeaderIDs, HeaderLengths, PairWindow, PairHeader []int32
	Segments, Tags, UnitOf, Grains, Roles                                      []int32
	Pool                                                                       []bool
	Counts, Relevant, PairCounts                                               []float32
}

// TestPyTorchGradients holds losses and gradients to those of PyTorch, on the same weights and the same batch.
func TestPyTorchGradients(t *testing.T) {
	opt := quick(t, "")
	opt.Frozen, opt.Ranking = -1, 0.5
	start, err := openStart(tiny, 1)
	if err != nil {
		t.Fatal(err)
	}
	b := goldenBatch(t, start, &opt)
	text, err := os.ReadFile(filepath.Join("testdata", "gradients.json"))
	if err != nil {
		t.Fatal(err)
	}
	var want golden
	if err := json.Unmarshal(text, &want); err != nil {
		t.Fatal(err)
	}
	for _, name := range backends(t) {
		be, err := backend.Open(name)
		if err != nil {
			t.Fatal(err)
		}
		defer be.Finalize()
		shapes := graph.Shapes(start.cfg)
		parts, gradients := gradientsOf(t, be, start, b, opt.Ranking)
		for i, w := range []float64{want.Total, want.Tags, want.Relevance, want.Rank} {
			if math.Abs(parts[i]-w) > 1e-4*(1+w) {
				t.Errorf("%s: part %d of the loss is %v, want %v", name, i, parts[i], w)
			}
		}
		for i, s := range shapes {
			norm, probe := 0.0, 0.0
			for j, g := range gradients[i] {
				norm += float64(g) * float64(g)
				probe += float64(g) * math.Cos(float64(j))
			}
			w := want.Gradients[s.Name]
			if tolerance := 2e-3*w.Norm + 1e-5; math.Abs(math.Sqrt(norm)-w.Norm) > tolerance || math.Abs(probe-w.Probe) > tolerance {
				t.Errorf("%s: gradient of %s: length %.6g and probe %.6g, want %.6g and %.6g", name, s.Name, math.Sqrt(norm), probe, w.Norm, w.Probe)
			}
		}
	}
}

// goldenBatch draws the batch and, if asked to, writes it for PyTorch.
func goldenBatch(t *testing.T, s *start, opt *Options) *batch {
	t.Helper()
	path := filepath.Join("testdata", "batch.json")
	if *rewrite {
		samples, err := newSampler(opt.Recipe, opt.Data, s.cfg, s.tok, opt)
		if err != nil {
			t.Fatal(err)
		}
		b, err := samples.batch(1)
		if err != nil {
			t.Fatal(err)
		}
		text, err := json.Marshal(batchFile{
			b.windows, b.headers, b.pairs, b.windowTokens, b.headerTokens, mostUnits,
			b.windowIDs, b.windowLengths, b.headerIDs, b.headerLengths, b.pairWindow, b.pairHeader,
			b.segments, b.tags, b.units, b.grains, b.roles, b.pool, b.counts, b.relevant, b.pairCounts,
		})
		if err == nil {
			err = os.WriteFile(path, text, 0o644)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var f batchFile
	if err := json.Unmarshal(text, &f); err != nil {
		t.Fatal(err)
	}
	return &batch{
		shape:     shape{f.Windows, f.Headers, f.Pairs, f.WindowTokens, f.HeaderTokens},
		windowIDs: f.WindowIDs, windowLengths: f.WindowLengths, headerIDs: f.HeaderIDs, headerLengths: f.HeaderLengths, pool: f.Pool,
		pairWindow: f.PairWindow, pairHeader: f.PairHeader, segments: f.Segments, tags: f.Tags, units: f.UnitOf,
		counts: f.Counts, grains: f.Grains, relevant: f.Relevant, pairCounts: f.PairCounts, roles: f.Roles,
	}
}

// gradientsOf gives the parts of the loss and the gradient of each tensor, in the order of graph.Shapes.
func gradientsOf(t *testing.T, be compute.Backend, s *start, b *batch, ranking float64) (parts []float64, gradients [][]float32) {
	t.Helper()
	shapes := graph.Shapes(s.cfg)
	exec, err := gx.NewExec(be, func(in []*gx.Node) []*gx.Node {
		w := graph.Weights{}
		for i, s := range shapes {
			w[s.Name] = in[i]
		}
		l := lossOf(graph.New(s.cfg), w, nodesOf(in[len(shapes):]), ranking)
		return append([]*gx.Node{l.total, l.tags, l.relevance, l.rank}, gx.Gradient(l.total, in[:len(shapes)]...)...)
	})
	if err != nil {
		t.Fatal(err)
	}
	defer exec.Finalize()
	var args []any
	for _, shape := range shapes {
		args = append(args, tensors.FromFlatDataAndDimensions(s.weights[shape.Name], shape.Dims...))
	}
	inputs, err := b.tensors()
	if err != nil {
		t.Fatal(err)
	}
	out, err := exec.Call(append(args, inputs...)...)
	if err != nil {
		t.Fatal(err)
	}
	for i, x := range out {
		data, err := floats(x)
		if err != nil {
			t.Fatal(err)
		}
		if i < 4 {
			parts = append(parts, float64(data[0]))
		} else {
			gradients = append(gradients, data)
		}
	}
	return parts, gradients
}
