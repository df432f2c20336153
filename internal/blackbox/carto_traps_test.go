package blackbox

import (
	"context"
	"maps"
	"net/http"
	"strings"
	"testing"
)

// secureTraps is SQL of a user who may create things in a schema that others search: for
// each operator and function of PostgreSQL ones that fit a call better than the original,
// because that has other types than the arguments. They tell who has called them.
const secureTraps = `
do $do$
declare
	types text[] := array['int2', 'int4', 'int8', 'numeric', 'float8', 'text', 'varchar', 'timestamptz', 'interval', 'bool', 'bytea', 'jsonb'];
	body text := $b$ language plpgsql as 'begin raise exception ''trapped as %'', session_user; end'$b$;
	l text; r text; o text; p record; i int; t text; args text[]; want text; made int := 0;
begin
	perform set_config('search_path', 'pg_catalog', false);
	foreach l in array types loop
		foreach r in array types loop
			execute format('create function public.secure_is(%s, %s) returns boolean', l, r) || body;
			execute format('create function public.secure_op(%s, %s) returns %s', l, r,
				case when array_position(types, l) > array_position(types, r) then l else r end) || body;
			foreach o in array array['+', '-', '*', '/', '%', '||', '=', '<>', '<', '>', '<=', '>=', '~'] loop
				continue when exists (select from pg_operator where oprname = o and oprleft = l::regtype and oprright = r::regtype);
				execute format('create operator public.%s (leftarg = %s, rightarg = %s, function = public.%s)', o, l, r,
					case when o ~ '^[-+*/%|]' then 'secure_op' else 'secure_is' end);
				made := made + 1;
			end loop;
		end loop;
	end loop;
	commit;
	for p in select proname as name, proargtypes::regtype[]::text[] as types, prorettype::regtype::text as result, proretset as rows, pronargs as n
		from pg_proc where pronamespace = 'pg_catalog'::regnamespace and pronargs between 1 and 3 and prokind in ('f', 'a')
		and (proname ~ '^(pg_(try_)?advisory|pg_(terminate|cancel)|pg_notify|set_config|current_setting|date_trunc|sha|split)'
			or proname ~ '^(unnest|count|cardinality|array|coalesce|jsonb?_|to_jsonb?|format|concat)' and proargtypes::regtype[]::text ~ 'any')
		and not proargtypes::regtype[]::text[] && array['internal', 'cstring']
	loop
		-- Each argument, and all of them, as what an argument without a type is taken
		-- for; and those that may be of any type as one of these.
		for i, t in select g, 'text' from generate_series(0, p.n) g union all select -1, e from unnest(types) e loop
			args := array(select case
				when a ~ '^any.*array$' then t || '[]'
				when a ~ '^"?any' then t
				when n <> i and i <> 0 then a
				when a in ('integer', 'bigint') then 'float8'
				else 'text' end from unnest(p.types) with ordinality u (a, n) order by n);
			want := case when p.result ~ '^any.*array$' then t || '[]' when p.result ~ '^any' then t else p.result end;
			begin
				continue when to_regprocedure(format('pg_catalog.%I(%s)', p.name, array_to_string(args, ', '))) is not null;
				execute format('create function public.%I(%s) returns %s %s', p.name, array_to_string(args, ', '),
					case when p.rows then 'setof' else '' end, want) || body;
				made := made + 1;
			exception when duplicate_function or invalid_function_definition or feature_not_supported or undefined_object then null;
			end;
		end loop;
	end loop;
	execute 'create table public.secure_made as select ' || made || ' as made';
end $do$`

// secureQuiet checks that since a place in the log no code of a user was run.
func secureQuiet(t *testing.T, s site, from int) {
	t.Helper()
	for line := range strings.Lines(s.log.String()[from:]) {
		if strings.Contains(line, "trapped as") {
			t.Fatalf("code of a user was run by the service: %s", clip(line))
		}
	}
}

// The service's own statements cannot be led astray by what a user creates where its
// roles look for names: that would run the user's code as them.
func TestCartoSecurityTraps(t *testing.T) {
	t.Parallel()
	for name, onRedis := range map[string]bool{"redis": true, "postgres": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, map[string]any{"queue.url": "postgres:"})
			if onRedis {
				maps.Copy(w.settings, redisQueue(t))
			}
			s := w.start(t, false)
			j := s.create(vizzuality, simple(t, secureTraps))
			s.eventually("the traps are set", func() bool {
				secureQuiet(t, s, 0)
				j = s.job(vizzuality, s.get(jobsPath+"/"+j.JobID, as(vizzuality)))
				return j.final()
			})
			j.wantStates(t, "done")
			t.Logf("%s traps", query(t, s.db, "SELECT made FROM public.secure_made")[0][0])
			conn := connect(t, s.db)
			defer conn.Close(context.Background())
			for _, sql := range []string{"SELECT 1.5 * 2", "SELECT array_length(ARRAY['a'], 1)"} {
				if _, err := conn.Exec(t.Context(), sql).ReadAll(); err == nil || !strings.Contains(err.Error(), "trapped") {
					t.Errorf("%s: %v, so the test shows nothing", sql, err)
				}
			}
			check := func(what string, do func(s site)) {
				t.Run(what, func(t *testing.T) {
					s, from := s.in(t), len(s.log.String())
					defer func() { secureQuiet(t, s, from) }()
					do(s)
				})
			}
			check("another user's job", func(s site) {
				j := s.wait(s.create(cartodb250, `{"query": ["select 1 as a", "select nothing"], "onerror": "select <%= error_message %>"}`))
				j.wantStates(t, "failed/done [done failed]")
				j = s.wait(s.create(cartodb250, `{"query": "select 1 as a", "onsuccess": "select <%= job_id %>"}`))
				s.result(j.wantStates(t, "done/done")).wantCode(s.t, http.StatusOK)
				s.ask(http.MethodGet, jobsPath, as(cartodb250)).wantCode(s.t, http.StatusOK)
				s.ask(http.MethodGet, "/api/v2/jobs-wip", as(boss)).wantCode(s.t, http.StatusOK)
			})
			check("cancelling", func(s site) {
				s.cancelled(s.waitStates(s.create(boss, `{"query": "select pg_catalog.pg_sleep(60)"}`), "running"))
			})
			check("reading", func(s site) { s.get("/item?_view=wide&mineq-mass=0&_sort=-id").wantCode(s.t, http.StatusOK) })
			for request, want := range map[string]string{"/item": "Completed", "/logged": "Completed", "/broken": "Failed"} {
				check("export of "+request, func(s site) {
					s.post(twin(request)).wantCode(s.t, http.StatusSeeOther)
					s.await(want, statusOf(request))
				})
			}
			check("starting", func(s site) { w.start(s.t, true) })
		})
	}
}

// The same for the statement that ends a session which no cancel can stop.
func TestCartoSecurityTrapAtTheEnd(t *testing.T) {
	t.Parallel()
	s := newSite(t, redisQueue(t))
	s.run(simple(t, `
		create table public.secure_caught (who name, login name);
		grant insert on public.secure_caught to public;
		create function public.secure_count(bigint, boolean) returns bigint language sql as
			'insert into public.secure_caught values (current_user, session_user); select $1 + 1';
		create aggregate public.count(boolean) (sfunc = public.secure_count, stype = bigint, initcond = '0')`)).wantStates(t, "done")
	j := s.waitStates(s.create(cartodb250, simple(t, "do $$begin loop begin perform pg_sleep(60); exception when query_canceled then null; end; end loop; end$$")), "running")
	active := func() bool { // the step, or what ends it
		return len(query(t, s.db, "SELECT 1 FROM pg_stat_activity WHERE state = 'active' AND usename = '"+s.world.roles[cartodb250]+"'")) > 0
	}
	s.eventually("the step runs", active)
	s.cancelled(j)
	s.eventually("its session has ended", func() bool { return !active() })
	for _, row := range query(t, s.db, "SELECT who, login FROM public.secure_caught") {
		t.Errorf("code of %s was run as %s, logged in as %s", s.world.roles[vizzuality], row[0], row[1])
	}
	execute(t, s.world.login(t, s.db, cartodb250), "SELECT count(true)")
	if n := len(query(t, s.db, "SELECT who FROM public.secure_caught WHERE login = '"+s.world.roles[cartodb250]+"'")); n == 0 {
		t.Error("the trap catches nobody, so the test shows nothing")
	}
}
