package blackbox

import (
	"bufio"
	"compress/gzip"
	"context"
	"crypto/md5"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"slashbatch/internal/testenv"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgproto3"
	"github.com/redis/go-redis/v9"
)

// What somebody does who means no good: with SQL, with other people's ids, and with
// keys that are not theirs; and what one could read where nothing secret may be.

// secureSuper is the role that the service itself logs in with.
func secureSuper(t *testing.T, w *world) string {
	t.Helper()
	u, err := url.Parse(w.db)
	if err != nil {
		t.Fatal(err)
	}
	return u.User.Username()
}

// securePort is where the databases are.
func securePort(t *testing.T, w *world) string {
	t.Helper()
	u, err := url.Parse(w.db)
	if err != nil {
		t.Fatal(err)
	}
	return u.Port()
}

// secureNote is SQL that writes down as whom it runs.
func secureNote(try int, place string) string {
	return fmt.Sprintf("insert into public.secure_seen (try, place) values (%d, '%s')", try, place)
}

// secureTry is one attempt to be somebody else.
type secureTry struct {
	sql string
	// refusal is what PostgreSQL says to it; "" for what does no harm.
	refusal string
}

// secureTries are the attempts of role own, in the database of the tests.
func secureTries(super, own, other, port string, victims map[string]string) []secureTry {
	const denied = "permission denied|must be superuser"
	both := func(format string) []secureTry {
		return []secureTry{{fmt.Sprintf(format, super), "permission denied to set"}, {fmt.Sprintf(format, other), "permission denied to set"}}
	}
	tries := []secureTry{
		{"reset role", ""},
		{"reset session authorization", ""},
		{"set role none", ""},
		{"set session authorization default", ""},
		{"reset all", ""},
		{"commit; reset session authorization; reset role", ""},
		{"rollback; reset session authorization; reset role", ""},
		{"select set_config('role', 'none', false), set_config('is_superuser', 'on', false)", "cannot be changed"},
		{"select set_config('session_authorization', '" + own + "', false)", ""},
		{"create function pg_temp.up() returns void language plpgsql security definer as $$begin execute 'set role " + super + "'; end$$; select pg_temp.up()", "permission denied|cannot set parameter"},
		{"alter role current_user superuser", denied},
		{"alter role current_user createrole createdb bypassrls replication", denied},
		{"alter role " + super + " password 'mine'", denied},
		{"alter role " + other + " password 'mine'", denied},
		{"alter role " + super + " set search_path = public", denied},
		{`do $$begin execute format('alter database %I set search_path = public', current_database());
			exception when others then raise '%', replace(sqlerrm, current_database(), 'this'); end$$`, "must be owner"},
		{"grant " + super + " to current_user", denied},
		{"grant " + other + " to current_user", denied + "|must have admin option"},
		{"grant pg_execute_server_program to current_user", denied + "|must have admin option"},
		{"create role secure_mine superuser login", denied},
		{"select pg_read_file('/etc/passwd')", denied},
		{"select pg_read_binary_file('postgresql.conf')", denied},
		{"select * from pg_ls_dir('/')", denied},
		{"select lo_import('/etc/passwd')", denied},
		{"select lo_export(1, '/tmp/secure')", denied},
		{"copy (select 1) to program 'true'", "pg_execute_server_program|must be superuser"},
		{"copy secure_note from program 'echo 1'", "pg_execute_server_program|must be superuser"},
		{"create temp table t (line text); copy t from '/etc/passwd'", "pg_read_server_files|must be superuser"},
		{"copy (select 1) to '/tmp/secure'", "pg_write_server_files|must be superuser"},
		{"create extension dblink", denied},
		{"create extension file_fdw", denied},
		{"create function evil() returns int language c as '$libdir/dblink', 'dblink_connect'", denied},
		{"create function evil() returns int language internal as 'pg_backend_pid'", denied},
		{"load '$libdir/dblink'", "is not allowed"},
		{"alter system set log_statement = 'all'", denied},
		{"alter system reset all", denied},
		{"set log_min_messages = 'debug5'", denied},
		{"set session_preload_libraries = 'dblink'", denied + "|cannot be set"},
		{"select pg_reload_conf()", denied},
		{"select rolpassword from pg_authid", denied},
		{"select * from pg_shadow", denied},
		{"select * from secure_theirs", denied},
		{"update secure_theirs set secret = 'mine'", denied},
		{"drop table secure_theirs", "must be owner"},
		{"alter table secure_theirs owner to current_user", "must be owner"},
		{"create trigger evil before insert on secure_theirs for each row execute function suppress_redundant_updates_trigger()", denied},
		{"select * from slashbatch.result", denied},
		{"select * from slashbatch.request", denied},
		{"delete from slashbatch.migration", denied},
		{"create table slashbatch.mine (a int)", denied},
		{"drop schema slashbatch cascade", "must be owner"},
		{"grant usage on schema slashbatch to current_user", "permission denied"},
		{"select * from item", denied},
		{"drop owned by " + other, denied},
		{"reassign owned by " + other + " to current_user", denied},
		{"create subscription evil connection 'host=127.0.0.1 port=" + port + " user=" + super + "' publication p", denied},
	}
	tries = append(tries, both("set role %s")...)
	tries = append(tries, both("set local role %s")...)
	tries = append(tries, both("set session authorization %s")...)
	tries = append(tries, both("select set_config('role', '%s', false)")...)
	tries = append(tries, both("commit; set role %s")...)
	tries = append(tries, both("do $$begin execute 'set session authorization %s'; end$$")...)
	for _, victim := range victims {
		for _, end := range []string{"pg_terminate_backend", "pg_cancel_backend"} {
			tries = append(tries, secureTry{"select " + end + "(" + victim + ")", denied + "|must be a superuser|must be a member"})
		}
	}
	return tries
}

// secureLinks are attempts through dblink, which the superuser has installed: the server
// lets everybody of this machine in, and would dblink, too.
func secureLinks(super, own, other, port string) []secureTry {
	var tries []secureTry
	for _, role := range []string{super, other, own} {
		for _, password := range []string{"", " password=guess"} {
			to := fmt.Sprintf("'host=127.0.0.1 port=%s user=%s%s dbname=' || current_database()", port, role, password)
			tries = append(tries,
				secureTry{"select * from dblink(" + to + ", 'select 1') as r (a int)", "password"},
				secureTry{"select dblink_connect('there', " + to + "); select dblink_exec('there', 'select 1')", "password"},
				secureTry{"select dblink_connect_u('there', " + to + ")", "permission denied"})
		}
	}
	return append(tries,
		secureTry{"create server evil foreign data wrapper dblink_fdw options (host '127.0.0.1', port '" + port + "')", "permission denied"})
}

// Whatever a job tries, its own fallbacks, its next step and the next job run as its own
// role, and nothing of others has changed.
func TestCartoSecurityEscape(t *testing.T) {
	t.Parallel()
	s := newSite(t, redisQueue(t))
	super, own, other := secureSuper(t, s.world), s.world.roles[vizzuality], s.world.roles[cartodb250]
	execute(t, s.db, `
		CREATE TABLE public.secure_seen (n serial, try int, place text, who name DEFAULT current_user, login name DEFAULT session_user,
			super text DEFAULT current_setting('is_superuser'), role text DEFAULT current_setting('role'));
		GRANT INSERT ON public.secure_seen TO PUBLIC;
		GRANT USAGE ON SEQUENCE public.secure_seen_n_seq TO PUBLIC;
		CREATE TABLE public.secure_note (a int);
		GRANT ALL ON public.secure_note TO PUBLIC;
		CREATE TABLE public.secure_theirs AS SELECT 'theirs'::text AS secret;
		ALTER TABLE public.secure_theirs OWNER TO `+other)
	victims, sessions := map[string]string{}, []*pgconn.PgConn{connect(t, s.db), connect(t, s.world.login(t, s.db, cartodb250))}
	for i, conn := range sessions {
		t.Cleanup(func() { conn.Close(context.Background()) })
		victims[fmt.Sprint(i)] = fmt.Sprint(conn.PID())
	}
	attempt := func(n int, try secureTry) {
		t.Run(clip(try.sql), func(t *testing.T) {
			s := s.in(t)
			sql, want, places := try.sql, "failed/done [failed/done skipped]", "error end after"
			if try.refusal == "" {
				sql, want, places = sql+"; "+secureNote(n, "same"), "done/done [done/done done]", "same success next end after"
			}
			j := s.run(toJSON(t, map[string]any{
				"query":     []any{map[string]string{"query": sql, "onsuccess": secureNote(n, "success"), "onerror": secureNote(n, "error")}, secureNote(n, "next")},
				"onsuccess": secureNote(n, "end"), "onerror": secureNote(n, "end"),
			})).wantStates(t, want)
			if !regexp.MustCompile(try.refusal).MatchString(j.FailedReason) {
				t.Errorf("reason %q, want %q", j.FailedReason, try.refusal)
			}
			s.run(simple(t, secureNote(n, "after"))).wantStates(t, "done")
			var seen []string
			for _, row := range query(t, s.db, fmt.Sprintf("SELECT place, who, login, super, role FROM public.secure_seen WHERE try = %d ORDER BY n", n)) {
				seen = append(seen, row[0])
				if got := row[1:]; !slices.Equal(got, []string{own, own, "off", "none"}) {
					t.Errorf("%s: current_user, session_user, is_superuser, role are %q", row[0], got)
				}
			}
			if got := strings.Join(seen, " "); got != places {
				t.Errorf("ran in %q, want %q", got, places)
			}
		})
	}
	tries := secureTries(super, own, other, securePort(t, s.world), victims)
	for i, try := range tries {
		attempt(i, try)
	}
	t.Run("dblink", func(t *testing.T) {
		if len(query(t, s.db, "SELECT 1 FROM pg_available_extensions WHERE name = 'dblink'")) == 0 {
			testenv.Missing(t, "the extension dblink")
		}
		execute(t, s.db, "CREATE EXTENSION dblink SCHEMA public")
		for i, try := range secureLinks(super, own, other, securePort(t, s.world)) {
			attempt(1000+i, try)
		}
	})
	// A role may keep settings for its next sessions. None of them makes it another.
	t.Run("settings of the role", func(t *testing.T) {
		s := s.in(t)
		for i, set := range []string{"role = " + super, "session_authorization = " + super, "application_name = 'evil'", "statement_timeout = '1ms'"} {
			s.run(simple(t, "alter role current_user set "+set)) // whether it is refused or comes to nothing
			j := s.create(vizzuality, toJSON(t, map[string]string{"query": secureNote(2000+i, "after")}))
			s.wait(j)
			for _, row := range query(t, s.db, fmt.Sprintf("SELECT who, login, super, role FROM public.secure_seen WHERE try = %d", 2000+i)) {
				if !slices.Equal(row, []string{own, own, "off", "none"}) {
					t.Errorf("%s: then current_user, session_user, is_superuser, role are %q", set, row)
				}
			}
			execute(t, s.db, "ALTER ROLE "+own+" RESET ALL")
		}
	})
	t.Run("nothing has changed", func(t *testing.T) {
		for _, conn := range sessions {
			if _, err := conn.Exec(t.Context(), "SELECT 1").ReadAll(); err != nil {
				t.Errorf("another user's session: %v", err)
			}
		}
		for sql, want := range map[string]string{
			"SELECT secret FROM public.secure_theirs":                                                                                         "theirs",
			"SELECT relowner::regrole FROM pg_class WHERE relname = 'secure_theirs'":                                                          other,
			"SELECT count(*) FROM pg_auth_members m WHERE m.member = '" + own + "'::regrole":                                                  "0",
			"SELECT count(*) FROM pg_roles WHERE rolname = '" + own + "' AND (rolsuper OR rolcreaterole OR rolcreatedb OR rolbypassrls)":      "0",
			"SELECT count(*) FROM pg_authid WHERE rolname IN ('" + other + "', '" + super + "') AND rolpassword IS NOT NULL":                  "0",
			"SELECT count(*) FROM pg_roles WHERE rolname = 'secure_mine'":                                                                     "0",
			"SELECT count(*) > 0 FROM slashbatch.migration":                                                                                   "t",
			"SELECT count(*) FROM pg_proc WHERE proname = 'evil'":                                                                             "0",
			"SELECT count(*) FROM pg_db_role_setting s JOIN pg_roles r ON r.oid = s.setrole WHERE r.rolname = '" + super + "'":                "0",
			"SELECT count(*) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE nspname = 'slashbatch' AND relname = 'mine'": "0",
		} {
			if got := query(t, s.db, sql)[0][0]; got != want {
				t.Errorf("%s: %s, want %s", sql, got, want)
			}
		}
	})
}

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

// secureSecrets are passwords and keys, and in what forms they might be found.
type secureSecrets struct {
	forms map[string]string // what each is
}

func (f *secureSecrets) add(what, secret string) string {
	if f.forms == nil {
		f.forms = map[string]string{}
	}
	sha, md := sha256.Sum256([]byte(secret)), md5.Sum([]byte(secret))
	for form, text := range map[string]string{
		"": secret, " in hex": hex.EncodeToString([]byte(secret)), " in base64": strings.TrimRight(base64.StdEncoding.EncodeToString([]byte(secret)), "="),
		", its SHA-256": hex.EncodeToString(sha[:]), ", its SHA-256 in base64": base64.RawStdEncoding.EncodeToString(sha[:]),
		", its MD5": hex.EncodeToString(md[:]),
	} {
		f.forms[text] = what + form
	}
	return secret
}

// key adds a key, which Basic sends together with its user's name.
func (f *secureSecrets) key(user string) string {
	key := f.add("the key of "+user, "K3y-"+user+"-"+rand.Text())
	f.forms[strings.TrimRight(base64.StdEncoding.EncodeToString([]byte(user+":"+key)), "=")] = "the key of " + user + " as Basic has it"
	return key
}

// none checks that a text holds none of them.
func (f *secureSecrets) none(t *testing.T, where, text string) {
	t.Helper()
	small := strings.ToLower(text) // hexadecimal digits may be capitals
	for form, what := range f.forms {
		for _, in := range []string{text, small} {
			if i := strings.Index(in, form); i >= 0 {
				t.Errorf("%s holds %s: …%s…", where, what, in[max(i-200, 0):min(i+len(form)+50, len(in))])
				break
			}
		}
	}
}

// secureRedis is everything below a prefix, in all databases of the server.
func secureRedis(t *testing.T, prefix string) string {
	t.Helper()
	o, err := redis.ParseURL(testenv.Redis(t))
	if err != nil {
		t.Fatal(err)
	}
	ctx := t.Context()
	var b strings.Builder
	for o.DB = range 16 {
		c := redis.NewClient(o)
		scan := c.Scan(ctx, 0, "*"+prefix+"*", 1000).Iterator()
		for scan.Next(ctx) {
			key := scan.Val()
			kind, err := c.Type(ctx, key).Result()
			var value any
			switch kind {
			case "none": // gone meanwhile
				continue
			case "string":
				value, err = c.Get(ctx, key).Result()
			case "hash":
				value, err = c.HGetAll(ctx, key).Result()
			case "list":
				value, err = c.LRange(ctx, key, 0, -1).Result()
			case "set":
				value, err = c.SMembers(ctx, key).Result()
			case "zset":
				value, err = c.ZRangeWithScores(ctx, key, 0, -1).Result()
			case "stream":
				value, err = c.XRange(ctx, key, "-", "+").Result()
			default:
				t.Errorf("%s is a %s", key, kind)
			}
			if err != nil && !errors.Is(err, redis.Nil) {
				t.Error(err)
			}
			fmt.Fprintf(&b, "%s = %v\n", key, value)
		}
		if err := scan.Err(); err != nil {
			t.Error(err)
		}
		c.Close()
	}
	return b.String()
}

// secureMonitor collects every command that names the prefix, and what it sends.
func secureMonitor(t *testing.T, prefix string) *lines {
	t.Helper()
	o, err := redis.ParseURL(testenv.Redis(t))
	if err != nil {
		t.Fatal(err)
	}
	conn, err := net.Dial("tcp", o.Addr)
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	t.Cleanup(func() { conn.Close(); <-ended })
	if _, err := io.WriteString(conn, "MONITOR\r\n"); err != nil {
		t.Fatal(err)
	}
	r, heard := bufio.NewReader(conn), &lines{}
	if line, err := r.ReadString('\n'); err != nil || line != "+OK\r\n" {
		t.Fatalf("MONITOR: %q, %v", line, err)
	}
	go func() {
		defer close(ended)
		for {
			line, err := r.ReadString('\n')
			if err != nil {
				return
			}
			if strings.Contains(line, prefix) {
				_, _ = io.WriteString(heard, line)
			}
		}
	}()
	return heard
}

// secureTables are all rows of all of the service's own tables.
func secureTables(t *testing.T, db string) string {
	t.Helper()
	var b strings.Builder
	for _, table := range query(t, db, "SELECT format('%I.%I', schemaname, tablename) FROM pg_tables WHERE schemaname = 'slashbatch'") {
		for _, row := range query(t, db, "SELECT row_to_json(r)::text FROM "+table[0]+" r") {
			fmt.Fprintf(&b, "%s %s\n", table[0], row[0])
		}
	}
	return b.String()
}

// secureFiles are the names and the texts of all files of a folder.
func secureFiles(t *testing.T, folder string) string {
	t.Helper()
	var b strings.Builder
	err := filepath.WalkDir(folder, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		file, err := os.Open(path)
		if err != nil {
			return err
		}
		defer file.Close()
		var text io.Reader = file
		if filepath.Ext(path) == ".gz" {
			if text, err = gzip.NewReader(file); err != nil {
				return err
			}
		}
		fmt.Fprintf(&b, "%s\n", path)
		_, err = io.Copy(&b, text)
		return err
	})
	if err != nil {
		t.Error(err)
	}
	return b.String()
}

// secureDoor is a database that asks for a password and lets nobody in. It tells whether
// it was given one.
func secureDoor(t *testing.T) (address string, asked func() bool) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { listener.Close() })
	var mu sync.Mutex
	given := false
	refuse := func(conn net.Conn) {
		defer conn.Close()
		_ = conn.SetDeadline(time.Now().Add(patience))
		b := pgproto3.NewBackend(conn, conn)
		if _, err := b.ReceiveStartupMessage(); err != nil {
			return
		}
		b.Send(&pgproto3.AuthenticationCleartextPassword{})
		if b.Flush() != nil || b.SetAuthType(pgproto3.AuthTypeCleartextPassword) != nil {
			return
		}
		m, err := b.Receive()
		if p, ok := m.(*pgproto3.PasswordMessage); err != nil || !ok || p.Password == "" {
			return
		}
		mu.Lock()
		given = true
		mu.Unlock()
		b.Send(&pgproto3.ErrorResponse{Severity: "FATAL", Code: "28P01", Message: "password authentication failed"})
		_ = b.Flush()
	}
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go refuse(conn)
		}
	}()
	return listener.Addr().String(), func() bool { mu.Lock(); defer mu.Unlock(); return given }
}

// secureSite is a site whose every login and key would be noticed anywhere.
type secureSite struct {
	site
	secureSecrets
	keys   map[string]string
	heard  lines // every answer
	prefix string
	door   func() bool
}

// Users whose data sources cannot be had: the database does not exist, the role may not
// log in, the password is refused, nobody listens.
var secureAway = []string{"ghost", "locked", "refused", "nowhere"}

func newSecureSite(t *testing.T, onRedis bool) *secureSite {
	t.Helper()
	w := newWorld(t)
	s := &secureSite{keys: map[string]string{}, prefix: "secure-" + uuid.NewString()}
	login := func(raw, who string, change func(*url.URL)) string {
		u, err := url.Parse(raw)
		if err != nil {
			t.Fatal(err)
		}
		if change != nil {
			change(u)
		}
		u.User = url.UserPassword(u.User.Username(), s.add("the password of "+who, "S3cr3t-"+who+"-"+rand.Text()))
		return u.String()
	}
	for _, name := range []string{vizzuality, cartodb250, boss} {
		w.settings["dataSources."+name+".url"] = login(w.login(t, w.db, name), name, nil)
	}
	locked := "locked_" + strings.ToLower(rand.Text()[:12])
	execute(t, w.db, "CREATE ROLE "+locked+" NOLOGIN")
	t.Cleanup(func() {
		conn, err := pgconn.Connect(context.Background(), testenv.Postgres(t))
		if err != nil {
			t.Error(err)
			return
		}
		defer conn.Close(context.Background())
		if _, err := conn.Exec(context.Background(), "DROP ROLE "+locked).ReadAll(); err != nil {
			t.Error(err)
		}
	})
	var door string
	door, s.door = secureDoor(t)
	nobody, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	nobody.Close()
	users := w.settings["auth.users"].([]any)
	for i, change := range []func(*url.URL){
		func(u *url.URL) { u.Path += "_gone" },
		func(u *url.URL) { u.User = url.User(locked) },
		func(u *url.URL) { u.Host = door },
		func(u *url.URL) { u.Host = nobody.Addr().String() },
	} {
		name := secureAway[i]
		w.settings["dataSources."+name+".url"] = login(w.login(t, w.db, vizzuality), name, change)
		users = append(users, map[string]any{"name": name, "sql": true, "dataSource": name})
	}
	for _, u := range users {
		u := u.(map[string]any)
		name := u["name"].(string)
		s.keys[name] = s.key(name)
		u["keys"] = []any{map[string]any{"sha256": digest(s.keys[name]), "type": "master"}}
	}
	w.settings["auth.users"] = users
	w.settings["catalog.url"] = login(w.db, "catalog", nil)
	w.settings["dataSources.default.url"] = login(w.db, "default", nil)
	w.settings["dataSources.batch.url"] = login(w.db, "batch", nil)
	w.settings["batch.process.workers.sql"] = 4
	w.settings["queue.prefix"] = s.prefix
	if onRedis {
		w.settings["queue.url"] = s.redisLogin(t)
		store, err := url.Parse(testenv.S3(t))
		if err != nil {
			t.Fatal(err)
		}
		w.settings["cache.url"] = store.JoinPath(s.prefix).String()
		s.add("the store's secret", os.Getenv("AWS_SECRET_ACCESS_KEY"))
	} else {
		w.settings["queue.url"] = login(w.db, "queue", nil)
	}
	s.site = site{start(t, setup{settings: w.settings, db: w.db, unready: true}), w}
	s.eventually("jobs are taken", func() bool {
		return s.say(http.MethodGet, jobsPath, s.as(vizzuality)).code == http.StatusOK && s.say(http.MethodGet, "/item").code == http.StatusOK
	})
	return s
}

// redisLogin makes a user of Redis with a password, and is the URL for it.
func (s *secureSite) redisLogin(t *testing.T) string {
	t.Helper()
	raw := testenv.Redis(t)
	o, err := redis.ParseURL(raw)
	if err != nil {
		t.Fatal(err)
	}
	c := redis.NewClient(o)
	t.Cleanup(func() {
		if err := c.Do(context.Background(), "ACL", "DELUSER", s.prefix).Err(); err != nil {
			t.Error(err)
		}
		c.Close()
	})
	password := s.add("the password of redis", "S3cr3t-redis-"+rand.Text())
	if err := c.Do(t.Context(), "ACL", "SETUSER", s.prefix, "on", ">"+password, "~*", "&*", "+@all").Err(); err != nil {
		t.Fatal(err)
	}
	u, err := url.Parse(raw)
	if err != nil {
		t.Fatal(err)
	}
	u.User = url.UserPassword(s.prefix, password)
	return u.String()
}

func (s *secureSite) as(user string) func(*http.Request) {
	return func(r *http.Request) { host(user)(r); bearer(s.keys[user])(r) }
}

// say sends a request and keeps the whole answer for the search.
func (s *secureSite) say(method, target string, with ...func(*http.Request)) answer {
	s.t.Helper()
	a := s.do(method, target, with...)
	fmt.Fprintf(&s.heard, "%s %s: %d\n", method, strings.Split(target, "?")[0], a.code)
	_ = a.header.Write(&s.heard)
	_, _ = io.WriteString(&s.heard, a.body+"\n")
	return a
}

// send sends a job and returns its id.
func (s *secureSite) send(user, definition string) string {
	s.t.Helper()
	a := s.say(http.MethodPost, jobsPath, s.as(user), jsonBody(definition)).wantCode(s.t, http.StatusCreated)
	return decode[sqlJob](s.t, a).JobID
}

// comes waits for a status of a job.
func (s *secureSite) comes(user, id, status string) {
	s.t.Helper()
	s.eventually("a job to be "+status, func() bool {
		j := decode[sqlJob](s.t, s.say(http.MethodGet, jobsPath+"/"+id, s.as(user)).wantCode(s.t, http.StatusOK))
		return j.Status == status && j.final() == (status != "pending" && status != "running")
	})
}

// search looks for the secrets wherever the service writes. The words are in what it is
// to write, so that they must be found.
func (s *secureSite) search(t *testing.T, monitor *lines, word, id string) {
	t.Helper()
	places := map[string]string{"the log": s.log.String(), "an answer": s.heard.String(), "a table": secureTables(t, s.db)}
	known := map[string]string{"the log": id, "an answer": word, "a table": id}
	if monitor != nil {
		places["Redis"], known["Redis"] = secureRedis(t, s.prefix), word
		places["a command to Redis"], known["a command to Redis"] = monitor.String(), word
	} else {
		places["a file"], known["a file"] = secureFiles(t, s.folder), word
		known["a table"] = hex.EncodeToString([]byte(word)) // the definition, as bytes
	}
	for where, text := range places {
		if !strings.Contains(text, known[where]) {
			t.Errorf("%s does not hold %q, so the test shows nothing", where, known[where])
		}
		s.none(t, where, text)
	}
}

// No password, no key and no digest of one is anywhere but in the configuration.
func TestCartoSecuritySecrets(t *testing.T) {
	t.Parallel()
	for name, onRedis := range map[string]bool{"redis": true, "postgres": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newSecureSite(t, onRedis)
			var monitor *lines
			if onRedis {
				monitor = secureMonitor(t, s.prefix)
			}
			secureTraffic(t, s, monitor)
		})
	}
}

// secureTraffic makes the service do whatever it does with logins and keys.
func secureTraffic(t *testing.T, s *secureSite, monitor *lines) {
	t.Helper()
	word := "w" + strings.ToLower(rand.Text())
	text := "select '" + word + "' as a"
	key := s.keys[vizzuality]
	definition := toJSON(t, map[string]string{"query": text})
	var first string
	for i, with := range [][]func(*http.Request){
		{jsonBody(definition), bearer(key)},
		{jsonBody(definition), basic(vizzuality, key)},
		{jsonBody(definition), apiKey(key)},
		{form(url.Values{"query": {text}, "api_key": {key}}.Encode())},
		{form(url.Values{"query[0]": {text}, "map_key": {key}}.Encode())},
		{jsonBody(toJSON(t, map[string]any{"query": []string{text}, "api_key": key}))},
		{jsonBody(toJSON(t, map[string]any{"query": text, "api_key": []string{key}, "API_KEY": key, "token": key})), bearer(key)},
		{header("Content-Type", "multipart/form-data; boundary=b"), content("--b\r\nContent-Disposition: form-data; name=\"query\"\r\n\r\n" + text + "\r\n--b\r\nContent-Disposition: form-data; name=\"api_key\"\r\n\r\n" + key + "\r\n--b--\r\n")},
	} {
		a := s.say(http.MethodPost, jobsPath, append(with, host(vizzuality))...)
		if a.code != http.StatusCreated {
			t.Fatalf("way %d: answered %d: %s", i, a.code, a.body)
		}
		first = decode[sqlJob](t, a).JobID
		s.comes(vizzuality, first, "done")
	}
	for _, with := range []func(*http.Request){s.as(vizzuality), header("Accept-Encoding", "gzip"), header("Range", "bytes=0-1"), browser} {
		s.say(http.MethodGet, jobsPath+"/"+first+"/result", s.as(vizzuality), with)
	}
	// What a session knows of itself.
	for _, sql := range []string{
		"select * from pg_stat_activity", "select name, setting, sourcefile from pg_settings", "select * from pg_roles", "select * from pg_user_mappings",
		"select current_query()", "select inet_server_port(), inet_client_port()",
	} {
		id := s.send(vizzuality, toJSON(t, map[string]string{"query": sql, "onsuccess": "select <%= job_id %>"}))
		s.comes(vizzuality, id, "done")
		s.say(http.MethodGet, jobsPath+"/"+id+"/result", s.as(vizzuality)).wantCode(t, http.StatusOK)
	}
	// Failures.
	s.comes(vizzuality, s.send(vizzuality, toJSON(t, map[string]any{
		"query": []any{map[string]string{"query": "select '" + word + "'::int", "onerror": "select <%= error_message %>::int"}}, "onerror": "select 1 / 0",
	})), "failed")
	var away []string
	for _, user := range secureAway {
		id := s.send(user, definition)
		away = append(away, id)
		s.eventually("a job of "+user+" is tried", func() bool { return s.log.count("out of reach", id) > 0 })
	}
	if !s.door() {
		t.Error("no password was sent, so the test shows nothing")
	}
	s.say(http.MethodGet, "/readyz").wantCode(t, http.StatusServiceUnavailable)
	// Requests that are refused.
	for _, with := range [][]func(*http.Request){
		{host(cartodb250), bearer(key)},
		{host(cartodb250), basic(cartodb250, key)},
		{host(cartodb250), basic(vizzuality, key)},
		{host(vizzuality), bearer(key + "x")},
		{host("nobody"), apiKey(key)},
		{host(reader), bearer(s.keys[reader])},
		{host(vizzuality), header("Authorization", "Digest "+key)},
		{host(vizzuality), apiKey(key + "&cursor=" + key + "&status=" + key + "&limit=" + key)},
		{host(vizzuality), bearer(key), header("Cookie", "key="+key)},
	} {
		for _, target := range []string{jobsPath, jobsPath + "/" + first, jobsPath + "/" + first + "/result", "/api/v2/jobs-wip", "/user/vizzuality" + jobsPath, "/item", "/item/batch/status"} {
			s.say(http.MethodGet, target, with...)
			s.say(http.MethodGet, target, append(with, browser)...)
		}
		s.say(http.MethodPost, jobsPath, append(with, jsonBody(`{"query": `))...)
		s.say(http.MethodPost, jobsPath, append(with, jsonBody(`{"query": [1, {"onerror": "<%= nothing %>"}]}`))...)
		s.say(http.MethodDelete, jobsPath+"/"+first, with...)
	}
	for _, page := range []string{jobsPath + "?limit=1", jobsPath + "?limit=1&format=csv"} {
		link := s.say(http.MethodGet, page, host(vizzuality), apiKey(key)).wantCode(t, http.StatusOK).header.Get("Link")
		to, _, _ := strings.Cut(strings.TrimPrefix(link, "<"), ">")
		u, err := url.Parse(to)
		if err != nil || link == "" {
			t.Fatalf("Link %q: %v", link, err)
		}
		s.say(http.MethodGet, u.RequestURI(), s.as(vizzuality)).wantCode(t, http.StatusOK)
	}
	// Exports.
	for request, status := range map[string]string{"/item": "Completed", "/broken": "Failed", "/logged": "Completed", "/own": "Completed"} {
		s.eventually(request+" is taken", func() bool { return s.say(http.MethodPost, twin(request), bearer(key)).code == http.StatusSeeOther })
		s.eventually(request+" is "+status, func() bool {
			return decode[map[string]any](t, s.say(http.MethodGet, statusOf(request), bearer(key)))["status"] == status
		})
		s.say(http.MethodGet, twin(request), basic(vizzuality, key))
		s.say(http.MethodGet, statusOf(request), bearer(key), browser)
		s.say(http.MethodGet, statusOf(request)+"?api_key="+key, browser)
	}
	// Jobs that are there while we look, and are then cancelled.
	shut(t, s.db)
	running := s.send(vizzuality, toJSON(t, map[string]string{"query": "select pg_advisory_xact_lock_shared(42), '" + word + "'", "onerror": "select <%= error_message %>"}))
	s.comes(vizzuality, running, "running")
	pending := s.send(vizzuality, definition)
	s.say(http.MethodGet, "/api/v2/jobs-wip", s.as(boss)).wantCode(t, http.StatusOK)
	s.search(t, monitor, word, first)
	for i, id := range append([]string{running, pending}, away...) {
		user := vizzuality
		if i >= 2 {
			user = secureAway[i-2]
		}
		s.say(http.MethodDelete, jobsPath+"/"+id, s.as(user)).wantCode(t, http.StatusOK)
		s.say(http.MethodGet, jobsPath+"/"+id+"/result", s.as(user)).wantCode(t, http.StatusNotFound)
	}
	s.stop()
	s.search(t, monitor, word, first)
}

// A client may put its key where it does not belong, among what is kept of a definition
// although nobody knows what it means.
func TestCartoSecurityKeyInDefinition(t *testing.T) {
	t.Parallel()
	s := newSecureSite(t, true)
	monitor, key := secureMonitor(t, s.prefix), s.keys[vizzuality]
	word := "w" + strings.ToLower(rand.Text())
	text := "select '" + word + "' as a"
	id := ""
	for _, with := range []func(*http.Request){
		jsonBody(toJSON(t, map[string]any{"query": map[string]any{"query": []string{text}, "api_key": key}})),
		jsonBody(toJSON(t, map[string]any{"query": []any{map[string]string{"query": text, "map_key": key}}})),
		form(url.Values{"query[query][0]": {text}, "query[api_key]": {key}}.Encode()),
	} {
		a := s.say(http.MethodPost, jobsPath, s.as(vizzuality), with)
		if a.code == http.StatusCreated { // it may as well be refused
			id = decode[sqlJob](t, a).JobID
			s.comes(vizzuality, id, "done")
		}
	}
	if id == "" {
		id = s.send(vizzuality, toJSON(t, map[string]string{"query": text}))
		s.comes(vizzuality, id, "done")
	}
	s.search(t, monitor, word, id)
}

// secureBytes sends a request and is the whole answer as it came, but for its date.
func secureBytes(t *testing.T, s site, method, target string, headers ...string) string {
	t.Helper()
	at := strings.TrimPrefix(s.url, "http://")
	conn, err := net.Dial("tcp", at)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(patience))
	fmt.Fprintf(conn, "%s %s HTTP/1.1\r\nConnection: close\r\n%s\r\n\r\n", method, target, strings.Join(headers, "\r\n"))
	text, err := io.ReadAll(conn)
	if err != nil {
		t.Fatal(err)
	}
	return regexp.MustCompile(`(?m)^Date: .*\r\n|"timestamp":"[^"]*"`).ReplaceAllString(string(text), "")
}

// Another user's job cannot be told from one that there is not, by a single byte.
func TestCartoSecurityForeignIDs(t *testing.T) {
	t.Parallel()
	s := newSite(t, redisQueue(t))
	ids := map[string]sqlJob{
		"done":   s.run(`{"query": "select 1 as a", "onsuccess": "select 2"}`).wantStates(t, "done/done"),
		"failed": s.run(`{"query": ["select 1 / 0"]}`).wantStates(t, "failed [failed]"),
		"empty":  s.run(`{"query": "create table secure_empty ()"}`).wantStates(t, "done"),
	}
	open := shut(t, s.db)
	ids["running"] = s.waitStates(s.create(vizzuality, `{"query": "select pg_advisory_xact_lock_shared(42)"}`), "running")
	ids["pending"] = s.create(vizzuality, `{"query": "select 1"}`)
	ids["cancelled"] = s.cancelled(s.create(vizzuality, `{"query": "select 3"}`))
	own := s.wait(s.create(cartodb250, `{"query": "select 4"}`)).wantStates(t, "done")

	type request struct {
		method, prefix, tail string
		headers              []string
	}
	var requests []request
	for _, method := range []string{"GET", "HEAD", "DELETE", "POST", "PUT", "OPTIONS"} {
		for _, tail := range []string{"", "/", "/result", "/result/", "?status=done&limit=x", "/result?format=json", "/wadus"} {
			requests = append(requests, request{method, "", tail, nil}, request{method, "/user/{me}", tail, nil})
		}
	}
	for _, h := range []string{"Accept-Encoding: gzip", "Range: bytes=0-0", "If-None-Match: *", "If-Match: *", "Accept: text/html", "Accept: text/csv", "Prefer: wait=1", "If-Modified-Since: Thu, 01 Jan 2099 00:00:00 GMT", "Content-Length: 0"} {
		for _, method := range []string{"GET", "HEAD", "DELETE"} {
			requests = append(requests, request{method, "", "", []string{h}}, request{method, "", "/result", []string{h}})
		}
	}
	for _, viewer := range []string{cartodb250, boss, "anonymous", reader} {
		unknown := uuid.NewString()
		authority := []string{"Host: " + viewer + ".cartodb.com", "Authorization: Bearer " + masterKeys[viewer]}
		if viewer == "anonymous" {
			authority = []string{"Host: vizzuality.cartodb.com"}
		}
		ask := func(t *testing.T, r request, id string) string {
			t.Helper()
			path := strings.ReplaceAll(r.prefix, "{me}", viewer) + jobsPath + "/" + id + r.tail
			return strings.ReplaceAll(secureBytes(t, s, r.method, path, append(r.headers, authority...)...), id, "{id}")
		}
		for state, j := range ids {
			t.Run(viewer+" "+state, func(t *testing.T) {
				for _, r := range requests {
					foreign, none := ask(t, r, j.JobID), ask(t, r, unknown)
					if foreign != none {
						t.Fatalf("%v:\n%s\nof a job that there is not:\n%s", r, foreign, none)
					}
				}
				plain := request{method: "GET"}
				for _, spell := range []func(string) string{strings.ToUpper, func(id string) string { return strings.ReplaceAll(id, "-", "") }} {
					if foreign, none := ask(t, plain, spell(j.JobID)), ask(t, plain, spell(unknown)); foreign != none {
						t.Errorf("spelled otherwise:\n%s\nof a job that there is not:\n%s", foreign, none)
					}
				}
				if viewer == cartodb250 || viewer == boss {
					if got := ask(t, plain, j.JobID); !strings.HasPrefix(got, "HTTP/1.1 400 ") || !strings.HasSuffix(got, "\r\n\r\n"+`{"error":["Job with id {id} not found"]}`+"\n") {
						t.Errorf("answered %s", got)
					}
				}
			})
		}
	}
	t.Run("lists", func(t *testing.T) {
		s := s.in(t)
		for _, viewer := range []string{cartodb250, boss} {
			for _, target := range []string{jobsPath, jobsPath + "?format=csv", jobsPath + "?status=done", jobsPath + "?limit=1", jobsPath + "?cursor=999999999", "/user/" + viewer + jobsPath, "/api/v2/jobs-wip"} {
				a := s.ask(http.MethodGet, target, as(viewer)).wantCode(t, http.StatusOK)
				for state, j := range ids {
					if admin := viewer == boss && strings.HasSuffix(target, "jobs-wip"); strings.Contains(a.body, j.JobID) && !(admin && state == "running") {
						t.Errorf("%s sees the %s job in %s", viewer, state, target)
					}
				}
			}
		}
	})
	t.Run("one's own can be told", func(t *testing.T) {
		a := secureBytes(t, s, "GET", jobsPath+"/"+own.JobID, "Host: "+cartodb250+".cartodb.com", "Authorization: Bearer "+masterKeys[cartodb250])
		if !strings.HasPrefix(a, "HTTP/1.1 200 ") {
			t.Errorf("%s", a)
		}
	})
	t.Run("nothing happened to them", func(t *testing.T) {
		s := s.in(t)
		s.read(ids["running"]).wantStates(t, "running")
		s.read(ids["pending"]).wantStates(t, "pending")
		open()
		s.wait(ids["running"]).wantStates(t, "done")
		s.wait(ids["pending"]).wantStates(t, "done")
		if got := s.result(ids["done"]).body; got != "a\r\n1\r\n" {
			t.Errorf("rows %q", got)
		}
	})
}

// Every route, with every sort of key that does not open it, in every way to send one.
func TestCartoSecurityAccess(t *testing.T) {
	t.Parallel()
	s := newSite(t, redisQueue(t))
	open := shut(t, s.db)
	running := s.waitStates(s.create(vizzuality, toJSON(t, map[string]string{"query": "select pg_advisory_xact_lock_shared(42)"})), "running")
	j := s.create(vizzuality, toJSON(t, map[string]string{"query": mark("own")}))
	const denied, unknown = "permission denied", "Unauthorized"
	type who struct {
		name, key string
		code      int
		text      string
	}
	at := map[string][]who{
		vizzuality: {
			{"regular key", "regular1", 403, denied},
			{"default key", "default_public", 403, denied},
			{"no key", "", 403, denied},
			{"unknown key", "guess", 401, unknown},
			{"another user's key", masterKeys[cartodb250], 401, unknown},
			{"an admin's key", masterKeys[boss], 401, unknown},
			{"key of a user without the right", masterKeys[reader], 401, unknown},
			{"digest", digest(masterKeys[vizzuality]), 401, unknown},
			{"longer key", masterKeys[vizzuality] + "5", 401, unknown},
			{"shorter key", "123", 401, unknown},
		},
		reader: {
			{"master key without the right", masterKeys[reader], 403, denied},
			{"no key", "", 403, denied},
			{"unknown key", "guess", 401, unknown},
			{"another user's key", masterKeys[vizzuality], 401, unknown},
			{"another user's regular key", "regular1", 401, unknown},
		},
		"wrong-host": {
			{"no key", "", 404, wrongHost}, {"unknown key", "guess", 404, wrongHost}, {"somebody's key", masterKeys[vizzuality], 404, wrongHost},
		},
	}
	ways := map[string]func(user, key string) func(*http.Request){
		"Bearer":       func(_, key string) func(*http.Request) { return bearer(key) },
		"Basic":        func(user, key string) func(*http.Request) { return basic(user, key) },
		"query string": func(_, key string) func(*http.Request) { return apiKey(key) },
		"map_key": func(_, key string) func(*http.Request) {
			return func(r *http.Request) { r.URL.RawQuery = url.Values{"map_key": {key}}.Encode() }
		},
	}
	bodies := map[string]func(key string) func(*http.Request){
		"form": func(key string) func(*http.Request) {
			return form(url.Values{"query": {mark("never")}, "api_key": {key}}.Encode())
		},
		"JSON": func(key string) func(*http.Request) {
			return jsonBody(toJSON(t, map[string]string{"query": mark("never"), "api_key": key}))
		},
	}
	body := jsonBody(toJSON(t, map[string]string{"query": mark("never")}))
	routes := [][2]string{
		{http.MethodPost, "/sql/job"},
		{http.MethodGet, "/sql/job"},
		{http.MethodGet, "/sql/job/" + j.JobID},
		{http.MethodDelete, "/sql/job/" + j.JobID},
		{http.MethodDelete, "/sql/job/" + running.JobID},
		{http.MethodGet, "/sql/job/" + j.JobID + "/result"},
		{http.MethodGet, "/jobs-wip"},
	}
	for user, callers := range at {
		for _, c := range callers {
			t.Run(user+" "+c.name, func(t *testing.T) {
				s := s.in(t)
				check := func(what string, a answer) {
					t.Helper()
					if got := strings.TrimSpace(a.body); a.code != c.code || got != toJSON(t, map[string][]string{"error": {c.text}}) {
						t.Errorf("%s: %d %s, want %d %q", what, a.code, got, c.code, c.text)
					}
					if (a.code == 401) != (a.header.Get("WWW-Authenticate") != "") {
						t.Errorf("%s: %d with WWW-Authenticate %q", what, a.code, a.header.Get("WWW-Authenticate"))
					}
				}
				for _, prefix := range []string{"/api/v2", "/user/" + user + "/api/v2"} {
					where := host(user)
					if strings.HasPrefix(prefix, "/user/") { // the path is stronger
						where = host(cartodb250)
					}
					for way, with := range ways {
						for _, route := range routes {
							check(way+" "+route[0]+" "+prefix+route[1], s.ask(route[0], prefix+route[1], where, body, with(user, c.key)))
						}
					}
					for kind, with := range bodies {
						check("in a "+kind, s.ask(http.MethodPost, prefix+"/sql/job", where, with(c.key)))
					}
					// The key in the header counts, not a good one elsewhere.
					if c.key != "" {
						check("a good one beside it", s.ask(http.MethodGet, prefix+"/sql/job", where, bearer(c.key), apiKey(masterKeys[vizzuality])))
					}
				}
			})
		}
	}
	t.Run("the names of others by Basic", func(t *testing.T) {
		s := s.in(t)
		for _, name := range []string{cartodb250, reader, "", "VIZZUALITY", "wadus"} {
			s.ask(http.MethodGet, jobsPath, host(vizzuality), basic(name, masterKeys[vizzuality])).wantError(t, http.StatusForbidden, denied)
		}
	})
	t.Run("nothing happened", func(t *testing.T) {
		s := s.in(t)
		s.read(running).wantStates(t, "running")
		s.read(j).wantStates(t, "pending")
		open()
		s.wait(running).wantStates(t, "done")
		s.wait(j).wantStates(t, "done")
		s.wantMarks("own")
		if n := len(decode[[]sqlJob](t, s.ask(http.MethodGet, jobsPath, as(vizzuality)))); n != 2 {
			t.Errorf("%d jobs", n)
		}
	})
}
