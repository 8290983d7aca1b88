package source

import (
	"io"
	"io/fs"
	"path"
	"slices"
	"strings"

	"github.com/bmatcuk/doublestar/v4"
)

// walk reads the files below a folder.
type walk struct {
	g       *gatherer
	fsys    fs.FS
	start   string                  // the folder, in fsys; the .gitignore files above it count too
	pattern string                  // relative to start; empty: all
	name    string                  // of the folder, in errors
	id      func(rel string) string // of the document of the file rel, relative to start
	key     func(rel string) string // of its input

	found  int // files that match
	hidden bool
	extra  rules
}

// run reads the files. It is an error if none matches.
func (w *walk) run() error {
	w.hidden = w.g.opts.Hidden || namesHidden(w.pattern)
	w.extra = parseRules(w.start, strings.Join(w.g.opts.Ignore, "\n"))
	var above rules
	if w.start != "." {
		above = w.rulesOf(".")
		for i, c := range w.start {
			if c == '/' {
				above = append(above, w.rulesOf(w.start[:i])...)
			}
		}
	}
	if err := w.dir(w.start, above); err != nil {
		return err
	}
	switch {
	case w.found > 0:
		return nil
	case w.pattern == "":
		return noFiles(w.name)
	}
	return noMatch(path.Join(w.name, w.pattern))
}

// namesHidden reports whether a part of pattern starts with a dot: what it matches is wanted.
func namesHidden(pattern string) bool {
	for part := range strings.SplitSeq(pattern, "/") {
		if strings.HasPrefix(part, ".") {
			return true
		}
	}
	return false
}

// dir reads the files below the folder name, given the rules of the folders above it.
func (w *walk) dir(name string, above rules) error {
	entries, err := fs.ReadDir(w.fsys, name)
	switch {
	case err != nil && name == w.start:
		return unreadable(w.name, err)
	case err != nil:
		w.g.skip(w.id(w.rel(name)), Unreadable)
		return nil
	}
	here := slices.Concat(above, w.rulesOf(name))
	all := slices.Concat(here, w.extra)
	for _, e := range entries {
		if err := w.g.ctx.Err(); err != nil {
			return err
		}
		at := path.Join(name, e.Name())
		if !w.wants(e, at) {
			continue
		}
		if reason := w.reason(e, at, all); reason != "" {
			w.g.skip(w.id(w.rel(at)), reason)
			continue
		}
		if e.IsDir() {
			err = w.dir(at, here)
		} else {
			w.found++
			err = w.file(at)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// rel is the name at of fsys, relative to start.
func (w *walk) rel(at string) string {
	if w.start == "." {
		return at
	}
	return strings.TrimPrefix(strings.TrimPrefix(at, w.start), "/")
}

// wants reports whether the entry e, whose name is at, matches the pattern or may hold what does.
func (w *walk) wants(e fs.DirEntry, at string) bool {
	switch {
	case e.Name() == ".git":
		return false
	case w.pattern == "":
		return true
	case e.IsDir():
		return strings.Contains(w.pattern, "**") || strings.Count(w.rel(at), "/") < strings.Count(w.pattern, "/")
	}
	return doublestar.MatchUnvalidated(w.pattern, w.rel(at))
}

// reason is why the entry e, whose name is at, is left out; "" if it is not.
func (w *walk) reason(e fs.DirEntry, at string, rs rules) Reason {
	switch {
	case !w.hidden && strings.HasPrefix(e.Name(), "."):
		return Hidden
	case rs.ignored(at, e.IsDir()):
		return Ignored
	case e.Type()&fs.ModeSymlink != 0:
		return Link
	case !e.IsDir() && !e.Type().IsRegular():
		return Special
	}
	return ""
}

func (w *walk) file(at string) error {
	rel := w.rel(at)
	return w.g.add(input{id: w.id(rel), key: w.key(rel), open: func() (fs.File, error) { return w.fsys.Open(at) }})
}

// rulesOf are the rules in the .gitignore file of the folder dir.
func (w *walk) rulesOf(dir string) rules {
	const longest = 1 << 20 // bytes: no one writes more rules
	name := path.Join(dir, ".gitignore")
	if info, err := fs.Stat(w.fsys, name); err != nil || !info.Mode().IsRegular() {
		return nil
	}
	f, err := w.fsys.Open(name)
	if err != nil {
		return nil
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, longest))
	if err != nil {
		return nil
	}
	return parseRules(dir, string(text))
}
