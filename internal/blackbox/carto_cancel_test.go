package blackbox

import (
	"net/http"
	"strings"
	"testing"
	"time"
)

// Section 5.8: cancel.
func TestCartoCancel(t *testing.T) {
	onQueues(t, func(t *testing.T, queue map[string]any) {
		s := newSite(t, queue)
		const long = "select pg_sleep(600)"
		refused := func(t *testing.T, s site, j sqlJob, text string) {
			t.Helper()
			before := s.read(j)
			s.cancel(j).wantError(t, http.StatusBadRequest, text)
			after := s.read(j)
			after.wantStates(t, before.states(t))
			if after.FailedReason != before.FailedReason {
				t.Errorf("a refused cancel made of %s: %s", before.answer.body, after.answer.body)
			}
		}
		t.Run("C-072 a done job", func(t *testing.T) {
			s := s.in(t)
			refused(t, s, s.run(simple(t, t4)), "Cannot set status from done to cancelled")
		})
		t.Run("C-072 as soon as it is done", func(t *testing.T) {
			s := s.in(t)
			for range 20 {
				j := s.create(vizzuality, list(t, "select 1 as a", "select 2 as b"))
				for j.Status != "done" {
					j = s.read(j)
				}
				s.cancel(j).wantError(t, http.StatusBadRequest, "Cannot set status from done to cancelled")
				s.read(j).wantStates(t, "done [done done]")
				if got := s.result(j).body; got != "b\r\n2\r\n" {
					t.Errorf("then the result is %q", got)
				}
			}
		})
		t.Run("C-221 a failed job", func(t *testing.T) {
			s := s.in(t)
			refused(t, s, s.run(simple(t, nx)), "Cannot set status from failed to cancelled")
			refused(t, s, s.run(list(t, t4, nx)), "Cannot set status from failed to cancelled")
		})
		t.Run("C-073 twice", func(t *testing.T) {
			s := s.in(t)
			j := s.waitStates(s.create(vizzuality, simple(t, t4+"; "+long)), "running")
			s.cancelled(j).wantStates(t, "cancelled")
			refused(t, s, j, "Cannot set status from cancelled to cancelled")
		})
		t.Run("C-074 the second of two first", func(t *testing.T) {
			s := s.in(t)
			one, two := s.create(vizzuality, simple(t, t4+"; "+long)), s.create(vizzuality, simple(t, t4))
			one = s.waitStates(one, "running")
			s.read(two).wantStates(t, "pending")
			s.cancelled(two).wantStates(t, "cancelled")
			s.cancelled(one).wantStates(t, "cancelled")
		})
		t.Run("C-075 quotes in the query", func(t *testing.T) {
			s := s.in(t)
			j := s.create(vizzuality, simple(t, "SELECT name FROM untitle_table_4 WHERE name = 'Hawai'; "+long))
			s.cancelled(s.waitStates(j, "running")).wantStates(t, "cancelled")
		})
		t.Run("C-076 an array", func(t *testing.T) {
			s := s.in(t)
			j := s.waitStates(s.create(vizzuality, list(t, long, mark("C-076"), mark("C-076"))), "running [running pending pending]")
			s.cancelled(j).wantStates(t, "cancelled [cancelled skipped skipped]")
			refused(t, s, j, "Cannot set status from cancelled to cancelled")
		})
		t.Run("C-216 with fallbacks", func(t *testing.T) {
			s := s.in(t)
			j := s.create(vizzuality, nested(t, mark("no"), mark("no"), q(long, mark("no"), mark("no")), q(mark("no"), mark("no"), "")))
			s.waitStates(j, "running/pending [running/pending pending/pending]")
			s.cancelled(j).wantStates(t, "cancelled/skipped [cancelled/skipped skipped/skipped]")
			s.run(simple(t, "select 1"))
			s.read(j).wantStates(t, "cancelled/skipped [cancelled/skipped skipped/skipped]")
		})
		t.Run("cancel during a step's fallback", func(t *testing.T) {
			s := s.in(t)
			j := s.create(vizzuality, nested(t, mark("no"), "", q("select 1", long, ""), q(mark("no"), mark("no"), "")))
			s.waitStates(j, "running/pending [done/running pending/pending]")
			s.cancelled(j).wantStates(t, "cancelled/skipped [done/cancelled skipped/skipped]")
			s.cancel(j).wantCode(t, http.StatusBadRequest)
		})
		t.Run("C-220 during the job-level fallback", func(t *testing.T) {
			s := s.in(t)
			j := s.create(vizzuality, nested(t, long, "", q("select 1", "", "")))
			s.waitStates(j, "done/running [done]")
			s.cancelled(j).wantStates(t, "done/cancelled [done]")
			s.run(simple(t, "select 1"))
			s.read(j).wantStates(t, "done/cancelled [done]")
		})
		s.run(simple(t, "select 1"))
		s.wantMarks("")
	})
}

// A pending job leaves at once and never runs.
func TestCartoCancelPending(t *testing.T) {
	onQueues(t, func(t *testing.T, queue map[string]any) {
		s := newSite(t, queue)
		open := shut(t, s.db)
		first := s.waitStates(s.create(vizzuality, simple(t, "select pg_advisory_xact_lock_shared(42)")), "running")
		array := s.create(vizzuality, list(t, mark("C-215"), mark("C-215"), mark("C-215")))
		fallback := s.create(vizzuality, nested(t, mark("no"), "", q(mark("no"), mark("no"), ""), q(mark("no"), "", mark("no"))))
		last := s.create(vizzuality, simple(t, mark("last")))
		t.Run("C-215 multiple", func(t *testing.T) {
			s := s.in(t)
			s.cancelled(array).wantStates(t, "cancelled [cancelled skipped skipped]")
			s.cancel(array).wantError(t, http.StatusBadRequest, "Cannot set status from cancelled to cancelled")
		})
		t.Run("C-217 with fallbacks", func(t *testing.T) {
			s := s.in(t)
			s.cancelled(fallback).wantStates(t, "cancelled/skipped [cancelled/skipped skipped/skipped]")
			s.cancel(fallback).wantError(t, http.StatusBadRequest, "Cannot set status to cancelled")
		})
		open()
		s.wait(first).wantStates(t, "done")
		s.wait(last).wantStates(t, "done")
		s.wantMarks("last")
		s.read(array).wantStates(t, "cancelled [cancelled skipped skipped]")
		s.read(fallback).wantStates(t, "cancelled/skipped [cancelled/skipped skipped/skipped]")
	})
}

// The database stops working on what was cancelled, and nothing after it runs.
func TestCartoCancelEndsTheBackend(t *testing.T) {
	onQueues(t, func(t *testing.T, queue map[string]any) {
		s := newSite(t, queue)
		for name, query := range map[string]string{
			"sleeping": "select pg_sleep(600)",
			"working":  "select count(*) from generate_series(1, 1000000000000)",
			"caught":   "do $$ begin loop begin perform pg_sleep(600); exception when query_canceled then null; end; end loop; end $$",
		} {
			t.Run(name, func(t *testing.T) {
				s := s.in(t)
				j := s.create(vizzuality, nested(t, mark("no"), mark("no"), q(mark("undone")+"; "+query, mark("no"), mark("no")), q(mark("no"), "", mark("no"))))
				s.eventually("the backend runs it", func() bool { return strings.Contains(strings.Join(s.backends(), "\n"), query) })
				s.cancelled(j).wantStates(t, "cancelled/skipped [cancelled/skipped skipped/skipped]")
				asked := time.Now()
				s.wantIdle()
				// Meant is a second; the bound allows for a busy machine.
				if took := time.Since(asked); name != "caught" && took > 10*time.Second {
					t.Errorf("the backend went on for %v", took)
				}
				s.run(simple(t, "select 1")).wantStates(t, "done")
				s.wantMarks("")
			})
		}
		t.Run("between its steps", func(t *testing.T) {
			s := s.in(t)
			for range 10 {
				j := s.create(vizzuality, list(t, "select 1", "select 2", "select 3", "select pg_sleep(600)", mark("no")))
				s.until(j, "running", func(j sqlJob) bool { return j.Status == "running" })
				if j := s.cancelled(j); j.Status != "cancelled" {
					t.Errorf("%s", j.answer.body)
				}
			}
			s.run(simple(t, "select 1")).wantStates(t, "done")
			s.wantIdle()
			s.wantMarks("")
		})
	})
}
