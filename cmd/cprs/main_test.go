package main

import (
	"flag"
	"os"
	"path/filepath"
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
	testscript.Run(t, testscript.Params{
		Dir:           filepath.Join("testdata", "script"),
		UpdateScripts: *rewrite,
		Setup: func(env *testscript.Env) error {
			env.Setenv("EXAMPLES", examples)
			return nil
		},
		Cmds: map[string]func(ts *testscript.TestScript, neg bool, args []string){"lines": lines, "make": makeFile},
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
		"oneline": strings.Repeat("word ", 20_000),
		"empty":   "",
		"crlf":    "Cats sleep.\r\nDogs bark at night.\r\n",
	}
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), []byte(kinds[args[1]]), 0o644))
}
