package tools

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
	"unicode/utf8"

	"github.com/cprs-go/cprs/core"
	"github.com/cprs-go/cprs/core/critic/critictest"
	"github.com/cprs-go/cprs/core/tokenizer"
	"github.com/cprs-go/cprs/core/wire"
	"github.com/cprs-go/cprs/tools/store"
)

func argsOf(t testing.TB, v any) string {
	t.Helper()
	data, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

type object = map[string]any

// structured is the structured form of a result.
func structured[T any](t testing.TB, res *Result) (out T) {
	t.Helper()
	if res.IsError {
		t.Fatal(res.Text)
	}
	if err := json.Unmarshal(res.Structured, &out); err != nil {
		t.Fatal(err)
	}
	return out
}

// text of many lines that all match "alpha".
func alphas(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, "alpha %d\n", i+1)
	}
	return b.String()
}

func TestBudgetIsACeiling(t *testing.T) {
	s := newSet(t, pipeline(), &Options{Threshold: 0.3, Budget: 100, MaxBudget: 200})
	docs := []object{{"id": "a", "text": alphas(300)}, {"id": strings.Repeat("long name ", 20), "text": alphas(40)}}
	tests := []struct {
		args object
		most int
	}{
		{object{}, 100}, {object{"max_tokens": 64}, 64}, {object{"max_tokens": 65}, 65}, {object{"max_tokens": 200}, 200}, {object{"max_tokens": 201}, 200},
		{object{"ratio": 1}, 200}, {object{"ratio": 0.1}, 68}, {object{"ratio": 0.9, "threshold": 0.2}, 200}, {object{"threshold": 0}, 100},
	}
	for _, tt := range tests {
		tt.args["instruction"], tt.args["documents"] = "alpha", docs
		out := structured[compressOut](t, call(t, s, CompressContext, argsOf(t, tt.args)))
		if n := tokenizer.Count(critictest.Tokenizer{}, out.Context); n > tt.most || n < tt.most/2 || n != out.TokensOut || !out.Truncated {
			t.Errorf("%v: %d tokens (%d by the answer) of %d, truncated: %v", tt.args["max_tokens"], n, out.TokensOut, tt.most, out.Truncated)
		}
	}
}

func TestNoteOnAHighBudget(t *testing.T) {
	s := newSet(t, pipeline(), &Options{Threshold: 0.3, MaxBudget: 200})
	res := call(t, s, CompressContext, argsOf(t, object{"instruction": "alpha", "max_tokens": 201, "documents": alphas(300)}))
	if !strings.Contains(res.Text, "max_tokens 201 is above the limit here, 200.") {
		t.Errorf("got %s", res.Text)
	}
}

// TestTruncated tells text that the budget left out from text that the threshold did.
func TestTruncated(t *testing.T) {
	s := newSet(t, pipeline(), &Options{Threshold: 0.3})
	for i, want := range []bool{false, true} {
		out := structured[compressOut](t, call(t, s, CompressContext, argsOf(t, object{"instruction": "alpha", "max_tokens": 150,
			"documents": alphas(20+100*i) + strings.Repeat("beta beta beta beta.\n", 20)})))
		if out.Truncated != want {
			t.Errorf("%d lines: truncated is %v", 20+100*i, out.Truncated)
		}
	}
}

func TestTruncatedUnit(t *testing.T) {
	s := newSet(t, pipelineOf(256), &Options{Threshold: 0.3})
	out := structured[compressOut](t, call(t, s, CompressContext, argsOf(t, object{"instruction": "alpha", "max_tokens": 64, "documents": strings.Repeat("alpha ", 100)})))
	if !out.Truncated || out.TokensOut != 64 || !strings.Contains(out.Note, "was cut") {
		t.Errorf("got %+v", out)
	}
}

func TestListing(t *testing.T) {
	got := listing("Units", []wire.Span{{Doc: 1, Start: 3, End: 9, Line: 2, Score: 0.5, Category: "a\nfact"}, {Line: 1, Score: 1}}, []sourceOut{{ID: "a"}, {ID: "b"}})
	if want := "\n\nUnits (score, source:line, bytes):\n0.5 b:2 3-9 a_fact\n1 a:1 0-0"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestSpansAndUnits(t *testing.T) {
	s := newSet(t, pipeline(), &Options{Threshold: 0.3})
	text := alphas(2) + strings.Repeat("beta beta beta beta.\n", 300)
	docs := []object{{"id": "none", "text": "gamma gamma gamma"}, {"id": "some", "text": text}}
	out := structured[compressOut](t, call(t, s, CompressContext, argsOf(t, object{"instruction": "alpha", "unit": "line", "response_format": "detailed", "explain": true, "documents": docs})))
	if len(out.Units) != mostUnits || len(out.Spans) == 0 {
		t.Fatalf("%d spans, %d units", len(out.Spans), len(out.Units))
	}
	for _, u := range append(out.Spans, out.Units...) {
		if id := out.Sources[u.Doc].ID; id == "some" && 1+strings.Count(text[:u.Start], "\n") != u.Line || id == "none" && u.Line != 1 {
			t.Fatalf("%+v is in %s", u, id)
		}
	}
	if got := text[out.Spans[0].Start:out.Spans[0].End]; out.Sources[out.Spans[0].Doc].ID != "some" || !strings.HasPrefix(text, got) {
		t.Errorf("the span is %q", got)
	}
	concise := structured[compressOut](t, call(t, s, CompressContext, argsOf(t, object{"instruction": "alpha", "documents": docs})))
	if concise.Spans != nil || concise.Units != nil || len(concise.Sources) != 1 || concise.Sources[0].ID != "some" {
		t.Errorf("a concise answer has %+v", concise)
	}
}

func TestDocumentNames(t *testing.T) {
	tests := []struct{ docs, want []core.Document }{
		{[]core.Document{{}, {ID: "a"}, {ID: "a"}, {ID: "a"}, {}}, []core.Document{{ID: "doc 1"}, {ID: "a"}, {ID: "a (2)"}, {ID: "a (3)"}, {ID: "doc 5"}}},
		{[]core.Document{{ID: "a (2)"}, {ID: "a"}, {ID: "a"}}, []core.Document{{ID: "a (2)"}, {ID: "a"}, {ID: "a (3)"}}},
		{[]core.Document{{ID: " a\nb\x00\u2028\xff "}}, []core.Document{{ID: "a_b___"}}},
		{[]core.Document{{ID: "f", FirstLine: 1}, {ID: "f", FirstLine: 9}, {ID: "f"}}, []core.Document{{ID: "f", FirstLine: 1}, {ID: "f", FirstLine: 9}, {ID: "f (2)"}}},
		{[]core.Document{{ID: strings.Repeat("é", 151)}}, []core.Document{{ID: strings.Repeat("é", 150)}}},
	}
	for _, tt := range tests {
		name(tt.docs)
		if !reflect.DeepEqual(tt.docs, tt.want) {
			t.Errorf("got %+v, want %+v", tt.docs, tt.want)
		}
	}
}

func TestManyEqualNames(t *testing.T) {
	docs := make([]core.Document, 20_000)
	for i := range docs {
		docs[i].ID = "same"
	}
	name(docs)
	if got := docs[19_999].ID; got != "same (20000)" {
		t.Errorf("got %q", got)
	}
}

func TestInputBytes(t *testing.T) {
	s := newSet(t, &recorder{}, &Options{MaxInputBytes: 10})
	for n, want := range map[int]bool{9: false, 10: false, 11: true} {
		res := call(t, s, CompressContext, argsOf(t, object{"instruction": "x", "documents": []string{"12345", strings.Repeat("x", n-5)}}))
		if res.IsError != want || want && !strings.HasPrefix(res.Text, "[too_large] the texts have 11 bytes. At most 10 are read at once.") {
			t.Errorf("%d bytes: %s", n, res.Text)
		}
	}
}

func TestHandles(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSet(t, &recorder{}, &Options{Store: store.New(&store.Options{MaxBytes: 1000, TTL: time.Minute})})
		ann := WithPrincipal(context.Background(), "ann")
		args := argsOf(t, object{"instruction": "x", "documents": []object{{"id": "dir/a b.md", "text": "one\ntwo"}, {"text": "three"}}})
		out := structured[compressOut](t, callAs(ann, t, s, CompressContext, args))
		if got := s.Handles(ann); len(got) != 1 || got[0] != out.Handle || out.Handle == "" {
			t.Fatalf("the answer has handle %q, the store %q", out.Handle, got)
		}
		if got := s.HandleSources(ann, out.Handle); !reflect.DeepEqual(got, []string{"dir/a b.md", "doc 2"}) {
			t.Errorf("its sources are %q", got)
		}
		uri := URI(out.Handle, "dir/a b.md")
		if want := "ctx://" + out.Handle + "/dir%2Fa%20b.md"; uri != want {
			t.Errorf("got URI %q, want %q", uri, want)
		}
		for _, uri := range []string{uri, "ctx://" + out.Handle + "/dir/a b.md"} {
			if o, err := s.Read(ann, uri); err != nil || o.Text != "one\ntwo" || o.MIMEType != "text/markdown; charset=utf-8" || o.URI != uri {
				t.Errorf("%s reads %+v, %v", uri, o, err)
			}
		}
		if _, err := s.Read(ann, URI(out.Handle, "")); err == nil || !strings.Contains(err.Error(), "holds several") {
			t.Errorf("a handle of two sources reads without error: %v", err)
		}

		if got := s.Handles(context.Background()); len(got) != 0 || s.HandleSources(context.Background(), out.Handle) != nil {
			t.Errorf("another principal sees %q", got)
		}
		if res := call(t, s, ExpandContext, argsOf(t, object{"handle": out.Handle})); !strings.HasPrefix(res.Text, "[not_found]") {
			t.Errorf("another principal gets %s", res.Text)
		}

		time.Sleep(time.Minute)
		res := callAs(ann, t, s, ExpandContext, argsOf(t, object{"handle": out.Handle, "source": "doc 2"}))
		if want := fmt.Sprintf("[expired_handle] handle %q is no longer kept. It held dir/a b.md, doc 2: read that again. Call compress_context again for a new handle.", out.Handle); res.Text != want {
			t.Errorf("got %s\nwant %s", res.Text, want)
		}
		out = structured[compressOut](t, callAs(ann, t, s, CompressContext, argsOf(t, object{"instruction": "x", "documents": strings.Repeat("too large for the store ", 50)})))
		if out.Handle != "" {
			t.Error("a handle of what is not kept")
		}
	})
}

func TestKeep(t *testing.T) {
	s := newSet(t, pipeline(), nil)
	docs := []core.Document{{Text: "one\ntwo\nthree"}}
	h, err := s.Keep(context.Background(), docs)
	if err != nil || docs[0].ID != "" {
		t.Fatalf("%v, %+v", err, docs)
	}
	if o, err := s.Read(context.Background(), URI(h, "")); err != nil || o.Text != docs[0].Text || o.MIMEType != "text/plain; charset=utf-8" {
		t.Errorf("%+v, %v", o, err)
	}
	if res := call(t, s, ExpandContext, argsOf(t, object{"handle": URI(h, ""), "lines": 2})); res.Text != "[doc 1:2]\ntwo" {
		t.Errorf("got %s", res.Text)
	}
}

func TestExpandLines(t *testing.T) {
	s := newSet(t, pipeline(), nil)
	h, err := s.Keep(context.Background(), []core.Document{{ID: "b.txt", Text: "one\n\ntwo", FirstLine: 10}, {ID: "a.txt", Text: "1\n2\n3\n4\n5\n6\n"}, {ID: "b.txt", Text: "three\n", FirstLine: 20}})
	if err != nil {
		t.Fatal(err)
	}
	if got := s.HandleSources(context.Background(), h); !reflect.DeepEqual(got, []string{"b.txt", "a.txt"}) {
		t.Errorf("the sources are %q", got)
	}
	tests := []struct{ source, lines, want string }{
		{"a.txt", "2-3", "[a.txt:2-3]\n2\n3"},
		{"a.txt", "2", "[a.txt:2]\n2"},
		{"a.txt", "L2-L3", "[a.txt:2-3]\n2\n3"},
		{"a.txt", "lines 2–3", "[a.txt:2-3]\n2\n3"},
		{"a.txt", "2 to 3", "[a.txt:2-3]\n2\n3"},
		{"a.txt", "5-", "[a.txt:5-6]\n5\n6"},
		{"a.txt", "6-900", "[a.txt:6]\n6"},
		{"a.txt", "5,1-2", "[a.txt:1-2]\n1\n2\n\n[a.txt:5]\n5"},
		{"a.txt", "1-2,2-3,4", "[a.txt:1-4]\n1\n2\n3\n4"},
		{"a.txt", "1,3,…", "[a.txt:1]\n1\n\n[a.txt:3]\n3"},
		{"a.txt", "", "[a.txt:1-6]\n1\n2\n3\n4\n5\n6"},
		{"[a.txt:2-3]", "", "[a.txt:2-3]\n2\n3"},
		{"a.txt:2-3", "4", "[a.txt:4]\n4"},
		{"b.txt", "11-20", "[b.txt:11-12]\n\ntwo\n\n[b.txt:20]\nthree"},
		{"b.txt", "", "[b.txt:10-12]\none\n\ntwo\n\n[b.txt:20]\nthree"},
		{"a.txt", "7", `[invalid_argument] "a.txt" has no lines "7". It has lines 1-6. Then call expand_context again.`},
		{"b.txt", "1-9", `[invalid_argument] "b.txt" has no lines "1-9". It has lines 10-12,20. Then call expand_context again.`},
		{"a.txt", "0-2", `[invalid_argument] "0-2" is no range of lines. Lines count from 1, the first comes first. Then call expand_context again.`},
		{"a.txt", "3-2", `[invalid_argument] "3-2" is no range of lines. Lines count from 1, the first comes first. Then call expand_context again.`},
		{"a.txt", "12345678901-2", `[invalid_argument] "12345678901-2" is no range of lines. Write START-END, as in 40-60. Then call expand_context again.`},
		{"", "1", `[invalid_argument] the handle holds several sources. Name one of them: b.txt, a.txt. Then call expand_context again.`},
		{"c.txt", "1", `[not_found] the handle holds no source "c.txt". It holds b.txt, a.txt. Then call expand_context again.`},
	}
	for _, tt := range tests {
		if res := call(t, s, ExpandContext, argsOf(t, object{"handle": h, "source": tt.source, "lines": tt.lines})); res.Text != tt.want {
			t.Errorf("%q, lines %q: got %q, want %q", tt.source, tt.lines, res.Text, tt.want)
		}
	}
}

// TestExpandReadsOn reads a source in pieces: together they are the source, and none exceeds the limit.
func TestExpandReadsOn(t *testing.T) {
	s := newSet(t, pipeline(), nil)
	r := rand.New(rand.NewPCG(1, 2))
	var b strings.Builder
	for range 400 {
		b.WriteString(strings.Repeat("wörd ", r.IntN(12)) + "\n")
	}
	h, err := s.Keep(context.Background(), []core.Document{{ID: "doc", Text: b.String()}})
	if err != nil {
		t.Fatal(err)
	}
	all, lines := "", "1-"
	for lines != "" {
		out := structured[expandOut](t, call(t, s, ExpandContext, argsOf(t, object{"handle": h, "lines": lines, "max_tokens": 100})))
		if n := tokenizer.Count(critictest.Tokenizer{}, out.Context); n > 100 || n != out.TokensOut {
			t.Fatalf("%d tokens, %d by the answer", n, out.TokensOut)
		}
		_, body, _ := strings.Cut(out.Context, "]\n")
		all += body + "\n"
		_, lines, _ = strings.Cut(out.Note, `go on with lines "`)
		if lines, _, _ = strings.Cut(lines, `"`); (lines != "") != out.Truncated {
			t.Fatalf("truncated is %v, the note is %q", out.Truncated, out.Note)
		}
	}
	if all != b.String() {
		t.Errorf("the pieces have %d bytes, the source %d", len(all), b.Len())
	}
}

func TestExpandOneLongLine(t *testing.T) {
	s := newSet(t, pipeline(), nil)
	line := strings.Repeat("é,", 100_000)
	h, err := s.Keep(context.Background(), []core.Document{{ID: "min.js", Text: line + "\nend\n"}})
	if err != nil {
		t.Fatal(err)
	}
	res := call(t, s, ExpandContext, argsOf(t, object{"handle": h, "max_tokens": 64}))
	out := structured[expandOut](t, res)
	_, body, _ := strings.Cut(out.Context, "]\n")
	if out.TokensOut != 64 || !utf8.ValidString(body) || !strings.HasPrefix(line, body) || !out.Truncated {
		t.Errorf("got %q, %d tokens", body, out.TokensOut)
	}
	if want := `The last line is longer than max_tokens and was cut: search it with query. max_tokens 64 is reached: go on with lines "2".`; out.Note != want {
		t.Errorf("got note %q, want %q", out.Note, want)
	}
}

func TestFailures(t *testing.T) {
	args := argsOf(t, object{"instruction": "x", "documents": "t"})
	cancelled, cancel := context.WithCancel(context.Background())
	cancel()
	late, cancel := context.WithDeadline(context.Background(), time.Unix(0, 0))
	defer cancel()
	tests := []struct {
		name string
		ctx  context.Context
		err  error
		want string // of the result; else an error
	}{
		{"critic", context.Background(), &core.Error{Code: core.CodeCriticFailed, Message: "no weights", Hint: "install them"},
			"[critic_failed] no weights. Install them. Call compress_context once more; if it fails again, go on without it and tell the user."},
		{"deadline", late, &core.Error{Code: core.CodeDeadline, Message: "nothing was read", Hint: "allow more time"},
			"[deadline] nothing was read. Allow more time. Call compress_context again with less text: fewer files, or lines as in app.log:1-2000."},
		{"pins", context.Background(), &core.Error{Code: core.CodePinsExceed, Message: "the pins do not fit", Hint: "pin less"},
			"[pins_exceed_budget] the pins do not fit. Pin less. Then call compress_context again."},
		{"cancelled", cancelled, nil, ""},
		{"cancelled, with a fault", cancelled, &core.Error{Code: core.CodeCriticFailed}, ""},
		{"ours", context.Background(), errors.New("a bug"), ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := newSet(t, &recorder{err: tt.err}, nil)
			res, err := s.Tools()[0].Call(tt.ctx, json.RawMessage(args), nil)
			switch {
			case tt.want != "":
				if err != nil || !res.IsError || res.Text != tt.want {
					t.Errorf("got %+v, %v; want %q", res, err, tt.want)
				}
			case tt.ctx.Err() != nil:
				if err != tt.ctx.Err() {
					t.Errorf("got %v, %v", res, err)
				}
			case err == nil || !strings.Contains(err.Error(), "tool compress_context: a bug"):
				t.Errorf("got %v, %v", res, err)
			}
		})
	}
}

// partial stops in the middle of its first document.
type partial struct{}

func (partial) Compress(_ context.Context, req core.Request) (*core.Result, error) {
	text := req.Documents[0].Text
	return &core.Result{Text: "kept", Status: core.Partial, Unread: []core.Span{{Doc: 0, Start: len(text) / 2, End: len(text)}}, Warnings: []string{"a warning"},
		Documents: []core.DocumentResult{{ID: req.Documents[0].ID}}, Stats: core.Stats{TokensIn: 20, TokensOut: 1}}, nil
}

func TestPartialSaysWhatWasNotRead(t *testing.T) {
	s := newSet(t, partial{}, nil)
	res := call(t, s, CompressContext, argsOf(t, object{"instruction": "x", "documents": []object{{"id": "a", "text": strings.Repeat("12345\n", 10)}}}))
	if want := "kept\n\n[cprs] Kept 1 of 20 tokens; the time limit stopped the reading: a:6-10 not read. Name these lines in paths for the rest. "; !strings.HasPrefix(res.Text, want) || !strings.HasSuffix(res.Text, " A warning.") {
		t.Errorf("got %q", res.Text)
	}
}

func TestProgressIsPassedOn(t *testing.T) {
	s := newSet(t, pipeline(), &Options{Threshold: 0.3})
	var done, total int64
	res, err := s.Tools()[0].Call(context.Background(), json.RawMessage(argsOf(t, object{"instruction": "alpha", "documents": alphas(500)})), func(d, n int64) {
		if d < done {
			t.Errorf("%d after %d", d, done)
		}
		done, total = d, n
	})
	if err != nil || res.IsError || done == 0 || done != total {
		t.Errorf("%v, %d of %d", err, done, total)
	}
}

func TestSkippedFilesAreReported(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{".gitignore": "*.tmp\n", "a.md": "alpha", "x.tmp": "x", "b.bin": "\x00", "c.bin": "\x00", "d.bin": "\x00", "e.bin": "\x00", "f.bin": "\x00", "g\nh.bin": "\x00"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	s := newSet(t, pipeline(), &Options{Sources: roots(t, dir)})
	want := "b.bin, c.bin, d.bin, e.bin, f.bin, 1 more (no text)"
	for tool, args := range map[string]string{CompressContext: `{"instruction":"x","paths":["."]}`, ListSources: `{}`} {
		res := call(t, s, tool, args)
		if !strings.Contains(res.Text, want) || !strings.Contains(res.Text, "x.tmp (ignored by .gitignore)") || !strings.Contains(string(res.Structured), want) {
			t.Errorf("%s: %s", tool, res.Text)
		}
	}
}

func TestListIsBounded(t *testing.T) {
	dir := t.TempDir()
	for i := range mostFiles + 1 {
		if err := os.WriteFile(filepath.Join(dir, fmt.Sprintf("%03d.txt", i)), []byte("12345"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	s := newSet(t, &recorder{}, &Options{Sources: roots(t, dir)})
	out := structured[listOut](t, call(t, s, ListSources, ""))
	if len(out.Sources) != mostFiles || !out.Truncated || out.Sources[0] != (fileOut{"000.txt", 5, 2}) {
		t.Errorf("%d files, truncated: %v", len(out.Sources), out.Truncated)
	}
	out = structured[listOut](t, call(t, s, ListSources, `{"pattern":"0*.txt"}`))
	if len(out.Sources) != 100 || out.Truncated {
		t.Errorf("%d files, truncated: %v", len(out.Sources), out.Truncated)
	}
}

func TestConcurrentCalls(t *testing.T) {
	s := newSet(t, pipeline(), &Options{Sources: roots(t, "testdata/root"), Threshold: 0.3, Store: store.New(&store.Options{MaxBytes: 20_000})})
	var want sync.Map
	var wg sync.WaitGroup
	for w := range 8 {
		wg.Go(func() {
			ctx := WithPrincipal(context.Background(), fmt.Sprint(w%2))
			for i := range 20 {
				res := callAs(ctx, t, s, CompressContext, argsOf(t, object{"instruction": "notice", "paths": []string{"."}, "documents": alphas(1 + i%5)}))
				out := structured[compressOut](t, res)
				if first, loaded := want.LoadOrStore(i%5, out.Context); loaded && first != out.Context {
					t.Errorf("two answers to one question:\n%s\n%s", first, out.Context)
				}
				callAs(ctx, t, s, ExpandContext, argsOf(t, object{"handle": out.Handle, "source": "contract.md", "lines": "1-3"})) // it may be gone already
				callAs(ctx, t, s, ListSources, `{}`)
			}
		})
	}
	wg.Wait()
}
