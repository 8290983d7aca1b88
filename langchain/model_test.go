package langchain_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"reflect"
	"strings"
	"testing"

	"github.com/tmc/langchaingo/llms"
	"github.com/tmc/langchaingo/llms/openai"

	"github.com/cprs-go/cprs/langchain"
)

func text(role llms.ChatMessageType, parts ...string) llms.MessageContent {
	return llms.TextParts(role, parts...)
}

var (
	filler = strings.Repeat("Dogs bark at night. Stones are hard. ", 30)
	long   = filler + "My locker code is 7731. " + filler
)

// dialogue has every kind of part; index 3 is a result of a tool, index 4 an old answer.
func dialogue() []llms.MessageContent {
	return []llms.MessageContent{
		text(llms.ChatMessageTypeSystem, "Be kind. "+filler),
		{Role: llms.ChatMessageTypeHuman, Parts: []llms.ContentPart{llms.TextPart(long), llms.ImageURLPart("http://a/b.png"), llms.BinaryPart("image/png", []byte{1})}},
		{Role: llms.ChatMessageTypeAI, Parts: []llms.ContentPart{llms.ToolCall{ID: "c1", Type: "function", FunctionCall: &llms.FunctionCall{Name: "look", Arguments: filler}}}},
		{Role: llms.ChatMessageTypeTool, Parts: []llms.ContentPart{llms.ToolCallResponse{ToolCallID: "c1", Name: "look", Content: long}}},
		text(llms.ChatMessageTypeAI, "Short.", filler),
		text(llms.ChatMessageTypeHuman, "What is my locker code? "+filler),
	}
}

func TestWrapModel(t *testing.T) {
	code := langchain.ContextWithQuery(context.Background(), "my locker code is")
	const shortCode = "My locker code is 7731."
	tests := []struct {
		name string
		ctx  context.Context
		opts []langchain.ModelOption
		want map[[2]int]string // texts that are not as they were, by message and part
	}{
		{"all that is old", code, nil, map[[2]int]string{{1, 0}: shortCode, {3, 0}: shortCode, {4, 1}: "[…]"}},
		{"two messages kept", code, []langchain.ModelOption{langchain.WithKeepLastMessages(2)}, map[[2]int]string{{1, 0}: shortCode, {3, 0}: shortCode}},
		{"all messages kept, not results", code, []langchain.ModelOption{langchain.WithKeepLastMessages(9)}, map[[2]int]string{{3, 0}: shortCode}},
		{"no results", code, []langchain.ModelOption{langchain.WithToolResults(false)}, map[[2]int]string{{1, 0}: shortCode, {4, 1}: "[…]"}},
		{"system too", code, []langchain.ModelOption{langchain.WithCompressSystem(true)}, map[[2]int]string{{0, 0}: "[…]", {1, 0}: shortCode, {3, 0}: shortCode, {4, 1}: "[…]"}},
		{"a query of the option", context.Background(), []langchain.ModelOption{langchain.WithQuery(func(_ context.Context, ms []llms.MessageContent) string {
			return fmt.Sprint("be kind ", len(ms))
		}), langchain.WithCompressSystem(true)}, map[[2]int]string{{0, 0}: "Be kind.", {1, 0}: "[…]", {3, 0}: "[…]", {4, 1}: "[…]"}},
		{"no query", context.Background(), []langchain.ModelOption{langchain.WithQuery(func(context.Context, []llms.MessageContent) string { return "" })}, nil},
		{"below the trigger", code, []langchain.ModelOption{langchain.WithTrigger(1 << 20)}, nil},
		{"within the budget", code, []langchain.ModelOption{langchain.WithBudget(1 << 20), langchain.WithMinScore(0)}, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			opts := append([]langchain.ModelOption{langchain.WithTrigger(500), langchain.WithBudget(200), langchain.WithMinScore(0.4), langchain.WithKeepLastMessages(0)}, tt.opts...)
			llm, messages, want := &model{}, dialogue(), dialogue()
			for at, s := range tt.want {
				switch p := want[at[0]].Parts[at[1]].(type) {
				case llms.TextContent:
					want[at[0]].Parts[at[1]] = llms.TextPart(s)
				case llms.ToolCallResponse:
					p.Content = s
					want[at[0]].Parts[at[1]] = p
				}
			}
			if _, err := langchain.WrapModel(llm, newCompressor(), opts...).GenerateContent(tt.ctx, messages, llms.WithMaxTokens(7)); err != nil {
				t.Fatal(err)
			}
			for i := range want {
				if !reflect.DeepEqual(llm.calls[0][i], want[i]) {
					t.Errorf("message %d is %q, want %q", i, llm.calls[0][i], want[i])
				}
			}
			if llm.options[0].MaxTokens != 7 {
				t.Error("call options are lost")
			}
			if !reflect.DeepEqual(messages, dialogue()) {
				t.Error("the input was modified")
			}
		})
	}
}

func TestWrapModelDefaults(t *testing.T) {
	llm, messages := &model{}, dialogue()
	messages[5] = text(llms.ChatMessageTypeHuman, "My locker code is?")
	m := langchain.WrapModel(llm, newCompressor(), langchain.WithTrigger(500))
	if _, err := m.GenerateContent(context.Background(), messages); err != nil {
		t.Fatal(err)
	}
	first, _ := llm.calls[0][1].Parts[0].(llms.TextContent)
	result, _ := llm.calls[0][3].Parts[0].(llms.ToolCallResponse)
	if n := count(first.Text) + count(result.Content); n > 250 || !strings.Contains(result.Content, "7731") {
		t.Errorf("the old texts have %d tokens of 250", n)
	}
	if !reflect.DeepEqual(llm.calls[0][4:], messages[4:]) {
		t.Error("the last messages were modified")
	}
}

// TestWrapModelKeepsCaches: a marked part stands for all before it.
func TestWrapModelKeepsCaches(t *testing.T) {
	llm, messages := &model{}, dialogue()
	messages[2].Parts = append(messages[2].Parts, llms.WithCacheControl(llms.TextPart(filler), &llms.CacheControl{Type: "ephemeral"}))
	m := langchain.WrapModel(llm, newCompressor(), langchain.WithTrigger(100), langchain.WithBudget(100), langchain.WithMinScore(0.4))
	if _, err := m.GenerateContent(context.Background(), messages); err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(llm.calls[0][:3], messages[:3]) {
		t.Error("cached content was modified")
	}
	if got := llm.calls[0][3].Parts[0].(llms.ToolCallResponse); got.Content == long || got.ToolCallID != "c1" || got.Name != "look" {
		t.Errorf("the result after it is %q", got)
	}
}

func TestWrapModelErrors(t *testing.T) {
	h, llm := &handler{}, &model{}
	m := langchain.WrapModel(llm, broken(), langchain.WithTrigger(100), langchain.WithCallbacks(h))
	if _, err := m.GenerateContent(context.Background(), dialogue()); err != nil || !reflect.DeepEqual(llm.calls[0], dialogue()) || len(h.errs) != 1 {
		t.Errorf("a broken critic gives %v and tells %v", err, h.errs)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := m.GenerateContent(ctx, dialogue()); !errors.Is(err, context.Canceled) {
		t.Errorf("a cancelled context gives %v", err)
	}
	//lint:ignore SA1019 the interface still has it
	if out, err := m.Call(context.Background(), "hi"); err != nil || out != "ok" {
		t.Errorf("Call gives %q, %v", out, err)
	}
	if _, err := m.GenerateContent(context.Background(), nil); err != nil {
		t.Error(err)
	}
}

type reasoner struct{ model }

func (*reasoner) SupportsReasoning() bool { return true }

func TestWrapModelReasons(t *testing.T) {
	if _, ok := langchain.WrapModel(&model{}, newCompressor()).(llms.ReasoningModel); ok {
		t.Error("a model that does not reason becomes one that does")
	}
	r, ok := langchain.WrapModel(&reasoner{}, newCompressor()).(llms.ReasoningModel)
	if !ok || !r.SupportsReasoning() {
		t.Error("a model that reasons is none any more")
	}
}

// endpoint is an OpenAI-compatible server that records the bodies it gets.
func endpoint(t *testing.T) (url string, bodies *[]map[string]any) {
	t.Helper()
	bodies = new([]map[string]any)
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		data, err := io.ReadAll(r.Body)
		var body map[string]any
		if err := errors.Join(err, json.Unmarshal(data, &body)); err != nil || r.URL.Path != "/chat/completions" {
			http.Error(w, fmt.Sprint(r.URL.Path, err), http.StatusBadRequest)
			return
		}
		*bodies = append(*bodies, body)
		if body["stream"] != true {
			fmt.Fprint(w, `{"choices":[{"index":0,"message":{"role":"assistant","content":"It is 7731."},"finish_reason":"stop"}]}`)
			return
		}
		w.Header().Set("Content-Type", "text/event-stream")
		for _, word := range []string{"It ", "is ", "7731."} {
			fmt.Fprintf(w, "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":%q}}]}\n\n", word)
		}
		fmt.Fprint(w, "data: {\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}\n\ndata: [DONE]\n\n")
	}))
	t.Cleanup(s.Close)
	return s.URL, bodies
}

func TestWrapModelOverOpenAI(t *testing.T) {
	url, bodies := endpoint(t)
	llm, err := openai.New(openai.WithBaseURL(url), openai.WithToken("none"), openai.WithModel("m"))
	if err != nil {
		t.Fatal(err)
	}
	messages := dialogue()
	messages[1].Parts = messages[1].Parts[:2] // the client refuses binary parts of this kind beside texts
	m := langchain.WrapModel(llm, newCompressor(), langchain.WithTrigger(500), langchain.WithBudget(200), langchain.WithMinScore(0.4))
	ctx := langchain.ContextWithQuery(context.Background(), "my locker code is")
	streamed := ""
	for _, options := range [][]llms.CallOption{nil, {llms.WithStreamingFunc(func(_ context.Context, chunk []byte) error {
		streamed += string(chunk)
		return nil
	})}} {
		res, err := m.GenerateContent(ctx, messages, options...)
		if err != nil || res.Choices[0].Content != "It is 7731." {
			t.Fatalf("%+v, %v", res, err)
		}
	}
	if streamed != "It is 7731." {
		t.Errorf("streamed %q", streamed)
	}
	for _, body := range *bodies {
		checkBody(t, body)
	}
	if _, err := langchain.WrapModel(mustOpenAI(t, url+"/nowhere"), newCompressor()).GenerateContent(ctx, messages); err == nil {
		t.Error("an error of the endpoint is lost")
	}
}

func mustOpenAI(t *testing.T, url string) llms.Model {
	t.Helper()
	llm, err := openai.New(openai.WithBaseURL(url), openai.WithToken("none"))
	if err != nil {
		t.Fatal(err)
	}
	return llm
}

// checkBody looks at what reached the endpoint: roles, the pair of tool call and result, what is short and what is as it was.
func checkBody(t *testing.T, body map[string]any) {
	t.Helper()
	var roles []string
	var messages []map[string]any
	for _, m := range body["messages"].([]any) {
		messages = append(messages, m.(map[string]any))
		roles = append(roles, m.(map[string]any)["role"].(string))
	}
	if want := []string{"system", "user", "assistant", "tool", "assistant", "user"}; !reflect.DeepEqual(roles, want) {
		t.Fatalf("roles are %q", roles)
	}
	calls, _ := messages[2]["tool_calls"].([]any)
	if len(calls) != 1 || calls[0].(map[string]any)["id"] != "c1" || messages[3]["tool_call_id"] != "c1" {
		t.Errorf("the call is %v, the result's id %v", messages[2], messages[3]["tool_call_id"])
	}
	if messages[3]["content"] != "My locker code is 7731." {
		t.Errorf("the result is %v", messages[3]["content"])
	}
	user, _ := json.Marshal(messages[1]["content"])
	if !strings.Contains(string(user), `"My locker code is 7731."`) || !strings.Contains(string(user), "http://a/b.png") || strings.Contains(string(user), "Dogs") {
		t.Errorf("the first message of the human is %s", user)
	}
	last, _ := json.Marshal(messages[5]["content"])
	if !strings.Contains(string(last), strings.TrimSpace(filler)) {
		t.Errorf("the last message of the human is %s", last)
	}
}
