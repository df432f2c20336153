package blackbox

import (
	"strings"
	"testing"
	"time"
)

const timeoutReason = "canceling statement due to statement timeout"

// timed is a job of one step with a timeout, as JSON has it.
func timed(t *testing.T, query, timeout string) string {
	t.Helper()
	return `{"query": {"query": [{"query": ` + toJSON(t, query) + `, "timeout": ` + timeout + `}]}}`
}

// Section 5.7.
func TestCartoTimeouts(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.limits(cartodb250, map[string]any{"queryTimeout": "200ms"})
	s := w.start(t, false)
	run := func(t *testing.T, user, definition string) sqlJob {
		s := s.in(t)
		return s.wait(s.create(user, definition))
	}
	t.Run("C-067 a user's timeout", func(t *testing.T) {
		j := run(t, cartodb250, simple(t, "select pg_sleep(600)"))
		if j.Status != "failed" || j.FailedReason != timeoutReason {
			t.Errorf("%s", j.answer.body)
		}
	})
	t.Run("C-068 soon enough", func(t *testing.T) {
		run(t, vizzuality, timed(t, "select pg_sleep(0.1)", "20000")).wantStates(t, "done [done]")
	})
	t.Run("C-069 a step's timeout", func(t *testing.T) {
		run(t, vizzuality, timed(t, "select pg_sleep(600)", "50")).wantStates(t, "failed [failed]").wantReasons(t, timeoutReason, timeoutReason)
	})
	t.Run("C-070 a step's timeout only lowers", func(t *testing.T) {
		run(t, cartodb250, timed(t, "select pg_sleep(600)", "600000")).wantReasons(t, timeoutReason, timeoutReason)
	})
	t.Run("C-230 no number, no timeout", func(t *testing.T) {
		for _, none := range []string{`"50"`, "0", "-1"} {
			run(t, vizzuality, timed(t, "select pg_sleep(0.2)", none)).wantStates(t, "done [done]")
		}
	})
	t.Run("C-231 not for the fallback", func(t *testing.T) {
		j := run(t, vizzuality, `{"query": [{"query": "select 1", "timeout": 300, "onsuccess": "select pg_sleep(0.6); `+mark("after")+`"}]}`)
		j.wantStates(t, "done [done/done]")
	})
	t.Run("the user's own is also for fallbacks", func(t *testing.T) {
		j := run(t, cartodb250, nested(t, "", "select pg_sleep(600)", q("select 1 / 0", "", "select pg_sleep(600)")))
		j.wantStates(t, "failed/failed [failed/failed]")
		if step := j.steps(t)[0]; step.FallbackFailedReason != timeoutReason || j.FallbackFailedReason != timeoutReason || j.FailedReason != "division by zero" {
			t.Errorf("%s", j.answer.body)
		}
	})
	t.Run("a whole step, not a statement", func(t *testing.T) {
		nap := strings.Repeat("select pg_sleep(0.3); ", 100)
		run(t, vizzuality, timed(t, nap, "700")).wantReasons(t, timeoutReason, timeoutReason)
	})
	t.Run("the onerror of a step that timed out", func(t *testing.T) {
		s := s.in(t)
		s.run(`{"query": [{"query": "select pg_sleep(600)", "timeout": 50, "onerror": "insert into mark (word) values ('<%= error_message %>')"}, "`+mark("never")+`"]}`).
			wantStates(t, "failed [failed/done skipped]")
		s.wantMarks("after " + timeoutReason)
	})
}

// SQL can turn off the database's own timeout and catch its error; the worker's
// clock stands above both.
func TestCartoTimeoutAgainstResistance(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	for name, query := range map[string]string{
		"turned off":               "set statement_timeout = 0; select pg_sleep(60)",
		"turned off for the role":  "alter role current_user set statement_timeout = 0; commit; select pg_sleep(60)",
		"turned off by the caller": "select set_config('statement_timeout', '0', false), pg_sleep(60)",
		"caught":                   "set statement_timeout = 0; do $$ begin loop begin perform pg_sleep(60); exception when query_canceled then null; end; end loop; end $$",
	} {
		t.Run(name, func(t *testing.T) {
			s := s.in(t)
			began := time.Now()
			j := s.run(`{"query": [{"query": ` + toJSON(t, query) + `, "timeout": 1000, "onerror": "` + mark("onerror") + `"}]}`)
			j.wantStates(t, "failed [failed/done]").wantReasons(t, timeoutReason, timeoutReason)
			if took := time.Since(began); took > 20*time.Second {
				t.Errorf("took %v", took)
			}
			s.wantIdle()
		})
	}
	s.wantMarks("onerror onerror onerror onerror")
}

// backends are the statements that the users' roles run now.
func (s site) backends() []string {
	s.t.Helper()
	var texts []string
	for _, role := range s.world.roles {
		for _, row := range query(s.t, s.db, "select query from pg_stat_activity where state = 'active' and datname = current_database() and usename = '"+role+"'") {
			texts = append(texts, row[0])
		}
	}
	return texts
}

// wantIdle waits until no role runs anything.
func (s site) wantIdle() {
	s.t.Helper()
	s.eventually("the backends have ended", func() bool { return len(s.backends()) == 0 })
}
