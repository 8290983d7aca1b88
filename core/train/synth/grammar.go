package synth

import (
	"embed"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"sync"
	"unicode"
	"unicode/utf8"
)

// The tables are the content of all generators, in two forms.
//
// A word list gives a name to a choice; lines that begin with a blank continue it:
//
//	when = before dawn | after the storm |
//	  late in the season
//
// A block, ended by an empty line, describes one thing that a generator can make: its first line gives the sort and the
// name of the block, the others a field and a value each. A field may come several times; lines that begin with a tab
// continue a value.
//
//	fact locker
//	entity ‹person›
//	say ‹E› was given locker ‹V›.
//
// All text is a template, see scene.say.
//
//go:embed tables/*.txt
var tables embed.FS

// block is a block of a table: the values of its fields.
type block map[string][]string

// first is the first value of a field, empty if there is none.
func (b block) first(field string) string {
	if len(b[field]) == 0 {
		return ""
	}
	return b[field][0]
}

// grammar is what the tables hold.
type grammar struct {
	words  map[string][]string // choices by name
	blocks map[string][]block  // by sort
}

var load = sync.OnceValues(func() (*grammar, error) {
	g := &grammar{map[string][]string{}, map[string][]block{}}
	files, err := tables.ReadDir("tables")
	if err != nil {
		return nil, err
	}
	for _, f := range files {
		data, err := tables.ReadFile("tables/" + f.Name())
		if err != nil {
			return nil, err
		}
		if err := g.parse(string(data)); err != nil {
			return nil, fmt.Errorf("table %s: %w", f.Name(), err)
		}
	}
	return g, nil
})

// parse adds a table.
func (g *grammar) parse(text string) error {
	for part := range strings.SplitSeq(text, "\n\n") {
		part = strings.Trim(part, "\n")
		if head, _, _ := strings.Cut(part, " = "); strings.ContainsAny(head, " \n") {
			sort, b := parseBlock(part)
			g.blocks[sort] = append(g.blocks[sort], b)
			continue
		}
		for line := range strings.SplitSeq(strings.ReplaceAll(part, "\n  ", " "), "\n") {
			name, list, ok := strings.Cut(line, " = ")
			if !ok || g.words[name] != nil {
				return fmt.Errorf("no word list, or a second one of that name: %q", line)
			}
			for _, word := range choices(list) {
				g.words[name] = append(g.words[name], strings.TrimSpace(word))
			}
		}
	}
	return nil
}

func parseBlock(text string) (sort string, b block) {
	first, rest, _ := strings.Cut(text, "\n")
	sort, name, _ := strings.Cut(first, " ")
	b = block{"name": {name}}
	field := "name"
	for line := range strings.SplitSeq(rest, "\n") {
		if more, ok := strings.CutPrefix(line, "\t"); ok {
			values := b[field]
			values[len(values)-1] = strings.TrimPrefix(values[len(values)-1]+"\n"+more, "\n")
			continue
		}
		var value string
		field, value, _ = strings.Cut(line, " ")
		b[field] = append(b[field], value)
	}
	return sort, b
}

// choices splits s at the bars outside of inner brackets.
func choices(s string) []string {
	var out []string
	depth, from := 0, 0
	for i, r := range s {
		switch {
		case r == '‹':
			depth++
		case r == '›':
			depth--
		case r == '|' && depth == 0:
			out, from = append(out, s[from:i]), i+len("|")
		}
	}
	return append(out, s[from:])
}

// scene draws the text of one record.
type scene struct {
	*rand.Rand
	*grammar
	names map[string]string // what templates call by a name of this record
	used  map[string]bool   // values that let gave out
	lang  string            // of the text; empty: English
	size  int               // wanted length of the text in bytes
	hay   []string          // texts of the caller
	bad   []string          // symbols without a meaning
}

// pick is one of list.
func pick[T any](s *scene, list []T) T { return list[s.IntN(len(list))] }

// chance is true with probability p.
func (s *scene) chance(p float64) bool { return s.Float64() < p }

// let names a new text of one of the templates parted by |: one that this record has not named before, if they can give one.
func (s *scene) let(name, templates string) string {
	v := ""
	for range 30 {
		if v = s.one(templates); !s.used[v] {
			break
		}
	}
	s.used[v] = true
	if name != "" {
		s.names[name] = v
	}
	return v
}

// one is a text of one of the templates parted by |.
func (s *scene) one(templates string) string {
	return strings.TrimSpace(s.say(pick(s, choices(templates))))
}

// say fills in a template. In ‹…› stand a name of this record, the name of a word list, a choice parted by |, or a range of
// numbers such as ‹1-99› (‹01-99› with leading zeros). A ^ before a name makes the first letter of its text a capital, ~
// turns it into an identifier such as red-fox, + into RED_FOX.
func (s *scene) say(template string) string {
	var b strings.Builder
	for {
		i := strings.Index(template, "‹")
		if i < 0 {
			b.WriteString(template)
			return b.String()
		}
		b.WriteString(template[:i])
		inner, rest := bracket(template[i+len("‹"):])
		b.WriteString(s.symbol(inner))
		template = rest
	}
}

// bracket splits s at the bracket that closes it.
func bracket(s string) (inner, rest string) {
	depth := 1
	for i, r := range s {
		switch r {
		case '‹':
			depth++
		case '›':
			if depth--; depth == 0 {
				return s[:i], s[i+len("›"):]
			}
		}
	}
	return s, ""
}

// symbol is what stands for the inside of a pair of brackets.
func (s *scene) symbol(name string) string {
	if v, ok := s.names[name]; ok {
		return v
	}
	if list := s.words[name]; list != nil {
		return s.say(pick(s, list))
	}
	if list := choices(name); len(list) > 1 {
		return s.say(pick(s, list))
	}
	if low, high, ok := strings.Cut(name, "-"); ok {
		a, err1 := strconv.Atoi(low)
		b, err2 := strconv.Atoi(high)
		if err1 == nil && err2 == nil && a <= b {
			width := 0
			if low[0] == '0' && len(low) > 1 {
				width = len(high)
			}
			return fmt.Sprintf("%0*d", width, a+s.IntN(b-a+1))
		}
	}
	if name != "" {
		switch rest := name[1:]; name[0] {
		case '^':
			return capital(s.symbol(rest))
		case '~':
			return slug(s.symbol(rest), "-")
		case '+':
			return strings.ToUpper(slug(s.symbol(rest), "_"))
		}
	}
	if strings.Contains(name, "‹") {
		return s.say(name)
	}
	s.bad = append(s.bad, name)
	return name
}

// capital makes the first letter of s a capital.
func capital(s string) string {
	r, n := utf8.DecodeRuneInString(s)
	if n == 0 {
		return s
	}
	return string(unicode.ToUpper(r)) + s[n:]
}

// slug joins the words of s in small letters.
func slug(s, with string) string {
	return strings.Join(strings.FieldsFunc(strings.ToLower(s), func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) }), with)
}

// shuffled is list in an order drawn by lot.
func shuffled[T any](s *scene, list []T) []T {
	list = slices.Clone(list)
	s.Shuffle(len(list), func(i, j int) { list[i], list[j] = list[j], list[i] })
	return list
}
