package blackbox

import (
	"encoding/hex"
	"net/http"
	"strings"
	"testing"
)

// hostile is an error message that ends every kind of literal it may stand in.
const hostile = `it's "quoted" \' '' $$ $1 $& $' %s %1$s ? :x; drop table told; --` + "\n" + ` /* E'\x41' \\ <%= job_id %> {{x}} 🚚 ` + "\t" + `end\`

// raise is a statement that fails with a message.
func raise(message string) string {
	return "do $raise$ begin raise exception using message = convert_from('\\x" + hex.EncodeToString([]byte(message)) + "', 'UTF8'); end $raise$"
}

const toldTable = "create table told (n serial, place text, job text, message text)"

// told are the rows of that table, in hexadecimal digits where a byte matters.
func told(t *testing.T, s site) map[string][2]string {
	t.Helper()
	rows := map[string][2]string{}
	for _, row := range query(t, s.db, "select place, job, coalesce(message, '') from told order by n") {
		rows[row[0]] = [2]string{row[1], row[2]}
	}
	return rows
}

// Section 5.6, templates.
func TestCartoTemplates(t *testing.T) {
	onQueues(t, func(t *testing.T, queue map[string]any) {
		s := newSite(t, queue)
		t.Run("C-063 error_message", func(t *testing.T) {
			s := s.in(t)
			s.run(simple(t, "CREATE TABLE test_batch_errors (job_id text, error_message text)")).wantStates(t, "done")
			const onerror = "INSERT INTO test_batch_errors values ('<%= job_id %>', '<%= error_message %>')"
			j := s.run(nested(t, "", "", q("SELECT * FROM invalid_table", "", onerror))).wantStates(t, "failed [failed/done]")
			if got := j.steps(t)[0].OnError; got != onerror {
				t.Errorf("shown is %q", got)
			}
			if got := query(t, s.db, "TABLE test_batch_errors"); len(got) != 1 || got[0][0] != j.JobID || got[0][1] != `relation "invalid_table" does not exist` {
				t.Errorf("told %q", got)
			}
		})
		t.Run("C-064 job_id", func(t *testing.T) {
			s := s.in(t)
			const onsuccess = "INSERT INTO batch_jobs values ('<%= job_id %>')"
			j := s.run(nested(t, "", "", q("drop table if exists batch_jobs; create table batch_jobs (job_id text)", "", ""), q("SELECT 1", onsuccess, ""))).wantStates(t, "done [done done/done]")
			if got := j.steps(t)[1].OnSuccess; got != onsuccess {
				t.Errorf("shown is %q", got)
			}
			if got := query(t, s.db, "TABLE batch_jobs"); len(got) != 1 || got[0][0] != j.JobID {
				t.Errorf("told %q", got)
			}
		})
		t.Run("C-227 job-level fallbacks", func(t *testing.T) {
			s := s.in(t)
			s.run(simple(t, "drop table if exists told; "+toldTable)).wantStates(t, "done")
			j := s.run(toJSON(t, q("select 1 / 0", "", "insert into told (place, job, message) values ('simple', '<%=job_id%>', '<%=   error_message\n%>')"))).wantStates(t, "failed/done")
			n := s.run(nested(t, "insert into told (place, job) values ('nested', '<%= job_id %>')", "", q("select 1", "", ""))).wantStates(t, "done/done [done]")
			got := told(t, s)
			if got["simple"] != [2]string{j.JobID, "division by zero"} || got["nested"] != [2]string{n.JobID, ""} {
				t.Errorf("told %q", got)
			}
		})
		t.Run("C-228 a hostile message", func(t *testing.T) {
			s := s.in(t)
			s.run(simple(t, "drop table if exists told; "+toldTable)).wantStates(t, "done")
			insert := strings.Join([]string{
				"insert into told (place, job, message) values ('plain', '<%= job_id %>', '<%= error_message %>')",
				"insert into told (place, job, message) values ('escape', E'<%= job_id %>', E'<%= error_message %>')",
				"insert into told (place, job, message) values ('bare', <%= job_id %>, <%= error_message %>)",
				"insert into told (place, job, message) values ('setting', current_setting('batch.job_id'), current_setting('batch.error_message'))",
				"do $do$ begin insert into told (place, job, message) values ('do', current_setting('batch.job_id'), current_setting('batch.error_message')); end $do$",
				"insert into told (place, job, message) values ('twice', '(<%= job_id %>)', '[<%= error_message %>|''<%= error_message %>'']')",
				"insert into told (place, job, message) values ('spread', '<%= job_id %>', 'x'\n'<%= error_message %>')",
				`insert into told (place, job) select 'name', a."j""<%= job_id %>" from (select 'named' as "j""<%= job_id %>") as a`,
			}, ";\n")
			for _, definition := range []string{nested(t, "", "", q(raise(hostile), "", insert)), nested(t, "", insert, q(raise(hostile), "", "")), toJSON(t, q(raise(hostile), "", insert))} {
				execute(t, s.db, "truncate told")
				j := s.run(definition)
				if !strings.HasSuffix(j.states(t), "failed/done]") && j.states(t) != "failed/done [failed]" && j.states(t) != "failed/done" {
					t.Errorf("states %s: %s", j.states(t), j.answer.body)
				}
				if j.FailedReason != hostile {
					t.Errorf("reason %q, want %q", j.FailedReason, hostile)
				}
				got := told(t, s)
				for place, want := range map[string][2]string{
					"plain": {j.JobID, hostile}, "escape": {j.JobID, hostile}, "bare": {j.JobID, hostile}, "setting": {j.JobID, hostile}, "do": {j.JobID, hostile},
					"twice": {"(" + j.JobID + ")", "[" + hostile + "|'" + hostile + "']"}, "spread": {j.JobID, "x" + hostile}, "name": {"named", ""},
				} {
					if got[place] != want {
						t.Errorf("%s: told %q, want %q", place, got[place], want)
					}
				}
			}
		})
	})
}

// Without an error the message is empty, not missing.
func TestCartoTemplateWithoutError(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.run(simple(t, toldTable)).wantStates(t, "done")
	j := s.run(toJSON(t, q("select 1", "insert into told (place, job, message) values ('text', '<%= job_id %>', '[<%= error_message %>]'), ('setting', '', '[' || current_setting('batch.error_message') || ']')", "")))
	j.wantStates(t, "done/done")
	if got := told(t, s); got["text"] != [2]string{j.JobID, "[]"} || got["setting"][1] != "[]" {
		t.Errorf("told %q", got)
	}
	// Only fallbacks are templates.
	j = s.run(simple(t, "select '<%= job_id %>' as a, '<%= wadus %>' as b"))
	if got, want := s.result(j).body, "a,b\r\n<%= job_id %>,<%= wadus %>\r\n"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
}

// A role may have strings in which a backslash escapes.
func TestCartoTemplateOldStrings(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.run(simple(t, toldTable)).wantStates(t, "done")
	execute(t, s.db, "alter role "+s.world.roles[vizzuality]+" set standard_conforming_strings = off")
	j := s.run(nested(t, "", "", q(raise(hostile), "", "insert into told (place, job, message) values ('plain', '<%= job_id %>', '<%= error_message %>'), ('bare', '', <%= error_message %>)")))
	j.wantStates(t, "failed [failed/done]")
	if got := told(t, s); got["plain"][1] != hostile || got["bare"][1] != hostile {
		t.Errorf("told %q, want %q: %s", got, hostile, j.answer.body)
	}
}

// Where a placeholder cannot be replaced safely, the job is refused, and told where.
func TestCartoTemplatePlaces(t *testing.T) {
	t.Parallel()
	s := newIdleSite(t)
	forms := map[string]func(text string) string{
		"onerror":   func(text string) string { return toJSON(t, q("select 1", "", text)) },
		"onsuccess": func(text string) string { return toJSON(t, q("select 1", text, "")) },
		"query[1].onerror": func(text string) string {
			return toJSON(t, map[string]any{"query": []any{"select 1", q("select 2", "", text)}})
		},
		"query[0].onsuccess": func(text string) string { return nested(t, "", "", q("select 1", text, "")) },
		"query.onerror":      func(text string) string { return nested(t, "", text, q("select 1", "", "")) },
	}
	for name, text := range map[string]string{
		"dollar quotes":       "do $$ begin perform '<%= job_id %>'; end $$",
		"tagged dollar quote": "select $a$ $$ <%= error_message %> $a$",
		"line comment":        "select 1 -- <%= job_id %>",
		"block comment":       "select 1 /* a /* b */ <%= error_message %> */",
		"Unicode string":      "select U&'<%= job_id %>'",
		"Unicode name":        `select 1 as U&"<%= job_id %>"`,
		"bit string":          "select B'<%= job_id %>'",
		"hexadecimal string":  "select x'<%= job_id %>'",
		"message in a name":   `select 1 as "<%= error_message %>"`,
		"the second of two":   "select '<%= job_id %>', $x$<%= job_id %>$x$",
	} {
		for place, definition := range forms {
			t.Run(name+" in "+place, func(t *testing.T) {
				s := s.in(t)
				a := s.ask(http.MethodPost, jobsPath, as(vizzuality), jsonBody(definition(text))).wantCode(t, http.StatusBadRequest)
				if told := decode[map[string][]string](t, a)["error"][0]; !strings.Contains(told, place+":") {
					t.Errorf("%q does not name %s", told, place)
				}
			})
		}
	}
	for name, text := range map[string]string{
		"after a dollar quote":            "do $$ begin end $$; select '<%= job_id %>'",
		"after a comment":                 "select 1 -- it's\n, '<%= job_id %>'",
		"a dollar in a name":              "select 1 as a$$b, '<%= error_message %>', 2 as c$$d",
		"a quote that does not end at \\": `select 'a\', '<%= job_id %>'`,
		"an escaped quote":                `select E'a\'b', E'<%= job_id %>'`,
		"a quote in a name":               `select 1 as "it's", '<%= job_id %>'`,
		"a parameter":                     "select $1, '<%= job_id %>'",
		"bare":                            "select <%= job_id %>",
		"in a query it is SQL":            "select 1",
	} {
		t.Run("allowed "+name, func(t *testing.T) {
			s.in(t).create(boss, toJSON(t, q("select $$<%= job_id %>$$", text, "")))
		})
	}
}
