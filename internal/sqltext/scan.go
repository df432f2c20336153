package sqltext

import "strings"

// Kind says what a Token is.
type Kind int

// The kinds of tokens. A string stands in one token with its quotes and the
// letter before them; only of N'…' the N is a Word of its own.
const (
	Space             Kind = iota
	Comment                // -- to the end of the line, without that; /* … */, nested
	Word                   // a keyword, or a name without quotes
	Number                 // digits and what is joined to them; 1.5 is Number, Other, Number
	Param                  // $1
	String                 // '…'
	EscapeString           // E'…'
	BitString              // B'…', X'…'
	UnicodeString          // U&'…'
	DollarString           // $$…$$, $tag$…$tag$
	Identifier             // "…"
	UnicodeIdentifier      // U&"…"
	Other                  // one byte of an operator or of punctuation

	// Unclear is 1e5'…' and the like, up to the end of the text. Where the number
	// ends, and so whether this is an E'…', depends on the version of PostgreSQL;
	// all since 15 refuse it.
	Unclear
)

// Token is a piece of SQL text.
type Token struct {
	Kind Kind
	// Start and End are offsets in bytes.
	Start, End int
	// Continues marks a string that goes on after a line end, as in 'a'\n'b': the
	// parts are one literal, of the kind of the first. The space and the comments
	// between them are tokens of their own.
	Continues bool
	// Open marks the last token of a text that ends inside of it: its closing
	// quote is missing. The database refuses such a text.
	Open bool
}

// Scan takes SQL text apart as PostgreSQL does with standard_conforming_strings
// on; every byte is in one token. It knows no wrong text: what PostgreSQL
// refuses is still cut where PostgreSQL cuts it, or is Open.
func Scan(sql string) []Token {
	var tokens []Token
	s := scanner{sql: sql}
	for s.pos < len(sql) {
		start := s.pos
		t := s.next()
		t.Start, t.End = start, s.pos
		s.remember(t)
		tokens = append(tokens, t)
	}
	return tokens
}

type scanner struct {
	sql string
	pos int
	// joins is the kind of the literal that may go on here, after a line end;
	// Space for none.
	joins   Kind
	lineEnd bool
}

// peek returns the byte n places ahead, 0 at the end.
func (s *scanner) peek(n int) byte {
	if s.pos+n < len(s.sql) {
		return s.sql[s.pos+n]
	}
	return 0
}

// remember keeps what decides whether the next quote continues a literal: only
// spaces and line comments, with a line end among them, may stand between.
func (s *scanner) remember(t Token) {
	text := s.sql[t.Start:t.End]
	switch {
	case t.Kind == String || t.Kind == EscapeString || t.Kind == BitString || t.Kind == UnicodeString:
		s.joins, s.lineEnd = t.Kind, false
	case t.Kind == Space:
		s.lineEnd = s.lineEnd || strings.ContainsAny(text, "\r\n")
	case t.Kind == Comment && strings.HasPrefix(text, "--"):
	default:
		s.joins = Space
	}
}

// next consumes one token.
func (s *scanner) next() Token {
	c := s.sql[s.pos]
	switch {
	case spaceByte(c):
		for s.pos < len(s.sql) && spaceByte(s.sql[s.pos]) {
			s.pos++
		}
		return Token{Kind: Space}
	// A comment may begin inside of what looks like one operator: +-- or @/*.
	case c == '-' && s.peek(1) == '-':
		if end := strings.IndexAny(s.sql[s.pos:], "\r\n"); end >= 0 {
			s.pos += end
		} else {
			s.pos = len(s.sql)
		}
		return Token{Kind: Comment}
	case c == '/' && s.peek(1) == '*':
		return s.blockComment()
	case c == '\'' && s.joins != Space && s.lineEnd:
		t := s.quoted(s.joins)
		t.Continues = true
		return t
	case c == '\'':
		return s.quoted(String)
	case c == '"':
		return s.quoted(Identifier)
	case wordStart(c):
		return s.word()
	case digit(c):
		return s.number()
	case c == '$':
		return s.dollar()
	}
	s.pos++
	return Token{Kind: Other}
}

func (s *scanner) blockComment() Token {
	for depth := 0; s.pos < len(s.sql); {
		switch {
		case s.peek(0) == '/' && s.peek(1) == '*':
			depth++
			s.pos += 2
		case s.peek(0) == '*' && s.peek(1) == '/':
			depth--
			s.pos += 2
			if depth == 0 {
				return Token{Kind: Comment}
			}
		default:
			s.pos++
		}
	}
	return Token{Kind: Comment, Open: true}
}

// quoted consumes a literal or quoted name from its opening quote on.
func (s *scanner) quoted(kind Kind) Token {
	quote := s.sql[s.pos]
	s.pos++
	for s.pos < len(s.sql) {
		switch c := s.sql[s.pos]; {
		case kind == EscapeString && c == '\\':
			s.pos = min(s.pos+2, len(s.sql))
		// A doubled quote stays inside, but not in B'…' and X'…'.
		case c == quote && s.peek(1) == quote && kind != BitString:
			s.pos += 2
		case c == quote:
			s.pos++
			return Token{Kind: kind}
		default:
			s.pos++
		}
	}
	return Token{Kind: kind, Open: true}
}
