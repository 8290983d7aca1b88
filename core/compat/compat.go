// Package compat reproduces the inference of the released QwenLong-CPRS server (commit d67742a) step by step, defects included: how
// it cuts the context, encodes every window anew, reads the tags and assembles the text. It proves parity with recorded output and
// serves the released client; nothing else calls it, and core.Pipeline is what users get. The package stands beside that pipeline, above
// core/tokenizer/bpe and core/label, which holds the rules of tags.
//
// Where the released code fails, so does this, with an error that names the defect. Positions are code points of the context, as there.
package compat

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/cprs-go/cprs/core/label"
	"github.com/cprs-go/cprs/core/span"
	"github.com/cprs-go/cprs/core/tokenizer"
	"github.com/cprs-go/cprs/core/tokenizer/bpe"
)

// DefaultWindow is the number of tokens of a window in the released code, header included.
const DefaultWindow = 8192

// maxContext is the most tokens of a context; what is longer is cut, and loses another character.
const maxContext = 2_048_000

// The failures of the released code.
var (
	ErrEmptyContext  = errors.New("the released code fails on an empty context")
	ErrHeaderTooLong = errors.New("the released code fails where instruction and query fill the window")
	ErrBatchSize     = errors.New("the released code fails on a batch_size above 1")
	ErrDrift         = errors.New("the released code fails where a window comes back with more tokens than it was cut with")
)

// Tagger gives the tags of rows of ids, header included: the most probable one of each token, of several the one with the lowest id.
type Tagger func(ctx context.Context, rows [][]int32) ([][]label.Tag, error)

// Options are what the released server is set up with.
type Options struct {
	WindowTokens int  // 0: DefaultWindow
	CleanUp      bool // clean_up_tokenization_spaces of tokenizer_config.json: whether decoding drops spaces before punctuation
}

// Pipeline runs requests. It is safe for concurrent use.
type Pipeline struct {
	tok  *bpe.Tokenizer
	tags Tagger
	opt  Options
}

// New makes a pipeline of a model's tokenizer and its forward pass.
func New(tok *bpe.Tokenizer, tags Tagger, opt Options) *Pipeline {
	if opt.WindowTokens == 0 {
		opt.WindowTokens = DefaultWindow
	}
	return &Pipeline{tok, tags, opt}
}

// Request is a request to the released server: its three messages and the parameters that it reads. DefaultParameters are those of a
// request that names none.
type Request struct {
	System, User, Context string
	Parameters            Parameters
}

// Parameters are the parameters of a request.
type Parameters struct {
	SplitWithSent    bool // cut at ends of sentences, if the context holds an ideograph
	MinKeywordLen    int  // a span is kept if it has more tokens than this
	CompleteSentence bool // widen spans to ends of sentences
	BatchSize        int
}

// DefaultParameters are the defaults of the released server.
func DefaultParameters() Parameters {
	return Parameters{SplitWithSent: true, MinKeywordLen: 4, BatchSize: 1}
}

// Response is what the released server finds.
type Response struct {
	Spans       []label.CompatSpan // code points of Context
	Context     string             // of the request, or what is left of one that is too long
	InputTokens int                // header tokens times windows, and the tokens of the context
	Windows     int
}

// window is a piece of the context: its text as the model gets it, and the code points of the tokens that it was cut with.
type window struct {
	text    string
	offsets []span.Range
}

// Extract answers a request.
func (p *Pipeline) Extract(ctx context.Context, req Request) (*Response, error) {
	if req.Parameters.BatchSize > 1 {
		return nil, fmt.Errorf("%w: it is %d", ErrBatchSize, req.Parameters.BatchSize)
	}
	header := p.encode("<|im_start|>system\n" + req.System + "<|im_end|>\n<|im_start|>user\n" + req.User + "<|im_end|>\n<|im_start|>context\n").IDs
	res := &Response{Context: p.bounded(req.Context)}
	windows, err := p.cut(res.Context, len(header), req.Parameters.SplitWithSent)
	if err != nil {
		return nil, err
	}
	rows := make([][]int32, len(windows))
	for i, w := range windows {
		rows[i] = slices.Concat(header, p.encode(w.text).IDs)
		res.InputTokens += len(header) + len(w.offsets)
	}
	res.Windows = len(windows)
	tagged, err := p.tags(ctx, rows)
	if err != nil {
		return nil, err
	}
	tags, offsets, err := joined(windows, tagged, len(header))
	if err != nil {
		return nil, err
	}
	label.FillCompat(tags)
	found := label.SpansCompat(tags, offsets, res.Context, label.CompatOptions{
		MinKeywordLen: req.Parameters.MinKeywordLen, CompleteSentence: req.Parameters.CompleteSentence,
	})
	res.Spans = label.CleanCompat(found)
	return res, nil
}

// joined puts the tags of all windows in a row. A window that came back with fewer tokens gets O at its end; with more it is an error.
func joined(windows []window, tagged [][]label.Tag, header int) (tags []label.Tag, offsets []span.Range, err error) {
	if len(tagged) != len(windows) {
		return nil, nil, fmt.Errorf("%d windows have %d rows of tags", len(windows), len(tagged))
	}
	for i, w := range windows {
		if len(tagged[i]) < header {
			return nil, nil, fmt.Errorf("window %d has %d tags, fewer than its header of %d", i, len(tagged[i]), header)
		}
		got := tagged[i][header:]
		if len(got) > len(w.offsets) {
			return nil, nil, fmt.Errorf("window %d: %w: %d tokens, not %d", i, ErrDrift, header+len(got), header+len(w.offsets))
		}
		tags = append(tags, got...)
		for range len(w.offsets) - len(got) {
			tags = append(tags, label.Outside)
		}
		offsets = append(offsets, w.offsets...)
	}
	return tags, offsets, nil
}

// bounded is context, or what the released code leaves of one with too many tokens.
func (p *Pipeline) bounded(context string) string {
	if len(context) <= maxContext {
		return context // a token has a byte at least
	}
	ids := p.encode(context).IDs
	if len(ids) <= maxContext {
		return context
	}
	kept := []rune(p.decode(ids[:maxContext]))
	return string(kept[:len(kept)-1])
}

// cut cuts the context: where it holds an ideograph at ends of sentences, else every so many tokens.
func (p *Pipeline) cut(context string, header int, sentences bool) ([]window, error) {
	switch {
	case context == "":
		return nil, ErrEmptyContext
	case header >= p.opt.WindowTokens:
		return nil, fmt.Errorf("%w: %d tokens of %d", ErrHeaderTooLong, header, p.opt.WindowTokens)
	}
	if sentences && strings.ContainsFunc(context, func(r rune) bool { return 0x4e00 <= r && r <= 0x9fff }) {
		return p.cutSentences(context, p.opt.WindowTokens-header), nil
	}
	e := p.encode(context)
	offsets := points(context, e.Spans)
	var out []window
	for first, room := 0, p.opt.WindowTokens-header; first < len(e.IDs); first += room {
		last := min(first+room, len(e.IDs))
		out = append(out, window{p.decode(e.IDs[first:last]), offsets[first:last]})
	}
	return out, nil
}

// cutSentences packs sentences into windows by the sum of their own token counts. A window whose joint encoding is longer is cut, but
// not its offsets, and the next window is taken to begin where the cut text ends. The last window may have any length.
func (p *Pipeline) cutSentences(context string, room int) []window {
	var out []window
	base, text, tokens := 0, "", 0
	flush := func(last bool) {
		e := p.encode(text)
		w := window{text, points(text, e.Spans)}
		for i := range w.offsets {
			w.offsets[i].Start += base
			w.offsets[i].End += base
		}
		if len(e.IDs) > room && !last {
			w.text = p.decode(e.IDs[:room])
		}
		base += len([]rune(w.text))
		out = append(out, w)
	}
	for rest := context; rest != ""; {
		end := sentenceEnd(rest)
		n := len(p.encode(rest[:end]).IDs)
		if tokens+n > room {
			flush(false)
			text, tokens = "", 0
		}
		text, tokens, rest = text+rest[:end], tokens+n, rest[end:]
	}
	flush(true)
	return out
}

// sentenceEnd is where the first sentence of text ends: after the first of these marks, of several at one place the one that comes
// first here, and all spaces and line ends after it.
func sentenceEnd(text string) int {
	end, first := len(text), len(text)
	for _, mark := range []string{".", "\n", "。”", "！”", "？”", "”", "。", "！", "？", "|"} {
		if at := strings.Index(text, mark); at >= 0 && at < first {
			first, end = at, at+len(mark)
		}
	}
	return len(text) - len(strings.TrimLeft(text[end:], " \n"))
}

// points turns ranges of bytes of text into ranges of code points.
func points(text string, spans []span.Range) []span.Range {
	at := make([]int, len(text)+1)
	n := 0
	for i := range text {
		at[i] = n
		n++
	}
	at[len(text)] = n
	out := make([]span.Range, len(spans))
	for i, s := range spans {
		out[i] = span.Range{Start: at[s.Start], End: at[s.End]}
	}
	return out
}

// encode encodes text as the released code does, control tokens included.
func (p *Pipeline) encode(text string) (e tokenizer.Encoding) {
	p.tok.EncodeMarkup(&e, text)
	return e
}

func (p *Pipeline) decode(ids []int32) string {
	text := p.tok.Decode(ids)
	if p.opt.CleanUp {
		for _, mark := range []string{".", "?", "!", ",", "n't", "'m", "'s", "'ve", "'re"} {
			if mark == "n't" {
				text = strings.ReplaceAll(text, " ' ", "'")
			}
			text = strings.ReplaceAll(text, " "+mark, mark)
		}
	}
	return text
}
