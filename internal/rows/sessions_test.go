package rows

import (
	"context"
	"errors"
	"testing"
	"time"
)

func (k *Sessions) kept() int {
	k.mu.Lock()
	defer k.mu.Unlock()
	return len(k.idle)
}

// A session that comes back is used again, and nothing of the work before is in it.
func TestSessionsReset(t *testing.T) {
	p := open(t)
	k := NewSessions(2)
	t.Cleanup(k.Close)
	first, err := k.Take(t.Context(), p.Source, SessionOptions{Application: "first", Timeout: time.Minute})
	if err != nil {
		t.Fatal(err)
	}
	for _, sql := range []string{
		"SET work_mem = '1MB'; SET search_path = nowhere; SET batch.job_id = 'x'",
		"CREATE TEMP TABLE own (n int); PREPARE mine AS SELECT 1; LISTEN something; SELECT pg_advisory_lock(7)",
		"DECLARE c CURSOR WITH HOLD FOR SELECT 1",
		"SET ROLE pg_read_all_stats",
	} {
		if e := first.Run(t.Context(), sql, nil); e.Err != nil {
			t.Fatal(sql, e.Err)
		}
	}
	k.Give(first)
	second, err := k.Take(t.Context(), p.Source, SessionOptions{Application: "second", Timeout: 2 * time.Minute})
	if err != nil {
		t.Fatal(err)
	}
	if first != second {
		t.Fatal("a fresh session, although one was kept")
	}
	var got collected
	e := second.Run(t.Context(), `SELECT current_setting('work_mem') <> '1MB', current_setting('search_path') <> 'nowhere', current_setting('batch.job_id', true),
		to_regclass('pg_temp.own'), (SELECT count(*) FROM pg_prepared_statements), (SELECT count(*) FROM pg_cursors), (SELECT count(*) FROM pg_listening_channels()),
		(SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND pid = pg_backend_pid()), current_user = session_user,
		current_setting('application_name'), current_setting('statement_timeout'), current_setting('lock_timeout')`, &got)
	if want := "t,t,,NULL,0,0,0,0,t,second,2min,0"; e.Err != nil || got.rows[0] != want {
		t.Errorf("%v, %+v; want %s", got.rows, e, want)
	}
	k.Give(second)
	k.Close()
	if k.Give(second); k.kept() != 0 {
		t.Error("kept after the end")
	}
}

// What cannot be trusted to be like new is not kept.
func TestSessionsRefuse(t *testing.T) {
	p := open(t)
	for name, work := range map[string]func(*Session){
		"stopped": func(s *Session) {
			ctx, cancel := context.WithCancel(t.Context())
			time.AfterFunc(50*time.Millisecond, cancel)
			if e := s.Run(ctx, "SELECT pg_sleep(60)", nil); KindOf(e.Err) != Cancelled {
				t.Error(e)
			}
		},
		"a sink that failed": func(s *Session) {
			s.Run(t.Context(), "SELECT 1", &collected{fail: errors.New("no")})
		},
		"an open transaction":  func(s *Session) { s.Run(t.Context(), "BEGIN", nil) },
		"ended":                func(s *Session) { s.Run(t.Context(), "SELECT pg_terminate_backend(pg_backend_pid())", nil) },
		"a life that was long": func(s *Session) { s.opened = s.opened.Add(-longestLife) },
	} {
		t.Run(name, func(t *testing.T) {
			k := NewSessions(2)
			t.Cleanup(k.Close)
			s, err := k.Take(t.Context(), p.Source, SessionOptions{})
			if err != nil {
				t.Fatal(err)
			}
			work(s)
			if k.Give(s); k.kept() != 0 {
				t.Error("kept")
			}
		})
	}
	t.Run("with settings", func(t *testing.T) {
		k := NewSessions(2)
		t.Cleanup(k.Close)
		s, err := k.Take(t.Context(), p.Source, SessionOptions{Settings: map[string]string{"batch.job_id": "x"}})
		if err != nil {
			t.Fatal(err)
		}
		if k.Give(s); k.kept() != 0 {
			t.Error("kept")
		}
	})
}

// Only so many are kept, the ones that came last; one whose server process has ended
// meanwhile is passed over; one that nobody takes is closed.
func TestSessionsKept(t *testing.T) {
	p := open(t)
	k := NewSessions(2)
	t.Cleanup(k.Close)
	var taken []*Session
	for range 3 {
		s, err := k.Take(t.Context(), p.Source, SessionOptions{})
		if err != nil {
			t.Fatal(err)
		}
		taken = append(taken, s)
	}
	for _, s := range taken {
		k.Give(s)
	}
	if n := k.kept(); n != 2 {
		t.Errorf("%d kept, want 2", n)
	}
	if err := p.End(t.Context(), taken[2].Backend()); err != nil {
		t.Fatal(err)
	}
	s, err := k.Take(t.Context(), p.Source, SessionOptions{})
	if err != nil || s != taken[1] {
		t.Errorf("%v, %v; want the second", s, err)
	}
	if other := k.take(p.Source, "somebody"); other != nil {
		t.Error("a session of another owner")
	}
	since := s.given
	k.Give(s)
	k.drop(s, since) // of the time before
	if n := k.kept(); n != 1 {
		t.Errorf("%d kept, want 1", n)
	}
	for k.kept() > 0 {
		time.Sleep(50 * time.Millisecond) // longestIdle
	}
}
