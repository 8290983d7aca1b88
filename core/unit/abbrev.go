package unit

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// use says what may follow an abbreviation in the same sentence.
type use uint8

const (
	notShort    use = iota
	before          // anything follows: a title, "e.g."
	beforeCount     // a number or letter follows: "No. 5", "Fig. S1"; else the stop ends the sentence
	either          // the stop may end the sentence too: "Inc.", "p.m."
)

// abbreviations holds them without the last stop. One that is written small also stands for the form with a capital. Words that stand before
// a small letter only (etc., approx., min.) need no entry: a small letter never starts a sentence.
var abbreviations = func() map[string]use {
	m := map[string]use{}
	for _, list := range []struct {
		use   use
		words string
	}{
		{before, `
			Mr Mrs Ms Mx Dr Prof Rev Hon Messrs Gen Lt Col Maj Capt Cmdr Sgt Cpl Pvt Adm Gov Sen Rep Pres Amb Supt Det Insp Fr St Ste Mt Ft
			Brig Atty Asst vs v viz cf eg ie ca resp incl excl esp e.g i.e w.r.t s.t q.v
			Hr Frl Dipl Ing bzw evtl ggf inkl vgl z.B d.h u.a i.d.R z.T v.a o.ä bspw insb Hrsg
			Sra Srta Dra Lic Vd Uds MM Mme Mlle Mmes Mlles Mgr p.ej av bd
			Sig Dott Avv Geom Rag Exmo Exma Sto dhr mevr drs bijv d.w.z
			т.е т.к т.н т.наз см ср им ул акад г-н г-жа гр напр`},
		{beforeCount, `
			no nos nr num art arts fig figs sec secs sect ch chap eq eqs eqn tab tbl vol vols p pp para paras ex exs app apps ref refs ed eds
			cl sched exh reg regs pt pts ver op cat rm apt
			Jan Feb Mar Apr Jun Jul Aug Sep Sept Oct Nov Dec janv févr avr juil sept oct nov déc ene abr ago dic
			Abb Kap Abschn Abs Ziff Anm Tz Rn Bd núm nº págs pág cap рис табл стр гл п с № том`},
		{either, `
			Inc Ltd Corp Co Cos LLC Bros Cie Jr Sr Esq PhD al a.m p.m a.k.a dept univ assn ave blvd Mon Tue Tues Thu Thurs Fri
			Str Jh Jhd Chr г гг в вв т.д т.п др пр н.э обл`},
	} {
		for _, w := range strings.Fields(list.words) {
			m[w] = list.use
		}
	}
	return m
}()

// starters begin sentences and are no part of names: after "Inc." or an initial they show that a sentence ended.
var starters = wordSet(`
	The This That These Those It He She We They You I In On At An A As But And For If When While After Before Although Though
	Our His Her Its Their There Here Such To By From With Not No Some Many Most All Each Both Since Because During Under Then Thus
	Therefore Moreover Furthermore Also What Who How Why Where Which Whether Is Are Was Were Do Does Did Can Could Would Should Please Yes So
	Or Only Even Just Let Any Additionally Finally Another According Despite Following Overall Meanwhile However Hence Once Upon Until
	Within Without Every Other Others Several Later Today Currently Unlike Like Over Through Between Among Instead Indeed Similarly
	Consequently Nevertheless Nonetheless Subsequently Besides Again First Second Third Have Has Had My Your Nothing Now Given Unless More Recall
	Der Das Ein Eine Einer Er Sie Es Wir Ich Im Am Auf Bei Mit Nach Aber Wenn Dies Diese Dieser Dieses Auch Für Durch Seit Zudem Dabei
	Les Une Il Elle Ils Elles Nous Vous Ce Cette Ces Dans En Mais Pour Sur Avec Selon Après
	Una Se Pero Por Este Esta Según También Sin Cuando Uma Os As Ele Ela Em Mas Não Foi
	В На Он Она Оно Они Это Этот Эта И Но Мы Я Вы С К По Из За Для При После Если Когда Так Также`)

// divisions are followed by a number that is no sentence of its own: "Section 4. Termination."
var divisions = wordSet(`Section SECTION Sec Article ARTICLE Art Chapter CHAPTER Clause CLAUSE Item ITEM Appendix APPENDIX Exhibit EXHIBIT
	Schedule SCHEDULE Annex ANNEX Part PART Step STEP Note Table TABLE Figure FIGURE Fig Box Rule Question Phase Stage Lemma Theorem Example §
	Artikel Abschnitt Kapitel Paragraph Titre Artículo Capítulo Sección Artigo Статья Глава`)

// ordinals follow German numbers such as "3. Oktober", "19. Jahrhundert".
var ordinals = wordSet(`Januar Februar März April Mai Juni Juli August September Oktober November Dezember Jahrhundert Jahrhunderts Jh
	Platz Klasse Auflage Lebensjahr Bezirk Mal Tag Kapitel Stock`)

func wordSet(words string) map[string]bool {
	m := map[string]bool{}
	for _, w := range strings.Fields(words) {
		m[w] = true
	}
	return m
}

// endsWord reports whether the full stop at i ends a sentence rather than an abbreviation, an initial or the number of a list item, given
// the text after it and its white space.
func (s *sentenceScanner) endsWord(i int, after string) bool {
	word := wordBefore(s.text[s.start:i])
	if word == "" {
		return true
	}
	next := firstWordOf(strings.TrimLeftFunc(after, isOpener))
	head := strings.TrimLeftFunc(s.text[s.start:i-len(word)], func(r rune) bool { return isSpace(r) || isOpener(r) })
	switch {
	case head == "" && isEnumerator(word):
		return false
	case isEnumerator(word) && isDivision(head):
		return false
	case isCount(word):
		return len(word) > 2 || !ordinals[next]
	}
	switch useOf(word) {
	case before:
		return false
	case beforeCount:
		return !startsCount(after)
	case either:
		return starters[next]
	}
	if isInitials(word) {
		return starters[next]
	}
	return true
}

// isDivision reports whether head, the sentence so far, is the name of a division such as "Section ".
func isDivision(head string) bool {
	const longest = 24
	return len(head) <= longest && divisions[strings.TrimSpace(head)]
}

// wordBefore is the last word of s, from white space or an opening mark on; "" if it is longer than any abbreviation.
func wordBefore(s string) string {
	const longest = 24
	for i := len(s); i > 0 && len(s)-i <= longest; {
		r, w := utf8.DecodeLastRuneInString(s[:i])
		if isSpace(r) || isOpener(r) && r != '\'' || r == '-' || r == '–' || r == '—' || r == '/' || isSpaceless(r) {
			return s[i:]
		}
		if i -= w; i == 0 {
			return s
		}
	}
	return ""
}

// isEnumerator reports whether word numbers an item when it stands at the start of a sentence: "1", "4.2", "b", "iv".
func isEnumerator(word string) bool {
	if isCount(word) {
		return len(word) <= 8
	}
	if r, w := utf8.DecodeRuneInString(word); w == len(word) {
		return unicode.IsLetter(r) && r != 'I'
	}
	return len(word) <= 5 && strings.Trim(word, "ivxlc") == "" || strings.Trim(word, "IVXLC") == "" && len(word) <= 5
}

// isCount reports whether word is a number, perhaps with stops inside.
func isCount(word string) bool {
	return word != "" && isDigit(word[0]) && strings.Trim(word, "0123456789.") == ""
}

// startsCount reports whether s starts with a number, a Roman number or a single capital with or without a number.
func startsCount(s string) bool {
	s = strings.TrimLeft(s, "(#§*_ ")
	if s == "" {
		return false
	}
	if isDigit(s[0]) {
		return true
	}
	n := strings.IndexFunc(s, func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) })
	if n < 0 {
		n = len(s)
	}
	word := s[:n]
	switch {
	case word == "I" || word == "A":
		return n < len(s) && s[n] != ' '
	case strings.Trim(word, "IVXLC") == "":
		return word != ""
	}
	return len(word) == 1 && isUpper(word[0]) || len(word) > 1 && isUpper(word[0]) && isDigit(word[1])
}

// useOf is the use of the abbreviation word; notShort if it is none.
func useOf(word string) use {
	if u, ok := abbreviations[word]; ok {
		return u
	}
	r, w := utf8.DecodeRuneInString(word)
	if !unicode.IsUpper(r) || w == len(word) {
		return notShort
	}
	rest := strings.ToLower(word[w:])
	if u, ok := abbreviations[string(unicode.ToLower(r))+rest]; ok {
		return u
	}
	return abbreviations[string(r)+rest]
}

// isInitials reports whether word is letters parted by stops, one or two each: "J", "U.S", "Ph.D", "А".
func isInitials(word string) bool {
	for part := range strings.SplitSeq(word, ".") {
		r, w := utf8.DecodeRuneInString(part)
		if !unicode.IsLetter(r) || isSpaceless(r) {
			return false
		}
		if rest := part[w:]; rest != "" {
			second, w := utf8.DecodeRuneInString(rest)
			if len(rest) != w || !unicode.IsLower(second) || !strings.Contains(word, ".") {
				return false
			}
		}
	}
	return true
}
