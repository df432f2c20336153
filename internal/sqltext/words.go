package sqltext

import "strings"

// word consumes a keyword or name, or the literal whose first letter it is: that
// must be the whole word, and the quote must follow it directly.
func (s *scanner) word() Token {
	begin := s.pos
	s.skipWord()
	switch word := s.sql[begin:s.pos]; {
	case strings.EqualFold(word, "e") && s.peek(0) == '\'':
		return s.quoted(EscapeString)
	case (strings.EqualFold(word, "b") || strings.EqualFold(word, "x")) && s.peek(0) == '\'':
		return s.quoted(BitString)
	case s.unicodeQuote(word) == '\'':
		s.pos++
		return s.quoted(UnicodeString)
	case s.unicodeQuote(word) == '"':
		s.pos++
		return s.quoted(UnicodeIdentifier)
	}
	return Token{Kind: Word}
}

// unicodeQuote returns the quote of a U&'…' or U&"…" whose U is word, or 0.
func (s *scanner) unicodeQuote(word string) byte {
	if quote := s.peek(1); strings.EqualFold(word, "u") && s.peek(0) == '&' && (quote == '\'' || quote == '"') {
		return quote
	}
	return 0
}

// number consumes digits and the letters joined to them, as in 1e5, 0xFF, 1_000.
func (s *scanner) number() Token {
	begin := s.pos
	for s.pos < len(s.sql) && (digit(s.sql[s.pos]) || wordStart(s.sql[s.pos])) {
		s.pos++
	}
	text := s.sql[begin:s.pos]
	// Digits alone end where they end; with letters, see Unclear.
	last := text[len(text)-1:]
	if strings.ContainsFunc(text, func(r rune) bool { return r < '0' || r > '9' }) &&
		(s.peek(0) == '\'' || s.peek(0) == '$' || s.unicodeQuote(last) != 0) {
		s.pos = len(s.sql)
		return Token{Kind: Unclear, Open: true}
	}
	return Token{Kind: Number}
}

// dollar consumes $1, or $tag$…$tag$, or a lone $.
func (s *scanner) dollar() Token {
	s.pos++
	begin := s.pos
	if digit(s.peek(0)) {
		for digit(s.peek(0)) {
			s.pos++
		}
		return Token{Kind: Param}
	}
	for s.peek(0) != '$' && wordByte(s.peek(0)) {
		s.pos++
	}
	if s.peek(0) != '$' {
		s.pos = begin // What follows is a word of its own, maybe the E of E'…'.
		return Token{Kind: Other}
	}
	s.pos++
	tag := s.sql[begin-1 : s.pos]
	end := strings.Index(s.sql[s.pos:], tag)
	if end < 0 {
		s.pos = len(s.sql)
		return Token{Kind: DollarString, Open: true}
	}
	s.pos += end + len(tag)
	return Token{Kind: DollarString}
}

func (s *scanner) skipWord() {
	for s.pos < len(s.sql) && wordByte(s.sql[s.pos]) {
		s.pos++
	}
}

func spaceByte(c byte) bool {
	return c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '\f' || c == '\v'
}

func digit(c byte) bool { return c >= '0' && c <= '9' }

// wordStart reports whether a name may begin with c; every byte of a non-ASCII
// character counts as a letter.
func wordStart(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c == '_' || c >= 0x80
}

func wordByte(c byte) bool { return wordStart(c) || digit(c) || c == '$' }
