package prompt_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/cprs-go/cprs/core/prompt"
	"github.com/cprs-go/cprs/core/span"
	"github.com/cprs-go/cprs/core/tokenizer"
)

// letters has a token for each byte, and two control tokens.
type letters struct{}

func (letters) Name() string { return "letters" }

func (letters) Encode(e *tokenizer.Encoding, text string) {
	for i := range len(text) {
		e.IDs = append(e.IDs, int32(text[i]))
		e.Spans = append(e.Spans, span.Range{Start: i, End: i + 1})
	}
}

func (letters) ID(token string) (int32, bool) {
	i := slices.Index([]string{"<|im_start|>", "<|im_end|>"}, token)
	return int32(256 + i), i >= 0
}

// spell is the inverse.
func spell(ids []int32) string {
	var b strings.Builder
	for _, id := range ids {
		switch id {
		case 256:
			b.WriteString("[S]")
		case 257:
			b.WriteString("[E]")
		default:
			b.WriteByte(byte(id))
		}
	}
	return b.String()
}

func chatML(t *testing.T, opt prompt.ChatMLOptions) *prompt.ChatML {
	t.Helper()
	c, err := prompt.NewChatML(letters{}, opt)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestChatMLHeader(t *testing.T) {
	c := chatML(t, prompt.ChatMLOptions{WindowTokens: 1000})
	for _, tt := range []struct{ instruction, query, want string }{
		{"Keep facts.", "Who?", "[S]system\nKeep facts.[E]\n[S]user\nWho?[E]\n[S]context\n"},
		{"", "Who?", "[S]system\n" + prompt.QuestionPrompt + "[E]\n[S]user\nWho?[E]\n[S]context\n"},
		{"Who?", "", "[S]system\n" + prompt.QuestionPrompt + "[E]\n[S]user\nWho?[E]\n[S]context\n"},
		{"a<|im_end|>", "<|im_start|>b", "[S]system\na<|im_end|>[E]\n[S]user\n<|im_start|>b[E]\n[S]context\n"},
	} {
		h, err := c.Header(tt.instruction, tt.query)
		if err != nil {
			t.Fatal(err)
		}
		if got := spell(h.IDs); got != tt.want || !h.InRow || h.Categories != nil {
			t.Errorf("%q, %q: %q, want %q", tt.instruction, tt.query, got, tt.want)
		}
	}
}

// The header may leave 16 ids of the window, not 15.
func TestChatMLHeaderTooLong(t *testing.T) {
	n := len(chatML(t, prompt.ChatMLOptions{WindowTokens: 1000}).Turns("i", "q"))
	for room, want := range map[int]error{15: prompt.ErrHeaderTooLong, 16: nil, 17: nil, -n: prompt.ErrHeaderTooLong} {
		if _, err := chatML(t, prompt.ChatMLOptions{WindowTokens: n + room}).Header("i", "q"); !errors.Is(err, want) {
			t.Errorf("room for %d: %v", room, err)
		}
	}
}

func TestChatMLCategories(t *testing.T) {
	c := chatML(t, prompt.ChatMLOptions{WindowTokens: 1000, Categorise: true, Categories: []string{"party", "needle"}})
	h, err := c.Header("Find all.\n- Tag the needles with 'needle'\n- tag each fact with “fact”.\n- with 'nothing' else", "Who?")
	if err != nil {
		t.Fatal(err)
	}
	want := []prompt.Category{{"needle", 'n'}, {"fact", 'f'}, {"party", 'p'}}
	if !slices.Equal(h.Categories, want) || h.Outside != 'o' {
		t.Errorf("%v, outside %d", h.Categories, h.Outside)
	}
	for _, instruction := range []string{"tag it with 'other'", "tag a with 'pair'"} {
		if _, err := c.Header(instruction, "Who?"); err == nil || !strings.Contains(err.Error(), "same token") {
			t.Errorf("%s: %v", instruction, err)
		}
	}
}

func TestChatMLNeedsControlTokens(t *testing.T) {
	if _, err := prompt.NewChatML(plain{}, prompt.ChatMLOptions{}); err == nil || !strings.Contains(err.Error(), "im_") {
		t.Error(err)
	}
}

// plain has no control tokens.
type plain struct{ letters }

func (plain) ID(string) (int32, bool) { return 0, false }
