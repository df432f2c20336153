package sqltext

import (
	"fmt"
	"regexp"
	"strings"
)

// unfinished matches the text of an E'…' that ends in an escape which the next
// character is a part of, or can become one: \ \1 \x4 \u00e.
var unfinished = regexp.MustCompile(
	`(?:^|[^\\])(?:\\\\)*\\(?:[0-7]{0,2}|x[[:xdigit:]]?|u[[:xdigit:]]{0,3}|U[[:xdigit:]]{0,7})$`)

// inQuotes returns what is wrong with a placeholder in '…', E'…' or "…".
func (p *parser) inQuotes(name string, start int) string {
	t := p.tokens[p.token]
	switch {
	case t.Open:
		return "is in a quote without its end"
	case t.Kind == Identifier && name != JobID:
		return `is in a "…" name, where only ` + JobID + ` may stand`
	case t.Kind == Identifier:
		return ""
	case p.isCode():
		return code(name)
	case t.Kind == EscapeString && unfinished.MatchString(p.sql[t.Start:start]):
		return "follows a backslash that would change it; double the backslash, or write the escape with all its digits"
	}
	return ""
}

// asLiteral returns what is wrong with a bare placeholder, and sets what keeps
// its literal apart from its neighbours.
//
// Where it is joined to a name, a number or a quote it is refused: whoever
// wrote t_<%= job_id %> wants one name, which needs quotes, and for the others
// a space would yield text that no statement can have. Beside another literal it
// is refused whatever is between them, since across a line end the two would
// become one. From an operator it is kept apart by a space, so that U& remains
// a column and an operator.
func (p *parser) asLiteral(found *place, start, end int) string {
	before, after := p.neighbours(start, end)
	switch {
	case p.isCode():
		return code(found.name)
	case before.literal() || after.literal() || p.bare > 0 && before.End == p.bare:
		return "stands beside another literal; write || between them"
	case joined(p.sql[:start], p.sql[end:]):
		return "is joined to its neighbour; put a space between them, or quotes around both"
	}
	if start > 0 && !strings.ContainsRune(" \t\r\n(,", rune(p.sql[start-1])) {
		found.before = " "
	}
	if end < len(p.sql) && !strings.ContainsRune(" \t\r\n),;", rune(p.sql[end])) {
		found.after = " "
	}
	return ""
}

// joined reports whether a name, a number or a quote ends before or begins after.
func joined(before, after string) bool {
	part := func(c byte) bool { return wordByte(c) || c == '\'' || c == '"' }
	return before != "" && part(before[len(before)-1]) || after != "" && part(after[0])
}

// elsewhere returns what is wrong with a placeholder in a token of another kind.
func elsewhere(name string, kind Kind) string {
	switch kind {
	case Comment:
		return "is in a comment, where nothing is replaced; take it out"
	case DollarString:
		return fmt.Sprintf("is in a dollar-quoted text; write %s in the code of a DO, or '…' for a plain text", setting(name))
	case BitString:
		return "is in a B'…' or X'…' literal; write '…' instead"
	case UnicodeString:
		return "is in a U&'…' literal; write '…' or E'…' instead"
	case UnicodeIdentifier:
		return `is in a U&"…" name; write "…" instead`
	}
	return "follows a number that is joined to a quote; put a space between them"
}

// isCode reports whether the literal looked at is the body of a DO or of a
// function (… AS 'body'), or the command of a COPY … PROGRAM: a value in it would
// be a piece of program, however well it is quoted.
func (p *parser) isCode() bool {
	i := p.token
	for p.tokens[i].Continues {
		i = p.before(i)
	}
	var words [3]string // the last one first
	for n := range words {
		if i = p.before(i); i < 0 {
			break
		}
		words[n] = strings.ToLower(p.sql[p.tokens[i].Start:p.tokens[i].End])
	}
	return words[0] == "do" || words[0] == "as" || words[0] == "program" || words[1] == "language" && words[2] == "do"
}

func code(name string) string {
	return fmt.Sprintf("is in code (after DO, AS or PROGRAM), of which a value must not be a part; in a DO or a function write %s", setting(name))
}

func setting(name string) string { return "current_setting('" + SettingPrefix + name + "')" }

// before returns the index of the token before i that is no space or comment,
// -1 for none.
func (p *parser) before(i int) int {
	for i--; i >= 0; i-- {
		if k := p.tokens[i].Kind; k != Space && k != Comment {
			break
		}
	}
	return i
}

// neighbours returns the tokens on both sides of a bare placeholder, leaving out
// spaces and comments; a missing one is the zero Token.
func (p *parser) neighbours(start, end int) (before, after Token) {
	if i := p.before(p.token); i >= 0 {
		before = p.tokens[i]
	}
	for _, t := range p.tokens[p.token:] {
		if t.Start >= end && t.Kind != Space && t.Kind != Comment {
			return before, t
		}
	}
	return before, Token{}
}

func (t Token) literal() bool {
	switch t.Kind {
	case String, EscapeString, BitString, UnicodeString, DollarString, Unclear:
		return true
	}
	return false
}
