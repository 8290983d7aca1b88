package label

import (
	"fmt"
	"strings"
	"unicode"
)

// DefaultMaxGap is how many O tokens Decode bridges inside one span.
const DefaultMaxGap = 18

// Options steer Decode. The zero Options are the defaults.
type Options struct {
	MaxGap int // most O tokens that are bridged inside one span; 0: DefaultMaxGap, negative: none
}

// TokenSpan is a kept run of tokens of one window, First to Last-1, with the mean of their Keep.
type TokenSpan struct {
	First, Last int
	Score       float32
}

// Tag is the most probable tag of token i; of several the one with the lowest id.
func (s Scores) Tag(i int) Tag {
	best := Begin
	for tag := Inside; tag <= End; tag++ {
		if s.Probs[i][tag] > s.Probs[i][best] {
			best = tag
		}
	}
	return best
}

// Decode returns the spans that s marks: each token gets its most probable tag, and the tags are read as Repair reads
// them. The spans are sorted, disjoint and never empty.
func Decode(s Scores, opts Options) []TokenSpan {
	tags := make([]Tag, len(s.Probs))
	for i := range tags {
		tags[i] = s.Tag(i)
	}
	gap := opts.MaxGap
	if gap == 0 {
		gap = DefaultMaxGap
	}
	bridge(tags, gap)
	var out []TokenSpan
	for first, last := nextSpan(tags, 0); first < last; first, last = nextSpan(tags, last) {
		sum := 0.0
		for i := first; i < last; i++ {
			sum += float64(s.Keep(i))
		}
		out = append(out, TokenSpan{first, last, float32(sum / float64(last-first))})
	}
	return out
}

// Repair rewrites tags in place so that every span reads B, or B I … I E, and all else is O.
//
// Neighbours that are not O belong to one span unless the left one is E or the right one is B. At most maxGap O tokens between
// them change nothing about that and become I. So an I or E that no B opened joins the span before it, if that is near enough
// and was not closed, and else opens one; a span that no E closed ends before the next O or B. The rule is the same read from
// either end, and each gap is judged by the two tags at its ends alone, which filling never changes: one pass settles
// it, and a second changes nothing.
func Repair(tags []Tag, maxGap int) {
	bridge(tags, maxGap)
	for first, last := nextSpan(tags, 0); first < last; first, last = nextSpan(tags, last) {
		tags[last-1] = End
		tags[first] = Begin
	}
}

// bridge turns O tokens into I where they part two tags of one span.
func bridge(tags []Tag, maxGap int) {
	last := -1 // the last token that is not O
	for i, tag := range tags {
		if tag == Outside {
			continue
		}
		if gap := i - last - 1; last >= 0 && gap <= maxGap && joined(tags[last], tag) {
			for j := last + 1; j < i; j++ {
				tags[j] = Inside
			}
		}
		last = i
	}
}

// joined reports whether two tags that are not O belong to one span if they are neighbours.
func joined(left, right Tag) bool { return left != End && right != Begin }

// nextSpan is the first span at or after token i, first == last if there is none.
func nextSpan(tags []Tag, i int) (first, last int) {
	for i < len(tags) && tags[i] == Outside {
		i++
	}
	if first, last = i, i; i == len(tags) {
		return first, last
	}
	for last++; last < len(tags) && tags[last] != Outside && joined(tags[last-1], tags[last]); last++ {
	}
	return first, last
}

// FormatTags is the text form of tags, for example "OBIEO".
func FormatTags(tags []Tag) string {
	var b strings.Builder
	for _, tag := range tags {
		b.WriteString(tag.String())
	}
	return b.String()
}

// ParseTags reads the text form of tags. White space is skipped; any other letter than B, I, O, E is an error.
func ParseTags(text string) ([]Tag, error) {
	var tags []Tag
	for i, r := range text {
		if unicode.IsSpace(r) {
			continue
		}
		tag := strings.IndexRune("BIOE", r)
		if tag < 0 {
			return nil, fmt.Errorf("reading tags: %q at byte %d is none of B, I, O, E", r, i)
		}
		tags = append(tags, Tag(tag))
	}
	return tags, nil
}
