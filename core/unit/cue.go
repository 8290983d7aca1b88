package unit

import (
	"strings"
	"unicode/utf8"
)

// maxCues is about how many bytes of subtitles without a stop are read as one sentence.
const maxCues = 600

// cuesEnd is where the sentence ends that begins in the subtitle l, of SRT or WebVTT; 0 if l begins none. Subtitles break a sentence every few
// words.
func cuesEnd(text string, l line) (end int) {
	if c := text[l.first]; c < '0' || c > '9' {
		return 0
	}
	for next := l.start; next < min(len(text), l.start+maxCues); {
		words, after := cue(text, next)
		if words == 0 {
			break
		}
		end, next = words, after
		if last, _ := utf8.DecodeLastRuneInString(text[:end]); isMoreStop(last) || isCloser(last) {
			break
		}
	}
	return end
}

// cue is where the words of the subtitle end that begins at byte start, and where the next may begin; 0 if there is none, or one without words.
func cue(text string, start int) (end, next int) {
	limit := start + 2*maxCues
	for lines := -2; start < len(text); { // of words; negative before
		line, after, ok := wholeLine(text, start, limit)
		if !ok {
			return 0, 0
		}
		at := start
		start = after
		switch line = strings.TrimSpace(line); {
		case lines >= 0 && line == "":
			return end, start
		case lines >= 0:
			end = at + strings.Index(text[at:], line) + len(line)
			lines++
		case isTiming(line):
			lines = 0
		case lines == -2 && strings.Trim(line, "0123456789") == "" && line != "":
			lines = -1
		default:
			return 0, 0
		}
	}
	return end, start
}

// isTiming reports whether a line says from when to when a subtitle is shown: "00:00:03,500 --> 00:00:06,000".
func isTiming(s string) bool {
	from, to, ok := strings.Cut(s, " --> ")
	return ok && len(from) >= 9 && strings.Trim(from, "0123456789:,.") == "" && len(to) >= 9 && isDigit(to[0])
}
