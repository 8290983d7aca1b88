package prompt

import (
	"github.com/cprs-go/cprs/core/tokenizer"
)

// PairOptions are the ids and lengths of a Pair, from the critic's checkpoint.
type PairOptions struct {
	CLS, SEP     int32 // ids that open and close a row
	Colon        int32 // id that closes a title
	HeaderTokens int   // most ids of a header row, CLS and SEP included
	WindowTokens int   // most ids of a window row, CLS, title and SEP included
	TitleTokens  int   // most ids of a title
}

// queryEnd is how many ids are kept of either end of a query that does not fit with its instruction. The critic was
// trained so.
const queryEnd = 24

// titleChars is how much of a title is read, in code points.
const titleChars = 80

// Pair is the layout of the late-join critic, which encodes header and window apart: [CLS] instruction query [SEP] and
// [CLS] title : text [SEP].
type Pair struct {
	tok tokenizer.Tokenizer
	opt PairOptions
}

// NewPair lays out header and windows with the tokens of tok.
func NewPair(tok tokenizer.Tokenizer, opt PairOptions) *Pair { return &Pair{tok, opt} }

// WindowTokens is the most ids of a window row.
func (p *Pair) WindowTokens() int { return p.opt.WindowTokens }

// Header lays out the question. What does not fit is left out and counted in Dropped: of a long query its middle, then the
// end of the instruction. It never fails.
func (p *Pair) Header(instruction, query string) (*Header, error) {
	inst, ask := p.ids(instruction), p.ids(query)
	total := len(inst) + len(ask)
	room := p.opt.HeaderTokens - 2
	switch {
	case total <= room:
	case len(ask) == 0:
		inst = ends(inst, room/2, room-room/2)
	default:
		side := min(queryEnd, room/2)
		ask = ends(ask, side, side)
		inst = inst[:min(len(inst), room-len(ask))]
	}
	h := &Header{IDs: make([]int32, 0, len(inst)+len(ask)+2), Dropped: total - len(inst) - len(ask)}
	h.IDs = append(h.IDs, p.opt.CLS)
	h.IDs = append(h.IDs, inst...)
	h.IDs = append(h.IDs, ask...)
	h.IDs = append(h.IDs, p.opt.SEP)
	h.Pool = make([]bool, len(h.IDs))
	first, last := 0, len(h.IDs)
	if len(inst) > 0 && len(ask) > 0 {
		first, last = 1+len(inst), len(h.IDs)-1
	}
	for i := first; i < last; i++ {
		h.Pool[i] = true
	}
	return h, nil
}

// Frame is [CLS] title : and [SEP]; the title is left out when it has no tokens.
func (p *Pair) Frame(title string) (before, after []int32) {
	before = append(before, p.opt.CLS)
	if ids := p.ids(firstRunes(title, titleChars)); len(ids) > 0 {
		before = append(before, ids[:min(len(ids), p.opt.TitleTokens)]...)
		before = append(before, p.opt.Colon)
	}
	return before, []int32{p.opt.SEP}
}

func (p *Pair) ids(text string) []int32 {
	var e tokenizer.Encoding
	p.tok.Encode(&e, text)
	return e.IDs
}

// ends is the first a and last b ids, or all of them if there are no more.
func ends(ids []int32, a, b int) []int32 {
	if len(ids) <= a+b {
		return ids
	}
	return append(append(make([]int32, 0, a+b), ids[:a]...), ids[len(ids)-b:]...)
}

func firstRunes(s string, n int) string {
	for i := range s {
		if n == 0 {
			return s[:i]
		}
		n--
	}
	return s
}
