package tools

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/tiktoken-go/tokenizer"

	"github.com/cprs-go/cprs/core"
	"github.com/cprs-go/cprs/core/critic/critictest"
	"github.com/cprs-go/cprs/core/source"
	"github.com/cprs-go/cprs/tools/store"
)

var rewrite = flag.Bool("rewrite", false, "write the golden files anew")

// recorder is a Compressor that remembers its requests and keeps the first byte of every document.
type recorder struct {
	mu   sync.Mutex
	reqs []core.Request
	err  error
}

func (r *recorder) Compress(ctx context.Context, req core.Request) (*core.Result, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.reqs = append(r.reqs, req)
	if r.err != nil || ctx.Err() != nil {
		return nil, errors.Join(r.err, ctx.Err())
	}
	res := &core.Result{Text: "kept", Stats: core.Stats{TokensIn: 10, TokensOut: 1}}
	for i, d := range req.Documents {
		sum := core.DocumentResult{ID: d.ID, Tokens: 10}
		if d.Text != "" {
			res.Spans = append(res.Spans, core.Span{Doc: i, End: 1, Score: 0.9})
			sum.KeptTokens, sum.Lines = 1, []core.LineRange{{First: 1, Last: 1}}
		}
		res.Documents = append(res.Documents, sum)
	}
	return res, nil
}

// last is the latest request.
func (r *recorder) last() core.Request {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.reqs) == 0 {
		return core.Request{}
	}
	return r.reqs[len(r.reqs)-1]
}

// pipeline keeps the units whose words are in the instruction.
func pipeline() core.Compressor { return pipelineOf(64) }

// pipelineOf is pipeline with windows of n ids, which bound the units.
func pipelineOf(n int) core.Compressor {
	return core.NewPipeline(core.PipelineOptions{
		Critic: critictest.Match(2), Layout: critictest.Layout(n), Tokenizer: critictest.Tokenizer{}, ID: "match", Hash: "0", Threshold: 0.5,
	})
}

func newSet(t testing.TB, c core.Compressor, opts *Options) *Set {
	t.Helper()
	s, err := New(c, opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

// roots is a resolver for folders.
func roots(t testing.TB, dirs ...string) *source.Resolver {
	t.Helper()
	var opt source.Options
	for _, d := range dirs {
		opt.Roots = append(opt.Roots, source.Root{Dir: d})
	}
	r, err := source.New(&opt)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.Close() })
	return r
}

// call runs a tool and holds the result to what every result keeps.
func call(t testing.TB, s *Set, name, args string) *Result {
	t.Helper()
	return callAs(context.Background(), t, s, name, args)
}

func callAs(ctx context.Context, t testing.TB, s *Set, name, args string) *Result {
	t.Helper()
	for _, tool := range s.Tools() {
		if tool.Name != name {
			continue
		}
		res, err := tool.Call(ctx, json.RawMessage(args), nil)
		if err != nil {
			t.Fatalf("%s %.300s: %v", name, args, err)
		}
		verify(t, &tool, args, res)
		return res
	}
	t.Fatalf("there is no tool %s", name)
	return nil
}

var schemas sync.Map // compiled, by their bytes

func compiled(t testing.TB, schema json.RawMessage) *jsonschema.Schema {
	t.Helper()
	if s, ok := schemas.Load(string(schema)); ok {
		return s.(*jsonschema.Schema)
	}
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(schema))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	if err := c.AddResource("schema.json", doc); err != nil {
		t.Fatal(err)
	}
	s, err := c.Compile("schema.json")
	if err != nil {
		t.Fatal(err)
	}
	schemas.Store(string(schema), s)
	return s
}

func verify(t testing.TB, tool *Tool, args string, res *Result) {
	t.Helper()
	if res.IsError {
		parts := strings.SplitN(strings.TrimPrefix(res.Text, "["), "] ", 2)
		if len(parts) != 2 || res.Structured != nil || len(res.Text) > 5000 || strings.Count(parts[1], ". ")+strings.Count(parts[1], "? ") < 2 {
			t.Errorf("%s %.300s: not a refusal in three parts: %q", tool.Name, args, res.Text)
		}
		return
	}
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(res.Structured))
	if err == nil {
		err = compiled(t, tool.OutputSchema).Validate(doc)
	}
	if err != nil {
		t.Errorf("%s %.300s: %v\n%s", tool.Name, args, err, res.Structured)
	}
}

func TestDefinitions(t *testing.T) {
	s := newSet(t, &recorder{}, &Options{Sources: roots(t, "testdata/root")})
	for _, tool := range s.Tools() {
		var b bytes.Buffer
		enc := json.NewEncoder(&b)
		enc.SetEscapeHTML(false)
		enc.SetIndent("", "  ")
		if err := enc.Encode(map[string]any{"name": tool.Name, "title": tool.Title, "description": tool.Description,
			"inputSchema": tool.InputSchema, "outputSchema": tool.OutputSchema}); err != nil {
			t.Fatal(err)
		}
		golden(t, filepath.Join("testdata", tool.Name+".json"), b.Bytes())
		compiled(t, tool.InputSchema)
		compiled(t, tool.OutputSchema)
		if len(tool.Description) > 2000 || strings.Contains(string(tool.InputSchema)+tool.Description, "_tokens}") || strings.Contains(tool.Description, "{ttl}") {
			t.Errorf("%s: the description is too long or has holes", tool.Name)
		}
	}
}

func golden(t *testing.T, file string, got []byte) {
	t.Helper()
	if *rewrite {
		if err := os.WriteFile(file, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatalf("%v (make it with go test -rewrite)", err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("%s differs (accept with go test -rewrite):\n%s", file, got)
	}
}

// What every host pays for the tools before it calls one. The annotations and the envelope of tools/list take some 150 more, and all of
// it stays under 1,200: see TestListTokens of package mcpserver.
const (
	definitionTokens = 997
	mostTokens       = 1020
)

// TestDefinitionTokens counts with the encodings of GPT-4 and GPT-4o and takes the larger figure, for names, titles,
// descriptions and both schemas as JSON, though most hosts keep the output schemas from the model.
func TestDefinitionTokens(t *testing.T) {
	s := newSet(t, &recorder{}, &Options{Sources: roots(t, "testdata/root")})
	type definition struct {
		Name         string          `json:"name"`
		Title        string          `json:"title"`
		Description  string          `json:"description"`
		InputSchema  json.RawMessage `json:"inputSchema"`
		OutputSchema json.RawMessage `json:"outputSchema"`
	}
	var list []definition
	for _, tool := range s.Tools() {
		list = append(list, definition{tool.Name, tool.Title, tool.Description, tool.InputSchema, tool.OutputSchema})
	}
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(list); err != nil {
		t.Fatal(err)
	}
	tokens := 0
	for _, e := range []tokenizer.Encoding{tokenizer.Cl100kBase, tokenizer.O200kBase} {
		codec, err := tokenizer.Get(e)
		if err != nil {
			t.Fatal(err)
		}
		n, err := codec.Count(b.String())
		if err != nil {
			t.Fatal(err)
		}
		t.Logf("%s: %d tokens", e, n)
		tokens = max(tokens, n)
	}
	if tokens != definitionTokens || tokens > mostTokens {
		t.Errorf("the definitions take %d tokens, not %d; the limit is %d", tokens, definitionTokens, mostTokens)
	}
}

func TestNew(t *testing.T) {
	tests := []struct {
		name  string
		c     core.Compressor
		opts  *Options
		tools string // or the error
	}{
		{"no options", &recorder{}, nil, "compress_context expand_context"},
		{"a root", &recorder{}, &Options{Sources: roots(t, "testdata/root")}, "compress_context expand_context list_sources"},
		{"no compressor", nil, nil, "there is no compressor"},
		{"the least budget", &recorder{}, &Options{MaxBudget: 64}, "compress_context expand_context"},
		{"less than that", &recorder{}, &Options{MaxBudget: 63}, "the budget is 8000 tokens of at most 63"},
		{"a budget above the ceiling", &recorder{}, &Options{Budget: 101, MaxBudget: 100}, "the budget is 101 tokens of at most 100"},
		{"a large budget raises the ceiling", &recorder{}, &Options{Budget: 20_000}, "compress_context expand_context"},
		{"a threshold above 1", &recorder{}, &Options{Threshold: 1.1}, "the threshold is 1.1"},
		{"a negative bound", &recorder{}, &Options{MaxInputBytes: -1}, "the input is bounded by -1 bytes"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s, err := New(tt.c, tt.opts)
			if err != nil {
				if err.Error() != tt.tools {
					t.Errorf("got error %q, want %q", err, tt.tools)
				}
				return
			}
			var names []string
			for _, tool := range s.Tools() {
				names = append(names, tool.Name)
			}
			if got := strings.Join(names, " "); got != tt.tools {
				t.Errorf("got tools %q, want %q", got, tt.tools)
			}
		})
	}
}

func TestTheDescriptionSaysHowLongHandlesLast(t *testing.T) {
	for d, want := range map[time.Duration]string{time.Hour: "1 hour.", 48 * time.Hour: "2 days.", 90 * time.Second: "90 seconds.", time.Millisecond: "1ms."} {
		s := newSet(t, &recorder{}, &Options{Store: store.New(&store.Options{TTL: d})})
		if got := s.Tools()[1].Description; !strings.HasSuffix(got, "Handles last "+want) {
			t.Errorf("%v: %s", d, got)
		}
	}
}
