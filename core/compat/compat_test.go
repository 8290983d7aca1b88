package compat_test

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/cprs-go/cprs/core/compat"
	"github.com/cprs-go/cprs/core/label"
	"github.com/cprs-go/cprs/core/tokenizer/bpe"
)

// document is a case of pipeline.json: a request and what the released server made of it.
type document struct {
	Name     string `json:"name"`
	Text     string `json:"text"`
	Prompt   string `json:"prompt"`
	Query    string `json:"query"`
	Window   int    `json:"window"`
	Params   params `json:"params"`
	Released struct {
		Status  int     `json:"status_code"`
		Header  []int32 `json:"header_ids"`
		Windows []struct {
			IDs  []int32 `json:"context_ids"`
			Tags string  `json:"model_tags"`
		} `json:"windows"`
		Output json.RawMessage `json:"output"`
		Usage  struct {
			Tokens int `json:"input_tokens"`
		} `json:"usage"`
	} `json:"released"`
}

type params struct {
	SplitWithSent    *bool `json:"split_with_sent"`
	MinKeywordLen    *int  `json:"min_keyword_len"`
	CompleteSentence bool  `json:"complete_sentence"`
	ReturnOffset     bool  `json:"return_offset"`
	BatchSize        int   `json:"batch_size"`
}

func documents(t *testing.T) []document {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("testdata", "pipeline.json"))
	if err != nil {
		t.Fatal(err)
	}
	var file struct {
		Documents []document `json:"documents"`
	}
	if err := json.Unmarshal(data, &file); err != nil {
		t.Fatal(err)
	}
	if len(file.Documents) != 18 {
		t.Fatalf("%d documents, want 18", len(file.Documents))
	}
	return file.Documents
}

func (d *document) request() compat.Request {
	p := compat.DefaultParameters()
	if d.Params.SplitWithSent != nil {
		p.SplitWithSent = *d.Params.SplitWithSent
	}
	if d.Params.MinKeywordLen != nil {
		p.MinKeywordLen = *d.Params.MinKeywordLen
	}
	p.CompleteSentence, p.BatchSize = d.Params.CompleteSentence, d.Params.BatchSize
	return compat.Request{System: d.Prompt, User: d.Query, Context: d.Text, Parameters: p}
}

func tokenizer(t *testing.T) *bpe.Tokenizer {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("..", "tokenizer", "bpe", "testdata", "qwen_tiny_tokenizer.json"))
	if err != nil {
		t.Fatal(err)
	}
	tok, err := bpe.Parse(data)
	if err != nil {
		t.Fatal(err)
	}
	return tok
}

// recorded gives the tags that were recorded, and checks that the rows are those that they were recorded for.
func (d *document) recorded(t *testing.T) compat.Tagger {
	return func(_ context.Context, rows [][]int32) (out [][]label.Tag, err error) {
		if len(rows) != len(d.Released.Windows) {
			t.Errorf("%d windows, want %d", len(rows), len(d.Released.Windows))
			return nil, errors.New("other windows")
		}
		for i, w := range d.Released.Windows {
			if want := slices.Concat(d.Released.Header, w.IDs); !slices.Equal(rows[i], want) {
				t.Errorf("window %d:\n got %v\nwant %v", i, rows[i], want)
			}
			tags, err := label.ParseTags(w.Tags)
			if err != nil {
				return nil, err
			}
			if w.Tags == "" { // the released code had failed before
				tags = make([]label.Tag, len(rows[i]))
			}
			out = append(out, tags)
		}
		return out, nil
	}
}

// TestReleased reproduces what the released server answered, from the tags of its model.
func TestReleased(t *testing.T) {
	tok := tokenizer(t)
	failures := map[string]error{
		"zh_no_sent": compat.ErrDrift, "emoji_cut": compat.ErrDrift, "nfd_text": compat.ErrDrift,
		"empty": compat.ErrEmptyContext, "header_too_long": compat.ErrHeaderTooLong, "batch_size_2": compat.ErrBatchSize,
	}
	for _, d := range documents(t) {
		t.Run(d.Name, func(t *testing.T) {
			got, err := compat.New(tok, d.recorded(t), compat.Options{WindowTokens: d.Window}).Extract(t.Context(), d.request())
			if d.Released.Status != 200 {
				if want := failures[d.Name]; want == nil || !errors.Is(err, want) {
					t.Fatalf("%v, want %v", err, want)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			checkOutput(t, &d, got)
		})
	}
}

// checkOutput compares texts, offsets and the count of tokens.
func checkOutput(t *testing.T, d *document, got *compat.Response) {
	t.Helper()
	var items []any
	for _, s := range got.Spans {
		if d.Params.ReturnOffset {
			items = append(items, []any{s.Text, float64(s.Start), float64(s.End)})
		} else {
			items = append(items, s.Text)
		}
	}
	var want struct {
		Text []any `json:"text"`
	}
	if err := json.Unmarshal(d.Released.Output, &want); err != nil {
		t.Fatal(err)
	}
	if len(items)+len(want.Text) > 0 && !reflect.DeepEqual(items, want.Text) {
		t.Errorf("got  %v\nwant %v", items, want.Text)
	}
	if got.InputTokens != d.Released.Usage.Tokens {
		t.Errorf("%d input tokens, want %d", got.InputTokens, d.Released.Usage.Tokens)
	}
}

// outside tags nothing and remembers the rows.
func outside(rows *[][]int32) compat.Tagger {
	return func(_ context.Context, in [][]int32) (out [][]label.Tag, err error) {
		*rows = in
		for _, r := range in {
			tags := make([]label.Tag, len(r))
			for i := range tags {
				tags[i] = label.Outside
			}
			out = append(out, tags)
		}
		return out, nil
	}
}

// A context is cut after 2,048,000 tokens and loses one more character.
func TestLongContext(t *testing.T) {
	if testing.Short() {
		t.Skip("it takes a few seconds")
	}
	tok := tokenizer(t)
	var rows [][]int32
	text := strings.Repeat("7", 2_048_002)
	got, err := compat.New(tok, outside(&rows), compat.Options{WindowTokens: 1 << 20}).Extract(t.Context(), compat.Request{Context: text})
	if err != nil {
		t.Fatal(err)
	}
	if n := len(got.Context); n != 2_047_999 {
		t.Errorf("%d characters are left", n)
	}
	whole := text[:2_048_000]
	if got, err = compat.New(tok, outside(&rows), compat.Options{WindowTokens: 1 << 20}).Extract(t.Context(), compat.Request{Context: whole}); err != nil || got.Context != whole {
		t.Errorf("a context that just fits is cut: %v", err)
	}
}

// Control tokens in untrusted text are parsed, as in the released code.
func TestControlTokens(t *testing.T) {
	var rows [][]int32
	tok := tokenizer(t)
	if _, err := compat.New(tok, outside(&rows), compat.Options{}).Extract(t.Context(), compat.Request{Context: "a<|im_end|>"}); err != nil {
		t.Fatal(err)
	}
	id, _ := tok.ID("<|im_end|>")
	if row := rows[0]; row[len(row)-1] != id {
		t.Errorf("%v does not end with %d", row, id)
	}
}
