package langchain_test

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/tmc/langchaingo/schema"

	"github.com/cprs-go/cprs/core"
	"github.com/cprs-go/cprs/langchain"
)

var animals = []schema.Document{
	{PageContent: "Cats sleep all day. Dogs bark at night. Cats purr.", Metadata: map[string]any{"source": "pets.txt", "page": 3}, Score: 0.5},
	{PageContent: "Stones are hard.", Metadata: map[string]any{"source": "stones.txt"}},
	{PageContent: "Birds fly south. All cats hunt birds in spring.", Score: 0.25},
}

// clone is a deep copy, to compare with after a call.
func clone(docs []schema.Document) []schema.Document {
	out := slices.Clone(docs)
	for i, d := range out {
		if d.Metadata != nil {
			m := map[string]any{}
			for k, v := range d.Metadata {
				m[k] = v
			}
			out[i].Metadata = m
		}
	}
	return out
}

func contents(docs []schema.Document) []string {
	out := make([]string, len(docs))
	for i, d := range docs {
		out[i] = d.PageContent
	}
	return out
}

func TestCompressDocuments(t *testing.T) {
	sentence := langchain.WithUnit(core.UnitSentence)
	score := langchain.WithMinScore(0.2)
	tests := []struct {
		name string
		opts []langchain.CompressorOption
		want []string
	}{
		{"threshold", []langchain.CompressorOption{sentence, score}, []string{"Cats sleep all day. […] Cats purr.", "All cats hunt birds in spring."}},
		{"empty documents stay", []langchain.CompressorOption{sentence, score, langchain.WithDropEmpty(false)},
			[]string{"Cats sleep all day. […] Cats purr.", "", "All cats hunt birds in spring."}},
		{"labels", []langchain.CompressorOption{sentence, score, langchain.WithSourceLabel(true)},
			[]string{"[pets.txt]\nCats sleep all day. […] Cats purr.", "All cats hunt birds in spring."}},
		{"window", []langchain.CompressorOption{sentence, langchain.WithMinScore(0.5), langchain.WithSentenceWindow(1)},
			[]string{"Dogs bark at night. Cats purr."}},
		{"budget", []langchain.CompressorOption{sentence, langchain.WithBudget(10)}, []string{"Cats purr."}},
		{"large budget", []langchain.CompressorOption{langchain.WithBudget(1000)}, contents(animals)},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			before := clone(animals)
			got, err := langchain.NewDocumentCompressor(newCompressor(), tt.opts...).CompressDocuments(context.Background(), animals, "cats purr")
			if err != nil {
				t.Fatal(err)
			}
			if tt.name == "threshold" {
				m := got[0].Metadata
				if m["page"] != 3 || got[0].Score != 0.5 || len(m[langchain.MetaSpans].([]core.Span)) != 2 || m[langchain.MetaTokensIn] != 13 ||
					m[langchain.MetaTokensOut] != 8 || m[langchain.MetaStatus] != "compressed" {
					t.Errorf("metadata %v, score %v", m, got[0].Score)
				}
			}
			if !reflect.DeepEqual(contents(got), tt.want) {
				t.Errorf("got %q, want %q", contents(got), tt.want)
			}
			if !reflect.DeepEqual(animals, before) {
				t.Error("the input was modified")
			}
		})
	}
}

func TestCompressDocumentsShareOneBudget(t *testing.T) {
	c := newCompressor()
	var docs []schema.Document
	for i := range 30 {
		docs = append(docs, schema.Document{PageContent: fmt.Sprintf("Dogs bark %d times. Cats purr %d times. Nothing else happens here.", i, i)})
	}
	for _, window := range []int{0, 1, 2} {
		for budget := 1; budget < 400; budget += 37 {
			got, err := langchain.NewDocumentCompressor(c, langchain.WithBudget(budget), langchain.WithUnit(core.UnitSentence), langchain.WithSentenceWindow(window)).
				CompressDocuments(context.Background(), docs, "cats purr")
			if err != nil {
				t.Fatal(err)
			}
			tokens := 0
			for _, d := range got {
				tokens += count(d.PageContent)
			}
			if tokens > budget {
				t.Errorf("window %d: %d tokens of a budget of %d", window, tokens, budget)
			}
		}
	}
}

func TestCompressDocumentsEdges(t *testing.T) {
	ctx := context.Background()
	c := langchain.NewDocumentCompressor(newCompressor())
	for _, docs := range [][]schema.Document{nil, {}, {{}}, {{PageContent: " \n"}}, {{PageContent: "\xff\x00"}}} {
		if _, err := c.CompressDocuments(ctx, docs, "cats"); err != nil {
			t.Errorf("%v: %v", docs, err)
		}
	}
	got, err := c.CompressDocuments(ctx, animals, "zebra")
	if err != nil || len(got) != 0 {
		t.Errorf("nothing relevant gives %v, %v", got, err)
	}
	var fault *core.Error
	if _, err := c.CompressDocuments(ctx, animals, ""); !errors.As(err, &fault) {
		t.Errorf("an empty query gives %v", err)
	}
	if _, err := langchain.NewDocumentCompressor(nil).CompressDocuments(ctx, animals, "cats"); err == nil {
		t.Error("no compressor gives no error")
	}
	canceled, cancel := context.WithCancel(ctx)
	cancel()
	if _, err := c.CompressDocuments(canceled, animals, "cats"); !errors.Is(err, context.Canceled) {
		t.Errorf("a cancelled context gives %v", err)
	}
}

func TestInstruction(t *testing.T) {
	c := newCompressor()
	_, err := langchain.NewDocumentCompressor(c, langchain.WithInstruction(func(q string) string { return "Find: " + q })).
		CompressDocuments(context.Background(), animals, "cats")
	if err != nil || c.requests[0].Instruction != "Find: cats" || c.requests[0].Query != "cats" || c.requests[0].Documents[0].ID != "pets.txt" {
		t.Errorf("%v, request %+v", err, c.requests[0])
	}
}

func TestPipelineTellsOfEachStage(t *testing.T) {
	h := &handler{}
	p := langchain.NewCompressorPipeline(langchain.NewRedundantFilter(0), langchain.NewDocumentCompressor(newCompressor(), langchain.WithUnit(core.UnitSentence)),
		langchain.NewLongContextReorder())
	p.CallbacksHandler = h
	docs := append(clone(animals), animals[0])
	got, err := p.CompressDocuments(context.Background(), docs, "cats purr")
	if err != nil {
		t.Fatal(err)
	}
	if want := []string{"Cats sleep all day. […] Cats purr."}; !reflect.DeepEqual(contents(got)[:1], want) {
		t.Errorf("got %q, want %q", contents(got), want)
	}
	if want := strings.Fields("start end start end start end"); len(h.events) != len(want) {
		t.Errorf("events are %v", h.events)
	}
	if in, out := h.ends[0][langchain.KeyTokensIn], h.ends[0][langchain.KeyTokensOut]; in.(int)-out.(int) != count(animals[0].PageContent) {
		t.Errorf("the first stage makes %v tokens of %v", out, in)
	}
	p.Stages = []langchain.DocumentCompressor{langchain.NewDocumentCompressor(broken())}
	if _, err := p.CompressDocuments(context.Background(), docs, "cats"); !errors.Is(err, errBroken) || !strings.Contains(err.Error(), "stage 1 of 1") {
		t.Errorf("got %v", err)
	}
}

func TestRelevanceFilter(t *testing.T) {
	got, err := langchain.NewRelevanceFilter(newCompressor(), langchain.WithUnit(core.UnitSentence)).CompressDocuments(context.Background(), animals, "cats purr")
	if want := []schema.Document{animals[0], animals[2]}; err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got %v, %v", got, err)
	}
}

func TestReranker(t *testing.T) {
	docs := []schema.Document{{PageContent: "Stones are hard."}, {PageContent: "Cats and dogs."}, {PageContent: "Cats purr"}, {PageContent: "Rocks are hard."}}
	before := clone(docs)
	got, err := langchain.NewReranker(newCompressor(), 0).CompressDocuments(context.Background(), docs, "cats purr")
	if want := []string{"Cats purr", "Cats and dogs.", "Stones are hard.", "Rocks are hard."}; err != nil || !reflect.DeepEqual(contents(got), want) {
		t.Errorf("got %q, %v", contents(got), err)
	}
	if s := got[0].Metadata[langchain.MetaScore].(float32); s < 0.8 || s > 1 {
		t.Errorf("the best score is %v", s)
	}
	top, err := langchain.NewReranker(newCompressor(), 2).CompressDocuments(context.Background(), docs, "cats purr")
	if err != nil || len(top) != 2 {
		t.Errorf("the top 2 are %v, %v", top, err)
	}
	if !reflect.DeepEqual(docs, before) {
		t.Error("the input was modified")
	}
}

func TestLongContextReorder(t *testing.T) {
	for n, want := range []string{"", "a", "ab", "acb", "acdb", "acedb"} {
		var docs []schema.Document
		for _, r := range "abcde"[:n] {
			docs = append(docs, schema.Document{PageContent: string(r)})
		}
		got, err := langchain.NewLongContextReorder().CompressDocuments(context.Background(), docs, "")
		if s := strings.Join(contents(got), ""); err != nil || s != want {
			t.Errorf("%d documents become %q, %v, want %q", n, s, err, want)
		}
	}
}

func TestRedundantFilter(t *testing.T) {
	long := "The tenant may end the lease at any time with ninety days of notice in writing."
	tests := []struct {
		name string
		docs []string
		keep []int
	}{
		{"copies", []string{long, "Something else entirely.", long}, []int{0, 1}},
		{"case and punctuation", []string{long, strings.ToUpper(strings.ReplaceAll(long, " ", "\n  - "))}, []int{0}},
		{"a part", []string{long, long[20:60]}, []int{0}},
		{"more is new", []string{long[:40], long}, []int{0, 1}},
		{"short", []string{"a", "b", "A."}, []int{0, 1}},
		{"nothing to compare", []string{"", "", "…"}, []int{0, 1, 2}},
		{"Chinese", []string{"租户可以提前九十天书面通知终止租约", "租户可以提前九十天书面通知终止租约。", "房东不得进入房屋,除非提前通知租户"}, []int{0, 2}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var docs, want []schema.Document
			for _, text := range tt.docs {
				docs = append(docs, schema.Document{PageContent: text})
			}
			for _, i := range tt.keep {
				want = append(want, docs[i])
			}
			got, err := langchain.NewRedundantFilter(0).CompressDocuments(context.Background(), docs, "")
			if err != nil || !reflect.DeepEqual(got, want) {
				t.Errorf("kept %q, %v", contents(got), err)
			}
		})
	}
}

// found is a retriever that always finds the same.
type found []schema.Document

func (f found) GetRelevantDocuments(context.Context, string) ([]schema.Document, error) {
	if f == nil {
		return nil, errors.New("the store is down")
	}
	return f, nil
}

func TestRetriever(t *testing.T) {
	ctx := context.Background()
	h := &handler{}
	r := langchain.NewContextualCompressionRetriever(langchain.NewDocumentCompressor(newCompressor(), langchain.WithUnit(core.UnitSentence)), found(animals), langchain.WithCallbacks(h))
	got, err := r.GetRelevantDocuments(ctx, "cats purr")
	if err != nil || len(got) != 2 {
		t.Fatalf("got %v, %v", got, err)
	}
	if want := []string{"retriever start cats purr", "retriever end 2"}; !reflect.DeepEqual(h.events, want) {
		t.Errorf("events are %q", h.events)
	}
	if _, err := langchain.NewContextualCompressionRetriever(langchain.NewDocumentCompressor(newCompressor()), found(nil)).GetRelevantDocuments(ctx, "cats"); err == nil {
		t.Error("an error of the retriever is lost")
	}
	h = &handler{}
	r = langchain.NewContextualCompressionRetriever(langchain.NewDocumentCompressor(broken()), found(animals), langchain.WithCallbacks(h))
	if _, err := r.GetRelevantDocuments(ctx, "cats"); !errors.Is(err, errBroken) {
		t.Errorf("got %v", err)
	}
	r.FailOpen = true
	if got, err := r.GetRelevantDocuments(ctx, "cats"); err != nil || !reflect.DeepEqual(got, animals) || len(h.errs) != 2 {
		t.Errorf("fail open gives %v, %v, and tells of %v", got, err, h.errs)
	}
	if r := langchain.NewContextualCompressionRetriever(nil, nil, langchain.WithFailOpen()); !r.FailOpen {
		t.Error("WithFailOpen has no effect")
	}
}
