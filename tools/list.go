package tools

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/cprs-go/cprs/core/wire"
)

// What list_sources gives at most, and how it estimates: English and code have some four bytes a token.
const (
	mostFiles     = 250
	bytesPerToken = 4
)

// listOut is the output of list_sources.
type listOut struct {
	Sources   []fileOut `json:"sources"`
	Truncated bool      `json:"truncated"`
	Note      string    `json:"note,omitempty"`
}

type fileOut struct {
	Path   string `json:"path"`
	Bytes  int64  `json:"bytes"`
	Tokens int64  `json:"tokens"`
}

func (s *Set) listSources(ctx context.Context, args json.RawMessage, _ Progress) (*Result, error) {
	var pattern string
	if err := decode(args, wire.Fields{"pattern": intoText(&pattern)}); err != nil {
		return nil, err
	}
	files, skipped, more, err := s.sources(ctx).List(ctx, pattern, mostFiles)
	if err != nil {
		return nil, err
	}
	out := listOut{Sources: make([]fileOut, len(files)), Truncated: more}
	var b strings.Builder
	b.WriteString("path, bytes, estimated tokens")
	for i, f := range files {
		tokens := (f.Bytes + bytesPerToken - 1) / bytesPerToken
		out.Sources[i] = fileOut{oneLine(f.Path), f.Bytes, tokens}
		fmt.Fprintf(&b, "\n%s, %d, %d", out.Sources[i].Path, f.Bytes, tokens)
	}
	var notes []string
	if more {
		notes = append(notes, fmt.Sprintf("There are more files than these %d: give a pattern.", mostFiles))
	}
	if len(skipped) > 0 {
		notes = append(notes, "Not readable: "+skippedByReason(skipped)+".")
	}
	out.Note = strings.Join(notes, " ")
	return result(withNote(b.String(), out.Note), out)
}
