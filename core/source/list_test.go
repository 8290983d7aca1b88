package source

import (
	"context"
	"errors"
	"reflect"
	"strings"
	"testing"

	"github.com/cprs-go/cprs/core"
)

func TestList(t *testing.T) {
	one := tree(t, map[string]string{"a.md": "alpha", "docs/b.md": "beta", "docs/c.txt": strings.Repeat("c", 11), "docs/logo.png": "\x00\x01", ".gitignore": "*.log\n", "x.log": "x"})
	two := tree(t, map[string]string{"d.md": "d"})
	open := func(dirs ...string) *Resolver {
		opt := &Options{MaxFileBytes: 10}
		for i, d := range dirs {
			opt.Roots = append(opt.Roots, Root{Name: []string{"one", "two", "three"}[i], Dir: d})
		}
		r, err := New(opt)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { r.Close() })
		return r
	}
	files := func(fs []File) (out string) {
		for _, f := range fs {
			out += f.Path + " "
		}
		return out
	}
	tests := []struct {
		name, pattern string
		r             *Resolver
		most          int
		want          string // or the code of the error
		skipped       []Skipped
		more          bool
	}{
		{"all", "", open(one), 10, "a.md docs/b.md ", []Skipped{{".gitignore", Hidden}, {"docs/c.txt", TooLarge}, {"docs/logo.png", Binary}, {"x.log", Ignored}}, false},
		{"two roots, one of them empty", "", open(two, t.TempDir(), one), 10, "one:d.md three:a.md three:docs/b.md ",
			[]Skipped{{"three:.gitignore", Hidden}, {"three:docs/c.txt", TooLarge}, {"three:docs/logo.png", Binary}, {"three:x.log", Ignored}}, false},
		{"a glob", "**/*.md", open(one), 10, "a.md docs/b.md ", nil, false},
		{"a folder", "docs", open(one), 10, "docs/b.md ", []Skipped{{"docs/c.txt", TooLarge}, {"docs/logo.png", Binary}}, false},
		{"a file", "a.md", open(one), 10, "a.md ", nil, false},
		{"as many as there are", "**/*.md", open(one), 2, "a.md docs/b.md ", nil, false},
		{"one less", "**/*.md", open(one), 1, "a.md ", nil, true},
		{"an empty root", "", open(t.TempDir()), 10, "", nil, false},
		{"no match", "*.go", open(one), 10, "not_found", nil, false},
		{"outside", "../x", open(one), 10, "outside_roots", nil, false},
		{"no root", "", open(), 10, "outside_roots", nil, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, skipped, more, err := tt.r.List(context.Background(), tt.pattern, tt.most)
			var known *core.Error
			if errors.As(err, &known) {
				if string(known.Code) != tt.want {
					t.Errorf("got %v, want %s", err, tt.want)
				}
				return
			}
			if err != nil || files(got) != tt.want || more != tt.more || !reflect.DeepEqual(skipped, tt.skipped) {
				t.Errorf("got %q, %v, %v, %v", files(got), skipped, more, err)
			}
		})
	}
	got, _, _, err := tests[0].r.List(context.Background(), "a.md", 1)
	if err != nil || got[0].Bytes != 5 {
		t.Errorf("a.md has %+v, %v", got, err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, _, _, err := tests[0].r.List(ctx, "", 10); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
}

func TestDocumentsKnowTheirFirstLine(t *testing.T) {
	r, err := New(&Options{Roots: []Root{{Dir: tree(t, map[string]string{"a": "1\n2\n3\n"})}}})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	docs, _, err := r.Resolve(context.Background(), []Ref{{Path: "a", StartLine: 2, EndLine: 3}, {Path: "a"}})
	want := []core.Document{{ID: "a:2-3", Text: "2\n3\n", FirstLine: 2}, {ID: "a", Text: "1\n2\n3\n"}}
	if err != nil || !reflect.DeepEqual(docs, want) {
		t.Errorf("got %+v, %v; want %+v", docs, err, want)
	}
}
