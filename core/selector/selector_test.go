package selector

import (
	"errors"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/cprs-go/cprs/core/span"
)

// row makes the units of one document from lines "score tokens [pin|unread|repeat]"; each unit has ten bytes.
func row(doc int, text string) []Unit {
	var units []Unit
	for i, line := range strings.Split(strings.TrimSpace(text), "\n") {
		f := strings.Fields(line)
		u := Unit{Span: span.Span{Doc: doc, Start: 10 * i, End: 10*i + 10}}
		u.Score = float32(len(f[0])) / 10 // "++++" is 0.4
		if f[0] == "." {
			u.Score = 0
		}
		u.Tokens = len(f[1])
		u.Pinned = slices.Contains(f, "pin")
		u.Unread = slices.Contains(f, "unread")
		u.Repeat = slices.Contains(f, "repeat")
		units = append(units, u)
	}
	return units
}

// show writes parts as [start,end) in units of ten bytes.
func show(parts []span.Span) string {
	var b strings.Builder
	for _, p := range parts {
		b.WriteByte(byte('a' + p.Doc))
		b.WriteByte(byte('0' + p.Start/10))
		b.WriteByte(byte('0' + p.End/10))
		b.WriteByte(' ')
	}
	return strings.TrimSpace(b.String())
}

func TestChoose(t *testing.T) {
	units := row(0, `
. tttt
+++++++++ tttt
++++ t
++++++++ tttt
++++++ tttttttt
. tttt pin
++++++++++ tttt unread`)
	tests := []struct {
		name string
		opt  Options
		want string
	}{
		{"threshold", Options{MaxTokens: -1, Threshold: 0.5}, "a12 a36"},
		{"close gap", Options{MaxTokens: -1, Threshold: 0.5, MarkTokens: 1}, "a16"},
		{"nothing but the pin", Options{MaxTokens: -1, Threshold: 0.95}, "a56"},
		{"exactly two units and the pin", Options{MaxTokens: 12}, "a12 a34 a56"},
		{"one token less", Options{MaxTokens: 11}, "a13 a56"}, // one that scores half as much fits in its place
		{"no crumbs", Options{MaxTokens: 17}, "a14 a56"},      // the first unit would fit, but scores nothing
		{"the pin alone", Options{MaxTokens: 4}, "a56"},
		{"marks are charged", Options{MaxTokens: 15, MarkTokens: 3}, "a13 a56"},
		{"a gap costs no more than its mark", Options{MaxTokens: 18, MarkTokens: 3}, "a14 a56"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := Choose(units, tt.opt)
			if err != nil {
				t.Fatal(err)
			}
			if s := show(got); s != tt.want {
				t.Errorf("got %s, want %s", s, tt.want)
			}
		})
	}
}

func TestRepeats(t *testing.T) {
	units := row(0, "+++++++++ tt\n++++++++ tt repeat\n. tt\n+++++++ tt")
	for _, tt := range []struct {
		budget int
		want   string
	}{{2, "a01"}, {4, "a01 a34"}, {6, "a01 a24"}, {8, "a04"}, {-1, "a04"}} {
		if got, err := Choose(units, Options{MaxTokens: tt.budget}); err != nil || show(got) != tt.want {
			t.Errorf("budget %d: %s, %v; want %s", tt.budget, show(got), err, tt.want)
		}
	}
}

func TestPinsExceed(t *testing.T) {
	units := row(0, ". tttt pin\n++ t\n. tttt pin")
	if _, err := Choose(units, Options{MaxTokens: 10, MarkTokens: 2}); err != nil {
		t.Errorf("pins that fit exactly: %v", err)
	}
	if _, err := Choose(units, Options{MaxTokens: 9, MarkTokens: 2}); !errors.Is(err, ErrPinsExceed) {
		t.Errorf("got %v, want %v", err, ErrPinsExceed)
	}
}

func TestLabels(t *testing.T) {
	units := row(0, ". tt\n. tttt\n++++++++ tttt\n+++++++ tttt\n. tttt")
	labels := func(doc, start int) []Label { return []Label{{span.Range{Start: 0, End: 10}, 2}} }
	tests := []struct {
		name   string
		budget int
		want   string
	}{
		{"unbounded", -1, "a01 a24"},
		{"label and mark fit", 11, "a01 a24"},
		{"one token short", 10, "a24"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			opt := Options{MaxTokens: tt.budget, MarkTokens: 1, Labels: labels, Threshold: 0.5}
			got, err := Choose(units, opt)
			if err != nil {
				t.Fatal(err)
			}
			if s := show(got); s != tt.want {
				t.Errorf("got %s, want %s", s, tt.want)
			}
		})
	}
}

func TestDocumentNamesAreCharged(t *testing.T) {
	units := append(row(0, "++++++++ tttt"), row(1, "+++++++ tttt")...)
	opt := Options{MaxTokens: 14, DocTokens: []int{3, 3}}
	for budget, want := range map[int]string{14: "a01 b01", 13: "a01", 7: "a01", 6: ""} {
		opt.MaxTokens = budget
		got, err := Choose(units, opt)
		if err != nil {
			t.Fatal(err)
		}
		if s := show(got); s != want {
			t.Errorf("budget %d: got %q, want %q", budget, s, want)
		}
	}
}

// cost is what parts cost by the rules of Options, counted anew from the units.
func cost(units []Unit, parts []span.Span, opt Options) int {
	n := 0
	for i, p := range parts {
		switch {
		case i > 0 && parts[i-1].Doc == p.Doc:
			n += opt.MarkTokens
		case opt.DocTokens != nil:
			n += opt.DocTokens[p.Doc]
		}
		for _, u := range units {
			if u.Doc == p.Doc && u.Start < p.End && p.Start < u.End {
				n += u.Tokens
			}
		}
	}
	return n
}

// The best unit is not replaced by what is shorter, nor by labels; pins come before it all the same.
func TestBestFirst(t *testing.T) {
	units := row(0, `
++++++++ ttttt
+++++++++ tttttttttttttttttttt
++++++++ ttttt`)
	labels := func(int, int) []Label { return []Label{{span.Range{Start: 0, End: 5}, 5}} }
	for _, tt := range []struct {
		max  int
		pin  bool
		want string
	}{{19, false, ""}, {20, false, "a12"}, {26, false, "a02"}, {20, true, "a01 a23"}} {
		units[0].Pinned = tt.pin
		got, err := Choose(units, Options{MaxTokens: tt.max, Labels: labels})
		if err != nil {
			t.Fatal(err)
		}
		if s := show(got); s != tt.want {
			t.Errorf("%d tokens, pin %v: got %q, want %q", tt.max, tt.pin, s, tt.want)
		}
	}
}

func TestProperties(t *testing.T) {
	for seed := range uint64(2000) {
		checkProperties(t, rand.New(rand.NewPCG(seed, 1)))
	}
}

func FuzzChoose(f *testing.F) {
	f.Add(uint64(1))
	f.Fuzz(func(t *testing.T, seed uint64) { checkProperties(t, rand.New(rand.NewPCG(seed, 2))) })
}

func checkProperties(t *testing.T, rnd *rand.Rand) {
	t.Helper()
	var units []Unit
	docs := 1 + rnd.IntN(3)
	opt := Options{MaxTokens: rnd.IntN(120) - 1, MarkTokens: rnd.IntN(4), Threshold: float32(rnd.IntN(3)) / 4}
	for d := range docs {
		opt.DocTokens = append(opt.DocTokens, rnd.IntN(3))
		for i := range 1 + rnd.IntN(12) {
			units = append(units, Unit{
				Span:   span.Span{Doc: d, Start: 10 * i, End: 10*i + 10, Score: float32(rnd.IntN(5)) / 4},
				Tokens: rnd.IntN(9), Pinned: rnd.IntN(12) == 0, Unread: rnd.IntN(9) == 0})
		}
	}
	if rnd.IntN(2) == 0 {
		opt.Labels = func(doc, start int) []Label {
			return []Label{{span.Range{Start: start / 30 * 30, End: start/30*30 + 4}, 3}}
		}
	}
	got, err := Choose(slices.Clone(units), opt)
	if errors.Is(err, ErrPinsExceed) {
		return
	}
	if err != nil {
		t.Fatal(err)
	}
	if again, _ := Choose(slices.Clone(units), opt); !reflect.DeepEqual(got, again) {
		t.Fatalf("two runs differ: %v and %v", got, again)
	}
	for i := 1; i < len(got); i++ {
		if got[i-1].Doc == got[i].Doc && got[i-1].End >= got[i].Start || span.Compare(got[i-1], got[i]) >= 0 {
			t.Fatalf("parts %v and %v overlap, touch or are out of order", got[i-1], got[i])
		}
	}
	if opt.Labels == nil && opt.MaxTokens >= 0 && cost(units, got, opt) > opt.MaxTokens {
		t.Fatalf("parts cost %d tokens of %d", cost(units, got, opt), opt.MaxTokens)
	}
	if best := bestOf(units, opt); best >= 0 && len(got) > 0 && !holds(got, units[best]) {
		t.Fatalf("the best unit %v is not in %v", units[best], got)
	}
	for _, u := range units {
		if u.Pinned && !holds(got, u) {
			t.Fatalf("pinned unit %v was dropped", u)
		}
	}
}

func holds(parts []span.Span, u Unit) bool {
	return slices.ContainsFunc(parts, func(p span.Span) bool { return p.Doc == u.Doc && p.Range().Contains(u.Range()) })
}

// bestOf is the unit that must come first; −1 if there are pins or none is good enough.
func bestOf(units []Unit, opt Options) int {
	best := -1
	for i, u := range units {
		switch {
		case u.Pinned:
			return -1
		case !u.Unread && u.Tokens > 0 && u.Score >= opt.Threshold && (best < 0 || u.Score > units[best].Score):
			best = i
		}
	}
	return best
}
