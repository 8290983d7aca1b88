package train

import (
	"math/rand/v2"
	"strings"

	"github.com/cprs-go/cprs/core/eval"
	"github.com/cprs-go/cprs/core/train/synth"
	"github.com/cprs-go/cprs/core/unit"
)

// wording draws how a question is asked: alone, inside an instruction, or with an instruction beside it.
func (d *draw) wording(q *eval.Query) (instruction, query string) {
	text := q.Text
	if d.chance(d.recipe.Varied) {
		text = synth.Vary(text, d.Rand)
	}
	if !d.chance(d.recipe.Instructions) {
		return "", text
	}
	level := d.grain.String()
	switch {
	case d.grain == unit.Phrase:
		level = "keyword"
	case d.grain == unit.Line && q.Level == "turn":
		level = q.Level
	}
	return synth.Instruction(text, level, d.Rand)
}

// generated is how many records a generator makes before they come again.
const generated = 1 << 30

// generator is the generator of a source called "synth:KIND"; nil for the name of a file.
func generator(name string, seed uint64) (func(*rand.Rand) *eval.Record, error) {
	kind, ok := strings.CutPrefix(name, "synth:")
	if !ok {
		return nil, nil
	}
	g, err := synth.New(kind, seed, nil)
	if err != nil {
		return nil, err
	}
	return func(rng *rand.Rand) *eval.Record {
		r := g.Record(rng.IntN(generated))
		return &r
	}, nil
}
