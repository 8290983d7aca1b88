package hosts

import (
	"bytes"
	"errors"
	"fmt"
	"regexp"
	"strings"

	"github.com/pelletier/go-toml/v2"
	"github.com/pelletier/go-toml/v2/unstable"
)

// tomlServers is the table of the servers in a TOML file.
const tomlServers = "mcp_servers"

// tomlFile is TOML with a table [mcp_servers.NAME] a server.
type tomlFile struct{}

func decodeTOML(text []byte) (root, servers map[string]any, err error) {
	if err := toml.Unmarshal(text, &root); err != nil {
		return nil, nil, err
	}
	if root[tomlServers] == nil {
		return root, nil, nil
	}
	servers, ok := root[tomlServers].(map[string]any)
	if !ok {
		return nil, nil, errors.New("its " + tomlServers + " is no table")
	}
	return root, servers, nil
}

func (tomlFile) get(text []byte, name string) (any, error) {
	_, servers, err := decodeTOML(text)
	return servers[name], err
}

func (tomlFile) rest(text []byte, name string) (any, error) {
	root, servers, err := decodeTOML(text)
	if delete(servers, name); len(servers) == 0 {
		delete(root, tomlServers)
	}
	if root == nil {
		root = map[string]any{}
	}
	return root, err
}

type tomlEntry struct {
	Command string            `toml:"command"`
	Args    []string          `toml:"args"`
	Env     map[string]string `toml:"env,inline,omitempty"`
}

func (tomlFile) value(e *Entry) any {
	var out map[string]any
	data, err := toml.Marshal(tomlEntry(*e))
	if err != nil || toml.Unmarshal(data, &out) != nil {
		return nil // strings always have a TOML form
	}
	return out
}

var bareKey = regexp.MustCompile(`^[A-Za-z0-9_-]+$`)

func (f tomlFile) set(text []byte, name string, e *Entry) ([]byte, error) {
	if !bareKey.MatchString(name) {
		return nil, fmt.Errorf("%q is no name of a server: give letters, digits, - and _", name)
	}
	out, err := f.without(text, name)
	if err != nil || e == nil {
		return out, err
	}
	entry, err := toml.Marshal(tomlEntry(*e))
	if err != nil {
		return nil, err
	}
	if out = bytes.TrimRight(out, "\n"); len(out) > 0 {
		out = append(out, "\n\n"...)
	}
	return append(out, "["+tomlServers+"."+name+"]\n"+string(entry)...), nil
}

// without cuts the tables of a server out of a text: each from its header to the next, but for comments above that.
func (tomlFile) without(text []byte, name string) ([]byte, error) {
	type header struct {
		at   int // of its line
		ours bool
	}
	var headers []header
	p := unstable.Parser{}
	p.Reset(text)
	for p.NextExpression() {
		x := p.Expression()
		if x.Kind != unstable.Table && x.Kind != unstable.ArrayTable {
			continue
		}
		var keys []string
		at := -1
		for it := x.Key(); it.Next(); {
			if at < 0 {
				at = int(it.Node().Raw.Offset)
			}
			keys = append(keys, string(it.Node().Data))
		}
		headers = append(headers, header{bytes.LastIndexByte(text[:at], '\n') + 1, len(keys) >= 2 && keys[0] == tomlServers && keys[1] == name})
	}
	if err := p.Error(); err != nil {
		return nil, err
	}
	var out []byte
	from := 0
	for i, h := range headers {
		if !h.ours {
			continue
		}
		end := len(text)
		if i+1 < len(headers) {
			end = headers[i+1].at
		}
		out = append(out, text[from:h.at]...)
		from = end - len(trailingComments(text[h.at:end]))
	}
	return append(out, text[from:]...), nil
}

// trailingComments are the comments and empty lines at the end of a table, below its last key: they belong to what follows.
func trailingComments(table []byte) []byte {
	lines := bytes.SplitAfter(table, []byte("\n"))
	n := 0
	for i := len(lines) - 1; i > 0; i-- {
		if line := strings.TrimSpace(string(lines[i])); line != "" && !strings.HasPrefix(line, "#") {
			break
		}
		n += len(lines[i])
	}
	return table[len(table)-n:]
}
