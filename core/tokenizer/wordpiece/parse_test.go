package wordpiece

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/cprs-go/cprs/core/tokenizer"
)

const smallFile = `{
	"truncation": {"max_length": 3}, "added_tokens": [{"id": 0, "content": "[PAD]"}],
	"normalizer": {"type": "BertNormalizer", "clean_text": true, "handle_chinese_chars": true, "strip_accents": null, "lowercase": true},
	"pre_tokenizer": {"type": "BertPreTokenizer"},
	"model": {"type": "WordPiece", "unk_token": "[UNK]", "continuing_subword_prefix": "##", "max_input_chars_per_word": 100,
		"vocab": {"[PAD]": 0, "[UNK]": 1, "[CLS]": 2, "[SEP]": 3, "a" : 4 , "##b":5, "\"": 6, "\u00e9\\": 7, "A": 8, "É": 9}}}`

// parseCases change smallFile into files that Parse refuses.
var parseCases = []struct{ name, old, new, want string }{
	{"truncated", `"model"`, "", `reading tokenizer.json: invalid character`},
	{"no object", smallFile, `[]`, "reading tokenizer.json: json: cannot unmarshal"},
	{"null", smallFile, `null`, `model.type: is "", want "WordPiece"`},
	{"empty", smallFile, ``, "unexpected end of JSON input"},
	{"other model", `"WordPiece"`, `"BPE"`, `model.type: is "BPE", want "WordPiece"`},
	{"other normaliser", `"BertNormalizer"`, `"Sequence"`, `normalizer.type: is "Sequence"`},
	{"other splitter", `"BertPreTokenizer"`, `"ByteLevel"`, `pre_tokenizer.type: is "ByteLevel"`},
	{"no clean_text", `clean_text`, `x`, `normalizer.clean_text: is missing`},
	{"no handle_chinese_chars", `handle_chinese_chars`, `x`, `normalizer.handle_chinese_chars: is missing`},
	{"no lowercase", `lowercase`, `x`, `normalizer.lowercase: is missing`},
	{"no prefix", `continuing_subword_prefix`, `x`, `model.continuing_subword_prefix: is missing`},
	{"no vocabulary", `"vocab"`, `"x"`, `model.vocab: is missing`},
	{"longest word", `: 100`, `: 0`, `model.max_input_chars_per_word: is 0`},
	{"list as vocabulary", `"vocab": {`, `"vocab": [1], "x": {`, `model.vocab: is no object`},
	{"empty vocabulary", `"vocab": {`, `"vocab": {}, "x": {`, `model.vocab: does not hold "[UNK]"`},
	{"no unknown token", `"unk_token": "[UNK]"`, `"unk_token": "?"`, `model.vocab: does not hold "?"`},
	{"no CLS", `"[CLS]"`, `"x"`, `model.vocab: does not hold "[CLS]"`},
	{"no SEP", `"[SEP]"`, `"x"`, `model.vocab: does not hold "[SEP]"`},
	{"no PAD", `"[PAD]": 0`, `"x": 0`, `model.vocab: does not hold "[PAD]"`},
	{"text as id", `"a" : 4`, `"a": "4"`, `model.vocab: the id of "a" is no whole number: "4"`},
	{"fraction as id", `"a" : 4`, `"a": 4.5`, `model.vocab: the id of "a" is no whole number: 4.5`},
	{"object as id", `"a" : 4`, `"a": {"x": 4}`, `model.vocab: the id of "a" is no whole number: {"x": 4`},
	{"negative id", `"a" : 4`, `"a": -4`, `model.vocab: the id of "a" is no whole number: -4`},
	{"huge id", `"a" : 4`, `"a": 4294967300`, `model.vocab: the id of "a" is no whole number`},
	{"gap", `"a" : 4`, `"a": 10`, `model.vocab: the id of "a" is 10, but there are 10 tokens`},
	{"same id", `"a" : 4`, `"a": 3`, `model.vocab: "[SEP]" and "a" have the same id 3`},
	{"same token", `"##b":5`, `"a":5`, `model.vocab: token "a" occurs twice`},
	{"empty token", `"a" : 4`, `"": 4`, `model.vocab: a token is empty`},
	{"invalid UTF-8", `"a" : 4`, "\"\xff\": 4", `model.vocab: is not valid UTF-8`},
	{"too big", `"a" : 4`, `"` + strings.Repeat("a", maxTrieBytes) + `": 4`, `model.vocab: its tokens have`},
}

func checkFormatError(t *testing.T, err error) {
	if f, ok := errors.AsType[*tokenizer.FormatError](err); !ok || f.Unwrap() == nil || !strings.HasPrefix(err.Error(), "reading tokenizer.json: ") {
		t.Errorf("got %T %v, want a *FormatError", err, err)
	}
}

func TestParseRefuses(t *testing.T) {
	for _, c := range parseCases {
		t.Run(c.name, func(t *testing.T) {
			if !strings.Contains(smallFile, c.old) {
				t.Fatalf("the case looks for %q", c.old)
			}
			_, err := Parse([]byte(strings.Replace(smallFile, c.old, c.new, 1)))
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Fatalf("got %v, want %q", err, c.want)
			}
			checkFormatError(t, err)
		})
	}
}

// TestParseOptions reads smallFile with other options and shows what "aé\a" and a control character become.
func TestParseOptions(t *testing.T) {
	for _, c := range []struct{ name, old, new, text, want string }{
		{"as it is", "", "", "Ab É\\ \"\a", `wordpiece-10-uncased [a ##b [UNK] [UNK] "]`},
		{"cased", `"lowercase": true`, `"lowercase": false`, "Aa É", `wordpiece-10-cased [[UNK] É]`},
		{"cased, stripped", `"strip_accents": null, "lowercase": true`, `"strip_accents": true, "lowercase": false`, "Á", `wordpiece-10-cased [A]`},
		{"accents kept", `"strip_accents": null`, `"strip_accents": false`, "a\u0301 a", `wordpiece-10-uncased [[UNK] a]`},
		{"not cleaned", `"clean_text": true`, `"clean_text": false`, "a\a a\fa\xff", `wordpiece-10-uncased [[UNK] a [UNK]]`},
		{"ideographs in words", `"handle_chinese_chars": true`, `"handle_chinese_chars": false`, "a一", `wordpiece-10-uncased [[UNK]]`},
		{"no prefix", `"##"`, `""`, "aaa", `wordpiece-10-uncased [a a a]`},
		{"unused prefix", `"##"`, `"@@"`, "ab", `wordpiece-10-uncased [[UNK]]`},
		{"short words", `: 100`, `: 2`, "ab abb ább", `wordpiece-10-uncased [a ##b [UNK] [UNK]]`},
		{"truncation is ignored", "", "", "a a a a a", `wordpiece-10-uncased [a a a a a]`},
	} {
		t.Run(c.name, func(t *testing.T) {
			tok, err := Parse([]byte(strings.Replace(smallFile, c.old, c.new, 1)))
			if err != nil {
				t.Fatal(err)
			}
			var tokens []string
			for _, id := range encode(tok, c.text).IDs {
				tokens = append(tokens, tok.Token(id))
			}
			if got := fmt.Sprintf("%s %v", tok.Name(), tokens); got != c.want {
				t.Errorf("got %s, want %s", got, c.want)
			}
		})
	}
	tok, err := Parse([]byte(smallFile))
	if err != nil {
		t.Fatal(err)
	}
	if id, ok := tok.ID(`é\`); !ok || id != 7 {
		t.Errorf("the escaped token has id %d, %v", id, ok)
	}
}
