package source

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"strings"
	"testing"
)

func TestIgnored(t *testing.T) {
	for _, c := range []struct {
		rules, name string
		dir, want   bool
	}{
		{"", "a", false, false},
		{"# a\n\n", "# a", false, false},
		{"a", "a", false, true},
		{"a", "x/y/a", false, true},
		{"a", "ab", false, false},
		{"/a", "x/a", false, false},
		{"x/a", "y/x/a", false, false},
		{"a/", "a", false, false},
		{"a/", "a", true, true},
		{"*.go\n!b.go", "b.go", false, false},
		{"!b.go\n*.go", "b.go", false, true},
		{"**/a", "x/y/a", false, true},
		{"a/**", "a", true, false},
		{"a/**", "a/b/c", false, true},
		{"a/**/b", "a/b", false, true},
		{"a/**/b", "a/x/y/b", false, true},
		{"a/*", "a/x/y", false, false},
		{`\#a`, "#a", false, true},
		{`\!a`, "!a", false, true},
		{"a  ", "a", false, true},
		{`a\ `, "a ", false, true},
		{"a\r\n", "a", false, true},
		{"\ufeffa", "a", false, true},
		{"{a,b}", "a", false, false},
		{"{a,b}", "{a,b}", false, true},
		{"[!a]", "b", false, true},
		{"[a", "[a", false, false}, // git drops such a pattern
		{"/", "a", true, false},
		{"!", "a", false, false},
	} {
		if got := parseRules(".", c.rules).ignored(c.name, c.dir); got != c.want {
			t.Errorf("%q ignores %q: %v", c.rules, c.name, got)
		}
	}
}

// TestIgnoredAsGit compares with git on random folders with random .gitignore files.
func TestIgnoredAsGit(t *testing.T) {
	if _, err := exec.LookPath("git"); err != nil {
		if os.Getenv("REQUIRE_GIT") == "1" {
			t.Fatal(err)
		}
		t.Skip(err)
	}
	const rounds = 25
	rnd := rand.New(rand.NewPCG(1, 2))
	for range rounds {
		dir, names := randomTree(t, rnd)
		want := gitIgnored(t, dir, names)
		for _, name := range names {
			if got := walkIgnored(t, dir, name); got != want[name] {
				t.Errorf("%q is ignored: %v, git: %v; %s", name, got, want[name], allRules(t, dir))
			}
		}
	}
}

// randomTree makes a folder of a few files and .gitignore files. It returns the names of all that is in it.
func randomTree(t *testing.T, rnd *rand.Rand) (dir string, names []string) {
	t.Helper()
	files := []string{"a", "b", "ab", "foo", "foo.go", "bar.txt", "x y", "a[1]", "!n", "#h", "{c}"}
	parts := []string{"a", "b", "foo", "*", "?", "**", "*.go", "foo*", "[ab]", "[!a]", "[^b]*", "a**b", "f?o", `\!n`, `\#h`, "x y", "{c}", "{a,b}", "a[[]1]", "*o", "**foo"}
	pick := func(from []string) string { return from[rnd.IntN(len(from))] }
	pattern := func() string {
		s := pick(parts)
		for range rnd.IntN(3) {
			s += "/" + pick(parts)
		}
		for _, mark := range []string{"/", "!"} {
			if rnd.IntN(4) == 0 {
				s = mark + s
			}
		}
		if rnd.IntN(4) == 0 {
			s += "/"
		}
		return s
	}
	content := map[string]string{".gitignore": pattern() + "\n" + pattern() + "\n" + pattern() + "\n"}
	dirs := map[string]bool{}
	for range 14 {
		at := "."
		for range rnd.IntN(3) {
			if at = path.Join(at, pick(files)); content[at] != "" {
				break
			}
			dirs[at] = true
			if rnd.IntN(3) == 0 {
				content[path.Join(at, ".gitignore")] = pattern() + "\n"
			}
		}
		if name := path.Join(at, pick(files)); !dirs[name] && content[at] == "" {
			content[name] = "x"
		}
	}
	dir = tree(t, content)
	if err := filepath.WalkDir(dir, func(name string, e os.DirEntry, err error) error {
		if rel, _ := filepath.Rel(dir, name); err == nil && rel != "." && e.Name() != ".gitignore" {
			names = append(names, filepath.ToSlash(rel))
		}
		return err
	}); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command("git", "init", "-q", dir).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	return dir, names
}

// gitIgnored says which of names git ignores.
func gitIgnored(t *testing.T, dir string, names []string) map[string]bool {
	t.Helper()
	cmd := exec.Command("git", "-C", dir, "check-ignore", "--no-index", "-z", "--stdin")
	cmd.Stdin = strings.NewReader(strings.Join(names, "\x00"))
	out, err := cmd.Output()
	var exit *exec.ExitError
	if err != nil && (!errors.As(err, &exit) || exit.ExitCode() != 1) { // 1: none
		t.Fatal(err)
	}
	ignored := map[string]bool{}
	for name := range bytes.SplitSeq(out, []byte{0}) {
		ignored[string(name)] = true
	}
	return ignored
}

// walkIgnored goes from dir to name as a walk does.
func walkIgnored(t *testing.T, dir, name string) bool {
	t.Helper()
	w := walk{fsys: os.DirFS(dir)}
	rs := w.rulesOf(".")
	for i := range len(name) + 1 {
		if i < len(name) && name[i] != '/' {
			continue
		}
		info, err := os.Stat(filepath.Join(dir, name[:i]))
		if err != nil {
			t.Fatal(err)
		}
		if rs.ignored(name[:i], info.IsDir()) {
			return true
		}
		rs = append(rs, w.rulesOf(name[:i])...)
	}
	return false
}

func allRules(t *testing.T, dir string) string {
	t.Helper()
	var b strings.Builder
	_ = filepath.WalkDir(dir, func(name string, e os.DirEntry, err error) error {
		if err == nil && e.Name() == ".gitignore" {
			data, _ := os.ReadFile(name)
			rel, _ := filepath.Rel(dir, name)
			b.WriteString(rel + ": " + string(data))
		}
		return err
	})
	return b.String()
}
