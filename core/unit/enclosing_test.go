package unit

import (
	"slices"
	"strings"
	"testing"
)

func TestEnclosing(t *testing.T) {
	const (
		compose = "services:\n  db:\n    image: postgres\n  cache:\n    image: redis\n\n    limits:\n      memory: 1G\nvolumes:\n  data: {}\n"
		ini     = "root = yes\n[database]\nhost = db-2\n# note\nport = 1\n\n[mail]\nhost = smtp\ntls = off\n"
		goCode  = "package a\n\nfunc (s *Store) Reserve(n int) error {\n\tif n > 1 {\n\t\treturn ErrSoldOut\n\t}\n\treturn nil\n}\n\nfunc Next() {}\n"
		python  = "class Store:\n    \"\"\"Goods.\"\"\"\n\n    def reserve(self, n):\n        for i in range(n):\n            self.take(i)\n\ntop = 1\n"
		object  = "{\n  \"spec\": {\n    \"limits\": {\n      \"memory\": \"1Gi\"\n    }\n  },\n  \"kind\": \"Pod\"\n}\n"
		manual  = "BUILTINS\n       read [-ers] [name ...]\n              One line is read.\n\n              Options:\n              -t timeout\n\t\t     Cause read to time\n\t\t     out.\n"
		wrapped = "- read the line as\n  One.\nand so on,\n  Two.\n"
		pods    = "spec:\n  containers:\n  - name: payments\n    image: x\n  - name: side\n    image: y\n"
	)
	for _, c := range []struct {
		name, text, at string
		want           []string
	}{
		{"YAML", compose, "redis", []string{"cache:", "services:"}},
		{"a key at the margin", compose, "volumes", nil},
		{"below a blank line", compose, "memory", []string{"limits:", "cache:", "services:"}},
		{"INI", ini, "tls", []string{"[mail]"}},
		{"INI, behind a comment", ini, "port", []string{"[database]"}},
		{"INI, before any section", ini, "root", nil},
		{"a section itself", ini, "[mail]", nil},
		{"Go, branches left out", goCode, "ErrSoldOut", []string{"func (s *Store) Reserve(n int) error {"}},
		{"Python", python, "self.take", []string{"def reserve(self, n):", "class Store:"}},
		{"back at the margin", python, "top", nil},
		{"JSON, braces left out", object, `"memory"`, []string{`"limits": {`, `"spec": {`}},
		{"an item of a list names what is below", pods, "image: y", []string{"- name: side", "spec:"}},
		{"a manual", manual, "Cause", []string{"-t timeout", "read [-ers] [name ...]"}},
		{"a manual, below a blank line", manual, "Options", []string{"read [-ers] [name ...]"}},
		{"a list that was wrapped", wrapped, "One", nil},
		{"an indented line after a comma", wrapped, "Two", nil},
		{"indented prose", "It was late.\n\n    He slept.\n", "slept", nil},
		{"a log", "[main]\nstart\n[12:01] up\n", "12:01", nil},
		{"empty", "", "", nil},
		{"four at most", "a:\n b:\n  c:\n   d:\n    e:\n     f: 1\n", "f:", []string{"e:", "d:", "c:", "b:"}},
	} {
		var got []string
		for _, r := range NewOutline(c.text).Enclosing(strings.Index(c.text, c.at)) {
			got = append(got, strings.TrimSpace(c.text[r.Start:r.End]))
		}
		if !slices.Equal(got, c.want) {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
	}
}

func FuzzEnclosing(f *testing.F) {
	f.Add("a:\n  b: 1\n[c]\nd=1\n", 6)
	f.Add(" \n\t{\r\n", 3)
	f.Add("a: 1\nb: 2\n\na: 3\nb: 4", 17)
	f.Fuzz(func(t *testing.T, text string, at int) {
		if at < 0 || at > len(text) {
			t.Skip()
		}
		end := at
		for _, r := range NewOutline(text).Enclosing(at) {
			if r.Empty() || r.Start < 0 || r.End > end {
				t.Fatalf("%v of %q at %d", r, text, at)
			}
			end = r.Start
		}
		if r := NewOutline(text).Record(at); r.Start < 0 || r.End > at {
			t.Fatalf("record %v of %q at %d", r, text, at)
		}
	})
}
