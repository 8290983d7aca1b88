//go:build rust

package rust

import (
	"encoding/json"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/daulet/tokenizers"

	"github.com/cprs-go/cprs/core/span"
	"github.com/cprs-go/cprs/core/tokenizer"
)

// Tokenizer implements tokenizer.Tokenizer. Its spans are the reference's: of a rune that normalisation put together, the first of its runes
// alone. A NUL, which the library takes for the end of a text, and a byte that is no UTF-8 count as U+FFFD.
type Tokenizer struct {
	name string
	t    *tokenizers.Tokenizer
}

var _ tokenizer.Tokenizer = (*Tokenizer)(nil)

// Parse reads a tokenizer.json. Truncation and padding, which the library would apply, are left out, and text is never searched for
// control tokens. The caller closes the tokenizer.
func Parse(tokenizerJSON []byte) (*Tokenizer, error) {
	var file map[string]json.RawMessage
	if err := json.Unmarshal(tokenizerJSON, &file); err != nil {
		return nil, fmt.Errorf("reading tokenizer.json: %w", err)
	}
	for _, part := range []string{"truncation", "padding", "post_processor"} {
		file[part] = json.RawMessage("null")
	}
	text, err := json.Marshal(file)
	if err != nil {
		return nil, fmt.Errorf("reading tokenizer.json: %w", err)
	}
	t, err := tokenizers.FromBytes(text, tokenizers.WithEncodeSpecialTokens())
	if err != nil {
		return nil, fmt.Errorf("reading tokenizer.json: %w", err)
	}
	return &Tokenizer{fmt.Sprintf("rust-%d", t.VocabSize()), t}, nil
}

// Close gives the memory of the library back.
func (t *Tokenizer) Close() error { return t.t.Close() }

// Name is for example "rust-151646".
func (t *Tokenizer) Name() string { return t.name }

// Encode implements tokenizer.Tokenizer.
func (t *Tokenizer) Encode(e *tokenizer.Encoding, text string) {
	clean, source := replaced(text)
	got := t.t.EncodeWithOptions(clean, false, tokenizers.WithReturnOffsets())
	for i, id := range got.IDs {
		s := span.Range{Start: int(got.Offsets[i][0]), End: int(got.Offsets[i][1])}
		if source != nil {
			s = span.Range{Start: source[s.Start], End: source[s.End]}
		}
		e.IDs = append(e.IDs, int32(id))
		e.Spans = append(e.Spans, s)
	}
}

// replaced is text with U+FFFD for what the library cannot take, and where each of its bytes comes from; nil if nothing was replaced.
func replaced(text string) (clean string, source []int) {
	if utf8.ValidString(text) && !strings.Contains(text, "\x00") {
		return text, nil
	}
	var b strings.Builder
	for i, r := range text {
		if r == 0 {
			r = utf8.RuneError
		}
		for range utf8.RuneLen(r) {
			source = append(source, i)
		}
		b.WriteRune(r)
	}
	return b.String(), append(source, len(text))
}
