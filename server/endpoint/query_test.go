package endpoint

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestLexQuery(t *testing.T) {
	for _, c := range []struct{ name, sql, want string }{
		{"a parameter", "SELECT {a}", "SELECT $1 "},
		{"numbered by first appearance", "{b} {a} {b}", "$1 $2 $1 "},
		{"the user", "owner = {_user}", "owner = $1 "},
		{"kept apart from words", "x{a}y", "x $1 y"},
		{"kept apart from digits", "{a}5", "$1 5"},
		{"kept apart from each other", "{a}{b}", "$1 $2 "},
		{"next to an operator", "1+{a}-2", "1+$1-2"},
		{"cast", "{a}::int", "$1::int"},
		{"not in a literal", "'{a}' {b}", "'{a}' $1 "},
		{"a doubled quote stays inside", "'it''s {a}' {b}", "'it''s {a}' $1 "},
		{"a backslash is no escape", `'\' {b}`, `'\' $1 `},
		{"but in E it is", `E'\' {a}' {b}`, `E'\' {a}' $1 `},
		{"small e too", `e'\\' {b}`, `e'\\' $1 `},
		{"E goes on in the next line", "E'a' \n '\\' {a}' {b}", "E'a' \n '\\' {a}' $1 "},
		{"also past a comment", "E'a' -- it's\n '\\' {a}' {b}", "E'a' -- it's\n '\\' {a}' $1 "},
		{"not in the same line", `E'a' '\' {b}`, `E'a' '\' $1 `},
		{"a word that ends in e is no E", `else'\' {b}`, `else'\' $1 `},
		{"other prefixes", `U&'\' N'x' B'1' X'1' {b}`, `U&'\' N'x' B'1' X'1' $1 `},
		{"not in an identifier", `"{a}" {b}`, `"{a}" $1 `},
		{"a doubled identifier quote", `"x""{a}" {b}`, `"x""{a}" $1 `},
		{"not in a dollar quote", "$${a}'$$ {b}", "$${a}'$$ $1 "},
		{"with a tag", "$q$ $$ {a} $Q$ $q$ {b}", "$q$ $$ {a} $Q$ $q$ $1 "},
		{"a dollar inside a word is no quote", "a$b$ {b}", "a$b$ $1 "},
		{"a non-ASCII tag", "$ü$ {a} $ü$ {b}", "$ü$ {a} $ü$ $1 "},
		{"not in a line comment", "1 -- {a} ' \n {b}", "1 -- {a} ' \n $1 "},
		{"a carriage return ends it", "1 -- {a}\r {b}", "1 -- {a}\r $1 "},
		{"not in a block comment", "1 /* {a} ' */ {b}", "1 /* {a} ' */ $1 "},
		{"which nests", "1 /* /* */ {a} */ {b}", "1 /* /* */ {a} */ $1 "},
		{"no comment inside a literal", "'--' {a} '/*' {b}", "'--' $1 '/*' $2 "},
		{"a semicolon in quotes", `';' ";" $$;$$ -- ;`, `';' ";" $$;$$ -- ;`},
		{"a comment at the end", "SELECT 1 --", "SELECT 1 --"},
	} {
		t.Run(c.name, func(t *testing.T) {
			q, problems := lexQuery(c.sql)
			if len(problems) > 0 {
				t.Fatal(problems)
			}
			if got := q.sql(); got != c.want {
				t.Errorf("got  %q\nwant %q", got, c.want)
			}
		})
	}
}

func TestLexQueryRefuses(t *testing.T) {
	for _, c := range []struct {
		sql  string
		want []string
	}{
		{"", []string{"is empty"}},
		{" \n\t", []string{"is empty"}},
		{"-- only a comment", []string{"is empty"}},
		{"/* only */ /* comments */", []string{"is empty"}},
		{"SELECT 1;", []string{"has a ; (one statement, without a semicolon)"}},
		{"SELECT 1; SELECT 2;", []string{"has a ; (one statement, without a semicolon)"}},
		{"SELECT $1, $23", []string{"has a parameter $1; write {name}", "has a parameter $23; write {name}"}},
		{"SELECT 'x", []string{"has a quote ' without its end"}},
		{`SELECT E'x\'`, []string{"has a quote ' without its end"}},
		{`SELECT "x`, []string{`has a quote " without its end`}},
		{"SELECT $a$ x $b$", []string{"has a quote $a$ without its end"}},
		{"SELECT 1 /* /* */", []string{"has a comment /* without its */"}},
		{"SELECT (1", []string{"has a ( without its )"}},
		{"SELECT 1) AS x, (SELECT 2", []string{"has a ) without its (", "has a ( without its )"}},
		{"SELECT {a b}", []string{"has {a b}, which is no parameter name", "has a } without its {"}},
		{"SELECT {a", []string{"has a { without its }"}},
		{"SELECT {_other}", []string{"has {_other}, which is no parameter name", "has a } without its {"}},
		{"SELECT {}", []string{"has {}, which is no parameter name", "has a } without its {"}},
		{"SELECT '\x00'", []string{"is not valid UTF-8 text"}},
		{"SELECT '\xff'", []string{"is not valid UTF-8 text"}},
	} {
		t.Run(c.sql, func(t *testing.T) {
			_, problems := lexQuery(c.sql)
			if diff := cmp.Diff(c.want, problems); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

// FuzzLexQuery: what the lexer accepts has no placeholder left to itself, and
// its text is the spec's own but for the placeholders.
func FuzzLexQuery(f *testing.F) {
	for _, seed := range []string{
		"SELECT {a}, '{b}' FROM t WHERE x = {_user}", `E'\'' {a}`, "$q$ {a} $q$ {b}", "/* /* */ {a} */ {b}", "--\n{a}{a}1", "E'x'\n'\\'{a}'",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, sql string) {
		q, problems := lexQuery(sql)
		if len(problems) > 0 {
			return
		}
		var b strings.Builder
		for i, text := range q.text {
			b.WriteString(text)
			if i < len(q.places) {
				b.WriteString("{" + q.params[q.places[i]] + "}")
			}
		}
		if b.String() != sql {
			t.Errorf("put together again: %q, was %q", b.String(), sql)
		}
		// Nothing reaches past the end of the table expression.
		after, problems := lexQuery("(\n" + strings.Join(q.text, " 1 ") + "\n) AS q {last}")
		if len(problems) > 0 || len(after.params) != 1 {
			t.Errorf("%q leaves something open: %v", sql, problems)
		}
	})
}
