package embedded_test

import (
	"context"
	"fmt"
	"log"

	"github.com/cprs-go/cprs/core/model/embedded"
	"github.com/cprs-go/cprs/core/model/latejoin"
	"github.com/cprs-go/cprs/core/unit"
	"github.com/cprs-go/cprs/core/window"
)

// The critic scores every token of a text; the mean over a sentence ranks it.
func Example() {
	model, tok, err := embedded.Load()
	if err != nil {
		log.Fatal(err)
	}
	layout, err := model.Layout(tok)
	if err != nil {
		log.Fatal(err)
	}
	header, err := layout.Header("", "How heavy is the pump?")
	if err != nil {
		log.Fatal(err)
	}
	text := "The pump weighs nine kilograms. The warranty runs for three years. Rinse the pump after use."
	windows, err := window.Cut(window.Document{Text: text, Unit: unit.Sentence}, header, layout, tok)
	if err != nil {
		log.Fatal(err)
	}
	critic := latejoin.New(model, nil)
	var best string
	var most float32
	for w := range windows {
		scores, err := critic.Score(context.Background(), []window.Window{w})
		if err != nil {
			log.Fatal(err)
		}
		for _, u := range w.Units {
			var keep float32
			for i := u.First; i < u.Last; i++ {
				keep += scores[0].Keep(i) / float32(u.Last-u.First)
			}
			if keep > most {
				most, best = keep, text[u.Range.Start:u.Range.End]
			}
		}
	}
	fmt.Println(best)
	// Output: The pump weighs nine kilograms.
}
