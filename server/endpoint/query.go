package endpoint

import (
	"strconv"
	"strings"
	"unicode/utf8"
)

// query is a spec's SQL text taken apart: the pieces of text and, between
// them, the places where a parameter stands.
type query struct {
	// text has one piece more than places has entries.
	text   []string
	places []int // index into params
	// params are the names of the placeholders in order of first appearance.
	params []string
}

// lexQuery finds the placeholders of a query. It knows PostgreSQL's lexical
// structure as far as it decides what is inside quotes and comments, assuming
// standard_conforming_strings, the default since 9.1. It returns a sentence for
// each thing that a query of an endpoint may not have.
func lexQuery(sql string) (*query, []string) {
	if !utf8.ValidString(sql) || strings.ContainsRune(sql, 0) {
		return nil, []string{"is not valid UTF-8 text"}
	}
	x := &lexer{sql: sql, query: &query{}}
	for x.pos < len(sql) {
		x.next()
	}
	x.query.text = append(x.query.text, sql[x.start:])
	switch {
	case !x.any:
		x.refuse("is empty")
	case x.depth > 0:
		x.refuse("has a ( without its )")
	}
	return x.query, x.problems
}

// sql returns the text with each placeholder as $1, $2, … in order of first
// appearance. A space keeps the number apart from what it would run into.
func (q *query) sql() string {
	var b strings.Builder
	for i, text := range q.text {
		b.WriteString(text)
		if i == len(q.places) {
			break
		}
		if text != "" && wordByte(text[len(text)-1]) {
			b.WriteByte(' ')
		}
		b.WriteString("$" + strconv.Itoa(q.places[i]+1))
		if next := q.text[i+1]; next == "" || wordByte(next[0]) {
			b.WriteByte(' ')
		}
	}
	return b.String()
}

// Probe returns the SQL text that a database is to prepare and describe for
// Compile. Its parameters are numbered in order of their first appearance.
func (s *Spec) Probe() string { return "SELECT * FROM " + s.from() }

// from returns the query as a table expression. The line ends keep a comment
// in the last line from swallowing what follows.
func (s *Spec) from() string { return "(\n" + s.query.sql() + "\n) AS q" }
