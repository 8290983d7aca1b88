package unit

import (
	"flag"
	"os"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/clipperhouse/uax29/v2/graphemes"

	"github.com/cprs-go/cprs/core/span"
)

var rewrite = flag.Bool("rewrite", false, "write what is found to testdata")

var units = []Unit{Phrase, Sentence, Line, Paragraph}

const (
	casesFile   = "testdata/units.txt"
	layoutsFile = "testdata/layouts.txt"
	mark        = "¦"
)

// special turns the escapes of the cases into what they stand for, plain turns them back.
var (
	special = strings.NewReplacer(`\r`, "\r", `\0`, "\x00", `\xff`, "\xff", `\p`, "\u2029")
	plain   = strings.NewReplacer("\r", `\r`, "\x00", `\0`, "\xff", `\xff`, "\u2029", `\p`)
)

type testCase struct {
	unit       Unit
	name, want string // want holds marks
}

func (c testCase) text() string { return strings.ReplaceAll(special.Replace(c.want), mark, "") }

// readCases reads a file of cases. It returns the text before them too.
func readCases(t testing.TB, file string) (intro string, cases []testCase) {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	intro, rest, _ := strings.Cut(string(data), "\n-- ")
	for block := range strings.SplitSeq(rest, "\n--\n-- ") {
		head, want, _ := strings.Cut(block, "\n")
		name, what, _ := strings.Cut(head, ": ")
		u := Unit(slices.Index(names[:], name))
		if u <= Auto {
			t.Fatalf("no unit in %q", head)
		}
		cases = append(cases, testCase{u, what, strings.TrimSuffix(want, "\n--\n")})
	}
	return intro, cases
}

func collect(text string, u Unit) []span.Range { return slices.Collect(Split(text, u)) }

// marked is text with a mark where each unit but the first starts.
func marked(text string, u Unit) string {
	var b strings.Builder
	for r := range Split(text, u) {
		if r.Start > 0 {
			b.WriteString(mark)
		}
		b.WriteString(text[r.Start:r.End])
	}
	return plain.Replace(b.String())
}

// TestLongComment: comments and subtitles about as long as they are read on for.
func TestLongComment(t *testing.T) {
	for _, n := range []int{maxComment - 5, maxComment - 4, maxComment - 3, maxComment, 2 * maxComment} {
		check(t, "// "+strings.Repeat("w", n)+"\n// and more\n// of it\nx := 1\n")
	}
	for _, n := range []int{2*maxCues - 32, 2*maxCues - 31, 2*maxCues - 30, 3 * maxCues} {
		check(t, "00:00:01,000 --> 00:00:03,500\n"+strings.Repeat("w", n)+"\n\n00:00:03,500 --> 00:00:04,000\nEnd.\n")
	}
}

func TestSplit(t *testing.T) {
	intro, cases := readCases(t, casesFile)
	var out strings.Builder
	out.WriteString(intro + "\n")
	for _, c := range cases {
		got := marked(c.text(), c.unit)
		out.WriteString("-- " + c.unit.String() + ": " + c.name + "\n" + got + "\n--\n")
		if got != c.want && !*rewrite {
			t.Errorf("%s: %s\ngot\n%s\nwant\n%s", c.unit, c.name, got, c.want)
		}
	}
	if *rewrite {
		if err := os.WriteFile(casesFile, []byte(out.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// check tests what holds for the units of every text.
func check(t *testing.T, text string) {
	t.Helper()
	borders := map[Unit]map[int]bool{}
	clusters := graphemeBorders(text)
	for _, u := range units {
		at, found := 0, 0
		borders[u] = map[int]bool{}
		for r := range Split(text, u) {
			found++
			if r.Start != at || r.End <= r.Start {
				t.Fatalf("%s: unit %v of %q after %d", u, r, text, at)
			}
			if !clusters[r.End] {
				t.Fatalf("%s: unit %v of %q ends inside a grapheme", u, r, text)
			}
			trimmed := Trim(text, r)
			if trimmed.Empty() && found > 1 {
				t.Fatalf("%s: unit %v of %q is white space", u, r, text)
			}
			if trimmed.Len() > MaxBytes {
				t.Fatalf("%s: unit %v of %q is too long", u, r, text)
			}
			at = r.End
			borders[u][at] = true
		}
		if at != len(text) {
			t.Fatalf("%s: units of %q end at %d", u, text, at)
		}
	}
	for _, nested := range [][2]Unit{{Paragraph, Sentence}, {Sentence, Phrase}} {
		for at := range borders[nested[0]] {
			if !borders[nested[1]][at] {
				t.Fatalf("%q: a %s ends at %d, but no %s", text, nested[0], at, nested[1])
			}
		}
	}
}

// graphemeBorders holds the borders of graphemes. It holds those of runes in graphemes that are longer than a unit may be, and in text that is
// no UTF-8, of which Unicode says nothing.
func graphemeBorders(text string) map[int]bool {
	m := map[int]bool{}
	if !utf8.ValidString(text) {
		for i := range text {
			m[i] = true
		}
		m[len(text)] = true
		return m
	}
	for it := graphemes.FromString(text); it.Next(); {
		m[it.End()] = true
		if v := it.Value(); len(v) >= MaxBytes {
			for i := range v {
				m[it.Start()+i] = true
			}
		}
	}
	return m
}

// hardTexts are long or odd.
var hardTexts = []string{
	"", " ", "\n\n", "\ufeff", "\ufeff# T", ".", "...", "。", "\r\n", "\xff\xfe", "a\u0301. \u0301b", "x.\u200d y", "👨\u200d👩\u200d👧. 👍🏽!\ufe0f A",
	strings.Repeat("word ", 3000), strings.Repeat("x", 3*MaxBytes+1), strings.Repeat("é", 2*MaxBytes), strings.Repeat("字", MaxBytes),
	"a" + strings.Repeat("\u0301", 2*MaxBytes), strings.Repeat("a, b; ", 2000), strings.Repeat("Yes. No. ", 1000), strings.Repeat(".", 2*MaxBytes),
	strings.Repeat(" ", 2*MaxBytes) + "x" + strings.Repeat(" ", 2*MaxBytes) + "y", strings.Repeat("👨\u200d👩\u200d👧", 400), strings.Repeat("- item\n", 1000),
	strings.Repeat("a | b\n", 1000), "```\n" + strings.Repeat("code\n\n", 1000), strings.Repeat("ก", 3000), strings.Repeat("a.\n", 2000), strings.Repeat("🇩🇪", 1000),
}

func TestInvariants(t *testing.T) {
	for _, file := range []string{casesFile, layoutsFile} {
		_, cases := readCases(t, file)
		for _, c := range cases {
			check(t, c.text())
		}
	}
	for _, text := range hardTexts {
		check(t, text)
	}
}

// TestAroundMaxBytes checks units one byte shorter and longer than the bound.
func TestAroundMaxBytes(t *testing.T) {
	for _, u := range units {
		for _, d := range []int{-1, 0, 1} {
			text := strings.Repeat("x", MaxBytes+d)
			want := 1
			if d > 0 {
				want = 2
			}
			if got := len(collect(text, u)); got != want {
				t.Errorf("%s of %d bytes: %d units, want %d", u, len(text), got, want)
			}
		}
	}
}

// TestStable checks that more paragraphs change no unit before them.
func TestStable(t *testing.T) {
	_, cases := readCases(t, casesFile)
	for _, c := range cases {
		text := strings.TrimRightFunc(c.text(), isSpace)
		for _, u := range units {
			before, after := collect(text, u), collect(text+"\n\nMore follows. And more.\n\n# End", u)
			n := len(before) - 1
			if n >= 0 && (!slices.Equal(before[:n], after[:n]) || before[n].Start != after[n].Start) {
				t.Errorf("%s of %q change with what follows", u, text)
			}
		}
	}
}

// TestStops checks that a caller may stop at any unit.
func TestStops(t *testing.T) {
	_, cases := readCases(t, casesFile)
	for _, c := range cases {
		for _, u := range units {
			all := collect(c.text(), u)
			for n := range all {
				var some []span.Range
				for r := range Split(c.text(), u) {
					some = append(some, r)
					if len(some) > n {
						break
					}
				}
				if !slices.Equal(some, all[:n+1]) {
					t.Fatalf("%s of %q: the first %d are %v", u, c.text(), n+1, some)
				}
			}
		}
	}
}

func TestTrim(t *testing.T) {
	for _, c := range []struct{ text, want string }{
		{"", ""}, {" \t\n", ""}, {" a b\u3000\n", "a b"}, {"\ufeffx", "x"}, {"\xff ", "\xff"},
	} {
		r := Trim(c.text, span.Range{End: len(c.text)})
		if got := c.text[r.Start:r.End]; got != c.want {
			t.Errorf("Trim(%q) = %q, want %q", c.text, got, c.want)
		}
	}
}

func FuzzSplit(f *testing.F) {
	for _, file := range []string{casesFile, layoutsFile} {
		_, cases := readCases(f, file)
		for _, c := range cases {
			f.Add(c.text(), uint16(1))
		}
	}
	for _, text := range hardTexts {
		f.Add(text[:min(len(text), 200)], uint16(len(text)/200+1))
	}
	f.Fuzz(func(t *testing.T, text string, times uint16) {
		text = strings.Repeat(text, min(int(times), 1+20000/(len(text)+1)))
		check(t, text)
		if !utf8.ValidString(text) {
			return
		}
		o := NewOutline(text)
		for _, at := range []int{0, len(text) / 2, len(text)} {
			for _, r := range []span.Range{o.Heading(at), o.Speaker(at)} {
				if r.Start < 0 || r.Start > r.End || r.End > len(text) || strings.Contains(text[min(at, r.Start):r.Start], "\n") {
					t.Fatalf("outline of %q at %d: %v", text, at, r)
				}
			}
		}
	})
}

// TestLongObject goes around the constant: an object in one line is read member by member where no window holds it.
func TestLongObject(t *testing.T) {
	for length, want := range map[int]string{
		longJSON - 1: "",
		longJSON:     "",
		longJSON + 1: `{¦"id": 12, ¦"owner": {"login": "acme", "id": 9}, ¦"tags": ["a", "b"], ¦`,
	} {
		text := strings.ReplaceAll(want, mark, "")
		if want == "" {
			text = `{"id": 12, "owner": {"login": "acme", "id": 9}, "tags": ["a", "b"], `
		}
		text += `"about": "` + strings.Repeat("x", length-len(text)-len(`"about": ""}`)) + `"}`
		got := ""
		for _, r := range collect(text, Line) {
			got += text[r.Start:r.End] + mark
		}
		if want == "" && got != text+mark || !strings.HasPrefix(got, want) {
			t.Errorf("%d bytes: %q", len(text), got)
		}
	}
}
