// Package tools holds the tools that an agent calls: compress_context, expand_context and list_sources, once for every
// protocol.
//
//	arguments (JSON) → decode, leniently → source, store → core.Compressor → Result: text, and JSON of the output schema
//
// What a model reads lies beside the code: the description in NAME.md, under its title, the schemas in NAME.input.json and
// NAME.output.json. A failure that the caller can mend is a Result; a Go error is a cancelled context or a fault of ours.
// Package mcpserver and the agent tools of package langchain are adapters of a Set; tools/store keeps the originals.
package tools

import (
	"bytes"
	"context"
	"embed"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/cprs-go/cprs/core"
	"github.com/cprs-go/cprs/core/source"
	"github.com/cprs-go/cprs/tools/store"
)

// The names of the tools.
const (
	CompressContext = "compress_context"
	ExpandContext   = "expand_context"
	ListSources     = "list_sources"
)

// The defaults of Options.
const (
	DefaultBudget    = 8_000
	DefaultMaxBudget = 16_000
	DefaultMaxInput  = 64 << 20
)

// minTokens is the least budget that a caller may set.
const minTokens = 64

// Options say what the tools may read and how much they give. Nil and zero values mean the defaults.
type Options struct {
	Sources       *source.Resolver // what may be read by reference; nil: nothing, and there is no list_sources. The caller closes it
	Store         *store.Store     // of the originals; nil: one in memory. The caller closes it
	Threshold     float64          // least score of what is kept where the caller sets none; 0: the budget is filled with the best
	Budget        int              // tokens of an answer where the caller sets no bound; 0: DefaultBudget
	MaxBudget     int              // the most that a caller can set; 0: DefaultMaxBudget
	MaxInputBytes int64            // of all texts of one call; 0: DefaultMaxInput
}

// Set is the tools with what they work on. It is safe for concurrent use.
type Set struct {
	c        core.Compressor
	opt      Options
	ownStore bool
	tools    []Tool
}

// Tool is one tool. The schemas are compact JSON.
type Tool struct {
	Name, Title, Description  string
	InputSchema, OutputSchema json.RawMessage

	call handler
}

// Progress is told how many of the bytes of all texts have been read. Calls come one at a time.
type Progress = func(done, total int64)

type handler = func(ctx context.Context, args json.RawMessage, progress Progress) (*Result, error)

// Result is what a call gives back.
type Result struct {
	Text       string          // for the model
	Structured json.RawMessage // the same as JSON of the output schema; nil if IsError
	IsError    bool            // Text says in three parts what is wrong, what is allowed and what to do, behind the code in brackets
}

// New makes the tools on c.
func New(c core.Compressor, opts *Options) (*Set, error) {
	s := &Set{c: c}
	if opts != nil {
		s.opt = *opts
	}
	if err := s.defaults(); err != nil {
		return nil, err
	}
	calls := []struct {
		name string
		call handler
	}{{CompressContext, s.compressContext}, {ExpandContext, s.expandContext}, {ListSources, s.listSources}}
	for _, t := range calls {
		if t.name == ListSources && s.opt.Sources == nil {
			continue
		}
		tool, err := s.define(t.name)
		if err != nil {
			return nil, fmt.Errorf("defining tool %s: %w", t.name, err)
		}
		tool.call = t.call
		s.tools = append(s.tools, tool)
	}
	return s, nil
}

// defaults fills in the options and refuses those that contradict each other.
func (s *Set) defaults() error {
	o := &s.opt
	bad := func(message, hint string, args ...any) error {
		return &core.Error{Code: core.CodeInvalidArgument, Message: fmt.Sprintf(message, args...), Hint: hint}
	}
	if o.Budget == 0 {
		o.Budget = DefaultBudget
		if o.MaxBudget >= minTokens {
			o.Budget = min(o.Budget, o.MaxBudget)
		}
	}
	if o.MaxBudget == 0 {
		o.MaxBudget = max(DefaultMaxBudget, o.Budget)
	}
	if o.MaxInputBytes == 0 {
		o.MaxInputBytes = DefaultMaxInput
	}
	switch {
	case s.c == nil:
		return bad("there is no compressor", "give one, for example an engine.Engine")
	case o.Budget < minTokens || o.MaxBudget < o.Budget:
		return bad("the budget is %d tokens of at most %d", fmt.Sprintf("give %d or more, and no more than the ceiling", minTokens), o.Budget, o.MaxBudget)
	case !(o.Threshold >= 0 && o.Threshold <= 1):
		return bad("the threshold is %v", "give a score in [0,1]", o.Threshold)
	case o.MaxInputBytes < 0:
		return bad("the input is bounded by %d bytes", "give a positive number", o.MaxInputBytes)
	}
	if o.Store == nil {
		o.Store, s.ownStore = store.New(nil), true
	}
	return nil
}

//go:embed *.md *.json
var texts embed.FS

// define reads what the model is told of a tool.
func (s *Set) define(name string) (Tool, error) {
	values := strings.NewReplacer("{default_tokens}", strconv.Itoa(s.opt.Budget), "{max_tokens}", strconv.Itoa(s.opt.MaxBudget), "{ttl}", inWords(s.opt.Store.TTL()))
	read := func(file string) (string, error) {
		data, err := texts.ReadFile(file)
		return values.Replace(string(data)), err
	}
	schema := func(file string) (json.RawMessage, error) {
		text, err := read(file)
		if err != nil {
			return nil, err
		}
		var b bytes.Buffer
		err = json.Compact(&b, []byte(text))
		return b.Bytes(), err
	}
	prose, err := read(name + ".md")
	title, description, ok := strings.Cut(strings.TrimPrefix(prose, "# "), "\n\n")
	if !ok && err == nil {
		err = errors.New("its description has no title")
	}
	in, inErr := schema(name + ".input.json")
	out, outErr := schema(name + ".output.json")
	return Tool{Name: name, Title: title, Description: strings.TrimSpace(description), InputSchema: in, OutputSchema: out}, errors.Join(err, inErr, outErr)
}

// inWords is a duration as people say it.
func inWords(d time.Duration) string {
	for _, u := range []struct {
		name string
		d    time.Duration
	}{{"day", 24 * time.Hour}, {"hour", time.Hour}, {"minute", time.Minute}, {"second", time.Second}} {
		switch n := d / u.d; {
		case d%u.d != 0 || n == 0:
		case n == 1:
			return "1 " + u.name
		default:
			return fmt.Sprintf("%d %ss", n, u.name)
		}
	}
	return d.String()
}

// Tools lists the tools, always in the same order.
func (s *Set) Tools() []Tool { return slices.Clone(s.tools) }

// Close releases the store if the Set made it.
func (s *Set) Close() error {
	if s.ownStore {
		return s.opt.Store.Close()
	}
	return nil
}

// Call runs the tool with the arguments of a model; progress may be nil. It is safe for concurrent use.
func (t Tool) Call(ctx context.Context, args json.RawMessage, progress Progress) (*Result, error) {
	res, err := t.call(ctx, args, progress)
	if err == nil {
		return res, nil
	}
	var known *core.Error
	switch {
	case errors.Is(ctx.Err(), context.Canceled):
		return nil, ctx.Err()
	case errors.As(err, &known):
		return &Result{Text: refusal(t.Name, known), IsError: true}, nil
	}
	return nil, fmt.Errorf("tool %s: %w", t.Name, err)
}

type principalKey struct{}

// WithPrincipal says for whom the calls below ctx are made: handles open only to those who got them. Without it all
// calls are made for the same.
func WithPrincipal(ctx context.Context, principal string) context.Context {
	return context.WithValue(ctx, principalKey{}, principal)
}

type sourcesKey struct{}

// WithSources says what the calls below ctx read from, in place of Options.Sources.
func WithSources(ctx context.Context, r *source.Resolver) context.Context {
	return context.WithValue(ctx, sourcesKey{}, r)
}

// sources is what a call reads from; nil if nothing may be read.
func (s *Set) sources(ctx context.Context) *source.Resolver {
	if r, ok := ctx.Value(sourcesKey{}).(*source.Resolver); ok {
		return r
	}
	return s.opt.Sources
}

func principal(ctx context.Context) string {
	p, _ := ctx.Value(principalKey{}).(string)
	return p
}
