package train

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"

	"github.com/cprs-go/cprs/core"
	"github.com/cprs-go/cprs/core/model/bert"
	"github.com/cprs-go/cprs/core/model/checkpoint"
	"github.com/cprs-go/cprs/core/model/graph"
	"github.com/cprs-go/cprs/core/model/latejoin"
	"github.com/cprs-go/cprs/core/tokenizer/wordpiece"
)

// tokenizerFile is the name of the tokenizer in a critic's folder.
const tokenizerFile = "tokenizer.json"

// start is what a training starts from.
type start struct {
	cfg       latejoin.Config
	config    []byte // config.json of the critic
	tokenizer []byte // tokenizer.json
	tok       *wordpiece.Tokenizer
	weights   map[string][]float32
}

// openStart reads a folder with a critic, or with an encoder whose joint layers and heads are then drawn by seed.
func openStart(dir string, seed uint64) (*start, error) {
	s, err := readStart(dir, seed)
	if err != nil {
		return nil, &core.Error{Code: core.CodeCriticFailed, Message: fmt.Sprintf("%s holds nothing to start from", dir), Err: err,
			Hint: "give a folder with config.json, model.safetensors and tokenizer.json of a late-join critic or of a BERT encoder"}
	}
	return s, nil
}

func readStart(dir string, seed uint64) (*start, error) {
	ckpt, err := checkpoint.Open(dir)
	if err != nil {
		return nil, err
	}
	defer ckpt.Close()
	s := &start{config: bytes.Clone(ckpt.Config()), weights: map[string][]float32{}}
	if s.tokenizer, err = os.ReadFile(filepath.Join(dir, tokenizerFile)); err != nil {
		return nil, err
	}
	if s.tok, err = wordpiece.Parse(s.tokenizer); err != nil {
		return nil, fmt.Errorf("reading %s: %w", tokenizerFile, err)
	}
	prefix := ""
	if _, ok := ckpt.Tensor("joint.0.attention.self.query.weight"); !ok {
		if prefix, err = s.newCritic(ckpt, seed); err != nil {
			return nil, err
		}
	} else if s.cfg, err = latejoin.ParseConfig(s.config); err != nil {
		return nil, err
	}
	loader := checkpoint.NewLoader(ckpt)
	for _, shape := range graph.Shapes(s.cfg) {
		if s.weights[shape.Name] != nil {
			continue
		}
		name := shape.Name
		if prefix != "" {
			name = strings.TrimPrefix(prefix, ".") + strings.TrimPrefix(name, "encoder.")
		}
		t := loader.Floats(name, shape.Dims...)
		data, err := t.Floats()
		if err != nil {
			return nil, err
		}
		s.weights[shape.Name] = data
	}
	loader.Ignore(func(name string) bool { return prefix != "" && !strings.Contains(name, "layer.") })
	return s, loader.Done()
}

// stopWords are the words that are no match of a window with the question.
const stopWords = `! " ' ( ) , - . / : ; ? a i s t the of and in to was he is as for on with that it his by at from her she you had an were but be this
	are not my they which or have me all their has who been when there into its would no what about said we then so can if some could where do than
	will did your how any our show should why say find tell does yes says list text passage sentence sentences quote paragraph`

// newCritic is a critic on the encoder of ckpt. It sets the configuration and the weights that the encoder has not; prefix is what the
// names of the encoder's tensors begin with, "." for nothing.
func (s *start) newCritic(ckpt *checkpoint.Checkpoint, seed uint64) (prefix string, err error) {
	encoder, err := bert.ParseConfig(ckpt.Config())
	if err != nil {
		return "", err
	}
	s.cfg = latejoin.Config{
		Type: "cprs_late_join", Labels: []string{"B", "I", "O", "E"}, Units: []string{"phrase", "sentence", "paragraph", "line"},
		JointLayers: 2, HeaderTokens: min(64, encoder.Positions), WindowTokens: min(256, encoder.Positions), TitleTokens: min(14, encoder.Positions/4),
		Encoder: encoder,
	}
	for _, w := range strings.Fields(stopWords) {
		if id, ok := s.tok.ID(w); ok {
			s.cfg.MatchStop = append(s.cfg.MatchStop, id)
		}
	}
	if s.config, err = json.MarshalIndent(s.cfg, "", " "); err != nil {
		return "", err
	}
	if s.cfg, err = latejoin.ParseConfig(s.config); err != nil {
		return "", err
	}
	rng := rand.New(rand.NewPCG(seed, 0))
	for _, shape := range graph.Shapes(s.cfg) {
		if !strings.HasPrefix(shape.Name, "encoder.") {
			s.weights[shape.Name] = initial(shape, rng)
		}
	}
	if _, ok := ckpt.Tensor("bert.embeddings.word_embeddings.weight"); ok {
		return "bert.", nil
	}
	return ".", nil
}

// initial are the first weights of a tensor that no encoder has. The direct path starts as what the encoder knows already: text that is
// similar to the question is kept.
func initial(s graph.Shape, rng *rand.Rand) []float32 {
	n := 1
	for _, d := range s.Dims {
		n *= d
	}
	w := make([]float32, n)
	switch {
	case s.Name == "direct.weight":
		return []float32{3, 3, -3, 3}
	case s.Name == "direct.bias":
		return []float32{0.35}
	case s.Name == "tag.bias":
		return []float32{-2, 0, 1.5, -2}
	case strings.HasSuffix(s.Name, "orm.weight"):
		for i := range w {
			w[i] = 1
		}
	case len(s.Dims) == 2:
		for i := range w {
			w[i] = float32(0.02 * rng.NormFloat64())
		}
	}
	return w
}
