package train

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"

	"github.com/cprs-go/cprs/core"
	"github.com/cprs-go/cprs/core/model/bert"
	"github.com/cprs-go/cprs/core/model/checkpoint"
	"github.com/cprs-go/cprs/core/model/embedded"
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

// openStart reads a folder with a critic, or with an encoder whose joint layers and heads are then drawn by seed. No folder stands for the
// embedded critic.
func openStart(dir string, seed uint64) (*start, error) {
	s, err := readStart(dir, seed)
	if err != nil {
		return nil, &core.Error{Code: core.CodeCriticFailed, Message: fmt.Sprintf("%s holds nothing to start from", cmp.Or(dir, "the program")), Err: err,
			Hint: "give a folder with config.json, model.safetensors and tokenizer.json of a late-join critic or of a BERT encoder"}
	}
	return s, nil
}

func readStart(dir string, seed uint64) (*start, error) {
	ckpt, tokenizer, err := openFolder(dir)
	if err != nil {
		return nil, err
	}
	defer ckpt.Close()
	s := &start{config: bytes.Clone(ckpt.Config()), tokenizer: tokenizer, weights: map[string][]float32{}}
	if s.tok, err = wordpiece.Parse(tokenizer); err != nil {
		return nil, fmt.Errorf("reading %s: %w", tokenizerFile, err)
	}
	if _, ok := ckpt.Tensor("joint.0.attention.self.query.weight"); !ok {
		return s, s.newCritic(ckpt, seed)
	}
	if s.cfg, err = latejoin.ParseConfig(s.config); err != nil {
		return nil, err
	}
	shapes := graph.Shapes(s.cfg)
	all, err := graph.Read(ckpt, shapes)
	for i, data := range all {
		s.weights[shapes[i].Name] = data
	}
	return s, err
}

// openFolder opens the weights and reads the tokenizer.json of a folder, or of the embedded critic.
func openFolder(dir string) (*checkpoint.Checkpoint, []byte, error) {
	if dir == "" {
		ckpt, err := embedded.Checkpoint()
		return ckpt, embedded.TokenizerFile(), err
	}
	tokenizer, err := os.ReadFile(filepath.Join(dir, tokenizerFile))
	if err != nil {
		return nil, nil, err
	}
	ckpt, err := checkpoint.Open(dir)
	return ckpt, tokenizer, err
}

// stopWords are the words that are no match of a window with the question.
const stopWords = `! " ' ( ) , - . / : ; ? a i s t the of and in to was he is as for on with that it his by at from her she you had an were but be this
	are not my they which or have me all their has who been when there into its would no what about said we then so can if some could where do than
	will did your how any our show should why say find tell does yes says list text passage sentence sentences quote paragraph`

// newCritic makes a critic on the encoder of ckpt, with a configuration of its own.
func (s *start) newCritic(ckpt *checkpoint.Checkpoint, seed uint64) error {
	encoder, err := bert.ParseConfig(ckpt.Config())
	if err != nil {
		return err
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
		return err
	}
	if s.cfg, err = latejoin.ParseConfig(s.config); err != nil {
		return err
	}
	return s.readEncoder(ckpt, seed)
}

// readEncoder reads the encoder's tensors of ckpt, whether their names begin with "bert." or not, and draws the others.
func (s *start) readEncoder(ckpt *checkpoint.Checkpoint, seed uint64) error {
	prefix := ""
	if _, ok := ckpt.Tensor("bert.embeddings.word_embeddings.weight"); ok {
		prefix = "bert."
	}
	rng := rand.New(rand.NewPCG(seed, 0))
	loader := checkpoint.NewLoader(ckpt)
	encoded := map[string]*[]float32{}
	for _, shape := range graph.Shapes(s.cfg) {
		name, ok := strings.CutPrefix(shape.Name, "encoder.")
		if !ok {
			s.weights[shape.Name] = initial(shape, rng)
			continue
		}
		into := new([]float32)
		encoded[shape.Name] = into
		loader.Vector(into, prefix+name, shape.Dims...)
	}
	loader.Ignore(func(name string) bool { return !strings.Contains(name, "layer.") }) // poolers and heads
	if err := loader.Done(); err != nil {
		return err
	}
	for name, data := range encoded {
		s.weights[name] = *data
	}
	return nil
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
