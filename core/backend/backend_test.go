package backend_test

import (
	"errors"
	"strconv"
	"strings"
	"testing"

	"github.com/gomlx/compute"

	"github.com/cprs-go/cprs/core/backend"
)

func TestOpenGo(t *testing.T) {
	for _, name := range []string{"", "go"} {
		b, err := backend.Open(name)
		if strconv.IntSize == 32 && errors.Is(err, backend.ErrUnavailable) {
			continue
		}
		if err != nil {
			t.Fatalf("Open(%q): %v", name, err)
		}
		if b.Name() != "Go Backend" {
			t.Errorf("Open(%q) is %q", name, b.Name())
		}
		b.Finalize()
	}
}

func TestOpenRefuses(t *testing.T) {
	tests := []struct {
		name string
		want error
		says string
	}{
		{"cuda", backend.ErrUnknown, "xla:cuda"},
		{"go:fast", backend.ErrUnknown, `"go:fast"`},
		{"xla", backend.ErrUnknown, "xla:cpu"},
		{"xla:", backend.ErrUnknown, "xla:cpu"},
		{"xla:no-such-plugin", backend.ErrUnavailable, hint()},
		{"xla:/no/such/pjrt_c_api_cpu_plugin.so", backend.ErrUnavailable, hint()},
	}
	for _, tt := range tests {
		_, err := backend.Open(tt.name)
		if !errors.Is(err, tt.want) || !strings.Contains(err.Error(), tt.says) {
			t.Errorf("Open(%q): %v, want one that says %q and wraps %v", tt.name, err, tt.says, tt.want)
		}
	}
}

// hint is what an error about XLA must say in this build.
func hint() string {
	for _, name := range compute.List() {
		if name == "xla" {
			return "PJRT_PLUGIN_LIBRARY_PATH"
		}
	}
	return "-tags xla"
}

func TestTry(t *testing.T) {
	cause := errors.New("wrong shape")
	tests := map[string]struct {
		f    func() error
		want string
	}{
		"nothing": {func() error { return nil }, ""},
		"error":   {func() error { return cause }, "wrong shape"},
		"panic":   {func() error { panic(cause) }, "running a graph: wrong shape"},
		"text":    {func() error { panic("odd") }, "running a graph: odd"},
		"runtime": {func() error { return []error{}[none()] }, "running a graph: runtime error: index out of range [0] with length 0"},
	}
	for name, tt := range tests {
		err := backend.Try(tt.f)
		if got := message(err); got != tt.want {
			t.Errorf("%s: %q, want %q", name, got, tt.want)
		}
	}
	if err := backend.Try(tests["panic"].f); !errors.Is(err, cause) {
		t.Errorf("%v does not wrap its cause", err)
	}
}

func message(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

// none is an index that the compiler does not know.
func none() int { return len(message(nil)) }
