package unit

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// kind is what a line looks like.
type kind uint8

const (
	blank    kind = iota
	prose         // running text
	heading       // "# Heading"
	rule          // nothing but one mark, repeated: the underline of a heading or a break
	bullet        // "- item"
	numbered      // "1. item", "(a) item", "4.2 section"
	label         // "Name: what was said", "[12:01] <bob> hi", "key: value"
	quote         // "> quoted"
	row           // of a table, cells parted by |, tabs, commas or blanks
	record        // of a log
	code
	fence // of a code fence: its first line, its last and all between
)

// whole reports whether a line of kind k is one sentence, whatever it holds.
func (k kind) whole() bool {
	switch k {
	case heading, rule, row, record, code, fence:
		return true
	}
	return false
}

// kindBytes is how much of a line is read to tell its kind.
const kindBytes = 256

// kindOf is the kind of a line without white space at its ends, outside code fences.
func kindOf(s string) kind {
	last := s[len(s)-1]
	s = s[:min(len(s), kindBytes)]
	switch c := s[0]; {
	case isRule(s):
		return rule
	case c == '#' && atxLevel(s) > 0:
		return heading
	case c == '>':
		return quote
	case isRecord(s):
		if nameLen(afterStamp(s)) > 0 {
			return label
		}
		return record
	case isBullet(s):
		return bullet
	case numberLen(s) > 0:
		return numbered
	}
	switch m := marksOf(s); {
	case s[0] == '|' || m.bars > 0 || m.tabs > 0 || m.isList():
		return row
	case isCode(s, last, m):
		return code
	case nameLen(s) > 0:
		return label
	}
	return prose
}

// isRule reports whether s is one mark, three times or more.
func isRule(s string) bool {
	return len(s) >= 3 && strings.IndexByte("=-~*_+#^", s[0]) >= 0 && strings.Trim(s, s[:1]) == ""
}

// atxLevel is the number of # that start a Markdown heading; 0 if s is none.
func atxLevel(s string) int {
	n := len(s) - len(strings.TrimLeft(s, "#"))
	if n > 6 || n < len(s) && s[n] != ' ' && s[n] != '\t' {
		return 0
	}
	return n
}

func isBullet(s string) bool {
	switch r, w := utf8.DecodeRuneInString(s); r {
	case '•', '◦', '‣', '●', '▪', '■', '□', '·', '∙':
		return true
	case '-', '*', '+', '–', '—':
		return len(s) > w && s[w] == ' '
	}
	return false
}

// numberLen is the length of the number that starts a list item or section: "1.", "12)", "4.2", "(a)", "b)", "一、",
// "第三条"; 0 without one.
func numberLen(s string) int {
	i := 0
	for i < len(s) && (isDigit(s[i]) || s[i] == '.' && i > 0 && isDigit(s[i-1])) {
		i++
	}
	switch {
	case i > 0:
		n := strings.TrimSuffix(s[:i], ".")
		if n == s[:i] && i < len(s) && s[i] == ')' {
			i++
		} else if n == s[:i] && !strings.Contains(n, ".") {
			return 0
		}
		if len(n)-strings.LastIndexByte(n, '.') > 4 || i < len(s) && s[i] != ' ' && s[i] != '\t' {
			return 0
		}
		return i
	case s[0] == '(' && len(s) > 2:
		if n := strings.IndexByte(s[:min(len(s), 7)], ')'); n > 1 && isAlnum(s[1:n]) {
			return n + 1
		}
	case len(s) > 2 && isAlpha(s[0]) && s[1] == ')' && s[2] == ' ':
		return 2
	case s[0] >= utf8.RuneSelf:
		return hanNumberLen(s)
	}
	return 0
}

func isAlnum(s string) bool {
	for i := range len(s) {
		if !isAlpha(s[i]) && !isDigit(s[i]) {
			return false
		}
	}
	return true
}

// hanNumberLen is numberLen for Chinese and Japanese numbers.
func hanNumberLen(s string) int {
	const digits = "一二三四五六七八九十百零〇0123456789０１２３４５６７８９"
	rest, first := strings.CutPrefix(s, "第")
	n := len(rest) - len(strings.TrimLeft(rest, digits))
	if n == 0 || n > 18 {
		return 0
	}
	r, w := utf8.DecodeRuneInString(rest[n:])
	if first && strings.ContainsRune("条條章节節款编編", r) || !first && strings.ContainsRune("、．", r) {
		return len(s) - len(rest) + n + w
	}
	return 0
}

// stamps are the shapes that a line of a log starts with: 0 is a digit, A a capital, a a small letter.
var stamps = [...]string{
	"0000-00-00", "0000/00/00", "0000.00.00", "00/00/0000", "00.00.0000", "00/Aaa/0000", "00:00:00", "00:00", "0:00", "000000 000000",
	"00-00 00:00", "0000000000", "00/00/00", "Aaa 00 00:00", "Aaa  0 00:00", "A0000 00:00:",
}

// levels are the words that a line of a log without a time starts with.
var levels = [...]string{"TRACE", "DEBUG", "INFO", "NOTICE", "WARN", "WARNING", "ERROR", "FATAL", "CRITICAL", "PANIC"}

// isRecord reports whether s starts like a line of a log or chat: with a date, a time, a level.
func isRecord(s string) bool {
	s = strings.TrimLeft(s, "[<(")
	if s == "" || !isDigit(s[0]) && !isUpper(s[0]) {
		return false
	}
	for _, shape := range stamps {
		if isDigit(s[0]) == (shape[0] == '0') && hasShape(s, shape) {
			return true
		}
	}
	if !isUpper(s[0]) || len(s) < 4 || !isUpper(s[1]) {
		return isAddress(s)
	}
	for _, level := range levels {
		if rest, ok := strings.CutPrefix(s, level); ok && (rest == "" || strings.IndexByte(" :]\t|", rest[0]) >= 0) {
			return true
		}
	}
	return false
}

// hasShape reports whether s starts like shape and goes on with something else.
func hasShape(s, shape string) bool {
	if len(s) < len(shape) {
		return false
	}
	for i := range len(shape) {
		switch c := s[i]; shape[i] {
		case '0':
			if !isDigit(c) {
				return false
			}
		case 'A':
			if !isUpper(c) {
				return false
			}
		case 'a':
			if !isLower(c) {
				return false
			}
		default:
			if c != shape[i] {
				return false
			}
		}
	}
	return len(s) == len(shape) || !isDigit(s[len(shape)]) || shape[len(shape)-1] != '0'
}

// isAddress reports whether s starts with an IPv4 address and a space, as access logs do.
func isAddress(s string) bool {
	n := len(s) - len(strings.TrimLeft(s, "0123456789."))
	return n >= 7 && n < len(s) && s[n] == ' ' && strings.Count(s[:n], ".") == 3
}

// afterStamp is s without the time at its start.
func afterStamp(s string) string {
	if s[0] == '[' || s[0] == '(' {
		if n := strings.IndexAny(s, "])"); n > 0 {
			return strings.TrimLeft(s[n+1:], " ")
		}
		return ""
	}
	return strings.TrimLeft(strings.TrimLeft(s, "0123456789:"), " -")
}

// nameLen is the length of the label that s starts with, its mark included: "Grad B:", "<bob>", "key:", "张三：";
// 0 without one.
func nameLen(s string) int {
	if s == "" {
		return 0
	}
	if s[0] == '<' {
		n := strings.IndexByte(s, '>')
		if n > 1 && n < len(s)-1 && s[n+1] == ' ' && !strings.ContainsAny(s[1:n], " /=\"") && !strings.Contains(s, "</") {
			return n + 1
		}
		return 0
	}
	const longest = 48
	head := s[:min(len(s), longest)]
	n, w := strings.IndexByte(head, ':'), 1
	if n < 0 {
		n, w = strings.Index(head, "："), len("：")
	} else if n+1 < len(s) && s[n+1] != ' ' && s[n+1] != '\t' {
		return 0
	}
	if n <= 0 || !isName(s[:n]) {
		return 0
	}
	return n + w
}

// isName reports whether s names a speaker or field: one word, or up to five that start with capitals or digits.
func isName(s string) bool {
	words := 0
	capital := true
	for word := range strings.FieldsSeq(s) {
		words++
		for i, r := range word {
			switch {
			case i == 0 && !unicode.IsLetter(r) && !unicode.IsDigit(r) && r != '(' && r != '&' && r != '_' && r != '*':
				return false
			case i == 0 && (unicode.IsLower(r) || r == '_'):
				capital = false
			case !unicode.IsLetter(r) && !unicode.IsDigit(r) && !unicode.IsMark(r) && !strings.ContainsRune("-_.'’()&/*", r):
				return false
			}
		}
	}
	return words == 1 || words > 1 && words <= 5 && capital
}

// marks counts what tells tables and code from prose.
type marks struct {
	bars    int // | beside a space
	tabs    int
	spaces  int
	commas  int // before a space
	parts   int // commas that part fields: no space follows, and they are not inside a number
	symbols int
	solid   int // bytes that are no space
}

// isMark tells the bytes that marksOf counts.
var isMark = func() (set [256]bool) {
	for _, c := range "\t ,|({}<>=;_$&+\\@^" {
		set[c] = true
	}
	return set
}()

func marksOf(s string) (m marks) {
	for i := range len(s) {
		if !isMark[s[i]] {
			continue
		}
		before, after := byte(' '), byte(' ')
		if i > 0 {
			before = s[i-1]
		}
		if i+1 < len(s) {
			after = s[i+1]
		}
		switch s[i] {
		case ' ':
			m.spaces++
		case '\t':
			m.tabs++
		case ',':
			if after == ' ' {
				m.commas++
			} else if !isDigit(before) || !isDigit(after) {
				m.parts++
			}
		case '|':
			if before == ' ' || after == ' ' {
				m.bars++
			}
			m.symbols++
		case '(':
			if before == '_' || isAlpha(before) || isDigit(before) {
				m.symbols++
			}
		case '=':
			m.symbols++
			if before != ' ' && !isAlpha(before) && !isDigit(before) {
				m.symbols++ // the second character of an operator such as :=
			}
		default:
			m.symbols++
		}
	}
	m.solid = len(s) - m.spaces - m.tabs
	return m
}

// isList reports whether a line holds fields parted by commas.
func (m marks) isList() bool { return m.parts >= 3 && m.parts > m.commas && m.parts >= m.spaces/4 }

// codeStarts begin lines of code, markup and shell sessions, by their first byte.
var codeStarts = func() (by [256][]string) {
	for _, s := range [...]string{
		"//", "/*", "*/", "#include", "#define", "#!", "<?", "</", "<!--", "@Override", "$ ", ">>> ", "{", "}", "at com.", "at org.", "at java.",
		"import ", "package ", "return ", "func ", "def ", "fn ", "let ", "const ", "var ",
	} {
		by[s[0]] = append(by[s[0]], s)
	}
	return by
}()

// isCode reports whether a line reads like program text: it ends like a statement or every tenth byte is a symbol.
func isCode(s string, last byte, m marks) bool {
	dense := 10
	switch {
	case len(s) == kindBytes: // long lines are prose rather than code
		dense = 6
	case last == '{', last == '}':
		return true
	case last == ';':
		dense = 20
	}
	if m.symbols >= 2 && m.symbols*dense >= m.solid {
		return true
	}
	for _, start := range codeStarts[s[0]] {
		if strings.HasPrefix(s, start) {
			return !isAlpha(start[0]) || m.symbols > 0 && len(s) < 120
		}
	}
	return false
}
