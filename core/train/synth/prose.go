package synth

import (
	"regexp"
	"slices"
	"strings"

	"github.com/cprs-go/cprs/core/unit"
)

// Levels at which a fact in prose or in a text of lines is asked for.
var (
	proseLevels = []string{"keyword", "sentence", "paragraph"}
	lineLevels  = []string{"keyword", "line"}
)

// prose hides sentences at places drawn by lot in a text of the caller, or a made-up one.
func (s *scene) prose(facts []piece) *draft {
	d := &draft{join: " ", gap: "\n\n"}
	if s.lang == "zh" || s.lang == "ja" {
		d.join = ""
	}
	told := 0
	for _, f := range facts {
		told += len(f.text) + 1
	}
	room := max(s.size-told, 2*told, minSize/2)
	next := s.filler()
	for n := 0; n < room; {
		var p []piece
		for k := 1 + s.IntN(7); k > 0 && n < room; k-- {
			text := next()
			p = append(p, piece{text: text})
			if n += len(text) + 1; strings.HasSuffix(text, "\n") {
				break
			}
		}
		d.paragraphs = append(d.paragraphs, p)
	}
	s.scatter(d, facts, false)
	for _, p := range d.paragraphs {
		for i := range p {
			p[i].text = strings.TrimSpace(p[i].text)
		}
	}
	return d
}

// scatter puts pieces at places drawn by lot into the text of d, in their order if that matters.
func (s *scene) scatter(d *draft, facts []piece, ordered bool) {
	total := 0
	for _, p := range d.paragraphs {
		total += len(p) + 1
	}
	at := make([]int, len(facts))
	for i := range at {
		at[i] = s.IntN(total)
	}
	if ordered {
		slices.Sort(at)
	}
	into := map[int][]piece{}
	for i, f := range facts {
		into[at[i]] = append(into[at[i]], f)
	}
	n := 0
	for i, p := range d.paragraphs {
		var out []piece
		for j := 0; j <= len(p); j++ {
			out = append(out, into[n]...)
			n++
			if j < len(p) {
				out = append(out, p[j])
			}
		}
		d.paragraphs[i] = out
	}
}

// filler gives sentence after sentence: of a text of the caller from a place drawn by lot, round and round, or made-up
// ones. A sentence that ends a paragraph ends in a line feed.
func (s *scene) filler() func() string {
	made := func() string { return article.ReplaceAllString(s.let("", "‹prose›"), "${1}n $2") }
	if s.lang != "" {
		return func() string { return s.let("", "‹prose."+s.lang+"›") }
	}
	if len(s.hay) == 0 {
		return made
	}
	text := pick(s, s.hay)
	var sentences []string
	at := s.IntN(len(text))
	next := func() {
		const stretch = 2 * maxSize
		if at >= len(text) {
			at = 0
		}
		part := strings.ToValidUTF8(text[at:min(at+stretch, len(text))], "")
		at += stretch
		for r := range unit.Split(part, unit.Paragraph) {
			for q := range unit.Split(part[r.Start:r.End], unit.Sentence) {
				if t := strings.Join(strings.Fields(part[r.Start:r.End][q.Start:q.End]), " "); t != "" {
					sentences = append(sentences, t)
				}
			}
			if n := len(sentences); n > 0 {
				sentences[n-1] += "\n"
			}
		}
	}
	return func() string {
		for tries := 0; len(sentences) == 0 && tries < 10; tries++ {
			next()
		}
		if len(sentences) == 0 {
			return made()
		}
		t := sentences[0]
		sentences = sentences[1:]
		return t
	}
}

// article is an article that lacks its n.
var article = regexp.MustCompile(`\b([Aa]) ([aeiou])`)
