package train

import (
	gx "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"

	"github.com/cprs-go/cprs/core/backend"
)

// The roles of a unit in the ranking.
const (
	roleIgnored  int32 = iota // it may hold an answer that nobody marked, or is no unit
	roleEvidence              // it holds evidence
	roleOther                 // it does not
)

// Most units of a window that the ranking looks at.
const mostUnits = 48

// shape is the size of a batch: rows are padded to it, so that few programs are compiled.
type shape struct {
	windows, headers, pairs    int
	windowTokens, headerTokens int
}

// batch is windows, questions and pairs of them as the graph takes them, padded with rows that do not count.
type batch struct {
	shape
	windowIDs, windowLengths []int32 // [windows, windowTokens], [windows]
	headerIDs, headerLengths []int32 // [headers, headerTokens], [headers]
	pool                     []bool  // [headers, headerTokens]
	pairWindow, pairHeader   []int32 // [pairs]
	segments, tags, units    []int32 // [pairs, windowTokens]; units: index in the window, −1 for none
	counts                   []float32
	grains                   []int32   // [pairs]
	relevant, pairCounts     []float32 // [pairs]
	roles                    []int32   // [pairs, mostUnits]

	tokens int // of rows that count, without padding
}

func newBatch(s shape) *batch {
	b := &batch{
		shape:     s,
		windowIDs: make([]int32, s.windows*s.windowTokens), windowLengths: make([]int32, s.windows),
		headerIDs: make([]int32, s.headers*s.headerTokens), headerLengths: make([]int32, s.headers),
		pool:       make([]bool, s.headers*s.headerTokens),
		pairWindow: make([]int32, s.pairs), pairHeader: make([]int32, s.pairs),
		segments: make([]int32, s.pairs*s.windowTokens), tags: make([]int32, s.pairs*s.windowTokens),
		units: make([]int32, s.pairs*s.windowTokens), counts: make([]float32, s.pairs*s.windowTokens),
		grains: make([]int32, s.pairs), relevant: make([]float32, s.pairs), pairCounts: make([]float32, s.pairs),
		roles: make([]int32, s.pairs*mostUnits),
	}
	for i := range b.windowLengths {
		b.windowLengths[i] = 1
	}
	for i := range b.headerLengths {
		b.headerLengths[i], b.pool[i*s.headerTokens] = 1, true
	}
	for i := range b.units {
		b.units[i] = -1
	}
	return b
}

// pack pads questions on windows to a batch. They fit into s.
func pack(groups []group, s shape) *batch {
	b := newBatch(s)
	window, header, pair := 0, 0, 0
	for _, g := range groups {
		for i, w := range g.windows {
			copy(b.windowIDs[(window+i)*s.windowTokens:], w.ids)
			b.windowLengths[window+i] = int32(len(w.ids))
			b.tokens += len(w.ids)
		}
		for _, q := range g.questions {
			copy(b.headerIDs[header*s.headerTokens:], q.header.IDs)
			copy(b.pool[header*s.headerTokens:], q.header.Pool)
			b.headerLengths[header] = int32(len(q.header.IDs))
			b.tokens += len(q.header.IDs)
			for i := range q.pairs {
				b.pair(pair, window+i, header, &q.pairs[i])
				pair++
			}
			header++
		}
		window += len(g.windows)
	}
	return b
}

func (b *batch) pair(at, window, header int, p *pair) {
	b.pairWindow[at], b.pairHeader[at], b.pairCounts[at], b.grains[at] = int32(window), int32(header), 1, p.grain
	first := at * b.windowTokens
	copy(b.segments[first:], p.segments)
	copy(b.tags[first:], p.tags)
	copy(b.counts[first:], p.counts)
	copy(b.units[first:], p.units)
	copy(b.roles[at*mostUnits:(at+1)*mostUnits], p.roles)
	for _, r := range p.roles {
		if r == roleEvidence {
			b.relevant[at] = 1
		}
	}
}

// batchNodes are the tensors of a batch in a graph.
type batchNodes struct {
	windows, windowLengths, headers, headerLengths, pool  *gx.Node
	pairWindow, pairHeader, segments, tags, units, counts *gx.Node
	grains, relevant, pairCounts, roles                   *gx.Node
}

// tensors are those of the batch, in the order of nodesOf. The caller finalizes them.
func (b *batch) tensors() (all []any, err error) {
	add := func(t *tensors.Tensor) { all = append(all, t) }
	err = backend.Try(func() error {
		add(tensors.FromFlatDataAndDimensions(b.windowIDs, b.windows, b.windowTokens))
		add(tensors.FromFlatDataAndDimensions(b.windowLengths, b.windows))
		add(tensors.FromFlatDataAndDimensions(b.headerIDs, b.headers, b.headerTokens))
		add(tensors.FromFlatDataAndDimensions(b.headerLengths, b.headers))
		add(tensors.FromFlatDataAndDimensions(b.pool, b.headers, b.headerTokens))
		add(tensors.FromFlatDataAndDimensions(b.pairWindow, b.pairs))
		add(tensors.FromFlatDataAndDimensions(b.pairHeader, b.pairs))
		add(tensors.FromFlatDataAndDimensions(b.segments, b.pairs, b.windowTokens))
		add(tensors.FromFlatDataAndDimensions(b.tags, b.pairs, b.windowTokens))
		add(tensors.FromFlatDataAndDimensions(b.units, b.pairs, b.windowTokens))
		add(tensors.FromFlatDataAndDimensions(b.counts, b.pairs, b.windowTokens))
		add(tensors.FromFlatDataAndDimensions(b.grains, b.pairs))
		add(tensors.FromFlatDataAndDimensions(b.relevant, b.pairs))
		add(tensors.FromFlatDataAndDimensions(b.pairCounts, b.pairs))
		add(tensors.FromFlatDataAndDimensions(b.roles, b.pairs, mostUnits))
		return nil
	})
	return all, err
}

func nodesOf(in []*gx.Node) batchNodes {
	return batchNodes{
		windows: in[0], windowLengths: in[1], headers: in[2], headerLengths: in[3], pool: in[4],
		pairWindow: in[5], pairHeader: in[6], segments: in[7], tags: in[8], units: in[9], counts: in[10],
		grains: in[11], relevant: in[12], pairCounts: in[13], roles: in[14],
	}
}
