// Package unit finds where phrases, sentences, lines and paragraphs begin and end, in any script.
//
// Units are the grain of what is kept: windows are cut at their ends and the selector keeps them whole. The package
// stands beside core/tokenizer and knows only core/span.
package unit

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
