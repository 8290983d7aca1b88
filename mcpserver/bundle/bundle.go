// Package bundle packs the server for those who install it without a command line: as an MCPB bundle, which a desktop host opens, and as
// the server.json of the MCP registry, which points at bundles. It stands beside mcpserver, whose tools it is given.
package bundle

import (
	"archive/zip"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path"
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

// Options describe a bundle.
type Options struct {
	Version string // of the program
	GOOS    string // that the program is for
	Binary  string // file of the program
	Tools   []Tool
}

type object = map[string]any

// manifest is the manifest.json of a bundle: the program, started with the folders that the user picks.
func manifest(o *Options, program string) object {
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
		"server": object{
			"type":        "binary",
			"entry_point": program,
			"mcp_config":  object{"command": "${__dirname}/" + program, "args": []string{"mcp", "${user_config.folders}"}, "env": object{}},
		},
		"tools": o.Tools,
		"user_config": object{"folders": object{
			"type": "directory", "title": "Folders", "description": "Folders below which files may be read", "required": true, "multiple": true, "default": []string{"${HOME}/Documents"},
		}},
		"compatibility": object{"platforms": []string{Platforms[o.GOOS]}},
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

// Write packs a bundle.
func Write(w io.Writer, o *Options) (err error) {
	if Platforms[o.GOOS] == "" {
		return &core.Error{Code: core.CodeInvalidArgument, Message: fmt.Sprintf("there are no bundles for %q", o.GOOS), Hint: "give darwin, linux or windows"}
	}
	program := "server/cprs"
	if o.GOOS == "windows" {
		program += ".exe"
	}
	text, err := json.MarshalIndent(manifest(o, program), "", "  ")
	if err != nil {
		return err
	}
	z := zip.NewWriter(w)
	if err := add(z, "manifest.json", 0o644, strings.NewReader(string(text)+"\n")); err != nil {
		return err
	}
	binary, err := os.Open(o.Binary)
	if err != nil {
		return fmt.Errorf("packing the program: %w", err)
	}
	defer binary.Close()
	if err := add(z, program, 0o755, binary); err != nil {
		return err
	}
	return z.Close()
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
