package prompt

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/cprs-go/cprs/core/tokenizer"
)

// ErrHeaderTooLong is wrapped by errors about an instruction and query that leave a window too little room for text.
var ErrHeaderTooLong = errors.New("instruction and query are too long for the window")

// ChatMLOptions set up a ChatML layout.
type ChatMLOptions struct {
	WindowTokens int // most ids of a row: header and text
	// Categorise has headers carry the categories that an instruction names, as in "tag the needles with 'needle'", and those of
	// Categories after them.
	Categorise bool
	Categories []string
}

// ChatML is the layout of the hybrid critic, which reads header and window in one row (paper, section 3; released code):
//
//	<|im_start|>system\n INSTRUCTION <|im_end|>\n<|im_start|>user\n QUERY <|im_end|>\n<|im_start|>context\n TEXT
//
// The control tokens are ids; whatever looks like them in the instruction, the query or the text stays plain text.
type ChatML struct {
	tok        Vocabulary
	opt        ChatMLOptions
	start, end int32 // <|im_start|>, <|im_end|>
	outside    int32 // the first token of the word for what belongs to no category
}

// Vocabulary is a tokenizer that knows its tokens by name.
type Vocabulary interface {
	tokenizer.Tokenizer
	ID(token string) (id int32, ok bool)
}

// Outside is the word of the vocabulary for what belongs to no category.
const Outside = "outside"

// minText is the least number of ids of a window that are left to the text.
const minText = 16

// QuestionPrompt is the instruction of a request that has none: it goes with a question. A request with an instruction alone asks it as
// the question.
const QuestionPrompt = "You are an expert for information extraction. Extract the sentences of the context that are supporting facts for the user's question.\n" +
	"## tagging rule:\n- tag the supporting facts with 'fact'"

// NewChatML lays out rows with the tokens of tok. It fails if tok lacks the control tokens.
func NewChatML(tok Vocabulary, opt ChatMLOptions) (*ChatML, error) {
	c := &ChatML{tok: tok, opt: opt}
	for token, id := range map[string]*int32{"<|im_start|>": &c.start, "<|im_end|>": &c.end} {
		var ok bool
		if *id, ok = tok.ID(token); !ok {
			return nil, fmt.Errorf("the tokenizer has no token %q", token)
		}
	}
	c.outside = c.ids(Outside)[0]
	return c, nil
}

// WindowTokens is the most ids of a row.
func (c *ChatML) WindowTokens() int { return c.opt.WindowTokens }

// Frame is empty: the header opens every row, and nothing closes it.
func (c *ChatML) Frame(string) (before, after []int32) { return nil, nil }

// Header lays out instruction and query. Nothing is ever left out: it fails with ErrHeaderTooLong instead.
func (c *ChatML) Header(instruction, query string) (*Header, error) {
	switch {
	case query == "":
		instruction, query = QuestionPrompt, instruction
	case instruction == "":
		instruction = QuestionPrompt
	}
	h := &Header{InRow: true, IDs: c.Turns(instruction, query)}
	if len(h.IDs)+minText > c.opt.WindowTokens {
		return nil, fmt.Errorf("%w: they take %d of its %d tokens, and %d are for the text", ErrHeaderTooLong, len(h.IDs), c.opt.WindowTokens, minText)
	}
	return h, c.categorise(h, instruction)
}

// Turns are the ids of the header for these very texts, either of which may be empty.
func (c *ChatML) Turns(system, user string) []int32 {
	var ids []int32
	for _, turn := range []string{"system\n" + system, "user\n" + user} {
		ids = append(append(ids, c.start), c.ids(turn)...)
		ids = append(append(ids, c.end), c.ids("\n")...)
	}
	return append(append(ids, c.start), c.ids("context\n")...)
}

// tagWord finds the word in "tag the needles with 'needle'".
var tagWord = regexp.MustCompile(`(?i)\btag\b[^\n]*?\bwith\s+['"‘“]([^'"’”\n]+)['"’”]`)

// categorise fills the categories of h. Each is known by the first token of its word, so two must not share it.
func (c *ChatML) categorise(h *Header, instruction string) error {
	if !c.opt.Categorise {
		return nil
	}
	var words []string
	for _, m := range tagWord.FindAllStringSubmatch(instruction, -1) {
		words = append(words, strings.TrimSpace(m[1]))
	}
	taken := map[int32]string{c.outside: Outside}
	for _, word := range append(words, c.opt.Categories...) {
		if word == "" || slices.ContainsFunc(h.Categories, func(k Category) bool { return k.Name == word }) {
			continue
		}
		id := c.ids(word)[0]
		if other, ok := taken[id]; ok {
			return fmt.Errorf("the categories %q and %q begin with the same token", other, word)
		}
		taken[id] = word
		h.Categories = append(h.Categories, Category{word, id})
	}
	if len(h.Categories) > 0 {
		h.Outside = c.outside
	}
	return nil
}

func (c *ChatML) ids(text string) []int32 {
	var e tokenizer.Encoding
	c.tok.Encode(&e, text)
	return e.IDs
}
