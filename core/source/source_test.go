package source

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"testing/iotest"
	"time"

	"github.com/cprs-go/cprs/core"
)

// tree writes files into a new folder. A content "-> x" makes a symbolic link to x.
func tree(t testing.TB, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, content := range files {
		name = filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			t.Fatal(err)
		}
		var err error
		if target, ok := strings.CutPrefix(content, "-> "); ok {
			err = os.Symlink(filepath.FromSlash(target), name)
		} else {
			err = os.WriteFile(name, []byte(content), 0o644)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// summary lists what was read and left out: IDs, and paths with reasons in brackets.
func summary(docs []core.Document, skipped []Skipped) string {
	var parts []string
	for _, d := range docs {
		parts = append(parts, d.ID)
	}
	for _, s := range skipped {
		parts = append(parts, s.Path+" ("+string(s.Reason)+")")
	}
	return strings.Join(parts, ", ")
}

// code is the code of err; "" if it holds none.
func code(err error) core.Code {
	var e *core.Error
	if !errors.As(err, &e) {
		return ""
	}
	return e.Code
}

var project = map[string]string{
	".git/HEAD":        "ref",
	".gitignore":       "*.log\n/build/\n!keep.log\n",
	".env":             "secret=1",
	"README.md":        "# Project\n",
	"a.log":            "log",
	"keep.log":         "kept",
	"build/out.txt":    "out",
	"docs/a.md":        "A\nB\nC\n",
	"docs/b.md":        "B",
	"docs/sub/c.md":    "C",
	"docs/sub/d.txt":   "D",
	"docs/sub/x.tmp":   "X",
	"docs/.gitignore":  "*.tmp\n",
	"docs/.hidden/e":   "E",
	"docs/image.png":   "\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR",
	"docs/link.md":     "-> a.md",
	"odd[1].md":        "odd",
	"odd:7":            "odd",
	"crlf.txt":         "one\r\ntwo\r\n",
	"empty/.gitignore": "*",
	"empty/x":          "x",
}

func TestFiles(t *testing.T) {
	t.Chdir(tree(t, project))
	for _, c := range []struct {
		name string
		args []string
		opts *Options
		want string
		code core.Code
	}{
		{name: "nothing"},
		{name: "a file", args: []string{"docs/a.md"}, want: "docs/a.md"},
		{name: "in the order of the arguments, once each", args: []string{"docs/b.md", "docs/a.md", "./docs/b.md", "docs/../docs/a.md", "docs/link.md"}, want: "docs/b.md, docs/a.md"},
		{name: "lines", args: []string{"docs/a.md:2-3", "docs/a.md:1", "docs/a.md:2-3"}, want: "docs/a.md:2-3, docs/a.md:1"},
		{name: "a folder", args: []string{"docs"}, want: "docs/a.md, docs/b.md, docs/sub/c.md, docs/sub/d.txt, docs/.gitignore (hidden), docs/.hidden (hidden), docs/image.png (no text), docs/link.md (a symbolic link), docs/sub/x.tmp (ignored by .gitignore)"},
		{name: "a folder below the repository's top", args: []string{"docs/sub"}, want: "docs/sub/c.md, docs/sub/d.txt, docs/sub/x.tmp (ignored by .gitignore)"},
		{name: "all files", args: []string{"."}, want: "README.md, crlf.txt, docs/a.md, docs/b.md, docs/sub/c.md, docs/sub/d.txt, keep.log, odd:7, odd[1].md, .env (hidden), .gitignore (hidden), a.log (ignored by .gitignore), build (ignored by .gitignore), docs/.gitignore (hidden), docs/.hidden (hidden), docs/image.png (no text), docs/link.md (a symbolic link), docs/sub/x.tmp (ignored by .gitignore), empty/.gitignore (hidden), empty/x (ignored by .gitignore)"},
		{name: "hidden files too", args: []string{"docs"}, opts: &Options{Hidden: true}, want: "docs/.gitignore, docs/.hidden/e, docs/a.md, docs/b.md, docs/sub/c.md, docs/sub/d.txt, docs/image.png (no text), docs/link.md (a symbolic link), docs/sub/x.tmp (ignored by .gitignore)"},
		{name: "more to ignore", args: []string{"docs/sub"}, opts: &Options{Ignore: []string{"c.*", "!x.tmp"}}, want: "docs/sub/d.txt, docs/sub/x.tmp, docs/sub/c.md (ignored by .gitignore)"},
		{name: "a folder below that git ignores", args: []string{"build"}, want: "build/out.txt"},
		{name: "a glob", args: []string{"docs/*.md"}, want: "docs/a.md, docs/b.md, docs/link.md (a symbolic link)"},
		{name: "a glob over folders", args: []string{"**/*.md"}, want: "README.md, docs/a.md, docs/b.md, docs/sub/c.md, odd[1].md, build (ignored by .gitignore), docs/.hidden (hidden), docs/link.md (a symbolic link)"},
		{name: "a glob with choices", args: []string{"docs/sub/{c,d}.*"}, want: "docs/sub/c.md, docs/sub/d.txt"},
		{name: "a glob and a folder", args: []string{"docs/sub/*.md", "docs/sub"}, want: "docs/sub/c.md, docs/sub/d.txt, docs/sub/x.tmp (ignored by .gitignore)"},
		{name: "a glob that names hidden files", args: []string{"docs/.hidden/*"}, want: "docs/.hidden/e"},
		{name: "a name that looks like a glob", args: []string{"odd[1].md"}, want: "odd[1].md"},
		{name: "a name that looks like a line", args: []string{"odd:7"}, want: "odd:7"},
		{name: "named outright: ignored, hidden", args: []string{"a.log", ".env"}, want: "a.log, .env"},
		{name: "binary beside text", args: []string{"docs/image.png", "docs/a.md"}, want: "docs/a.md, docs/image.png (no text)"},
		{name: "standard input", args: []string{"docs/a.md", "-", "-"}, want: "docs/a.md, stdin"},
		{name: "binary alone", args: []string{"docs/image.png"}, code: core.CodeUnreadable},
		{name: "no such file", args: []string{"docs/a.md", "nope.md"}, code: core.CodeNotFound},
		{name: "no such file, lines", args: []string{"nope.md:1-2"}, code: core.CodeNotFound},
		{name: "no match", args: []string{"docs/*.rst"}, code: core.CodeNotFound},
		{name: "no match without the folder", args: []string{"nope/**/*.rst"}, code: core.CodeNotFound},
		{name: "a folder without files", args: []string{"empty"}, code: core.CodeNotFound},
		{name: "bad pattern", args: []string{"docs/[a"}, code: core.CodeInvalidArgument},
		{name: "lines that are not there", args: []string{"docs/a.md:4"}, code: core.CodeInvalidArgument},
		{name: "lines from 0", args: []string{"docs/a.md:0-2"}, code: core.CodeInvalidArgument},
		{name: "empty name", args: []string{""}, code: core.CodeInvalidArgument},
		{name: "NUL in a name", args: []string{"a\x00b"}, code: core.CodeInvalidArgument},
		{name: "a negative limit", opts: &Options{MaxFiles: -1}, code: core.CodeInvalidArgument},
		{name: "a file of the limit", args: []string{"docs/a.md"}, opts: &Options{MaxFileBytes: 6}, want: "docs/a.md"},
		{name: "a file above the limit", args: []string{"docs/a.md"}, opts: &Options{MaxFileBytes: 5}, code: core.CodeTooLarge},
		{name: "a file above the limit in a folder", args: []string{"docs/sub", "docs/*.md"}, opts: &Options{MaxFileBytes: 5}, want: "docs/sub/c.md, docs/sub/d.txt, docs/b.md, docs/sub/x.tmp (ignored by .gitignore), docs/link.md (a symbolic link), docs/a.md (too large)"},
		{name: "stdin above the limit", args: []string{"-"}, opts: &Options{MaxFileBytes: 4}, code: core.CodeTooLarge},
		{name: "all of the limit", args: []string{"docs/a.md", "docs/b.md"}, opts: &Options{MaxTotalBytes: 7}, want: "docs/a.md, docs/b.md"},
		{name: "all above the limit", args: []string{"docs/a.md", "docs/b.md"}, opts: &Options{MaxTotalBytes: 6}, code: core.CodeTooLarge},
		{name: "as many files as may be", args: []string{"docs/a.md", "docs/b.md"}, opts: &Options{MaxFiles: 2}, want: "docs/a.md, docs/b.md"},
		{name: "too many files", args: []string{"docs/a.md", "docs/b.md"}, opts: &Options{MaxFiles: 1}, code: core.CodeTooLarge},
	} {
		t.Run(c.name, func(t *testing.T) {
			docs, skipped, err := Files(context.Background(), c.args, strings.NewReader("input"), c.opts)
			if code(err) != c.code || (err != nil) != (c.code != "") {
				t.Fatalf("error %v, want code %q", err, c.code)
			}
			if err != nil {
				if docs != nil {
					t.Error("documents beside an error")
				}
				return
			}
			if got := summary(docs, skipped); !sameItems(got, c.want) {
				t.Errorf("got  %s\nwant %s", got, c.want)
			}
		})
	}
}

// sameItems compares two summaries: documents in order, what was left out in any.
func sameItems(a, b string) bool {
	split := func(s string) (docs, skips []string) {
		for item := range strings.SplitSeq(s, ", ") {
			if strings.HasSuffix(item, ")") {
				skips = append(skips, item)
			} else {
				docs = append(docs, item)
			}
		}
		slices.Sort(skips)
		return docs, skips
	}
	docsA, skipsA := split(a)
	docsB, skipsB := split(b)
	return slices.Equal(docsA, docsB) && slices.Equal(skipsA, skipsB)
}

func TestFilesText(t *testing.T) {
	t.Chdir(tree(t, map[string]string{
		"a": "A\nB\nC\n", "nul": strings.Repeat("text ", 10) + "\x00 more", "late": strings.Repeat("x", blockBytes) + "\x00\xff", "latin": "Gr\xfc\xdfe aus M\xfcnchen, ganz viele sogar", "empty": "",
	}))
	for arg, want := range map[string]string{
		"a": "A\nB\nC\n", "a:1": "A\n", "a:2-3": "B\nC\n", "a:3-9": "C\n", "empty": "",
		"nul": strings.Repeat("text ", 10) + "\x00 more", "late": strings.Repeat("x", blockBytes) + "\x00\xff", "latin": "Gr\xfc\xdfe aus M\xfcnchen, ganz viele sogar",
	} {
		docs, _, err := Files(context.Background(), []string{arg}, nil, nil)
		if err != nil || docs[0].Text != want {
			t.Errorf("%s: %v, %v", arg, docs, err)
		}
	}
	docs, skipped, err := Files(context.Background(), []string{"."}, nil, nil)
	if got := summary(docs, skipped); err != nil || !sameItems(got, "a, empty, late, latin, nul (no text)") {
		t.Errorf("folder: %s, %v", got, err)
	}
}

func TestIsText(t *testing.T) {
	for _, c := range []struct {
		name, block    string
		walked, called bool // text if it was met in a folder, if it was named
	}{
		{"nothing", "", true, true},
		{"ASCII", "hello", true, true},
		{"a cut rune", strings.Repeat("x", 8) + "\xe4\xb8", true, true},
		{"one NUL", strings.Repeat("x", 20) + "\x00", false, true},
		{"one tenth", strings.Repeat("x", 4) + "\xff" + strings.Repeat("x", 5), true, true},
		{"more than one tenth", strings.Repeat("x", 4) + "\xff" + strings.Repeat("x", 4), false, false},
		{"UTF-16", "\xff\xfeh\x00e\x00l\x00l\x00o\x00", false, false},
		{"U+FFFD", strings.Repeat("\ufffd", 20), true, true},
	} {
		if got := isText(c.block, false); got != c.walked {
			t.Errorf("%s in a folder: %v", c.name, got)
		}
		if got := isText(c.block, true); got != c.called {
			t.Errorf("%s, named: %v", c.name, got)
		}
	}
}

// fakeFile is a file that can go wrong.
type fakeFile struct {
	io.Reader
	infos []fs.FileInfo // what Stat says, call by call; then an error
}

func (f *fakeFile) Close() error { return nil }
func (f *fakeFile) Stat() (fs.FileInfo, error) {
	if len(f.infos) == 0 {
		return nil, fs.ErrPermission
	}
	info := f.infos[0]
	f.infos = f.infos[1:]
	return info, nil
}

// info describes a file of so many bytes.
func info(t *testing.T, size int, changed time.Time, mode fs.FileMode) fs.FileInfo {
	t.Helper()
	fsys := fstest.MapFS{"x": {Data: make([]byte, size), ModTime: changed, Mode: mode}}
	i, err := fsys.Stat("x")
	if err != nil {
		t.Fatal(err)
	}
	return i
}

func TestFaults(t *testing.T) {
	now := time.Now()
	four, later, five := info(t, 4, now, 0o644), info(t, 4, now.Add(time.Second), 0o644), info(t, 5, now, 0o644)
	text := func() io.Reader { return strings.NewReader("text") }
	for _, c := range []struct {
		name    string
		content func() io.Reader
		infos   []fs.FileInfo
		reason  Reason
		code    core.Code
	}{
		{"as it should be", text, []fs.FileInfo{four, four}, "", ""},
		{"no size, as in /proc", text, []fs.FileInfo{info(t, 0, now, 0o444), info(t, 0, now, 0o444)}, "", ""},
		{"written to", text, []fs.FileInfo{four, later}, Changed, core.CodeUnreadable},
		{"grown", text, []fs.FileInfo{four, five}, Changed, core.CodeUnreadable},
		{"shrunk", func() io.Reader { return strings.NewReader("tex") }, []fs.FileInfo{four, four}, Changed, core.CodeUnreadable},
		{"longer than it says", func() io.Reader { return strings.NewReader(strings.Repeat("x", 101)) }, []fs.FileInfo{four, four}, TooLarge, core.CodeTooLarge},
		{"a disk error", func() io.Reader { return iotest.ErrReader(io.ErrUnexpectedEOF) }, []fs.FileInfo{four, four}, Unreadable, core.CodeUnreadable},
		{"no information", text, nil, Unreadable, core.CodeUnreadable},
		{"no information afterwards", text, []fs.FileInfo{four}, Unreadable, core.CodeUnreadable},
		{"a device", text, []fs.FileInfo{info(t, 4, now, fs.ModeDevice)}, Special, core.CodeUnreadable},
		{"a pipe", text, []fs.FileInfo{info(t, 4, now, fs.ModeNamedPipe)}, Special, core.CodeUnreadable},
	} {
		for _, named := range []bool{false, true} {
			g := newGatherer(context.Background(), Options{MaxFileBytes: 100, MaxTotalBytes: 1000, MaxFiles: 10})
			err := g.add(input{id: "x", key: "x", named: named, open: func() (fs.File, error) {
				return &fakeFile{c.content(), c.infos}, nil
			}})
			switch {
			case c.reason == "":
				if err != nil || len(g.docs) != 1 || g.docs[0].Text != "text" {
					t.Errorf("%s: %v, %v", c.name, g.docs, err)
				}
			case named:
				if code(err) != c.code || !strings.Contains(err.Error(), `"x"`) {
					t.Errorf("%s, named: error %v, want %s", c.name, err, c.code)
				}
			case err != nil || len(g.docs) != 0 || !slices.Equal(g.skipped, []Skipped{{"x", c.reason}}):
				t.Errorf("%s: skipped %v, error %v, want %s", c.name, g.skipped, err, c.reason)
			}
		}
	}
}

func TestNoStdin(t *testing.T) {
	t.Chdir(t.TempDir())
	if _, _, err := Files(context.Background(), []string{"-"}, nil, nil); code(err) != core.CodeNotFound {
		t.Error(err)
	}
}

func TestCannotOpen(t *testing.T) {
	g := newGatherer(context.Background(), Options{MaxFileBytes: 100, MaxTotalBytes: 1000, MaxFiles: 10})
	err := g.add(input{id: "x", key: "x", named: true, open: func() (fs.File, error) { return nil, fs.ErrPermission }})
	if code(err) != core.CodeUnreadable || !errors.Is(err, fs.ErrPermission) {
		t.Error(err)
	}
}

func TestCancelled(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, _, err := Files(ctx, []string{tree(t, project)}, nil, nil); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	ctx, cancel = context.WithCancel(context.Background())
	endless := readerFunc(func(p []byte) (int, error) { cancel(); clear(p); p[0] = 'x'; return 1, nil })
	if _, _, err := Files(ctx, []string{"-"}, endless, nil); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

type readerFunc func([]byte) (int, error)

func (f readerFunc) Read(p []byte) (int, error) { return f(p) }
