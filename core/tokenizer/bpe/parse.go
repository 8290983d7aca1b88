package bpe

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/cprs-go/cprs/core/tokenizer"
)

// maxID bounds the ids of a vocabulary: a slip of the pen must not take gigabytes.
const maxID = 1 << 24

// file is what Parse reads of a tokenizer.json. Truncation, padding and templates are the caller's affair.
type file struct {
	Added []struct {
		ID         int    `json:"id"`
		Content    string `json:"content"`
		SingleWord bool   `json:"single_word"`
		LStrip     bool   `json:"lstrip"`
		RStrip     bool   `json:"rstrip"`
		Normalized bool   `json:"normalized"`
	} `json:"added_tokens"`
	Normalizer struct {
		Type string `json:"type"`
	} `json:"normalizer"`
	PreTokenizer struct {
		Type  string `json:"type"`
		Parts []struct {
			Type    string `json:"type"`
			Pattern struct {
				Regex string `json:"Regex"`
			} `json:"pattern"`
			Behavior  string `json:"behavior"`
			Invert    bool   `json:"invert"`
			AddPrefix bool   `json:"add_prefix_space"`
			UseRegex  *bool  `json:"use_regex"`
		} `json:"pretokenizers"`
	} `json:"pre_tokenizer"`
	Model struct {
		Type         string         `json:"type"`
		Dropout      *float64       `json:"dropout"`
		Unknown      *string        `json:"unk_token"`
		Prefix       *string        `json:"continuing_subword_prefix"`
		Suffix       *string        `json:"end_of_word_suffix"`
		FuseUnk      bool           `json:"fuse_unk"`
		ByteFallback bool           `json:"byte_fallback"`
		IgnoreMerges bool           `json:"ignore_merges"`
		Vocab        map[string]int `json:"vocab"`
		Merges       []mergeRule    `json:"merges"`
	} `json:"model"`
}

// mergeRule is "left right", or the pair of both in newer files.
type mergeRule [2]string

// UnmarshalJSON reads either form.
func (m *mergeRule) UnmarshalJSON(data []byte) error {
	var pair []string
	if len(data) > 0 && data[0] == '"' {
		var both string
		if err := json.Unmarshal(data, &both); err != nil {
			return err
		}
		pair = strings.Split(both, " ")
	} else if err := json.Unmarshal(data, &pair); err != nil {
		return err
	}
	if len(pair) != 2 || pair[0] == "" || pair[1] == "" {
		return fmt.Errorf("merge %.40s is no pair", data)
	}
	*m = mergeRule(pair)
	return nil
}

// Parse reads a tokenizer.json of Hugging Face that is laid out as Qwen2's: byte-level BPE, NFC, Qwen2's regular expression. Every error
// is a *tokenizer.FormatError.
func Parse(tokenizerJSON []byte) (*Tokenizer, error) {
	var f file
	if err := json.Unmarshal(tokenizerJSON, &f); err != nil {
		return nil, &tokenizer.FormatError{Field: "", Err: err}
	}
	if err := f.check(); err != nil {
		return nil, err
	}
	t := &Tokenizer{ids: make(map[string]int32, len(f.Model.Vocab)), merges: newMergeTable(len(f.Model.Merges))}
	t.scratch.New = func() any { return new(scratch) }
	if err := t.readVocab(&f); err != nil {
		return nil, &tokenizer.FormatError{Field: "model.vocab", Err: err}
	}
	if err := t.readAdded(&f); err != nil {
		return nil, &tokenizer.FormatError{Field: "added_tokens", Err: err}
	}
	if err := t.readMerges(&f); err != nil {
		return nil, &tokenizer.FormatError{Field: "model.merges", Err: err}
	}
	t.findWhole()
	t.name = fmt.Sprintf("bpe-%d", len(t.tokens))
	return t, nil
}

// check reports the first part of f that Parse cannot honour.
func (f *file) check() error {
	bad := func(field, message string, args ...any) error {
		return &tokenizer.FormatError{Field: field, Err: fmt.Errorf(message, args...)}
	}
	m, parts := &f.Model, f.PreTokenizer.Parts
	switch {
	case m.Type != "BPE":
		return bad("model.type", "is %q, want BPE", m.Type)
	case m.Dropout != nil && *m.Dropout != 0:
		return bad("model.dropout", "is %v, want none", *m.Dropout)
	case m.Unknown != nil || m.FuseUnk || m.ByteFallback || m.IgnoreMerges:
		return bad("model", "unk_token, fuse_unk, byte_fallback or ignore_merges is set")
	case m.Prefix != nil && *m.Prefix != "" || m.Suffix != nil && *m.Suffix != "":
		return bad("model", "continuing_subword_prefix or end_of_word_suffix is set")
	case f.Normalizer.Type != "NFC":
		return bad("normalizer.type", "is %q, want NFC", f.Normalizer.Type)
	case f.PreTokenizer.Type != "Sequence" || len(parts) != 2 || parts[0].Type != "Split" || parts[1].Type != "ByteLevel":
		return bad("pre_tokenizer", "is no sequence of Split and ByteLevel")
	case parts[0].Pattern.Regex != pattern || parts[0].Behavior != "Isolated" || parts[0].Invert:
		return bad("pre_tokenizer.pretokenizers", "the pattern %q (%s) is not that of Qwen2", parts[0].Pattern.Regex, parts[0].Behavior)
	case parts[1].AddPrefix || parts[1].UseRegex == nil || *parts[1].UseRegex:
		return bad("pre_tokenizer.pretokenizers", "add_prefix_space or use_regex is set")
	}
	return nil
}

// readVocab fills tokens, ids and bytes.
func (t *Tokenizer) readVocab(f *file) error {
	for token, id := range f.Model.Vocab {
		raw, err := fromAlphabet(token)
		if err != nil {
			return err
		}
		if err := t.add(raw, id); err != nil {
			return err
		}
		t.ids[raw] = int32(id)
	}
	for b := range t.bytes {
		id, ok := t.ids[string([]byte{byte(b)})]
		if !ok {
			return fmt.Errorf("no token stands for the byte 0x%02x", b)
		}
		t.bytes[b] = id
	}
	return nil
}

// add makes text the token with the given id.
func (t *Tokenizer) add(text string, id int) error {
	switch {
	case text == "":
		return errors.New("a token is empty")
	case id < 0 || id >= maxID:
		return fmt.Errorf("the id of %q is %d, not in 0 to %d", text, id, maxID-1)
	case id >= len(t.tokens):
		t.tokens = append(t.tokens, make([]string, id+1-len(t.tokens))...)
	case t.tokens[id] != "":
		return fmt.Errorf("%q and %q have the same id %d", t.tokens[id], text, id)
	}
	t.tokens[id] = text
	return nil
}

func (t *Tokenizer) readAdded(f *file) error {
	for _, a := range f.Added {
		if a.SingleWord || a.LStrip || a.RStrip || a.Normalized {
			return fmt.Errorf("%q is single_word, lstrip, rstrip or normalized", a.Content)
		}
		if id, ok := t.ids[a.Content]; ok && int(id) == a.ID { // in the vocabulary as well
			delete(t.ids, a.Content)
		} else if err := t.add(a.Content, a.ID); err != nil {
			return err
		}
		t.added = append(t.added, addedToken{a.Content, int32(a.ID)})
	}
	slices.SortFunc(t.added, func(a, b addedToken) int {
		return cmp.Or(len(b.content)-len(a.content), strings.Compare(a.content, b.content))
	})
	return nil
}

func (t *Tokenizer) readMerges(f *file) error {
	for rank, m := range f.Model.Merges {
		left, err1 := fromAlphabet(m[0])
		right, err2 := fromAlphabet(m[1])
		if err := errors.Join(err1, err2); err != nil {
			return err
		}
		a, ok1 := t.ids[left]
		b, ok2 := t.ids[right]
		both, ok3 := t.ids[left+right]
		if !ok1 || !ok2 || !ok3 {
			return fmt.Errorf("%q and %q: they or what they make is no token", m[0], m[1])
		}
		if e := t.merges.find(pairOf(a, b)); e.pair == 0 {
			*e = mergeEntry{pairOf(a, b), uint32(rank), both}
		} else {
			return fmt.Errorf("%q and %q are merged twice", m[0], m[1])
		}
	}
	return nil
}

// findWhole fills whole: the tokens that merging their own bytes gives.
func (t *Tokenizer) findWhole() {
	t.whole = make(map[string]int32, len(t.ids))
	var s scratch
	for token, id := range t.ids {
		s.symbols = s.symbols[:0]
		for i := range len(token) {
			s.symbols = append(s.symbols, symbol{id: t.bytes[token[i]], size: 1})
		}
		if len(token) > shortWord {
			continue
		}
		if mergeShort(&s, &t.merges); len(s.symbols) == 1 && s.symbols[0].id == id {
			t.whole[token] = id
		}
	}
}

// fromAlphabet gives the bytes that a token of the file stands for: printable Latin-1 stands for itself, the other 68 bytes, in
// order, for the runes from U+0100 on.
func fromAlphabet(token string) (string, error) {
	raw := make([]byte, 0, len(token))
	for _, r := range token {
		b, ok := alphabet[r]
		if !ok {
			return "", fmt.Errorf("token %q holds %q, which stands for no byte", token, r)
		}
		raw = append(raw, b)
	}
	return string(raw), nil
}

var alphabet = func() map[rune]byte {
	m, next := make(map[rune]byte, 256), rune(0x100)
	for b := range rune(256) {
		if '!' <= b && b <= '~' || '¡' <= b && b <= '¬' || '®' <= b && b <= 'ÿ' {
			m[b] = byte(b)
		} else {
			m[next] = byte(b)
			next++
		}
	}
	return m
}()
