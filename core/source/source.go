// Package source turns what a caller names (files, folders, globs, URIs, standard input) into documents.
//
// It is the first stage: its documents go to a core.Compressor. Files serves a command line, whose user may read whatever the system lets
// them read. A Resolver serves callers who are not trusted that far: it reads below its roots only.
//
// Folders and globs leave out what git ignores, hidden files, symbolic links and what is no text, and say so. What is named
// outright is read if it can be. Documents come in the order of the names, below a folder in that of the alphabet, each file once.
package source

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"

	"github.com/bmatcuk/doublestar/v4"

	"github.com/cprs-go/cprs/core"
)

// Options bounds what is read. The zero value, and nil, stand for the defaults.
type Options struct {
	Roots         []Root   // the folders below which a Resolver reads; Files has no use for them
	MaxFileBytes  int64    // of one file; 0: 1 GiB for Files, 8 MiB for a Resolver
	MaxTotalBytes int64    // of all; 0: 4 GiB for Files, 64 MiB for a Resolver
	MaxFiles      int      // 0: 100,000 for Files, 500 for a Resolver
	Hidden        bool     // also read files and folders whose names start with a dot
	Ignore        []string // more patterns in the syntax of .gitignore, for folders and globs
}

// withDefaults is a copy of o with the given values for those that are zero.
func (o *Options) withDefaults(fileBytes, totalBytes int64, files int) (Options, error) {
	var out Options
	if o != nil {
		out = *o
	}
	if out.MaxFileBytes < 0 || out.MaxTotalBytes < 0 || out.MaxFiles < 0 {
		return out, &core.Error{Code: core.CodeInvalidArgument, Message: "a limit is negative", Hint: "use 0 for the default"}
	}
	if out.MaxFileBytes == 0 {
		out.MaxFileBytes = fileBytes
	}
	if out.MaxTotalBytes == 0 {
		out.MaxTotalBytes = totalBytes
	}
	if out.MaxFiles == 0 {
		out.MaxFiles = files
	}
	return out, nil
}

// Skipped is a file or folder that was met and not read.
type Skipped struct {
	Path   string
	Reason Reason
}

// Reason says why a file was not read.
type Reason string

// The reasons.
const (
	Binary     Reason = "no text"
	Ignored    Reason = "ignored by .gitignore"
	Hidden     Reason = "hidden"
	Link       Reason = "a symbolic link"
	Special    Reason = "no regular file"
	TooLarge   Reason = "too large"
	Unreadable Reason = "cannot be read"
	Changed    Reason = "changed while it was read"
)

// StdinID is the ID of the document that standard input holds.
const StdinID = "stdin"

// Files reads what the arguments of a command name: a file, with the lines FIRST-LAST in "file:FIRST-LAST", a folder, a glob such as
// "docs/**/*.md", or "-" for stdin. Paths in IDs have slashes. An error wraps a *core.Error that names the argument.
func Files(ctx context.Context, args []string, stdin io.Reader, opts *Options) ([]core.Document, []Skipped, error) {
	o, err := opts.withDefaults(1<<30, 4<<30, 100_000)
	if err != nil {
		return nil, nil, err
	}
	g := newGatherer(ctx, o)
	for _, arg := range args {
		if arg == "-" && stdin != nil {
			err = g.add(input{id: StdinID, key: StdinID, named: true, stream: true, open: func() (fs.File, error) { return stdinFile{stdin}, nil }})
		} else {
			err = g.argument(arg)
		}
		if err != nil {
			return nil, g.skipped, err
		}
	}
	return g.docs, g.skipped, g.nothing()
}

// argument reads what arg names.
func (g *gatherer) argument(arg string) error {
	if strings.ContainsRune(arg, 0) || arg == "" {
		return invalid(arg, "is no path")
	}
	info, err := os.Stat(arg)
	if err == nil {
		if info.IsDir() {
			return g.folder(arg, "")
		}
		return g.file(arg, Ref{Path: arg})
	}
	if !errors.Is(err, fs.ErrNotExist) && !strings.ContainsAny(arg, "*?[{") {
		return unreadable(arg, err)
	}
	ref, err := ParseRef(filepath.ToSlash(arg))
	switch {
	case err != nil:
		return err
	case ref.Glob != "":
		return g.glob(ref.Glob)
	case ref.StartLine > 0:
		return g.file(arg[:len(ref.Path)], ref)
	}
	return notFound(arg)
}

// file reads the file name, or the lines of it that ref names.
func (g *gatherer) file(name string, ref Ref) error {
	if _, err := os.Stat(name); errors.Is(err, fs.ErrNotExist) {
		return notFound(name)
	}
	ref.Path = filepath.ToSlash(name)
	return g.add(input{id: ref.String(), key: realPath(name), named: true, stream: true, ref: ref, open: func() (fs.File, error) { return os.Open(name) }})
}

// glob reads the files that pattern matches.
func (g *gatherer) glob(pattern string) error {
	base, rest := doublestar.SplitPattern(path.Clean(pattern))
	if !doublestar.ValidatePattern(rest) {
		return invalid(pattern, "is no valid pattern")
	}
	if info, err := os.Stat(filepath.FromSlash(base)); err != nil || !info.IsDir() {
		return noMatch(pattern)
	}
	return g.folder(filepath.FromSlash(base), rest)
}

// folder reads the files below dir that match pattern; all, if it is empty. The .gitignore files of the git repository around dir count too.
func (g *gatherer) folder(dir, pattern string) error {
	abs, err := filepath.Abs(dir)
	if err != nil {
		return unreadable(dir, err)
	}
	top := repository(abs)
	start, err := filepath.Rel(top, abs)
	if err != nil {
		return unreadable(dir, err)
	}
	w := walk{
		g: g, fsys: os.DirFS(top), start: filepath.ToSlash(start), pattern: pattern,
		id:   func(rel string) string { return path.Join(filepath.ToSlash(dir), rel) },
		key:  func(rel string) string { return realPath(filepath.Join(dir, filepath.FromSlash(rel))) },
		name: dir,
	}
	return w.run()
}

// repository is the folder of the git repository around dir; dir itself without one.
func repository(dir string) string {
	for at := dir; ; at = filepath.Dir(at) {
		if _, err := os.Lstat(filepath.Join(at, ".git")); err == nil {
			return at
		}
		if at == filepath.Dir(at) {
			return dir
		}
	}
}

// realPath is one name for all names of a file.
func realPath(name string) string {
	if abs, err := filepath.Abs(name); err == nil {
		name = abs
	}
	if real, err := filepath.EvalSymlinks(name); err == nil {
		name = real
	}
	return name
}

// stdinFile makes a file of a stream.
type stdinFile struct{ io.Reader }

func (stdinFile) Stat() (fs.FileInfo, error) { return streamInfo{}, nil }
func (stdinFile) Close() error               { return nil }

// streamInfo describes a stream: nothing is known of it but that it is one.
type streamInfo struct{ fs.FileInfo }

func (streamInfo) Mode() fs.FileMode { return fs.ModeNamedPipe }
func (streamInfo) Size() int64       { return 0 }

func notFound(name string) error {
	return &core.Error{Code: core.CodeNotFound, Message: fmt.Sprintf("no such file: %q", name), Hint: "check the spelling; a pattern such as 'docs/**/*.md' works too", Err: fs.ErrNotExist}
}

func noMatch(pattern string) error {
	return &core.Error{Code: core.CodeNotFound, Message: fmt.Sprintf("no file matches %q", pattern), Hint: "** stands for any number of folders; hidden and git-ignored files are left out"}
}

func noFiles(dir string) error {
	return &core.Error{Code: core.CodeNotFound, Message: fmt.Sprintf("no file to read in %q", dir), Hint: "hidden and git-ignored files are left out"}
}

func invalid(name, what string) error {
	return &core.Error{Code: core.CodeInvalidArgument, Message: fmt.Sprintf("%q %s", name, what), Hint: "name a file, a folder, a glob or lines as in file.go:10-20"}
}

func unreadable(name string, err error) error {
	return &core.Error{Code: core.CodeUnreadable, Message: fmt.Sprintf("cannot read %q", name), Hint: "check that it exists and may be read", Err: err}
}
