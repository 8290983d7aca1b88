package label

import (
	"flag"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

var rewrite = flag.Bool("rewrite", false, "rewrite the expected results in testdata")

// TestData runs testdata/*.txt: cases of a command, its input, "----" and the result, parted by blank lines.
//
//	repair max-gap=N   tags → tags as Repair leaves them
//	decode max-gap=N   tags → spans of Decode, for a critic that is sure of the tags
func TestData(t *testing.T) {
	files, err := filepath.Glob(filepath.Join("testdata", "*.txt"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no cases: %v", err)
	}
	for _, name := range files {
		data, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		cases := strings.Split(strings.TrimSpace(string(data)), "\n\n")
		for i, c := range cases {
			input, want, ok := strings.Cut(c, "\n----")
			if !ok {
				t.Fatalf("%s: no ---- in case %q", name, c)
			}
			got := strings.TrimSuffix("\n"+runCase(t, input), "\n")
			if cases[i] = input + "\n----" + got; got != want && !*rewrite {
				t.Errorf("%s: %s\n got %s\nwant %s\n(go test -rewrite accepts it)", name, input, got, want)
			}
		}
		if *rewrite {
			if err := os.WriteFile(name, []byte(strings.Join(cases, "\n\n")+"\n"), 0o644); err != nil {
				t.Fatal(err)
			}
		}
	}
}

func runCase(t *testing.T, input string) string {
	lines := strings.Split(input, "\n") // comments, command, tags
	text, command := lines[len(lines)-1], lines[max(0, len(lines)-2)]
	var name string
	var gap int
	if _, err := fmt.Sscanf(command, "%s max-gap=%d", &name, &gap); err != nil {
		t.Fatalf("reading %q: %v", command, err)
	}
	tags := parse(t, text)
	switch name {
	case "repair":
		Repair(tags, gap)
		return FormatTags(tags)
	case "decode":
		var out []string
		for _, s := range Decode(sure(tags), Options{MaxGap: gap}) {
			out = append(out, fmt.Sprintf("[%d,%d) %.2f", s.First, s.Last, s.Score))
		}
		return strings.Join(out, " ")
	}
	t.Fatalf("no command %q", name)
	return ""
}

// sure is what a critic says that has no doubts.
func sure(tags []Tag) Scores {
	s := Scores{Probs: make([][4]float32, len(tags))}
	for i, tag := range tags {
		s.Probs[i][tag] = 1
	}
	return s
}

func tagsOf(bytes []byte) []Tag {
	tags := make([]Tag, len(bytes))
	for i, b := range bytes {
		tags[i] = Tag(b % 4)
	}
	return tags
}

// TestMaxGap tries the default around its border.
func TestMaxGap(t *testing.T) {
	for gap := DefaultMaxGap - 1; gap <= DefaultMaxGap+1; gap++ {
		tags := parse(t, "B"+strings.Repeat("O", gap)+"E")
		want := []int{gap + 2}
		if gap > DefaultMaxGap {
			want = []int{1, 1}
		}
		var got []int
		for _, s := range Decode(sure(tags), Options{}) {
			got = append(got, s.Last-s.First)
		}
		if !slices.Equal(got, want) {
			t.Errorf("%d O: spans of %v tokens, want %v", gap, got, want)
		}
	}
}

func TestDecodeProbabilities(t *testing.T) {
	s := Scores{Probs: [][4]float32{
		{0.25, 0.25, 0.25, 0.25}, // a tie is B
		{0, 0.5, 0.5, 0},         // a tie is I
		{0.1, 0.2, 0.4, 0.3},     // O, although keeping is likelier
		{0, 0, 0.5, 0.5},         // a tie is O
		{0.1, 0.1, 0.1, 0.7},
	}}
	got := Decode(s, Options{MaxGap: -1})
	want := []TokenSpan{{0, 2, 0.625}, {4, 5, 0.9}}
	if !slices.EqualFunc(got, want, closeTo) {
		t.Errorf("without bridges: got %v, want %v", got, want)
	}
	got = Decode(s, Options{})
	want = []TokenSpan{{0, 5, 0.65}}
	if !slices.EqualFunc(got, want, closeTo) {
		t.Errorf("with bridges: got %v, want %v", got, want)
	}
	if got := Decode(Scores{}, Options{}); len(got) != 0 {
		t.Errorf("no tokens: got %v", got)
	}
}

func closeTo(a, b TokenSpan) bool {
	return a.First == b.First && a.Last == b.Last && math.Abs(float64(a.Score-b.Score)) < 1e-6
}

func TestParseTags(t *testing.T) {
	if got := FormatTags(parse(t, " B I\tO\nE")); got != "BIOE" {
		t.Errorf("got %s", got)
	}
	if _, err := ParseTags("BIX"); err == nil || err.Error() != `reading tags: 'X' at byte 2 is none of B, I, O, E` {
		t.Errorf("got %v", err)
	}
	if got := FormatTags([]Tag{End, 9}); got != "E?" {
		t.Errorf("got %s", got)
	}
}

// FuzzRepair: Repair ends, is idempotent and the same from either end, leaves the normal form, drops no token and adds only O
// tokens of short gaps; the spans of Decode are those of the repaired tags.
func FuzzRepair(f *testing.F) {
	for _, text := range []string{"", "O", "OOEOO", "OOIIEOO", "BIEOOIE", "OOOIOIOBEIEIIBBO", "BOOOEOOB", "IOIOIO", "EEEOOEB"} {
		f.Add([]byte(strings.NewReplacer("B", "\x00", "I", "\x01", "O", "\x02", "E", "\x03").Replace(text)), 2)
	}
	f.Fuzz(func(t *testing.T, data []byte, maxGap int) { checkRepair(t, tagsOf(data), maxGap) })
}

// TestRepairAllTags holds every string of up to seven tags to what FuzzRepair asks.
func TestRepairAllTags(t *testing.T) {
	for n := range 8 {
		tags := make([]Tag, n)
		for code := range 1 << (2 * n) {
			for i := range tags {
				tags[i] = Tag(code >> (2 * i) & 3)
			}
			for maxGap := range 4 {
				checkRepair(t, tags, maxGap)
			}
		}
	}
}

func checkRepair(t *testing.T, tags []Tag, maxGap int) {
	fixed := slices.Clone(tags)
	Repair(fixed, maxGap)
	checkRepaired(t, tags, fixed, maxGap)
	again := slices.Clone(fixed)
	if Repair(again, maxGap); !slices.Equal(again, fixed) {
		t.Fatalf("%s: %s, then %s", FormatTags(tags), FormatTags(fixed), FormatTags(again))
	}
	spans := spansOf(fixed)
	mirror := mirrored(tags)
	Repair(mirror, maxGap)
	back := spansOf(mirror)
	slices.Reverse(back)
	for i, s := range back {
		back[i] = TokenSpan{First: len(tags) - s.Last, Last: len(tags) - s.First}
	}
	if !slices.Equal(spans, back) {
		t.Fatalf("%s: spans %v, read from the end %v", FormatTags(tags), spans, back)
	}
	if maxGap == 0 {
		maxGap = -1 // the options' way to say none
	}
	decoded := Decode(sure(tags), Options{MaxGap: maxGap})
	for i := range decoded {
		decoded[i].Score = 0
	}
	if !slices.Equal(decoded, spans) {
		t.Fatalf("%s: Decode %v, Repair %v", FormatTags(tags), decoded, spans)
	}
}

// checkRepaired holds the tags that Repair left to the normal form and compares them with those before.
func checkRepaired(t *testing.T, tags, fixed []Tag, maxGap int) {
	added := 0
	for i, tag := range fixed {
		switch open := i > 0 && (fixed[i-1] == Begin || fixed[i-1] == Inside); {
		case tags[i] != Outside && tag == Outside:
			t.Fatalf("%s: token %d is lost in %s", FormatTags(tags), i, FormatTags(fixed))
		case (tag == Inside || tag == End) && !open,
			tag != Inside && tag != End && i > 0 && fixed[i-1] == Inside:
			t.Fatalf("%s: no normal form: %s", FormatTags(tags), FormatTags(fixed))
		case tags[i] == Begin && tag != Begin:
			t.Fatalf("%s: B at %d opens no span in %s", FormatTags(tags), i, FormatTags(fixed))
		case tags[i] == End && i+1 < len(fixed) && (fixed[i+1] == Inside || fixed[i+1] == End):
			t.Fatalf("%s: E at %d closes no span in %s", FormatTags(tags), i, FormatTags(fixed))
		}
		if tags[i] == Outside && fixed[i] != Outside {
			added++
		} else {
			added = 0
		}
		if added > max(maxGap, 0) {
			t.Fatalf("%s: %d O filled in a row: %s", FormatTags(tags), added, FormatTags(fixed))
		}
	}
}

// spansOf reads tags in normal form, written apart from nextSpan.
func spansOf(tags []Tag) []TokenSpan {
	var out []TokenSpan
	for i, tag := range tags {
		switch tag {
		case Begin:
			out = append(out, TokenSpan{First: i, Last: i + 1})
		case Inside, End:
			out[len(out)-1].Last = i + 1
		}
	}
	return out
}

// mirrored is tags read from the end, where B and E change places.
func mirrored(tags []Tag) []Tag {
	out := slices.Clone(tags)
	slices.Reverse(out)
	for i, tag := range out {
		switch tag {
		case Begin:
			out[i] = End
		case End:
			out[i] = Begin
		}
	}
	return out
}
