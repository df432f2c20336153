package sqltext

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"slashbatch/internal/problem"
)

var allNames = []string{JobID, ErrorMessage, ResultURL, RowCount}

// hostile are values that would break out of one place or another.
var hostile = []string{
	"", "plain", "'", "''", `\`, `\'`, `\\'`, "$&", "$'", "$$", "$1", "%", "%s", "\n", "\r\n", "\t", "--", "/*", "*/",
	`"`, `""`, "'); DROP TABLE t; --", `\'); DROP TABLE t; --`, "\n'; DROP TABLE t; --", `"; DROP TABLE t; --`, `x"y'z\w`,
	"<%= job_id %>", "<%=", "%>", "E'", "U&'", "$a$", "41", "x41", "u0041", "'||'", "' '", "'\n'", "\\\n", "é", "日本語",
	"\U0001F600", "a\u0301", "\u00a0", "\ufeff", "ʼ", "＇", "\u2028", "{name}", ":name", "?", "\x01\x7f", "\uFFFD",
	`relation "no_such" does not exist`, `invalid input syntax for type integer: "it's"`,
	strings.Repeat(`'"\`+"\n$$é", 1250), // 10 kB
}

// TestFill: where a value may stand, and how it is written there.
func TestFill(t *testing.T) {
	const value = `it's a "\"`
	for _, tt := range []struct{ sql, want string }{
		{"", ""},
		{"select 1 <% 2, 'a' <% 'b' -- %>", "select 1 <% 2, 'a' <% 'b' -- %>"},
		{"values ('<%= error_message %>')", `values ('it''s a "\"')`},
		{"values ('a ''<%=error_message%>'' b')", `values ('a ''it''s a "\"'' b')`},
		{"values ('<%=\n\terror_message\u00a0%>')", `values ('it''s a "\"')`},
		{"values (N'<%= error_message %>')", `values (N'it''s a "\"')`},
		{"values (E'\\n<%= error_message %>')", `values (E'\nit''s a "\\"')`},
		{"values (E'\\\\<%= error_message %>\\\\')", `values (E'\\it''s a "\\"\\')`},
		{"values (E'\\141<%= row_count %>\\x4')", `values (E'\1415\x4')`},
		{"values ('a'\n'<%= error_message %>')", "values ('a'\n" + `'it''s a "\"')`},
		{"values (e'a' -- c\n'<%= error_message %>')", "values (e'a' -- c\n" + `'it''s a "\\"')`},
		{`select 1 as "job <%= job_id %>"`, `select 1 as "job a""b"`},
		{"values (<%= error_message %>)", `values ('it''s a "\"')`},
		{"values (1,<%= error_message %>,2)", `values (1,'it''s a "\"',2)`},
		{"<%= error_message %>", `'it''s a "\"'`},
		{"date <%= error_message %>\n", `date 'it''s a "\"'` + "\n"},
		{"a=<%= row_count %>::int", "a= '5' ::int"},
		{"a <<%= row_count %>> b", "a < '5' > b"},
		{"U&<%= row_count %>", "U& '5'"},
		{"<%= row_count %>--c", "'5' --c"},
		{"/<%= row_count %>*", "/ '5' *"},
		{"<%= row_count %>||<%= row_count %>", "'5' || '5'"},
		{"'<%= row_count %><%= row_count %>'", "'55'"},
		{"select <%= row_count %> /* 'unclosed", "select '5' /* 'unclosed"},
		{"'<%= result_url %>'", "''"},
		{"'a<%= result_url %>''b'", "'a''b'"},
		{"insert into t select '<%= row_count %>' on conflict do nothing", "insert into t select '5' on conflict do nothing"},
		{"cast('<%= row_count %>' as text)", "cast('5' as text)"},
	} {
		template, err := Parse(tt.sql, allNames...)
		if err != nil {
			t.Errorf("%q is refused: %v", tt.sql, err)
			continue
		}
		got := template.Fill(map[string]string{JobID: `a"b`, ErrorMessage: value, RowCount: "5"})
		if got != tt.want {
			t.Errorf("%q\n got %q\nwant %q", tt.sql, got, tt.want)
		}
	}
	if got := (Template{}).Fill(nil); got != "" {
		t.Errorf("the zero Template gives %q", got)
	}
}

// TestRefusals: the place of each refused placeholder, and a part of the reason.
func TestRefusals(t *testing.T) {
	for _, tt := range []struct{ sql, want string }{
		{"select $$<%= job_id %>$$", "line 1, column 10: <%= job_id %> is in a dollar-quoted text; write current_setting('batch.job_id')"},
		{"do $a$ x <%= job_id %> $a$", "line 1, column 10: <%= job_id %> is in a dollar"},
		{"-- é <%= job_id %>", "line 1, column 6: <%= job_id %> is in a comment"},
		{"--<%=\njob_id %>", "line 1, column 3: <%= job_id %> is in a comment"},
		{"é\n/* /* */ <%=job_id%> */", "line 2, column 10: <%= job_id %> is in a comment"},
		{"select 'a'\r\n -- <%= job_id %>\n 'b'", "line 2, column 5: <%= job_id %> is in a comment"},
		{"U&'<%= job_id %>'", "column 4: <%= job_id %> is in a U&'…' literal"},
		{"U&'a'\n'<%= job_id %>'", "line 2, column 2: <%= job_id %> is in a U&'…' literal"},
		{`u&"<%= job_id %>"`, `column 4: <%= job_id %> is in a U&"…" name`},
		{"b'<%= job_id %>'", "is in a B'…' or X'…' literal"},
		{"X'<%= job_id %>'", "is in a B'…' or X'…' literal"},
		{`"<%= error_message %>"`, `column 2: <%= error_message %> is in a "…" name, where only job_id`},

		{"'<%= nothing %>'", `column 2: "nothing" is no placeholder here; known: job_id, error_message, result_url, row_count`},
		{"<%= %>", `"" is no placeholder`},
		{"<%= job_id '%>", `"job_id '" is no placeholder`},
		{"<%= JOB_ID %>", `"JOB_ID" is no placeholder`},
		{"$$ <%= x %> $$", `"x" is no placeholder`},
		{"select '<%= job_id'", "column 9: <%= without its %>"},
		{"<%= <%= job_id %>", "column 1: <%= without its %>"},
		{"select '<%= job_id % >'", "<%= without its %>"},
		{"a\x00b", "column 2: a NUL character"},

		{"'<%= job_id %>", "is in a quote without its end"},
		{`"<%= job_id %>`, "is in a quote without its end"},
		{"/* <%= job_id %>", "is in a comment"},
		{"$$ <%= job_id %>", "is in a dollar-quoted text"},
		{"1e5'a', <%= job_id %>", "follows a number that is joined to a quote"},

		{`E'\<%= job_id %>'`, "follows a backslash"},
		{`E'\\\<%= job_id %>'`, "follows a backslash"},
		{`E'\1<%= job_id %>'`, "follows a backslash"},
		{`E'\x<%= job_id %>'`, "follows a backslash"},
		{`E'\xf<%= job_id %>'`, "follows a backslash"},
		{`E'\u00e<%= job_id %>'`, "follows a backslash"},
		{`E'\U0000000<%= job_id %>'`, "follows a backslash"},
		{"E'a'\n'\\<%= job_id %>'", "follows a backslash"},
		{`E'<%= row_count %>\<%= job_id %>'`, "column 20: <%= job_id %> follows a backslash"},
		{`E'a' || E'\<%= job_id %>'`, "follows a backslash"},

		{"'a'<%= job_id %>", "stands beside another literal"},
		{"'a'\n<%= job_id %>", "stands beside another literal"},
		{"E'a' -- c\n<%= job_id %>", "stands beside another literal"},
		{"<%= job_id %>'a'", "stands beside another literal"},
		{"<%= job_id %>\n'a", "stands beside another literal"},
		{"<%= job_id %> $$a$$", "stands beside another literal"},
		{"<%= job_id %>\n<%= job_id %>", "line 2, column 1: <%= job_id %> stands beside another literal"},
		{"a<%= job_id %>", "is joined to its neighbour"},
		{"E<%= job_id %>", "is joined to its neighbour"},
		{"ü<%= job_id %>", "is joined to its neighbour"},
		{"1<%= job_id %>", "is joined to its neighbour"},
		{"$1<%= job_id %>", "is joined to its neighbour"},
		{"$<%= job_id %>$", "is joined to its neighbour"},
		{`"a"<%= job_id %>`, "is joined to its neighbour"},
		{`<%= job_id %>"a"`, "is joined to its neighbour"},
		{"<%= job_id %>a", "is joined to its neighbour"},
		{"<%= job_id %>$1", "is joined to its neighbour"},
		{"<%= job_id %>E'a'", "stands beside another literal"},

		{`select U&'!0061' uescape '<%= job_id %>'`, "is the character of a UESCAPE"},
		{`select U&"!0061" /* c */ UESCAPE -- c
			<%= job_id %>`, "line 2, column 4: <%= job_id %> is the character of a UESCAPE"},
		{"U&'!0061'\n'b' uescape E'<%= job_id %>'", "is the character of a UESCAPE"},

		{"do 'begin <%= job_id %> end'", "is in code (after DO, AS or PROGRAM), of which a value must not be a part; in a DO or a function write current_setting('batch.job_id')"},
	} {
		_, err := Parse(tt.sql, allNames...)
		var list problem.List
		if !errors.As(err, &list) || len(list) != 1 {
			t.Errorf("%q: want one problem, got %v", tt.sql, err)
			continue
		}
		if !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%q\n got %s\nwant %s", tt.sql, err, tt.want)
		}
	}
}

func TestAllProblemsAreTold(t *testing.T) {
	_, err := Parse("<%= x %>, '<%= job_id %>'\n-- <%= job_id %>\n$$<%= job_id %>$$ '<%= y", JobID)
	var places []string
	var list problem.List
	errors.As(err, &list)
	for _, p := range list {
		places = append(places, p.Path)
	}
	want := "line 1, column 1; line 2, column 4; line 3, column 3; line 3, column 20"
	if got := strings.Join(places, "; "); got != want {
		t.Errorf("got %s (%v), want %s", got, err, want)
	}
}

// TestMostProblems: of very many the first ones, and that there are more.
func TestMostProblems(t *testing.T) {
	for n, want := range map[int]int{mostProblems: mostProblems, mostProblems + 1: mostProblems + 1, 10 * mostProblems: mostProblems + 1} {
		_, err := Parse(strings.Repeat("é<%= x %>\n", n), JobID)
		var list problem.List
		if !errors.As(err, &list) || len(list) != want {
			t.Fatalf("%d wrong ones give %d problems", n, len(list))
		}
		for i, p := range list {
			told := strings.Contains(p.Message, "is no placeholder")
			if place := fmt.Sprintf("line %d, column 2", i+1); p.Path != place || told != (i < mostProblems) {
				t.Errorf("problem %d of %d is %s", i+1, n, p)
			}
		}
	}
}

// TestPlaces: a problem that lies before the one told first.
func TestPlaces(t *testing.T) {
	_, err := Parse("é\né <%= x %> é<%= y %>\r\n\n<%= z %>\n a\x00 <%= x %>", JobID)
	var places []string
	var list problem.List
	errors.As(err, &list)
	for _, p := range list {
		places = append(places, p.Path)
	}
	want := "line 5, column 3; line 2, column 3; line 2, column 13; line 4, column 1; line 5, column 5"
	if got := strings.Join(places, "; "); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestClean(t *testing.T) {
	for value, want := range map[string]string{
		"a\x00b\x00\x00":      "a\uFFFDb\uFFFD\uFFFD",
		"a\xff\xfeb\xc3'":     "a\uFFFDb\uFFFD'",
		"\xed\xa0\x80":        "\uFFFD", // half of a surrogate pair
		"'\\\U0001F600\uFFFD": "'\\\U0001F600\uFFFD",
	} {
		if got := Clean(value); got != want {
			t.Errorf("Clean(%q) = %q, want %q", value, got, want)
		}
	}
	template, err := Parse("'<%= job_id %>'", JobID)
	if err != nil {
		t.Fatal(err)
	}
	if got := template.Fill(map[string]string{JobID: "\x00\xff'"}); got != "'\uFFFD\uFFFD'''" {
		t.Errorf("filled as %q", got)
	}
}
