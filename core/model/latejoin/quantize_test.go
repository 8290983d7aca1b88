package latejoin

import (
	"bytes"
	"io"
	"math"
	"strings"
	"testing"

	"github.com/cprs-go/cprs/core/model/checkpoint"
)

func TestQuantizeRow(t *testing.T) {
	for _, c := range []struct {
		x     []float32
		scale float32
		q     []int8
	}{
		{[]float32{0, 0}, 0, []int8{0, 0}},
		{[]float32{127, -127, 0.5, 1.5, -2.5}, 1, []int8{127, -127, 0, 2, -2}},
		{[]float32{-254, 1}, 2, []int8{-127, 0}},
	} {
		q := make([]byte, len(c.x))
		if s := quantizeRow(q, c.x); s != c.scale {
			t.Errorf("%v: scale %v", c.x, s)
		}
		for i, b := range q {
			if int8(b) != c.q[i] {
				t.Errorf("%v: %d at %d, want %d", c.x, int8(b), i, c.q[i])
			}
		}
	}
}

// TestQuantize checks that every weight is within half a step, and that all else is unchanged.
func TestQuantize(t *testing.T) {
	src := fromTensors(t, tinyConfig, tinyTensors())
	var b bytes.Buffer
	if err := Quantize(src, &b); err != nil {
		t.Fatal(err)
	}
	dst, err := checkpoint.FromBytes("int8", src.Config(), b.Bytes())
	if err != nil {
		t.Fatal(err)
	}
	matrices := 0
	for _, name := range src.Names() {
		a, _ := src.Tensor(name)
		z, ok := dst.Tensor(name)
		if !ok {
			t.Fatalf("%s is gone", name)
		}
		if z.DType != checkpoint.I8 {
			if !bytes.Equal(a.Data, z.Data) {
				t.Errorf("%s was changed", name)
			}
			continue
		}
		matrices++
		want, _ := a.Floats()
		q, err := z.Int8s()
		if err != nil {
			t.Fatal(err)
		}
		st, _ := dst.Tensor(name + "_scale")
		scale, _ := st.Floats()
		for i, v := range want {
			s := scale[i/a.Shape[1]]
			if d := math.Abs(float64(v - s*float32(q[i]))); d > 0.501*float64(s) {
				t.Fatalf("%s[%d]: %v became %d steps of %v", name, i, v, q[i], s)
			}
		}
	}
	if matrices != 1+4*6 {
		t.Errorf("%d matrices", matrices)
	}
	// A critic of mixed weights, or already quantised, is refused by name.
	if err := Quantize(dst, io.Discard); err == nil || !strings.Contains(err.Error(), "holds no floating-point") {
		t.Errorf("int8 quantised again: %v", err)
	}
}
