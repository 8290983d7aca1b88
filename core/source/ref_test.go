package source

import (
	"strings"
	"testing"

	"github.com/cprs-go/cprs/core"
)

var refCases = []struct {
	text string
	want Ref
	code core.Code
}{
	{"a.md", Ref{Path: "a.md"}, ""},
	{"docs/a.md", Ref{Path: "docs/a.md"}, ""},
	{"a.go:10-20", Ref{Path: "a.go", StartLine: 10, EndLine: 20}, ""},
	{"a.go:10", Ref{Path: "a.go", StartLine: 10, EndLine: 10}, ""},
	{"a.go:10-10", Ref{Path: "a.go", StartLine: 10, EndLine: 10}, ""},
	{"a:1:2", Ref{Path: "a:1", StartLine: 2, EndLine: 2}, ""},
	{"a.go:", Ref{Path: "a.go:"}, ""},
	{"a.go:x", Ref{Path: "a.go:x"}, ""},
	{"a.go:1-", Ref{Path: "a.go:1-"}, ""},
	{":5", Ref{Path: ":5"}, ""},
	{"docs:a.md", Ref{Path: "docs:a.md"}, ""},
	{`C:\a.md`, Ref{Path: `C:\a.md`}, ""},
	{"a.go:12345678901234567890", Ref{Path: "a.go:12345678901234567890"}, ""},
	{"**/*.md", Ref{Glob: "**/*.md"}, ""},
	{"a[1].md", Ref{Glob: "a[1].md"}, ""},
	{"{a,b}.md", Ref{Glob: "{a,b}.md"}, ""},
	{"file:///a%20b", Ref{URI: "file:///a%20b"}, ""},
	{"http://x/y", Ref{URI: "http://x/y"}, ""},
	{"", Ref{}, core.CodeInvalidArgument},
	{"a\x00b", Ref{}, core.CodeInvalidArgument},
	{"a.go:0", Ref{}, core.CodeInvalidArgument},
	{"a.go:20-10", Ref{}, core.CodeInvalidArgument},
	{"*.go:1-2", Ref{}, core.CodeInvalidArgument},
	{"[a", Ref{}, core.CodeInvalidArgument},
	{strings.Repeat("{a,b}", maxBraces), Ref{Glob: strings.Repeat("{a,b}", maxBraces)}, ""},
	{strings.Repeat("{a,b}", maxBraces+1), Ref{}, core.CodeInvalidArgument},
	{"{a" + strings.Repeat(",b", maxCommas) + "}", Ref{Glob: "{a" + strings.Repeat(",b", maxCommas) + "}"}, ""},
	{"{a" + strings.Repeat(",b", maxCommas+1) + "}", Ref{}, core.CodeInvalidArgument},
}

func TestParseRef(t *testing.T) {
	for _, c := range refCases {
		got, err := ParseRef(c.text)
		if got != c.want || code(err) != c.code {
			t.Errorf("%q: %+v, %v", c.text, got, err)
		}
	}
}

func FuzzParseRef(f *testing.F) {
	for _, c := range refCases {
		f.Add(c.text, "one\ntwo\nthree")
	}
	f.Fuzz(func(t *testing.T, s, text string) {
		r, err := ParseRef(s)
		if err != nil {
			if code(err) != core.CodeInvalidArgument {
				t.Fatalf("%q: %v", s, err)
			}
			return
		}
		again, err := ParseRef(r.String())
		if err != nil || again != r {
			t.Fatalf("%q: %+v is written %q and read %+v, %v", s, r, r.String(), again, err)
		}
		part, err := r.cut(text)
		if (err == nil) && !strings.Contains(text, part) || err != nil && code(err) != core.CodeInvalidArgument {
			t.Fatalf("%+v of %q is %q, %v", r, text, part, err)
		}
		if err == nil && r.StartLine > 0 && strings.Count(strings.TrimSuffix(part, "\n"), "\n") > r.EndLine-r.StartLine {
			t.Fatalf("%+v of %q is %q: too many lines", r, text, part)
		}
	})
}

func TestCut(t *testing.T) {
	for _, c := range []struct {
		text       string
		start, end int
		want       string
		ok         bool
	}{
		{"a\nb\nc\n", 0, 0, "a\nb\nc\n", true},
		{"a\nb\nc\n", 1, 1, "a\n", true},
		{"a\nb\nc\n", 2, 3, "b\nc\n", true},
		{"a\nb\nc\n", 3, 9, "c\n", true},
		{"a\nb\nc\n", 4, 4, "", false},
		{"a\nb\nc", 3, 3, "c", true},
		{"a\r\nb\r\n", 1, 1, "a\r\n", true},
		{"", 1, 1, "", true},
		{"", 2, 2, "", false},
		{"\n\n", 2, 2, "\n", true},
	} {
		got, err := Ref{Path: "x", StartLine: c.start, EndLine: c.end}.cut(c.text)
		if got != c.want || (err == nil) != c.ok {
			t.Errorf("lines %d-%d of %q: %q, %v", c.start, c.end, c.text, got, err)
		}
	}
}

func TestFilePath(t *testing.T) {
	for _, c := range []struct {
		uri     string
		windows bool
		want    string
		code    core.Code
	}{
		{"file:///data/a.md", false, "/data/a.md", ""},
		{"file://localhost/data/a.md", false, "/data/a.md", ""},
		{"FILE:///data/a.md", false, "/data/a.md", ""},
		{"file:///data/a%20b.md", false, "/data/a b.md", ""},
		{"file:///data/%2e%2e/etc/passwd", false, "/data/../etc/passwd", ""}, // decoded once, then refused by its place
		{"file:///data/%252e%252e/x", false, "/data/%2e%2e/x", ""},           // and never twice
		{"file:///data%2fa", false, "/data/a", ""},
		{"file:///a%00b", false, "/a\x00b", ""}, // refused by its place
		{"file:///C:/a.md", true, "C:/a.md", ""},
		{"file:///C:/a.md", false, "/C:/a.md", ""},
		{"file:///c%3A/a.md", true, "c:/a.md", ""},
		{"file://server/share/a.md", false, "", core.CodeOutsideRoots},
		{"file://server/share/a.md", true, "", core.CodeOutsideRoots},
		{"file://C:/a.md", true, "", core.CodeOutsideRoots},
		{"file:////server/share", true, "//server/share", ""}, // refused by its place
		{"file:a.md", false, "", core.CodeInvalidArgument},
		{"file://", false, "", core.CodeInvalidArgument},
		{"file:///a?b", false, "", core.CodeInvalidArgument},
		{"file:///a#b", false, "", core.CodeInvalidArgument},
		{"file://user@localhost/a", false, "", core.CodeInvalidArgument},
		{"file:///a%zz", false, "", core.CodeInvalidArgument},
		{"http://example.com/a", false, "", core.CodeInvalidArgument},
		{"ctx://x/y", false, "", core.CodeInvalidArgument},
	} {
		got, err := filePath(c.uri, c.windows)
		if got != c.want || code(err) != c.code {
			t.Errorf("%q, Windows %v: %q, %v", c.uri, c.windows, got, err)
		}
	}
}

func TestPlaceOf(t *testing.T) {
	for _, c := range []struct {
		path          string
		unix, windows place
	}{
		{"a.md", relative, relative},
		{"../a.md", relative, relative}, // whether it leads out is seen when it is cleaned
		{"docs/a.md", relative, relative},
		{`docs\a.md`, relative, relative},
		{"/data/a.md", absolute, nowhere},
		{`C:\data\a.md`, nowhere, absolute},
		{"C:/data/a.md", nowhere, absolute},
		{"C:a.md", nowhere, nowhere},
		{"C:", nowhere, nowhere},
		{`\data`, nowhere, nowhere},
		{`\\server\share\a`, nowhere, nowhere},
		{"//server/share/a", nowhere, nowhere},
		{`\\?\C:\a`, nowhere, nowhere},
		{`\\.\pipe\x`, nowhere, nowhere},
		{`/\server\share`, nowhere, nowhere},
		{"", nowhere, nowhere},
		{"a\x00b", nowhere, nowhere},
		{"ab:c", relative, relative},
	} {
		if got := placeOf(c.path, false); got != c.unix {
			t.Errorf("%q on Unix: %d, want %d", c.path, got, c.unix)
		}
		if got := placeOf(c.path, true); got != c.windows {
			t.Errorf("%q on Windows: %d, want %d", c.path, got, c.windows)
		}
	}
}
