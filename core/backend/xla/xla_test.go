//go:build xla

package xla

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/cprs-go/cprs/core/backend"
)

// TestVersions opens plug-ins of foreign versions, and files that are none.
func TestVersions(t *testing.T) {
	module, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", "github.com/gomlx/go-xla").Output()
	if err != nil {
		t.Fatal(err)
	}
	include := filepath.Join(strings.TrimSpace(string(module)), "pjrt")
	for version, says := range map[string]string{"1.104": "version 1.104", "0.56": "version 0.56"} {
		major, minor, _ := strings.Cut(version, ".")
		path := filepath.Join(t.TempDir(), "pjrt_c_api_foreign_plugin.so")
		cc := exec.Command("cc", "-shared", "-fPIC", "-I", include, "-DVERSION_MAJOR="+major, "-DVERSION_MINOR="+minor, "-o", path, "testdata/plugin.c")
		if out, err := cc.CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
		refused(t, path, says)
	}

	path := filepath.Join(t.TempDir(), "pjrt_c_api_text_plugin.so")
	if err := os.WriteFile(path, []byte("no library"), 0o644); err != nil {
		t.Fatal(err)
	}
	refused(t, path, "failed to load")
}

func refused(t *testing.T, path, says string) {
	t.Helper()
	_, err := backend.Open("xla:" + path)
	if !errors.Is(err, backend.ErrUnavailable) || !strings.Contains(fmt.Sprint(err), says) {
		t.Errorf("got %v, want one that says %q", err, says)
	}
}
