package synth

import (
	"math/rand/v2"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/cprs-go/cprs/core/unit"
)

var units = map[string]unit.Unit{"keyword": unit.Phrase, "sentence": unit.Sentence, "paragraph": unit.Paragraph, "line": unit.Line, "turn": unit.Line}

// TestInstructions: the wordings of a level name the unit that core/unit reads from them.
func TestInstructions(t *testing.T) {
	g, err := load()
	if err != nil {
		t.Fatal(err)
	}
	for level, want := range units {
		if n := len(g.words[level]); n < 20 {
			t.Errorf("%s: %d wordings", level, n)
		}
		for _, lang := range []string{"", ".zh", ".ja"} {
			for _, how := range g.words[level+lang] {
				if got := unit.Choose(how, "", ""); got != want && got != unit.Sentence {
					t.Errorf("%s: %q asks for %v", level, how, got)
				}
			}
		}
	}
}

func TestInstruction(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for level := range units {
		for _, q := range []string{"Where is the old key?", "钥匙在哪里？", "鍵はどこですか。", "‹Q›", ""} {
			alone, wordings := 0, map[string]bool{}
			for range 1000 {
				instruction, query := Instruction(q, level, r)
				if !strings.Contains(instruction+query, q) {
					t.Fatalf("%q lost in %q, %q", q, instruction, query)
				}
				if instruction == "" {
					alone++
				}
				wordings[instruction] = true
			}
			if alone < 200 || alone > 300 || len(wordings) < 30 {
				t.Errorf("%s %q: alone %d times of 1000, %d wordings", level, q, alone, len(wordings))
			}
		}
	}
	if instruction, query := Instruction("q", "chapter", r); instruction != "" || query != "q" {
		t.Errorf("an unknown level gives %q, %q", instruction, query)
	}
}

func TestWordings(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	const q = "Which key opens the locker?"
	for name, want := range map[string]string{
		"caps": "WHICH KEY OPENS THE LOCKER?", "lower": "which key opens the locker?", "title": "Which Key Opens The Locker?", "keywords": "key opens locker",
	} {
		if got := Wordings[name](q, r); got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
	changed := 0
	for range 100 {
		got := Wordings["typos"](q, r)
		if len(got) < len(q)-2 || len(got) > len(q)+2 {
			t.Errorf("typos: %q", got)
		}
		if got != q {
			changed++
		}
	}
	if changed < 80 {
		t.Errorf("typos in %d of 100", changed)
	}
}

func TestVary(t *testing.T) {
	const q = "Which locker was given to Vera Novak?"
	r := rand.New(rand.NewPCG(1, 2))
	same, forms := 0, map[string]bool{}
	for range 1000 {
		v := Vary(q, r)
		if v == q {
			same++
		}
		forms[v] = true
		if len(v) < len("locker given Vera Nov") || len(v) > len(q)+2 {
			t.Errorf("%q", v)
		}
	}
	if same < 500 || same > 650 || len(forms) < 40 {
		t.Errorf("%d unchanged of 1000, %d forms", same, len(forms))
	}
	for _, q := range []string{"", "?", "鍵は？", "ABC", "\xff", "abcd"} {
		for range 100 {
			if v := Vary(q, r); utf8.ValidString(q) && !utf8.ValidString(v) || v == "" && q != "" && len(q) > 1 {
				t.Errorf("%q becomes %q", q, v)
			}
		}
	}
}
