// Package core compresses text: it keeps what an instruction asks for, verbatim, inside a token budget.
//
// The way of the data, one package a stage, imports pointing one way, downwards:
//
//	instruction, query, documents
//	     │  core/source     paths, globs, inline text → []core.Document
//	     │  core/unit       where phrases, sentences, lines, paragraphs begin and end
//	     │  core/tokenizer  text → Encoding{IDs, Spans}: every token knows its bytes
//	     │  core/spelling   mistyped words of the question → what was meant, for critics that read them badly
//	     │  core/prompt     instruction, query → header ids, once per request
//	     │  core/window     units and their tokens → windows, cut at unit ends
//	     │  core/critic     windows → label.Scores: the only stage that runs a model
//	     │  core/label      scores → B/I/O/E → spans of tokens
//	     │  core/fusion     what the critic says of a unit and what its words say → one score
//	     │  core/selector   units, scores, budget, pins → spans: one choice over all windows
//	     ▼  core            spans → Result: slices of the input, in order
//
// core/model/… holds the critics, core/train makes them, core/kernel and core/backend are what they compute with, core/engine joins one of them
// with the Pipeline of this package; core/compat runs the released code's way beside it, for parity. Commands, the MCP server and the
// langchaingo components take a Compressor.
package core

import (
	"context"
	"time"

	"github.com/cprs-go/cprs/core/span"
	"github.com/cprs-go/cprs/core/unit"
)

// Compressor keeps what a request asks for. Engine and Pipeline are Compressors; so is whatever wraps them.
type Compressor interface {
	// Compress returns the parts of req.Documents that req asks for. The error wraps an *Error for every fault
	// that a caller can mend, and is ctx.Err() if ctx was cancelled. A deadline of ctx that passes once some of the text has been
	// read gives a result with status Partial instead.
	Compress(ctx context.Context, req Request) (*Result, error)
}

// Document is a text to be compressed. Text may hold any bytes; invalid UTF-8 is kept as it is.
type Document struct {
	ID    string // names the document in results and errors; empty: "doc N", counted from 1
	Title string // what the text is, if known; the critic reads it with every window
	Text  string
	Meta  map[string]any // the caller's; never read

	// FirstLine is the number of the line that Text begins with, where Text is part of something longer; 0 means 1.
	FirstLine int
}

// Unit is the grain of what is kept.
type Unit = unit.Unit

// The units. UnitAuto lets the instruction and each document decide.
const (
	UnitAuto      = unit.Auto
	UnitPhrase    = unit.Phrase
	UnitSentence  = unit.Sentence
	UnitLine      = unit.Line
	UnitParagraph = unit.Paragraph
)

// Budget bounds the result. The zero Budget sets no bound: the critic's own threshold decides. MaxTokens or Ratio
// alone fills the bound with the best units; with a Threshold too, only units that reach it are kept.
type Budget struct {
	MaxTokens int     // most tokens of Result.Text under Stats.Tokenizer, gap marks included; 0: no bound
	Ratio     float64 // the same as a share of the tokens of all documents, in (0,1], at least one token; 0: no bound; excludes MaxTokens
	Threshold float64 // least score of a kept unit, in [0,1]; 0: the critic's own without a bound, none with one
}

// PinSet is a built-in set of patterns.
type PinSet string

// The built-in sets of pins.
const (
	PinErrors   PinSet = "errors"   // lines that report an error, a failure, a panic or a non-zero exit
	PinNumbers  PinSet = "numbers"  // anything with a digit
	PinHeadings PinSet = "headings" // headings of Markdown, reStructuredText and numbered outlines
)

// Pin names text that is never dropped: exactly one field is set. The units that it touches are kept whole and are charged to the
// budget first.
type Pin struct {
	Span    *Span  // a range of one document; its score is not read
	Pattern string // a regular expression (RE2); every match in every document
	Set     PinSet
}

// Gap is how Result.Text shows that text was left out. Gap marks count towards the budget.
type Gap int

// The gap styles.
const (
	GapEllipsis Gap = iota // […]
	GapLines               // [lines 12-40 left out]
	GapNone                // kept parts follow each other, parted by a line end
	GapLabels              // [name:12-40] above the first part of a document, […:52-60] above a later one
)

// Request says what to keep of which documents. At least one of Instruction and Query is set.
type Request struct {
	Instruction string // what to keep, in plain words (the paper's control prompt)
	Query       string // optional: the question that the kept text must answer
	Unit        Unit
	Budget      Budget
	Documents   []Document
	Pins        []Pin
	Explain     bool // also return every unit with its score, kept or not
	Gap         Gap
	NoLabels    bool // do not keep the heading, row of column names, speaker and enclosing lines (keys, sections, functions) that a kept part belongs to

	// Progress, if set, is told how many bytes of all documents have been read. Calls come one at a time.
	Progress func(done, total int64)
}

// Span is a byte range of Documents[Doc].Text with its score; see span.Span.
type Span = span.Span

// Status says how a compression ended.
type Status int

// The ways in which a compression ends.
const (
	Compressed      Status = iota // some of the text was kept
	PassedThrough                 // all of it was: it fits the budget already, or nothing would be saved
	NothingRelevant               // no unit reached the threshold; Text is empty, Units has the best candidates under Explain
	Partial                       // the deadline passed first; Unread says what was not read
)

var statusNames = [...]string{"compressed", "passed_through", "nothing_relevant", "partial"}

// String is the status in JSON.
func (s Status) String() string {
	if s < 0 || int(s) >= len(statusNames) {
		return "unknown"
	}
	return statusNames[s]
}

// Result is what was kept.
type Result struct {
	Text      string // the kept text, ready for a prompt
	Spans     []Span // sorted, disjoint, on rune borders, verbatim
	Units     []Span // Explain only: all units that were read, in order, with their scores
	Unread    []Span // Partial only: what no critic has seen
	Documents []DocumentResult
	Status    Status
	Warnings  []string // what the caller should know, for example that the instruction was too long to be read whole
	Stats     Stats
}

// DocumentResult sums up one document of the request.
type DocumentResult struct {
	ID         string
	Tokens     int         // of the whole document
	KeptTokens int         // of its kept spans
	Lines      []LineRange // the kept lines, sorted, disjoint
}

// LineRange holds the lines First to Last, counted from 1 (from FirstLine of the document), both included.
type LineRange struct{ First, Last int }

// Stats are the figures of one compression.
type Stats struct {
	TokensIn   int    // of all documents
	TokensOut  int    // of Result.Text
	Tokenizer  string // that counted them
	Windows    int    // that the critic read
	Critic     string // id
	CriticHash string // of its weights
	Threshold  float64

	Elapsed   time.Duration // of all
	Scoring   time.Duration // of tokenizer and critic
	Selecting time.Duration // of the choice and of Text
}
