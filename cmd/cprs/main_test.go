package main

import (
	"bufio"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

var rewrite = flag.Bool("rewrite", false, "accept what the commands print")

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"cprs": main})
}

// TestScripts runs the real command line; each script is a txtar file that names what it shows.
func TestScripts(t *testing.T) {
	examples, err := filepath.Abs(filepath.Join("..", "..", "examples", "documents"))
	if err != nil {
		t.Fatal(err)
	}
	tiny, err := filepath.Abs(filepath.Join("..", "..", "core", "train", "testdata", "tiny")) // a critic of a few thousand weights
	if err != nil {
		t.Fatal(err)
	}
	testscript.Run(t, testscript.Params{
		Dir:           filepath.Join("testdata", "script"),
		UpdateScripts: *rewrite,
		Setup: func(env *testscript.Env) error {
			env.Setenv("EXAMPLES", examples)
			env.Setenv("TINY", tiny)
			env.Setenv("CRITIC", filepath.Join(filepath.Dir(filepath.Dir(examples)), "core", "model", "embedded"))
			return nil
		},
		Cmds: map[string]func(ts *testscript.TestScript, neg bool, args []string){"lines": lines, "make": makeFile, "status": status},
	})
}

// lines checks the number of lines of a file: lines FILE N.
func lines(ts *testscript.TestScript, neg bool, args []string) {
	n := strings.Count(ts.ReadFile(args[0]), "\n")
	if got := strings.Repeat("I", n); got != args[1] {
		ts.Fatalf("%s has %d lines", args[0], n)
	}
}

// makeFile writes a file with bytes that a script cannot hold: make FILE KIND.
func makeFile(ts *testscript.TestScript, neg bool, args []string) {
	kinds := map[string]string{
		"binary":  "\x7fELF\x00\x00\x01",
		"nul":     "Cats sleep.\x00\nDogs bark at night.\n",
		"invalid": "Cats sleep. Gr\xfc\xdfe.\nDogs bark at night.\n",
		"oneline": strings.Repeat("word ", 1000),
		"empty":   "",
		"crlf":    "Cats sleep.\r\nDogs bark at night.\r\n",
	}
	name := ts.MkAbs(args[0])
	if args[1] == "many" { // a folder of tiny files
		ts.Check(os.Mkdir(name, 0o755))
		for i := range 200 {
			ts.Check(os.WriteFile(filepath.Join(name, fmt.Sprint(i, ".txt")), fmt.Appendf(nil, "Animal %d barks.", i), 0o644))
		}
		return
	}
	ts.Check(os.WriteFile(name, []byte(kinds[args[1]]), 0o644))
}

// status checks the exit status of a program: status N PROGRAM ARGS….
func status(ts *testscript.TestScript, neg bool, args []string) {
	got := 0
	var exit *exec.ExitError
	if err := ts.Exec(args[1], args[2:]...); errors.As(err, &exit) {
		got = exit.ExitCode()
	} else {
		ts.Check(err)
	}
	if args[0] != fmt.Sprint(got) {
		ts.Fatalf("%s ended with status %d", args[1], got)
	}
}

// Ctrl-C ends a command also while it waits for input.
func TestInterrupt(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("no process can be interrupted there")
	}
	cmd := exec.Command("cprs", "batch") // testscript.Main has put it in the path
	stdin, err1 := cmd.StdinPipe()
	stdout, err2 := cmd.StdoutPipe()
	var stderr strings.Builder
	cmd.Stderr = &stderr
	if err := errors.Join(err1, err2, cmd.Start()); err != nil {
		t.Fatal(err)
	}
	fmt.Fprintln(stdin, "{}")
	if answer, err := bufio.NewReader(stdout).ReadString('\n'); !strings.HasPrefix(answer, `{"error":`) {
		t.Fatalf("%q, %v", answer, err)
	}
	cmd.Process.Signal(os.Interrupt)
	cmd.Wait()
	if code := cmd.ProcessState.ExitCode(); code != exitInterrupted || !strings.Contains(stderr.String(), "error: interrupted\n") {
		t.Errorf("status %d, %q", code, stderr.String())
	}
}
