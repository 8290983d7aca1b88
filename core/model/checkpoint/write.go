package checkpoint

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
)

// Write writes tensors as one safetensors file, sorted by name. The same tensors give the same bytes.
func Write(w io.Writer, tensors []Tensor) error {
	ts := slices.Clone(tensors)
	slices.SortFunc(ts, func(a, b Tensor) int { return strings.Compare(a.Name, b.Name) })
	header := make(map[string]entry, len(ts)) // json sorts the keys of a map
	var end int64
	for _, t := range ts {
		if _, twice := header[t.Name]; twice || t.Name == "__metadata__" {
			return fmt.Errorf("writing tensor %q: the name is taken", t.Name)
		}
		if len(t.Data) != t.Len()*dtypeBytes[t.DType] || t.Len() != product(t.Shape) {
			return fmt.Errorf("writing tensor %q: %d bytes are no %s of shape %v", t.Name, len(t.Data), t.DType, t.Shape)
		}
		start := end
		end += int64(len(t.Data))
		shape := make([]int64, len(t.Shape))
		for i, d := range t.Shape {
			shape[i] = int64(d)
		}
		header[t.Name] = entry{t.DType, shape, []int64{start, end}}
	}
	text, err := json.Marshal(header)
	if err != nil {
		return fmt.Errorf("writing the header: %w", err)
	}
	for len(text)%8 != 0 { // so that the data are aligned
		text = append(text, ' ')
	}
	if _, err := w.Write(append(binary.LittleEndian.AppendUint64(nil, uint64(len(text))), text...)); err != nil {
		return fmt.Errorf("writing the header: %w", err)
	}
	for _, t := range ts {
		if _, err := w.Write(t.Data); err != nil {
			return fmt.Errorf("writing tensor %q: %w", t.Name, err)
		}
	}
	return nil
}

func product(shape []int) int {
	n := 1
	for _, d := range shape {
		n *= d
	}
	return n
}
