package source

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"

	"github.com/cprs-go/cprs/core"
)

// secret stands in files that no Resolver of these tests may read.
const secret = "SECRET"

// vault makes the folder data with two roots, docs and src, among folders that are none. It returns data.
func vault(t testing.TB) string {
	dir := tree(t, map[string]string{
		"docs/a.md":           "A\nB\nC\n",
		"docs/both.md":        "docs",
		"docs/sub/b.md":       "B",
		"docs/odd[1].md":      "odd",
		"docs/%2e%2e/x.md":    "X",
		"docs/in.md":          "-> sub/b.md",
		"docs/.env":           "hidden",
		"docs/.gitignore":     "*.log",
		"docs/x.log":          "log",
		"docs/bin":            "\x00\x01\x02",
		"docs/out.md":         "-> ../outside/secret.md",
		"docs/outdir":         "-> ../outside",
		"docs/updir":          "-> ..",
		"docs/loop":           "-> loop",
		"docs/chain":          "-> hop",
		"docs/hop":            "-> ../docs-evil/secret.md",
		"src/main.go":         "package main",
		"src/both.md":         "src",
		"outside/secret.md":   secret,
		"docs-evil/secret.md": secret,
	})
	abs := filepath.Join(dir, "docs", "abs.md")
	if err := os.Symlink(filepath.Join(dir, "outside", "secret.md"), abs); err != nil {
		t.Fatal(err)
	}
	return dir
}

func newResolver(t testing.TB, opts *Options) *Resolver {
	t.Helper()
	r, err := New(opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.Close() })
	return r
}

// resolverCases are what callers write; DATA stands for the folder above the roots.
var resolverCases = []struct {
	ref  string
	want string // summary
	code core.Code
}{
	{"a.md", "docs:a.md", ""},
	{"./sub/../a.md", "docs:a.md", ""},
	{"a.md:2-3", "docs:a.md:2-3", ""},
	{"docs:a.md", "docs:a.md", ""},
	{"docs:a.md:2", "docs:a.md:2", ""},
	{"main.go", "src:main.go", ""},
	{"both.md", "docs:both.md", ""},
	{"src:both.md", "src:both.md", ""},
	{"odd[1].md", "docs:odd[1].md", ""},
	{"in.md", "docs:in.md", ""},
	{".env", "docs:.env", ""},
	{"x.log", "docs:x.log", ""},
	{"%2e%2e/x.md", "docs:%2e%2e/x.md", ""},
	{"sub", "docs:sub/b.md", ""},
	{"src:.", "src:both.md, src:main.go", ""},
	{"*.go", "src:main.go", ""},
	{"src:*.md", "src:both.md", ""},
	{"**/b.md", "docs:sub/b.md", ""},
	{"DATA/docs/a.md", "docs:a.md", ""},
	{"DATA/docs/sub/../a.md", "docs:a.md", ""},
	{"DATA/docs/sub/*.md", "docs:sub/b.md", ""},
	{"file://DATA/docs/a.md", "docs:a.md", ""},
	{"file://localhostDATA/docs/a.md", "docs:a.md", ""},
	{"file://DATA/docs/%61.md", "docs:a.md", ""},
	{"file://DATA/docs/odd%5B1%5D.md", "docs:odd[1].md", ""},
	{"file://DATA/docs/%252e%252e/x.md", "docs:%2e%2e/x.md", ""},

	{"nope.md", "", core.CodeNotFound},
	{"src:a.md", "", core.CodeNotFound},
	{"*.rst", "", core.CodeNotFound},
	{"nope/*.md", "", core.CodeNotFound},
	{"docs:x/../nope", "", core.CodeNotFound},
	{"outdi[r]/*.md", "", core.CodeNotFound},
	{"file://DATA/docs/nope.md", "", core.CodeNotFound},
	{"a.md:4", "", core.CodeInvalidArgument},
	{"bin", "", core.CodeUnreadable},
	{"loop", "", core.CodeUnreadable},

	{"..", "", core.CodeOutsideRoots},
	{"../outside/secret.md", "", core.CodeOutsideRoots},
	{"sub/../../outside/secret.md", "", core.CodeOutsideRoots},
	{"docs:../outside/secret.md", "", core.CodeOutsideRoots},
	{"../docs/a.md", "", core.CodeOutsideRoots},
	{"../**/*.md", "", core.CodeOutsideRoots},
	{"sub/../../*/secret.md", "", core.CodeOutsideRoots},
	{"DATA/outside/secret.md", "", core.CodeOutsideRoots},
	{"DATA/docs-evil/secret.md", "", core.CodeOutsideRoots}, // DATA/docs is a prefix of it
	{"DATA/docs/../outside/secret.md", "", core.CodeOutsideRoots},
	{"DATA", "", core.CodeOutsideRoots},
	{"DATA/**/secret.md", "", core.CodeOutsideRoots},
	{"/etc/passwd", "", core.CodeOutsideRoots},
	{"/", "", core.CodeOutsideRoots},
	{"/proc/self/environ", "", core.CodeOutsideRoots},
	{"out.md", "", core.CodeOutsideRoots},
	{"abs.md", "", core.CodeOutsideRoots},
	{"outdir/secret.md", "", core.CodeOutsideRoots},
	{"updir/outside/secret.md", "", core.CodeOutsideRoots},
	{"updir", "", core.CodeOutsideRoots},
	{"chain", "", core.CodeOutsideRoots},
	{"outdir/*.md", "", core.CodeOutsideRoots},
	{"DATA/docs/outdir/secret.md", "", core.CodeOutsideRoots},
	{"file://DATA/outside/secret.md", "", core.CodeOutsideRoots},
	{"file://DATA/docs/%2e%2e/outside/secret.md", "", core.CodeOutsideRoots},
	{"file://DATA/docs/..%2foutside/secret.md", "", core.CodeOutsideRoots},
	{"file:///etc/passwd", "", core.CodeOutsideRoots},
	{"file:///etc/pass%00wd", "", core.CodeOutsideRoots},
	{"file://server/share/a.md", "", core.CodeOutsideRoots},
	{`C:\Windows\win.ini`, "", core.CodeOutsideRoots},
	{"C:/Windows/win.ini", "", core.CodeOutsideRoots},
	{`\\server\share\a.md`, "", core.CodeOutsideRoots},
	{"//server/share/a.md", "", core.CodeOutsideRoots},
	{`\\?\C:\a.md`, "", core.CodeOutsideRoots},

	{"http://example.com/a", "", core.CodeInvalidArgument},
	{"file:///a?b", "", core.CodeInvalidArgument},
}

func TestResolve(t *testing.T) {
	data := vault(t)
	r := newResolver(t, &Options{Roots: []Root{{Dir: filepath.Join(data, "docs")}, {Name: "src", Dir: filepath.Join(data, "src")}}})
	for _, c := range resolverCases {
		ref, err := ParseRef(strings.ReplaceAll(c.ref, "DATA", filepath.ToSlash(data)))
		if err != nil {
			t.Fatal(err)
		}
		docs, skipped, err := r.Resolve(context.Background(), []Ref{ref})
		if code(err) != c.code || (err != nil) != (c.code != "") {
			t.Errorf("%s: error %v, want code %q", c.ref, err, c.code)
			continue
		}
		if err == nil && !sameItems(summary(docs, skipped), c.want) {
			t.Errorf("%s: %s, want %s", c.ref, summary(docs, skipped), c.want)
		}
		for _, d := range docs {
			again, err := ParseRef(d.ID)
			if err != nil {
				t.Fatal(err)
			}
			same, _, err := r.Resolve(context.Background(), []Ref{again})
			if err != nil || same[0].Text != d.Text || same[0].ID != d.ID {
				t.Errorf("%s: its ID %q does not name it: %v", c.ref, d.ID, err)
			}
		}
	}
}

func TestResolveRefs(t *testing.T) {
	data := vault(t)
	r := newResolver(t, &Options{Roots: []Root{{Dir: filepath.Join(data, "docs")}}})
	docs, skipped, err := r.Resolve(context.Background(), []Ref{{Path: "sub/b.md"}, {Glob: "*.md"}, {Path: "a.md"}, {Path: "a.md", StartLine: 1, EndLine: 1}})
	want := "sub/b.md, a.md, both.md, odd[1].md, a.md:1, abs.md (a symbolic link), in.md (a symbolic link), out.md (a symbolic link)"
	if got := summary(docs, skipped); err != nil || !sameItems(got, want) {
		t.Errorf("got  %s, %v\nwant %s", got, err, want)
	}
	for _, bad := range []Ref{{}, {Path: "a.md", Glob: "*"}, {Glob: "*", URI: "file:///a"}, {Path: "a.md", URI: "file:///a"}} {
		if _, _, err := r.Resolve(context.Background(), []Ref{bad}); code(err) != core.CodeInvalidArgument {
			t.Errorf("%+v: %v", bad, err)
		}
	}
	for _, limits := range []Options{{MaxFileBytes: 5}, {MaxTotalBytes: 5}, {MaxFiles: 1}} {
		limits.Roots = r.opts.Roots
		_, _, err := newResolver(t, &limits).Resolve(context.Background(), []Ref{{Path: "both.md"}, {Path: "a.md"}})
		if code(err) != core.CodeTooLarge {
			t.Errorf("%+v: %v", limits, err)
		}
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, _, err := r.Resolve(ctx, []Ref{{Path: "a.md"}}); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

func TestNoRoots(t *testing.T) {
	_, _, err := newResolver(t, nil).Resolve(context.Background(), []Ref{{Path: "a.md"}})
	var e *core.Error
	if !errors.As(err, &e) || e.Code != core.CodeOutsideRoots || !strings.Contains(e.Hint, "--root") {
		t.Error(err)
	}
	if _, err := New(&Options{Roots: []Root{{Dir: filepath.Join(t.TempDir(), "nope")}}}); code(err) != core.CodeUnreadable {
		t.Error(err)
	}
	if _, err := New(&Options{MaxFileBytes: -1}); code(err) != core.CodeInvalidArgument {
		t.Error(err)
	}
}

func TestNarrow(t *testing.T) {
	data := vault(t)
	r := newResolver(t, &Options{Roots: []Root{{Dir: filepath.Join(data, "docs")}}})
	for _, c := range []struct {
		dirs []string
		ref  string
		code core.Code
	}{
		{nil, "a.md", core.CodeOutsideRoots},
		{[]string{"docs"}, "a.md", core.CodeOutsideRoots},
		{[]string{"docs"}, "sub/b.md", core.CodeOutsideRoots}, // not absolute
		{[]string{"DATA/outside"}, "secret.md", core.CodeOutsideRoots},
		{[]string{"DATA/docs-evil"}, "secret.md", core.CodeOutsideRoots},
		{[]string{"DATA/docs/outdir"}, "secret.md", core.CodeOutsideRoots},
		{[]string{"DATA/docs/../outside"}, "secret.md", core.CodeOutsideRoots},
		{[]string{"DATA/docs"}, "a.md", ""},
		{[]string{"DATA"}, "a.md", ""},
		{[]string{"/"}, "a.md", ""},
		{[]string{"DATA"}, "DATA/outside/secret.md", core.CodeOutsideRoots},
		{[]string{"DATA/outside", "DATA/docs/sub"}, "b.md", ""},
		{[]string{"DATA/docs/sub"}, "DATA/docs/sub/b.md", ""},
		{[]string{"DATA/docs/sub"}, "a.md", core.CodeNotFound},
		{[]string{"DATA/docs/sub"}, "../a.md", core.CodeOutsideRoots},
		{[]string{"DATA/docs/sub"}, "DATA/docs/a.md", core.CodeOutsideRoots},
	} {
		var dirs []string
		for _, dir := range c.dirs {
			dirs = append(dirs, strings.ReplaceAll(dir, "DATA", data))
		}
		n := r.Narrow(dirs)
		docs, _, err := n.Resolve(context.Background(), []Ref{{Path: strings.ReplaceAll(c.ref, "DATA", filepath.ToSlash(data))}})
		if code(err) != c.code {
			t.Errorf("%v, %s: %v, %v; want %q", c.dirs, c.ref, docs, err, c.code)
		}
		if err := n.Close(); err != nil {
			t.Error(err)
		}
	}
	if _, _, err := r.Resolve(context.Background(), []Ref{{Path: "a.md"}}); err != nil {
		t.Errorf("closing what Narrow made closed the roots: %v", err)
	}
}

func TestWiden(t *testing.T) {
	data := vault(t)
	r := newResolver(t, &Options{Roots: []Root{{Dir: filepath.Join(data, "docs", "sub")}}, MaxFiles: 3})
	w := r.Widen([]string{filepath.Join(data, "outside"), filepath.Join(data, "nosuch"), "docs"})
	for ref, want := range map[string]core.Code{
		"b.md": "", "secret.md": "", "outside:secret.md": "", filepath.Join(data, "outside", "secret.md"): "",
		filepath.Join(data, "docs", "a.md"): core.CodeOutsideRoots, "../a.md": core.CodeOutsideRoots, "a.md": core.CodeNotFound,
	} {
		if _, _, err := w.Resolve(context.Background(), []Ref{{Path: filepath.ToSlash(ref)}}); code(err) != want {
			t.Errorf("%s: %v, want %q", ref, err, want)
		}
	}
	if err := w.Close(); err != nil {
		t.Error(err)
	}
	if _, _, err := r.Resolve(context.Background(), []Ref{{Path: "b.md"}}); err != nil {
		t.Errorf("closing what Widen made closed the roots: %v", err)
	}
	if _, _, err := r.Resolve(context.Background(), []Ref{{Path: "secret.md"}}); err == nil {
		t.Error("the roots of r are others now")
	}
	none := newResolver(t, nil).Widen([]string{filepath.Join(data, "docs")})
	defer none.Close()
	if _, _, err := none.Resolve(context.Background(), []Ref{{Path: "a.md"}}); err != nil {
		t.Error(err)
	}
}

func TestFolder(t *testing.T) {
	for uri, want := range map[string]string{"file:///a/b%20c": "/a/b c", "file://localhost/a/": "/a/", "file://host/a": "", "https://a/b": "", "/a": "", "file:a": "", "": ""} {
		if runtime.GOOS == "windows" {
			t.Skip("paths of another system")
		}
		if got, err := Folder(uri); got != want || (err == nil) != (want != "") {
			t.Errorf("%q: %q, %v", uri, got, err)
		}
	}
}

// TestConcurrently is for the race detector.
func TestConcurrently(t *testing.T) {
	r := newResolver(t, &Options{Roots: []Root{{Dir: filepath.Join(vault(t), "docs")}}})
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			if _, _, err := r.Resolve(context.Background(), []Ref{{Path: "sub"}, {Glob: "*.md"}}); err != nil {
				t.Error(err)
			}
			r.Narrow([]string{"/"}).Close()
		})
	}
	wg.Wait()
}

// FuzzResolve looks for a Ref that reads what lies outside the roots.
func FuzzResolve(f *testing.F) {
	data := vault(f)
	for _, c := range resolverCases {
		f.Add(c.ref)
	}
	r := newResolver(f, &Options{Roots: []Root{{Dir: filepath.Join(data, "docs")}, {Dir: filepath.Join(data, "src")}}})
	f.Fuzz(func(t *testing.T, s string) {
		s = strings.ReplaceAll(s, "DATA", filepath.ToSlash(data))
		parsed, _ := ParseRef(s)
		for _, ref := range []Ref{parsed, {Path: s}, {Glob: s}, {URI: s}, {URI: "file://" + s}} {
			docs, _, err := r.Resolve(context.Background(), []Ref{ref})
			if err != nil && code(err) == "" {
				t.Fatalf("%+v: an error without a code: %v", ref, err)
			}
			for _, d := range docs {
				if strings.Contains(d.Text, secret) || strings.Contains(d.ID, "..") {
					t.Fatalf("%+v reads %q: %q", ref, d.ID, d.Text)
				}
			}
		}
	})
}
