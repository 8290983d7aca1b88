// Package backend opens what GoMLX graphs run on.
//
// "go" is pure Go, there on every 64-bit system and the default. "xla:…" is XLA through a PJRT plug-in; it needs a
// program that was built with cgo and the tag xla and that imports core/backend/xla. Nothing is ever downloaded. The
// package stands below core/model and knows no model.
package backend

import (
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/gomlx/compute"
)

// The kinds of backends, as GoMLX registers them. Go is the default.
const (
	Go  = "go"
	xla = "xla"
)

// goConfig has the operations of a graph run one after the other, each on all cores. Run side by side, as is the default, each
// holds a worker of the pool while it waits for others, and a graph with many independent products stalls for ever.
const goConfig = "ops_sequential"

// littleMemory has programs for CPUs keep few buffers alive at a time rather than run what they can side by side. XLA widens bfloat16
// weights to multiply them there; all at once, those of a 7B model need 26 GB above the weights.
const littleMemory = "--xla_cpu_enable_concurrency_optimized_scheduler"

// ErrUnknown is wrapped by errors about a name that no program opens.
var ErrUnknown = errors.New("unknown backend")

// ErrUnavailable is wrapped by errors about a backend that exists, but not in this program or on this machine. The
// error says how to get it.
var ErrUnavailable = errors.New("backend not available")

// Open opens a backend by name: "go" or "" for pure Go, "xla:cpu" or "xla:cuda" for the PJRT plug-in of that name,
// "xla:/folder/pjrt_c_api_cpu_plugin.so" for a plug-in at an absolute path. Plug-ins are looked for in the folders of
// PJRT_PLUGIN_LIBRARY_PATH or, where it is not set, in .local/lib/go-xla of the home folder and in the system's library
// folders. Options of go-xla may follow a comma, as in "xla:cuda,preallocate=true". For "xla:cpu", XLA_FLAGS gets
// an option that saves memory, unless it names it already. The caller finalizes the backend.
func Open(name string) (compute.Backend, error) {
	kind, config, _ := strings.Cut(name, ":")
	switch {
	case name == "" || name == Go:
		return openGo()
	case kind == xla && config != "":
		return openXLA(config)
	}
	return nil, fmt.Errorf("opening backend %q: %w: want go, xla:cpu, xla:cuda or xla:PLUGIN-PATH", name, ErrUnknown)
}

func openGo() (compute.Backend, error) {
	if !registered(Go) {
		return nil, fmt.Errorf("opening backend go: %w: it needs a 64-bit processor", ErrUnavailable)
	}
	return create(Go, goConfig)
}

func openXLA(config string) (compute.Backend, error) {
	if !registered(xla) {
		return nil, fmt.Errorf("opening backend xla:%s: %w: this program was built without it; "+
			"build it with CGO_ENABLED=1 and -tags xla", config, ErrUnavailable)
	}
	if plugin, _, _ := strings.Cut(config, ","); plugin == "cpu" && !strings.Contains(os.Getenv("XLA_FLAGS"), littleMemory) {
		if err := os.Setenv("XLA_FLAGS", strings.TrimSpace(os.Getenv("XLA_FLAGS")+" "+littleMemory+"=false")); err != nil {
			return nil, fmt.Errorf("opening backend xla:%s: %w", config, err)
		}
	}
	b, err := create(xla, config)
	if err != nil {
		return nil, fmt.Errorf("opening backend xla:%s: %w: %w; a plug-in is a file pjrt_c_api_NAME_plugin.so in a folder of "+
			"PJRT_PLUGIN_LIBRARY_PATH (core/backend/xla/install-cpu-plugin.sh fetches one for CPUs)", config, ErrUnavailable, err)
	}
	return b, nil
}

func create(kind, config string) (b compute.Backend, err error) {
	err = Try(func() error {
		b, err = compute.NewWithConfig(kind + ":" + config)
		return err
	})
	return b, err
}

func registered(kind string) bool {
	for _, name := range compute.List() {
		if name == kind {
			return true
		}
	}
	return false
}

// Try runs f and turns its panic into an error. GoMLX reports faults of graph building, compiling and transfer by panics;
// this is the one border that they do not cross.
func Try(f func() error) (err error) {
	defer func() {
		switch fault := recover().(type) {
		case nil:
		case error:
			err = fmt.Errorf("running a graph: %w", fault)
		default:
			err = fmt.Errorf("running a graph: %v", fault)
		}
	}()
	return f()
}
