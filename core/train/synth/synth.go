// Package synth makes training records out of word lists and templates: texts, questions on them, and the exact spans of the
// evidence, in the form of eval.Record.
//
// A Generator makes records of one sort; record i of a generator depends on its name, its seed and i only. All content
// stands in the tables (grammar.go says how they read); a generator is a function that drafts one text with its questions
// (draft.go puts it together and takes the evidence of some questions out again). Instruction and Vary (instruct.go)
// reword the questions when they are drawn for training. The package stands beside core/train, which mixes its records
// with those of files.
package synth

import (
	"fmt"
	"hash/fnv"
	"math"
	"math/rand/v2"
	"slices"
	"strings"

	"github.com/cprs-go/cprs/core/eval"
)

// Options are wishes for the texts; nil and zero values stand for the defaults.
type Options struct {
	// Haystack is text to hide facts in, for the generators that can; without it the text is made up.
	Haystack []string
	// Size is the length of a text in bytes, about; 0: another one for each record, 400 to 6,000.
	Size int
}

// Generator makes records of one sort. It may be used by several goroutines at once.
type Generator struct {
	name    string
	seed    uint64
	opt     Options
	draft   func(*scene) *draft
	grammar *grammar
}

// sorts are the generators, in the order of Names.
var sorts = []struct {
	name, about string
	draft       func(*scene) *draft
}{
	{"needle", "one fact in a long text", needle},
	{"needle-many", "facts of one kind on several things; one or some are asked for", needleMany},
	{"needle-values", "several facts on one thing, all are asked for", needleValues},
	{"hops", "facts that answer together, two or three; all are evidence", hops},
	{"riddle", "facts asked for in other words", riddle},
	{"kinds", "all that is of a kind is asked for: amounts of money, dates, people", kinds},
	{"chain", "values handed from name to name; the whole chain is evidence", chain},
	{"logs", "logs of many formats, with failures and their causes", logs},
	{"chinese", "facts in Chinese", language("zh")},
	{"japanese", "facts in Japanese", language("ja")},
	{"european", "facts in German, French and Spanish", language("de", "fr", "es")},
	{"clauses", "contracts, policies, frequent questions; categories of clauses are asked for, with exceptions", clauses},
	{"table", "rows and columns: Markdown, CSV, listings of files, processes and disks, access logs", table},
	{"report", "reports: small tables of figures by year, and what is said about them", report},
	{"code", "source files in Go, Python, JavaScript and Java; functions are asked for", code},
	{"output", "what tools print: test reports, compilers, diffs, HTTP, cluster events, a shell", output},
	{"listing", "rows of which some stand out, as tools list them: columns in line, CSV, JSON; those are asked for by what is odd with them", listings},
	{"talk", "chats and meetings, with decisions", talk},
	{"keyvalue", "settings: JSON lines, .env, properties, INI, TOML, YAML and others, flat or in sections", keyValue},
}

// Names are the names of all generators.
func Names() []string {
	var out []string
	for _, s := range sorts {
		out = append(out, s.name)
	}
	return out
}

// About says in a few words what a generator makes.
func About(name string) string {
	for _, s := range sorts {
		if s.name == name {
			return s.about
		}
	}
	return ""
}

// New returns the generator of a name. Its draws depend on the seed; seeds from 900 on are for development sets.
func New(name string, seed uint64, opt *Options) (*Generator, error) {
	g := &Generator{name: name, seed: seed}
	if opt != nil {
		g.opt = *opt
	}
	if g.opt.Size < 0 || g.opt.Size > 0 && g.opt.Size < minSize {
		return nil, fmt.Errorf("texts of %d bytes: at least %d are needed", g.opt.Size, minSize)
	}
	for _, s := range sorts {
		if s.name == name {
			g.draft = s.draft
		}
	}
	if g.draft == nil {
		return nil, fmt.Errorf("there is no generator %q: give one of %s", name, strings.Join(Names(), ", "))
	}
	var err error
	g.grammar, err = load()
	return g, err
}

// Texts are this long unless Options.Size says otherwise; some are shorter or longer by a few facts.
const minSize, maxSize = 400, 6000

// Record makes record i. It has at least one question.
func (g *Generator) Record(i int) eval.Record {
	id := fmt.Sprintf("synth-%s/%d/%d", g.name, g.seed, i)
	for try := 0; ; try++ {
		s := g.scene(i, try)
		r, _ := g.draft(s).record(s, id)
		if r.Source = "synth-" + g.name; len(r.Queries) > 0 {
			return r
		}
	}
}

// scene opens the draws of a try for record i.
func (g *Generator) scene(i, try int) *scene {
	h := fnv.New64a()
	fmt.Fprint(h, g.name, " ", i, " ", try)
	s := &scene{Rand: rand.New(rand.NewPCG(g.seed, h.Sum64())), grammar: g.grammar, names: map[string]string{}, used: map[string]bool{}}
	s.hay = slices.DeleteFunc(slices.Clone(g.opt.Haystack), func(t string) bool { return strings.TrimSpace(t) == "" })
	s.size = g.opt.Size
	if s.size == 0 {
		s.size = int(minSize * math.Pow(maxSize/minSize, s.Float64()))
	}
	return s
}
