//go:build unix

package source

import (
	"context"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/cprs-go/cprs/core"
)

// TestPipes checks that a named pipe holds up no one: a Resolver refuses it, Files reads one that was named.
func TestPipes(t *testing.T) {
	dir := tree(t, map[string]string{"a.md": "A"})
	pipe := filepath.Join(dir, "pipe")
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Skip(err)
	}
	r := newResolver(t, &Options{Roots: []Root{{Dir: dir}}})
	if _, _, err := r.Resolve(context.Background(), []Ref{{Path: "pipe"}}); code(err) != core.CodeUnreadable {
		t.Errorf("a pipe: %v", err)
	}
	docs, skipped, err := r.Resolve(context.Background(), []Ref{{Path: "."}})
	if got := summary(docs, skipped); err != nil || !sameItems(got, "a.md, pipe (no regular file)") {
		t.Errorf("its folder: %s, %v", got, err)
	}
	go func() { _ = os.WriteFile(pipe, []byte("through the pipe"), 0) }()
	docs, _, err = Files(context.Background(), []string{pipe}, nil, nil)
	if err != nil || docs[0].Text != "through the pipe" {
		t.Errorf("named: %v, %v", docs, err)
	}
	if _, _, err := Files(context.Background(), []string{"/dev/zero"}, nil, nil); code(err) != core.CodeUnreadable {
		t.Errorf("a device: %v", err)
	}
}
