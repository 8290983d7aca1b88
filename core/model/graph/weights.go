package graph

import (
	"fmt"

	"github.com/gomlx/gomlx/core/tensors"

	"github.com/cprs-go/cprs/core/backend"
	"github.com/cprs-go/cprs/core/model/checkpoint"
	"github.com/cprs-go/cprs/core/model/latejoin"
)

// Shape is the name of a tensor in a checkpoint and its size along each axis.
type Shape struct {
	Name string
	Dims []int
}

// Shapes are the tensors of a late-join critic.
func Shapes(cfg latejoin.Config) []Shape {
	hidden, inner := cfg.Encoder.Hidden, cfg.Encoder.Intermediate
	var all []Shape
	add := func(name string, dims ...int) { all = append(all, Shape{name, dims}) }
	affine := func(name string, out int, in ...int) {
		add(name+".weight", append([]int{out}, in...)...)
		add(name+".bias", out)
	}
	layer := func(prefix string) {
		for _, part := range []string{"self.query", "self.key", "self.value", "output.dense"} {
			affine(prefix+"attention."+part, hidden, hidden)
		}
		affine(prefix+"attention.output.LayerNorm", hidden)
		affine(prefix+"intermediate.dense", inner, hidden)
		affine(prefix+"output.dense", hidden, inner)
		affine(prefix+"output.LayerNorm", hidden)
	}
	add("encoder.embeddings.word_embeddings.weight", cfg.Encoder.Vocab, hidden)
	add("encoder.embeddings.position_embeddings.weight", cfg.Encoder.Positions, hidden)
	add("encoder.embeddings.token_type_embeddings.weight", cfg.Encoder.Types, hidden)
	affine("encoder.embeddings.LayerNorm", hidden)
	for i := range cfg.Encoder.Layers {
		layer(fmt.Sprintf("encoder.encoder.layer.%d.", i))
	}
	for i := range cfg.JointLayers {
		layer(fmt.Sprintf("joint.%d.", i))
	}
	add("unit.weight", len(cfg.Units), hidden)
	add("segment.weight", 3, hidden)
	add("similarity.weight", hidden)
	add("pool.weight", hidden)
	add("direct.weight", len(cfg.Labels))
	add("direct.bias")
	affine("norm", hidden)
	affine("tag", len(cfg.Labels), hidden)
	affine("relevance", 1, hidden)
	return all
}

// parameters are the tensors of a model, in the order in which its programs take them. They move to the backend at the first
// run and stay there.
type parameters struct {
	names  []string
	values []any // *tensors.Tensor
}

// load takes every tensor of a checkpoint, each once, as float32.
func load(ckpt *checkpoint.Checkpoint, shapes []Shape) (*parameters, error) {
	all, err := Read(ckpt, shapes)
	if err != nil {
		return nil, err
	}
	p := &parameters{names: make([]string, len(shapes)), values: make([]any, len(shapes))}
	return p, backend.Try(func() error {
		for i, s := range shapes {
			p.names[i], p.values[i] = s.Name, tensors.FromFlatDataAndDimensions(all[i], s.Dims...)
		}
		return nil
	})
}

// Read gives the elements of every tensor of a checkpoint, which must be just those of shapes, as float32. int8 matrices come with a
// scale for each row.
func Read(ckpt *checkpoint.Checkpoint, shapes []Shape) ([][]float32, error) {
	loader := checkpoint.NewLoader(ckpt)
	all := make([][]float32, len(shapes))
	for i, s := range shapes {
		read := floatsOf(loader, s)
		loader.Then(func() (err error) {
			all[i], err = read()
			return err
		})
	}
	return all, loader.Done()
}

// floatsOf takes a tensor and gives the function that reads it.
func floatsOf(loader *checkpoint.Loader, s Shape) func() ([]float32, error) {
	if loader.DType(s.Name) != checkpoint.I8 || len(s.Dims) != 2 {
		return loader.Floats(s.Name, s.Dims...).Floats
	}
	whole, scale := loader.Int8(s.Name, s.Dims...), loader.Floats(s.Name+"_scale", s.Dims[0])
	return func() ([]float32, error) {
		row, err := scale.Floats()
		if err != nil {
			return nil, err
		}
		q, err := whole.Int8s()
		data := make([]float32, len(q))
		for i := range q {
			data[i] = float32(q[i]) * row[i/s.Dims[1]]
		}
		return data, err
	}
}

// free gives the memory of the parameters back.
func (p *parameters) free() {
	for _, v := range p.values {
		v.(*tensors.Tensor).MustFinalizeAll()
	}
	p.names, p.values = nil, nil
}
