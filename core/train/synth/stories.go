package synth

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// A format says how a row of a log or a talk looks (row, with ‹M› for the message and ‹L› for its level or speaker) and what
// else stands there: messages of the word lists noise.NAME, or whole rows (raw).
//
// A story is a sequence of messages (seq) among that noise, one a line: the letter of its level or speaker, for evidence
// ! and a label, a blank, the text. A line that starts with = is a row as it stands, right below the one before. Names of
// its own come from let; for names the tags of the formats that it needs. A question is "ask LABELS | text | answer"; why is
// the answer to the question why anything failed; whole in a format names the questions for all rows of a story. ‹M.label›
// is the message and ‹T› the time of the evidence.

// logs is a log with the traces of one to four stories.
func logs(s *scene) *draft { return s.stories("format", "story", "line") }

// output is what tools print: test reports, compilers, diffs, HTTP, events of a cluster, a shell.
func output(s *scene) *draft { return s.stories("output", "event", "line") }

// talk is a chat or a meeting.
func talk(s *scene) *draft { return s.stories("talk", "topic", "turn") }

// tale is a story as one text tells it.
type tale struct {
	block block
	tag   string            // begins the facts of its evidence
	names map[string]string // of this tale only
	rows  []row
}

// row is a message of a text.
type row struct {
	tale  *tale  // nil: noise
	who   string // the letter of level or speaker; "=": a row as it stands
	text  string // template
	label string // of its evidence
	below []row
}

// stories tells one to four stories of a sort in a format of a sort; their evidence is asked for at a level.
func (s *scene) stories(formats, stories, level string) *draft {
	f := pick(s, s.blocks[formats])
	for pair := range strings.SplitSeq(f.first("level"), " ") {
		k, v, _ := strings.Cut(pair, "=")
		s.names[k] = v
	}
	usable := slices.DeleteFunc(shuffled(s, s.blocks[stories]), func(b block) bool {
		return b["for"] != nil && !slices.ContainsFunc(strings.Fields(b.first("for")), func(t string) bool {
			return slices.Contains(strings.Fields(f.first("tag")), t)
		})
	})
	p := s.printer(f)
	var tales []*tale
	var rows [][]row
	for i := range 1 + s.IntN(min(4, 1+s.size/500, len(usable))) {
		t := s.tell(usable[i], fmt.Sprint(i), p.cast)
		tales, rows = append(tales, t), append(rows, t.rows)
	}
	noise := p.noise(s.size - 60*len(slices.Concat(rows...)))
	d := &draft{paragraphs: [][]piece{p.print(s.mix(noise, rows, f["cast"] != nil))}, join: "\n"}
	for _, t := range tales {
		d.asks = append(d.asks, s.asks(t, f, level)...)
		if f["whole"] != nil && s.chance(0.5) {
			d.asks = append(d.asks, t.whole(s, "‹"+f.first("whole")+"›", level))
		}
	}
	d.asks = shuffled(s, d.asks)[:min(len(d.asks), 1+s.IntN(3))]
	if f["cast"] == nil && s.chance(0.6) {
		d.asks = append(d.asks, s.why(tales, level)...)
	}
	return d
}

// mix puts tales among noise: each over a stretch of the text, a short one if they are talks.
func (s *scene) mix(noise []row, tales [][]row, short bool) []row {
	type placed struct {
		row row
		at  float64
	}
	var all []placed
	for _, r := range noise {
		all = append(all, placed{r, s.Float64()})
	}
	for _, t := range tales {
		width := s.Float64()
		if short {
			width = 0.15
		}
		start := (1 - width) * s.Float64()
		at := make([]float64, len(t))
		for i := range at {
			at[i] = start + width*s.Float64()
		}
		slices.Sort(at)
		for i, r := range t {
			all = append(all, placed{r, at[i]})
		}
	}
	slices.SortStableFunc(all, func(a, b placed) int { return cmp.Compare(a.at, b.at) })
	var out []row
	for _, p := range all {
		out = append(out, p.row)
	}
	return out
}

// tell makes a tale of a story.
func (s *scene) tell(b block, tag string, cast []string) *tale {
	t := &tale{block: b, tag: tag, names: map[string]string{}}
	for i, name := range shuffled(s, cast) {
		if i < 3 {
			t.names["ABC"[i:i+1]] = name
		}
	}
	s.as(t.names, func() {
		for _, l := range b["let"] {
			name, template, _ := strings.Cut(l, " ")
			t.names[name] = s.let(name, template)
		}
	})
	for i, line := range strings.Split(pick(s, b["seq"]), "\n") {
		who, text, _ := strings.Cut(line, " ")
		who, label, _ := strings.Cut(who, "!")
		if label == "" {
			label = fmt.Sprint("row", i)
		}
		r := row{tale: t, who: who, text: text, label: label}
		if n := len(t.rows); who == "=" && n > 0 {
			t.rows[n-1].below = append(t.rows[n-1].below, r)
			continue
		}
		t.rows = append(t.rows, r)
	}
	return t
}

// as runs f with names beside those of the record.
func (s *scene) as(names map[string]string, f func()) {
	before := s.names
	s.names = maps.Clone(before)
	maps.Copy(s.names, names)
	f()
	s.names = before
}

// printer writes rows in a format.
type printer struct {
	*scene
	format             block
	hosts, parts, cast []string // that rows choose from
	now                time.Time
}

// printer draws hosts, parts and cast of a text in a format, and its time.
func (s *scene) printer(f block) *printer {
	p := &printer{scene: s, format: f}
	p.now = time.Date(2019+s.IntN(9), time.Month(1+s.IntN(12)), 1+s.IntN(28), s.IntN(24), s.IntN(60), s.IntN(60), 0, time.UTC)
	for range 3 + s.IntN(4) {
		p.hosts, p.parts = append(p.hosts, s.let("", "‹host›")), append(p.parts, s.let("", "‹component›"))
		if f["cast"] != nil {
			p.cast = append(p.cast, s.let("", f.first("cast")))
		}
	}
	return p
}

// noise is rows without evidence of about that many bytes.
func (p *printer) noise(size int) []row {
	lists := strings.Fields(p.format.first("noise"))
	var rows []row
	for n := 0; n < max(size, minSize*2/3); {
		r := row{who: pick(p.scene, []string{"I", "I", "I", "I", "I", "W"})}
		if p.cast != nil {
			r.who = ""
		}
		if k := len(p.format["raw"]); k > 0 && p.chance(0.8) {
			r.who, r.text = "=", pick(p.scene, p.format["raw"])
		} else {
			r.text = "‹noise." + pick(p.scene, lists) + "›"
		}
		rows = append(rows, r)
		n += len(p.row(r).text) + 1
	}
	return rows
}

// print writes rows one after the other, at later and later times.
func (p *printer) print(rows []row) []piece {
	var out []piece
	for _, r := range rows {
		step := 90_000
		if p.chance(0.2) {
			step = 500
		}
		p.now = p.now.Add(time.Duration(p.IntN(step)) * time.Millisecond)
		out = append(out, p.row(r))
		for _, b := range r.below {
			out = append(out, p.row(b))
		}
	}
	return out
}

// times are the names under which formats write the time.
var times = map[string]string{"T": "15:04:05", "TC": "150405", "D": "2006-01-02", "DS": "2006/01/02", "DY": "06/01/02", "DC": "060102", "DB": "Jan _2", "DN": "02/Jan/2006", "HM": "15:04"}

// row writes a row, and notes what the questions on its tale need of it.
func (p *printer) row(r row) piece {
	var own map[string]string
	fact := ""
	if r.tale != nil {
		own = r.tale.names
	}
	now := map[string]string{"H": pick(p.scene, p.hosts), "P": pick(p.scene, p.parts), "MS": fmt.Sprintf("%03d", p.now.Nanosecond()/1e6)}
	for name, layout := range times {
		now[name] = p.now.Format(layout)
	}
	maps.Copy(now, own)
	var text string
	p.as(now, func() {
		text = p.say(r.text)
		if r.tale != nil {
			fact = r.tale.tag + "." + r.label
			own["M."+r.label], own["T."+r.label] = strings.TrimSpace(text), p.say(p.stamp())
		}
		if r.who == "=" {
			return
		}
		p.names["M"], p.names["L"] = text, p.names[r.who]
		if r.who == "" {
			p.names["L"] = pick(p.scene, p.cast)
		}
		text = p.say(p.format.first("row"))
	})
	return piece{strings.TrimRight(text, " "), fact}
}

// stamp is the template of the time of a row.
func (p *printer) stamp() string {
	if p.format["stamp"] != nil {
		return p.format.first("stamp")
	}
	return "‹T›"
}

// whole asks for all rows of a tale.
func (t *tale) whole(s *scene, words, level string) ask {
	s.names["X"] = t.subject()
	a := ask{text: s.say(words), levels: []string{level}, thing: t.subject()}
	for _, r := range t.rows {
		for _, r := range append([]row{r}, r.below...) {
			if fact := t.tag + "." + r.label; !slices.Contains(a.facts, fact) {
				a.facts, a.answers = append(a.facts, fact), append(a.answers, t.names["M."+r.label])
			}
		}
	}
	return a
}

// subject is what a tale is about: the first of its own names.
func (t *tale) subject() string {
	name, _, _ := strings.Cut(t.block.first("let"), " ")
	return t.names[name]
}

// asks are the questions on a tale that was printed.
func (s *scene) asks(t *tale, f block, level string) []ask {
	var out []ask
	for _, line := range t.block["ask"] {
		part := strings.SplitN(line, " | ", 3)
		labels := strings.Fields(part[0])
		a := ask{levels: []string{level}}
		for _, l := range labels {
			a.facts = append(a.facts, t.tag+"."+l)
		}
		if len(part) == 3 {
			a.levels = append(a.levels, "keyword")
			if part[2] == "‹T›" && f["untimed"] != nil {
				continue
			}
		}
		s.as(t.names, func() {
			a.text = s.say(part[1])
			for _, l := range labels {
				s.names["T"] = t.names["T."+l]
				switch {
				case len(part) < 3:
					a.answers = append(a.answers, t.names["M."+l])
				case part[2] == "‹T›" || len(a.answers) == 0:
					a.answers = append(a.answers, s.say(part[2]))
				}
			}
		})
		out = append(out, a)
	}
	return out
}

// why asks for the causes of what failed: the only one, all, or all but those of one tale. A text in which nothing failed
// is sometimes asked as well.
func (s *scene) why(tales []*tale, level string) []ask {
	failed := slices.DeleteFunc(slices.Clone(tales), func(t *tale) bool { return t.block["why"] == nil })
	a := ask{levels: []string{level}}
	list := "one"
	switch {
	case len(failed) == 0 && s.chance(0.5):
		return nil
	case len(failed) > 2 && s.chance(0.5):
		list = "but"
		spared := failed[0]
		failed = failed[1:]
		s.names["X"] = spared.subject()
	case len(failed) > 1:
		list = "all"
	}
	a.text = s.say("‹why." + list + "›")
	for _, t := range failed {
		a.facts = append(a.facts, t.tag+".cause")
		a.answers = append(a.answers, t.names["M.cause"])
	}
	return []ask{a}
}
