package bundle

import (
	"archive/zip"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/cprs-go/cprs/core"
)

// programs makes files for kinds of machines; each is a script that says what it is and what it was given.
func programs(t *testing.T, machines ...string) []Program {
	t.Helper()
	var out []Program
	for _, m := range machines {
		goos, goarch, _ := strings.Cut(m, "/")
		p := Program{goos, goarch, filepath.Join(t.TempDir(), "program")}
		if err := os.WriteFile(p.File, fmt.Appendf(nil, "#!/bin/sh\necho %s \"$@\"\n", m), 0o600); err != nil {
			t.Fatal(err)
		}
		out = append(out, p)
	}
	return out
}

// unpack packs and unpacks a bundle, its files without the permission to execute them.
func unpack(t *testing.T, o *Options) (dir string, names []string, manifest map[string]any) {
	t.Helper()
	var b bytes.Buffer
	if err := Write(&b, o); err != nil {
		t.Fatal(err)
	}
	z, err := zip.NewReader(bytes.NewReader(b.Bytes()), int64(b.Len()))
	if err != nil {
		t.Fatal(err)
	}
	dir = t.TempDir()
	for _, f := range z.File {
		names = append(names, f.Name)
		r, err := f.Open()
		if err != nil {
			t.Fatal(err)
		}
		data, err := io.ReadAll(r)
		name := filepath.Join(dir, filepath.FromSlash(f.Name))
		if err := errors.Join(err, os.MkdirAll(filepath.Dir(name), 0o755), os.WriteFile(name, data, 0o644)); err != nil {
			t.Fatal(err)
		}
		if f.Name == "manifest.json" {
			if err := json.Unmarshal(data, &manifest); err != nil {
				t.Fatal(err)
			}
		}
	}
	return dir, names, manifest
}

// TestUniversal packs all machines into one bundle and starts the program for this one.
func TestUniversal(t *testing.T) {
	all := []string{"windows/amd64", "linux/arm64", "linux/amd64", "darwin/arm64", "darwin/amd64"}
	dir, names, manifest := unpack(t, &Options{Version: "v1.2.3", Programs: programs(t, all...)})
	if want := []string{"manifest.json", "server/launch.sh", "server/cprs-darwin-amd64", "server/cprs-darwin-arm64", "server/cprs-linux-amd64", "server/cprs-linux-arm64", "server/cprs-windows-amd64.exe"}; !slices.Equal(names, want) {
		t.Errorf("files %v", names)
	}
	server := manifest["server"].(map[string]any)
	config := server["mcp_config"].(map[string]any)
	want := map[string]any{"command": "/bin/sh", "args": []any{"${__dirname}/server/launch.sh", "mcp", "${user_config.folders}"}, "env": map[string]any{},
		"platform_overrides": map[string]any{"win32": map[string]any{"command": "${__dirname}/server/cprs-windows-amd64.exe", "args": []any{"mcp", "${user_config.folders}"}}}}
	if !reflect.DeepEqual(config, want) || server["entry_point"] != "server/launch.sh" {
		t.Errorf("server %v", server)
	}
	if platforms := manifest["compatibility"].(map[string]any)["platforms"]; !reflect.DeepEqual(platforms, []any{"darwin", "linux", "win32"}) {
		t.Errorf("platforms %v", platforms)
	}
	here := runtime.GOOS + "/" + runtime.GOARCH
	if !slices.Contains(all, here) || runtime.GOOS == "windows" {
		t.Skip("no shell, or a machine that no bundle is for")
	}
	out, err := exec.Command("/bin/sh", filepath.Join(dir, "server", "launch.sh"), "mcp", "a b", "c").CombinedOutput()
	if err != nil || string(out) != here+" mcp a b c\n" {
		t.Errorf("%v: %s", err, out)
	}
}

// TestOthers are bundles for some machines only.
func TestOthers(t *testing.T) {
	_, names, manifest := unpack(t, &Options{Programs: programs(t, "windows/arm64")})
	if server := manifest["server"].(map[string]any); len(names) != 2 || server["entry_point"] != "server/cprs-windows-arm64.exe" ||
		server["mcp_config"].(map[string]any)["command"] != "${__dirname}/server/cprs-windows-arm64.exe" {
		t.Errorf("%v: %v", names, server)
	}
	if runtime.GOOS != "windows" {
		dir, _, _ := unpack(t, &Options{Programs: programs(t, map[bool]string{true: "linux/amd64", false: "darwin/amd64"}[runtime.GOOS == "darwin"])})
		out, err := exec.Command("/bin/sh", filepath.Join(dir, "server", "launch.sh")).CombinedOutput()
		if err == nil || !strings.HasPrefix(string(out), "error: this bundle has no program for "+runtime.GOOS) {
			t.Errorf("%v: %s", err, out)
		}
	}
	for _, machines := range [][]string{nil, {"plan9/amd64"}, {"linux/386"}, {"linux"}, {"linux/amd64", "linux/amd64"}, {"windows/amd64", "windows/arm64"}} {
		var known *core.Error
		if err := Write(io.Discard, &Options{Programs: programs(t, machines...)}); !errors.As(err, &known) || known.Hint == "" {
			t.Errorf("%v: %v", machines, err)
		}
	}
	if err := Write(io.Discard, &Options{Programs: []Program{{"linux", "amd64", "nosuch"}}}); !errors.Is(err, os.ErrNotExist) {
		t.Error(err)
	}
}
