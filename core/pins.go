package core

import (
	"fmt"
	"regexp"

	"github.com/cprs-go/cprs/core/span"
	"github.com/cprs-go/cprs/core/unit"
)

// pinPatterns are the built-in sets. Headings come from unit.Outline.
var pinPatterns = map[PinSet]*regexp.Regexp{
	PinErrors: regexp.MustCompile(`(?i)\b(?:error|errors|errno|fatal|panic(?:ked)?|exception|traceback|critical|segfault|segmentation fault|core dumped|` +
		`fail(?:ed|ure|ures|s)?|abort(?:ed)?|assertion|denied|unreachable|out of memory|oom|killed|timed? ?out)\b|\b\w+(?:Error|Exception)\b|\bexit(?:ed)?(?: with)?(?: (?:code|status))?[ :=]+[1-9]\d*\b`),
	PinNumbers: regexp.MustCompile(`\p{Nd}`),
}

// pinSet holds the pinned ranges of each document, sorted and disjoint.
type pinSet struct{ ranges [][]span.Range }

// compilePins finds all pins of a request.
func compilePins(req *Request) (*pinSet, error) {
	p := &pinSet{ranges: make([][]span.Range, len(req.Documents))}
	for i, pin := range req.Pins {
		if err := p.add(req, i, pin); err != nil {
			return nil, err
		}
	}
	for i := range p.ranges {
		p.ranges[i] = span.Merge(p.ranges[i])
	}
	return p, nil
}

func (p *pinSet) add(req *Request, n int, pin Pin) error {
	bad := func(message, hint string, err error) error {
		return &Error{CodeInvalidArgument, fmt.Sprintf("pin %d: %s", n+1, message), hint, err}
	}
	switch {
	case pin.Span != nil && pin.Pattern == "" && pin.Set == "":
		s := *pin.Span
		if s.Doc < 0 || s.Doc >= len(req.Documents) || s.Start < 0 || s.Start >= s.End || s.End > len(req.Documents[s.Doc].Text) {
			return bad(fmt.Sprintf("bytes %d to %d of document %d do not exist", s.Start, s.End, s.Doc), "give a range inside the text", nil)
		}
		p.ranges[s.Doc] = append(p.ranges[s.Doc], s.Range())
	case pin.Span == nil && pin.Pattern != "" && pin.Set == "":
		re, err := regexp.Compile(pin.Pattern)
		if err != nil {
			return bad(fmt.Sprintf("%q is no regular expression", pin.Pattern), "write it in the syntax of RE2; \\ escapes", err)
		}
		p.match(req, re)
	case pin.Span == nil && pin.Pattern == "" && pin.Set == PinHeadings:
		for i := range req.Documents {
			p.ranges[i] = append(p.ranges[i], unit.NewOutline(req.Documents[i].Text).Headings()...)
		}
	case pin.Span == nil && pin.Pattern == "" && pinPatterns[pin.Set] != nil:
		p.match(req, pinPatterns[pin.Set])
	case pin.Set != "":
		return bad(fmt.Sprintf("there is no set of pins %q", pin.Set), "give errors, numbers or headings", nil)
	default:
		return bad("it is not one of span, pattern and set", "give exactly one of them", nil)
	}
	return nil
}

func (p *pinSet) match(req *Request, re *regexp.Regexp) {
	for i := range req.Documents {
		for _, m := range re.FindAllStringIndex(req.Documents[i].Text, -1) {
			p.ranges[i] = append(p.ranges[i], span.Range{Start: m[0], End: m[1]})
		}
	}
}

// touches reports whether s shares a byte with a pin. Calls come in order of s.
func (p *pinSet) touches(s span.Span) bool {
	rs := p.ranges[s.Doc]
	for len(rs) > 0 && rs[0].End <= s.Start {
		rs = rs[1:]
	}
	p.ranges[s.Doc] = rs
	return len(rs) > 0 && rs[0].Overlaps(s.Range())
}
