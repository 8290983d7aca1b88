package core_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/cprs-go/cprs/core"
	"github.com/cprs-go/cprs/core/critic"
	"github.com/cprs-go/cprs/core/critic/critictest"
	"github.com/cprs-go/cprs/core/fusion"
	"github.com/cprs-go/cprs/core/label"
	"github.com/cprs-go/cprs/core/tokenizer"
	"github.com/cprs-go/cprs/core/unit"
	"github.com/cprs-go/cprs/core/window"
)

func pipeline(c critic.Critic) *core.Pipeline {
	return core.NewPipeline(core.PipelineOptions{
		Critic: c, Layout: critictest.Layout(64), Tokenizer: critictest.Tokenizer{},
		ID: "match", Hash: "0", Threshold: 0.5,
	})
}

var lease = core.Document{ID: "lease", Text: `# Lease

## Term
The lease begins in May. It runs for two years.

## Ending
Either party may terminate the lease with ninety days of notice. Rent is due until then.

## Pets
Cats are welcome. Dogs are not. Parrots may terminate the peace.
`}

func compress(t *testing.T, req core.Request) *core.Result {
	t.Helper()
	res, err := pipeline(critictest.Match(0)).Compress(context.Background(), req)
	if err != nil {
		t.Fatal(err)
	}
	verify(t, req, res)
	return res
}

// verify holds a result to the invariants of the package.
func verify(t *testing.T, req core.Request, res *core.Result) {
	t.Helper()
	at := 0
	for i, s := range res.Spans {
		text := req.Documents[s.Doc].Text
		if s.Start < 0 || s.Start >= s.End || s.End > len(text) {
			t.Fatalf("span %v is outside of the text", s)
		}
		if i > 0 && (res.Spans[i-1].Doc > s.Doc || res.Spans[i-1].Doc == s.Doc && res.Spans[i-1].End > s.Start) {
			t.Fatalf("spans %v and %v are out of order", res.Spans[i-1], s)
		}
		if utf8.ValidString(text) && !utf8.ValidString(text[s.Start:s.End]) {
			t.Fatalf("span %v cuts a rune", s)
		}
		n := strings.Index(res.Text[at:], text[s.Start:s.End])
		if n < 0 {
			t.Fatalf("the text of span %v is not in the result after byte %d", s, at)
		}
		at += n + s.End - s.Start
	}
	tokens := tokenizer.Count(critictest.Tokenizer{}, res.Text)
	if res.Stats.TokensOut != tokens {
		t.Fatalf("the result has %d tokens, the stats say %d", tokens, res.Stats.TokensOut)
	}
	limit := req.Budget.MaxTokens
	if r := req.Budget.Ratio; r > 0 {
		limit = max(1, int(r*float64(res.Stats.TokensIn)))
	}
	if limit > 0 && tokens > limit {
		t.Fatalf("the result has %d tokens of %d", tokens, limit)
	}
}

// TestRepeats: a budget is not spent on the same words twice, as overlapping chunks of a document hold them.
func TestRepeats(t *testing.T) {
	const notice, rent = "Either party may terminate the lease with ninety days of notice.", "Rent is due until the lease of the party ends."
	chunks := []core.Document{{ID: "1", Text: "It runs on, in spring and summer, in autumn and winter.\n" + notice + "\n"}, {ID: "2", Text: notice + "\n" + rent + "\n"}}
	req := core.Request{Instruction: "may either party terminate the lease with notice?", Documents: chunks, Gap: core.GapNone, NoLabels: true, Budget: core.Budget{Threshold: 0.2}}
	for budget, want := range map[int][]core.Span{
		26: {{Doc: 0, Start: 56, End: 120}, {Doc: 1, Start: 65, End: 111}},
		40: {{Doc: 0, Start: 56, End: 120}, {Doc: 1, Start: 0, End: 111}},
	} {
		req.Budget.MaxTokens = budget
		res := compress(t, req)
		for i := range res.Spans {
			res.Spans[i].Score = 0
		}
		if !slices.Equal(res.Spans, want) {
			t.Errorf("%d tokens: %v, want %v", budget, res.Spans, want)
		}
	}
}

func TestCompress(t *testing.T) {
	tests := []struct {
		name   string
		req    core.Request
		status core.Status
		want   string
	}{
		{"threshold keeps what reaches it, with its heading", core.Request{Instruction: "cats welcome are", Budget: core.Budget{Threshold: 0.6}},
			core.Compressed, "## Pets\nCats are welcome."},
		{"no labels", core.Request{Instruction: "cats welcome are", Budget: core.Budget{Threshold: 0.6}, NoLabels: true},
			core.Compressed, "Cats are welcome."},
		{"a gap inside a line", core.Request{Instruction: "cats welcome are parrots may terminate the peace", Budget: core.Budget{Threshold: 0.6}, NoLabels: true},
			core.Compressed, "Cats are welcome. […] Parrots may terminate the peace."},
		{"a gap over lines", core.Request{Instruction: "it runs for two years cats welcome are", Budget: core.Budget{Threshold: 0.6}, NoLabels: true},
			core.Compressed, "It runs for two years.\n[…]\nCats are welcome."},
		{"line ranges", core.Request{Instruction: "it runs for two years cats welcome are", Budget: core.Budget{Threshold: 0.6}, NoLabels: true, Gap: core.GapLines},
			core.Compressed, "It runs for two years.\n[lines 5-9 left out]\nCats are welcome."},
		{"no marks", core.Request{Instruction: "it runs for two years cats welcome are", Budget: core.Budget{Threshold: 0.6}, NoLabels: true, Gap: core.GapNone},
			core.Compressed, "It runs for two years.\nCats are welcome."},
		{"nothing relevant", core.Request{Instruction: "zebra"}, core.NothingRelevant, ""},
		{"it fits", core.Request{Instruction: "zebra", Budget: core.Budget{MaxTokens: 1000}}, core.PassedThrough, lease.Text},
		{"nothing would be saved", core.Request{Instruction: "zebra", Budget: core.Budget{Threshold: 0.05}}, core.PassedThrough, lease.Text},
		{"a pin", core.Request{Instruction: "zebra", Pins: []core.Pin{{Pattern: "D[o]gs"}}, NoLabels: true}, core.Compressed, "Dogs are not."},
		{"budget", core.Request{Instruction: "ninety days of notice", Budget: core.Budget{MaxTokens: 13}, NoLabels: true}, core.Compressed,
			"Either party may terminate the lease with ninety days of notice."},
		{"one token less cuts the best unit", core.Request{Instruction: "ninety days of notice", Budget: core.Budget{MaxTokens: 2, Threshold: 0.3}, NoLabels: true}, core.Compressed,
			"Either party"},
		{"a share below one token", core.Request{Instruction: "ninety days of notice", Budget: core.Budget{Ratio: 0.001}, NoLabels: true}, core.Compressed, "Either"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			tt.req.Documents = []core.Document{lease}
			tt.req.Unit = core.UnitSentence
			res := compress(t, tt.req)
			if res.Text != tt.want || res.Status != tt.status {
				t.Errorf("got %v:\n%q\nwant %v:\n%q", res.Status, res.Text, tt.status, tt.want)
			}
		})
	}
}

func TestColumnsAreKept(t *testing.T) {
	table := core.Document{Text: "Staff of the house:\n\n| name | age |\n|---|---|\n| Ann | 31 |\n| Bob | 44 |\n| Cleo | 27 |\n\nThat is all there is to say about them.\n"}
	res := compress(t, core.Request{Instruction: "cleo 27", Unit: core.UnitLine, Budget: core.Budget{Threshold: 0.3}, Documents: []core.Document{table}})
	if want := "| name | age |\n[…]\n| Cleo | 27 |"; res.Text != want {
		t.Errorf("got %q, want %q", res.Text, want)
	}
}

func TestEnclosingLinesAreKept(t *testing.T) {
	settings := core.Document{Text: "services:\n  database:\n    image: postgres\n    replicas: two\n    user: app\n    port: 5432\n  cache:\n    image: redis\n    replicas: one\n"}
	req := core.Request{Instruction: "user app", Unit: core.UnitLine, Budget: core.Budget{Threshold: 0.6}, Documents: []core.Document{settings}}
	if res := compress(t, req); res.Text != "services:\n  database:\n[…]\n    user: app" {
		t.Errorf("got %q", res.Text)
	}
}

func TestRecordsAreNamed(t *testing.T) {
	list := core.Document{Text: "Package: curl\nVersion: seven\nSection: web\n\nPackage: vim\nVersion: nine\nSection: editors\nSize: 3\n"}
	req := core.Request{Instruction: "nine", Unit: core.UnitLine, Budget: core.Budget{Threshold: 0.3}, Documents: []core.Document{list}}
	if res := compress(t, req); res.Text != "Package: vim\nVersion: nine" {
		t.Errorf("got %q", res.Text)
	}
}

func TestDocumentsAreNamed(t *testing.T) {
	req := core.Request{Instruction: "cats", Unit: core.UnitSentence, Budget: core.Budget{Threshold: 0.3}, Documents: []core.Document{
		{ID: "a.txt", Text: "Cats sleep. Dogs bark at all who pass the gate of the old house."}, {Text: "Dogs bark."}, {Text: "Dogs bark. Cats purr.\nCats eat."}}}
	res := compress(t, req)
	if want := "[a.txt]\nCats sleep.\n\n[doc 3]\nCats purr.\nCats eat."; res.Text != want {
		t.Errorf("got\n%s\nwant\n%s", res.Text, want)
	}
	want := []core.DocumentResult{
		{ID: "a.txt", Tokens: 16, KeptTokens: 3, Lines: []core.LineRange{{First: 1, Last: 1}}},
		{ID: "doc 2", Tokens: 3},
		{ID: "doc 3", Tokens: 9, KeptTokens: 6, Lines: []core.LineRange{{First: 1, Last: 2}}},
	}
	if !reflect.DeepEqual(res.Documents, want) {
		t.Errorf("documents are %+v, want %+v", res.Documents, want)
	}
}

func TestExplainScoresEveryUnit(t *testing.T) {
	for _, budget := range []core.Budget{{}, {MaxTokens: 10000}, {Ratio: 1}, {Ratio: 0.1}} {
		req := core.Request{Instruction: "terminate", Documents: []core.Document{lease, {Text: "x"}}, Explain: true, Budget: budget}
		res := compress(t, req)
		at := core.Span{}
		for _, u := range res.Units {
			if u.Doc != at.Doc {
				at = core.Span{Doc: u.Doc}
			}
			if u.Start != at.End {
				t.Fatalf("unit %v does not follow %v", u, at)
			}
			at = u
		}
		if at.Doc != 1 || at.End != 1 {
			t.Errorf("units end at %v", at)
		}
	}
}

// TestFusion: the words of the question lift a unit that the critic scores like its neighbours, whatever else is read.
func TestFusion(t *testing.T) {
	p := core.NewPipeline(core.PipelineOptions{
		Critic: critictest.Func(func(*window.Window, int) float32 { return 0.4 }), Layout: critictest.Layout(64), Tokenizer: critictest.Tokenizer{},
		Threshold: 0.5, Fusion: &fusion.Options{Grains: map[unit.Unit]fusion.Weights{unit.Sentence: {Critic: 1, Lexical: 5}}},
	})
	want := "Parrots may terminate the peace."
	for n := range 3 {
		req := core.Request{Instruction: "parrots peace", Unit: core.UnitSentence, NoLabels: true, Gap: core.GapNone}
		for range n {
			req.Documents = append(req.Documents, core.Document{Text: "Peace. Peace. Nothing else is kept of this."})
		}
		req.Documents = append(req.Documents, lease)
		res, err := p.Compress(t.Context(), req)
		if err != nil {
			t.Fatal(err)
		}
		if last := res.Spans[len(res.Spans)-1]; last.Doc != n || lease.Text[last.Start:last.End] != want {
			t.Errorf("with %d other documents: kept %v", n, res.Spans)
		}
	}
}

func TestRefusals(t *testing.T) {
	ok := core.Request{Instruction: "x", Documents: []core.Document{lease}}
	tests := map[string]func(r *core.Request){
		"empty instruction":        func(r *core.Request) { r.Instruction = " \n" },
		"no document":              func(r *core.Request) { r.Documents = nil },
		"negative budget":          func(r *core.Request) { r.Budget.MaxTokens = -1 },
		"ratio above one":          func(r *core.Request) { r.Budget.Ratio = 1.01 },
		"ratio below zero":         func(r *core.Request) { r.Budget.Ratio = -0.1 },
		"threshold above one":      func(r *core.Request) { r.Budget.Threshold = 1.5 },
		"two budgets":              func(r *core.Request) { r.Budget = core.Budget{MaxTokens: 1, Ratio: 0.5} },
		"unknown unit":             func(r *core.Request) { r.Unit = 9 },
		"unknown gap":              func(r *core.Request) { r.Gap = -1 },
		"bad pattern":              func(r *core.Request) { r.Pins = []core.Pin{{Pattern: "("}} },
		"unknown set":              func(r *core.Request) { r.Pins = []core.Pin{{Set: "nouns"}} },
		"empty pin":                func(r *core.Request) { r.Pins = []core.Pin{{}} },
		"pin outside the text":     func(r *core.Request) { r.Pins = []core.Pin{{Span: &core.Span{Start: 1, End: 1 << 20}}} },
		"pin outside the request":  func(r *core.Request) { r.Pins = []core.Pin{{Span: &core.Span{Doc: 1, End: 1}}} },
		"pins exceed the budget":   func(r *core.Request) { r.Pins = []core.Pin{{Set: core.PinHeadings}}; r.Budget.MaxTokens = 3 },
		"pins exceed even a token": func(r *core.Request) { r.Pins = []core.Pin{{Pattern: "."}}; r.Budget.Ratio = 0.001 },
	}
	for name, spoil := range tests {
		t.Run(name, func(t *testing.T) {
			req := ok
			spoil(&req)
			_, err := pipeline(critictest.Match(0)).Compress(context.Background(), req)
			var e *core.Error
			if !errors.As(err, &e) || e.Message == "" || e.Hint == "" {
				t.Errorf("got %v, want an *core.Error with a hint", err)
			}
		})
	}
}

func TestEmptyDocuments(t *testing.T) {
	for _, text := range []string{"", " \n\t"} {
		res := compress(t, core.Request{Instruction: "x", Documents: []core.Document{{Text: text}}})
		if res.Status != core.PassedThrough || res.Text != text {
			t.Errorf("%q gives %v %q", text, res.Status, res.Text)
		}
	}
}

func TestLongInstructionWarns(t *testing.T) {
	res := compress(t, core.Request{Instruction: strings.Repeat("word ", 100), Documents: []core.Document{lease}})
	if len(res.Warnings) != 1 || !strings.Contains(res.Warnings[0], "38 of their tokens") {
		t.Errorf("warnings are %q", res.Warnings)
	}
}

// deadline is a context whose deadline passes when pass is called.
type deadline struct {
	context.Context
	done chan struct{}
}

func (d deadline) Done() <-chan struct{} { return d.done }

func (d deadline) Err() error {
	select {
	case <-d.done:
		return context.DeadlineExceeded
	default:
		return nil
	}
}

// until is a critic that reads n batches, then lets the deadline pass and reads no more.
type until struct {
	critic.Critic
	ctx deadline
	n   *atomic.Int32
}

func (u until) Score(ctx context.Context, ws []window.Window) ([]label.Scores, error) {
	switch left := u.n.Add(-1); {
	case left == 0:
		close(u.ctx.done)
		fallthrough
	case left < 0:
		<-ctx.Done()
		return nil, ctx.Err()
	}
	return u.Critic.Score(context.Background(), ws) // a batch that was begun is read to its end
}

func TestDeadlineGivesPartial(t *testing.T) {
	text := strings.Repeat("Cats sleep. Dogs bark at night. ", 20_000)
	req := core.Request{Instruction: "cats", Documents: []core.Document{{Text: text + "The end is near."}},
		Pins: []core.Pin{{Pattern: "the end|The end"}}, Budget: core.Budget{MaxTokens: 500}, Explain: true}
	ctx := deadline{context.Background(), make(chan struct{})}
	n := new(atomic.Int32)
	n.Store(4)
	res, err := pipeline(until{critictest.Match(0), ctx, n}).Compress(ctx, req)
	if err != nil {
		t.Fatal(err)
	}
	verify(t, req, res)
	if res.Status != core.Partial || len(res.Unread) == 0 || res.Unread[len(res.Unread)-1].End != len(req.Documents[0].Text) {
		t.Errorf("status %v, unread %v", res.Status, res.Unread)
	}
	var read, unread int
	for _, u := range res.Units {
		read += u.End - u.Start
	}
	for _, u := range res.Unread {
		unread += u.End - u.Start
	}
	if read == 0 || read+unread != len(req.Documents[0].Text) {
		t.Errorf("%d bytes were read and %d were not, of %d", read, unread, len(req.Documents[0].Text))
	}
	if !strings.HasSuffix(res.Text, "The end is near.") {
		t.Errorf("the pin in the unread text was dropped: …%q", res.Text[max(0, len(res.Text)-40):])
	}
}

func TestDeadlineBeforeAnything(t *testing.T) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Nanosecond)
	defer cancel()
	<-ctx.Done()
	_, err := pipeline(critictest.Match(0)).Compress(ctx, core.Request{Instruction: "x", Documents: []core.Document{lease}})
	var e *core.Error
	if !errors.As(err, &e) || e.Code != core.CodeDeadline || !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v", err)
	}
}

func TestCancel(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	req := core.Request{Instruction: "x", Documents: []core.Document{{Text: strings.Repeat("Cats sleep. ", 100_000)}}}
	req.Progress = func(done, total int64) { cancel() }
	if _, err := pipeline(critictest.Match(0)).Compress(ctx, req); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want %v", err, context.Canceled)
	}
}

// broken drops a row of scores.
type broken struct{}

func (broken) Score(ctx context.Context, ws []window.Window) ([]label.Scores, error) {
	out, err := critictest.Match(0).Score(ctx, ws)
	out[0].Probs = out[0].Probs[1:]
	return out, err
}

func TestMissingScoreIsAFault(t *testing.T) {
	_, err := pipeline(broken{}).Compress(context.Background(), core.Request{Instruction: "x", Documents: []core.Document{lease}})
	var e *core.Error
	if !errors.As(err, &e) || e.Code != core.CodeCriticFailed {
		t.Errorf("got %v, want %s", err, core.CodeCriticFailed)
	}
}

func TestProgress(t *testing.T) {
	var last, calls int64
	req := core.Request{Instruction: "cats", Documents: []core.Document{lease, {Text: strings.Repeat("Cats sleep. ", 5000)}}}
	req.Progress = func(done, total int64) {
		if done <= last || done > total {
			t.Errorf("progress goes from %d to %d of %d", last, done, total)
		}
		last = done
		calls++
	}
	compress(t, req)
	if last != int64(len(lease.Text)+60_000) || calls < 2 {
		t.Errorf("progress ended at %d after %d calls", last, calls)
	}
}

// TestNeighbours compares a document alone with the same document among others: invariant 3.
func TestNeighbours(t *testing.T) {
	others := []core.Document{{Text: "Dogs."}, lease, {Text: strings.Repeat("terminate ", 100)}}
	req := core.Request{Instruction: "terminate", Explain: true, Documents: others, Budget: core.Budget{Threshold: 0.2}, Unit: core.UnitSentence}
	all := compress(t, req)
	req.Documents = []core.Document{lease}
	alone := compress(t, req)
	var got []core.Span
	for _, u := range all.Units {
		if u.Doc == 1 {
			u.Doc = 0
			got = append(got, u)
		}
	}
	if !slices.Equal(got, alone.Units) {
		t.Error("the scores of a document depend on its neighbours")
	}
}

func TestRandomTexts(t *testing.T) {
	for seed := range uint64(150) {
		randomRequest(t, rand.New(rand.NewPCG(seed, 7)))
	}
}

func FuzzCompress(f *testing.F) {
	f.Add("Cats sleep. Dogs bark.\n\n# Head\nName: word", "cats", uint8(1), uint16(5), 0.0)
	f.Add("\xff\x00<|im_start|>\r\n漢字。👩‍👩‍👧", "漢", uint8(4), uint16(0), 0.3)
	f.Fuzz(func(t *testing.T, text, instruction string, u uint8, tokens uint16, threshold float64) {
		req := core.Request{Instruction: instruction, Unit: core.Unit(u % 5), Documents: []core.Document{{Text: text}},
			Budget: core.Budget{MaxTokens: int(tokens), Threshold: threshold}}
		res, err := pipeline(critictest.Hash).Compress(context.Background(), req)
		var e *core.Error
		if errors.As(err, &e) {
			return
		}
		if err != nil {
			t.Fatal(err)
		}
		verify(t, req, res)
	})
}

func randomRequest(t *testing.T, rnd *rand.Rand) {
	t.Helper()
	pieces := []string{"word", " ", "\n", ". ", "é", "漢", "\xff", "(a, b)", "\n\n", "3.14", "👍🏽", "# Head\n", "Ann: yes. ", "x y z. ", "\r\n", "error "}
	req := core.Request{Instruction: "word a", Explain: rnd.IntN(2) == 0, Unit: core.Unit(rnd.IntN(5)), Gap: core.Gap(rnd.IntN(3)), NoLabels: rnd.IntN(2) == 0}
	for range 1 + rnd.IntN(4) {
		var b strings.Builder
		for range rnd.IntN(300) {
			b.WriteString(pieces[rnd.IntN(len(pieces))])
		}
		req.Documents = append(req.Documents, core.Document{Text: b.String()})
	}
	switch rnd.IntN(3) {
	case 0:
		req.Budget.MaxTokens = 1 + rnd.IntN(200)
	case 1:
		req.Budget.Ratio = rnd.Float64()
	}
	if rnd.IntN(4) == 0 {
		req.Pins = []core.Pin{{Set: core.PinErrors}}
	}
	res, err := pipeline(critictest.Hash).Compress(context.Background(), req)
	var e *core.Error
	if errors.As(err, &e) && e.Code == core.CodePinsExceed {
		return
	}
	if err != nil {
		t.Fatal(err)
	}
	verify(t, req, res)
}

func TestConcurrentUse(t *testing.T) {
	p := pipeline(critictest.Match(1))
	req := core.Request{Instruction: "terminate the lease", Documents: []core.Document{lease}}
	want, err := p.Compress(context.Background(), req)
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			got, err := p.Compress(context.Background(), req)
			if err != nil || got.Text != want.Text || !slices.Equal(got.Spans, want.Spans) {
				t.Errorf("got %v, %v", got, err)
			}
		})
	}
	wg.Wait()
}

func ExamplePipeline_Compress() {
	p := core.NewPipeline(core.PipelineOptions{
		Critic: critictest.Match(0), Layout: critictest.Layout(64), Tokenizer: critictest.Tokenizer{}, Threshold: 0.6,
	})
	res, err := p.Compress(context.Background(), core.Request{
		Instruction: "dogs bark",
		Documents:   []core.Document{{Text: "Cats sleep by day. Dogs bark. Fish swim."}},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(res.Status, res.Text, res.Spans)
	// Output: compressed Dogs bark. [{0 19 29 0.6333333 }]
}
