package train

import (
	"context"
	"encoding/binary"
	"fmt"
	"io"

	"github.com/cprs-go/cprs/core"
	"github.com/cprs-go/cprs/core/model/checkpoint"
	"github.com/cprs-go/cprs/core/model/graph"
)

// Export writes what a training would begin with and read, for a training in another framework: safetensors files one after the other,
// first the starting weights in F32 with config.json and tokenizer.json as bytes, then the batches from the one numbered first to
// opt.Steps − 1, the same that Run takes. Of opt it needs From, Data, Recipe, Seed, Steps and BatchTokens.
//
// The tensors of a batch, all I32 but for the last four: window_ids [windows, tokens], window_lengths, header_ids [headers, tokens],
// header_lengths, pair_window and pair_header (rows of the two, one pair a question asked of a window), segments and tags (0 to 3: B, I,
// O, E), units (index of a token's unit in its window, −1 for none), grains (rows of unit.weight), roles [pairs, 48] (of units: 0
// ignored, 1 evidence, 2 other); pool, U8, the header positions that stand for the question; counts (weights of positions),
// relevant and pair_counts in F32. Rows that do not count pad each batch to a fixed shape.
func Export(ctx context.Context, opt Options, first int, w io.Writer) error {
	if first < 0 || opt.Steps < first {
		return &core.Error{Code: core.CodeInvalidArgument, Message: fmt.Sprintf("steps %d to %d", first, opt.Steps), Hint: "give a first step before the last"}
	}
	start, samples, err := opt.open()
	if err != nil {
		return err
	}
	text := func(name string, data []byte) checkpoint.Tensor {
		return checkpoint.Tensor{Name: name, DType: "U8", Shape: []int{len(data)}, Data: data}
	}
	weights := []checkpoint.Tensor{text(checkpoint.ConfigFile, start.config), text(tokenizerFile, start.tokenizer)}
	for _, s := range graph.Shapes(start.cfg) {
		weights = append(weights, checkpoint.Tensor{Name: s.Name, DType: checkpoint.F32, Shape: s.Dims, Data: bytesOf(start.weights[s.Name])})
	}
	if err := checkpoint.Write(w, weights); err != nil {
		return err
	}
	for i := first; i < opt.Steps; i++ {
		if err := ctx.Err(); err != nil {
			return err
		}
		b, err := samples.batch(i)
		if err != nil {
			return err
		}
		if err := b.write(w); err != nil {
			return fmt.Errorf("writing batch %d: %w", i, err)
		}
	}
	return nil
}

// write writes the batch as a safetensors file.
func (b *batch) write(w io.Writer) error {
	ints := func(name string, data []int32, dims ...int) checkpoint.Tensor {
		raw := make([]byte, 0, 4*len(data))
		for _, x := range data {
			raw = binary.LittleEndian.AppendUint32(raw, uint32(x))
		}
		return checkpoint.Tensor{Name: name, DType: "I32", Shape: dims, Data: raw}
	}
	floats := func(name string, data []float32, dims ...int) checkpoint.Tensor {
		return checkpoint.Tensor{Name: name, DType: checkpoint.F32, Shape: dims, Data: bytesOf(data)}
	}
	pool := make([]byte, len(b.pool))
	for i, in := range b.pool {
		if in {
			pool[i] = 1
		}
	}
	return checkpoint.Write(w, []checkpoint.Tensor{
		ints("window_ids", b.windowIDs, b.windows, b.windowTokens), ints("window_lengths", b.windowLengths, b.windows),
		ints("header_ids", b.headerIDs, b.headers, b.headerTokens), ints("header_lengths", b.headerLengths, b.headers),
		ints("pair_window", b.pairWindow, b.pairs), ints("pair_header", b.pairHeader, b.pairs),
		ints("segments", b.segments, b.pairs, b.windowTokens), ints("tags", b.tags, b.pairs, b.windowTokens),
		ints("units", b.units, b.pairs, b.windowTokens), ints("grains", b.grains, b.pairs), ints("roles", b.roles, b.pairs, mostUnits),
		{Name: "pool", DType: "U8", Shape: []int{b.headers, b.headerTokens}, Data: pool},
		floats("counts", b.counts, b.pairs, b.windowTokens), floats("relevant", b.relevant, b.pairs), floats("pair_counts", b.pairCounts, b.pairs),
	})
}
