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
	for _, t := range tensors {
		if len(t.Data) != t.Bytes() {
			return fmt.Errorf("writing tensor %q: %d bytes are no %s of shape %v", t.Name, len(t.Data), t.DType, t.Shape)
		}
	}
	return WriteStream(w, tensors, func(w io.Writer, t Tensor) error {
		_, err := w.Write(t.Data)
		return err
	})
}

// WriteStream writes tensors that are never in memory as a whole: their Data is not read, data writes t.Bytes() bytes for each, in the
// order of their names.
func WriteStream(w io.Writer, tensors []Tensor, data func(w io.Writer, t Tensor) error) error {
	ts := slices.Clone(tensors)
	slices.SortFunc(ts, func(a, b Tensor) int { return strings.Compare(a.Name, b.Name) })
	header := make(map[string]entry, len(ts)) // json sorts the keys of a map
	var end int64
	for _, t := range ts {
		if _, twice := header[t.Name]; twice || t.Name == "__metadata__" {
			return fmt.Errorf("writing tensor %q: the name is taken", t.Name)
		}
		start := end
		end += int64(t.Bytes())
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
		c := &counter{w: w}
		if err := data(c, t); err != nil {
			return fmt.Errorf("writing tensor %q: %w", t.Name, err)
		}
		if c.n != t.Bytes() {
			return fmt.Errorf("writing tensor %q: %d bytes were written for %s of shape %v", t.Name, c.n, t.DType, t.Shape)
		}
	}
	return nil
}

// counter counts the bytes that pass.
type counter struct {
	w io.Writer
	n int
}

func (c *counter) Write(p []byte) (int, error) {
	n, err := c.w.Write(p)
	c.n += n
	return n, err
}

// Bytes is how many bytes the elements of t take, by its type and shape.
func (t Tensor) Bytes() int {
	n := dtypeBytes[t.DType]
	for _, d := range t.Shape {
		n *= d
	}
	return n
}
