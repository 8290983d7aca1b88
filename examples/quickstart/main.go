// Command quickstart compresses a contract to the clauses about termination, from Go.
//
//	go run ./examples/quickstart
package main

import (
	"context"
	"fmt"
	"log"
	"os"
	"path/filepath"

	"github.com/cprs-go/cprs/core"
	"github.com/cprs-go/cprs/core/engine"
)

func main() {
	file := filepath.Join("examples", "documents", "distributor-agreement.txt")
	if len(os.Args) > 1 {
		file = os.Args[1]
	}
	if err := run(file); err != nil {
		log.Fatal(err)
	}
}

func run(file string) error {
	text, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	ctx := context.Background()
	cprs, err := engine.Open(ctx, nil) // the embedded critic: no download, no GPU
	if err != nil {
		return err
	}
	defer cprs.Close()
	res, err := cprs.Compress(ctx, core.Request{
		Instruction: "What does the contract say about termination?",
		Budget:      core.Budget{MaxTokens: 600},
		Documents:   []core.Document{{ID: filepath.Base(file), Text: string(text)}},
	})
	if err != nil {
		return err
	}
	fmt.Println(res.Text)
	fmt.Printf("\n%v: %d of %d tokens in %d parts\n", res.Status, res.Stats.TokensOut, res.Stats.TokensIn, len(res.Spans))
	return nil
}
