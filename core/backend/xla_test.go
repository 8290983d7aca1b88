//go:build xla

package backend_test

import (
	"os"
	"testing"

	"github.com/cprs-go/cprs/core/backend"
	_ "github.com/cprs-go/cprs/core/backend/xla"
)

func TestXLAFlags(t *testing.T) {
	const ours = "--xla_cpu_enable_concurrency_optimized_scheduler="
	for before, want := range map[string]string{
		"":                             ours + "false",
		"--xla_dump_to=x":              "--xla_dump_to=x " + ours + "false",
		ours + "true --xla_dump_to=x ": ours + "true --xla_dump_to=x ",
	} {
		t.Setenv("XLA_FLAGS", before)
		if b, err := backend.Open("xla:cpu"); err == nil {
			b.Finalize()
		} else if os.Getenv("REQUIRE_XLA") != "" {
			t.Error(err)
		}
		if got := os.Getenv("XLA_FLAGS"); got != want {
			t.Errorf("with %q: got %q, want %q", before, got, want)
		}
	}
}
