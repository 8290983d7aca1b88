// Package bundle packs the server for those who install it without a command line: as an MCPB bundle, which a desktop host opens, and as
// the server.json of the MCP registry, which points at bundles. It stands beside mcpserver, whose tools it is given.
package bundle

import (
	"archive/zip"
	"cmp"
	_ "embed"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path"
	"slices"
	"strings"

	"github.com/cprs-go/cprs/core"
)

const (
	description = "Read long files, logs and documents by instruction: only the parts that matter, word for word."
	homepage    = "https://github.com/cprs-go/cprs"
	title       = "cprs"
)

// Platforms are the systems that a bundle can be for, by GOOS, as MCPB names them.
var Platforms = map[string]string{"darwin": "darwin", "linux": "linux", "windows": "win32"}

// Tool is what a bundle tells of a tool before it runs.
type Tool struct {
	Name        string `json:"name"`
	Description string `json:"description"`
}

// Program is the program for one kind of machine.
type Program struct{ GOOS, GOARCH, File string }

// in is the path of a program in a bundle.
func (p Program) in() string {
	name := "server/cprs-" + p.GOOS + "-" + p.GOARCH
	if p.GOOS == "windows" {
		name += ".exe"
	}
	return name
}

// Options describe a bundle.
type Options struct {
	Version  string    // of the program
	Programs []Program // one bundle can be for all machines: MCPB lets a host choose by system, launch.sh by processor
	Tools    []Tool
}

type object = map[string]any

// launcher starts the right program on systems that have a shell.
const launcher = "server/launch.sh"

//go:embed launch.sh
var launchScript string

// manifest is the manifest.json of a bundle: the program, started with the folders that the user picks.
func manifest(o *Options) object {
	args := []string{"mcp", "${user_config.folders}"}
	entry, server := launcher, object{"command": "/bin/sh", "args": append([]string{"${__dirname}/" + launcher}, args...), "env": object{}}
	var platforms []string
	for _, p := range o.Programs {
		if p.GOOS == "windows" {
			windows := object{"command": "${__dirname}/" + p.in(), "args": args}
			server["platform_overrides"] = object{"win32": windows}
			if len(platforms) == 0 {
				entry, server = p.in(), object{"command": windows["command"], "args": args, "env": object{}}
			}
		}
		if name := Platforms[p.GOOS]; !slices.Contains(platforms, name) {
			platforms = append(platforms, name)
		}
	}
	return object{
		"manifest_version": "0.3",
		"name":             "cprs",
		"display_name":     title,
		"version":          semver(o.Version),
		"description":      description,
		"author":           object{"name": "cprs contributors", "url": homepage},
		"homepage":         homepage,
		"documentation":    homepage,
		"license":          "Apache-2.0",
		"keywords":         []string{"context", "compression", "documents", "logs"},
		"server":           object{"type": "binary", "entry_point": entry, "mcp_config": server},
		"tools":            o.Tools,
		"user_config": object{"folders": object{
			"type": "directory", "title": "Folders", "description": "Folders below which files may be read", "required": true, "multiple": true, "default": []string{"${HOME}/Documents"},
		}},
		"compatibility": object{"platforms": platforms},
	}
}

// semver is a version as MCPB and the registry want it: without the v, and one at all.
func semver(version string) string {
	if v, ok := strings.CutPrefix(version, "v"); ok && v != "" {
		return v
	}
	if version == "" || version[0] < '0' || version[0] > '9' {
		return "0.0.0-dev"
	}
	return version
}

// check refuses programs that no bundle can hold, and brings the others into one order: that of the systems with a shell first.
func (o *Options) check() error {
	slices.SortStableFunc(o.Programs, func(a, b Program) int { return cmp.Compare(a.in(), b.in()) })
	bad := func(hint, message string, args ...any) error {
		return &core.Error{Code: core.CodeInvalidArgument, Message: fmt.Sprintf(message, args...), Hint: hint}
	}
	if len(o.Programs) == 0 {
		return bad("give one", "there is no program to pack")
	}
	windows := 0
	for i, p := range o.Programs {
		if Platforms[p.GOOS] == "" || p.GOARCH != "amd64" && p.GOARCH != "arm64" {
			return bad("give darwin, linux or windows with amd64 or arm64, as in linux/amd64", "there are no bundles for %q on %q", p.GOOS, p.GOARCH)
		}
		if i > 0 && p.in() == o.Programs[i-1].in() {
			return bad("give one of them", "there are two programs for %s/%s", p.GOOS, p.GOARCH)
		}
		if p.GOOS == "windows" {
			windows++
		}
	}
	if windows > 1 {
		return bad("give windows/amd64 alone: it runs on both", "a bundle cannot choose between processors on Windows")
	}
	return nil
}

// Write packs a bundle. It sorts the programs of o.
func Write(w io.Writer, o *Options) (err error) {
	if err := o.check(); err != nil {
		return err
	}
	text, err := json.MarshalIndent(manifest(o), "", "  ")
	if err != nil {
		return err
	}
	z := zip.NewWriter(w)
	if err := add(z, "manifest.json", 0o644, strings.NewReader(string(text)+"\n")); err != nil {
		return err
	}
	if o.Programs[0].GOOS != "windows" {
		if err := add(z, launcher, 0o755, strings.NewReader(launchScript)); err != nil {
			return err
		}
	}
	for _, p := range o.Programs {
		if err := pack(z, p); err != nil {
			return fmt.Errorf("packing the program for %s/%s: %w", p.GOOS, p.GOARCH, err)
		}
	}
	return z.Close()
}

func pack(z *zip.Writer, p Program) error {
	f, err := os.Open(p.File)
	if err != nil {
		return err
	}
	defer f.Close()
	return add(z, p.in(), 0o755, f)
}

// add writes a file without its time, so that equal input gives an equal bundle.
func add(z *zip.Writer, name string, mode os.FileMode, r io.Reader) error {
	h := &zip.FileHeader{Name: name, Method: zip.Deflate}
	h.SetMode(mode)
	w, err := z.CreateHeader(h)
	if err != nil {
		return err
	}
	_, err = io.Copy(w, r)
	return err
}

// Package is a published bundle: where it can be downloaded, and its SHA-256 in hex.
type Package struct{ URL, SHA256 string }

// Registry is the server.json with which the server is published in the MCP registry.
func Registry(name, version string, packages []Package) ([]byte, error) {
	var list []object
	for _, p := range packages {
		if !strings.HasPrefix(p.URL, "https://") || !strings.HasSuffix(path.Base(p.URL), ".mcpb") || len(p.SHA256) != 64 {
			return nil, &core.Error{Code: core.CodeInvalidArgument, Message: fmt.Sprintf("%q with the sum %q is no published bundle", p.URL, p.SHA256), Hint: "give the https URL of an .mcpb file and its SHA-256 in hex"}
		}
		list = append(list, object{"registryType": "mcpb", "identifier": p.URL, "fileSha256": strings.ToLower(p.SHA256), "transport": object{"type": "stdio"}})
	}
	out, err := json.MarshalIndent(object{
		"$schema":     "https://static.modelcontextprotocol.io/schemas/2025-12-11/server.schema.json",
		"name":        name,
		"title":       title,
		"description": description,
		"repository":  object{"url": homepage, "source": "github"},
		"websiteUrl":  homepage,
		"version":     semver(version),
		"packages":    list,
	}, "", "  ")
	return append(out, '\n'), err
}
