package train

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"hash/fnv"
	"io/fs"
	"math"
	"os"
	"path/filepath"

	"github.com/gomlx/gomlx/core/tensors"

	"github.com/cprs-go/cprs/core"
	"github.com/cprs-go/cprs/core/backend"
	"github.com/cprs-go/cprs/core/model/checkpoint"
)

// stateFile holds everything that steps change.
const stateFile = "state.safetensors"

// state is what a training knows beside its tensors.
type state struct {
	Print  string  `json:"fingerprint"` // of what must stay the same when it goes on
	Step   int     `json:"step"`        // steps done; the data of the next one follow from it
	Scored int     `json:"scored"`      // step of the last development score
	Tokens int     `json:"tokens"`
	Best   float64 `json:"best"`  // highest development score, −1 before the first
	Worse  int     `json:"worse"` // scores since then
}

// fingerprint is of the options, the recipe and the data: with others the order of the data or the rates would change. The number of
// steps is not part of it, so that a training can be made longer or shorter.
func (t *trainer) fingerprint() string {
	o := t.opt
	h := fnv.New64a()
	fmt.Fprintln(h, o.BFloat16, o.Seed, o.WarmUp, o.BatchTokens, o.JointRate, o.EncoderRate, o.Frozen, o.Ranking, o.Average)
	_ = json.NewEncoder(h).Encode(o.Recipe)
	for _, s := range o.Data {
		fmt.Fprintln(h, s.Name, s.Hash)
	}
	return fmt.Sprintf("%016x", h.Sum64())
}

// The names of a parameter's tensors in the state, after its own.
var stateParts = [4]string{"", "/moment1", "/moment2", "/average"}

// save writes the state beside the old one and then puts it in its place, so that a kill leaves one of the two.
func (t *trainer) save() error {
	text, err := json.Marshal(t.state)
	if err != nil {
		return err
	}
	all := []checkpoint.Tensor{{Name: "/state", DType: "U8", Shape: []int{len(text)}, Data: text}}
	for _, p := range t.optimizer.trained {
		for i, tensor := range []*tensors.Tensor{p.value, p.moments[0], p.moments[1], p.average} {
			data, err := floats(tensor)
			if err != nil {
				return fmt.Errorf("saving %s: %w", p.Name, err)
			}
			all = append(all, checkpoint.Tensor{Name: p.Name + stateParts[i], DType: checkpoint.F32, Shape: p.Dims, Data: bytesOf(data)})
		}
	}
	var file bytes.Buffer
	if err := checkpoint.Write(&file, all); err != nil {
		return fmt.Errorf("saving the state: %w", err)
	}
	if err := t.log.flush(); err != nil {
		return err
	}
	return replaceFile(filepath.Join(t.opt.Out, stateFile), file.Bytes())
}

// replaceFile writes a file whole or not at all. What a kill leaves behind is written over the next time.
func replaceFile(path string, data []byte) (err error) {
	f, err := os.Create(path + ".part")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.Remove(f.Name()))
		}
	}()
	_, err = f.Write(data)
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	return os.Rename(f.Name(), path)
}

// resume takes up the state in Out, if that is asked for; a folder with a state is not overwritten otherwise.
func (t *trainer) resume() error {
	path := filepath.Join(t.opt.Out, stateFile)
	data, err := os.ReadFile(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return err
	case !t.opt.Resume:
		return &core.Error{Code: core.CodeInvalidArgument, Message: fmt.Sprintf("%s holds a training", t.opt.Out), Hint: "go on with --resume, or name another folder with --out"}
	}
	if err := t.restore(data); err != nil {
		return fmt.Errorf("reading %s: %w", path, err)
	}
	return nil
}

func (t *trainer) restore(data []byte) error {
	ckpt, err := checkpoint.FromBytes(stateFile, nil, data)
	if err != nil {
		return err
	}
	text, _ := ckpt.Tensor("/state")
	var s state
	if err := json.Unmarshal(text.Data, &s); err != nil {
		return err
	}
	if s.Print != t.state.Print {
		return &core.Error{Code: core.CodeInvalidArgument, Message: "the training was begun with other options, data or another recipe", Hint: "give the same ones, or name another folder with --out"}
	}
	t.state = s
	loader := checkpoint.NewLoader(ckpt)
	loader.Ignore(func(name string) bool { return name == "/state" })
	for _, p := range t.optimizer.trained {
		for i, slot := range []**tensors.Tensor{&p.value, &p.moments[0], &p.moments[1], &p.average} {
			tensor := loader.Floats(p.Name+stateParts[i], p.Dims...)
			loader.Then(func() error {
				data, err := tensor.Floats()
				if err != nil {
					return err
				}
				return backend.Try(func() error {
					err := (*slot).FinalizeAll()
					*slot = tensors.FromFlatDataAndDimensions(data, p.Dims...)
					return err
				})
			})
		}
	}
	return loader.Done()
}

// bytesOf are numbers as safetensors has them.
func bytesOf(data []float32) []byte {
	out := make([]byte, 0, 4*len(data))
	for _, v := range data {
		out = binary.LittleEndian.AppendUint32(out, math.Float32bits(v))
	}
	return out
}
