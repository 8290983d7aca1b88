package langchain

import (
	"cmp"
	"context"
	"slices"
	"strings"

	"github.com/tmc/langchaingo/llms"

	"github.com/cprs-go/cprs/core"
	"github.com/cprs-go/cprs/core/span"
	"github.com/cprs-go/cprs/core/unit"
)

// trimmer makes one history fit into the budget of a Memory.
//
//	messages → system messages, turns → the newest turns, as they are
//	                                  └→ older turns → one text → Compressor → parts of each message → the best turns that fit
type trimmer struct {
	m        *Memory
	messages []llms.ChatMessage
	tokens   []int // of each message, with its role

	system []int   // messages that are kept as they are
	turns  [][]int // all other messages
	room   int     // tokens that are left
}

func newTrimmer(m *Memory, messages []llms.ChatMessage) *trimmer {
	t := &trimmer{m: m, messages: messages, tokens: make([]int, len(messages)), room: m.s.budget.MaxTokens}
	system := 0
	for i, msg := range messages {
		t.tokens[i] = t.count(msg)
		if msg.GetType() == llms.ChatMessageTypeSystem {
			system += t.tokens[i]
		}
	}
	keepSystem := !m.s.memory.dropSystem && system <= t.room
	for i, msg := range messages {
		switch n := len(t.turns); {
		case keepSystem && msg.GetType() == llms.ChatMessageTypeSystem:
			t.system = append(t.system, i)
		case n > 0 && msg.GetType() != llms.ChatMessageTypeHuman:
			t.turns[n-1] = append(t.turns[n-1], i)
		default:
			t.turns = append(t.turns, []int{i})
		}
	}
	if keepSystem {
		t.room -= system
	}
	return t
}

// count is the tokens of a message as it stands in the history.
func (t *trimmer) count(msg llms.ChatMessage) int {
	text, err := t.m.render([]llms.ChatMessage{msg})
	if err != nil { // the whole history was written before
		return 0
	}
	return t.m.s.counter.CountTokens(text + "\n")
}

// keptTurn is a turn as it is given: the contents of its messages.
type keptTurn struct {
	turn     int
	contents []string // nil: as they are
	score    float32
	tokens   int
}

// trim chooses. The error is that of ctx.
func (t *trimmer) trim(ctx context.Context, query string) ([]llms.ChatMessage, TrimEvent, error) {
	kept := t.last(t.m.s.memory.keepTurns)
	older := len(t.turns) - len(kept)
	var failure error
	if strings.TrimSpace(query) == "" || t.room <= 0 || older == 0 {
		kept = append(kept, t.newest(older)...)
	} else if chosen, err := t.relevant(ctx, query, older); err == nil {
		kept = append(kept, chosen...)
	} else if ctx.Err() != nil {
		return nil, TrimEvent{}, ctx.Err()
	} else {
		failure = err
		kept = append(kept, t.newest(older)...)
	}
	messages, event := t.assemble(kept)
	event.Err = failure
	return messages, event, nil
}

// last takes the last n turns as they are, the newest first, up to the first one that does not fit.
func (t *trimmer) last(n int) []keptTurn {
	var out []keptTurn
	for i := len(t.turns) - 1; i >= 0 && len(out) < n && t.whole(i) <= t.room; i-- {
		t.room -= t.whole(i)
		out = append(out, keptTurn{turn: i})
	}
	return out
}

// newest takes of the first n turns those that fit as they are, the newest first.
func (t *trimmer) newest(n int) []keptTurn {
	var out []keptTurn
	for i := n - 1; i >= 0; i-- {
		if t.whole(i) <= t.room {
			t.room -= t.whole(i)
			out = append(out, keptTurn{turn: i})
		}
	}
	return out
}

// whole is the tokens of turn i as it is.
func (t *trimmer) whole(i int) int {
	n := 0
	for _, msg := range t.turns[i] {
		n += t.tokens[msg]
	}
	return n
}

// relevant takes the best of the first n turns, as a whole or in parts, as long as they fit.
func (t *trimmer) relevant(ctx context.Context, query string, n int) ([]keptTurn, error) {
	text, contents, err := t.write(n)
	if err != nil {
		return nil, err
	}
	budget := core.Budget{MaxTokens: t.room, Threshold: t.m.s.budget.Threshold}
	res, err := t.m.s.compress(ctx, "memory", query, core.Request{
		Documents: []core.Document{{ID: "chat history", Text: text}}, Budget: budget, Explain: true, Gap: core.GapNone, NoLabels: true,
	})
	if err != nil {
		return nil, err
	}
	units := res.Units
	if units == nil {
		units = res.Spans
	}
	parts, best := clip(text, contents, res.Spans), clip(text, contents, units)
	for i := range best {
		best[i] = strongest(best[i])
	}
	var chosen []keptTurn
	next := 0
	for i, turn := range t.turns[:n] {
		if k := t.keep(i, text, parts[next:next+len(turn)], best[next:next+len(turn)]); k != nil {
			chosen = append(chosen, *k)
		}
		next += len(turn)
	}
	return t.fitting(chosen), nil
}

// write joins the messages of the first n turns to one text, and says where the content of each lies in it.
func (t *trimmer) write(n int) (string, []span.Range, error) {
	var b strings.Builder
	var contents []span.Range
	for _, turn := range t.turns[:n] {
		for _, i := range turn {
			head, err := t.m.render([]llms.ChatMessage{bare(t.messages[i])})
			if err != nil {
				return "", nil, err
			}
			b.WriteString(head)
			start := b.Len()
			b.WriteString(t.messages[i].GetContent())
			contents = append(contents, span.Range{Start: start, End: b.Len()})
			b.WriteByte('\n')
		}
	}
	return b.String(), contents, nil
}

// clip gives each content what of the spans lies in it. Both are in order.
func clip(text string, contents []span.Range, spans []core.Span) [][]core.Span {
	out := make([][]core.Span, len(contents))
	for i, c := range contents {
		for len(spans) > 0 && spans[0].End <= c.Start {
			spans = spans[1:]
		}
		for _, s := range spans {
			if s.Start >= c.End {
				break
			}
			r := unit.Trim(text, span.Range{Start: max(s.Start, c.Start), End: min(s.End, c.End)})
			if s.Start, s.End = r.Start, r.End; !r.Empty() {
				out[i] = append(out[i], s)
			}
		}
	}
	return out
}

// strongest is the first part with the highest score, alone.
func strongest(parts []core.Span) []core.Span {
	if len(parts) == 0 {
		return nil
	}
	return []core.Span{slices.MaxFunc(parts, func(a, b core.Span) int { return cmp.Or(cmp.Compare(a.Score, b.Score), cmp.Compare(b.Start, a.Start)) })}
}

// keep is turn i with the given parts of its messages, or nil if there are none. Messages without a part get their best one. A
// turn that does not fit gets the best part of each message only.
func (t *trimmer) keep(i int, text string, parts, best [][]core.Span) *keptTurn {
	any := false
	k := &keptTurn{turn: i}
	full := make([][]core.Span, len(parts))
	for j := range parts {
		any = any || len(parts[j]) > 0
		if full[j] = parts[j]; len(parts[j]) == 0 {
			full[j] = best[j]
		}
		for _, s := range best[j] {
			k.score = max(k.score, s.Score)
		}
	}
	if !any {
		return nil
	}
	for _, form := range [][][]core.Span{full, best} {
		k.contents = make([]string, len(form))
		k.tokens = t.m.s.counter.CountTokens(gap + "\n")
		for j, p := range form {
			msg := t.messages[t.turns[i][j]]
			if k.contents[j] = excerpt(text, p); len(p) == 0 && msg.GetContent() != "" {
				k.contents[j] = gap
			}
			k.tokens += t.count(withContent(msg, k.contents[j]))
		}
		if k.tokens <= t.room {
			break
		}
	}
	return k
}

// fitting takes the turns with the best scores, newer ones first among equals, as long as they fit.
func (t *trimmer) fitting(turns []keptTurn) []keptTurn {
	slices.SortFunc(turns, func(a, b keptTurn) int { return cmp.Or(cmp.Compare(b.score, a.score), b.turn-a.turn) })
	var out []keptTurn
	for _, k := range turns {
		if k.tokens <= t.room {
			t.room -= k.tokens
			out = append(out, k)
		}
	}
	return out
}

// assemble puts the kept turns and system messages in order. Should all of it exceed the budget after all, because a counter
// gives the whole more tokens than its parts, it leaves turns out, the last of kept first.
func (t *trimmer) assemble(kept []keptTurn) ([]llms.ChatMessage, TrimEvent) {
	for {
		messages := t.inOrder(kept)
		text, _ := t.m.render(messages)
		tokens := t.m.s.counter.CountTokens(text)
		if tokens <= t.m.s.budget.MaxTokens || len(kept) == 0 {
			return messages, TrimEvent{Turns: len(t.turns), KeptTurns: len(kept), TokensOut: tokens}
		}
		kept = kept[:len(kept)-1]
	}
}

func (t *trimmer) inOrder(kept []keptTurn) []llms.ChatMessage {
	byFirst := make(map[int]keptTurn, len(kept)) // first message of a turn
	for _, k := range kept {
		byFirst[t.turns[k.turn][0]] = k
	}
	system := t.system
	out := []llms.ChatMessage{}
	left := false // out text since the last message
	for i := range t.turns {
		for len(system) > 0 && system[0] < t.turns[i][0] {
			out = append(out, t.messages[system[0]])
			system = system[1:]
		}
		k, ok := byFirst[t.turns[i][0]]
		if !ok {
			left = true
			continue
		}
		out = append(out, t.turnMessages(k, left)...)
		left = false
	}
	for _, i := range system {
		out = append(out, t.messages[i])
	}
	return out
}

// turnMessages are the messages of a kept turn, the first one with a mark if turns before it were left out.
func (t *trimmer) turnMessages(k keptTurn, left bool) []llms.ChatMessage {
	var out []llms.ChatMessage
	for j, i := range t.turns[k.turn] {
		msg := t.messages[i]
		content := msg.GetContent()
		if k.contents != nil {
			content = k.contents[j]
		}
		if j == 0 && left && k.contents != nil {
			content = gap + "\n" + content
		}
		out = append(out, withContent(msg, content))
	}
	return out
}
