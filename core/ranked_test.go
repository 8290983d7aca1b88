package core_test

import (
	"context"
	"reflect"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cprs-go/cprs/core"
	"github.com/cprs-go/cprs/core/critic/critictest"
)

// announced is a deadline that Deadline tells of.
type announced struct{ deadline }

func (announced) Deadline() (time.Time, bool) { return time.Now().Add(time.Hour), true }

// vast is a request of more than a megabyte; what is asked for stands in two documents, at the end and in the middle.
func vast() core.Request {
	cats := strings.Repeat("Cats sleep. Dogs bark at night. ", 20_000)
	return core.Request{Instruction: "lighthouse keepers", Budget: core.Budget{MaxTokens: 500}, Explain: true, Documents: []core.Document{
		{ID: "a", Text: cats + "The lighthouse has three keepers. " + cats}, {ID: "b", Text: cats + "One keepers' wife paints the lighthouse."},
	}}
}

// The deadline leaves most of a vast text unread, but not what holds the rare words of the question.
func TestPromisingFirst(t *testing.T) {
	req := vast()
	ctx := announced{deadline{context.Background(), make(chan struct{})}}
	n := new(atomic.Int32)
	n.Store(4)
	res, err := pipeline(until{critictest.Match(0), ctx.deadline, n}).Compress(ctx, req)
	if err != nil {
		t.Fatal(err)
	}
	verify(t, req, res)
	if res.Status != core.Partial || len(res.Unread) == 0 {
		t.Errorf("status %v, %d parts unread", res.Status, len(res.Unread))
	}
	for _, want := range []string{"The lighthouse has three keepers.", "wife paints the lighthouse."} {
		if !strings.Contains(res.Text, want) {
			t.Errorf("%q was not found", want)
		}
	}
}

// With time enough the order of reading does not show.
func TestRankedIsTheSame(t *testing.T) {
	want, err := pipeline(critictest.Match(0)).Compress(t.Context(), vast())
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
	defer cancel()
	req := vast()
	var last int64
	req.Progress = func(done, total int64) {
		if done < last || done > total {
			t.Errorf("progress went from %d to %d of %d", last, done, total)
		}
		last = done
	}
	got, err := pipeline(critictest.Match(0)).Compress(ctx, req)
	if err != nil {
		t.Fatal(err)
	}
	got.Stats, want.Stats = core.Stats{}, core.Stats{}
	if !reflect.DeepEqual(got, want) || last == 0 {
		t.Errorf("got %d units and %q, want %d and %q", len(got.Units), got.Text, len(want.Units), want.Text)
	}
}

func TestRankedCancel(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
	req := vast()
	req.Progress = func(int64, int64) { cancel() }
	if _, err := pipeline(critictest.Match(0)).Compress(ctx, req); err != context.Canceled {
		t.Errorf("got %v", err)
	}
}
