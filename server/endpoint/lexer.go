package endpoint

import (
	"fmt"
	"slices"
	"strings"
)

// lexer takes a query apart; see lexQuery.
type lexer struct {
	sql      string
	pos      int
	start    int // of the current piece of text
	depth    int // of parentheses
	any      bool
	query    *query
	problems []string
}

func (x *lexer) refuse(format string, args ...any) {
	if message := fmt.Sprintf(format, args...); !slices.Contains(x.problems, message) {
		x.problems = append(x.problems, message)
	}
}

// peek returns the byte n places ahead, 0 at the end.
func (x *lexer) peek(n int) byte {
	if x.pos+n < len(x.sql) {
		return x.sql[x.pos+n]
	}
	return 0
}

// next consumes one token, comment or space.
func (x *lexer) next() {
	c := x.sql[x.pos]
	switch {
	case spaceByte(c):
		x.pos++
		return
	case c == '-' && x.peek(1) == '-':
		x.lineComment()
		return
	case c == '/' && x.peek(1) == '*':
		x.blockComment()
		return
	}
	x.any = true
	switch {
	case c == '\'':
		x.quoted('\'', false)
	case c == '"':
		x.quoted('"', false)
	case wordStart(c):
		x.word()
	case c >= '0' && c <= '9':
		for x.pos < len(x.sql) && x.sql[x.pos] >= '0' && x.sql[x.pos] <= '9' {
			x.pos++
		}
	case c == '$':
		x.dollar()
	case c == '{':
		x.placeholder()
	case c == '}':
		x.refuse("has a } without its {")
		x.pos++
	case c == ';':
		x.refuse("has a ; (one statement, without a semicolon)")
		x.pos++
	case c == '(':
		x.depth++
		x.pos++
	case c == ')':
		if x.depth--; x.depth < 0 {
			x.refuse("has a ) without its (")
			x.depth = 0
		}
		x.pos++
	default:
		x.pos++
	}
}

func (x *lexer) lineComment() {
	if end := strings.IndexAny(x.sql[x.pos:], "\r\n"); end >= 0 {
		x.pos += end
	} else {
		x.pos = len(x.sql)
	}
}

// blockComment consumes a comment; they nest.
func (x *lexer) blockComment() {
	depth := 0
	for x.pos < len(x.sql) {
		switch {
		case x.peek(0) == '/' && x.peek(1) == '*':
			depth++
			x.pos += 2
		case x.peek(0) == '*' && x.peek(1) == '/':
			depth--
			x.pos += 2
			if depth == 0 {
				return
			}
		default:
			x.pos++
		}
	}
	x.refuse("has a comment /* without its */")
}

// quoted consumes a literal or quoted identifier; a doubled quote stays inside,
// and with escapes (E'…') so does a backslashed one.
func (x *lexer) quoted(quote byte, escapes bool) {
	x.pos++
	for x.pos < len(x.sql) {
		switch c := x.sql[x.pos]; {
		case escapes && c == '\\':
			x.pos = min(x.pos+2, len(x.sql))
		case c == quote && x.peek(1) == quote:
			x.pos += 2
		case c == quote:
			x.pos++
			// A literal goes on in the next line, in the same kind.
			if !escapes || !x.continued() {
				return
			}
		default:
			x.pos++
		}
	}
	x.refuse("has a quote %c without its end", quote)
}

// continued moves behind the opening quote of a literal's next part, when
// only spaces and line comments with at least one line end stand before it.
func (x *lexer) continued() bool {
	back, line := x.pos, false
	for x.pos < len(x.sql) {
		switch c := x.sql[x.pos]; {
		case c == '\n' || c == '\r':
			line = true
			x.pos++
		case spaceByte(c):
			x.pos++
		case c == '-' && x.peek(1) == '-':
			x.lineComment()
		case line && c == '\'':
			x.pos++
			return true
		default:
			x.pos = back
			return false
		}
	}
	x.pos = back
	return false
}

// word consumes an identifier or keyword, and the literal behind it where it
// is the E of E'…'.
func (x *lexer) word() {
	begin := x.pos
	for x.pos < len(x.sql) && wordByte(x.sql[x.pos]) {
		x.pos++
	}
	if w := x.sql[begin:x.pos]; (w == "e" || w == "E") && x.peek(0) == '\'' {
		x.quoted('\'', true)
	}
}

// dollar consumes a dollar-quoted literal $tag$…$tag$, and refuses $1.
func (x *lexer) dollar() {
	end := x.pos + 1
	for end < len(x.sql) && x.sql[end] != '$' && wordByte(x.sql[end]) {
		end++
	}
	if c := x.peek(1); c >= '0' && c <= '9' {
		x.refuse("has a parameter %s; write {name}", shown(x.sql[x.pos:end]))
		x.pos = end
		return
	}
	if end == len(x.sql) || x.sql[end] != '$' {
		x.pos++ // A lone $ is the database's to refuse.
		return
	}
	tag := x.sql[x.pos : end+1]
	body := x.sql[end+1:]
	close := strings.Index(body, tag)
	if close < 0 {
		x.refuse("has a quote %s without its end", shown(tag))
		x.pos = len(x.sql)
		return
	}
	x.pos = end + 1 + close + len(tag)
}

func (x *lexer) placeholder() {
	length := strings.IndexByte(x.sql[x.pos:], '}')
	if length < 0 {
		x.refuse("has a { without its }")
		x.pos++
		return
	}
	name := x.sql[x.pos+1 : x.pos+length]
	if !validVariable(name) && name != UserParameter {
		x.refuse("has {%s}, which is no parameter name", shown(name))
		x.pos++
		return
	}
	i := slices.Index(x.query.params, name)
	if i < 0 {
		i = len(x.query.params)
		x.query.params = append(x.query.params, name)
	}
	x.query.text = append(x.query.text, x.sql[x.start:x.pos])
	x.query.places = append(x.query.places, i)
	x.pos += length + 1
	x.start = x.pos
}

func spaceByte(c byte) bool {
	return c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '\f' || c == '\v'
}

// wordStart reports whether an identifier may begin with c; every byte of a
// non-ASCII character counts as a letter.
func wordStart(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c == '_' || c >= 0x80
}

func wordByte(c byte) bool {
	return wordStart(c) || c >= '0' && c <= '9' || c == '$'
}
