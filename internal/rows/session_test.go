package rows

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"
)

// session opens a session beside a table to write into.
func session(t *testing.T, p place) *Session {
	t.Helper()
	if _, err := p.watch.Exec(t.Context(), "CREATE TABLE IF NOT EXISTS seen (n int)"); err != nil {
		t.Fatal(err)
	}
	s, err := p.Session(t.Context(), SessionOptions{Application: "slashbatch test"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s
}

func (p place) seen(t *testing.T) (n int) {
	t.Helper()
	if err := p.watch.QueryRow(t.Context(), "SELECT count(*) FROM seen").Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}

// asleep waits until the session sleeps in a statement.
func (p place) asleep(t *testing.T, b Backend) {
	t.Helper()
	for end := time.Now().Add(10 * time.Second); ; time.Sleep(5 * time.Millisecond) {
		var event string
		if err := p.watch.QueryRow(t.Context(), "SELECT coalesce(max(wait_event), '') FROM pg_stat_activity WHERE pid = $1", b.PID).Scan(&event); err != nil {
			t.Fatal(err)
		}
		if event == "PgSleep" {
			return
		}
		if time.Now().After(end) {
			t.Fatal("the statements do not run")
		}
	}
}

// The database is asked what cancelled statements have done, not guessed at.
func TestSessionCancelled(t *testing.T) {
	p := open(t)
	for name, tt := range map[string]struct {
		sql    string
		undone bool
		left   int
	}{
		"one transaction":               {"INSERT INTO seen VALUES (1); SELECT pg_sleep(60)", true, 0},
		"savepoints":                    {"DO $$ BEGIN BEGIN INSERT INTO seen VALUES (1); EXCEPTION WHEN others THEN NULL; END; PERFORM pg_sleep(60); END $$", true, 0},
		"BEGIN":                         {"BEGIN; INSERT INTO seen VALUES (1); SELECT pg_sleep(60)", true, 0},
		"COMMIT in its middle":          {"INSERT INTO seen VALUES (1); COMMIT; SELECT pg_sleep(60)", false, 1},
		"COMMIT in a block":             {"DO $$ BEGIN INSERT INTO seen VALUES (1); COMMIT; PERFORM pg_sleep(60); END $$", false, 1},
		"COMMIT and a new transaction":  {"INSERT INTO seen VALUES (1); COMMIT; BEGIN; SELECT pg_sleep(60)", false, 1},
		"only reading":                  {"SELECT pg_sleep(60)", true, 0},
		"its own statement_timeout off": {"SET statement_timeout = 0; SELECT pg_sleep(60)", true, 0},
	} {
		t.Run(name, func(t *testing.T) {
			s := session(t, p)
			ctx, cancel := context.WithCancel(t.Context())
			ended := make(chan Ended)
			go func() { ended <- s.Run(ctx, tt.sql, nil) }()
			p.asleep(t, s.Backend())
			cancel()
			var e Ended
			select {
			case e = <-ended:
			case <-time.After(patience):
				t.Fatal("not cancelled")
			}
			if KindOf(e.Err) != Cancelled || e.Undone != tt.undone || e.Broken {
				t.Errorf("%+v", e)
			}
			if n := p.seen(t); n != tt.left {
				t.Errorf("%d rows are left, want %d", n, tt.left)
			}
			if _, err := p.watch.Exec(t.Context(), "TRUNCATE seen"); err != nil {
				t.Fatal(err)
			}
		})
	}
}

// Others change many tables meanwhile: the session catches up with that as soon as
// it has nothing else to do, in a transaction of its own.
func TestSessionCatchesUp(t *testing.T) {
	p := open(t)
	for _, sql := range []string{
		"INSERT INTO seen VALUES (1); SELECT pg_sleep(60)",
		"BEGIN; INSERT INTO seen VALUES (1); SELECT pg_sleep(60)",
	} {
		s := session(t, p)
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan Ended)
		go func() { ended <- s.Run(ctx, sql, nil) }()
		p.asleep(t, s.Backend())
		if _, err := p.watch.Exec(t.Context(), `DO $$ BEGIN FOR i IN 1..400 LOOP
			CREATE TABLE x (a int PRIMARY KEY, b text); DROP TABLE x; COMMIT; END LOOP; END $$`); err != nil {
			t.Fatal(err)
		}
		cancel()
		if e := <-ended; !e.Undone || e.Broken {
			t.Errorf("%s: %+v", sql, e)
		}
	}
}

// What statements come to when nobody stops them.
func TestSessionEnded(t *testing.T) {
	p := open(t)
	for name, tt := range map[string]struct {
		sql, reason    string
		undone, broken bool
		left           int
	}{
		"done":              {"INSERT INTO seen VALUES (1); INSERT INTO seen VALUES (2); SELECT * FROM seen", "", false, false, 2},
		"nothing":           {"", "", false, false, 0},
		"its own COMMIT":    {"BEGIN; INSERT INTO seen VALUES (1); COMMIT", "", false, false, 1},
		"outside of any":    {"VACUUM seen", "", false, false, 0},
		"failed":            {"INSERT INTO seen VALUES (1); SELECT 1 / 0", "division by zero", true, false, 0},
		"wrong":             {"INSERT INTO seen VALUES (1); SELEC 1", `syntax error at or near "SELEC"`, true, false, 0},
		"left open":         {"BEGIN; INSERT INTO seen VALUES (1)", "the statements left a transaction open; it was rolled back", false, false, 0},
		"waits for input":   {"COPY seen FROM STDIN", "COPY from stdin failed: there is no input to copy from", true, false, 0},
		"gives output":      {"INSERT INTO seen VALUES (1); COPY seen TO STDOUT", "", false, false, 1},
		"ends its own life": {"INSERT INTO seen VALUES (1); SELECT pg_terminate_backend(pg_backend_pid())", "terminating connection due to administrator command", false, true, 0},
	} {
		t.Run(name, func(t *testing.T) {
			s := session(t, p)
			e := s.Run(t.Context(), tt.sql, nil)
			reason := ""
			if e.Err != nil {
				reason = e.Err.Error()
			}
			if reason != tt.reason || e.Undone != tt.undone || e.Broken != tt.broken {
				t.Errorf("%q, %+v", reason, e)
			}
			s.Close()
			if err := p.End(t.Context(), s.Backend()); err != nil {
				t.Error(err)
			}
			if n := p.seen(t); n != tt.left {
				t.Errorf("%d rows, want %d", n, tt.left)
			}
			if _, err := p.watch.Exec(t.Context(), "TRUNCATE seen"); err != nil {
				t.Fatal(err)
			}
		})
	}
}

// Statements that do not let themselves be cancelled lose their server process. They
// are three loops deep, because a cancel may come while the handler of the last one is
// at work.
func TestSessionThatDoesNotStop(t *testing.T) {
	t.Parallel()
	p := open(t)
	s := session(t, p)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan Ended)
	go func() {
		ended <- s.Run(ctx, "DO $$ BEGIN "+strings.Repeat("LOOP BEGIN ", 3)+"PERFORM pg_sleep(60); "+
			strings.Repeat("EXCEPTION WHEN query_canceled THEN NULL; END; END LOOP; ", 3)+"END $$", nil)
	}()
	p.asleep(t, s.Backend())
	cancel()
	select {
	case e := <-ended:
		if !e.Broken || e.Undone {
			t.Errorf("%+v", e)
		}
	case <-time.After(time.Minute):
		t.Fatal("it goes on")
	}
	if n := p.active(t); n != 0 {
		t.Errorf("%d statements go on in the database", n)
	}
}

// A process number that has been given out again is left alone.
func TestEnd(t *testing.T) {
	p := open(t)
	s := session(t, p)
	other := s.Backend()
	other.Start = strings.Replace(other.Start, "20", "19", 1)
	if err := p.End(t.Context(), other); err != nil {
		t.Fatal(err)
	}
	if e := s.Run(t.Context(), "SELECT 1", nil); e.Err != nil {
		t.Error(e.Err)
	}
	if err := p.End(t.Context(), s.Backend()); err != nil {
		t.Fatal(err)
	}
	if e := s.Run(t.Context(), "INSERT INTO seen VALUES (1)", nil); !e.Broken {
		t.Errorf("%+v", e)
	}
	if n := p.seen(t); n != 0 {
		t.Error("a session that was ended has written")
	}
}

// collected is a sink that keeps the rows of the last statement that gave any.
type collected struct {
	names []string
	rows  []string
	fail  error // of the first row
}

func (c *collected) Columns(columns []Column) error {
	c.names, c.rows = nil, nil
	for _, column := range columns {
		c.names = append(c.names, column.Name)
	}
	return nil
}

func (c *collected) Row(values [][]byte) error {
	var line []string
	for _, v := range values {
		if v == nil {
			line = append(line, "NULL")
		} else {
			line = append(line, string(v))
		}
	}
	c.rows = append(c.rows, strings.Join(line, ","))
	return c.fail
}

// The rows of the statements go to the sink, anew for each that gives some.
func TestSessionRows(t *testing.T) {
	p := open(t)
	s := session(t, p)
	var got collected
	e := s.Run(t.Context(), "SELECT 1 AS a; SELECT n AS b, NULL AS c FROM generate_series(1, 2) n; INSERT INTO seen VALUES (1)", &got)
	if e.Err != nil || strings.Join(got.names, " ") != "b c" || strings.Join(got.rows, " ") != "1,NULL 2,NULL" {
		t.Errorf("%+v, %+v", got, e)
	}
}

// A sink that fails stops the statements, which then had no effect.
func TestSessionSinkFails(t *testing.T) {
	p := open(t)
	s := session(t, p)
	got := collected{fail: ErrTooLarge}
	e := s.Run(t.Context(), "INSERT INTO seen VALUES (1); SELECT n, pg_sleep(0.001) FROM generate_series(1, 100000) n", &got)
	if KindOf(e.Err) != SinkFailed || !errors.Is(e.Err, ErrTooLarge) || !e.Undone || len(got.rows) != 1 {
		t.Errorf("%+v, %d rows", e, len(got.rows))
	}
	if n := p.seen(t); n != 0 {
		t.Errorf("%d rows were written", n)
	}
}

// A sink that fails when the statements have ended already: they are done.
func TestSessionSinkTooLate(t *testing.T) {
	p := open(t)
	s := session(t, p)
	late := sinkFunc(func() error {
		for n := 0; n == 0; time.Sleep(time.Millisecond) {
			n = p.seen(t)
		}
		return ErrTooLarge
	})
	e := s.Run(t.Context(), "INSERT INTO seen VALUES (1); SELECT 1", late)
	if e.Err != nil || !errors.Is(e.Refused, ErrTooLarge) || e.Undone {
		t.Errorf("%+v", e)
	}
}

type sinkFunc func() error

func (f sinkFunc) Columns([]Column) error { return nil }
func (f sinkFunc) Row([][]byte) error     { return f() }

// Rows that do not come as text in UTF-8 are refused. The database says only at the end
// what a session has set.
func TestSessionForm(t *testing.T) {
	p := open(t)
	for _, sql := range []string{
		"SET client_encoding = 'LATIN1'; SELECT 'é'",
		"DECLARE c BINARY CURSOR FOR SELECT 1; FETCH ALL c",
	} {
		if e := session(t, p).Run(t.Context(), sql, &collected{}); !errors.Is(e.Err, ErrForm) && !errors.Is(e.Refused, ErrForm) {
			t.Errorf("%s: %+v", sql, e)
		}
	}
	if e := session(t, p).Run(t.Context(), "SET client_encoding = 'LATIN1'; CREATE TABLE x ()", &collected{}); e.Err != nil || e.Refused != nil {
		t.Errorf("no rows: %+v", e)
	}
}

// A login that takes on a role by itself, which sees less: its sessions are known and can
// be ended, and one that is used again has that role as a fresh one has.
func TestSessionWithRole(t *testing.T) {
	p := open(t)
	login := "l" + strings.ToLower(rand.Text())
	for _, sql := range []string{"CREATE ROLE NAME LOGIN", "CREATE ROLE NAME_group", "GRANT NAME_group TO NAME", "ALTER ROLE NAME SET role = 'NAME_group'"} {
		if _, err := p.watch.Exec(t.Context(), strings.ReplaceAll(sql, "NAME", login)); err != nil {
			t.Fatal(err)
		}
	}
	t.Cleanup(func() {
		_, _ = p.watch.Exec(context.Background(), "DROP ROLE "+login+", "+login+"_group")
	})
	config := p.watch.Config()
	source, err := Open("login", fmt.Sprintf("postgres://%s@%s:%d/%s?sslmode=disable", login, config.Host, config.Port, config.Database), SourceOptions{MaxConns: 1})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(source.Close)
	k := NewSessions(1)
	t.Cleanup(k.Close)
	for _, what := range []string{"fresh", "again"} {
		s, err := k.Take(t.Context(), source, SessionOptions{})
		if err != nil {
			t.Fatal(err)
		}
		var got collected
		if e := s.Run(t.Context(), "SELECT current_user, session_user", &got); e.Err != nil || got.rows[0] != login+"_group,"+login {
			t.Errorf("%s: %v, %+v", what, got.rows, e)
		}
		k.Give(s)
	}
	s, err := k.Take(t.Context(), source, SessionOptions{})
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan Ended)
	go func() { ended <- s.Run(context.Background(), "SELECT pg_sleep(60)", nil) }()
	p.asleep(t, s.Backend())
	if err := source.End(t.Context(), s.Backend()); err != nil {
		t.Fatal(err)
	}
	if e := <-ended; !e.Broken {
		t.Errorf("%+v", e)
	}
}

// A time limit may be longer than a setting of the database can be.
func TestSessionLongLimit(t *testing.T) {
	p := open(t)
	s, err := p.Session(t.Context(), SessionOptions{Timeout: 365 * 24 * time.Hour})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	if e := s.Run(t.Context(), "SELECT 1", nil); e.Err != nil {
		t.Error(e)
	}
	var out collected
	if _, err := p.Stream(t.Context(), Read{Statement: Statement{SQL: "SELECT 1"}, Timeout: 365 * 24 * time.Hour}, &out); err != nil {
		t.Error(err)
	}
}
