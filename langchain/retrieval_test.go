package langchain_test

import (
	"bufio"
	"cmp"
	"compress/gzip"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/tmc/langchaingo/chains"
	"github.com/tmc/langchaingo/embeddings"
	"github.com/tmc/langchaingo/schema"
	"github.com/tmc/langchaingo/textsplitter"
	"github.com/tmc/langchaingo/vectorstores"
	"github.com/tmc/langchaingo/vectorstores/pgvector"

	"github.com/cprs-go/cprs/core/eval"
	"github.com/cprs-go/cprs/core/eval/minilm"
	"github.com/cprs-go/cprs/core/tokenizer"
	"github.com/cprs-go/cprs/langchain"
)

var questions = flag.Int("questions", 10, "questions on papers that TestStuffing asks; TestPgvector asks 100")

// asked is a question with its answer, word for word in the papers.
type asked struct{ question, answer string }

// papers reads n questions on some papers of COVID-QA, with the papers in passages; the test is skipped where they are missing.
func papers(t *testing.T, n int) ([]schema.Document, []asked) {
	t.Helper()
	file, err := os.Open(filepath.Join("..", "..", "shared", "data", "dev", "covidqa.jsonl.gz"))
	if err != nil {
		t.Skip("the data is not here: ", err)
	}
	defer file.Close()
	unzipped, err := gzip.NewReader(file)
	if err != nil {
		t.Fatal(err)
	}
	split := textsplitter.NewRecursiveCharacter(textsplitter.WithChunkSize(1000), textsplitter.WithChunkOverlap(0))
	lines := bufio.NewScanner(unzipped)
	lines.Buffer(nil, 1<<24)
	var passages []schema.Document
	var out []asked
	for lines.Scan() && len(out) < n {
		var r struct {
			ID      string       `json:"id"`
			Docs    []eval.Doc   `json:"docs"`
			Queries []eval.Query `json:"queries"`
		}
		if err := json.Unmarshal(lines.Bytes(), &r); err != nil {
			t.Fatal(err)
		}
		cut, err := textsplitter.CreateDocuments(split, []string{r.Docs[0].Text}, []map[string]any{{"source": r.ID, "title": r.Docs[0].Title}})
		if err != nil {
			t.Fatal(err)
		}
		passages = append(passages, cut...)
		for _, q := range r.Queries {
			if q.Level == "keyword" && len(q.Answers) == 1 && len(out) < n {
				out = append(out, asked{q.Text, q.Answers[0]})
			}
		}
	}
	if err := lines.Err(); err != nil || len(out) < n {
		t.Fatalf("%d questions, %v", len(out), err)
	}
	return passages, out
}

// words is a retriever by shared words, rare ones counting more.
type words struct {
	passages []schema.Document
	terms    []map[string]bool
	in       map[string]float64 // passages that hold a term
}

func newWords(passages []schema.Document) *words {
	w := &words{passages: passages, in: map[string]float64{}}
	for _, p := range passages {
		terms := map[string]bool{}
		for _, term := range eval.Terms(p.PageContent) {
			if !terms[term] {
				terms[term] = true
				w.in[term]++
			}
		}
		w.terms = append(w.terms, terms)
	}
	return w
}

func (w *words) GetRelevantDocuments(_ context.Context, query string) ([]schema.Document, error) {
	scores, order := make([]float64, len(w.passages)), make([]int, len(w.passages))
	for i := range w.passages {
		order[i] = i
		for _, term := range eval.Terms(query) {
			if w.terms[i][term] {
				scores[i] += math.Log(float64(len(w.passages)) / w.in[term])
			}
		}
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(scores[b], scores[a]) })
	var out []schema.Document
	for _, i := range order[:8] {
		out = append(out, w.passages[i])
	}
	return out, nil
}

// share is what of the found passages the compressed prompts may hold.
const share = 0.25

// stuff asks the questions with all that is found in the prompt, and with what the question asks for, and compares.
func stuff(t *testing.T, found schema.Retriever, list []asked) {
	t.Helper()
	ctx := context.Background()
	e := open(t)
	compressed := langchain.NewContextualCompressionRetriever(langchain.NewDocumentCompressor(e, langchain.WithRatio(share)), found)
	var tokens, held [2]int
	var took [2]time.Duration
	for _, a := range list {
		for i, r := range []schema.Retriever{found, compressed} {
			llm := &model{}
			began := time.Now()
			if _, err := chains.Run(ctx, chains.NewRetrievalQAFromLLM(llm, r), a.question); err != nil {
				t.Fatal(err)
			}
			took[i] += time.Since(began)
			tokens[i] += tokenizer.Count(e.Tokenizer(), llm.prompt(0))
			if strings.Contains(flat(llm.prompt(0)), flat(a.answer)) {
				held[i]++
			}
		}
	}
	t.Logf("%d questions: stuffing %d tokens a prompt, answer in %d prompts, %v a chain; compressed %d tokens (%.0f %%), answer in %d (%.0f %% of those), %v",
		len(list), tokens[0]/len(list), held[0], took[0]/time.Duration(len(list)), tokens[1]/len(list), 100*float64(tokens[1])/float64(tokens[0]), held[1],
		100*float64(held[1])/float64(max(1, held[0])), took[1]/time.Duration(len(list)))
	if float64(tokens[1]) > 0.35*float64(tokens[0]) {
		t.Errorf("%d tokens of %d are left", tokens[1], tokens[0])
	}
	if float64(held[1]) < 0.6*float64(held[0]) {
		t.Errorf("%d of %d answers are left", held[1], held[0])
	}
}

// flat makes all white space alike: splitters move line ends.
func flat(s string) string { return strings.Join(strings.Fields(s), " ") }

func TestStuffing(t *testing.T) {
	passages, list := papers(t, *questions)
	stuff(t, newWords(passages), list)
}

// needs gives the value of an environment variable that tells where something is. Without it the test is skipped, or fails under
// REQUIRE_PGVECTOR=1.
func needs(t *testing.T, name, how string) string {
	t.Helper()
	v := os.Getenv(name)
	switch {
	case v == "" && os.Getenv("REQUIRE_PGVECTOR") == "1":
		t.Fatalf("%s is not set: %s", name, how)
	case v == "":
		t.Skipf("%s is not set: %s", name, how)
	}
	return v
}

// TestPgvector has a real vector store find the passages, by sentence embeddings computed here.
func TestPgvector(t *testing.T) {
	ctx := context.Background()
	url := needs(t, "CPRS_PGVECTOR_URL", "testdata/pgvector.sh start DIR prints it")
	encoder, err := minilm.Open(needs(t, "CPRS_MINILM", "core/eval/minilm/fetch.sh DIR fetches it"))
	if err != nil {
		t.Fatal(err)
	}
	embedder, err := embeddings.NewEmbedder(embeddings.EmbedderClientFunc(encoder.Encode))
	if err != nil {
		t.Fatal(err)
	}
	store, err := pgvector.New(ctx, pgvector.WithConnectionURL(url), pgvector.WithEmbedder(embedder), pgvector.WithPreDeleteCollection(true),
		pgvector.WithCollectionName(fmt.Sprintf("cprs-%d", os.Getpid())))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { store.Close() })

	t.Run("a few documents", func(t *testing.T) { testStore(t, store) })
	t.Run("papers", func(t *testing.T) {
		passages, list := papers(t, 100)
		if _, err := store.AddDocuments(ctx, passages); err != nil {
			t.Fatal(err)
		}
		stuff(t, vectorstores.ToRetriever(store, 8), list)
	})
}

// testStore follows a document into the store and out again, with its metadata and score.
func testStore(t *testing.T, store vectorstores.VectorStore) {
	ctx := context.Background()
	if _, err := store.AddDocuments(ctx, lease); err != nil {
		t.Fatal(err)
	}
	r := langchain.NewContextualCompressionRetriever(langchain.NewDocumentCompressor(open(t), langchain.WithBudget(20)), vectorstores.ToRetriever(store, 2))
	docs, err := r.GetRelevantDocuments(ctx, question)
	if err != nil {
		t.Fatal(err)
	}
	if len(docs) != 1 || docs[0].PageContent != "Either party may terminate the lease with ninety days of written notice." || docs[0].Metadata["source"] != "lease.txt" ||
		docs[0].Score <= 0 {
		t.Errorf("got %+v", docs)
	}
}
