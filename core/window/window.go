// Package window cuts documents into the fixed-size windows that a critic reads.
//
// Windows are cut at unit ends, cover the text exactly once, and carry the ids and byte spans of one encoding,
// never text that is encoded again. A document is read in blocks, so that memory does not grow with its length. The
// package stands between core/prompt and core/critic.
package window

import (
	"fmt"
	"iter"
	"unicode"

	"github.com/cprs-go/cprs/core/prompt"
	"github.com/cprs-go/cprs/core/span"
	"github.com/cprs-go/cprs/core/tokenizer"
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
	// Units partition Range and IDs: the units of the text, those too long for a window in pieces.
	Units []Unit
}

// Unit is one unit of a window's text.
type Unit struct {
	Range       span.Range // bytes of the document
	First, Last int        // its tokens are Window.IDs[First:Last]; none if the unit is white space; the space before the first is not its own
}

// Len is the number of ids of the window, frame included, header not.
func (w *Window) Len() int { return len(w.Before) + len(w.IDs) + len(w.After) }

// Document is what Cut reads.
type Document struct {
	Index int
	Title string
	Text  string
	Unit  unit.Unit // never unit.Auto
}

// minRoom is the least number of text ids a window must have room for: below it a critic reads crumbs.
const minRoom = 16

// blockBytes is how much text is encoded at once.
const blockBytes = 64 << 10

// Cut returns the windows of doc in order. It fails if header and frame leave less than 16 ids of a window for the text.
func Cut(doc Document, h *prompt.Header, l prompt.Layout, tok tokenizer.Tokenizer) (iter.Seq[Window], error) {
	before, after := l.Frame(doc.Title)
	frame := len(before) + len(after)
	if h.InRow {
		frame += len(h.IDs)
	}
	room := l.WindowTokens() - frame
	if room < minRoom {
		return nil, fmt.Errorf("cutting document %d: %d ids of header and frame leave %d of a window of %d for the text, need %d",
			doc.Index, frame, room, l.WindowTokens(), minRoom)
	}
	return func(yield func(Window) bool) {
		c := &cutter{room: room, yield: yield, blank: Window{Header: h, Doc: doc.Index, Unit: doc.Unit, Before: before, After: after}}
		c.reset(0)
		var units []span.Range
		start := 0 // of the block
		for u := range unit.Split(doc.Text, doc.Unit) {
			units = append(units, u)
			if size := u.End - start; size >= blockBytes && (tokenizer.MayCut(doc.Text, u.End) || size >= 2*blockBytes) {
				if !c.block(doc.Text, units, tok) {
					return
				}
				units, start = units[:0], u.End
			}
		}
		if c.block(doc.Text, units, tok) {
			c.flush()
		}
	}, nil
}

// cutter packs units into windows.
type cutter struct {
	room  int
	yield func(Window) bool
	blank Window // header and frame of every window
	win   Window // being filled
}

func (c *cutter) reset(start int) {
	c.win = c.blank
	c.win.Range = span.Range{Start: start, End: start}
}

// block encodes the text of consecutive units and packs them. It returns false once yield did.
func (c *cutter) block(text string, units []span.Range, tok tokenizer.Tokenizer) bool {
	if len(units) == 0 {
		return true
	}
	start := units[0].Start
	var e tokenizer.Encoding
	tok.Encode(&e, text[start:units[len(units)-1].End])
	for i := range e.Spans {
		e.Spans[i].Start += start
		e.Spans[i].End += start
	}
	first := 0
	for i, u := range units {
		last := first
		for last < len(e.IDs) && (anchor(text, e.Spans[last]) < u.End || i == len(units)-1) {
			last++
		}
		if !c.unit(u, e.IDs[first:last], e.Spans[first:last]) {
			return false
		}
		first = last
	}
	return true
}

// unit adds a unit to the window, in a new one if it does not fit, in pieces if it fits in none.
func (c *cutter) unit(u span.Range, ids []int32, spans []span.Range) bool {
	if len(ids) > c.room-len(c.win.IDs) && !c.flush() {
		return false
	}
	for len(ids) > c.room {
		n := pieceEnd(spans, c.room)
		end := spans[n].Start
		c.add(span.Range{Start: u.Start, End: end}, ids[:n], spans[:n])
		if !c.flush() {
			return false
		}
		u.Start, ids, spans = end, ids[n:], spans[n:]
	}
	c.add(u, ids, spans)
	return true
}

// pieceEnd is the most tokens up to room after which a cut parts no rune; room if there is no such place.
func pieceEnd(spans []span.Range, room int) int {
	for n := room; n > 0; n-- {
		if spans[n].Start >= spans[n-1].End {
			return n
		}
	}
	return room
}

func (c *cutter) add(u span.Range, ids []int32, spans []span.Range) {
	w := &c.win
	n := len(w.IDs)
	w.IDs = append(w.IDs, ids...)
	w.Spans = append(w.Spans, spans...)
	w.Units = append(w.Units, Unit{Range: u, First: n, Last: len(w.IDs)})
	w.Range.End = u.End
}

// flush hands on the window if it has units.
func (c *cutter) flush() bool {
	w := c.win
	if len(w.Units) == 0 {
		return true
	}
	c.reset(w.Range.End)
	return c.yield(w)
}

// anchor is where the first byte of s lies that is not white space, or where s begins if all of it is: a token may begin with the
// space before its word, which belongs to the unit before.
func anchor(text string, s span.Range) int {
	for i, r := range text[s.Start:s.End] {
		if !unicode.IsSpace(r) {
			return s.Start + i
		}
	}
	return s.Start
}
