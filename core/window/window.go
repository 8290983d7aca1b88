// Package window cuts documents into the fixed-size windows that a critic reads.
//
// Windows are cut at unit ends, cover the text exactly once, and carry the ids and byte spans of one encoding,
// never text that is encoded again. The package stands between core/prompt and core/critic.
package window

import (
	"github.com/cprs-go/cprs/core/prompt"
	"github.com/cprs-go/cprs/core/span"
	"github.com/cprs-go/cprs/core/unit"
)

// Window is a piece of one document as a critic reads it.
type Window struct {
	Header *prompt.Header
	Doc    int       // index of the document in the request
	Unit   unit.Unit // grain that is asked for; never unit.Auto

	// Before and After frame the text's own ids: title and special tokens.
	Before, After []int32
	// IDs and Spans are the text's own tokens; Spans are bytes of the document.
	IDs   []int32
	Spans []span.Range
	// Range is the part of the document that this window answers for. The ranges of a document's windows partition it.
	Range span.Range
}

// Len is the number of ids of the window's row, frame included.
func (w *Window) Len() int { return len(w.Before) + len(w.IDs) + len(w.After) }
