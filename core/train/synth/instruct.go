package synth

import (
	"math/rand/v2"
	"regexp"
	"slices"
	"strings"
	"unicode"
)

// Instruction words what is asked for as a user would: the question alone (a quarter of the draws), an instruction that
// names the level beside the question, or both in one instruction, without a query. A level that is not known has no
// wording: the question stays alone.
func Instruction(q, level string, r *rand.Rand) (instruction, query string) {
	g, err := load()
	if err != nil || r.Float64() < 0.25 {
		return "", q
	}
	name := level
	if lang := script(q); lang != "" && r.IntN(3) > 0 {
		name += "." + lang
	}
	if g.words[name] == nil {
		return "", q
	}
	s := &scene{Rand: r, grammar: g, names: map[string]string{}}
	how := s.say("‹" + name + "›")
	if r.IntN(3) == 0 {
		return how, q
	}
	s.names["Q"], s.names["HOW"] = q, how
	return s.say("‹frame›"), ""
}

// script is "ja" for text with kana, "zh" for other text with Chinese characters, else empty.
func script(s string) string {
	lang := ""
	for _, r := range s {
		switch {
		case unicode.In(r, unicode.Hiragana, unicode.Katakana):
			return "ja"
		case unicode.Is(unicode.Han, r):
			lang = "zh"
		}
	}
	return lang
}

// Wordings are the ways in which hasty users ask, by name.
var Wordings = map[string]func(q string, r *rand.Rand) string{
	"caps":     func(q string, _ *rand.Rand) string { return strings.ToUpper(q) },
	"lower":    func(q string, _ *rand.Rand) string { return strings.ToLower(q) },
	"title":    func(q string, _ *rand.Rand) string { return titled(q) },
	"typos":    func(q string, r *rand.Rand) string { return slip(slip(q, r), r) },
	"keywords": func(q string, _ *rand.Rand) string { return keyWords(q) },
}

func titled(q string) string {
	return word.ReplaceAllStringFunc(q, func(w string) string { return strings.ToUpper(w[:1]) + w[1:] })
}

// Vary rewords a question as hasty users do, in four of ten draws: small letters, capitals, a slip of the keys, no question
// mark, key words only.
func Vary(q string, r *rand.Rand) string {
	switch p := r.IntN(100); {
	case p < 61:
	case p < 67:
		q = keyWords(q)
	case p < 75:
		q = strings.ToLower(q)
	case p < 79:
		q = strings.ToUpper(q)
	case p < 82:
		q = titled(q)
	case p < 91:
		for range 1 + r.IntN(2) {
			q = slip(q, r)
		}
	default:
		q = strings.ToLower(strings.TrimRight(q, "?？.。!"))
	}
	if bare := strings.TrimRight(q, "?？"); bare != "" && r.IntN(12) == 0 {
		q = bare
	}
	return q
}

var word = regexp.MustCompile(`\b[a-z]+\b`)

// keyWords is q without its function words; q itself if fewer than two words are left.
func keyWords(q string) string {
	words := slices.DeleteFunc(strings.Fields(strings.TrimRight(q, "?")), func(w string) bool {
		return strings.Contains(functionWords, " "+strings.ToLower(w)+" ")
	})
	if len(words) < 2 {
		return q
	}
	return strings.Join(words, " ")
}

// slip makes one typing mistake in a word of small letters: two letters swapped, one left out, doubled or wrong.
func slip(q string, r *rand.Rand) string {
	var long [][]int
	for _, w := range word.FindAllStringIndex(q, -1) {
		if w[1]-w[0] >= 4 {
			long = append(long, w)
		}
	}
	if len(long) == 0 {
		return q
	}
	w := long[r.IntN(len(long))]
	i := w[0] + 1 + r.IntN(w[1]-w[0]-2) // neither the first letter nor the last
	switch r.IntN(4) {
	case 0:
		return q[:i] + q[i+1:i+2] + q[i:i+1] + q[i+2:]
	case 1:
		return q[:i] + q[i+1:]
	case 2:
		return q[:i] + q[i:i+1] + q[i:]
	default:
		return q[:i] + string(rune('a'+r.IntN(26))) + q[i+1:]
	}
}
