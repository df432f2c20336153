package sqltext

import (
	"errors"
	"strings"
	"testing"

	"slashbatch/internal/problem"
)

// TestCodeIsRefused: no value in program text, however that is written.
func TestCodeIsRefused(t *testing.T) {
	const body = "'begin perform ''<%= job_id %>''; end'"
	for _, sql := range []string{
		"do " + body,
		"DO" + body,
		"dO E" + body,
		"do <%= job_id %>",
		"do -- it's\n/* ; */ " + body,
		"do 'begin '\n" + body,
		"do 'begin ' -- c\n\n" + body,
		"do language plpgsql " + body,
		"do language 'plpgsql' " + body,
		"do language 'pl'\n'pgsql' " + body,
		"do language 'pl' -- ;\n'pg'\n'sql' " + body,
		"do language E'pl\\160gsql' " + body,
		`do language "plpgsql" ` + body,
		"do language $$plpgsql$$ " + body,
		`do language U&"plpgsql" uescape '!' ` + body,
		`do language U&'plpgsql' uescape '!' ` + body,
		`do language U&"plpgsql"` + "\nuescape\n'!'\n" + body,
		"do language <%= job_id %> 'begin end'",
		"do language '<%= job_id %>' 'begin end'",
		`do language "<%= job_id %>" 'begin end'`,
		"do 'begin end' language '<%= job_id %>'",
		"do 'begin end' " + body,
		"do ( ( " + body,
		"select 1; do " + body,
		"select ';'; do language 'pl'\n'pgsql' " + body,
		";; /* ; */ do " + body,
		"begin; do " + body + "; commit",
		"do $$begin end$$; do " + body,
		"create function f() returns int begin atomic select 1; do " + body + "; end",
		"create function f() returns int begin atomic do " + body + "; end",
		"create function f() returns int begin atomic do 'begin '\n" + body + "; end",

		"create function f() returns int as '<%= job_id %>' language sql",
		"create function f() returns int as <%= job_id %> language sql",
		"CREATE OR REPLACE FUNCTION f() RETURNS int LANGUAGE 'sql' AS '<%= job_id %>'",
		"create procedure p() as '<%= job_id %>' language sql",
		"create or replace procedure p() language sql as E'<%= job_id %>'",
		"create function f() returns int as /* c */ 'a'\n'<%= job_id %>' language sql",
		"create function f() returns int as 'obj', '<%= job_id %>' language c",
		"create function f() returns int as '<%= job_id %>', 'link' language c",
		"create function f() returns int as $$obj$$, '<%= job_id %>' language c",
		"create function f() returns int as U&'obj' uescape '!', <%= job_id %> language c",
		"create function f(a text default 'x' as '<%= job_id %>'",
		"create function f(a text default cast('x' as text)) returns int as 'obj', '<%= job_id %>' language c",
		"create function f() returns text as 'select 1' language '<%= job_id %>'",

		"copy t to program 'x <%= job_id %>'",
		"copy t from program <%= job_id %>",
		"COPY (select ';') TO PROGRAM E'x <%= job_id %>'",
		"copy t to program 'x' -- c\n' <%= job_id %>' (format csv)",
		"copy t to program 'x'\n' y'\n' <%= job_id %>'",
		"copy t to program U&'x' uescape '!'\n'' '<%= job_id %>'",
		"copy program to program 'x <%= job_id %>'",
		"create foreign table t (a text) server s options (program 'x <%= job_id %>')",
		`alter foreign table t options (set "program" 'x <%= job_id %>')`,
		`alter foreign table t options (set U&"\0070rogram" 'x <%= job_id %>')`,
		`alter foreign table t options (set U&"!0070rogram" uescape '!' 'x <%= job_id %>')`,
	} {
		_, err := Parse(sql, allNames...)
		var list problem.List
		if !errors.As(err, &list) || len(list) != 1 || !strings.Contains(err.Error(), "is in code") {
			t.Errorf("%q gives %v", sql, err)
		}
	}
}

// TestNoCode: what looks like it is taken.
func TestNoCode(t *testing.T) {
	for _, sql := range []string{
		"select '<%= job_id %>' as y, <%= job_id %> as z, cast('<%= job_id %>' as text), '<%= job_id %>'",
		"create table t as select '<%= job_id %>'",
		"create view v as select '<%= job_id %>' as do, '<%= job_id %>' as program, <%= job_id %>",
		"create materialized view v as values ('<%= job_id %>')",
		"create table t (a text default '<%= job_id %>', b int generated always as ('<%= job_id %>'::int) stored)",
		"create type t as enum ('<%= job_id %>')",
		"with q as (select '<%= job_id %>') select <%= job_id %> from q",
		"prepare p as select '<%= job_id %>'; execute p ('<%= job_id %>')",
		"insert into t values ('<%= job_id %>') on conflict do nothing returning '<%= job_id %>'",
		"insert into t values (1) on conflict (a) do update set a = '<%= job_id %>'",
		"create rule r as on insert to t do instead insert into u values ('<%= job_id %>')",
		"create rule r as on insert to t do (delete from u; insert into u values ('<%= job_id %>'))",
		"create trigger g after insert on t execute function f('<%= job_id %>')",
		"create policy p on t using (a = '<%= job_id %>')",
		"do $$begin end$$; select '<%= job_id %>'",
		"do 'begin end' language 'plpgsql';select <%= job_id %>",
		"do language U&'plpgsql' uescape '!' 'begin end'; insert into t values ('<%= job_id %>')",
		"create function f() returns int as 'a', 'b' language c; select '<%= job_id %>'",
		`create function "f <%= job_id %>"() returns int as 'select 1' language sql set search_path = "s <%= job_id %>"`,
		"create function f(a text default '<%= job_id %>', b text default cast('' as text)) returns text return '<%= job_id %>'",
		"create function f(a text default '<%= job_id %>') returns text language 'sql' as $$select a$$",
		"create function f() returns text begin atomic select 1 as a; select 'a' as b, '<%= job_id %>'; end",
		"copy (select '<%= job_id %>' as program) to program 'x'",
		"copy t from program 'x' with (null '<%= job_id %>') where a = '<%= job_id %>'",
		"copy program from '<%= job_id %>'",
		"copy (select a from program where a = '<%= job_id %>') to stdout",
		"select query_to_xml('select <%= job_id %>', true, true, '')",
		"set batch.x = '<%= job_id %>'",
		"select 1 as undo, '<%= job_id %>'",
		`select U&"!0061" uescape '!', '<%= job_id %>', U&'!0061' uescape '!' || <%= job_id %>`,
		"select uescape, '<%= job_id %>'",
	} {
		if _, err := Parse(sql, allNames...); err != nil {
			t.Errorf("%q: %v", sql, err)
		}
	}
}

// What a text with code in it is made of.
var (
	languages = []string{"plpgsql", "'plpgsql'", "'pl'\n'pgsql'", "'pl' -- ;\n'pg'\n'sql'", `U&"plpgsql" uescape '!'`, `u&'pl!0070gsql' UESCAPE '!'`, `"plpgsql"`, "$a$plpgsql$a$"}
	bodies    = []string{"'begin perform ''<%= error_message %>''; end'", "E'begin perform \\'<%= error_message %>\\'; end'", "'begin '\n-- ''\n'perform ''<%= error_message %>''; end'", "'begin perform '''\n'<%= error_message %>''; end'"}
	makers    = []string{
		"do language {lang} {body}", "DO {body} LANGUAGE {lang}", "select ';'; do/* ; */language {lang} {body}; select 1", "do {body}",
		"create function pg_temp.f() returns void language {lang} as {body}; select pg_temp.f()",
		"create or replace function pg_temp.f() returns void as {body} language {lang}; select pg_temp.f()",
		"create procedure pg_temp.p() as -- c\n{body} language {lang}; call pg_temp.p()",
		"create or replace procedure pg_temp.p() language {lang} as/**/{body}; call pg_temp.p()",
	}
)

// TestWhatTheDatabaseRunsIsRefused: in each of these texts a value whose quotes
// are doubled breaks out of the code it is a part of, as the database shows.
func TestWhatTheDatabaseRunsIsRefused(t *testing.T) {
	t.Parallel()
	conn := connect(t)
	const value = "'; perform set_config('my.mark', 'out', false); perform '"
	for _, maker := range makers {
		for _, language := range languages {
			for _, body := range bodies {
				sql := strings.NewReplacer("{lang}", language, "{body}", body).Replace(maker)
				naive := strings.ReplaceAll(sql, "<%= error_message %>", strings.ReplaceAll(value, "'", "''"))
				if a := ask(t, conn, "set my.mark = ''; "+naive); a.Code != "" {
					t.Fatalf("%q: SQLSTATE %s", naive, a.Code)
				}
				if a := ask(t, conn, "select current_setting('my.mark') as x; discard temp"); len(a.Cells) != 2 || a.Cells[1] != "out" {
					t.Fatalf("%q: the mark is %q", naive, a)
				}
				if _, err := Parse(sql, allNames...); err == nil || !strings.Contains(err.Error(), "is in code") {
					t.Errorf("%q gives %v", sql, err)
				}
			}
		}
	}
}
