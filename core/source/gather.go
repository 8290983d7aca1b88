package source

import (
	"context"
	"fmt"
	"io"
	"io/fs"
	"strings"

	"github.com/cprs-go/cprs/core"
)

// input is a file to read.
type input struct {
	id     string // of its document
	key    string // the same for all names of the file
	named  bool   // it was named outright: what cannot be read is an error, and text is whatever is mostly text
	stream bool   // a pipe may be read too
	ref    Ref    // holds the lines that are wanted, if any
	open   func() (fs.File, error)
}

// gatherer collects documents within the limits.
type gatherer struct {
	ctx     context.Context
	opts    Options
	docs    []core.Document
	skipped []Skipped
	seen    map[string]bool // keys of inputs
	total   int64           // bytes of docs
	list    *listing        // if set, files are listed, not read
}

func newGatherer(ctx context.Context, opts Options) *gatherer {
	return &gatherer{ctx: ctx, opts: opts, seen: map[string]bool{}}
}

func (g *gatherer) skip(id string, reason Reason) { g.skipped = append(g.skipped, Skipped{id, reason}) }

// add reads in, unless that was done before.
func (g *gatherer) add(in input) error {
	if err := g.ctx.Err(); err != nil {
		return err
	}
	key := in.key + in.ref.lines()
	if g.seen[key] {
		return nil
	}
	g.seen[key] = true
	if g.list != nil {
		return g.enter(in)
	}
	if len(g.docs) >= g.opts.MaxFiles {
		return &core.Error{Code: core.CodeTooLarge, Message: fmt.Sprintf("more than %d files, at %q", g.opts.MaxFiles, in.id), Hint: "name fewer files or raise the limit"}
	}
	text, reason, err := g.read(in)
	switch {
	case g.ctx.Err() != nil:
		return g.ctx.Err()
	case reason == Binary: // also if it was named: a shell's * names everything
		g.skip(in.id, reason)
		return nil
	case reason != "" && in.named:
		return failed(in.id, reason, g.opts.MaxFileBytes, err)
	case reason != "":
		g.skip(in.id, reason)
		return nil
	}
	if text, err = in.ref.cut(text); err != nil {
		return err
	}
	if g.total += int64(len(text)); g.total > g.opts.MaxTotalBytes {
		return &core.Error{Code: core.CodeTooLarge, Message: fmt.Sprintf("more than %d bytes in all, at %q", g.opts.MaxTotalBytes, in.id), Hint: "name fewer files or raise the limit"}
	}
	g.docs = append(g.docs, core.Document{ID: in.id, Text: text, FirstLine: in.ref.StartLine})
	return nil
}

// nothing is an error if all that was met was left out.
func (g *gatherer) nothing() error {
	if len(g.docs) > 0 || len(g.skipped) == 0 {
		return nil
	}
	first := g.skipped[0]
	return &core.Error{
		Code:    core.CodeUnreadable,
		Message: fmt.Sprintf("nothing to read: %q is left out (%s), %d more", first.Path, first.Reason, len(g.skipped)-1),
		Hint:    "name text files",
	}
}

// failed is the error for a file that was named and not read.
func failed(id string, reason Reason, limit int64, err error) error {
	e := &core.Error{Code: core.CodeUnreadable, Message: fmt.Sprintf("cannot read %q: %s", id, reason), Err: err}
	switch reason {
	case TooLarge:
		e.Code = core.CodeTooLarge
		e.Message = fmt.Sprintf("%q is larger than %d bytes", id, limit)
		e.Hint = "split it, name some of its lines as in file:1-1000, or raise the limit"
	case Changed:
		e.Hint = "read it again when nothing writes to it"
	case Special:
		e.Hint = "devices and sockets are not read"
	default:
		e.Hint = "check that it may be read"
	}
	return e
}

// begin reads the first block of f, the file of in, into b, and tells what f is, or why it is not read.
func (g *gatherer) begin(in input, f fs.File, b *strings.Builder) (info fs.FileInfo, reason Reason, err error) {
	if info, err = f.Stat(); err != nil {
		return nil, Unreadable, err
	}
	pipe := info.Mode()&fs.ModeNamedPipe != 0
	switch {
	case !info.Mode().IsRegular() && !(pipe && in.stream):
		return nil, Special, nil
	case info.Size() > g.opts.MaxFileBytes:
		return nil, TooLarge, nil
	}
	if _, err := io.CopyN(b, reader{g.ctx, f}, min(blockBytes, g.opts.MaxFileBytes+1)); err != nil && err != io.EOF {
		return nil, Unreadable, err
	}
	if !isText(b.String(), in.named) {
		return nil, Binary, nil
	}
	return info, "", nil
}

// read is the text of in, or the reason why it is not read.
func (g *gatherer) read(in input) (text string, reason Reason, err error) {
	f, err := in.open()
	if err != nil {
		return "", Unreadable, err
	}
	defer f.Close()
	var b strings.Builder
	before, reason, err := g.begin(in, f, &b)
	if reason != "" {
		return "", reason, err
	}
	pipe := before.Mode()&fs.ModeNamedPipe != 0
	r := io.LimitReader(reader{g.ctx, f}, g.opts.MaxFileBytes+1-int64(b.Len()))
	b.Grow(int(max(before.Size()-int64(b.Len()), 0)))
	if _, err := io.Copy(&b, r); err != nil {
		return "", Unreadable, err
	}
	if int64(b.Len()) > g.opts.MaxFileBytes {
		return "", TooLarge, nil
	}
	if pipe {
		return b.String(), "", nil
	}
	after, err := f.Stat()
	switch {
	case err != nil:
		return "", Unreadable, err
	case after.Size() != before.Size() || !after.ModTime().Equal(before.ModTime()), before.Size() > 0 && int64(b.Len()) != before.Size():
		return "", Changed, nil
	}
	return b.String(), "", nil
}

// reader stops when its context does.
type reader struct {
	ctx context.Context
	r   io.Reader
}

func (r reader) Read(p []byte) (int, error) {
	if err := r.ctx.Err(); err != nil {
		return 0, err
	}
	return r.r.Read(p)
}
