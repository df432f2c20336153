package blackbox

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// list is the definition of a job of plain queries.
func list(t *testing.T, queries ...string) string {
	t.Helper()
	return toJSON(t, map[string]any{"query": queries})
}

func simple(t *testing.T, query string) string {
	t.Helper()
	return toJSON(t, map[string]string{"query": query})
}

// Section 5.5: simple and multiple jobs.
func TestCartoRun(t *testing.T) {
	onQueues(t, func(t *testing.T, queue map[string]any) {
		s := newSite(t, queue)
		const ok, bad = "select pg_sleep(0)", "select shouldFail()"
		const badReason = "function shouldfail() does not exist"
		const absent = "select * from undefined_table"
		const absentReason = `relation "undefined_table" does not exist`
		for _, tt := range []struct {
			name, definition, states string
			reasons                  []string
		}{
			{"C-023 select", simple(t, "select * from private_table"), "done", []string{""}},
			{"C-024 several statements", simple(t, "DROP TABLE IF EXISTS batch_test_table; SELECT * INTO batch_test_table FROM (SELECT * from private_table) AS job"), "done", []string{""}},
			{"C-025 the table stays", simple(t, "select * from batch_test_table"), "done", []string{""}},
			{"C-028 array", list(t, "select * from private_table limit 1", "select * from private_table"), "done [done done]", []string{"", "", ""}},
			{"C-029 array, the second fails", list(t, ok, absent), "failed [done failed]", []string{absentReason, "", absentReason}},
			{"C-030 array, the first fails", list(t, absent, ok), "failed [failed skipped]", []string{absentReason, absentReason, ""}},
			{"C-033 two", list(t, ok, ok), "done [done done]", []string{"", "", ""}},
			{"C-034 the second of two fails", list(t, ok, bad), "failed [done failed]", []string{badReason, "", badReason}},
			{"C-035 the third of three fails", list(t, ok, ok, bad), "failed [done done failed]", []string{badReason, "", "", badReason}},
			{"C-213 the first of three fails", list(t, bad, mark("C-213"), mark("C-213")), "failed [failed skipped skipped]", []string{badReason, badReason, "", ""}},
		} {
			t.Run(tt.name, func(t *testing.T) {
				s := s.in(t)
				s.run(tt.definition).wantStates(t, tt.states).wantReasons(t, tt.reasons...)
			})
		}
		s.wantMarks("")
		several := func(name, definition, status string) {
			t.Run(name, func(t *testing.T) {
				s := s.in(t)
				var jobs []sqlJob
				for range 3 {
					jobs = append(jobs, s.create(vizzuality, definition))
				}
				for _, j := range jobs {
					if j = s.wait(j); j.Status != status {
						t.Errorf("%s", j.answer.body)
					}
				}
			})
		}
		several("C-026 three jobs", simple(t, "select * from private_table"), "done")
		several("C-027 three jobs that fail", simple(t, "select * from unexistent_table"), "failed")
		t.Run("C-031 the query is a string still", func(t *testing.T) {
			s := s.in(t)
			if j := s.run(`{"query": "SELECT 14 as foo"}`); j.Status != "done" || j.text(t) != "SELECT 14 as foo" {
				t.Errorf("%s", j.answer.body)
			}
		})
		t.Run("C-032 an array has nothing but states", func(t *testing.T) {
			s := s.in(t)
			j := s.run(`{"query": ["SELECT 14 as foo", "SELECT 14 as foo"]}`)
			one := map[string]any{"query": "SELECT 14 as foo", "status": "done"}
			if diff := cmp.Diff([]any{one, one}, decode[any](t, answer{body: string(j.Query)})); diff != "" || j.Status != "done" {
				t.Errorf("-want +got:\n%s", diff)
			}
			for _, name := range []string{"fallback_status", "failed_reason", "fallback_failed_reason", "onsuccess", "onerror"} {
				if _, there := decode[map[string]any](t, j.answer)[name]; there {
					t.Errorf("the job has %s: %s", name, j.answer.body)
				}
			}
		})
		pair := func(name, second, status string) {
			t.Run(name, func(t *testing.T) {
				s := s.in(t)
				one, two := s.create(vizzuality, list(t, ok, ok)), s.create(vizzuality, second)
				if one, two = s.wait(one), s.wait(two); one.Status != "done" || two.Status != status {
					t.Errorf("%s and %s, want done and %s", one.Status, two.Status, status)
				}
			})
		}
		pair("C-037 one after the other", list(t, ok, ok), "done")
		pair("C-039 one after the other, the second fails", list(t, ok, bad), "failed")
	})
}

// A step is one message to the database, so one implicit transaction, in a session
// in which nothing of others is left.
func TestCartoSessions(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	t.Run("statements of a step are undone together", func(t *testing.T) {
		s := s.in(t)
		s.run(list(t, mark("kept"), mark("undone")+"; select 1 / 0", mark("never"))).wantStates(t, "failed [done failed skipped]").
			wantReasons(t, "division by zero", "", "division by zero", "")
		s.wantMarks("kept")
	})
	t.Run("a statement of its own that no transaction may hold", func(t *testing.T) {
		s := s.in(t)
		s.run(list(t, "create table vac (a int)", "vacuum vac", "create index concurrently on vac (a)")).wantStates(t, "done [done done done]")
		if j := s.run(list(t, "vacuum vac; select 1")); j.Status != "failed" || !strings.Contains(j.FailedReason, "VACUUM cannot") {
			t.Errorf("%s", j.answer.body)
		}
	})
	t.Run("nothing of the step before is left", func(t *testing.T) {
		s := s.in(t)
		leave := "create temp table leak (a int); set work_mem = '1234kB'; set search_path = pg_catalog; prepare leak as select 1; select pg_advisory_lock(7); listen leak; select set_config('batch.job_id', 'stale', false)"
		look := "select to_regclass('pg_temp.leak') as temp, current_setting('work_mem') as memory, current_setting('search_path') as path, (select count(*) from pg_prepared_statements where name = 'leak') as prepared, (select count(*) from pg_locks where locktype = 'advisory' and objid = 7 and database = (select oid from pg_database where datname = current_database())) as locks, current_setting('batch.job_id', true) <> 'stale' or current_setting('batch.job_id', true) is null as fresh"
		want := "temp,memory,path,prepared,locks,fresh\r\n,4MB,\"\"\"$user\"\", public\",0,0,true\r\n"
		one := s.run(list(t, leave, look))
		if got := s.result(one).body; got != want {
			t.Errorf("in the next step: %q, want %q", got, want)
		}
		s.run(simple(t, leave)).wantStates(t, "done")
		if got := s.result(s.run(simple(t, look))).body; got != want {
			t.Errorf("in the next job: %q, want %q", got, want)
		}
	})
	t.Run("a transaction left open ends with its step", func(t *testing.T) {
		s := s.in(t)
		j := s.run(list(t, "begin; "+mark("open"), "select count(*) as n from mark where word = 'open'"))
		// Whatever such a step is called, a change that is not there is not "done".
		if n := len(query(t, s.db, "select 1 from mark where word = 'open'")); n == 0 && j.Status == "done" {
			t.Errorf("the step counts as done, but its change is gone: %s", j.answer.body)
		}
	})
	t.Run("a failed job has a reason, though it be empty", func(t *testing.T) {
		s := s.in(t)
		j := s.run(list(t, "do $$ begin raise exception using message = ''; end $$")).wantStates(t, "failed [failed]")
		if _, there := decode[map[string]any](t, j.answer)["failed_reason"]; !there {
			t.Errorf("no failed_reason: %s", j.answer.body)
		}
	})
	t.Run("what was committed stays, and is not done twice", func(t *testing.T) {
		s := s.in(t)
		s.run(list(t, mark("committed")+"; commit; select 1 / 0")).wantStates(t, "failed [failed]")
		if n := len(query(t, s.db, "select 1 from mark where word = 'committed'")); n != 1 {
			t.Errorf("%d marks, want 1", n)
		}
	})
	t.Run("sessions say what they are", func(t *testing.T) {
		s := s.in(t)
		j := s.run(simple(t, "select current_setting('client_connection_check_interval') as a, current_setting('application_name') <> '' as b"))
		if got := s.result(j).body; got != "a,b\r\n1s,true\r\n" {
			t.Errorf("%q", got)
		}
	})
	t.Run("COPY neither hangs nor breaks what follows", func(t *testing.T) {
		s := s.in(t)
		for _, copying := range []string{"copy mark (word) from stdin", "copy untitle_table_4 to stdout", "copy untitle_table_4 to stdout; copy mark (word) from stdin"} {
			if j := s.run(list(t, copying)); (j.Status == "done") != !strings.Contains(copying, "stdin") {
				t.Errorf("%s: %s", copying, j.answer.body)
			}
			s.run(`{"query": "select 1"}`).wantStates(t, "done")
		}
	})
}

// What a job does cannot escape its user's role.
func TestCartoRole(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	role := s.world.roles[vizzuality]
	if got, want := s.result(s.run(simple(t, "select current_user::text as a, session_user::text as b"))).body, "a,b\r\n"+role+","+role+"\r\n"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
	for _, reset := range []string{"", "reset role; ", "reset session authorization; ", "set session authorization default; ", "rollback; reset role; reset session authorization; "} {
		for _, tt := range []struct{ table, reason string }{{"item", "permission denied for table item"}, {"slashbatch.result", "permission denied for schema slashbatch"}} {
			j := s.run(list(t, reset+"select * from "+tt.table)).wantStates(t, "failed [failed]")
			j.wantReasons(t, tt.reason, tt.reason)
		}
	}
	j := s.wait(s.create(cartodb250, `{"query": "select * from private_table"}`))
	j.wantReasons(t, "permission denied for table private_table")
	for _, escape := range []string{"set role postgres", "set role " + s.world.roles[cartodb250], "set session authorization " + s.world.roles[cartodb250]} {
		if j := s.run(simple(t, escape)); j.Status != "failed" || !strings.Contains(j.FailedReason, "permission denied") && !strings.Contains(j.FailedReason, "does not exist") {
			t.Errorf("%s: %s", escape, j.answer.body)
		}
	}
	// The reason of a job is no error of the request for it.
	s.read(j).wantStates(t, "failed")
}
