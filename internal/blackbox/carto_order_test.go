package blackbox

import (
	"strings"
	"testing"
)

// Section 5.8: the order of a user's jobs.
func TestCartoOrder(t *testing.T) {
	onQueues(t, func(t *testing.T, queue map[string]any) {
		s := newSite(t, queue)
		t.Run("C-077 one after the other", func(t *testing.T) {
			s := s.in(t)
			one, two := s.create(vizzuality, list(t, "select 1", "select 2")), s.create(vizzuality, list(t, "select 3"))
			one, two = s.wait(one).wantStates(t, "done [done done]"), s.wait(two).wantStates(t, "done [done]")
			if one.UpdatedAt >= two.UpdatedAt {
				t.Errorf("updated at %s and %s", one.UpdatedAt, two.UpdatedAt)
			}
		})
		t.Run("many, in the order they were sent", func(t *testing.T) {
			s := s.in(t)
			var last sqlJob
			var want []string
			for _, word := range strings.Split("abcdefghijklmnopqrst", "") {
				last = s.create(vizzuality, simple(t, "select pg_sleep(random() * 0.01); "+mark(word)))
				want = append(want, word)
			}
			s.wait(last)
			s.wantMarks(strings.Join(want, " "))
		})
		t.Run("the next waits for the job-level fallback", func(t *testing.T) {
			s := s.in(t)
			execute(t, s.db, "truncate mark")
			open := shut(t, s.db)
			one := s.create(vizzuality, toJSON(t, q("select 1", "select pg_advisory_xact_lock_shared(42); "+mark("one"), "")))
			two := s.create(vizzuality, simple(t, mark("two")))
			s.waitStates(one, "done/running")
			// A job of another user shows that workers are free.
			s.wait(s.create(boss, simple(t, "select 1")))
			s.read(two).wantStates(t, "pending")
			open()
			s.wait(two)
			s.wantMarks("one two")
		})
		t.Run("one at a time, exports beside", func(t *testing.T) {
			s := s.in(t)
			open := shut(t, s.db)
			key := bearer(masterKeys[vizzuality])
			one := s.create(vizzuality, simple(t, "select pg_advisory_xact_lock_shared(42)"))
			two := s.create(vizzuality, simple(t, "select 1"))
			s.waitStates(one, "running")
			s.export("/item?label=beside", key)
			s.wait(s.create(boss, simple(t, "select 1")))
			s.read(one).wantStates(t, "running")
			s.read(two).wantStates(t, "pending")
			open()
			s.wait(two).wantStates(t, "done")
		})
	})
}

// The same with two workers.
func TestCartoOrderOfTwoWorkers(t *testing.T) {
	t.Parallel()
	w := newWorld(t, redisQueue(t))
	s, other := w.start(t, false), w.start(t, false)
	for _, table := range []string{"C-078 ordered_inserts", "C-080 ordered_inserts_a"} {
		t.Run(table, func(t *testing.T) {
			s, other := s.in(t), other.in(t)
			_, table, _ := strings.Cut(table, " ")
			s.run(simple(t, "create table "+table+" (status numeric)")).wantStates(t, "done")
			insert := "insert into " + table + " values "
			one := s.create(vizzuality, list(t, insert+"(1)", "select pg_sleep(0.25)", insert+"(2)"))
			two := other.create(vizzuality, list(t, insert+"(3)"))
			one, two = s.wait(one).wantStates(t, "done [done done done]"), other.wait(two).wantStates(t, "done [done]")
			if one.UpdatedAt >= two.UpdatedAt {
				t.Errorf("updated at %s and %s", one.UpdatedAt, two.UpdatedAt)
			}
			var rows []string
			for _, row := range query(t, s.db, "TABLE "+table) {
				rows = append(rows, row[0])
			}
			if got := strings.Join(rows, " "); got != "1 2 3" {
				t.Errorf("rows %s", got)
			}
		})
	}
}

// One slot goes to the users in turn, a job each.
func TestCartoC242Turns(t *testing.T) {
	onQueues(t, func(t *testing.T, queue map[string]any) {
		s := newSite(t, with(queue, map[string]any{"batch.process.workers": map[string]any{"export": 1, "sql": 1}}))
		t.Run("C-242 in turn", func(t *testing.T) {
			s := s.in(t)
			open := shut(t, s.db)
			s.waitStates(s.create(boss, simple(t, "select pg_advisory_xact_lock_shared(42)")), "running")
			var jobs []sqlJob
			for _, user := range []string{vizzuality, cartodb250} {
				for _, n := range []string{"1", "2"} {
					jobs = append(jobs, s.create(user, list(t, mark(user[:1]+n), mark(user[:1]+n))))
				}
			}
			open()
			for _, j := range jobs {
				s.wait(j)
			}
			s.wantMarks("v1 v1 c1 c1 v2 v2 c2 c2")
		})
	})
}
