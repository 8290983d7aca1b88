// Package hosts writes an MCP server into the configuration files of the programs that use one, and takes it out again.
//
// Everything else in a file keeps its bytes as far as its format allows: comments, unknown keys, order. What was there before a change is
// kept beside the file, and a change that would alter anything but the one entry is refused. The package stands beside mcpserver and knows
// nothing of it.
package hosts

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"strings"

	"github.com/cprs-go/cprs/core"
)

// BackupSuffix is added to the name of a file for the copy of what it was.
const BackupSuffix = ".before-cprs"

// Entry is how a host starts a server.
type Entry struct {
	Command string
	Args    []string
	Env     map[string]string
}

// format edits one kind of file. Its methods work on the whole text; an empty text is an empty file.
type format interface {
	// get is the entry of a server, as decoded; nil if there is none.
	get(text []byte, name string) (any, error)
	// set writes the entry of a server; nil takes it out.
	set(text []byte, name string, e *Entry) ([]byte, error)
	// rest is all that is in the file but the entry, as decoded.
	rest(text []byte, name string) (any, error)
	// value is the entry as get would give it back.
	value(e *Entry) any
}

// Host is a program that uses MCP servers.
type Host struct {
	Name   string // for commands
	Title  string // for people
	Root   string // the argument that stands for the project folder in a project's file
	format format

	user    func() (string, error)
	project string // relative to the project folder; empty: there is none
}

// All lists the hosts.
var All = []*Host{
	{Name: "claude-desktop", Title: "Claude Desktop", format: jsonFile{key: "mcpServers"}, user: inConfig("Claude", "claude_desktop_config.json")},
	{Name: "claude-code", Title: "Claude Code", Root: ".", format: jsonFile{key: "mcpServers", stdio: true}, user: inHome(".claude.json"), project: ".mcp.json"},
	{Name: "vscode", Title: "VS Code", Root: "${workspaceFolder}", format: jsonFile{key: "servers", stdio: true}, user: inConfig("Code", "User", "mcp.json"), project: ".vscode/mcp.json"},
	{Name: "cursor", Title: "Cursor", Root: ".", format: jsonFile{key: "mcpServers"}, user: inHome(".cursor", "mcp.json"), project: ".cursor/mcp.json"},
	{Name: "codex", Title: "Codex", format: tomlFile{}, user: codexConfig},
	{Name: "gemini", Title: "Gemini CLI", Root: ".", format: jsonFile{key: "mcpServers"}, user: inHome(".gemini", "settings.json"), project: ".gemini/settings.json"},
}

// Names lists the names of the hosts.
func Names() []string {
	var names []string
	for _, h := range All {
		names = append(names, h.Name)
	}
	return names
}

// Find is the host of a name.
func Find(name string) (*Host, error) {
	for _, h := range All {
		if h.Name == name {
			return h, nil
		}
	}
	return nil, &core.Error{Code: core.CodeInvalidArgument, Message: fmt.Sprintf("there is no host %q", name), Hint: "give one of " + strings.Join(Names(), ", ")}
}

func inConfig(elem ...string) func() (string, error) {
	return func() (string, error) {
		dir, err := os.UserConfigDir()
		return filepath.Join(append([]string{dir}, elem...)...), err
	}
}

func inHome(elem ...string) func() (string, error) {
	return func() (string, error) {
		dir, err := os.UserHomeDir()
		return filepath.Join(append([]string{dir}, elem...)...), err
	}
}

func codexConfig() (string, error) {
	if dir := os.Getenv("CODEX_HOME"); dir != "" {
		return filepath.Join(dir, "config.toml"), nil
	}
	return inHome(".codex", "config.toml")()
}

// Path is the configuration file of the user, or that of the project in the current folder.
func (h *Host) Path(project bool) (string, error) {
	switch {
	case !project:
		return h.user()
	case h.project == "":
		return "", &core.Error{Code: core.CodeInvalidArgument, Message: h.Title + " has no configuration of a project", Hint: "leave --scope out"}
	}
	return filepath.FromSlash(h.project), nil
}

// Snippet is what a person would write into an empty file.
func (h *Host) Snippet(name string, e *Entry) (string, error) {
	text, err := h.format.set(nil, name, e)
	return string(text), err
}

// Status is the entry of a server in a file, as decoded; nil if there is none.
func (h *Host) Status(path, name string) (any, error) {
	text, err := read(path)
	if err != nil {
		return nil, err
	}
	got, err := h.format.get(text, name)
	return got, h.fault(path, err)
}

// Install writes the entry of a server into a file. It does nothing if it is there already.
func (h *Host) Install(path, name string, e *Entry) (changed bool, err error) {
	return h.edit(path, name, e)
}

// Uninstall takes the entry of a server out of a file. It does nothing if there is none.
func (h *Host) Uninstall(path, name string) (changed bool, err error) {
	return h.edit(path, name, nil)
}

func (h *Host) edit(path, name string, e *Entry) (changed bool, err error) {
	before, err := read(path)
	if err != nil {
		return false, err
	}
	old, err := h.format.get(before, name)
	if err != nil {
		return false, h.fault(path, err)
	}
	var want any
	if e != nil {
		want = h.format.value(e)
	}
	if reflect.DeepEqual(old, want) {
		return false, nil
	}
	after, err := h.format.set(before, name, e)
	if err == nil {
		err = h.check(before, after, name, want)
	}
	if err != nil {
		return false, h.fault(path, err)
	}
	return true, write(path, before, after)
}

// check refuses a change of anything but the one entry.
func (h *Host) check(before, after []byte, name string, want any) error {
	got, err := h.format.get(after, name)
	if err != nil {
		return err
	}
	restBefore, err := h.format.rest(before, name)
	if err != nil {
		return err
	}
	restAfter, err := h.format.rest(after, name)
	if err != nil {
		return err
	}
	if !reflect.DeepEqual(got, want) || !reflect.DeepEqual(restBefore, restAfter) {
		return errors.New("the entry is written in a way that cannot be changed without touching the rest")
	}
	return nil
}

func (h *Host) fault(path string, err error) error {
	if err == nil {
		return nil
	}
	return &core.Error{Code: core.CodeUnreadable, Message: fmt.Sprintf("the configuration of %s, %s, cannot be edited", h.Title, path), Hint: "edit it by hand; --print shows what to write", Err: err}
}

// read is the text of a file; nothing if there is none.
func read(path string) ([]byte, error) {
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	return text, err
}

// write replaces a file as a whole, so that no reader sees half of it, and keeps what it was.
func write(path string, before, after []byte) (err error) {
	mode := fs.FileMode(0o600)
	if real, err := filepath.EvalSymlinks(path); err == nil {
		path = real // a link stays one
	}
	if info, err := os.Stat(path); err == nil {
		mode = info.Mode().Perm()
		if err := os.WriteFile(path+BackupSuffix, before, mode); err != nil {
			return err
		}
	} else if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	tmp, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".*")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.Remove(tmp.Name()))
		}
	}()
	_, err = tmp.Write(after)
	if err = errors.Join(err, tmp.Chmod(mode), tmp.Sync(), tmp.Close()); err != nil {
		return err
	}
	return os.Rename(tmp.Name(), path)
}

// isEmpty reports whether a file holds nothing.
func isEmpty(text []byte) bool { return len(bytes.TrimSpace(text)) == 0 }
