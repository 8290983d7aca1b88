package train

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"testing"

	"github.com/cprs-go/cprs/core/model/checkpoint"
	"github.com/cprs-go/cprs/core/model/latejoin"
)

// TestExport holds that the exported files are the critic that a training starts from and the batches that it draws.
func TestExport(t *testing.T) {
	opt := quick(t, "")
	opt.From, opt.Steps = tiny, 5
	const first = 2
	var out bytes.Buffer
	if err := Export(t.Context(), opt, first, &out); err != nil {
		t.Fatal(err)
	}
	stream := out.Bytes()
	weights := nextFile(t, &stream)
	config, _ := weights.Tensor(checkpoint.ConfigFile)
	if _, err := latejoin.ParseConfig(config.Data); err != nil {
		t.Errorf("the first file's configuration: %v", err)
	}
	start, err := openStart(tiny, 1)
	if err != nil {
		t.Fatal(err)
	}
	for name, data := range start.weights {
		if got, ok := weights.Tensor(name); !ok || !bytes.Equal(got.Data, bytesOf(data)) {
			t.Errorf("%s is not what a training starts from", name)
		}
	}
	samples := samplerOf(t, nil)
	for i := first; i < opt.Steps; i++ {
		file := nextFile(t, &stream)
		b, err := samples.batch(i)
		if err != nil {
			t.Fatal(err)
		}
		for name, want := range map[string]any{
			"window_ids": b.windowIDs, "window_lengths": b.windowLengths, "header_ids": b.headerIDs, "header_lengths": b.headerLengths,
			"pair_window": b.pairWindow, "pair_header": b.pairHeader, "segments": b.segments, "tags": b.tags, "units": b.units,
			"grains": b.grains, "roles": b.roles, "pool": b.pool, "counts": b.counts, "relevant": b.relevant, "pair_counts": b.pairCounts,
		} {
			var raw bytes.Buffer
			if err := binary.Write(&raw, binary.LittleEndian, want); err != nil {
				t.Fatal(err)
			}
			if got, ok := file.Tensor(name); !ok || !bytes.Equal(got.Data, raw.Bytes()) {
				t.Errorf("batch %d: %s is not what a training reads", i, name)
			}
		}
	}
	if len(stream) != 0 {
		t.Errorf("%d bytes after the last batch", len(stream))
	}
	if err := Export(t.Context(), opt, 0, failing{}); !errors.Is(err, errFull) {
		t.Errorf("a full disk gives %v", err)
	}
}

// nextFile takes a safetensors file off a stream.
func nextFile(t *testing.T, stream *[]byte) *checkpoint.Checkpoint {
	t.Helper()
	head := 8 + int(binary.LittleEndian.Uint64(*stream))
	var entries map[string]struct {
		Offsets [2]int `json:"data_offsets"`
	}
	if err := json.Unmarshal((*stream)[8:head], &entries); err != nil {
		t.Fatal(err)
	}
	end := 0
	for _, e := range entries {
		end = max(end, e.Offsets[1])
	}
	file, err := checkpoint.FromBytes("", nil, (*stream)[:head+end])
	if err != nil {
		t.Fatal(err)
	}
	*stream = (*stream)[head+end:]
	return file
}

var errFull = errors.New("no space left")

type failing struct{}

func (failing) Write([]byte) (int, error) { return 0, errFull }
