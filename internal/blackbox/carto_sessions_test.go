package blackbox

import (
	"strings"
	"testing"
)

// What a step leaves in its session ends with the step.
func TestCartoSecuritySessions(t *testing.T) {
	t.Parallel()
	s := newSite(t, redisQueue(t))
	// The looks are kept by place, so that the step itself, its fallback, the next step
	// and the next job can be compared.
	execute(t, s.db, `
		CREATE TABLE public.secure_left (place text, what text, value text);
		GRANT ALL ON public.secure_left TO PUBLIC`)
	look := func(place string) string {
		return `insert into public.secure_left select '` + place + `', what, value from (values
			('temporary table', (to_regclass('pg_temp.secure_temp') is not null)::text),
			('prepared statement', (select count(*) from pg_prepared_statements)::text),
			('cursor', (select count(*) from pg_cursors where is_holdable)::text),
			('channel', (select count(*) from pg_listening_channels())::text),
			('locks', (select count(*) from pg_locks where locktype = 'advisory' and classid = 4711)::text),
			('lock is held', (not pg_try_advisory_xact_lock_shared(4711, 1))::text),
			('memory', current_setting('work_mem')),
			('path', current_setting('search_path')),
			('strings', current_setting('standard_conforming_strings')),
			('encoding', current_setting('client_encoding')),
			('zone', current_setting('timezone')),
			('isolation', current_setting('default_transaction_isolation')),
			('own setting', coalesce(current_setting('secure.mine', true), '')),
			('time limit', current_setting('statement_timeout')),
			('name', current_setting('application_name'))) as l (what, value)`
	}
	const leave = `
		create temp table secure_temp (a int); prepare secure_plan as select 1;
		declare secure_cursor cursor with hold for select 1; listen secure_channel; select pg_advisory_lock(4711, 1);
		set work_mem = '1234kB'; set search_path = pg_catalog; set standard_conforming_strings = off; set client_encoding = 'LATIN1';
		set timezone = 'Pacific/Auckland'; set session characteristics as transaction isolation level serializable;
		set secure.mine = 'left'; set statement_timeout = 0; set application_name = 'left'; commit; `
	s.run(simple(t, look("fresh"))).wantStates(t, "done")
	s.run(toJSON(t, map[string]any{
		"query":     []any{map[string]string{"query": leave + look("same"), "onsuccess": look("fallback")}, look("next step")},
		"onsuccess": look("end"),
	})).wantStates(t, "done/done [done/done done]")
	s.run(simple(t, look("next job"))).wantStates(t, "done")
	s.run(toJSON(t, map[string]any{"query": []any{map[string]string{"query": leave + "select 1 / 0", "onerror": look("after a failure")}}})).
		wantStates(t, "failed [failed/done]")
	seen := map[string]map[string]string{}
	for _, row := range query(t, s.db, "SELECT place, what, value FROM public.secure_left") {
		if seen[row[0]] == nil {
			seen[row[0]] = map[string]string{}
		}
		seen[row[0]][row[1]] = row[2]
	}
	for what, fresh := range seen["fresh"] {
		// The lock is the session's own, so it could have it again.
		if same := seen["same"][what]; same == fresh && what != "lock is held" {
			t.Errorf("%s: %q in the step that changes it, so the test shows nothing", what, same)
		}
		for _, place := range []string{"fallback", "next step", "end", "next job", "after a failure"} {
			got, told := seen[place][what]
			if what == "name" { // it has the job's id
				if got = strings.Replace(got, "left", "", 1); told && strings.HasPrefix(got, "slashbatch job ") {
					continue
				}
			}
			if got != fresh {
				t.Errorf("%s: %q in %s, want %q as in a fresh session", what, got, place, fresh)
			}
		}
	}
	if len(seen["fresh"]) != 15 {
		t.Errorf("looked at %d things", len(seen["fresh"]))
	}
}
