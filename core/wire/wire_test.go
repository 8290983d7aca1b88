package wire

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/cprs-go/cprs/core"
)

func TestWrite(t *testing.T) {
	docs := []core.Document{{ID: "a", Text: "one\ntwo <b>\r\nthr\xffee\n"}, {ID: "b", Text: "four\n\nfive"}}
	res := &core.Result{
		Text:      "two <b>\r\nthr\xffee […] five",
		Spans:     []core.Span{{Doc: 0, Start: 4, End: 11, Score: 0.5}, {Doc: 0, Start: 13, End: 19, Score: 0.25}, {Doc: 1, Start: 6, End: 10, Score: 1}},
		Documents: []core.DocumentResult{{ID: "a", Tokens: 9, KeptTokens: 7}, {ID: "b", Tokens: 2, KeptTokens: 1}},
		Warnings:  []string{"mind the gap"},
		Stats:     core.Stats{TokensIn: 11, TokensOut: 8, Tokenizer: "words", Windows: 2, Critic: "fake", CriticHash: "00ff", Threshold: 0.5},
	}
	var out strings.Builder
	if err := Write(&out, NewResult(ID(`"x"`), docs, res)); err != nil {
		t.Fatal(err)
	}
	want := `{"id":"x","status":"compressed","text":"two <b>\r\nthr\ufffdee […] five",` +
		`"spans":[{"doc":0,"start":4,"end":11,"line":2,"score":0.5},{"doc":0,"start":13,"end":19,"line":3,"score":0.25},{"doc":1,"start":6,"end":10,"line":3,"score":1}],` +
		`"documents":[{"id":"a","tokens":9,"kept_tokens":7},{"id":"b","tokens":2,"kept_tokens":1}],"warnings":["mind the gap"],` +
		`"stats":{"tokens_in":11,"tokens_out":8,"tokenizer":"words","windows":2,"critic":"fake","critic_hash":"00ff","threshold":0.5}}` + "\n"
	if out.String() != want {
		t.Errorf("got  %s\nwant %s", out.String(), want)
	}
}

func TestNewFailure(t *testing.T) {
	refused := &core.Error{Code: core.CodePinsExceed, Message: "pins take 12 of 10 tokens", Hint: "raise max_tokens"}
	for _, c := range []struct {
		err  error
		want Error
	}{
		{refused, Error{core.CodePinsExceed, "pins take 12 of 10 tokens", "raise max_tokens"}},
		{fmt.Errorf("document 3: %w", refused), Error{core.CodePinsExceed, "document 3: pins take 12 of 10 tokens", "raise max_tokens"}},
		{fmt.Errorf("scoring: %w", context.Canceled), Error{Code: CodeCancelled, Message: "scoring: context canceled"}},
		{context.DeadlineExceeded, Error{Code: core.CodeDeadline, Message: "context deadline exceeded"}},
		{errors.New("disk on fire"), Error{Code: CodeInternal, Message: "disk on fire"}},
	} {
		if got := NewFailure(nil, c.err).Error; got != c.want {
			t.Errorf("%v: got %+v, want %+v", c.err, got, c.want)
		}
	}
}

func TestNamesAgreeWithCore(t *testing.T) {
	for _, n := range Units {
		if u, err := ParseUnit(n); err != nil || u.String() != n {
			t.Errorf("unit %q reads as %v, %v", n, u, err)
		}
	}
	for i, n := range Gaps {
		if g, err := ParseGap(n); err != nil || int(g) != i {
			t.Errorf("gap %q reads as %v, %v", n, g, err)
		}
	}
}
