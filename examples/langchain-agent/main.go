// Command langchain-agent lets a ReAct agent of langchaingo look into a long log: with a tool that gives pages of it, whose observations are
// shortened to what the task needs, and with the tools that cprs also serves over MCP.
//
//	go run ./examples/langchain-agent
//
// It needs no account: the model's part is played from a script.
package main

import (
	"context"
	"fmt"
	"io"
	"log"
	"os"
	"path/filepath"
	"strings"

	"github.com/tmc/langchaingo/agents"
	"github.com/tmc/langchaingo/chains"
	"github.com/tmc/langchaingo/llms"
	"github.com/tmc/langchaingo/llms/fake"
	lctools "github.com/tmc/langchaingo/tools"

	"github.com/cprs-go/cprs/core/engine"
	"github.com/cprs-go/cprs/core/source"
	"github.com/cprs-go/cprs/core/tokenizer"
	"github.com/cprs-go/cprs/langchain"
	"github.com/cprs-go/cprs/tools"
)

const task = "Why did the nightly job fail?"

// script is what a model would say.
var script = []string{
	"Thought: I look at the part of the log around the tests.\nAction: read_log\nAction Input: 560-610",
	"Thought: The disk was full. I look for what the log says about space.\nAction: compress_context\nAction Input: " +
		`{"instruction": "lines about disk space", "paths": ["nightly-job.log:560-600"], "max_tokens": 200}`,
	"Thought: I know enough.\nFinal Answer: The database could not write: no space was left on the device.",
}

func main() {
	if err := run(os.Stdout, filepath.Join("examples", "documents")); err != nil {
		log.Fatal(err)
	}
}

func run(w io.Writer, dir string) error {
	ctx := context.Background()
	cprs, err := engine.Open(ctx, nil) // the embedded critic: no download, no GPU
	if err != nil {
		return err
	}
	defer cprs.Close()
	files, err := source.New(&source.Options{Roots: []source.Root{{Dir: dir}}}) // the tools read nothing else
	if err != nil {
		return err
	}
	defer files.Close()
	set, err := tools.New(cprs, &tools.Options{Sources: files})
	if err != nil {
		return err
	}
	defer set.Close()

	plain := readLog{filepath.Join(dir, "nightly-job.log")}
	for _, way := range []struct {
		name string
		tool lctools.Tool
	}{
		{"observations as they are", plain},
		{"observations shortened", langchain.WrapTool(plain, cprs, langchain.WithBudget(300))},
	} {
		seen := &recorder{Model: fake.NewFakeLLM(script)}
		agent := agents.NewOneShotAgent(seen, append(langchain.AgentTools(set), way.tool))
		answer, err := chains.Run(langchain.ContextWithQuery(ctx, task), agents.NewExecutor(agent), task)
		if err != nil {
			return err
		}
		_, work, _ := strings.Cut(seen.prompt, "Question: ")
		fmt.Fprintf(w, "=== %s: the last prompt has %d tokens\n\n%s\n%s\n\n", way.name, tokenizer.Count(cprs.Tokenizer(), seen.prompt), work, answer)
	}
	return nil
}

// readLog is a tool that gives lines of a file.
type readLog struct{ file string }

func (readLog) Name() string { return "read_log" }
func (readLog) Description() string {
	return "Reads lines of the job's log. Input: FIRST-LAST, for example 1-100."
}

func (t readLog) Call(_ context.Context, input string) (string, error) {
	text, err := os.ReadFile(t.file)
	if err != nil {
		return "", err
	}
	lines := strings.Split(string(text), "\n")
	var first, last int
	if _, err := fmt.Sscanf(input, "%d-%d", &first, &last); err != nil || first < 1 || last < first {
		return "Give FIRST-LAST, for example 1-100.", nil // the model can mend that
	}
	return strings.Join(lines[min(first-1, len(lines)):min(last, len(lines))], "\n"), nil
}

// recorder remembers the last prompt.
type recorder struct {
	llms.Model
	prompt string
}

func (r *recorder) GenerateContent(ctx context.Context, messages []llms.MessageContent, options ...llms.CallOption) (*llms.ContentResponse, error) {
	r.prompt = fmt.Sprint(messages[0].Parts[0])
	return r.Model.GenerateContent(ctx, messages, options...)
}
