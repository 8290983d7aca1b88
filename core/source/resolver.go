package source

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"runtime"
	"strings"

	"github.com/bmatcuk/doublestar/v4"

	"github.com/cprs-go/cprs/core"
)

// Root is a folder below which a Resolver reads.
type Root struct {
	Name string // for paths such as "name:docs/a.md"; empty: the last part of Dir
	Dir  string
}

// Resolver reads files below its roots and nowhere else: each root is an os.Root, so neither ".." nor a symbolic link leads out of it.
// It reads regular files only. It may be used by several goroutines at once.
type Resolver struct {
	opts  Options
	roots []openRoot
}

// openRoot is a root that can be read.
type openRoot struct {
	name string
	dirs []string // absolute names of the folder
	root *os.Root
	own  bool // to be closed with the Resolver
}

// New opens the roots. A Resolver without roots is of use too: it answers every Ref with an error that says so.
func New(opts *Options) (*Resolver, error) {
	o, err := opts.withDefaults(8<<20, 64<<20, 500)
	if err != nil {
		return nil, err
	}
	r := &Resolver{opts: o}
	for _, root := range o.Roots {
		if err := r.open(root); err != nil {
			r.Close()
			return nil, err
		}
	}
	return r, nil
}

func (r *Resolver) open(root Root) error {
	abs, err := filepath.Abs(root.Dir)
	if err != nil {
		return unreadable(root.Dir, err)
	}
	handle, err := os.OpenRoot(abs)
	if err != nil {
		return unreadable(root.Dir, err)
	}
	name := root.Name
	if name == "" {
		name = filepath.Base(abs)
	}
	dirs := []string{abs}
	if real, err := filepath.EvalSymlinks(abs); err == nil && real != abs {
		dirs = append(dirs, real)
	}
	r.roots = append(r.roots, openRoot{name: name, dirs: dirs, root: handle, own: true})
	return nil
}

// Close closes the roots. Resolvers that Narrow made of r are of no use after it.
func (r *Resolver) Close() error {
	var errs []error
	for _, root := range r.roots {
		if root.own {
			errs = append(errs, root.root.Close())
		}
	}
	return errors.Join(errs...)
}

// Narrow is a Resolver for what lies below both the roots of r and the folders dirs, which are absolute. It can read nothing that r cannot.
func (r *Resolver) Narrow(dirs []string) *Resolver {
	out := &Resolver{opts: r.opts}
	for _, root := range r.roots {
		for _, dir := range dirs {
			if rel, ok := root.below(dir); ok {
				if sub, err := root.root.OpenRoot(rel); err == nil {
					out.roots = append(out.roots, openRoot{name: root.name, dirs: []string{filepath.Clean(dir)}, root: sub, own: true})
				}
			} else if _, ok := (openRoot{dirs: []string{filepath.Clean(dir)}}).below(root.dirs[0]); ok && filepath.IsAbs(dir) {
				root.own = false
				out.roots = append(out.roots, root)
				break
			}
		}
	}
	return out
}

// Widen is a Resolver for what lies below the roots of r or the folders dirs, which are absolute, with the limits of r. A folder that cannot be
// opened is left out.
func (r *Resolver) Widen(dirs []string) *Resolver {
	out := &Resolver{opts: r.opts}
	for _, root := range r.roots {
		root.own = false
		out.roots = append(out.roots, root)
	}
	for _, dir := range dirs {
		if filepath.IsAbs(dir) {
			_ = out.open(Root{Dir: dir}) // the caller of a file below it is told
		}
	}
	return out
}

// Folder is the absolute path of the folder that a file URI names.
func Folder(uri string) (string, error) {
	name, err := filePath(uri, runtime.GOOS == "windows")
	return filepath.FromSlash(name), err
}

// below is the absolute path name relative to the root, in the form of the system; ok says that it lies there by its name.
func (o openRoot) below(name string) (rel string, ok bool) {
	for _, dir := range o.dirs {
		if rel, err := filepath.Rel(dir, name); err == nil && filepath.IsLocal(rel) {
			return rel, true
		}
	}
	return "", false
}

// Resolve reads what refs name, in order, each file once. An error wraps a *core.Error that names the ref.
func (r *Resolver) Resolve(ctx context.Context, refs []Ref) ([]core.Document, []Skipped, error) {
	g := newGatherer(ctx, r.opts)
	for _, ref := range refs {
		if err := r.resolve(g, ref); err != nil {
			return nil, g.skipped, err
		}
	}
	return g.docs, g.skipped, g.nothing()
}

func (r *Resolver) resolve(g *gatherer, ref Ref) error {
	if len(r.roots) == 0 {
		return &core.Error{Code: core.CodeOutsideRoots, Message: "no folder may be read", Hint: "start the server with --root DIR, or send the text itself"}
	}
	name := ref.Path
	switch {
	case ref.URI != "" && ref.Path == "" && ref.Glob == "":
		var err error
		if name, err = filePath(ref.URI, runtime.GOOS == "windows"); err != nil {
			return err
		}
	case ref.Glob != "" && ref.Path == "" && ref.URI == "":
		name = ref.Glob
	case ref.Path == "" || ref.Glob != "" || ref.URI != "":
		return invalid(ref.String(), "is no reference: exactly one of path, glob and URI is needed")
	}
	places, err := r.places(name)
	if err != nil {
		return err
	}
	for _, p := range places {
		if ref.Glob != "" {
			// A name may hold the marks of a pattern.
			if err = r.read(g, p, ref); !errors.Is(err, fs.ErrNotExist) {
				return err
			}
			err = r.glob(g, p)
		} else {
			err = r.read(g, p, ref)
		}
		var e *core.Error
		if err == nil || !errors.As(err, &e) || e.Code != core.CodeNotFound {
			return err
		}
	}
	return err
}

// spot is a path below a root, with slashes.
type spot struct {
	root openRoot
	rel  string
}

// places are the spots that name may stand for, in the order in which they are tried.
func (r *Resolver) places(name string) ([]spot, error) {
	roots := r.roots
	if prefix, rest, ok := strings.Cut(name, ":"); ok && rest != "" {
		for _, root := range r.roots {
			if root.name == prefix {
				roots, name = []openRoot{root}, rest
				break
			}
		}
	}
	windows := runtime.GOOS == "windows"
	var out []spot
	switch placeOf(name, windows) {
	case relative:
		if rel := path.Clean(filepath.ToSlash(name)); filepath.IsLocal(filepath.FromSlash(rel)) {
			for _, root := range roots {
				out = append(out, spot{root, rel})
			}
		}
	case absolute:
		for _, root := range roots {
			if rel, ok := root.below(filepath.FromSlash(name)); ok {
				out = append(out, spot{root, filepath.ToSlash(rel)})
			}
		}
	}
	if len(out) == 0 {
		return nil, outside(name, "is outside the roots ("+r.names()+")")
	}
	return out, nil
}

// names lists the roots by name.
func (r *Resolver) names() string {
	var names []string
	for _, root := range r.roots {
		names = append(names, root.name)
	}
	return strings.Join(names, ", ")
}

// id is the ID of the document of rel below root: the path by which it can be named again.
func (r *Resolver) id(root openRoot, rel string) string {
	if len(r.roots) > 1 {
		return root.name + ":" + rel
	}
	return rel
}

// read reads the file or folder at p.
func (r *Resolver) read(g *gatherer, p spot, ref Ref) error {
	info, err := p.root.root.Stat(filepath.FromSlash(p.rel))
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return notFound(ref.String())
	case err != nil && strings.Contains(err.Error(), "escapes from parent"): // what os.Root says, without an error of its own
		return outside(ref.String(), "leads out of the root "+p.root.name)
	case err != nil:
		return unreadable(ref.String(), err)
	case info.IsDir():
		return r.walk(g, p, "")
	}
	id := Ref{Path: r.id(p.root, p.rel), StartLine: ref.StartLine, EndLine: ref.EndLine}
	return g.add(input{id: id.String(), key: p.key(), named: true, ref: id, open: func() (fs.File, error) { return p.root.openFile(p.rel) }})
}

func (p spot) key() string { return p.root.dirs[0] + "\x00" + p.rel }

// glob reads the files that the pattern at p matches.
func (r *Resolver) glob(g *gatherer, p spot) error {
	base, pattern := doublestar.SplitPattern(p.rel)
	if !doublestar.ValidatePattern(pattern) {
		return invalid(p.rel, "is no valid pattern")
	}
	info, err := p.root.root.Stat(filepath.FromSlash(base))
	if err != nil || !info.IsDir() {
		return noMatch(p.rel)
	}
	return r.walk(g, spot{p.root, base}, pattern)
}

func (r *Resolver) walk(g *gatherer, p spot, pattern string) error {
	w := walk{
		g: g, fsys: rootFS{p.root.root.FS(), p.root}, start: p.rel, pattern: pattern, name: r.id(p.root, p.rel),
		id:  func(rel string) string { return r.id(p.root, path.Join(p.rel, rel)) },
		key: func(rel string) string { return spot{p.root, path.Join(p.rel, rel)}.key() },
	}
	return w.run()
}

// rootFS is the file system of a root that waits for no pipe.
type rootFS struct {
	fs.FS
	root openRoot
}

func (f rootFS) Open(name string) (fs.File, error) { return f.root.openFile(name) }

// openFile opens the file rel for reading, without waiting for the other end of a pipe.
func (o openRoot) openFile(rel string) (fs.File, error) {
	f, err := o.root.OpenFile(filepath.FromSlash(rel), os.O_RDONLY|noWait, 0)
	if err != nil {
		return nil, fmt.Errorf("opening %s: %w", rel, err)
	}
	return f, nil
}
