// Package sqltext puts values into SQL text that a client wrote, at places
// marked <%= name %>, so that a value stays a value whatever is in it: it is
// written as the place demands, and never decides how the rest is read.
//
//	'… <%= name %> …'    quotes doubled
//	E'… <%= name %> …'   quotes and backslashes doubled
//	"… <%= job_id %> …"  quotes doubled; only job_id
//	<%= name %>          a literal of its own, '…'
//
// N'…' is as '…', and a literal that goes on in the next line ('a'\n'b') is one
// literal. All other places are refused when the text comes in, by [Parse], and
// so is a literal that is program text: of a DO, a function or a COPY … PROGRAM.
//
// What is safe here is safe in a session with standard_conforming_strings on
// and client_encoding UTF8: in another a text is cut differently. And no more
// than the text itself is looked at: a function that runs its argument as SQL
// runs the value in it too.
package sqltext

import (
	"slices"
	"strings"

	"slashbatch/internal/problem"
)

// The placeholders. The values are also settings of the session, named
// [SettingPrefix] and this.
const (
	JobID        = "job_id"
	ErrorMessage = "error_message"
	ResultURL    = "result_url"
	RowCount     = "row_count"
)

// SettingPrefix and a placeholder's name are the setting with the same value:
// current_setting('batch.error_message').
const SettingPrefix = "batch."

const (
	opening = "<%="
	closing = "%>"
)

// mostProblems is how many are told of one text: whoever has that many wrong has
// one thing wrong many times.
const mostProblems = 50

// Template is SQL text with places for values.
type Template struct {
	// text has one piece more than there are places.
	text   []string
	places []place
}

// place is where a value goes.
type place struct {
	name string
	// kind is that of the literal or name it is in, Other for a bare one.
	kind Kind
	// before and after keep a bare one apart from its neighbours.
	before, after string
}

// Parse finds the placeholders of a text. The names are those that mean
// something in it, made of letters, digits and _. The error is a [problem.List]
// of the placeholders that are not closed, not known, or in a wrong place, with
// their lines and columns, both counted from 1 and in characters; after 50 of
// them one more says that there are others. A text with a NUL character is
// refused as well: the database would not see what is behind it. Any other text
// is fine, whatever the database will say to it. The time it takes grows with the
// length of the text alone.
func Parse(sql string, names ...string) (Template, error) {
	p := parser{sql: sql, names: names, tokens: Scan(sql)}
	if nul := strings.IndexByte(sql, 0); nul >= 0 {
		p.refuse(nul, "a NUL character; SQL text cannot hold one")
	}
	for from := 0; len(p.problems) <= mostProblems; {
		next := strings.Index(sql[from:], opening)
		if next < 0 {
			break
		}
		from = p.placeholder(from + next)
	}
	if err := p.problems.Err(); err != nil {
		return Template{}, err
	}
	p.template.text = append(p.template.text, sql[p.done:])
	return p.template, nil
}

// Fill returns the text with the values, by name, in their places. A name
// without a value is empty text. Values are passed through [Clean] first.
func (t Template) Fill(values map[string]string) string {
	var b strings.Builder
	for i, p := range t.places {
		b.WriteString(t.text[i])
		b.WriteString(p.write(Clean(values[p.name])))
	}
	if len(t.text) > 0 { // the zero Template is empty text
		b.WriteString(t.text[len(t.text)-1])
	}
	return b.String()
}

// write returns a value as it must be written here.
func (p place) write(value string) string {
	switch p.kind {
	case EscapeString:
		value = strings.ReplaceAll(value, `\`, `\\`)
	case Identifier:
		return strings.ReplaceAll(value, `"`, `""`)
	}
	value = strings.ReplaceAll(value, `'`, `''`)
	if p.kind == Other {
		return p.before + "'" + value + "'" + p.after
	}
	return value
}

// Clean returns a value as PostgreSQL can hold it in a text: U+FFFD takes the
// place of a NUL character and of each run of bytes that are not UTF-8. An error
// message with a hole in it is worth more than a fallback that does not run.
func Clean(value string) string {
	return strings.ReplaceAll(strings.ToValidUTF8(value, "\uFFFD"), "\x00", "\uFFFD")
}

type parser struct {
	sql    string
	names  []string
	tokens []Token
	// token is the index of the one looked at last, and statement that which it
	// is in, up to it.
	token     int
	statement statement
	// done is the end of the last good placeholder, bare that of the last bare one,
	// quoted that of the last one in quotes; 0 is none.
	done, bare, quoted int
	template           Template
	problems           problem.List
	// at is the place of the last problem.
	at position
}

// placeholder reads the one that begins at start, and returns where to look for
// the next.
func (p *parser) placeholder(start int) int {
	inside := start + len(opening)
	// The end is not looked for beyond the next beginning: a text of beginnings
	// alone would be searched to its end for each.
	until, _, _ := strings.Cut(p.sql[inside:], opening)
	length := strings.Index(until, closing)
	if length < 0 {
		p.refuse(start, "%s without its %s", opening, closing)
		return inside
	}
	end := inside + length + len(closing)
	name := strings.TrimSpace(p.sql[inside : inside+length])
	if !slices.Contains(p.names, name) {
		p.refuse(start, "%q is no placeholder here; known: %s", shown(name), strings.Join(p.names, ", "))
		return inside
	}
	for p.tokens[p.token].End <= start {
		p.statement.pass(p.sql, p.tokens[p.token])
		p.token++
	}
	found := place{name: name, kind: p.tokens[p.token].Kind}
	wrong := ""
	switch found.kind {
	case String, EscapeString, Identifier:
		wrong = p.inQuotes(name, start, end)
	case Other:
		wrong = p.asLiteral(&found, start, end)
		p.bare = end
	default:
		wrong = elsewhere(name, found.kind)
	}
	if wrong != "" {
		p.refuse(start, "%s %s %s %s", opening, name, closing, wrong)
		return end
	}
	p.template.text = append(p.template.text, p.sql[p.done:start])
	p.template.places = append(p.template.places, found)
	p.done = end
	return end
}

// refuse adds a problem at an offset. One more than can be told ends the reading.
func (p *parser) refuse(at int, format string, args ...any) {
	p.at.move(p.sql, at)
	if len(p.problems) == mostProblems {
		format, args = "another one; no more than %d are told", []any{mostProblems}
	}
	p.problems.Add(p.at.String(), format, args...)
}

// shown cuts a text that may be long.
func shown(s string) string {
	if r := []rune(s); len(r) > 40 {
		return string(r[:40]) + "…"
	}
	return s
}
