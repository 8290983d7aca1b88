package tools

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"sort"
	"strconv"
	"strings"

	"github.com/cprs-go/cprs/core"
	"github.com/cprs-go/cprs/core/wire"
)

// expandArgs are the arguments of expand_context.
type expandArgs struct {
	handle, source, lines, query string
	maxTokens                    int
}

// expandOut is the output of expand_context.
type expandOut struct {
	Context   string     `json:"context"`
	Note      string     `json:"note,omitempty"`
	Sources   []linesOut `json:"sources"`
	TokensOut int        `json:"tokens_out"`
	Truncated bool       `json:"truncated,omitempty"`
}

type linesOut struct {
	ID    string `json:"id"`
	Lines string `json:"lines"`
}

func (s *Set) expandContext(ctx context.Context, args json.RawMessage, progress Progress) (*Result, error) {
	var a expandArgs
	if err := decode(args, wire.Fields{
		"handle": intoText(&a.handle), "source": intoText(&a.source), "lines": intoText(&a.lines), "query": intoText(&a.query), "max_tokens": intoInteger(&a.maxTokens),
	}); err != nil {
		return nil, err
	}
	docs, err := s.expandDocuments(ctx, &a)
	if err != nil {
		return nil, err
	}
	req := core.Request{Instruction: a.query, Documents: docs, Progress: progress}
	req.Budget = core.Budget{MaxTokens: a.maxTokens, Threshold: thresholdUnset}
	if err := s.bound(&req); err != nil {
		return nil, err
	}
	if a.query == "" {
		return s.verbatim(ctx, &req)
	}
	ans, err := s.compress(ctx, req)
	if err != nil {
		return nil, err
	}
	ans.asked = a.maxTokens
	out := expandOut{Context: ans.res.Text, Note: ans.note(), TokensOut: ans.res.Stats.TokensOut, Truncated: ans.truncated(), Sources: []linesOut{}}
	for _, src := range ans.sources() {
		out.Sources = append(out.Sources, linesOut{src.ID, src.Lines})
	}
	return result(withNote(out.Context, out.Note), out)
}

// expandDocuments are the originals, or the lines of them, that a call asks for.
func (s *Set) expandDocuments(ctx context.Context, a *expandArgs) ([]core.Document, error) {
	if strings.TrimSpace(a.handle) == "" {
		return nil, invalid("give the handle of an earlier answer", "there is no handle")
	}
	docs, err := s.originals(ctx, a.handle)
	if err != nil {
		return nil, err
	}
	// A label may be copied whole.
	if a.source = strings.Trim(strings.TrimSpace(a.source), "[]"); a.source != "" {
		some, err := ofSource(docs, a.source)
		if at := strings.LastIndexByte(a.source, ':'); err != nil && at > 0 {
			if more, labelErr := ofSource(docs, a.source[:at]); labelErr == nil {
				some, err, a.lines = more, nil, cmp.Or(a.lines, a.source[at+1:])
			}
		}
		if err != nil {
			return nil, err
		}
		docs = some
	}
	if len(ids(docs)) > 1 && (a.lines != "" || a.query == "") {
		return nil, invalid("name one of them: "+sourceNames(docs), "the handle holds several sources")
	}
	if a.lines == "" {
		return docs, nil
	}
	wanted, err := parseLines(a.lines)
	if err != nil {
		return nil, err
	}
	var cut []core.Document
	var has []core.LineRange
	for _, d := range docs {
		parts, all := cutLines(d, wanted)
		cut, has = append(cut, parts...), append(has, all)
	}
	if len(cut) == 0 {
		return nil, invalid("it has lines "+ranges(has), "%s has no lines %s", quoted(docs[0].ID), quoted(a.lines))
	}
	return cut, nil
}

// oneRange matches what models write for lines: "12-18", "12", "L12-L18", "12–18", "12 to 18", "12-" to the end.
var oneRange = regexp.MustCompile(`^(?i:lines?|:|L)?\s*(\d{1,9})(?:\s*(-|–|—|\.\.|:|to)\s*(?i:L)?(\d{1,9})?)?$`)

// parseLines reads line ranges with commas between them.
func parseLines(s string) ([]core.LineRange, error) {
	var out []core.LineRange
	for part := range strings.SplitSeq(strings.TrimSuffix(s, ",…"), ",") { // as ranges cuts them
		m := oneRange.FindStringSubmatch(strings.TrimSpace(part))
		if m == nil {
			return nil, invalid("write START-END, as in 40-60", "%s is no range of lines", quoted(part))
		}
		first, _ := strconv.Atoi(m[1]) // nine digits at most
		r := core.LineRange{First: first, Last: first}
		switch {
		case m[3] != "":
			r.Last, _ = strconv.Atoi(m[3])
		case m[2] != "":
			r.Last = 1e9
		}
		if r.First < 1 || r.Last < r.First {
			return nil, invalid("lines count from 1, the first comes first", "%s is no range of lines", quoted(part))
		}
		out = append(out, r)
	}
	return mergeLines(out), nil
}

// mergeLines sorts ranges and joins those that overlap or touch.
func mergeLines(rs []core.LineRange) []core.LineRange {
	slices.SortFunc(rs, func(a, b core.LineRange) int { return cmp.Or(a.First-b.First, a.Last-b.Last) })
	out := rs[:0]
	for _, r := range rs {
		if n := len(out); n > 0 && r.First <= out[n-1].Last+1 {
			out[n-1].Last = max(out[n-1].Last, r.Last)
			continue
		}
		out = append(out, r)
	}
	return out
}

// cutLines are the parts of d with the lines wanted, which are sorted and disjoint, and the lines that d has.
func cutLines(d core.Document, wanted []core.LineRange) (parts []core.Document, all core.LineRange) {
	line := max(1, d.FirstLine)
	all.First, all.Last = line, line
	start := -1 // of the part that is open
	for at := 0; at < len(d.Text); line++ {
		end := len(d.Text)
		if i := strings.IndexByte(d.Text[at:], '\n'); i >= 0 {
			end = at + i + 1
		}
		for len(wanted) > 0 && wanted[0].Last < line {
			wanted = wanted[1:]
		}
		all.Last = line
		if len(wanted) > 0 && wanted[0].First <= line {
			if start < 0 {
				start = at
				parts = append(parts, core.Document{ID: d.ID, Title: d.Title, FirstLine: line})
			}
			if parts[len(parts)-1].Text = d.Text[start:end]; wanted[0].Last == line {
				start = -1
			}
		}
		at = end
	}
	return parts, all
}

// verbatim gives back the documents, parts of one source, from the start as far as they fit.
func (s *Set) verbatim(ctx context.Context, req *core.Request) (*Result, error) {
	kept, tokens, err := s.fit(ctx, req.Documents, req.Budget.MaxTokens)
	if err != nil {
		return nil, err
	}
	out := expandOut{Context: labelled(kept), TokensOut: tokens, Sources: []linesOut{}}
	var have, left []core.LineRange
	for i, d := range req.Documents {
		all := linesOf(d)
		switch {
		case i >= len(kept):
			out.Truncated = true
			left = append(left, all)
			continue
		case len(kept[i].Text) < len(d.Text):
			out.Truncated = true
			if rest := linesOf(kept[i]).Last + 1; rest <= all.Last {
				left = append(left, core.LineRange{First: rest, Last: all.Last})
			}
		}
		have = append(have, linesOf(kept[i]))
	}
	if len(have) > 0 {
		out.Sources = append(out.Sources, linesOut{req.Documents[0].ID, ranges(have)})
	}
	out.Note = cutNote(kept, req, left)
	return result(withNote(out.Context, out.Note), out)
}

// cutNote says where verbatim text ends and how to go on.
func cutNote(kept []core.Document, req *core.Request, left []core.LineRange) string {
	var notes []string
	if n := len(kept) - 1; n < 0 || len(kept[n].Text) < len(req.Documents[n].Text) && !strings.HasSuffix(kept[n].Text, "\n") {
		notes = append(notes, "The last line is longer than max_tokens and was cut: search it with query.")
	}
	if len(left) > 0 {
		notes = append(notes, fmt.Sprintf("max_tokens %d is reached: go on with lines %q.", req.Budget.MaxTokens, ranges(left)))
	}
	return strings.Join(notes, " ")
}

// labelled writes parts of a source under their labels.
func labelled(docs []core.Document) string {
	var b strings.Builder
	for i, d := range docs {
		if i > 0 {
			b.WriteString("\n\n")
		}
		b.WriteString("[" + d.ID + ":" + linesOf(d).String() + "]\n")
		b.WriteString(strings.TrimSuffix(d.Text, "\n"))
	}
	return b.String()
}

func linesOf(d core.Document) core.LineRange {
	first := max(1, d.FirstLine)
	return core.LineRange{First: first, Last: first + strings.Count(strings.TrimSuffix(d.Text, "\n"), "\n")}
}

// tokenBytes is more than the bytes of most tokens: text beyond so many for each token of a budget is not even counted.
const tokenBytes = 64

// fit is the first lines of docs that take at most budget tokens with their labels; of a first line that does not fit, its start.
func (s *Set) fit(ctx context.Context, docs []core.Document, budget int) (kept []core.Document, tokens int, err error) {
	room := budget * tokenBytes
	var lines, runes []int // ends, in bytes of all docs
	at := 0
	for _, d := range docs {
		for i := range d.Text {
			if at+i > room {
				break
			}
			if i > 0 && d.Text[i-1] == '\n' {
				lines = append(lines, at+i)
			} else if len(lines) == 0 && i > 0 {
				runes = append(runes, at+i)
			}
		}
		if at += len(d.Text); at <= room {
			lines = append(lines, at)
		}
	}
	for _, ends := range [][]int{lines, runes} {
		var failed error
		n := sort.Search(len(ends), func(i int) bool {
			part := firstBytes(docs, ends[i])
			count, err := s.count(ctx, labelled(part))
			if failed = cmp.Or(failed, err); err != nil || count > budget {
				return true
			}
			kept, tokens = part, count
			return false
		})
		if failed != nil || n > 0 {
			return kept, tokens, failed
		}
	}
	return nil, 0, nil
}

// firstBytes are the first n bytes of docs.
func firstBytes(docs []core.Document, n int) []core.Document {
	var out []core.Document
	for _, d := range docs {
		if n <= 0 {
			break
		}
		d.Text = d.Text[:min(n, len(d.Text))]
		n -= len(d.Text)
		out = append(out, d)
	}
	return out
}

// count is the number of tokens of text. Only a Compressor knows its tokenizer; asked to keep all, it counts and reads
// nothing else.
func (s *Set) count(ctx context.Context, text string) (int, error) {
	res, err := s.c.Compress(ctx, core.Request{Instruction: "all", Budget: core.Budget{Ratio: 1}, Documents: []core.Document{{Text: text}}})
	if err != nil {
		return 0, err
	}
	return res.Stats.TokensOut, nil
}
