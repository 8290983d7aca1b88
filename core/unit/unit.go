// Package unit finds where phrases, sentences, lines and paragraphs begin and end, in any script.
//
// Units are the grain of what is kept: windows are cut at their ends and the selector keeps them whole. The package
// stands beside core/tokenizer and knows only core/span.
//
//	text → lines (lines.go) → runs of lines that read on (run.go) → sentences (sentence.go) → phrases (phrase.go)
//	                                                            └→ paragraphs (paragraph.go)
//
// A line break ends a sentence unless the text was wrapped there to fit a width; fields.go tells lines of values from prose. A small JSON object of
// an array is read as one line, however it is printed, and so is a sentence of a comment in code, however it is wrapped, and one of
// subtitles. Every border of a paragraph is one of a sentence, and every border of a sentence is one of a phrase.
package unit

import (
	"iter"
	"strings"

	"github.com/cprs-go/cprs/core/span"
)

// Unit is the grain of what is kept.
type Unit int

// The units. Auto lets the instruction and the text decide.
const (
	Auto Unit = iota
	Phrase
	Sentence
	Line
	Paragraph
)

var names = [...]string{"auto", "phrase", "sentence", "line", "paragraph"}

// String is the unit's name on command lines and in JSON.
func (u Unit) String() string {
	if u < 0 || int(u) >= len(names) {
		return "unknown"
	}
	return names[u]
}

// Split yields the units of text in order. They partition it: each byte is in one unit, and every border is one between
// graphemes. White space belongs to the unit before it, except for the indentation of a line that starts a unit and
// white space at the start of the text. Text of white space alone is one unit, empty text has none. A unit without
// white space at its end is at most MaxBytes long. Auto is Choose("", "", text).
//
// Split takes linear time and constant memory.
func Split(text string, u Unit) iter.Seq[span.Range] {
	return func(yield func(span.Range) bool) {
		switch u {
		case Phrase:
			phrases(text, yield)
		case Line:
			splitLines(text, yield)
		case Paragraph:
			paragraphs(text, yield)
		case Sentence:
			sentences(text, yield)
		default:
			Split(text, Choose("", "", text))(yield)
		}
	}
}

// Trim is r without the white space at its ends; empty, at r.Start, if r holds nothing else.
func Trim(text string, r span.Range) span.Range {
	s := text[r.Start:r.End]
	body := strings.TrimLeftFunc(s, isSpace)
	start := r.Start + len(s) - len(body)
	if body == "" {
		start = r.Start
	}
	return span.Range{Start: start, End: start + len(strings.TrimRightFunc(body, isSpace))}
}
