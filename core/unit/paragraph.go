package unit

import "github.com/cprs-go/cprs/core/span"

const (
	longLine = 200  // bytes: prose as long as this on one line is a paragraph, with or without a blank line after it
	longTurn = 512  // bytes of a paragraph after which a speaker starts a new one
	maxBlock = 2048 // bytes of a table, log, list, conversation or piece of code in one paragraph
)

// paragraphs yields the paragraphs of text: blocks between blank lines. A heading stands alone, for an Outline gives it back to what stands
// under it. A code fence is one paragraph with its blank lines, tables and logs are parted from the prose around them.
func paragraphs(text string, yield func(span.Range) bool) {
	runs := newRunReader(text)
	first, ok := runs.next()
	last := first // run of the paragraph under way
	for start := 0; ok; {
		var r run
		r, ok = runs.next()
		if ok && !parts(last, r, r.End-start) {
			last = r
			continue
		}
		p := span.Range{Start: start, End: last.End}
		sentences := func(text string, s span.Range, yield func(span.Range) bool) bool {
			return runSentences(text, run{Range: s, kind: last.kind}, yield)
		}
		if !pack(text, p, sentences, yield) {
			return
		}
		start, last = last.End, r
	}
}

// parts reports whether a paragraph ends between the runs last and next, if it would be size bytes long with next.
func parts(last, next run, size int) bool {
	switch {
	case next.opens:
		return true
	case last.kind == fence && next.kind == fence:
		return size > maxBlock
	case last.gap, last.kind == heading, next.kind == heading, last.kind == fence:
		return true
	case (last.kind == row) != (next.kind == row), (last.kind == record) != (next.kind == record):
		return true
	case last.kind == prose && last.Len() >= longLine:
		return true
	case next.kind == label && size-next.Len() >= longTurn:
		return true
	case next.kind == prose || next.kind == quote:
		return size > MaxBytes
	}
	return size > maxBlock
}
