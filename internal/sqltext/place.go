package sqltext

import (
	"fmt"
	"strings"
)

// inQuotes returns what is wrong with a placeholder in '…', E'…' or "…".
func (p *parser) inQuotes(name string, start, end int) string {
	t := p.tokens[p.token]
	// What is before the last placeholder has been looked at, and no escape goes
	// on behind one.
	text := p.sql[max(t.Start, p.quoted):start]
	p.quoted = end
	switch {
	case t.Open:
		return "is in a quote without its end"
	case t.Kind == Identifier && name != JobID:
		return `is in a "…" name, where only ` + JobID + ` may stand`
	case t.Kind == Identifier && !p.statement.do:
		return "" // A name is no code, nor can one be made of a job's id.
	case p.statement.escape:
		return escapes
	case p.statement.code(p.sql):
		return code(name)
	case t.Kind == EscapeString && unfinished(text):
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
	before, after := p.statement.last, p.next(end)
	switch {
	case p.statement.escape:
		return escapes
	case p.statement.code(p.sql):
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

const escapes = "is the character of a UESCAPE, which decides how the text before it is read; write the character itself"

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

// next returns the token behind a bare placeholder that is no space or comment;
// a missing one is the zero Token.
func (p *parser) next(end int) Token {
	for _, t := range p.tokens[p.token:] {
		if t.Start >= end && t.Kind != Space && t.Kind != Comment {
			return t
		}
	}
	return Token{}
}

func (t Token) literal() bool {
	switch t.Kind {
	case String, EscapeString, BitString, UnicodeString, DollarString, Unclear:
		return true
	}
	return false
}
