package latejoin

import (
	"fmt"

	"github.com/cprs-go/cprs/core/fusion"
	"github.com/cprs-go/cprs/core/model/bert"
	"github.com/cprs-go/cprs/core/model/checkpoint"
	"github.com/cprs-go/cprs/core/prompt"
	"github.com/cprs-go/cprs/core/tokenizer"
)

// Model is the weights of a critic. It is read-only and may be shared by several critics.
type Model struct {
	cfg     Config
	hash    string
	encoder *bert.Encoder
	joint   []*bert.Layer
	stop    map[int32]bool

	unit, segment          []float32 // [4][hidden], [3][hidden]
	similarity, pool       []float32 // [hidden]
	direct, directBias     []float32 // [4], scalar
	gamma, beta            []float32 // LayerNorm of the joint input, [hidden]
	tag, tagBias           []float32 // [4][hidden], [4]
	relevance, relevantOff []float32 // [hidden], [1]
}

// Load reads the weights of a critic, f32 or int8 as ckpt holds them. It keeps nothing of ckpt. hash is what ckpt.Hash would
// give, where that is known; empty: it is computed.
func Load(ckpt *checkpoint.Checkpoint, hash string) (*Model, error) {
	cfg, err := ParseConfig(ckpt.Config())
	if err != nil {
		return nil, fmt.Errorf("opening the critic %s: %w", ckpt.Name(), err)
	}
	if hash == "" {
		hash = ckpt.Hash()
	}
	m := &Model{cfg: cfg, hash: hash, stop: map[int32]bool{}}
	for _, id := range cfg.MatchStop {
		m.stop[id] = true
	}
	l, h := checkpoint.NewLoader(ckpt), cfg.Encoder.Hidden
	m.encoder = bert.Load(l, "encoder.", cfg.Encoder)
	for i := range cfg.JointLayers {
		m.joint = append(m.joint, bert.LoadLayer(l, fmt.Sprintf("joint.%d.", i), &m.cfg.Encoder))
	}
	l.Vector(&m.unit, "unit.weight", len(cfg.Units), h)
	l.Vector(&m.segment, "segment.weight", 3, h)
	l.Vector(&m.similarity, "similarity.weight", h)
	l.Vector(&m.pool, "pool.weight", h)
	l.Vector(&m.direct, "direct.weight", 4)
	l.Vector(&m.directBias, "direct.bias")
	l.Vector(&m.gamma, "norm.weight", h)
	l.Vector(&m.beta, "norm.bias", h)
	l.Vector(&m.tag, "tag.weight", 4, h)
	l.Vector(&m.tagBias, "tag.bias", 4)
	l.Vector(&m.relevance, "relevance.weight", 1, h)
	l.Vector(&m.relevantOff, "relevance.bias", 1)
	if err := l.Done(); err != nil {
		return nil, err
	}
	return m, nil
}

// Config is the shape of the critic.
func (m *Model) Config() Config { return m.cfg }

// Fusion is how the critic's scores join with those of the words.
func (m *Model) Fusion() *fusion.Options { return m.cfg.fusion() }

// Hash is the SHA-256 of configuration and weights, in hex.
func (m *Model) Hash() string { return m.hash }

// ID says what the critic is, for example "late-join-6+2x384-int8".
func (m *Model) ID() string {
	precision := "f32"
	if m.encoder.Quantised() {
		precision = "int8"
	}
	return fmt.Sprintf("late-join-%d+%dx%d-%s", m.cfg.Encoder.Layers, m.cfg.JointLayers, m.cfg.Encoder.Hidden, precision)
}

// Vocabulary is a tokenizer that knows its tokens by name.
type Vocabulary interface {
	tokenizer.Tokenizer
	VocabSize() int
	ID(token string) (id int32, ok bool)
}

// Layout lays out header and windows as the critic was trained to read them. It refuses a tokenizer of another model.
func (m *Model) Layout(tok Vocabulary) (prompt.Layout, error) { return m.cfg.Layout(tok) }

// Layout lays out header and windows for a critic of that shape. It refuses a tokenizer of another model.
func (c Config) Layout(tok Vocabulary) (prompt.Layout, error) {
	if tok.VocabSize() != c.Encoder.Vocab {
		return nil, fmt.Errorf("the tokenizer has %d tokens, the critic %d", tok.VocabSize(), c.Encoder.Vocab)
	}
	opt := prompt.PairOptions{HeaderTokens: c.HeaderTokens, WindowTokens: c.WindowTokens, TitleTokens: c.TitleTokens}
	for token, id := range map[string]*int32{"[CLS]": &opt.CLS, "[SEP]": &opt.SEP, ":": &opt.Colon} {
		var ok bool
		if *id, ok = tok.ID(token); !ok {
			return nil, fmt.Errorf("the tokenizer has no token %q", token)
		}
	}
	return prompt.NewPair(tok, opt), nil
}
