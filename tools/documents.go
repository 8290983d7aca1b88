package tools

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"unicode"

	"github.com/cprs-go/cprs/core"
	"github.com/cprs-go/cprs/core/source"
)

// scheme opens the URIs of originals: ctx://HANDLE/SOURCE, where SOURCE is percent-encoded.
const scheme = "ctx://"

// documents gathers what a call names: files, originals of earlier results, inline text.
func (s *Set) documents(ctx context.Context, a *compressArgs) ([]core.Document, []source.Skipped, error) {
	var refs []source.Ref
	var originals []string
	for _, name := range append(a.paths, a.uris...) { // a model may put either into the other
		if strings.HasPrefix(name, scheme) {
			originals = append(originals, name)
			continue
		}
		ref, err := source.ParseRef(name)
		if err != nil {
			return nil, nil, err
		}
		refs = append(refs, ref)
	}
	docs, skipped, err := s.resolve(ctx, refs)
	if err != nil {
		return nil, nil, err
	}
	for _, uri := range originals {
		more, err := s.originals(ctx, uri)
		if err != nil {
			return nil, nil, err
		}
		docs = append(docs, more...)
	}
	docs = append(docs, a.Documents...)
	if len(docs) == 0 {
		return nil, nil, invalid(`give at least one of paths, uris and documents, as in {"instruction": "…", "paths": ["docs/**/*.md"]}`, "there is no text to read")
	}
	var total int64
	for i := range docs {
		total += int64(len(docs[i].Text))
	}
	if total > s.opt.MaxInputBytes {
		return nil, nil, &core.Error{Code: core.CodeTooLarge, Message: fmt.Sprintf("the texts have %d bytes", total), Hint: fmt.Sprintf("at most %d are read at once", s.opt.MaxInputBytes)}
	}
	name(docs)
	return docs, skipped, nil
}

// resolve reads files.
func (s *Set) resolve(ctx context.Context, refs []source.Ref) ([]core.Document, []source.Skipped, error) {
	if len(refs) == 0 {
		return nil, nil, nil
	}
	sources := s.sources(ctx)
	if sources == nil {
		return nil, nil, &core.Error{Code: core.CodeOutsideRoots, Message: "no folder may be read, so " + quoted(refs[0].String()) + " cannot be",
			Hint: "files are read below the folders that the server is started with: --root DIR"}
	}
	docs, skipped, err := sources.Resolve(ctx, refs)
	for i := range docs { // the labels have the lines
		if at := strings.LastIndexByte(docs[i].ID, ':'); docs[i].FirstLine > 0 && at > 0 {
			docs[i].ID = docs[i].ID[:at]
		}
	}
	return docs, skipped, err
}

// name gives every document an ID of one line that says which it is, as the labels in an answer and the arguments of
// expand_context need it. Parts of one file share theirs.
func name(docs []core.Document) {
	taken := map[string]*core.Document{}
	numbers := map[string]int{} // of equal IDs
	for i := range docs {
		d := &docs[i]
		base := oneLine(d.ID)
		if base == "" {
			base = fmt.Sprintf("doc %d", i+1)
		}
		d.ID = base
		for first := taken[d.ID]; first != nil && !(first.FirstLine > 0 && d.FirstLine > 0); first = taken[d.ID] {
			numbers[base]++
			d.ID = fmt.Sprintf("%s (%d)", base, numbers[base]+1)
		}
		taken[d.ID] = d
	}
}

// oneLine is an ID without control characters, cut to what a label can hold.
func oneLine(id string) string {
	const longest = 300
	id = strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || r == '\u2028' || r == '\u2029' {
			return '_'
		}
		return r
	}, strings.ToValidUTF8(strings.TrimSpace(id), "_"))
	if len(id) > longest {
		id = strings.ToValidUTF8(id[:longest], "")
	}
	return id
}

// URI names an original, or all of a handle if source is empty.
func URI(handle, source string) string {
	if source == "" {
		return scheme + handle
	}
	return scheme + handle + "/" + url.PathEscape(source)
}

// parseURI takes a URI, or a bare handle, apart.
func parseURI(uri string) (handle, source string, err error) {
	handle, source, _ = strings.Cut(strings.TrimPrefix(strings.TrimSpace(uri), scheme), "/")
	if source, err = url.PathUnescape(source); err != nil || handle == "" {
		return "", "", invalid("write ctx://HANDLE or ctx://HANDLE/SOURCE", "%s is no URI of an original", quoted(uri))
	}
	return handle, source, nil
}

// originals are the documents that a URI or handle names.
func (s *Set) originals(ctx context.Context, uri string) ([]core.Document, error) {
	handle, source, err := parseURI(uri)
	if err != nil {
		return nil, err
	}
	docs, err := s.opt.Store.Get(principal(ctx), handle)
	if err != nil {
		return nil, err
	}
	return ofSource(docs, source)
}

// ofSource are the documents with an ID; all if it is empty.
func ofSource(docs []core.Document, id string) ([]core.Document, error) {
	if id == "" {
		return docs, nil
	}
	var out []core.Document
	for _, d := range docs {
		if d.ID == id {
			out = append(out, d)
		}
	}
	if len(out) == 0 {
		return nil, &core.Error{Code: core.CodeNotFound, Message: fmt.Sprintf("the handle holds no source %s", quoted(id)), Hint: "it holds " + sourceNames(docs)}
	}
	return out, nil
}

// ids lists the IDs of documents, each once.
func ids(docs []core.Document) []string {
	var out []string
	seen := map[string]bool{}
	for i := range docs {
		if !seen[docs[i].ID] {
			seen[docs[i].ID] = true
			out = append(out, docs[i].ID)
		}
	}
	return out
}

// sourceNames writes the IDs of documents, the first of them if there are many.
func sourceNames(docs []core.Document) string {
	const most = 10
	names := ids(docs)
	if n := len(names); n > most {
		return strings.Join(names[:most], ", ") + fmt.Sprintf(" and %d more", n-most)
	}
	return strings.Join(names, ", ")
}

// Keep keeps documents for the principal of ctx and returns their handle, for callers that shorten text without a call of
// compress_context. IDs are made fit for labels, as there.
func (s *Set) Keep(ctx context.Context, docs []core.Document) (handle string, err error) {
	docs = append([]core.Document(nil), docs...)
	name(docs)
	return s.opt.Store.Put(principal(ctx), docs)
}

// keepIfRoom is Keep of named documents; no handle if they are too large for the store.
func (s *Set) keepIfRoom(ctx context.Context, docs []core.Document) (handle string, err error) {
	handle, err = s.opt.Store.Put(principal(ctx), docs)
	var known *core.Error
	if errors.As(err, &known) && known.Code == core.CodeTooLarge {
		return "", nil
	}
	return handle, err
}

// Original is a text behind a handle.
type Original struct {
	URI, MIMEType, Text string
}

// Read is the original behind ctx://HANDLE/SOURCE, or ctx://HANDLE if there is one only. An error is a *core.Error, or a fault of the store.
func (s *Set) Read(ctx context.Context, uri string) (*Original, error) {
	docs, err := s.originals(ctx, uri)
	if err != nil {
		return nil, err
	}
	if len(ids(docs)) > 1 {
		return nil, invalid("name one source: "+sourceNames(docs), "%s holds several", quoted(uri))
	}
	texts := make([]string, len(docs))
	for i, d := range docs {
		texts[i] = d.Text
	}
	out := &Original{URI: uri, MIMEType: "text/plain; charset=utf-8", Text: strings.Join(texts, "\n")}
	if strings.HasSuffix(docs[0].ID, ".md") {
		out.MIMEType = "text/markdown; charset=utf-8"
	}
	return out, nil
}

// Handles lists the handles of the principal of ctx, most recently used first.
func (s *Set) Handles(ctx context.Context) []string { return s.opt.Store.Handles(principal(ctx)) }

// HandleSources lists the sources behind a handle, each once; none if it does not open for the principal of ctx.
func (s *Set) HandleSources(ctx context.Context, handle string) []string {
	out, err := s.opt.Store.Sources(principal(ctx), handle)
	if err != nil {
		return nil
	}
	return out
}
