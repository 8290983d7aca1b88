package train

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/cprs-go/cprs/core/critic/critictest"
	"github.com/cprs-go/cprs/core/label"
	"github.com/cprs-go/cprs/core/span"
	"github.com/cprs-go/cprs/core/unit"
	"github.com/cprs-go/cprs/core/window"
)

const ferry = "The ferry leaves at nine. It carries bicycles. Dogs travel free. At nine the shop opens."

// windowOf is ferry as one window.
func windowOf(t *testing.T, u unit.Unit) *window.Window {
	t.Helper()
	l := critictest.Layout(256)
	h, err := l.Header("", "when")
	if err != nil {
		t.Fatal(err)
	}
	ws, err := window.Cut(window.Document{Text: ferry, Unit: u}, h, l, critictest.Tokenizer{})
	if err != nil {
		t.Fatal(err)
	}
	for w := range ws {
		return &w
	}
	t.Fatal("no window")
	return nil
}

// at is where s stands in ferry.
func at(s string) span.Range {
	i := strings.Index(ferry, s)
	return span.Range{Start: i, End: i + len(s)}
}

func TestLabel(t *testing.T) {
	tests := map[string]struct {
		unit     unit.Unit
		evidence []span.Range
		answers  []string
		roles    string // of the units: e evidence, o other, - ignored
	}{
		"sentence":                  {unit.Sentence, []span.Range{at("It carries bicycles.")}, nil, "oeoo"},
		"a word marks its sentence": {unit.Sentence, []span.Range{at("bicycles")}, nil, "oeoo"},
		"two sentences":             {unit.Sentence, []span.Range{at("It carries bicycles. Dogs travel free.")}, nil, "oeeo"},
		"an answer stands elsewhere": {unit.Sentence, []span.Range{at("The ferry leaves at nine.")}, []string{"nine"},
			"eoo-"},
		"a short answer stands everywhere": {unit.Sentence, []span.Range{at("The ferry leaves at nine.")}, []string{"at"}, "eooo"},
		"a few characters over the border": {unit.Sentence, []span.Range{at("It carries bicycles. Do")}, nil, "oe-o"},
		"phrase":                           {unit.Phrase, []span.Range{at("nine")}, nil, "oeoooo"},
		"nothing":                          {unit.Sentence, nil, nil, "oooo"},
		"paragraph":                        {unit.Paragraph, []span.Range{at("free")}, nil, "e"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			w := windowOf(t, tt.unit)
			target := target{text: ferry, evidence: tt.evidence, answers: tt.answers}
			p := target.label(w, 1, nil, rand.New(rand.NewPCG(1, 1)))
			roles := ""
			for _, r := range p.roles {
				roles += string("-eo"[r])
			}
			if roles != tt.roles && !(tt.unit == unit.Phrase && strings.Count(roles, "e") == 1) {
				t.Errorf("roles are %s, want %s", roles, tt.roles)
			}
			checkPair(t, w, &p)
		})
	}
}

// checkPair holds what is true of every pair.
func checkPair(t *testing.T, w *window.Window, p *pair) {
	t.Helper()
	first := len(w.Before)
	for i := range p.tags {
		own := i >= first && i < first+len(w.IDs)
		if !own && (p.counts[i] != 0 || p.units[i] != -1) {
			t.Fatalf("position %d of the frame counts", i)
		}
		if !own || p.units[i] < 0 {
			continue
		}
		switch role := p.roles[p.units[i]]; {
		case role == roleEvidence && (p.tags[i] == int32(label.Outside) || p.counts[i] != 1):
			t.Fatalf("position %d of the evidence: tag %d, counts %v", i, p.tags[i], p.counts[i])
		case role != roleEvidence && p.tags[i] != int32(label.Outside):
			t.Fatalf("position %d outside: tag %d", i, p.tags[i])
		case role == roleIgnored && p.counts[i] != 0:
			t.Fatalf("position %d of an ignored unit counts", i)
		}
	}
}

func TestTag(t *testing.T) {
	for inside, want := range map[string]string{
		"": "", ".": "O", "x": "B", "xx": "BE", "xxx": "BIE", ".x.xxx.": "OBOBIEO", "xx.x": "BEOB",
	} {
		in, tags := make([]bool, len(inside)), make([]int32, len(inside))
		for i := range in {
			in[i] = inside[i] == 'x'
		}
		tag(tags, in)
		got := ""
		for _, x := range tags {
			got += label.Tag(x).String()
		}
		if got != want {
			t.Errorf("%q: %s, want %s", inside, got, want)
		}
	}
}

func TestContainsWords(t *testing.T) {
	for _, tt := range []struct {
		text, words string
		want        bool
	}{
		{"at nine the", "nine", true}, {"at nineteen", "nine", false}, {"canine", "nine", false}, {"nine", "nine", true},
		{"canine nine", "nine", true}, {"nine-to-five", "nine", true}, {"", "nine", false}, {"在九点开门", "九点", true}, {"nineé", "nine", true},
	} {
		if got := containsWords(tt.text, tt.words); got != tt.want {
			t.Errorf("%q in %q: %v", tt.words, tt.text, got)
		}
	}
}

// FuzzLabel holds the invariants of a pair for any evidence.
func FuzzLabel(f *testing.F) {
	f.Add(0, 5, uint8(1))
	f.Add(3, 80, uint8(0))
	f.Add(87, 88, uint8(3))
	f.Fuzz(func(t *testing.T, start, end int, u uint8) {
		if start < 0 || end > len(ferry) || start >= end {
			return
		}
		w := windowOf(t, unit.Unit(1+u%4))
		target := target{text: ferry, evidence: []span.Range{{Start: start, End: end}}, masked: 0.5}
		p := target.label(w, 0, nil, rand.New(rand.NewPCG(1, 1)))
		checkPair(t, w, &p)
	})
}

func ExampleRecipe() {
	r, err := LoadRecipe("")
	if err != nil {
		fmt.Println(err)
		return
	}
	i := slices.IndexFunc(r.Sources, func(s SourceRecipe) bool { return s.Name == "qmsum" })
	fmt.Println(r.Sources[i].Name, *r.Sources[i].OutsideMasked)
	// Output: qmsum 0.4
}
