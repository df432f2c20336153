package blackbox

import (
	"context"
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"

	"slashbatch/internal/testenv"

	"github.com/jackc/pgx/v5/pgconn"
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
