package checkpoint

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"math/bits"
	"slices"
	"strings"
	"unsafe"
)

// DType is the type of a tensor's elements, as safetensors writes it.
type DType string

// The element types that models here read. Files may hold others, which nobody can take.
const (
	F32  DType = "F32"
	F16  DType = "F16"
	BF16 DType = "BF16"
	I8   DType = "I8"
	I64  DType = "I64"
)

var dtypeBytes = map[DType]int{
	F32: 4, F16: 2, BF16: 2, I8: 1, I64: 8,
	"BOOL": 1, "U8": 1, "F8_E4M3": 1, "F8_E5M2": 1, "I16": 2, "U16": 2, "I32": 4, "U32": 4, "U64": 8, "F64": 8,
}

// Tensor is one tensor of a checkpoint. Data are its bytes, little endian, rows first; they alias the file and must not
// be changed.
type Tensor struct {
	Name  string
	DType DType
	Shape []int
	Data  []byte
}

// Len is the number of elements.
func (t Tensor) Len() int { return len(t.Data) / max(1, dtypeBytes[t.DType]) }

const maxHeader = 100_000_000 // bytes, as in the reference implementation

type entry struct {
	DType   DType   `json:"dtype"`
	Shape   []int64 `json:"shape"`
	Offsets []int64 `json:"data_offsets"`
}

// parse reads the header of a safetensors file and gives its tensors, which together cover the data exactly once.
func parse(file []byte) (map[string]Tensor, error) {
	if len(file) < 8 {
		return nil, fmt.Errorf("%d bytes are too few for a safetensors file", len(file))
	}
	n := binary.LittleEndian.Uint64(file)
	if n > maxHeader || n > uint64(len(file)-8) {
		return nil, fmt.Errorf("no safetensors file, or cut short: header of %d bytes in a file of %d", n, len(file))
	}
	header, data := file[8:8+n], file[8+n:]
	dec := json.NewDecoder(bytes.NewReader(header))
	var raw map[string]json.RawMessage
	if err := dec.Decode(&raw); err != nil {
		return nil, fmt.Errorf("no safetensors file: header: %w", err)
	}
	if rest := bytes.TrimLeft(header[dec.InputOffset():], " \x00"); len(rest) > 0 {
		return nil, errors.New("no safetensors file: text after the header")
	}
	delete(raw, "__metadata__")
	ts := make([]Tensor, 0, len(raw))
	starts := make(map[string]int64, len(raw))
	for name, msg := range raw {
		t, start, err := parseTensor(name, msg, data)
		if err != nil {
			return nil, fmt.Errorf("tensor %q: %w", name, err)
		}
		ts = append(ts, t)
		starts[name] = start
	}
	slices.SortFunc(ts, func(a, b Tensor) int {
		if d := starts[a.Name] - starts[b.Name]; d != 0 {
			return int(max(-1, min(1, d)))
		}
		if d := len(a.Data) - len(b.Data); d != 0 { // an empty tensor stands before its neighbour
			return d
		}
		return strings.Compare(a.Name, b.Name)
	})
	return cover(ts, starts, int64(len(data)))
}

func parseTensor(name string, msg json.RawMessage, data []byte) (Tensor, int64, error) {
	var e entry
	if err := json.Unmarshal(msg, &e); err != nil {
		return Tensor{}, 0, err
	}
	size, ok := dtypeBytes[e.DType]
	if !ok {
		return Tensor{}, 0, fmt.Errorf("unknown dtype %q", string(e.DType))
	}
	if len(e.Offsets) != 2 {
		return Tensor{}, 0, errors.New("data_offsets are no pair")
	}
	lo, hi := e.Offsets[0], e.Offsets[1]
	if lo < 0 || hi < lo || hi > int64(len(data)) {
		return Tensor{}, 0, fmt.Errorf("bytes [%d, %d) lie outside the %d bytes of data: the file is cut short or damaged", lo, hi, len(data))
	}
	want, shape := uint64(size), make([]int, len(e.Shape))
	for i, d := range e.Shape {
		over, prod := bits.Mul64(want, uint64(d))
		if d < 0 || d > math.MaxInt32 || over != 0 {
			return Tensor{}, 0, fmt.Errorf("impossible shape %v", e.Shape)
		}
		want, shape[i] = prod, int(d)
	}
	if want != uint64(hi-lo) {
		return Tensor{}, 0, fmt.Errorf("%s of shape %v takes %d bytes, the file gives it %d", e.DType, e.Shape, want, hi-lo)
	}
	return Tensor{Name: name, DType: e.DType, Shape: shape, Data: data[lo:hi:hi]}, lo, nil
}

// cover checks that the tensors, in order of their starts, leave no byte out and share none.
func cover(ts []Tensor, starts map[string]int64, size int64) (map[string]Tensor, error) {
	byName := make(map[string]Tensor, len(ts))
	var end int64
	for _, t := range ts {
		if start := starts[t.Name]; start != end {
			return nil, fmt.Errorf("tensor %q starts at byte %d, where %d was due: tensors overlap or leave a hole", t.Name, start, end)
		}
		end += int64(len(t.Data))
		byName[t.Name] = t
	}
	if end != size {
		return nil, fmt.Errorf("%d bytes after the last tensor", size-end)
	}
	return byName, nil
}

// Floats gives the elements of an F32, F16 or BF16 tensor in a new slice. A number that is not finite is an error.
func (t Tensor) Floats() ([]float32, error) {
	out := make([]float32, t.Len())
	switch t.DType {
	case F32:
		for i := range out {
			out[i] = math.Float32frombits(binary.LittleEndian.Uint32(t.Data[4*i:]))
		}
	case F16:
		for i := range out {
			out[i] = half(binary.LittleEndian.Uint16(t.Data[2*i:]))
		}
	case BF16:
		for i := range out {
			out[i] = math.Float32frombits(uint32(binary.LittleEndian.Uint16(t.Data[2*i:])) << 16)
		}
	default:
		return nil, fmt.Errorf("tensor %q: %s holds no floating-point numbers", t.Name, t.DType)
	}
	for i, v := range out {
		if math.Float32bits(v)&0x7f800000 == 0x7f800000 {
			return nil, fmt.Errorf("tensor %q: element %d is %v", t.Name, i, v)
		}
	}
	return out, nil
}

// Int8s gives the elements of an I8 tensor. They alias the file. −128, which symmetric quantisation never makes, is an error.
func (t Tensor) Int8s() ([]int8, error) {
	if t.DType != I8 {
		return nil, fmt.Errorf("tensor %q: %s holds no 8-bit integers", t.Name, t.DType)
	}
	if i := bytes.IndexByte(t.Data, 0x80); i >= 0 {
		return nil, fmt.Errorf("tensor %q: element %d is -128", t.Name, i)
	}
	return unsafe.Slice((*int8)(unsafe.Pointer(unsafe.SliceData(t.Data))), len(t.Data)), nil
}

// half widens an IEEE 754 binary16 number. Scaling by 2¹¹² moves the exponent's bias and makes subnormals right too.
func half(h uint16) float32 {
	const bias = 0x77800000 // 2^112
	v := math.Float32frombits(uint32(h&0x7fff)<<13) * math.Float32frombits(bias)
	b := math.Float32bits(v) | uint32(h&0x8000)<<16
	if h&0x7c00 == 0x7c00 {
		b |= 0x7f800000
	}
	return math.Float32frombits(b)
}

// CheckFinite looks for a number that is not finite in an F32, F16 or BF16 tensor, without widening it.
func (t Tensor) CheckFinite() error {
	// A number is not finite where all bits of its exponent are set: then adding the lowest of them carries into the sign.
	var exponent, lowest uint64
	switch t.DType {
	case F32:
		exponent, lowest = 0x7f800000_7f800000, 0x00800000_00800000
	case F16:
		exponent, lowest = 0x7c00_7c00_7c00_7c00, 0x0400_0400_0400_0400
	case BF16:
		exponent, lowest = 0x7f80_7f80_7f80_7f80, 0x0080_0080_0080_0080
	default:
		return fmt.Errorf("tensor %q: %s holds no floating-point numbers", t.Name, t.DType)
	}
	sign := exponent + lowest
	data, size := t.Data, dtypeBytes[t.DType]
	for i := 0; len(data) > 0; i++ {
		var word [8]byte
		n := copy(word[:], data)
		if bits := binary.LittleEndian.Uint64(word[:]); (bits&exponent+lowest)&sign != 0 {
			for k := 0; k < n; k += size {
				var one [8]byte
				copy(one[:], word[k:k+size])
				if (binary.LittleEndian.Uint64(one[:])&exponent+lowest)&sign&(1<<(8*size)-1) != 0 {
					return fmt.Errorf("tensor %q: element %d is not finite", t.Name, 8/size*i+k/size)
				}
			}
		}
		data = data[n:]
	}
	return nil
}
