package hosts

import (
	"encoding/json"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/pelletier/go-toml/v2"
)

var entry = &Entry{Command: "/opt/a b/cprs", Args: []string{"mcp", "--root", "/home/<me> & co"}, Env: map[string]string{"A": "1"}}

const commented = `// mine
{
  "other": {"big": 12345678901234567890, "x": "<&>"}, // keep me
  "mcpServers": {
    // a server
    "theirs": {"command": "x",},
  },
}
`

const tomlText = `# top
model = "x" # of mine

[mcp_servers.theirs]
command = "x"

[mcp_servers.cprs]
command = "old"
[mcp_servers.cprs.env]
OLD = "1"

# about the rest
[[rest]]
text = """
# no comment
"""
`

// TestEdit installs twice and uninstalls: what is not ours stays.
func TestEdit(t *testing.T) {
	for _, h := range All {
		texts := []string{"", "{}", `{"mcpServers":{},"servers":{}}`, commented, strings.ReplaceAll(commented, "mcpServers", "servers")}
		if h.Name == "codex" {
			texts = []string{"", "# only a comment\n", tomlText, "[mcp_servers]\n", "a = 1"}
		}
		for i, text := range texts {
			path := filepath.Join(t.TempDir(), "deep", "config")
			if text != "" {
				path = filepath.Join(t.TempDir(), "config")
				if err := os.WriteFile(path, []byte(text), 0o640); err != nil {
					t.Fatal(err)
				}
			}
			changed, err := h.Install(path, "cprs", entry)
			if err != nil || !changed {
				t.Errorf("%s %d: installing: %v, %v", h.Name, i, changed, err)
				continue
			}
			after, _ := os.ReadFile(path)
			for _, mine := range []string{"// mine", "// keep me", "// a server", "12345678901234567890", `"<&>"`, "# top", "# of mine", "# about the rest", "# no comment", "# only a comment"} {
				if strings.Contains(text, mine) && !strings.Contains(string(after), mine) {
					t.Errorf("%s %d: %q is gone: %s", h.Name, i, mine, after)
				}
			}
			if strings.Contains(string(after), "OLD") {
				t.Errorf("%s %d: the old entry is there still: %s", h.Name, i, after)
			}
			if text != "" {
				if backup, _ := os.ReadFile(path + BackupSuffix); string(backup) != text {
					t.Errorf("%s %d: backup %s", h.Name, i, backup)
				}
				if info, _ := os.Stat(path); runtime.GOOS != "windows" && info.Mode().Perm() != 0o640 {
					t.Errorf("%s %d: mode %v", h.Name, i, info.Mode())
				}
			}
			if changed, err := h.Install(path, "cprs", entry); err != nil || changed {
				t.Errorf("%s %d: installing again: %v, %v", h.Name, i, changed, err)
			}
			if got, err := h.Status(path, "cprs"); err != nil || got.(map[string]any)["command"] != entry.Command {
				t.Errorf("%s %d: status %v, %v", h.Name, i, got, err)
			}
			if changed, err := h.Uninstall(path, "cprs"); err != nil || !changed {
				t.Errorf("%s %d: uninstalling: %v, %v", h.Name, i, changed, err)
			}
			if changed, err := h.Uninstall(path, "cprs"); err != nil || changed {
				t.Errorf("%s %d: uninstalling again: %v, %v", h.Name, i, changed, err)
			}
			end, _ := os.ReadFile(path)
			if strings.Contains(string(end), "cprs") || (strings.Contains(text, "theirs") && !strings.Contains(string(end), "theirs")) {
				t.Errorf("%s %d: in the end %s", h.Name, i, end)
			}
		}
	}
}

// TestRefuse leaves files alone that it does not understand.
func TestRefuse(t *testing.T) {
	for name, texts := range map[string][]string{
		"cursor": {`{"mcpServers":[]}`, `[]`, `{"a":`, `{"mcpServers":"x"}`},
		"codex":  {`mcp_servers = 1`, `a = `, "mcp_servers = { cprs = { command = \"old\" } }\n", "[mcp_servers]\ncprs.command = \"old\"\n"},
	} {
		h, err := Find(name)
		if err != nil {
			t.Fatal(err)
		}
		for _, text := range texts {
			path := filepath.Join(t.TempDir(), "config")
			if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
			if _, err := h.Install(path, "cprs", entry); err == nil {
				t.Errorf("%s: %s was edited", name, text)
			}
			if after, _ := os.ReadFile(path); string(after) != text {
				t.Errorf("%s: %s became %s", name, text, after)
			}
		}
	}
}

// TestSnippet checks that what is shown is valid.
func TestSnippet(t *testing.T) {
	for _, h := range All {
		text, err := h.Snippet("cprs", entry)
		var v any
		if h.Name == "codex" {
			err = toml.Unmarshal([]byte(text), &v)
		} else if err == nil {
			err = json.Unmarshal([]byte(text), &v)
		}
		if err != nil {
			t.Errorf("%s: %v: %s", h.Name, err, text)
		}
	}
}

// TestLink edits what a link points to.
func TestLink(t *testing.T) {
	dir := t.TempDir()
	real, link := filepath.Join(dir, "real"), filepath.Join(dir, "link")
	if err := os.WriteFile(real, []byte("{}"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(real, link); err != nil {
		t.Skip(err)
	}
	if _, err := All[0].Install(link, "cprs", entry); err != nil {
		t.Fatal(err)
	}
	if info, err := os.Lstat(link); err != nil || info.Mode()&os.ModeSymlink == 0 {
		t.Errorf("the link became %v, %v", info, err)
	}
	if text, _ := os.ReadFile(real); !strings.Contains(string(text), "cprs") {
		t.Errorf("the file is %s", text)
	}
}

// FuzzEdit edits files of any content: an error and the file as it was, or our entry and the rest as it was.
func FuzzEdit(f *testing.F) {
	for _, s := range []string{"", "{}", commented, tomlText, `{"servers":{"cprs":1}}`, "[mcp_servers.'cprs']\n", "[ mcp_servers . cprs ]\na=1"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		for _, h := range All {
			after, err := h.format.set(text, "cprs", entry)
			if err != nil || h.check(text, after, "cprs", h.format.value(entry)) != nil {
				continue
			}
			if got, err := h.format.get(after, "cprs"); err != nil || got == nil {
				t.Errorf("%s: %q becomes %q", h.Name, text, after)
			}
		}
	})
}
