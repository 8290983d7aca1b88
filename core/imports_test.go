package core_test

import (
	"encoding/json"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/cprs-go/cprs/"

// rule says what the packages under a folder may import of this module, and which foreign modules they may never
// import. The longest matching folder counts.
type rule struct {
	folder  string
	may     []string // folders of this module, without their sub-folders unless "/..." follows
	foreign []string // prefixes of modules that are allowed beyond the standard library; "*": any
	reason  string
}

var rules = []rule{
	{"core/span", nil, nil, "everything stands on it"},
	{"core/unit", []string{"core/span"}, []string{"github.com/clipperhouse/uax29/"}, "units are found in any text, with no model at hand"},
	{"core/label", []string{"core/span"}, nil, "decoding tags is arithmetic"},
	{"core/tokenizer", []string{"core/span"}, nil, "a contract draws nothing in"},
	{"core/tokenizer/...", []string{"core/span", "core/tokenizer"}, []string{"golang.org/x/text/", "github.com/daulet/"}, "a tokenizer knows text only"},
	{"core/prompt", []string{"core/tokenizer", "core/span"}, nil, "a header is ids"},
	{"core/window", []string{"core/prompt", "core/tokenizer", "core/span", "core/unit"}, nil, "windows are cut before any model is known"},
	{"core/critic", []string{"core/window", "core/label"}, nil, "a user can bring another critic"},
	{"core/critic/critictest", []string{"core/label", "core/prompt", "core/span", "core/tokenizer", "core/window"}, nil, "the tests of every layer above use it"},
	{"core/fusion", []string{"core/unit"}, []string{"github.com/clipperhouse/uax29/", "github.com/kljensen/snowball/", "golang.org/x/text/"}, "it knows words and scores, no model"},
	{"core/spelling", nil, nil, "it knows words only"},
	{"core/spelling/gen", []string{"core/eval", "core/model/embedded"}, nil, "a development tool reads the training data"},
	{"core/selector", []string{"core/span"}, nil, "the choice is made on numbers"},
	{"core", []string{"core/critic", "core/fusion", "core/label", "core/prompt", "core/selector", "core/span", "core/spelling", "core/tokenizer", "core/unit", "core/window"}, nil,
		"adapters import core: it must stay small, and GoMLX renames packages between minor versions"},
	{"core/compat", []string{"core/label", "core/span", "core/tokenizer", "core/tokenizer/bpe"}, nil, "the released code's way, apart from ours"},
	{"core/kernel", nil, []string{"golang.org/x/sys/"}, "kernels know slices of numbers only"},
	{"core/backend/...", []string{"core/backend"}, []string{"github.com/gomlx/"}, "a backend knows no model"},
	{"core/model/checkpoint", nil, []string{"golang.org/x/sys/"}, "a file format knows no model"},
	{"core/model/...", []string{"core/backend", "core/critic", "core/fusion", "core/kernel", "core/label", "core/model/...", "core/prompt", "core/span", "core/tokenizer/...", "core/unit", "core/window"},
		[]string{"github.com/gomlx/", "golang.org/x/"}, "a model knows the stages up to the critic, not the pipeline above it"},
	{"core/source", []string{"core", "core/span"}, []string{"github.com/bmatcuk/doublestar/", "github.com/go-git/", "github.com/sabhiram/", "golang.org/x/"}, "what may be read is decided without a model"},
	{"core/wire", []string{"core", "core/span", "core/unit"}, nil, "the JSON of requests and results, the same for every transport"},
	{"core/engine/...", []string{"core", "core/..."}, []string{"*"}, "the one place that joins a checkpoint, a backend and the pipeline"},
	{"core/train/...", []string{"core", "core/..."}, []string{"*"}, "training stands beside the engine"},
	{"core/eval/...", []string{"core", "core/..."}, []string{"*"}, "evaluation stands above the engine"},
	{"tools/...", []string{"core", "core/source", "core/wire", "core/span", "core/unit", "tools/..."}, []string{"*"}, "adapters know core and tools"},
	{"tools/httpapi/official", []string{"core", "core/compat", "core/label", "core/wire", "tools/httpapi"}, nil, "the other API speaks of requests and spans as the released code does"},
	{"tools/httpapi/rest", []string{"core", "core/compat", "core/wire", "tools", "tools/httpapi", "tools/httpapi/official"}, nil, "metrics and traces come from outside"},
	{"mcpserver/...", []string{"core", "core/source", "core/wire", "tools/...", "mcpserver/..."}, []string{"*"}, "adapters never import each other"},
	{"mcpserver/internal/testserver", []string{"core", "core/critic/critictest", "core/source", "mcpserver", "tools"}, []string{"*"}, "a server for tests, with a critic for tests"},
	{"langchain/...", []string{"core", "core/span", "core/tokenizer", "core/unit", "tools/...", "langchain/..."}, []string{"*"}, "adapters never import each other"},
	{"cmd/...", []string{"core", "core/...", "tools/...", "mcpserver/...", "cmd/..."}, []string{"*"}, "commands wire"},
	{"examples/...", []string{"core", "core/...", "tools/...", "mcpserver/...", "langchain/..."}, []string{"*"}, "a user may import anything public"},
}

// under reports whether package p is pattern, or lies below it where pattern ends in "/...".
func under(p, pattern string) bool {
	if root, ok := strings.CutSuffix(pattern, "/..."); ok {
		return p == root || strings.HasPrefix(p, root+"/")
	}
	return p == pattern
}

func ruleFor(p string) *rule {
	for i := range rules { // exact folders first
		if rules[i].folder == p {
			return &rules[i]
		}
	}
	best := -1
	for i := range rules {
		if under(p, rules[i].folder) && (best < 0 || len(rules[i].folder) > len(rules[best].folder)) {
			best = i
		}
	}
	if best < 0 {
		return nil
	}
	return &rules[best]
}

// TestImports holds the import graph to the picture in the package comment.
func TestImports(t *testing.T) {
	out, err := exec.Command("go", "list", "-json=ImportPath,Imports", module+"...").Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	dec := json.NewDecoder(strings.NewReader(string(out)))
	seen := 0
	for dec.More() {
		var p struct {
			ImportPath string
			Imports    []string
		}
		if err := dec.Decode(&p); err != nil {
			t.Fatal(err)
		}
		seen++
		name := strings.TrimPrefix(p.ImportPath, module)
		r := ruleFor(name)
		if r == nil {
			t.Errorf("%s has no rule: give it one in imports_test.go and a place in the picture of package core", name)
			continue
		}
		for _, imp := range p.Imports {
			checkImport(t, name, imp, r)
		}
	}
	if seen < 10 {
		t.Fatalf("only %d packages were listed", seen)
	}
}

func checkImport(t *testing.T, name, imp string, r *rule) {
	t.Helper()
	if inside, ok := strings.CutPrefix(imp, module); ok {
		if !slices.ContainsFunc(r.may, func(p string) bool { return under(inside, p) }) {
			t.Errorf("%s imports %s: not allowed, because %s", name, inside, r.reason)
		}
		return
	}
	if strings.HasPrefix(imp, "github.com/tmc/langchaingo/") && !under(name, "langchain/...") && !under(name, "examples/...") {
		t.Errorf("%s imports %s: not allowed, because a program without langchaingo must not compile it", name, imp)
	}
	host, _, _ := strings.Cut(imp, "/")
	if !strings.Contains(host, ".") || slices.Contains(r.foreign, "*") {
		return
	}
	if !slices.ContainsFunc(r.foreign, func(p string) bool { return strings.HasPrefix(imp, p) }) {
		t.Errorf("%s imports %s: not allowed, because %s", name, imp, r.reason)
	}
}
