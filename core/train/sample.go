package train

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"

	"github.com/cprs-go/cprs/core/eval"
	"github.com/cprs-go/cprs/core/model/graph"
	"github.com/cprs-go/cprs/core/model/latejoin"
	"github.com/cprs-go/cprs/core/prompt"
	"github.com/cprs-go/cprs/core/span"
	"github.com/cprs-go/cprs/core/tokenizer"
	"github.com/cprs-go/cprs/core/unit"
	"github.com/cprs-go/cprs/core/window"
)

// sampler draws batches. Batch i depends on the seed, the recipe, the data and i only, so that a training can go on at any step.
type sampler struct {
	recipe      *Recipe
	cfg         latejoin.Config
	tok         tokenizer.Tokenizer
	long, short prompt.Layout // short: windows of half the length
	sources     []*source
	upTo        []float64 // cumulative weights of sources
	seed        uint64
	tokens      int // of the windows of a batch, with padding
}

func newSampler(r *Recipe, sets []*eval.Set, cfg latejoin.Config, tok latejoin.Vocabulary, opt *Options) (*sampler, error) {
	s := &sampler{recipe: r, cfg: cfg, tok: tok, seed: opt.Seed, tokens: opt.BatchTokens}
	var err error
	if s.long, err = cfg.Layout(tok); err != nil {
		return nil, err
	}
	half := cfg
	half.WindowTokens = max(half.WindowTokens/2, half.TitleTokens+minRoom)
	if s.short, err = half.Layout(tok); err != nil {
		return nil, err
	}
	if s.sources, err = r.sources(sets, opt.Seed); err != nil {
		return nil, err
	}
	total := 0.0
	for _, src := range s.sources {
		total += src.Weight
		s.upTo = append(s.upTo, total)
	}
	return s, nil
}

// minRoom is what a short window has room for beside a title.
const minRoom = 20

// mostTries bounds the draws for a batch: a source whose questions never fit must not hold a training up.
const mostTries = 1000

// batch draws batch i.
func (s *sampler) batch(i int) (*batch, error) {
	rng := rand.New(rand.NewPCG(s.seed, uint64(i)))
	layout := s.long
	if rng.Float64() < s.recipe.ShortWindows {
		layout = s.short
	}
	room := max(1, s.tokens/layout.WindowTokens())
	b := shape{windows: room, headers: room, pairs: 2 * room, windowTokens: layout.WindowTokens()}
	var groups []group
	used := shape{}
	for try := 0; used.windows < b.windows && used.headers < b.headers; try++ {
		if try == mostTries {
			return nil, fmt.Errorf("drawing batch %d: %d draws gave no more windows", i, mostTries)
		}
		d := &draw{sampler: s, Rand: rng, layout: layout, most: min(s.recipe.Windows, b.windows-used.windows)}
		d.questions = min(s.recipe.Questions, b.headers-used.headers)
		g, err := d.group()
		if err != nil {
			return nil, fmt.Errorf("drawing batch %d: %w", i, err)
		}
		if g == nil {
			continue
		}
		for len(g.questions) > 1 && !used.leaves(b, len(g.windows), len(g.questions)) {
			g.questions = g.questions[:len(g.questions)-1]
		}
		groups = append(groups, *g)
		used.windows += len(g.windows)
		used.headers += len(g.questions)
		used.pairs += len(g.windows) * len(g.questions)
		for _, q := range g.questions {
			used.headerTokens = max(used.headerTokens, len(q.header.IDs))
		}
	}
	b.headerTokens = min((used.headerTokens+31)/32*32, s.cfg.Encoder.Positions)
	return pack(groups, b), nil
}

// leaves reports whether, after one more group, there are headers and pairs enough for the windows that are left of a batch.
func (used shape) leaves(b shape, windows, questions int) bool {
	left := b.windows - used.windows - windows
	return b.headers-used.headers-questions >= (left+1)/2 && b.pairs-used.pairs-windows*questions >= left
}

// draw makes one group.
type draw struct {
	*sampler
	*rand.Rand
	layout          prompt.Layout
	most, questions int // windows, questions
	source          *source
	docs            []document
	grain           unit.Unit
}

// document is a text of a draw. Its evidence is shifted as the text was.
type document struct {
	title, text string
	from        int // index of the document in the record, −1: of another record
	shift       int // bytes before the record's text
}

func (d *draw) chance(share float64) bool { return d.Float64() < share }

// group draws a question, its texts and other questions on them; nil if the draw came to nothing.
func (d *draw) group() (*group, error) {
	at := d.Float64() * d.upTo[len(d.upTo)-1]
	d.source = d.sources[slices.IndexFunc(d.upTo, func(w float64) bool { return at < w })]
	with, without := &d.source.with, &d.source.without
	if d.source.generate != nil {
		with, without = questionsOn(d.source.generate(d.Rand))
	}
	absent := d.chance(d.recipe.Unanswerable)
	pool, moved := with, false
	switch {
	case absent && len(without.asks) > 0 && (d.chance(0.5) || len(with.asks) == 0):
		pool = without
	case len(with.asks) == 0:
		return nil, nil
	case absent:
		moved = true
	}
	a := pool.pick(d.Rand)
	q := d.level(a)
	d.texts(a.record, q, moved)
	d.grain = d.unit(a.record, q)
	first, err := d.ask(a.record, q)
	if err != nil {
		return nil, err
	}
	all, err := d.windows(first.header)
	if err != nil {
		return nil, err
	}
	chosen := d.choose(all, first, moved)
	if len(chosen) == 0 {
		return nil, nil
	}
	g := &group{questions: []question{{header: first.header}}}
	asked := []*asked{first}
	for len(asked) < d.questions && d.docs[0].from >= 0 {
		next, err := d.another(a, chosen, asked)
		if err != nil {
			return nil, err
		}
		if next == nil {
			break
		}
		asked = append(asked, next)
		g.questions = append(g.questions, question{header: next.header})
	}
	for i := range chosen {
		w := &chosen[i]
		g.windows = append(g.windows, row{slices.Concat(w.Before, w.IDs, w.After)})
		for j, a := range asked {
			p := a.targets[w.Doc].label(w, a.row, a.match, d.Rand)
			g.questions[j].pairs = append(g.questions[j].pairs, p)
		}
	}
	return g, nil
}

// questionsOn are the questions on a record that was made just now.
func questionsOn(r *eval.Record) (with, without *picker) {
	with, without = &picker{}, &picker{}
	some, none := split(asks(r))
	for _, a := range some {
		with.add(a, 1)
	}
	for _, a := range none {
		without.add(a, 1)
	}
	return with, without
}

// level draws one of the levels of a question.
func (d *draw) level(a ask) *eval.Query { return a.levels[d.IntN(len(a.levels))] }

// texts chooses the documents of a draw: those of the record, or those of another one if the question is moved there; short ones
// among others of the same source.
func (d *draw) texts(r *eval.Record, q *eval.Query, moved bool) {
	if moved && d.chance(0.6) {
		if other := d.stranger(r); other != nil {
			for _, doc := range other.Docs {
				d.docs = append(d.docs, document{title: doc.Title, text: doc.Text, from: -1})
			}
		}
	}
	if d.docs == nil {
		for i, doc := range r.Docs {
			d.docs = append(d.docs, document{title: doc.Title, text: doc.Text, from: i})
		}
	}
	const short = 4000 // bytes
	if len(d.docs) == 1 && len(d.docs[0].text) < short && d.chance(d.recipe.Distractors) {
		d.surround(r, q)
	}
	if d.chance(d.recipe.DropTitles) {
		for i := range d.docs {
			d.docs[i].title = ""
		}
	}
}

// stranger is another record of the same source.
func (d *draw) stranger(r *eval.Record) *eval.Record {
	if d.source.set == nil || len(d.source.set.Records) < 2 {
		return nil
	}
	other := &d.source.set.Records[d.IntN(len(d.source.set.Records))]
	if other == r || other.Lang != r.Lang {
		return nil
	}
	return other
}

// surround puts a text among others, as parts of one longer document.
func (d *draw) surround(r *eval.Record, q *eval.Query) {
	own := d.docs[0]
	n := 1 + d.IntN(max(1, d.recipe.MostDistractors))
	at := d.IntN(n + 1)
	var text strings.Builder
	for i := range n + 1 {
		if i > 0 {
			text.WriteString("\n\n")
		}
		if i == at {
			d.docs[0].shift = text.Len()
			text.WriteString(own.text)
			continue
		}
		other := d.stranger(r)
		if other == nil || len(other.Docs[0].Text) > 2*len(own.text)+1000 || answersStand(other.Docs[0].Text, q.Answers) {
			continue
		}
		text.WriteString(other.Docs[0].Text)
	}
	d.docs[0].text, d.docs[0].title = text.String(), ""
}

func answersStand(text string, answers []string) bool {
	t := target{answers: answers}
	return t.mayAnswer(text)
}

// unit draws the grain in which the texts are read.
func (d *draw) unit(r *eval.Record, q *eval.Query) unit.Unit {
	switch {
	case q.Level == "keyword" && d.chance(d.recipe.Phrases):
		return unit.Phrase
	case d.chance(d.recipe.Paragraphs) || q.Level == "paragraph" && d.chance(0.3):
		return unit.Paragraph
	}
	return q.Unit(r)
}

// windows cuts the documents.
func (d *draw) windows(h *prompt.Header) (all []window.Window, err error) {
	for i, doc := range d.docs {
		ws, err := window.Cut(window.Document{Index: i, Title: doc.title, Text: doc.text, Unit: d.grain}, h, d.layout, d.tok)
		if err != nil {
			return nil, err
		}
		for w := range ws {
			if len(w.IDs) > 0 {
				all = append(all, w)
			}
		}
	}
	return all, nil
}

// asked is a question with what it asks of each document.
type asked struct {
	header  *prompt.Header
	match   map[int32]bool
	row     int32 // of unit.weight
	targets []target
	query   *eval.Query
}

// ask lays out a question of record r on the texts of the draw.
func (d *draw) ask(r *eval.Record, q *eval.Query) (*asked, error) {
	instruction, query := d.wording(q)
	h, err := d.layout.Header(instruction, query)
	if err != nil {
		return nil, err
	}
	masked := d.recipe.OutsideMasked
	if d.source.OutsideMasked != nil {
		masked = *d.source.OutsideMasked
	}
	a := &asked{header: h, match: graph.Match(d.cfg, h), query: q, row: int32(slices.Index(d.cfg.Units, d.grain.String()))}
	for _, doc := range d.docs {
		t := target{text: doc.text, answers: q.Answers, masked: masked}
		for _, s := range q.Spans {
			if s[0] == doc.from {
				t.evidence = append(t.evidence, span.Range{Start: s[1] + doc.shift, End: s[2] + doc.shift})
			}
		}
		a.targets = append(a.targets, t)
	}
	return a, nil
}

// choose takes some of the windows: up to half with evidence, the rest without, one half of those by how much they share with the question.
func (d *draw) choose(all []window.Window, a *asked, moved bool) []window.Window {
	var with, without []window.Window
	for _, w := range all {
		t := &a.targets[w.Doc]
		switch {
		case t.holds(w.Range):
			with = append(with, w)
		case moved && t.mayAnswer(t.text[w.Range.Start:w.Range.End]):
		default:
			without = append(without, w)
		}
	}
	d.Shuffle(len(with), func(i, j int) { with[i], with[j] = with[j], with[i] })
	d.Shuffle(len(without), func(i, j int) { without[i], without[j] = without[j], without[i] })
	if moved {
		with = nil
	}
	take := min(len(with), max(1, (d.most+1)/2, d.most-len(without)))
	chosen := with[:min(take, d.most)]
	free := d.most - len(chosen)
	if free > 1 && len(without) > free {
		d.hardFirst(without, a)
		half := free / 2
		rest := without[half:]
		d.Shuffle(len(rest), func(i, j int) { rest[i], rest[j] = rest[j], rest[i] })
	}
	return append(chosen[:len(chosen):len(chosen)], without[:min(free, len(without))]...)
}

// hardFirst sorts windows by how many different tokens they share with the question.
func (d *draw) hardFirst(ws []window.Window, a *asked) {
	shared := func(w window.Window) int {
		seen := map[int32]bool{}
		for _, id := range w.IDs {
			if a.match[id] {
				seen[id] = true
			}
		}
		return len(seen)
	}
	slices.SortStableFunc(ws, func(x, y window.Window) int { return cmp.Compare(shared(y), shared(x)) })
}

// another draws one more question on windows that are chosen: most often one that they answer; nil if there is none.
func (d *draw) another(a ask, chosen []window.Window, before []*asked) (*asked, error) {
	with, without := split(asks(a.record))
	all := slices.Concat(with, without)
	d.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
	wanted := d.chance(0.85)
	const tries = 12
	for _, other := range all[:min(tries, len(all))] {
		q := other.levels[d.IntN(len(other.levels))]
		if d.grain == unit.Phrase && q.Level != "keyword" || slices.ContainsFunc(before, func(b *asked) bool { return b.query.Text == q.Text }) {
			continue
		}
		next, err := d.ask(a.record, q)
		if err != nil {
			return nil, err
		}
		answered := slices.ContainsFunc(chosen, func(w window.Window) bool { return next.targets[w.Doc].holds(w.Range) })
		if answered == wanted || !wanted {
			return next, nil
		}
	}
	return nil, nil
}
