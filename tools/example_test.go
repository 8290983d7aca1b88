package tools_test

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/cprs-go/cprs/core"
	"github.com/cprs-go/cprs/core/critic/critictest"
	"github.com/cprs-go/cprs/tools"
)

func Example() {
	// In a program this is an engine.Engine, and its Info().Threshold is the threshold.
	c := core.NewPipeline(core.PipelineOptions{Critic: critictest.Match(2), Layout: critictest.Layout(64), Tokenizer: critictest.Tokenizer{}})

	set, err := tools.New(c, &tools.Options{Threshold: 0.5})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer set.Close()

	args := `{"instruction": "opening hours", "documents": [{"id": "notice", "text": "The roof leaks.\nOpening hours: 9 to 5.\nDogs stay out.\nThe lift is out of order."}]}`
	for _, tool := range set.Tools() {
		if tool.Name == tools.CompressContext {
			res, err := tool.Call(context.Background(), json.RawMessage(args), nil)
			if err != nil {
				fmt.Println(err) // the context, or a fault of ours
				return
			}
			kept, _, _ := strings.Cut(res.Text, "\n\n[cprs]") // the note names a handle, which is random
			fmt.Println(kept)
		}
	}
	// Output:
	// [notice:2]
	// Opening hours: 9 to 5.
}
