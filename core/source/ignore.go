package source

import (
	"strings"

	"github.com/bmatcuk/doublestar/v4"
)

// rule is a line of a .gitignore file.
type rule struct {
	base    string // folder of the file, "." at the top
	pattern string // for doublestar, relative to base
	keep    bool   // the line starts with !
	dirs    bool   // the line ends in /
}

// rules are those that count in a folder, the deciding ones last.
type rules []rule

// parseRules reads the .gitignore file text of the folder base. Lines that can match nothing are left out, as git does.
func parseRules(base, text string) (rs rules) {
	for line := range strings.Lines(strings.TrimPrefix(text, "\ufeff")) {
		if r, ok := parseRule(base, strings.TrimRight(line, "\r\n")); ok {
			rs = append(rs, r)
		}
	}
	return rs
}

// braces mean nothing in .gitignore.
var braces = strings.NewReplacer("{", `\{`, "}", `\}`)

func parseRule(base, line string) (r rule, ok bool) {
	for strings.HasSuffix(line, " ") && !strings.HasSuffix(line, `\ `) {
		line = line[:len(line)-1]
	}
	if strings.HasPrefix(line, "#") {
		return r, false
	}
	r.base = base
	line, r.keep = strings.CutPrefix(line, "!")
	line, r.dirs = strings.CutSuffix(line, "/")
	if !strings.Contains(line, "/") {
		line = "**/" + line
	}
	line = strings.TrimPrefix(line, "/")
	if strings.HasSuffix(line, "/**") {
		line += "/*" // all below, not the folder itself
	}
	r.pattern = braces.Replace(line)
	return r, line != "**/" && doublestar.ValidatePattern(r.pattern)
}

// ignored reports whether the last rule that matches name leaves it out. The folders above name are taken to be in.
func (rs rules) ignored(name string, dir bool) bool {
	for i := len(rs) - 1; i >= 0; i-- {
		if rs[i].matches(name, dir) {
			return !rs[i].keep
		}
	}
	return false
}

func (r rule) matches(name string, dir bool) bool {
	if r.dirs && !dir {
		return false
	}
	if r.base != "." {
		name = strings.TrimPrefix(name, r.base+"/")
	}
	return doublestar.MatchUnvalidated(r.pattern, name)
}
