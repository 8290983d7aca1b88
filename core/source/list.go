package source

import (
	"cmp"
	"context"
	"errors"
	"strings"

	"github.com/cprs-go/cprs/core"
)

// File is a file that can be read.
type File struct {
	Path  string // by which it can be named
	Bytes int64
}

// listing is what List gathers.
type listing struct {
	files []File
	most  int
}

// errFull ends a listing that has all the files it may have.
var errFull = errors.New("the listing is full")

// List names the files that pattern, a path or glob, stands for, without reading more of them than tells text from other
// data; an empty pattern stands for all below the roots. It stops at most files and says whether there are more. What it refuses
// it refuses as Resolve does.
func (r *Resolver) List(ctx context.Context, pattern string, most int) (files []File, skipped []Skipped, more bool, err error) {
	g := newGatherer(ctx, r.opts)
	g.list = &listing{most: most}
	if err = r.list(g, pattern); errors.Is(err, errFull) {
		more, err = true, nil
	}
	if err != nil {
		return nil, g.skipped, false, err
	}
	return g.list.files, g.skipped, more, nil
}

func (r *Resolver) list(g *gatherer, pattern string) error {
	if pattern != "" || len(r.roots) == 0 {
		ref, err := ParseRef(cmp.Or(pattern, "."))
		if err != nil {
			return err
		}
		return r.resolve(g, ref)
	}
	for _, root := range r.roots {
		err := r.walk(g, spot{root, "."}, "")
		var known *core.Error
		if errors.As(err, &known) && known.Code == core.CodeNotFound {
			continue // an empty root
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// enter lists in, or says why it would not be read.
func (g *gatherer) enter(in input) error {
	bytes, reason := g.look(in)
	switch {
	case g.ctx.Err() != nil:
		return g.ctx.Err()
	case reason != "":
		g.skip(in.id, reason)
	case len(g.list.files) == g.list.most:
		return errFull
	default:
		g.list.files = append(g.list.files, File{in.id, bytes})
	}
	return nil
}

// look is the size of the file of in, or the reason why it would not be read.
func (g *gatherer) look(in input) (int64, Reason) {
	f, err := in.open()
	if err != nil {
		return 0, Unreadable
	}
	defer f.Close()
	var b strings.Builder
	info, reason, _ := g.begin(in, f, &b)
	if reason != "" {
		return 0, reason
	}
	return info.Size(), ""
}
