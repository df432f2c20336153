package sqltext

import (
	"fmt"
	"strings"
)

// statement is what the tokens so far tell of the one that is being read: above
// all whether the next literal is program text. A value in such a text would be
// a piece of program, however well it is quoted.
//
// PostgreSQL takes a literal for program text in three places only. Its grammar
// says what stands before them, so no guess is needed on how far to look back:
//
//	DO …                all literals: the code, and the language beside it. A DO
//	                    that does not begin its statement counts with the literal
//	                    behind it, which no other DO has
//	… AS 'body'         in CREATE FUNCTION and CREATE PROCEDURE; nowhere else is
//	                    a literal right behind AS
//	… PROGRAM 'command' in COPY, and among the OPTIONS of a foreign table
//
// A text that a function runs, as that of query_to_xml('…') or dblink('…'), is a
// plain literal to the database and to this.
type statement struct {
	// last is the last token but for what does not count: spaces, comments, the
	// further parts of a literal, and UESCAPE with its character, which belong to
	// the literal or name before. It is the zero Token where a statement begins.
	last Token
	// do marks a DO statement, body one that had the text behind an AS, and command
	// that last is the text behind a PROGRAM.
	do, body, command bool
	// escape marks that the next literal is the character of a UESCAPE.
	escape bool
}

// pass goes on behind a token. Each ; ends a statement: that within parentheses
// stands between the commands of a rule, and that in a BEGIN ATOMIC between the
// statements of a body which is not a text; neither can be inside of a DO, nor
// behind an AS 'body'.
func (s *statement) pass(sql string, t Token) {
	text := sql[t.Start:t.End]
	escape := s.escape
	switch {
	case t.Kind == Space || t.Kind == Comment || t.Continues:
		return
	case t.Kind == Other && text == ";":
		*s = statement{}
		return
	case t.Kind == Word && strings.EqualFold(text, "uescape") && (s.last.Kind == UnicodeString || s.last.Kind == UnicodeIdentifier):
		s.escape = true
		return
	}
	s.escape = false
	if escape && t.literal() {
		return
	}
	first := s.last.End == 0
	s.do = s.do || first && t.Kind == Word && strings.EqualFold(text, "do")
	s.body = s.body || t.literal() && s.behind(sql, "as", "do")
	s.command = t.literal() && s.program(sql)
	s.last = t
}

// code reports whether a literal here is program text, or a further part of one.
func (s *statement) code(sql string) bool {
	return s.do || s.body || s.command || s.behind(sql, "as", "do") || s.program(sql)
}

// behind reports whether the last token is one of the words.
func (s *statement) behind(sql string, words ...string) bool {
	for _, word := range words {
		if s.last.Kind == Word && strings.EqualFold(sql[s.last.Start:s.last.End], word) {
			return true
		}
	}
	return false
}

// program reports whether the last token is PROGRAM. As the name of an option it
// may be in quotes, and of a U&"…" every spelling counts: a literal is hardly
// ever behind such a name otherwise.
func (s *statement) program(sql string) bool {
	return s.behind(sql, "program") || s.last.Kind == UnicodeIdentifier ||
		s.last.Kind == Identifier && strings.EqualFold(sql[s.last.Start:s.last.End], `"program"`)
}

func code(name string) string {
	return fmt.Sprintf("is in code (after DO, AS or PROGRAM), of which a value must not be a part; in a DO or a function write %s", setting(name))
}

func setting(name string) string { return "current_setting('" + SettingPrefix + name + "')" }
