package wordpiece

import (
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"

	"github.com/cprs-go/cprs/core/span"
)

// class is what a rune is to BERT. The tables behind it are frozen in classes.go: they are those the models were trained
// with (Unicode 8, roughly), and ids must not change when Go learns a newer Unicode. Decomposition and lower case are Go's: they
// differ from the Rust library's for a few letters that are younger than the vocabularies, and so [UNK] either way.
type class uint8

const (
	letter       class = iota // whatever belongs to a word
	control                   // dropped by clean_text
	controlSpace              // white space that clean_text drops as it drops control characters
	space
	ideograph // a word of its own under handle_chinese_chars
	mark      // dropped by strip_accents
	punct     // a word of its own

	irregular // no class of runes: the fast path must look closer
)

func classOf(r rune) class {
	low, high := 0, len(classes)
	for low < high {
		if mid := int(uint(low+high) >> 1); classes[mid].last < r {
			low = mid + 1
		} else {
			high = mid
		}
	}
	if low < len(classes) && classes[low].first <= r {
		return classes[low].class
	}
	return letter
}

// normalizer holds the options of a BertNormalizer.
type normalizer struct{ clean, chinese, strip, lower bool }

// word is a normalised word that is being read.
type word struct {
	text   []byte       // of the first characters, up to the most that a word may have
	source []span.Range // for each byte of text, where its rune lies in the source
	chars  int          // in all
	start  int          // of the word in the source
	end    int
}

// add appends r, which lies at source. A word of more than most characters is counted only: it becomes one token.
func (w *word) add(r rune, source span.Range, most int) {
	if w.chars == 0 {
		w.start = source.Start
	}
	w.end = source.End
	if w.chars++; w.chars > most {
		return
	}
	n := len(w.text)
	w.text = utf8.AppendRune(w.text, r)
	for range len(w.text) - n {
		w.source = append(w.source, source)
	}
}

// decompose appends the canonical decomposition of rune r, which s begins with, to runes.
func decompose(runes []rune, r rune, s string) []rune {
	const (
		first, last   = 0xAC00, 0xD7A3 // the Hangul syllables, by lead, vowel and tail
		lead, vowel   = 0x1100, 0x1161
		tail          = 0x11A7 // that of a syllable without one
		vowels, tails = 21, 28
	)
	if r >= first && r <= last {
		i := r - first
		runes = append(runes, lead+i/(vowels*tails), vowel+i/tails%vowels)
		if i%tails != 0 {
			runes = append(runes, tail+i%tails)
		}
		return runes
	}
	d := norm.NFD.PropertiesString(s).Decomposition()
	if d == nil {
		return append(runes, r)
	}
	for len(d) > 0 {
		r, size := utf8.DecodeRune(d)
		runes, d = append(runes, r), d[size:]
	}
	return runes
}
