package wordpiece

import (
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/cprs-go/cprs/core/tokenizer"
)

// file is what Parse reads of a tokenizer.json. Truncation, padding and templates are the caller's affair.
type file struct {
	Normalizer struct {
		Type         string `json:"type"`
		CleanText    *bool  `json:"clean_text"`
		Chinese      *bool  `json:"handle_chinese_chars"`
		StripAccents *bool  `json:"strip_accents"` // null: as lowercase
		Lowercase    *bool  `json:"lowercase"`
	} `json:"normalizer"`
	PreTokenizer struct {
		Type string `json:"type"`
	} `json:"pre_tokenizer"`
	Model struct {
		Type     string          `json:"type"`
		Unknown  string          `json:"unk_token"`
		Prefix   *string         `json:"continuing_subword_prefix"`
		MaxChars int             `json:"max_input_chars_per_word"`
		Vocab    json.RawMessage `json:"vocab"`
	} `json:"model"`
}

// Parse reads a tokenizer.json of Hugging Face whose model is WordPiece and whose normaliser and pre-tokeniser are BERT's. The
// vocabulary must number its tokens from 0 without a gap and hold [CLS], [SEP], [PAD] and the unknown token. Every error is a
// *tokenizer.FormatError.
func Parse(tokenizerJSON []byte) (*Tokenizer, error) {
	var f file
	if err := json.Unmarshal(tokenizerJSON, &f); err != nil {
		return nil, &tokenizer.FormatError{Field: "", Err: err}
	}
	if err := f.check(); err != nil {
		return nil, err
	}
	tokens, err := parseVocab(f.Model.Vocab)
	if err != nil {
		return nil, &tokenizer.FormatError{Field: "model.vocab", Err: err}
	}
	return f.tokenizer(tokens)
}

// check reports the first part of f that Parse cannot honour.
func (f *file) check() error {
	for _, part := range []struct{ field, got, want string }{
		{"model.type", f.Model.Type, "WordPiece"},
		{"normalizer.type", f.Normalizer.Type, "BertNormalizer"},
		{"pre_tokenizer.type", f.PreTokenizer.Type, "BertPreTokenizer"},
	} {
		if part.got != part.want {
			return &tokenizer.FormatError{Field: part.field, Err: fmt.Errorf("is %q, want %q", part.got, part.want)}
		}
	}
	for _, part := range []struct {
		field   string
		missing bool
	}{
		{"normalizer.clean_text", f.Normalizer.CleanText == nil},
		{"normalizer.handle_chinese_chars", f.Normalizer.Chinese == nil},
		{"normalizer.lowercase", f.Normalizer.Lowercase == nil},
		{"model.continuing_subword_prefix", f.Model.Prefix == nil},
		{"model.vocab", f.Model.Vocab == nil},
	} {
		if part.missing {
			return &tokenizer.FormatError{Field: part.field, Err: errors.New("is missing")}
		}
	}
	if f.Model.MaxChars < 1 {
		return &tokenizer.FormatError{Field: "model.max_input_chars_per_word", Err: fmt.Errorf("is %d, want at least 1", f.Model.MaxChars)}
	}
	return nil
}

// tokenizer builds the Tokenizer that f describes.
func (f *file) tokenizer(tokens []string) (*Tokenizer, error) {
	size := 0
	for _, token := range tokens {
		size += len(token)
	}
	vocab, err := newTrie(size)
	if err != nil {
		return nil, &tokenizer.FormatError{Field: "model.vocab", Err: err}
	}
	for id, token := range tokens {
		if err := vocab.add(token, int32(id)); err != nil {
			return nil, &tokenizer.FormatError{Field: "model.vocab", Err: err}
		}
	}
	t := &Tokenizer{tokens: tokens, vocab: vocab, maxChars: f.Model.MaxChars}
	for _, special := range []struct {
		token string
		id    *int32
	}{{f.Model.Unknown, &t.unk}, {"[CLS]", &t.cls}, {"[SEP]", &t.sep}, {"[PAD]", &t.pad}} {
		id, ok := t.ID(special.token)
		if !ok {
			return nil, &tokenizer.FormatError{Field: "model.vocab", Err: fmt.Errorf("does not hold %q", special.token)}
		}
		*special.id = id
	}
	t.continuing, _ = vocab.walk(*f.Model.Prefix)
	t.normalizer = normalizer{
		clean:   *f.Normalizer.CleanText,
		chinese: *f.Normalizer.Chinese,
		lower:   *f.Normalizer.Lowercase,
		strip:   *f.Normalizer.Lowercase,
	}
	if f.Normalizer.StripAccents != nil {
		t.normalizer.strip = *f.Normalizer.StripAccents
	}
	casing := "cased"
	if t.normalizer.lower {
		casing = "uncased"
	}
	t.name = fmt.Sprintf("wordpiece-%d-%s", len(tokens), casing)
	t.words.New = func() any { return new(word) }
	t.setBytes()
	return t, nil
}

// setBytes fills the tables of the fast path.
func (t *Tokenizer) setBytes() {
	for b := range t.kinds {
		t.fold[b], t.kinds[b] = byte(b), irregular
		if b >= utf8.RuneSelf {
			continue
		}
		if t.normalizer.lower {
			t.fold[b] = byte(unicode.ToLower(rune(b)))
		}
		if c := classOf(rune(b)); c == letter || c == space || c == punct {
			t.kinds[b] = c
		}
	}
}

// parseVocab reads a JSON object of tokens and their ids and returns the tokens by id. The object is known to be valid JSON,
// so a scan will do: decoding into a map takes several times as long as all the rest of Parse.
func parseVocab(object []byte) ([]string, error) {
	text := string(object) // the tokens are slices of it
	switch {
	case text[0] != '{':
		return nil, errors.New("is no object")
	case !utf8.ValidString(text):
		return nil, errors.New("is not valid UTF-8")
	}
	type entry struct {
		token string
		id    int
	}
	entries := make([]entry, 0, len(text)/16)
	for {
		open := strings.IndexByte(text, '"')
		if open < 0 {
			break
		}
		token, rest, err := cutString(text[open:])
		if err != nil {
			return nil, err
		}
		end := strings.IndexAny(rest, ",}")
		number := strings.Trim(rest[:end], ": \t\r\n")
		id, err := strconv.ParseUint(number, 10, 31)
		if err != nil {
			return nil, fmt.Errorf("the id of %q is no whole number: %s", token, number)
		}
		entries, text = append(entries, entry{token, int(id)}), rest[end:]
	}
	tokens, taken := make([]string, len(entries)), make([]bool, len(entries))
	for _, e := range entries {
		if e.id >= len(tokens) {
			return nil, fmt.Errorf("the id of %q is %d, but there are %d tokens", e.token, e.id, len(tokens))
		}
		if taken[e.id] {
			return nil, fmt.Errorf("%q and %q have the same id %d", tokens[e.id], e.token, e.id)
		}
		tokens[e.id], taken[e.id] = e.token, true
	}
	return tokens, nil
}

// cutString reads the JSON string that text begins with and returns it and what follows.
func cutString(text string) (s, rest string, err error) {
	end, escaped := 1, false
	for ; text[end] != '"'; end++ {
		if text[end] == '\\' {
			end, escaped = end+1, true
		}
	}
	s, rest = text[1:end], text[end+1:]
	if escaped {
		err = json.Unmarshal([]byte(text[:end+1]), &s)
	}
	return s, rest, err
}
