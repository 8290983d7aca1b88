package engine_test

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/cprs-go/cprs/core"
	"github.com/cprs-go/cprs/core/backend"
	"github.com/cprs-go/cprs/core/compat"
	"github.com/cprs-go/cprs/core/engine"
	"github.com/cprs-go/cprs/core/label"
	"github.com/cprs-go/cprs/core/model/checkpoint"
	"github.com/cprs-go/cprs/core/model/hybrid"
	"github.com/cprs-go/cprs/core/prompt"
	"github.com/cprs-go/cprs/core/tokenizer"
	"github.com/cprs-go/cprs/core/tokenizer/bpe"
	"github.com/cprs-go/cprs/core/window"
)

// TestReleased has the tiny critic answer the requests that the released server answered with the same weights: the same texts at the
// same places, with the model run and not only its recorded tags. core/compat checks the stages around it.
func TestReleased(t *testing.T) {
	dir := filepath.Join(filepath.Dir(hybridDir(t)), "f32")
	data, err := os.ReadFile(filepath.Join("..", "compat", "testdata", "pipeline.json"))
	if err != nil {
		t.Fatal(err)
	}
	var file struct {
		Documents []struct {
			Name, Text, Prompt, Query string
			Window                    int
			Params                    struct {
				MinKeywordLen    *int  `json:"min_keyword_len"`
				CompleteSentence bool  `json:"complete_sentence"`
				ReturnOffset     bool  `json:"return_offset"`
				SplitWithSent    *bool `json:"split_with_sent"`
			}
			Released struct {
				Status int `json:"status_code"`
				Output struct {
					Text []any `json:"text"`
				} `json:"output"`
			}
		}
	}
	if err := json.Unmarshal(data, &file); err != nil {
		t.Fatal(err)
	}
	engines, compared := map[int]*engine.Engine{}, 0
	for _, d := range file.Documents {
		if d.Released.Status != 200 {
			continue
		}
		if engines[d.Window] == nil {
			engines[d.Window] = open(t, engine.Options{CriticDir: dir, Compat: true, Hybrid: engine.Hybrid{WindowTokens: d.Window}})
		}
		p := compat.DefaultParameters()
		if p.CompleteSentence = d.Params.CompleteSentence; d.Params.MinKeywordLen != nil {
			p.MinKeywordLen = *d.Params.MinKeywordLen
		}
		got, err := engines[d.Window].Released().Extract(t.Context(), compat.Request{System: d.Prompt, User: d.Query, Context: d.Text, Parameters: p})
		if err != nil {
			t.Fatalf("%s: %v", d.Name, err)
		}
		var items []any
		for _, s := range got.Spans {
			if items = append(items, s.Text); d.Params.ReturnOffset {
				items[len(items)-1] = []any{s.Text, float64(s.Start), float64(s.End)}
			}
		}
		if compared++; !reflect.DeepEqual(items, d.Released.Output.Text) {
			t.Errorf("%s:\n got %v\nwant %v", d.Name, items, d.Released.Output.Text)
		}
	}
	if compared != 12 {
		t.Errorf("%d documents compared, want 12", compared)
	}
}

func TestCompatCompress(t *testing.T) {
	dir := hybridDir(t)
	e := open(t, engine.Options{CriticDir: dir, Compat: true})
	text := "Straße: the harbour office opens at nine. Mira keeps the spare key in the blue tin. The tin sits behind the tide table."
	res, err := e.Compress(t.Context(), core.Request{Instruction: "Keep who has the key.", Query: "Who?", Documents: []core.Document{{ID: "a", Text: text}, {Text: text}}})
	if err != nil {
		t.Fatal(err)
	}
	var kept []string
	for _, s := range res.Spans {
		kept = append(kept, strings.TrimSpace(text[s.Start:s.End]))
	}
	if len(kept) == 0 || strings.Join(kept, "\n") != res.Text || len(res.Documents) != 2 || res.Stats.Windows != 2 {
		t.Errorf("%q of spans %q, %+v", res.Text, kept, res.Stats)
	}
	for name, req := range map[string]core.Request{
		"budget": {Instruction: "x", Budget: core.Budget{MaxTokens: 5}, Documents: []core.Document{{Text: text}}},
		"empty":  {Instruction: "x", Documents: []core.Document{{Text: ""}}},
	} {
		_, err := e.Compress(t.Context(), req)
		var fault *core.Error
		if !errors.As(err, &fault) || name == "empty" && !errors.Is(err, compat.ErrEmptyContext) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := engine.Open(t.Context(), &engine.Options{CriticDir: filepath.Join("..", "model", "embedded"), Compat: true}); err == nil || !strings.Contains(err.Error(), "hybrid") {
		t.Errorf("compat with the embedded critic: %v", err)
	}
	if open(t, engine.Options{CriticDir: dir}).Released() != nil {
		t.Error("the released pipeline without compat")
	}
}

// TestPaperReading holds the sound mode to the same documents: one encoding, slices of its ids as windows, one tag for each id. Only the
// cuts differ from ours, which stand at ends of units.
func TestPaperReading(t *testing.T) {
	dir := filepath.Join(filepath.Dir(hybridDir(t)), "f32")
	data, err := os.ReadFile(filepath.Join("..", "compat", "testdata", "pipeline.json"))
	if err != nil {
		t.Fatal(err)
	}
	var file struct {
		Documents []struct {
			Name, Text, Prompt, Query string
			Reading                   struct {
				IDs     []int32  `json:"context_ids"`
				Windows [][2]int `json:"window_token_ranges"`
				Tags    string
			} `json:"paper_reading"`
		}
	}
	if err := json.Unmarshal(data, &file); err != nil {
		t.Fatal(err)
	}
	critic, tok := openFixture(t, dir)
	layout, err := prompt.NewChatML(tok, prompt.ChatMLOptions{WindowTokens: 8192})
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range file.Documents {
		if d.Name == "chatml_in_text" { // there the control tokens in the text were parsed
			continue
		}
		var e tokenizer.Encoding
		if tok.Encode(&e, d.Text); d.Reading.IDs != nil && !slices.Equal(e.IDs, d.Reading.IDs) {
			t.Errorf("%s: other ids", d.Name)
			continue
		}
		h, err := layout.Header(d.Prompt, d.Query)
		if err != nil {
			t.Fatal(err)
		}
		var ws []window.Window
		for _, r := range d.Reading.Windows {
			ws = append(ws, window.Window{Header: h, IDs: e.IDs[r[0]:r[1]], Spans: e.Spans[r[0]:r[1]]})
		}
		scores, err := critic.Score(t.Context(), ws)
		if err != nil {
			t.Fatalf("%s: %v", d.Name, err)
		}
		var tags []label.Tag
		for _, s := range scores {
			for i := range s.Probs {
				tags = append(tags, s.Tag(i))
			}
		}
		if got := label.FormatTags(tags); got != d.Reading.Tags {
			t.Errorf("%s:\n got %s\nwant %s", d.Name, got, d.Reading.Tags)
		}
	}
}

// openFixture is a critic and its tokenizer without an engine around them.
func openFixture(t *testing.T, dir string) (*hybrid.Critic, *bpe.Tokenizer) {
	t.Helper()
	b, err := backend.Open(backend.Go)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(b.Finalize)
	ckpt, err := checkpoint.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer ckpt.Close()
	c, err := hybrid.Open(ckpt, b, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	data, err := os.ReadFile(filepath.Join(dir, "tokenizer.json"))
	if err != nil {
		t.Fatal(err)
	}
	tok, err := bpe.Parse(data)
	if err != nil {
		t.Fatal(err)
	}
	return c, tok
}
