package checkpoint

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// file builds a safetensors file of a header and data.
func file(header string, data int) []byte {
	b := binary.LittleEndian.AppendUint64(nil, uint64(len(header)))
	return append(append(b, header...), make([]byte, data)...)
}

var parseCases = []struct {
	name string
	file []byte
	err  string // part of the error; empty: the file is sound
}{
	{"one tensor", file(`{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}`, 8), ""},
	{"scalar", file(`{"a":{"dtype":"F16","shape":[],"data_offsets":[0,2]}}`, 2), ""},
	{"padded header", file(`{"a":{"dtype":"I8","shape":[3],"data_offsets":[0,3]}}   `, 3), ""},
	{"metadata", file(`{"__metadata__":{"format":"pt"},"a":{"dtype":"I8","shape":[3],"data_offsets":[0,3]}}`, 3), ""},
	{"empty tensor", file(`{"z":{"dtype":"F32","shape":[0,4],"data_offsets":[0,0]},"a":{"dtype":"I8","shape":[1],"data_offsets":[0,1]}}`, 1), ""},
	{"no tensors", file(`{}`, 0), ""},
	{"nothing", nil, "too few"},
	{"seven bytes", make([]byte, 7), "too few"},
	{"no header", make([]byte, 8), "header"},
	{"header longer than the file", file(`{}`, 0)[:9], "cut short"},
	{"huge header", []byte("\xff\xff\xff\xff\xff\xff\xff\xff{}"), "no safetensors"},
	{"pickle", []byte("PK\x03\x04\x00\x00\x08\x08\x00\x00\x00\x00archive/data.pkl"), "no safetensors"},
	{"foreign text", []byte(`{"model_type":"bert","layers":6}`), "no safetensors"},
	{"header is a list", file(`[]`, 0), "header"},
	{"text after header", file(`{} x`, 0), "after the header"},
	{"cut short", file(`{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}`, 7), `tensor "a"`},
	{"bytes left over", file(`{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}`, 9), "1 bytes after"},
	{"hole", file(`{"a":{"dtype":"I8","shape":[1],"data_offsets":[1,2]}}`, 2), "hole"},
	{"overlap", file(`{"a":{"dtype":"I8","shape":[2],"data_offsets":[0,2]},"b":{"dtype":"I8","shape":[2],"data_offsets":[1,3]}}`, 3), "overlap"},
	{"same name twice", file(`{"a":{"dtype":"I8","shape":[1],"data_offsets":[0,1]},"a":{"dtype":"I8","shape":[1],"data_offsets":[1,2]}}`, 2), "hole"},
	{"negative start", file(`{"a":{"dtype":"I8","shape":[1],"data_offsets":[-1,0]}}`, 0), "outside"},
	{"end before start", file(`{"a":{"dtype":"I8","shape":[1],"data_offsets":[1,0]}}`, 1), "outside"},
	{"negative shape", file(`{"a":{"dtype":"I8","shape":[-1,-1],"data_offsets":[0,1]}}`, 1), "impossible shape"},
	{"overflowing shape", file(`{"a":{"dtype":"F32","shape":[2147483647,2147483647,2147483647],"data_offsets":[0,4]}}`, 4), "impossible shape"},
	{"wrong size", file(`{"a":{"dtype":"F16","shape":[3],"data_offsets":[0,4]}}`, 4), "takes 6 bytes"},
	{"unknown dtype", file(`{"a":{"dtype":"Q4","shape":[1],"data_offsets":[0,1]}}`, 1), "unknown dtype"},
	{"no offsets", file(`{"a":{"dtype":"I8","shape":[1]}}`, 1), "data_offsets"},
	{"fraction in shape", file(`{"a":{"dtype":"I8","shape":[1.5],"data_offsets":[0,1]}}`, 1), `tensor "a"`},
}

func TestParse(t *testing.T) {
	for _, c := range parseCases {
		t.Run(c.name, func(t *testing.T) {
			_, err := parse(c.file)
			switch {
			case c.err == "" && err != nil:
				t.Fatal(err)
			case c.err != "" && (err == nil || !strings.Contains(err.Error(), c.err)):
				t.Fatalf("got %v, want an error with %q", err, c.err)
			}
		})
	}
}

func FuzzParse(f *testing.F) {
	for _, c := range parseCases {
		f.Add(c.file)
	}
	f.Fuzz(func(t *testing.T, file []byte) {
		tensors, err := parse(file)
		if err != nil {
			return
		}
		total := 0
		var all []Tensor
		for name, x := range tensors {
			if name != x.Name || x.Bytes() != len(x.Data) {
				t.Fatalf("tensor %+v does not fit its shape", x)
			}
			total += len(x.Data)
			all = append(all, x)
		}
		if n := binary.LittleEndian.Uint64(file); uint64(total)+8+n != uint64(len(file)) {
			t.Fatalf("tensors hold %d bytes of %d, header %d", total, len(file), n)
		}
		var out bytes.Buffer
		if err := Write(&out, all); err != nil {
			t.Fatal(err)
		}
		again, err := parse(out.Bytes())
		if err != nil || len(again) != len(tensors) {
			t.Fatalf("reading what was written: %d tensors of %d, %v", len(again), len(tensors), err)
		}
	})
}

func tensor(name string, d DType, data []byte, shape ...int) Tensor {
	return Tensor{Name: name, DType: d, Shape: shape, Data: data}
}

func write(t *testing.T, path string, ts ...Tensor) {
	t.Helper()
	var b bytes.Buffer
	if err := Write(&b, ts); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, b.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestOpenFolder(t *testing.T) {
	dir := t.TempDir()
	os.WriteFile(filepath.Join(dir, ConfigFile), []byte("{}"), 0o600)
	write(t, filepath.Join(dir, WeightsFile), tensor("b", I8, []byte{1, 2}, 2), tensor("a", F16, []byte{0, 0x3c}, 1))
	c, err := Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if got := c.Names(); !slices.Equal(got, []string{"a", "b"}) {
		t.Errorf("names %v", got)
	}
	a, _ := c.Tensor("a")
	if v, err := a.Floats(); err != nil || !slices.Equal(v, []float32{1}) {
		t.Errorf("a = %v, %v", v, err)
	}
	weights, _ := os.ReadFile(filepath.Join(dir, WeightsFile))
	same, err := FromBytes("memory", []byte("{}"), weights)
	if err != nil {
		t.Fatal(err)
	}
	if c.Hash() != same.Hash() || len(c.Hash()) != 64 {
		t.Errorf("hash of the folder %s, of the bytes %s", c.Hash(), same.Hash())
	}
}

func TestOpenSharded(t *testing.T) {
	a, b := tensor("a", I8, []byte{1}, 1), tensor("b", I8, []byte{2}, 1)
	cases := []struct {
		name, index string
		err         string
	}{
		{"sound", `{"weight_map":{"a":"1.safetensors","b":"2.safetensors"}}`, ""},
		{"tensor in another file", `{"weight_map":{"b":"1.safetensors","a":"2.safetensors"}}`, "not where"},
		{"tensor not in the index", `{"weight_map":{"a":"1.safetensors"}}`, ""}, // 2.safetensors is then no part of the model
		{"tensor only in the index", `{"weight_map":{"a":"1.safetensors","b":"2.safetensors","c":"2.safetensors"}}`, `"c" is missing`},
		{"missing file", `{"weight_map":{"a":"3.safetensors"}}`, "3.safetensors"},
		{"path", `{"weight_map":{"a":"../1.safetensors"}}`, "no plain file name"},
		{"dots", `{"weight_map":{"a":".."}}`, "no plain file name"},
		{"empty", `{}`, "weight_map"},
		{"no json", `x`, IndexFile},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			dir := t.TempDir()
			os.WriteFile(filepath.Join(dir, ConfigFile), []byte("{}"), 0o600)
			os.WriteFile(filepath.Join(dir, IndexFile), []byte(c.index), 0o600)
			write(t, filepath.Join(dir, "1.safetensors"), a)
			write(t, filepath.Join(dir, "2.safetensors"), b)
			ckpt, err := Open(dir)
			if err == nil {
				ckpt.Close()
			}
			if (err == nil) != (c.err == "") || err != nil && !strings.Contains(err.Error(), c.err) {
				t.Fatalf("got %v, want %q", err, c.err)
			}
		})
	}
}

func TestOpenFaults(t *testing.T) {
	if _, err := Open(filepath.Join(t.TempDir(), "none")); err == nil || !strings.Contains(err.Error(), "none") {
		t.Errorf("missing folder: %v", err)
	}
	dir := t.TempDir()
	os.WriteFile(filepath.Join(dir, ConfigFile), []byte("{}"), 0o600)
	if _, err := Open(dir); err == nil || !strings.Contains(err.Error(), WeightsFile) {
		t.Errorf("missing weights: %v", err)
	}
	os.WriteFile(filepath.Join(dir, WeightsFile), nil, 0o600)
	if _, err := Open(dir); err == nil || !strings.Contains(err.Error(), WeightsFile) {
		t.Errorf("empty weights: %v", err)
	}
	os.Remove(filepath.Join(dir, WeightsFile))
	os.Mkdir(filepath.Join(dir, WeightsFile), 0o700)
	if _, err := Open(dir); err == nil || !strings.Contains(err.Error(), "not a regular file") {
		t.Errorf("a folder as weights: %v", err)
	}
}

func TestLoader(t *testing.T) {
	var b bytes.Buffer
	err := Write(&b, []Tensor{tensor("f", F32, make([]byte, 8), 2), tensor("q", I8, make([]byte, 6), 2, 3), tensor("x", I64, make([]byte, 8), 1)})
	if err != nil {
		t.Fatal(err)
	}
	cases := []struct {
		name string
		take func(l *Loader)
		want []string // parts of the error; none: no error
	}{
		{"all", func(l *Loader) {
			l.Floats("f", 2)
			l.Int8("q", 2, 3)
			l.Ignore(func(n string) bool { return n == "x" })
		}, nil},
		{"left over", func(l *Loader) { l.Floats("f", 2) }, []string{`not part of the model: "q", "x"`, "memory"}},
		{"missing", func(l *Loader) { l.Floats("g", 2); l.Floats("h") }, []string{`missing: "g", "h"`}},
		{"shape", func(l *Loader) { l.Int8("q", 3, 2) }, []string{`"q" has shape [2 3], not [3 2]`}},
		{"dtype", func(l *Loader) { l.Floats("q", 2, 3); l.Int8("f", 2) }, []string{`"q" is I8`, `"f" is F32`}},
		{"twice", func(l *Loader) { l.Floats("f", 2); l.Floats("f", 2) }, []string{`"f" is used twice`}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			ran := false
			ckpt, err := FromBytes("memory", nil, b.Bytes())
			if err != nil {
				t.Fatal(err)
			}
			l := NewLoader(ckpt)
			c.take(l)
			l.Then(func() error { ran = true; return nil })
			err = l.Done()
			if ran != (err == nil) {
				t.Errorf("the fill ran: %v, with error %v", ran, err)
			}
			if (err == nil) != (c.want == nil) {
				t.Fatalf("got %v, want %q", err, c.want)
			}
			for _, w := range c.want {
				if !strings.Contains(err.Error(), w) {
					t.Errorf("%v lacks %q", err, w)
				}
			}
		})
	}
}

func TestLoaderFillFails(t *testing.T) {
	var b bytes.Buffer
	if err := Write(&b, []Tensor{tensor("f", F16, []byte{0, 0x7c}, 1)}); err != nil {
		t.Fatal(err)
	}
	ckpt, err := FromBytes("memory", nil, b.Bytes())
	if err != nil {
		t.Fatal(err)
	}
	var v []float32
	l := NewLoader(ckpt)
	l.Vector(&v, "f", 1)
	if err := l.Done(); err == nil || !strings.Contains(err.Error(), `loading the weights of memory: tensor "f": element 0`) {
		t.Errorf("got %v", err)
	}
}

func TestHalf(t *testing.T) {
	for i := range 1 << 16 {
		h := uint16(i)
		exp, frac := int(h>>10&31), float64(h&1023)
		want := math.Ldexp(1+frac/1024, exp-15)
		switch {
		case exp == 0:
			want = math.Ldexp(frac, -24)
		case exp == 31 && frac != 0:
			want = math.NaN()
		case exp == 31:
			want = math.Inf(1)
		}
		if h&0x8000 != 0 {
			want = math.Copysign(want, -1)
		}
		got := half(h)
		if math.IsNaN(want) != (got != got) || got == got && math.Float32bits(got) != math.Float32bits(float32(want)) {
			t.Fatalf("half(%#04x) = %v, want %v", h, got, want)
		}
	}
}

func TestFloats(t *testing.T) {
	for _, c := range []struct {
		t    Tensor
		want []float32
		err  string
	}{
		{tensor("a", F32, []byte{0, 0, 0x80, 0x3f}, 1), []float32{1}, ""},
		{tensor("a", F16, []byte{0, 0xc0}, 1), []float32{-2}, ""},
		{tensor("a", BF16, []byte{0x40, 0x40}, 1), []float32{3}, ""},
		{tensor("a", I8, []byte{1}, 1), nil, "holds no floating"},
		{tensor("a", F16, []byte{0, 0, 0, 0x7c}, 2), nil, "element 1 is +Inf"},
		{tensor("a", F32, []byte{1, 0, 0xc0, 0x7f}, 1), nil, "element 0 is NaN"},
	} {
		got, err := c.t.Floats()
		if (err == nil) != (c.err == "") || err != nil && !strings.Contains(err.Error(), c.err) || !slices.Equal(got, c.want) {
			t.Errorf("%v: got %v, %v", c.t, got, err)
		}
	}
}

func TestInt8s(t *testing.T) {
	if got, err := tensor("a", I8, []byte{1, 0xff, 0x81}, 3).Int8s(); err != nil || !slices.Equal(got, []int8{1, -1, -127}) {
		t.Errorf("got %v, %v", got, err)
	}
	for _, bad := range []Tensor{tensor("a", I8, []byte{1, 0x80}, 2), tensor("a", F16, []byte{1, 0}, 1)} {
		if got, err := bad.Int8s(); err == nil {
			t.Errorf("%v: got %v", bad, got)
		}
	}
}

func TestWriteFaults(t *testing.T) {
	for _, ts := range [][]Tensor{
		{tensor("a", F32, make([]byte, 7), 2)},
		{tensor("a", "Q4", make([]byte, 7), 7)},
		{tensor("a", I8, make([]byte, 6), 7)},
		{tensor("a", I8, nil, 0), tensor("a", I8, nil, 0)},
		{tensor("__metadata__", I8, nil, 0)},
	} {
		if err := Write(&bytes.Buffer{}, ts); err == nil {
			t.Errorf("wrote %v", ts)
		}
	}
}

// CheckFinite finds what Floats finds, at every place of a word and of the tail.
func TestCheckFinite(t *testing.T) {
	for _, tt := range []struct {
		dtype DType
		bad   [][]byte
		good  []byte
	}{
		{F32, [][]byte{{0, 0, 0x80, 0x7f}, {0, 0, 0x80, 0xff}, {1, 0, 0xc0, 0x7f}}, []byte{0xff, 0xff, 0x7f, 0x7f}},
		{F16, [][]byte{{0, 0x7c}, {0, 0xfc}, {1, 0x7e}}, []byte{0xff, 0x7b}},
		{BF16, [][]byte{{0x80, 0x7f}, {0x80, 0xff}, {0xc1, 0x7f}}, []byte{0x7f, 0x7f}},
	} {
		for n := 1; n < 12; n++ {
			data := bytes.Repeat(tt.good, n)
			whole := Tensor{Name: "x", DType: tt.dtype, Shape: []int{n}, Data: data}
			if err := whole.CheckFinite(); err != nil {
				t.Fatalf("%s of %d: %v", tt.dtype, n, err)
			}
			for i := range n {
				for _, bad := range tt.bad {
					whole.Data = slices.Clone(data)
					copy(whole.Data[i*len(bad):], bad)
					want := fmt.Sprintf("element %d is", i)
					if err := whole.CheckFinite(); err == nil || !strings.Contains(err.Error(), want) {
						t.Fatalf("%s of %d: %v, want one that says %q", tt.dtype, n, err, want)
					}
					if _, err := whole.Floats(); err == nil {
						t.Fatal("Floats finds nothing")
					}
				}
			}
		}
	}
	if err := (Tensor{DType: I8}).CheckFinite(); err == nil {
		t.Error("int8 is taken for floating point")
	}
}
