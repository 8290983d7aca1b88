package source_test

import (
	"context"
	"fmt"
	"log"
	"strings"

	"github.com/cprs-go/cprs/core/source"
)

func ExampleFiles() {
	docs, skipped, err := source.Files(context.Background(), []string{"testdata/notes.md:3-4", "testdata/**/*.txt", "-"}, strings.NewReader("from a pipe"), nil)
	if err != nil {
		log.Fatal(err)
	}
	for _, d := range docs {
		fmt.Printf("%s: %q\n", d.ID, d.Text)
	}
	fmt.Println("left out:", len(skipped))
	// Output:
	// testdata/notes.md:3-4: "The fee is due in May.\nIt is 30 euros.\n"
	// testdata/more/a.txt: "More text.\n"
	// stdin: "from a pipe"
	// left out: 0
}
