package hosts

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/tailscale/hujson"
)

// jsonFile is JSON, with comments or without, whose object key holds the servers by name.
type jsonFile struct {
	key   string
	stdio bool // entries say "type": "stdio"
}

func decodeJSON(text []byte) (map[string]any, error) {
	root := map[string]any{}
	if isEmpty(text) {
		return root, nil
	}
	standard, err := hujson.Standardize(append([]byte(nil), text...))
	if err != nil {
		return nil, err
	}
	err = json.Unmarshal(standard, &root)
	return root, err
}

func (f jsonFile) servers(root map[string]any) (map[string]any, error) {
	switch s := root[f.key].(type) {
	case nil:
		return nil, nil
	case map[string]any:
		return s, nil
	}
	return nil, fmt.Errorf("its %s is no object", f.key)
}

func (f jsonFile) get(text []byte, name string) (any, error) {
	root, err := decodeJSON(text)
	if err != nil {
		return nil, err
	}
	servers, err := f.servers(root)
	return servers[name], err
}

// rest counts an object of no servers as none.
func (f jsonFile) rest(text []byte, name string) (any, error) {
	root, err := decodeJSON(text)
	if err != nil {
		return nil, err
	}
	servers, err := f.servers(root)
	if delete(servers, name); len(servers) == 0 {
		delete(root, f.key)
	}
	return root, err
}

type jsonEntry struct {
	Type    string            `json:"type,omitempty"`
	Command string            `json:"command"`
	Args    []string          `json:"args"`
	Env     map[string]string `json:"env,omitempty"`
}

func (f jsonFile) entry(e *Entry) jsonEntry {
	out := jsonEntry{Command: e.Command, Args: e.Args, Env: e.Env}
	if f.stdio {
		out.Type = "stdio"
	}
	return out
}

func (f jsonFile) value(e *Entry) any {
	var out map[string]any
	data, err := json.Marshal(f.entry(e))
	if err != nil || json.Unmarshal(data, &out) != nil {
		return nil // strings always have a JSON form
	}
	return out
}

func (f jsonFile) set(text []byte, name string, e *Entry) ([]byte, error) {
	if isEmpty(text) {
		out, err := json.MarshalIndent(map[string]any{f.key: map[string]any{name: f.entry(e)}}, "", "  ")
		return append(out, '\n'), err
	}
	v, err := hujson.Parse(text)
	if err != nil {
		return nil, err
	}
	at := "/" + pointer(f.key)
	type op struct {
		Op    string `json:"op"`
		Path  string `json:"path"`
		Value any    `json:"value,omitempty"`
	}
	var patch []op
	switch {
	case e == nil:
		patch = append(patch, op{Op: "remove", Path: at + "/" + pointer(name)})
	case v.Find(at) == nil:
		patch = append(patch, op{"add", at, map[string]any{name: f.entry(e)}})
	default:
		patch = append(patch, op{"add", at + "/" + pointer(name), f.entry(e)})
	}
	data, err := json.Marshal(patch)
	if err != nil {
		return nil, err
	}
	if err := v.Patch(data); err != nil {
		return nil, err
	}
	return v.Pack(), nil
}

// pointer escapes a name for a JSON pointer.
func pointer(name string) string { return strings.NewReplacer("~", "~0", "/", "~1").Replace(name) }
