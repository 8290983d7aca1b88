// Package checkpoint reads and writes model folders as Hugging Face lays them out: config.json beside
// model.safetensors, or beside several safetensors files with model.safetensors.index.json.
//
// Nothing in a file is trusted: sizes and offsets are checked against the file before any byte of a tensor is touched,
// and a Loader makes sure that every tensor of the file is used exactly once and that every parameter is filled. The
// package stands below the models in core/model/… and knows none of them. Pickles are not read.
package checkpoint

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
)

// The files of a folder.
const (
	ConfigFile  = "config.json"
	WeightsFile = "model.safetensors"
	IndexFile   = "model.safetensors.index.json"
)

// maxJSON bounds config.json and the index, in bytes.
const maxJSON = 16 << 20

// Checkpoint is an open model: its configuration and its tensors by name. It is safe for concurrent use.
type Checkpoint struct {
	name    string
	config  []byte
	files   [][]byte // in the order of their names
	tensors map[string]Tensor
	unmap   []func() error
}

// Open opens the folder dir. The weights are mapped into memory where the system allows it, so the files must not be
// cut short before Close.
func Open(dir string) (*Checkpoint, error) {
	c := &Checkpoint{name: dir, tensors: map[string]Tensor{}}
	if err := c.open(dir); err != nil {
		return nil, errors.Join(err, c.Close())
	}
	return c, nil
}

func (c *Checkpoint) open(dir string) (err error) {
	if c.config, err = readSmall(filepath.Join(dir, ConfigFile)); err != nil {
		return err
	}
	index, err := readSmall(filepath.Join(dir, IndexFile))
	if errors.Is(err, fs.ErrNotExist) {
		return c.addFile(dir, WeightsFile, nil)
	}
	if err != nil {
		return err
	}
	shards, err := parseIndex(index)
	if err != nil {
		return fmt.Errorf("reading %s: %w", filepath.Join(dir, IndexFile), err)
	}
	for _, file := range slices.Sorted(maps.Keys(shards)) {
		if err := c.addFile(dir, file, shards[file]); err != nil {
			return err
		}
	}
	return nil
}

// FromBytes opens a model that lies in memory, without copying it. The tensors alias weights, which must not change.
// Errors call the model name.
func FromBytes(name string, config, weights []byte) (*Checkpoint, error) {
	c := &Checkpoint{name: name, config: config, tensors: map[string]Tensor{}}
	if err := c.add(weights, nil); err != nil {
		return nil, fmt.Errorf("reading %s of %s: %w", WeightsFile, name, err)
	}
	return c, nil
}

// addFile maps one file of dir and adds its tensors, which must be just those of want unless that is nil.
func (c *Checkpoint) addFile(dir, file string, want map[string]bool) error {
	path := filepath.Join(dir, file)
	data, unmap, err := mapFile(path)
	if err != nil {
		return fmt.Errorf("reading %s: %w", path, err)
	}
	c.unmap = append(c.unmap, unmap)
	if err := c.add(data, want); err != nil {
		return fmt.Errorf("reading %s: %w", path, err)
	}
	return nil
}

func (c *Checkpoint) add(data []byte, want map[string]bool) error {
	tensors, err := parse(data)
	if err != nil {
		return err
	}
	for name, t := range tensors {
		if want != nil && !want[name] {
			return fmt.Errorf("tensor %q is not where %s says", name, IndexFile)
		}
		c.tensors[name] = t
	}
	for name := range want {
		if _, ok := tensors[name]; !ok {
			return fmt.Errorf("tensor %q is missing, though %s names it", name, IndexFile)
		}
	}
	c.files = append(c.files, data)
	return nil
}

// Name is the folder, or the name given to FromBytes.
func (c *Checkpoint) Name() string { return c.name }

// Config is the text of config.json.
func (c *Checkpoint) Config() []byte { return c.config }

// ModelType is the model_type of the config.json in dir: which model it configures.
func ModelType(dir string) (string, error) {
	text, err := readSmall(filepath.Join(dir, ConfigFile))
	if err != nil {
		return "", err
	}
	var c struct {
		Type string `json:"model_type"`
	}
	if err := json.Unmarshal(text, &c); err != nil {
		return "", fmt.Errorf("reading %s: %w", filepath.Join(dir, ConfigFile), err)
	}
	return c.Type, nil
}

// Names are the names of all tensors, sorted.
func (c *Checkpoint) Names() []string { return slices.Sorted(maps.Keys(c.tensors)) }

// Tensor is the tensor called name.
func (c *Checkpoint) Tensor(name string) (Tensor, bool) {
	t, ok := c.tensors[name]
	return t, ok
}

// Hash is the SHA-256, in hex, of config.json followed by the weight files in the order of their names.
func (c *Checkpoint) Hash() string {
	h := sha256.New()
	h.Write(c.config)
	for _, f := range c.files {
		h.Write(f)
	}
	return hex.EncodeToString(h.Sum(nil))
}

// Close gives the memory of the files back. No tensor may be read afterwards.
func (c *Checkpoint) Close() error {
	var errs []error
	for _, unmap := range c.unmap {
		errs = append(errs, unmap())
	}
	c.unmap, c.files, c.tensors = nil, nil, nil
	return errors.Join(errs...)
}

// parseIndex gives the names of the tensors of every file.
func parseIndex(index []byte) (map[string]map[string]bool, error) {
	var idx struct {
		WeightMap map[string]string `json:"weight_map"`
	}
	if err := json.Unmarshal(index, &idx); err != nil {
		return nil, err
	}
	if len(idx.WeightMap) == 0 {
		return nil, errors.New("weight_map is missing or empty")
	}
	shards := map[string]map[string]bool{}
	for tensor, file := range idx.WeightMap {
		if file != filepath.Base(file) || !filepath.IsLocal(file) {
			return nil, fmt.Errorf("tensor %q: %q is no plain file name", tensor, file)
		}
		if shards[file] == nil {
			shards[file] = map[string]bool{}
		}
		shards[file][tensor] = true
	}
	return shards, nil
}

func readSmall(path string) ([]byte, error) {
	size, err := regularSize(path)
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", path, err)
	}
	if size > maxJSON {
		return nil, fmt.Errorf("reading %s: %d bytes, more than %d", path, size, maxJSON)
	}
	return os.ReadFile(path)
}

// regularSize is the size of a regular file; anything else, which might block or never end, is an error.
func regularSize(path string) (int64, error) {
	info, err := os.Stat(path)
	if err != nil {
		return 0, err
	}
	if !info.Mode().IsRegular() {
		return 0, errors.New("not a regular file")
	}
	return info.Size(), nil
}
