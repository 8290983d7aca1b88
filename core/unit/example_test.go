package unit_test

import (
	"fmt"

	"github.com/cprs-go/cprs/core/unit"
)

func ExampleSplit() {
	text := "# Fees\nMr. Smith pays 3.5 million. Nobody else does.\n"
	for r := range unit.Split(text, unit.Sentence) {
		r = unit.Trim(text, r)
		fmt.Printf("%d-%d %s\n", r.Start, r.End, text[r.Start:r.End])
	}
	// Output:
	// 0-6 # Fees
	// 7-34 Mr. Smith pays 3.5 million.
	// 35-52 Nobody else does.
}

func ExampleOutline() {
	text := "# Minutes\nAnn: Welcome. Let us start.\nBob: Yes.\nAnn: The budget is late.\nBob: I know.\n"
	o := unit.NewOutline(text)
	at := 24 // "Let us start."
	heading, speaker := o.Heading(at), o.Speaker(at)
	fmt.Println(text[heading.Start:heading.End], "|", text[speaker.Start:speaker.End])
	// Output: # Minutes | Ann:
}
