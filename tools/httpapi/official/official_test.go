package official

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/cprs-go/cprs/core"
	"github.com/cprs-go/cprs/core/compat"
	"github.com/cprs-go/cprs/core/engine"
	"github.com/cprs-go/cprs/core/label"
	"github.com/cprs-go/cprs/core/span"
	"github.com/cprs-go/cprs/tools/httpapi"
)

// compressor is a Compressor made of a function.
type compressor func(ctx context.Context, req core.Request) (*core.Result, error)

func (f compressor) Compress(ctx context.Context, req core.Request) (*core.Result, error) {
	return f(ctx, req)
}

// keep is a Compressor that keeps the parts of a text that are named.
func keep(parts ...string) core.Compressor {
	return compressor(func(_ context.Context, req core.Request) (*core.Result, error) {
		if err := core.Check(&req); err != nil {
			return nil, err
		}
		res := &core.Result{Stats: core.Stats{TokensIn: 10, TokensOut: 5}}
		at := 0
		for _, p := range parts {
			i := strings.Index(req.Documents[0].Text[at:], p)
			if i < 0 {
				continue
			}
			at += i
			res.Spans = append(res.Spans, core.Span{Start: at, End: at + len(p)})
			at += len(p)
		}
		return res, nil
	})
}

// posted is a request for a context with parameters in JSON.
func posted(t testing.TB, context, parameters string) string {
	t.Helper()
	text, err := json.Marshal(context)
	if err != nil {
		t.Fatal(err)
	}
	return `{"header":{"request_id":"a"},"payload":{"input":{"messages":[{"role":"system","content":"p"},{"role":"user","content":"q"},{"role":"context","content":` +
		string(text) + `}]},"parameters":` + parameters + `}}`
}

// send posts to an endpoint of c.
func send(t testing.TB, c core.Compressor, opts *Options, body string) (int, string) {
	t.Helper()
	w := httptest.NewRecorder()
	New(c, opts).ServeHTTP(w, httptest.NewRequest(http.MethodPost, Path, strings.NewReader(body)))
	return w.Code, w.Body.String()
}

// TestItems: offsets count code points, an item is the text between its offsets, marks alone are no item, and short items go where they
// are not wanted.
func TestItems(t *testing.T) {
	const text = "\U0001F600 é\u0301 first. \n 中文，第二。 x ，。 third\t"
	c := keep(" é\u0301 first. \n ", "中文，第二。", "x", "，。", " third\t")
	words := func(s string) int { return len(strings.Fields(s)) }
	for parameters, want := range map[string]string{
		`{}`:                     `["é\u0301 first.","中文，第二。","x","third"]`,
		`{"return_offset":true}`: `[["é\u0301 first.",2,11],["中文，第二。",14,20],["x",21,22],["third",26,31]]`,
		`{"return_offset":true,"min_keyword_len":2}`:                              `[["é\u0301 first.",2,11]]`,
		`{"min_keyword_len":1,"complete_sentence":true}`:                          `["é\u0301 first.","中文，第二。","x","third"]`,
		`{"batch_size":9,"chunk_size":"any","split_with_sent":false,"other":[1]}`: `["é\u0301 first.","中文，第二。","x","third"]`,
	} {
		status, answer := send(t, c, &Options{CountTokens: words}, posted(t, text, parameters))
		var got struct {
			Payload struct{ Output struct{ Text any } }
		}
		var wanted any
		if err := errors.Join(json.Unmarshal([]byte(answer), &got), json.Unmarshal([]byte(want), &wanted)); err != nil || status != 200 || !reflect.DeepEqual(got.Payload.Output.Text, wanted) {
			t.Errorf("%s: %d %s %v", parameters, status, answer, err)
		}
		if strings.Contains(answer, "messages") {
			t.Error("the request comes back")
		}
	}
}

// TestPartial says what was not read, in code points.
func TestPartial(t *testing.T) {
	c := compressor(func(_ context.Context, req core.Request) (*core.Result, error) {
		return &core.Result{Status: core.Partial, Unread: []core.Span{{Start: 3, End: 6}}, Warnings: []string{"mind the gap"}}, nil
	})
	if _, answer := send(t, c, nil, posted(t, "中文字", `{}`)); !strings.Contains(answer, `"output":{"text":[],"status":"partial","unread":[[1,2]],"warnings":["mind the gap"]}`) {
		t.Error(answer)
	}
}

// TestBounds hands bounds and unit on.
func TestBounds(t *testing.T) {
	var got core.Request
	c := compressor(func(_ context.Context, req core.Request) (*core.Result, error) {
		got = req
		return new(core.Result), nil
	})
	send(t, c, nil, posted(t, "text", `{"max_tokens":7,"threshold":0.25,"complete_sentence":true}`))
	want := core.Request{Instruction: "p", Query: "q", Unit: core.UnitSentence, Budget: core.Budget{MaxTokens: 7, Threshold: 0.25},
		Documents: []core.Document{{ID: "context", Text: "text"}}, NoLabels: true, Gap: core.GapNone}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v", got)
	}
}

// TestRefusals: codes in the header are those of the released server, HTTP has its own.
func TestRefusals(t *testing.T) {
	ok := posted(t, "text", `{}`)
	fails := func(code core.Code) core.Compressor {
		return compressor(func(context.Context, core.Request) (*core.Result, error) {
			return nil, &core.Error{Code: code, Message: "wrong"}
		})
	}
	for _, c := range []struct {
		body         string
		c            core.Compressor
		status, code int
		name         string
	}{
		{``, nil, 400, 440, "SchemaError"},
		{`{}`, nil, 400, 440, "SchemaError"},
		{`null`, nil, 400, 440, "SchemaError"},
		{"{\"\xff\":1}", nil, 400, 440, "SchemaError"},
		{ok + "x", nil, 400, 440, "SchemaError"},
		{strings.Replace(ok, `"user"`, `"system"`, 1), nil, 400, 440, "SchemaError"},
		{strings.Replace(ok, `"content":"q"`, `"content":7`, 1), nil, 400, 440, "SchemaError"},
		{strings.Replace(ok, `"content":"q"`, `"contents":"q"`, 1), nil, 400, 440, "SchemaError"},
		{strings.Replace(ok, `{"role":"user","content":"q"},`, ``, 1), nil, 400, 440, "SchemaError"},
		{posted(t, "text", `[]`), nil, 400, 440, "SchemaError"},
		{posted(t, "text", `{"batch_size":1.5}`), nil, 400, 440, "SchemaError"},
		{posted(t, "text", `{"batch_size":0}`), nil, 422, 400, "InvalidInputError"},
		{posted(t, "text", `{"min_keyword_len":-1}`), nil, 422, 400, "InvalidInputError"},
		{posted(t, "text", `{"max_tokens":0}`), nil, 422, 400, "InvalidInputError"},
		{posted(t, "text", `{"ratio":0}`), nil, 422, 400, "InvalidInputError"},
		{posted(t, "text", `{"ratio":2}`), nil, 422, 400, "InvalidInputError"},
		{posted(t, "text", `{"compat":true}`), nil, 422, 400, "InvalidInputError"},
		{posted(t, "text", `{"compat":true,"ratio":1}`), nil, 422, 400, "InvalidInputError"},
		{ok, fails(core.CodeTooLarge), 413, 400, "InvalidInputError"},
		{ok, fails(httpapi.CodeBusy), 429, 500, "BackendError"},
		{ok, fails(core.CodeDeadline), 504, 500, "BackendError"},
		{ok, fails(core.CodeCriticFailed), 500, 500, "BackendError"},
		{ok, fails("unheard of"), 500, 500, "InternalError"},
	} {
		if c.c == nil {
			c.c = keep()
		}
		status, answer := send(t, c.c, nil, c.body)
		var got struct {
			Header struct {
				Code     int    `json:"status_code"`
				Name     string `json:"status_name"`
				Message  string `json:"status_message"`
				Finished bool
			}
			Payload any
			Error   struct{ Code, Message string }
		}
		if err := json.Unmarshal([]byte(answer), &got); err != nil || status != c.status || got.Header.Code != c.code || got.Header.Name != c.name ||
			got.Header.Message == "" || got.Header.Message != got.Error.Message || got.Error.Code == "" || got.Payload != nil || got.Header.Finished {
			t.Errorf("%.200s: %d %s %v", c.body, status, answer, err)
		}
	}
}

// TestReleased: with compat the released code's own result is the answer, with its defaults and its failures.
func TestReleased(t *testing.T) {
	var got compat.Request
	opts := &Options{Released: func(_ context.Context, req compat.Request) (*compat.Response, error) {
		got = req
		if req.Parameters.BatchSize > 1 {
			return nil, fmt.Errorf("wrapped: %w", compat.ErrBatchSize)
		}
		return &compat.Response{Spans: []label.CompatSpan{{Text: "x", Start: 0, End: 3}}, InputTokens: 12}, nil
	}}
	status, answer := send(t, keep(), opts, posted(t, "text", `{"compat":true,"return_offset":true}`))
	if want := (compat.Request{System: "p", User: "q", Context: "text", Parameters: compat.DefaultParameters()}); status != 200 || got != want {
		t.Errorf("%d, got %+v", status, got)
	}
	if !strings.Contains(answer, `"output":{"text":[["x",0,3]],"status":"compressed"},"usage":{"input_tokens":12}}`) {
		t.Error(answer)
	}
	if status, answer := send(t, keep(), opts, posted(t, "text", `{"compat":true,"batch_size":2}`)); status != 422 || !strings.Contains(answer, compat.ErrBatchSize.Error()) {
		t.Error(status, answer)
	}
}

// serve starts an endpoint with the embedded critic.
func serve(t *testing.T) (url string) {
	t.Helper()
	e, err := engine.Open(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	srv := httptest.NewServer(httpapi.Harden(New(e, nil), nil))
	t.Cleanup(func() {
		srv.Close()
		if err := e.Close(); err != nil {
			t.Error(err)
		}
	})
	return srv.URL + Path
}

// document writes some of a contract with characters of all lengths between its paragraphs, and returns its path and text.
func document(t *testing.T) (path, text string) {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("..", "..", "..", "examples", "documents", "distributor-agreement.txt"))
	if err != nil {
		t.Fatal(err)
	}
	i := bytes.Index(data, []byte("13. TERM AND TERMINATION"))
	text = strings.ReplaceAll(string(data[i-2000:i+2000]), "\n\n", "\n\n\U0001F600 é中 ")
	path = filepath.Join(t.TempDir(), "context.txt")
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	return path, text
}

// TestPython runs a client in Python that knows the released server only.
func TestPython(t *testing.T) {
	python, err := exec.LookPath("python3")
	if err != nil {
		if os.Getenv("REQUIRE_PYTHON") == "1" {
			t.Fatal(err)
		}
		t.Skip("there is no python3")
	}
	path, _ := document(t)
	out, err := exec.CommandContext(t.Context(), python, filepath.Join("testdata", "client.py"), serve(t), path).CombinedOutput()
	if err != nil || !strings.HasSuffix(string(out), " items\n") {
		t.Errorf("%v: %s", err, out)
	}
}

// TestGo is the same in Go: what a client needs to know of the answer fits into a few lines.
func TestGo(t *testing.T) {
	_, text := document(t)
	res, err := http.Post(serve(t), "", strings.NewReader(strings.Replace(posted(t, text, `{"min_keyword_len":1,"complete_sentence":true,"batch_size":1,"chunk_size":8192,"return_offset":true}`), `"q"`, `"What does the contract say about termination?"`, 1)))
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	var got struct {
		Header  struct{ Status_code int }
		Payload struct{ Output struct{ Text [][3]any } }
	}
	if err := json.NewDecoder(res.Body).Decode(&got); err != nil || got.Header.Status_code != 200 || len(got.Payload.Output.Text) == 0 {
		t.Fatalf("%+v %v", got, err)
	}
	runes := []rune(text)
	for _, item := range got.Payload.Output.Text {
		if start, end := int(item[1].(float64)), int(item[2].(float64)); string(runes[start:end]) != item[0] {
			t.Errorf("%v is %q", item, string(runes[start:end]))
		}
	}
}

// FuzzOfficial: no body makes the endpoint fail; every item is the text between its offsets.
func FuzzOfficial(f *testing.F) {
	for _, body := range []string{"", "{}", "[]", posted(f, "中é\U0001F600 x", `{"return_offset":true}`), posted(f, "\x00", `{"min_keyword_len":2}`),
		posted(f, " \n", `{"compat":true}`), `{"payload":{"input":{"messages":[{},{},{}]}}}`, "\xff"} {
		f.Add([]byte(body), uint(1), uint(5))
	}
	f.Fuzz(func(t *testing.T, body []byte, from, to uint) {
		text := ""
		c := compressor(func(_ context.Context, req core.Request) (*core.Result, error) {
			if err := core.Check(&req); err != nil {
				return nil, err
			}
			text = req.Documents[0].Text
			r := span.Range{Start: min(int(from%1000), len(text)), End: min(int(to%1000), len(text))}
			for r.Start > 0 && r.Start < len(text) && !utf8.RuneStart(text[r.Start]) {
				r.Start--
			}
			for r.End < len(text) && !utf8.RuneStart(text[r.End]) {
				r.End++
			}
			if r.Start >= r.End {
				return new(core.Result), nil
			}
			return &core.Result{Spans: []core.Span{{Start: r.Start, End: r.End}}, Unread: []core.Span{{Start: r.End, End: len(text)}}}, nil
		})
		status, answer := send(t, c, nil, string(body))
		var got struct {
			Header  struct{ Status_code int }
			Payload struct {
				Output struct{ Text []json.RawMessage }
			}
			Error any
		}
		if err := json.Unmarshal([]byte(answer), &got); err != nil || status >= 500 || (status == 200) != (got.Header.Status_code == 200) || (status == 200) == (got.Error != nil) {
			t.Fatalf("%d %s %v", status, answer, err)
		}
		runes := []rune(text)
		for _, raw := range got.Payload.Output.Text {
			var item []any
			if json.Unmarshal(raw, &item) != nil {
				continue // no offsets were asked for
			}
			if got := string(runes[int(item[1].(float64)):int(item[2].(float64))]); got != item[0] {
				t.Fatalf("%s is %q", raw, got)
			}
		}
	})
}
