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

// inCode matches a statement in short that has a value in its code.
var inCode = regexp.MustCompile(`^ do .*!| (as|do) '(.*')?!| program '!`)

// codeWithValue returns the first statement of a good template, in short, that
// has a value in its code. In short a literal is ', or '! with a value in it,
// words are as they are and so is the name "program", and all else is a dot.
func codeWithValue(sql string) string {
	const value = "\x00value"
	short, last := "", Kind(-1)
	for _, l := range expected(sql, value) {
		with := strings.Contains(l.Text, value)
		switch l.Kind {
		case Comment:
			continue
		case String, EscapeString, UnicodeString, DollarString:
			if !l.Continues || last != String {
				short += " '"
			}
			if with {
				short += "!"
			}
			last = String
			continue
		case Word:
			short += " " + strings.ToLower(l.Text)
		default:
			switch {
			case l.Kind == Identifier && strings.EqualFold(l.Text, "program"):
				short += " program"
			case l.Kind != Other || l.Text != ";":
				short += " ."
			case inCode.MatchString(short):
				return short
			default:
				short = ""
			}
		}
		last = l.Kind
	}
	if inCode.MatchString(short) {
		return short
	}
	return ""
}

// FuzzFill: whatever the text and whatever the value, if the text is taken the
// value is one literal, or a part of one literal or name, and no part of code,
// and the rest is read as it was.
func FuzzFill(f *testing.F) {
	texts := []string{
		"select '<%= error_message %>', E'\\n<%= job_id %>\\\\', <%= row_count %> as \"<%= job_id %>\"",
		"N'<%=job_id%>' -- c\n 'b' $$ ' $$ /* ' */ U&'a' b'0'", "'a'\n'<%= job_id %>'\n'b'", "e'a'\n'<%= job_id %>\\''",
		"1e5'a <%= job_id %>", "do '<%= job_id %>'", "<%= job_id %>/**/'a'", "$1 $a$ <%= job_id %> $a$", "a <<%= job_id %>> b",
		"E'\\u00e9<%= job_id %>'", "/*/*<%= job_id %>*/*/", "u&\"a\" uescape <%= job_id %>", "'<%= job_id", "-- \r<%= job_id %>--",
		"do language 'pl'\n'pgsql' '<%= job_id %>'", `do language U&"plpgsql" uescape '!' '<%= job_id %>'`,
		"DO E'a' -- ;\n'<%= job_id %>'; select '<%= job_id %>'", "create function f() returns int as 'a', '<%= job_id %>' language c",
		"create view v as select 1 as do, '<%= job_id %>' as program;do''", "copy t to program U&'a' uescape '!' (null '<%= job_id %>')",
		"options (program 'a'\n'<%= job_id %>')", "select U&'!0061' uescape '<%= job_id %>'", `E'<%= job_id %>\x<%= job_id %>\\<%= job_id %>'`,
		"(<%=<%=<%=%>%>%><%= job_id %>", strings.Repeat("<%= no %>", 60), "'a'\n'<%= job_id %>'\n'<%= job_id %>'", "\x00<%= no %>\n<%= no %>",
		"\xffprogram'<%= job_id %>'", `"do" '<%= job_id %>'`, `"program"'<%= job_id %>'`,
	}
	for i, value := range hostile {
		f.Add(texts[i%len(texts)], value)
	}
	for i, text := range texts {
		f.Add(text, hostile[i])
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
		if statement := codeWithValue(sql); statement != "" {
			t.Errorf("%q is taken; in short %s", sql, statement)
		}
	})
}
