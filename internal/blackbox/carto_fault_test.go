package blackbox

import (
	"strings"
	"testing"
	"time"
)

// C-237 and drain: what was done stays done, the rest is pending until the next worker.
func TestCartoC237Drain(t *testing.T) {
	t.Parallel()
	w := newWorld(t, redisQueue(t))
	front, worker := w.start(t, true), w.start(t, false)
	open := shut(t, w.db)
	t.Run("C-237 a worker that stops", func(t *testing.T) {
		s := front.in(t)
		j := s.create(vizzuality, list(t, mark("1"), mark("2")+"; select pg_advisory_xact_lock_shared(42)", mark("3")))
		next := s.create(vizzuality, simple(t, mark("4")))
		before := s.waitStates(j, "running [done running pending]")
		worker.stop()
		s.read(j).wantStates(t, "pending [done pending pending]")
		s.wantMarks("1")
		open()
		w.start(t, false)
		after := s.wait(j).wantStates(t, "done [done done done]")
		if after.CreatedAt != before.CreatedAt || after.UpdatedAt <= before.UpdatedAt {
			t.Errorf("%s\n%s", before.answer.body, after.answer.body)
		}
		s.wait(next)
		// A number of the sequence went with what was undone.
		s.wantMarks("1 2 3 4")
	})
}

// A step that began when its connection was lost may have had an effect.
func TestCartoC239DatabaseLost(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	way, through := newLine(t, w.login(t, w.db, vizzuality))
	w.settings["dataSources.vizzuality.url"] = through
	s := w.start(t, false)
	t.Run("C-239 lost while a step runs", func(t *testing.T) {
		s := s.in(t)
		// What clears up does so when nothing works against it any more.
		alone := "insert into mark (word) select 'step' || count(*) from pg_stat_activity where state = 'active' and query like 'select pg_sleep(600)%'"
		j := s.create(vizzuality, nested(t, "", mark("job"), q("select pg_sleep(600)", mark("no"), alone), q(mark("no"), "", "")))
		s.eventually("the backend runs it", func() bool { return len(s.backends()) == 1 })
		way.cut()
		time.Sleep(100 * time.Millisecond) // shorter than the database takes to notice
		way.mend()
		j = s.waitStates(j, "failed/done [unknown/done skipped]")
		if !strings.Contains(j.FailedReason, "unknown") || j.FailedReason != j.steps(t)[0].FailedReason {
			t.Errorf("%s", j.answer.body)
		}
		// The database itself notices that nobody is there.
		s.wantIdle()
		s.wantMarks("step0 job")
	})
	t.Run("a repeatable step is run again", func(t *testing.T) {
		s := s.in(t)
		execute(t, s.db, "truncate mark")
		open := shut(t, s.db)
		j := s.create(vizzuality, `{"query": ["`+mark("1")+`", {"query": "select pg_advisory_xact_lock_shared(42)", "repeatable": true}, "`+mark("3")+`"]}`)
		s.waitStates(j, "running [done running pending]")
		s.eventually("the backend runs it", func() bool { return len(s.backends()) == 1 })
		way.cut()
		time.Sleep(200 * time.Millisecond)
		way.mend()
		open()
		s.wait(j).wantStates(t, "done [done done done]")
		s.wantMarks("1 3")
	})
	t.Run("down when a job is to start", func(t *testing.T) {
		s := s.in(t)
		execute(t, s.db, "truncate mark")
		way.cut()
		j := s.create(vizzuality, list(t, mark("1"), mark("2")))
		time.Sleep(500 * time.Millisecond)
		s.read(j)
		way.mend()
		s.wait(j).wantStates(t, "done [done done]")
		s.wantMarks("1 2")
	})
	t.Run("a backend that ends itself", func(t *testing.T) {
		s := s.in(t)
		execute(t, s.db, "truncate mark")
		j := s.run(list(t, mark("undone")+"; select pg_terminate_backend(pg_backend_pid())", mark("no")))
		if j.Status != "failed" || j.FailedReason == "" {
			t.Errorf("%s", j.answer.body)
		}
		s.wantMarks("")
	})
}
