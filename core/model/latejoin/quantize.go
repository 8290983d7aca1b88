package latejoin

import (
	"encoding/binary"
	"fmt"
	"io"
	"math"
	"strings"

	"github.com/cprs-go/cprs/core/model/checkpoint"
)

// Quantize writes the weights of src as safetensors with the same names and int8 matrices. Each row of a word embedding and
// each output of a dense layer gets a scale, called name.weight_scale, so that weight ≈ int8 · scale with int8 in −127…127. All
// other tensors stay as they are; so does config.json.
func Quantize(src *checkpoint.Checkpoint, w io.Writer) error {
	var out []checkpoint.Tensor
	for _, name := range src.Names() {
		t, _ := src.Tensor(name)
		if !isMatrix(name) {
			out = append(out, t)
			continue
		}
		weights, err := t.Floats()
		if err == nil && len(t.Shape) != 2 {
			err = fmt.Errorf("tensor %q has shape %v, no rows", name, t.Shape)
		}
		if err != nil {
			return fmt.Errorf("quantising %s: %w", src.Name(), err)
		}
		rows, columns := t.Shape[0], t.Shape[1]
		q, scale := make([]byte, len(weights)), make([]byte, 0, 4*rows)
		for i := range rows {
			s := quantizeRow(q[i*columns:(i+1)*columns], weights[i*columns:(i+1)*columns])
			scale = binary.LittleEndian.AppendUint32(scale, math.Float32bits(s))
		}
		out = append(out,
			checkpoint.Tensor{Name: name, DType: checkpoint.I8, Shape: t.Shape, Data: q},
			checkpoint.Tensor{Name: name + "_scale", DType: checkpoint.F32, Shape: t.Shape[:1], Data: scale})
	}
	return checkpoint.Write(w, out)
}

// isMatrix reports whether name is a word embedding or the weight of a dense layer.
func isMatrix(name string) bool {
	for _, suffix := range []string{".word_embeddings.weight", ".query.weight", ".key.weight", ".value.weight", ".dense.weight"} {
		if strings.HasSuffix(name, suffix) {
			return true
		}
	}
	return false
}

// quantizeRow writes x / scale, rounded half to even, for the smallest scale at which nothing is cut off.
func quantizeRow(q []byte, x []float32) (scale float32) {
	var most float32
	for _, v := range x {
		most = max(most, v, -v)
	}
	if most == 0 {
		return 0
	}
	scale = most / 127
	for i, v := range x {
		q[i] = byte(int8(max(-127, min(127, math.RoundToEven(float64(v)/float64(scale))))))
	}
	return scale
}
