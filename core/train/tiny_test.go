package train

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/cprs-go/cprs/core/eval"
	"github.com/cprs-go/cprs/core/model/bert"
	"github.com/cprs-go/cprs/core/model/checkpoint"
	"github.com/cprs-go/cprs/core/model/graph"
	"github.com/cprs-go/cprs/core/model/latejoin"
)

var rewrite = flag.Bool("rewrite", false, "make testdata/tiny anew")

// tiny is the folder of a critic with a few thousand random weights.
const tiny = "testdata/tiny"

// TestTiny makes the tiny critic, if asked to, and loads it.
func TestTiny(t *testing.T) {
	if *rewrite {
		writeTiny(t)
	}
	ckpt, err := checkpoint.Open(tiny)
	if err != nil {
		t.Fatal(err)
	}
	defer ckpt.Close()
	if _, err := latejoin.Load(ckpt, ""); err != nil {
		t.Error(err)
	}
}

func writeTiny(t *testing.T) {
	t.Helper()
	tokens := strings.Fields("[PAD] [UNK] [CLS] [SEP] : . , ? ! - the is of when what who where")
	for c := 'a'; c <= 'z'; c++ {
		tokens = append(tokens, string(c), "##"+string(c))
	}
	for c := '0'; c <= '9'; c++ {
		tokens = append(tokens, string(c), "##"+string(c))
	}
	vocab := map[string]int{}
	for i, w := range tokens {
		vocab[w] = i
	}
	tokenizer := map[string]any{
		"normalizer":    map[string]any{"type": "BertNormalizer", "clean_text": true, "handle_chinese_chars": true, "lowercase": true},
		"pre_tokenizer": map[string]any{"type": "BertPreTokenizer"},
		"model":         map[string]any{"type": "WordPiece", "unk_token": "[UNK]", "continuing_subword_prefix": "##", "max_input_chars_per_word": 100, "vocab": vocab},
	}
	cfg := latejoin.Config{
		Type: "cprs_late_join", Labels: []string{"B", "I", "O", "E"}, Units: []string{"phrase", "sentence", "paragraph", "line"},
		JointLayers: 1, HeaderTokens: 32, WindowTokens: 64, TitleTokens: 8, MatchStop: []int32{5, 10, 11, 12},
		Encoder: bert.Config{Hidden: 16, Intermediate: 32, Heads: 2, Layers: 2, Positions: 64, Types: 2, Vocab: len(tokens), Epsilon: 1e-12, Activation: "gelu"},
	}
	rng := rand.New(rand.NewPCG(1, 2))
	var all []checkpoint.Tensor
	for _, s := range graph.Shapes(cfg) {
		n, mean := 1, 0.0
		for _, d := range s.Dims {
			n *= d
		}
		if strings.HasSuffix(s.Name, "orm.weight") {
			mean = 1
		}
		data := make([]float32, n)
		for i := range data {
			data[i] = float32(mean + 0.2*rng.NormFloat64())
		}
		all = append(all, checkpoint.Tensor{Name: s.Name, DType: checkpoint.F32, Shape: s.Dims, Data: bytesOf(data)})
	}
	var weights bytes.Buffer
	if err := checkpoint.Write(&weights, all); err != nil {
		t.Fatal(err)
	}
	config, err1 := json.Marshal(cfg)
	tok, err2 := json.Marshal(tokenizer)
	if err1 != nil || err2 != nil {
		t.Fatal(err1, err2)
	}
	if err := writeCritic(tiny, config, weights.Bytes(), tok); err != nil {
		t.Fatal(err)
	}
}

// writeEncoder makes a folder with the encoder of the tiny critic alone, its tensors named as prefix says.
func writeEncoder(t *testing.T, prefix string) string {
	t.Helper()
	ckpt, err := checkpoint.Open(tiny)
	if err != nil {
		t.Fatal(err)
	}
	defer ckpt.Close()
	cfg, err := latejoin.ParseConfig(ckpt.Config())
	if err != nil {
		t.Fatal(err)
	}
	all := []checkpoint.Tensor{{Name: prefix + "pooler.dense.bias", DType: checkpoint.F32, Shape: []int{1}, Data: make([]byte, 4)}}
	for _, name := range ckpt.Names() {
		if rest, ok := strings.CutPrefix(name, "encoder."); ok {
			tensor, _ := ckpt.Tensor(name)
			tensor.Name = prefix + rest
			all = append(all, tensor)
		}
	}
	var weights bytes.Buffer
	if err := checkpoint.Write(&weights, all); err != nil {
		t.Fatal(err)
	}
	config, err1 := json.Marshal(cfg.Encoder)
	tok, err2 := os.ReadFile(filepath.Join(tiny, tokenizerFile))
	if err1 != nil || err2 != nil {
		t.Fatal(err1, err2)
	}
	dir := t.TempDir()
	if err := writeCritic(dir, config, weights.Bytes(), tok); err != nil {
		t.Fatal(err)
	}
	return dir
}

// ferries are records that a tiny critic can learn: one of the sentences says when something leaves.
func ferries(name string, n int) *eval.Set {
	rng := rand.New(rand.NewPCG(3, 3))
	s := &eval.Set{Name: name, Hash: name}
	for i := range n {
		ship := string(rune('a'+rng.IntN(26))) + string(rune('a'+rng.IntN(26)))
		before := strings.Repeat("A dog is of use. ", rng.IntN(4))
		fact := fmt.Sprintf("The %s is off at %d.", ship, rng.IntN(24))
		r := eval.Record{ID: fmt.Sprint(i), Source: name, Lang: "en", Docs: []eval.Doc{{Title: "Ferry", Text: before + fact + " Bread is sold."}}}
		r.Queries = []eval.Query{
			{Text: "When is the " + ship + " off?", Level: "sentence", Spans: []eval.Span{{0, len(before), len(before) + len(fact)}}, Group: "g"},
			{Text: "When is the " + ship + " off?", Level: "keyword", Spans: []eval.Span{{0, len(before) + 4, len(before) + 6}}, Answers: []string{ship}, Group: "g"},
			{Text: "What is sold?", Level: "sentence", Spans: []eval.Span{{0, len(before) + len(fact) + 1, len(before) + len(fact) + 15}}},
			{Text: "Who is ill?", Level: "sentence"},
		}
		s.Records = append(s.Records, r)
	}
	return s
}

// quick are options for a training of moments.
func quick(t *testing.T, out string) Options {
	t.Helper()
	opt := Defaults()
	opt.From, opt.Out, opt.Data = tiny, out, []*eval.Set{ferries("ferries", 40)}
	opt.Steps, opt.WarmUp, opt.BatchTokens, opt.Frozen = 6, 2, 128, 1
	opt.JointRate, opt.EncoderRate, opt.DevEvery = 1e-2, 1e-3, 100
	var err error
	if opt.Recipe, err = LoadRecipe(""); err != nil {
		t.Fatal(err)
	}
	opt.Recipe.Sources = nil // no generators: their texts are long for so small a critic
	return opt
}
