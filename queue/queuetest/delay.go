package queuetest

import (
	"testing"
	"time"

	"slashbatch/queue"
)

// retryable submits a job that may be tried again.
func (f *fixture) retryable(user string) string {
	f.Helper()
	s := export(user)
	s.Retry = 2
	return f.enqueue(s).ID
}

func testDelay(t *testing.T, open Open) {
	tell(t, open, []story{
		{name: "a job that waits for a retry is pending outside its list", run: func(f *fixture) {
			id := f.retryable("ann")
			next := f.add("ann", 2)
			h, c := f.claim(queue.LaneExport)
			f.must(f.beat(queue.Beat{Holder: h, Steps: []byte("steps")}))
			f.must(f.Seal(f.ctx, h))
			f.retry(h, time.Hour)
			j, s := f.get(id, queue.Pending), f.snapshot()
			if left := j.Standing.NotBefore.Sub(s.Now); left > time.Hour || left < time.Hour-patience {
				f.Errorf("not before %v from now, want an hour", left)
			}
			if !j.Started.IsZero() || !j.Ended.IsZero() || j.Sealed || j.Attempt != 1 || j.Failures != 1 ||
				j.Error != "not yet" || string(j.Steps) != "steps" || j.Order != c.Job.Order {
				f.Errorf("%+v", j)
			}
			if n := s.Lanes[queue.LaneExport]; len(n.Lines) != 1 || n.Lines[0].Pending != 2 || n.Lines[0].Running != 0 ||
				n.Lines[0].Estimates != 2*time.Second || len(n.Runs) != 0 {
				f.Errorf("%+v, want the two others pending", n)
			}
			f.stands(id, "ann", 0)
			for i, id := range next {
				f.stands(id, "ann", i)
			}
			for _, id := range next { // later jobs pass, one at a time
				h := f.take(id)
				f.nothing()
				f.finish(h)
			}
			f.nothing()
			f.get(id, queue.Pending)
		}},
		{name: "a list that holds nothing else is in nobody's way", run: func(f *fixture) {
			id := f.retryable("ann")
			f.retry(f.take(id), time.Hour)
			for _, l := range f.snapshot().Lanes[queue.LaneExport].Lines {
				if l.Pending != 0 || l.Running != 0 {
					f.Errorf("line %+v", l)
				}
			}
			bob := f.add("bob", 1)[0]
			if p, eta := f.position(bob); p != 1 || eta != time.Second {
				f.Errorf("position %d, eta %v; want 1, 1s", p, eta)
			}
			if _, eta := f.position(id); eta > time.Hour+time.Second || eta < time.Hour-patience {
				f.Errorf("eta %v of the waiting job, want an hour and a second", eta)
			}
		}},
		{name: "it counts against the queued cap and not as running", run: func(f *fixture) {
			id := f.retryable("ann")
			f.retry(f.take(id), time.Hour)
			s := export("ann")
			s.QueuedCap = 1
			full(f, s, 1)
			s.QueuedCap = 2
			f.take(f.enqueue(s).ID) // the running cap is 1
			s.ID = export("").ID
			f.enqueue(s)
			s.ID = export("").ID
			full(f, s, 2)
		}},
		{name: "it frees its source", run: func(f *fixture) {
			f.must(f.SetCapacities(f.ctx, map[string]int{"pg": 1}))
			s := export("ann")
			s.Source, s.Retry = "pg", 1
			h := f.take(f.enqueue(s).ID)
			s = export("bob")
			s.Source = "pg"
			f.enqueue(s)
			f.nothing()
			f.retry(h, time.Hour)
			f.take(s.ID)
		}},
		{name: "its list keeps its place in line", run: func(f *fixture) {
			f.retry(f.take(f.retryable("A")), time.Hour)
			f.add("B", 1)
			f.add("C", 1)
			f.add("A", 1) // a list that has work stays where it is
			if got := f.drainOrder(); got != "ABC" {
				f.Errorf("served %s, want ABC", got)
			}
		}},
		{name: "it comes back to the head, not before its time", run: func(f *fixture) {
			id := f.retryable("ann")
			next := f.add("ann", 2)
			f.retry(f.take(id), 200*time.Millisecond)
			f.join(id, "bob", 1, "ann")
			due := f.get(id, queue.Pending).Standing.NotBefore
			for end := time.Now().Add(patience); ; {
				before := f.snapshot().Now
				_, err := f.Sweep(f.ctx)
				f.must(err)
				back := f.due(id)()
				if back && f.snapshot().Now.Before(due) {
					f.Fatal("back before its time")
				}
				if back {
					break
				}
				if !before.Before(due) {
					f.Fatal("still away after a sweep that came later than its time")
				}
				if time.Now().After(end) {
					f.Fatal("never due")
				}
			}
			for i, id := range append([]string{id}, next...) {
				f.stands(id, "ann", i)
			}
			h, c := f.claim(queue.LaneExport)
			if c.Job.ID != id || c.Job.Attempt != 2 || c.Job.Failures != 1 || c.Job.Error != "" {
				f.Errorf("claimed %+v, want the job without its error", c.Job)
			}
			f.finish(h)
		}},
		{name: "also by a sweep that only extends leases", run: func(f *fixture) {
			id := f.retryable("ann")
			f.retry(f.take(id), time.Millisecond)
			due := f.get(id, queue.Pending).Standing.NotBefore
			f.eventually("its time has come", func() bool { return !f.snapshot().Now.Before(due) })
			_, err := f.Sweep(f.ctx) // the first one, and so one after a gap
			f.must(err)
			f.stands(id, "ann", 0)
			f.take(id)
		}},
		{name: "several come back, each to its list", run: func(f *fixture) {
			waiting := map[string]string{}
			for i, user := range []string{"ann", "bob", "ann", "bob", "ann"} {
				id := f.retryable(user)
				f.retry(f.take(id), time.Duration(100-20*i)*time.Millisecond)
				waiting[id] = user
			}
			f.add("ann", 2)
			f.add("bob", 1)
			for id, user := range waiting {
				f.sweepUntil("the retry is due", f.due(id))
				heads := map[string]int{"ann": 3, "bob": 2}
				if j := f.get(id, queue.Pending); j.User != user || j.Standing.Index >= heads[user] {
					f.Errorf("job of %s at index %d of %s's", user, j.Standing.Index, j.User)
				}
			}
			for range waiting {
				h, c := f.claim(queue.LaneExport)
				if c == nil || waiting[h.Job] == "" {
					f.Fatalf("claimed %+v, want one of those that came back", c)
				}
				delete(waiting, h.Job)
				f.must(f.Finish(f.ctx, h, queue.Success{}))
				if len(waiting) == 1 {
					break // the last one has newer jobs of other users before it
				}
			}
		}},
		{name: "a return wakes and is told", run: func(f *fixture) {
			id := f.retryable("ann")
			h := f.take(id)
			events := subscribe(f)
			f.retry(h, 50*time.Millisecond)
			until(f, events, changed(id, queue.Pending))
			f.sweepUntil("the retry is due", f.due(id))
			until(f, events, wake("ann"))
		}},
		{name: "it can be cancelled", run: func(f *fixture) {
			s := keyed("A", "k", "")
			s.Retry, s.QueuedCap = 1, 1
			id := f.enqueue(s).ID
			f.retry(f.take(id), 20*time.Millisecond)
			due := f.get(id, queue.Pending).Standing.NotBefore
			e, err := f.Enqueue(f.ctx, keyed("A", "k", "")) // its key is taken
			f.must(err)
			if e.Created || e.Job.ID != id || !e.Job.Standing.NotBefore.Equal(due) {
				f.Errorf("created %v, %+v; want the waiting job", e.Created, e.Job)
			}
			f.add("B", 1)
			f.cancel(id, queue.Removed)
			f.cancel(id, queue.TooLate)
			f.eventually("its time has come", func() bool { return !f.snapshot().Now.Before(due) })
			_, err = f.Sweep(f.ctx)
			f.must(err)
			f.get(id, queue.Cancelled)
			s.ID, s.After = export("").ID, id
			f.enqueue(s)                            // no cap is in its way, and its list
			if got := f.drainOrder(); got != "BA" { // has lost its place
				f.Errorf("served %s, want BA", got)
			}
		}},
		{name: "the last to leave cancels it", run: func(f *fixture) {
			id := f.retryable("ann")
			f.retry(f.take(id), time.Hour)
			f.join(id, "bob", 1, "ann")
			f.leave(id, "bob", queue.StillWanted)
			f.leave(id, "ann", queue.Removed)
			f.get(id, queue.Cancelled)
			f.add("ann", 1)
			f.take("")
		}},
		{name: "a repeated failure does not make it wait longer", run: func(f *fixture) {
			id := f.retryable("ann")
			h := f.take(id)
			f.retry(h, time.Hour)
			j := f.get(id, queue.Pending)
			time.Sleep(2 * time.Millisecond)
			f.retry(h, time.Hour)
			if again := f.get(id, queue.Pending); again.Failures != 1 || !again.Standing.NotBefore.Equal(j.Standing.NotBefore) {
				f.Errorf("failures %d, not before %v, want %v", again.Failures, again.Standing.NotBefore, j.Standing.NotBefore)
			}
		}},
		{name: "no wait after the last failure", run: func(f *fixture) {
			s := export("ann")
			s.Retry = 1
			f.enqueue(s)
			f.retry(f.take(s.ID), time.Millisecond)
			f.sweepUntil("the retry is due", f.due(s.ID))
			state, err := f.Fail(f.ctx, f.take(s.ID), queue.Failure{Reason: "no", Retry: true, After: time.Hour})
			f.must(err)
			if state != queue.Failed {
				f.Errorf("Fail: %s, want failed", state)
			}
			f.get(s.ID, queue.Failed)
		}},
	})
}
