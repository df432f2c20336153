package sqltext

import (
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// good matches a placeholder that may be filled.
var good = regexp.MustCompile(`<%=[\s\v\p{Z}\x{85}]*(?:` + strings.Join(allNames, "|") + `)[\s\v\p{Z}\x{85}]*%>`)

// lexeme is what a token means: the text of a literal or name is what it stands
// for, with escapes other than a doubled quote or backslash left as they are.
type lexeme struct {
	Kind            Kind
	Continues, Open bool
	Text            string
}

func decode(sql string, t Token) lexeme {
	text := sql[t.Start:t.End]
	var b strings.Builder
	switch t.Kind {
	case String, EscapeString, Identifier:
		quote := byte('\'')
		if t.Kind == Identifier {
			quote = '"'
		}
		text = strings.TrimPrefix(text[strings.IndexByte(text, quote):], string(quote))
		if !t.Open {
			text = text[:len(text)-1]
		}
		for i := 0; i < len(text); i++ {
			switch c := text[i]; {
			case t.Kind == EscapeString && c == '\\' && i+1 < len(text):
				if i++; text[i] != '\\' {
					b.WriteString("\x00escape ") // as no value can spell it
				}
			case c == quote:
				i++ // the second of two
			}
			if i < len(text) {
				b.WriteByte(text[i])
			}
		}
		text = b.String()
	}
	return lexeme{t.Kind, t.Continues, t.Open, text}
}

// expected is what a filled template must mean: that of the template itself,
// with the value put in where a placeholder is.
func expected(sql, value string) []lexeme {
	places := good.FindAllStringIndex(sql, -1)
	var out []lexeme
	for _, t := range Scan(sql) {
		for len(places) > 0 && places[0][1] <= t.Start {
			places = places[1:]
		}
		switch bare := len(places) > 0 && places[0][0] <= t.Start; {
		case bare && places[0][0] == t.Start:
			out = append(out, lexeme{Kind: String, Text: value})
		case bare || t.Kind == Space:
		default:
			l := decode(sql, t)
			l.Text = good.ReplaceAllLiteralString(l.Text, value)
			out = append(out, l)
		}
	}
	return out
}

func meaning(sql string) []lexeme {
	var out []lexeme
	for _, t := range Scan(sql) {
		if t.Kind != Space {
			out = append(out, decode(sql, t))
		}
	}
	return out
}

// FuzzFill: whatever the text and whatever the value, if the text is taken the
// value is one literal, or a part of one literal or name, and the rest is read
// as it was.
func FuzzFill(f *testing.F) {
	texts := []string{
		"select '<%= error_message %>', E'\\n<%= job_id %>\\\\', <%= row_count %> as \"<%= job_id %>\"",
		"N'<%=job_id%>' -- c\n 'b' $$ ' $$ /* ' */ U&'a' b'0'", "'a'\n'<%= job_id %>'\n'b'", "e'a'\n'<%= job_id %>\\''",
		"1e5'a <%= job_id %>", "do '<%= job_id %>'", "<%= job_id %>/**/'a'", "$1 $a$ <%= job_id %> $a$", "a <<%= job_id %>> b",
		"E'\\u00e9<%= job_id %>'", "/*/*<%= job_id %>*/*/", "u&\"a\" uescape <%= job_id %>", "'<%= job_id", "-- \r<%= job_id %>--",
	}
	for i, value := range hostile {
		f.Add(texts[i%len(texts)], value)
	}
	f.Fuzz(func(t *testing.T, sql, value string) {
		template, err := Parse(sql, allNames...)
		if err != nil {
			return
		}
		values := map[string]string{}
		for _, name := range allNames {
			values[name] = value
		}
		filled := template.Fill(values)
		if diff := cmp.Diff(expected(sql, Clean(value)), meaning(filled)); diff != "" {
			t.Errorf("%q with %q became\n%q (-want +got):\n%s", sql, value, filled, diff)
		}
	})
}
