package endpoint

import "unicode"

// mostNegations bounds the - before a word of a web search: PostgreSQL fails
// at the 33rd. In no other way can a text fail there.
const mostNegations = 30

// searchable reports whether PostgreSQL takes the text for a web search.
func searchable(s string) bool {
	negations := 0
	for _, c := range s {
		switch {
		case c == '-':
			negations++
		case unicode.IsLetter(c) || unicode.IsDigit(c):
			negations = 0
		}
		if negations > mostNegations {
			return false
		}
	}
	return true
}

// words returns the expression of the words that a full text search looks at.
func (w *writer) words(p *property) string {
	if p.vector {
		return identifier(p.column)
	}
	return "to_tsvector('simple', " + w.operand(p) + ")"
}

// search returns the expression of what a full text search looks for. No text
// is wrong in the syntax of web searches; see searchable.
func (w *writer) search(values []string) string {
	if len(values) == 1 {
		return "websearch_to_tsquery('simple', " + w.bind(values[0], "text") + ")"
	}
	return "ANY(ARRAY(SELECT websearch_to_tsquery('simple', v) FROM unnest(" + w.bind(arrayLiteral(values), "text[]") + ") AS v))"
}
