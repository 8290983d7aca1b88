package mcpserver

import (
	"bytes"
	"encoding/json"
	"fmt"
	"path"
	"slices"
	"strings"
	"text/template"

	"github.com/cprs-go/cprs/core"
)

// Action is what a Proxy does with a tool.
type Action string

// The actions. Empty means ActionCompress.
const (
	ActionCompress Action = "compress" // long text results are shortened
	ActionPass     Action = "pass"     // results pass as they are
	ActionHide     Action = "hide"     // the tool is not offered
)

// ReadResource stands for a tool's name where a rule is for the resources of the upstream server. Its argument is uri.
const ReadResource = "resources/read"

// The defaults of a Rule.
const (
	DefaultResultThreshold = 4000
	DefaultResultBudget    = 2000
)

// Rule says what happens to the results of some tools. The first rule that matches a tool counts.
type Rule struct {
	Tool        string `json:"tool"`                  // a glob over names, such as read_*
	Action      Action `json:"action,omitempty"`      // empty: compress
	Threshold   int    `json:"threshold,omitempty"`   // tokens, estimated, below which a text passes; 0: that of ProxyOptions
	Budget      int    `json:"budget,omitempty"`      // tokens of what is kept of a result; 0: that of ProxyOptions
	Instruction string `json:"instruction,omitempty"` // what to keep: a text/template over .Tool and .Args; empty: what answers the call
	Keep        bool   `json:"keep,omitempty"`        // offer the argument _keep, in which the model says what it needs

	instruction *template.Template
}

// ParseRules reads a JSON list of rules.
func ParseRules(data []byte) ([]Rule, error) {
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.DisallowUnknownFields()
	var rules []Rule
	if err := dec.Decode(&rules); err != nil {
		return nil, &core.Error{Code: core.CodeInvalidArgument, Message: "the rules cannot be read", Hint: `write a list such as [{"tool": "read_*", "budget": 1000}]`, Err: err}
	}
	return rules, nil
}

// prepare fills in the defaults of rules, and adds a last one that matches every tool.
func prepare(rules []Rule, o *ProxyOptions) ([]Rule, error) {
	rules = append(slices.Clone(rules), Rule{Tool: "*", Keep: o.Keep})
	for i := range rules {
		r := &rules[i]
		bad := func(hint, format string, args ...any) error {
			return &core.Error{Code: core.CodeInvalidArgument, Message: fmt.Sprintf("rule %d: ", i+1) + fmt.Sprintf(format, args...), Hint: hint}
		}
		if _, err := path.Match(r.Tool, ""); err != nil || r.Tool == "" {
			return nil, bad("write a glob over tool names, such as read_*", "%q is no pattern", r.Tool)
		}
		switch r.Action {
		case "":
			r.Action = ActionCompress
		case ActionCompress, ActionPass, ActionHide:
		default:
			return nil, bad("give compress, pass or hide", "there is no action %q", r.Action)
		}
		if r.Threshold == 0 {
			r.Threshold = o.Threshold
		}
		if r.Budget == 0 {
			r.Budget = o.Budget
		}
		if r.Threshold < 0 || r.Budget < minResultBudget {
			return nil, bad(fmt.Sprintf("give a budget of %d or more", minResultBudget), "its threshold is %d, its budget %d", r.Threshold, r.Budget)
		}
		if r.Instruction != "" {
			var err error
			if r.instruction, err = template.New("instruction").Option("missingkey=zero").Parse(r.Instruction); err != nil {
				return nil, bad("write a text/template over .Tool and .Args, such as: errors in {{.Args.path}}", "its instruction: %v", err)
			}
		}
	}
	return rules, nil
}

// minResultBudget is the least that a part of a result is shortened to.
const minResultBudget = 64

// ruleFor is the first rule that matches a tool.
func ruleFor(rules []Rule, tool string) *Rule {
	for i := range rules {
		if rules[i].Tool == "*" { // * of path.Match ends at a slash
			return &rules[i]
		}
		if ok, _ := path.Match(rules[i].Tool, tool); ok { // prepare has checked the pattern
			return &rules[i]
		}
	}
	return &rules[len(rules)-1]
}

// mostInstruction bounds an instruction made of arguments, which can be long.
const mostInstruction = 1000

// instructionFor says what to keep of the result of a call: what the model asked for, else the rule's template, else what the call
// itself tells.
func (r *Rule) instructionFor(tool, keep string, args json.RawMessage) string {
	out := strings.TrimSpace(keep)
	if out == "" && r.instruction != nil {
		var values map[string]any
		var b strings.Builder
		if len(args) > 0 && json.Unmarshal(args, &values) != nil {
			values = nil
		}
		if r.instruction.Execute(&b, map[string]any{"Tool": tool, "Args": values}) == nil {
			out = strings.TrimSpace(b.String())
		}
	}
	if out == "" {
		out = fmt.Sprintf("What answers this call of the tool %s: %s", strings.ReplaceAll(tool, "_", " "), args)
	}
	if len(out) > mostInstruction {
		out = strings.ToValidUTF8(out[:mostInstruction], "")
	}
	return out
}

// keepArgument is the name of the argument in which a model says what it needs of a result.
const keepArgument = "_keep"

const keepProperty = `{"type":"string","description":"What you need of the result, in plain words. A long result is shortened to that."}`

// unsafeForKeep are keywords of a schema under which another property may break it.
var unsafeForKeep = []string{
	"$ref", "$dynamicRef", "allOf", "anyOf", "oneOf", "not", "if", "dependentSchemas", "dependentRequired", "dependencies",
	"patternProperties", "propertyNames", "unevaluatedProperties", "minProperties", "maxProperties",
}

// withKeep adds the argument _keep to a schema; ok is false, and the schema as it was, where that could break it.
func withKeep(schema json.RawMessage) (_ json.RawMessage, ok bool) {
	var root, properties map[string]json.RawMessage
	if json.Unmarshal(schema, &root) != nil || string(root["type"]) != `"object"` {
		return schema, false
	}
	if slices.ContainsFunc(unsafeForKeep, func(k string) bool { return root[k] != nil }) {
		return schema, false
	}
	if p := root["properties"]; p != nil && json.Unmarshal(p, &properties) != nil || properties[keepArgument] != nil {
		return schema, false
	}
	if properties == nil {
		properties = map[string]json.RawMessage{}
	}
	properties[keepArgument] = json.RawMessage(keepProperty)
	var err error
	if root["properties"], err = json.Marshal(properties); err != nil {
		return schema, false
	}
	out, err := json.Marshal(root)
	return out, err == nil
}

// takeKeep takes _keep out of arguments. The others keep their bytes.
func takeKeep(args json.RawMessage) (rest json.RawMessage, keep string) {
	var fields map[string]json.RawMessage
	if json.Unmarshal(args, &fields) != nil || fields[keepArgument] == nil {
		return args, ""
	}
	_ = json.Unmarshal(fields[keepArgument], &keep) // a value of another type says nothing
	delete(fields, keepArgument)
	rest, err := json.Marshal(fields)
	if err != nil {
		return args, ""
	}
	return rest, keep
}
