package queuetest

import (
	"testing"

	"slashbatch/queue"
)

func testRelease(t *testing.T, open Open) {
	tell(t, open, []story{
		{name: "a released job is pending at its place", run: func(f *fixture) { // C-083, C-098, C-100, S-029, S-048
			ids := f.add("ann", 2)
			h, c := f.claim(queue.LaneExport)
			f.must(f.beat(queue.Beat{Holder: h, Steps: []byte(`["done","running"]`)}))
			f.must(f.Release(f.ctx, h))
			j := f.get(ids[0], queue.Pending)
			if !j.Started.IsZero() || !j.Ended.IsZero() || j.Attempt != 1 || j.Crashes != 0 || j.Failures != 0 {
				f.Errorf("started %v, ended %v, attempt %d, crashes %d, failures %d", j.Started, j.Ended, j.Attempt, j.Crashes, j.Failures)
			}
			if !j.Submitted.Equal(c.Job.Submitted) || j.Order != c.Job.Order || j.Standing.Index != 0 {
				f.Errorf("submitted %v, order %d, index %d", j.Submitted, j.Order, j.Standing.Index)
			}
			h, c = f.claim(queue.LaneExport) // C-237: done steps stay known
			if h.Job != ids[0] || string(c.Job.Steps) != `["done","running"]` {
				f.Errorf("claimed %s with steps %q, want %s", h.Job, c.Job.Steps, ids[0])
			}
		}},
		{name: "a release can be repeated", run: func(f *fixture) {
			ids := f.add("ann", 2)
			h := f.take(ids[0])
			f.must(f.Release(f.ctx, h))
			f.must(f.Release(f.ctx, h))
			if n := f.snapshot().Lanes[queue.LaneExport].Lines[0]; n.Pending != 2 || n.Running != 0 {
				f.Errorf("%+v, want two pending", n)
			}
			f.finish(f.take(ids[0]))
			f.finish(f.take(ids[1]))
			f.nothing()
		}},
		{name: "jobs given back go to the head, the last one first", run: func(f *fixture) {
			var ids []string
			var held []queue.Holder
			for range 4 {
				s := export("ann")
				s.RunningCap = 3
				ids = append(ids, f.enqueue(s).ID)
			}
			for _, id := range ids[:3] {
				held = append(held, f.take(id))
			}
			for i := len(held) - 1; i >= 0; i-- { // as a draining worker does
				f.must(f.Release(f.ctx, held[i]))
			}
			for i, id := range ids[:3] {
				if index := f.get(id, queue.Pending).Standing.Index; index != i {
					f.Errorf("job %d is at index %d", i, index)
				}
			}
			for i, id := range ids[:3] {
				held[i] = f.take(id)
			}
			f.must(f.Release(f.ctx, held[0]))
			f.must(f.Release(f.ctx, held[1]))
			f.take(ids[1])
			f.take(ids[0])
		}},
		{name: "a release does not move the list in line", run: func(f *fixture) {
			a := f.add("ann", 1)
			h := f.take(a[0]) // ann goes to the end, of which bob is behind
			b := f.add("bob", 1)
			f.must(f.Release(f.ctx, h))
			h = f.take(a[0]) // behind bob now
			f.must(f.Release(f.ctx, h))
			f.take(b[0])
		}},
		{name: "a given back job is not refused by the queued cap", run: func(f *fixture) {
			s := export("ann")
			s.QueuedCap = 1
			h := f.take(f.enqueue(s).ID)
			s.ID = export("").ID
			f.enqueue(s)
			f.must(f.Release(f.ctx, h))
			s.ID = export("").ID
			full(f, s, 2)
		}},
	})
}

func testFail(t *testing.T, open Open) {
	fail := func(f *fixture, h queue.Holder, retry bool, want queue.State) {
		f.Helper()
		got, err := f.Fail(f.ctx, h, queue.Failure{Reason: "disk full", Retry: retry, Outcome: []byte(`{"code":1}`)})
		f.must(err)
		if got != want {
			f.Fatalf("Fail: %s, want %s", got, want)
		}
	}
	tell(t, open, []story{
		{name: "a failed job is final", run: func(f *fixture) { // S-033, R-083, R-087
			id := f.add("ann", 1)[0]
			h := f.take(id)
			fail(f, h, false, queue.Failed)
			fail(f, h, false, queue.Failed) // repeated
			j := f.get(id, queue.Failed)
			if j.Error != "disk full" || j.Failures != 1 || j.Crashes != 0 || j.Ended.IsZero() || string(j.Outcome) != `{"code":1}` {
				f.Errorf("error %q, failures %d, crashes %d, ended %v, outcome %q", j.Error, j.Failures, j.Crashes, j.Ended, j.Outcome)
			}
			f.nothing()
			if lines := f.snapshot().Lanes[queue.LaneExport].Lines; len(lines) != 0 {
				f.Errorf("lines %+v, want none", lines)
			}
		}},
		{name: "a retry is at the head, up to the submission's number", run: func(f *fixture) {
			s := export("ann")
			s.Retry = 2
			f.enqueue(s)
			f.add("ann", 1)
			for attempt := 1; attempt <= 2; attempt++ {
				fail(f, f.take(s.ID), true, queue.Pending)
				j := f.get(s.ID, queue.Pending)
				if j.Failures != attempt || j.Error != "disk full" || !j.Started.IsZero() || !j.Ended.IsZero() || j.Standing.Index != 0 {
					f.Fatalf("after failure %d: %+v", attempt, j)
				}
			}
			h, c := f.claim(queue.LaneExport)
			if c.Job.ID != s.ID || c.Job.Error != "" || c.Job.Attempt != 3 || c.Job.Failures != 2 {
				f.Errorf("claimed %+v, want the job without its error, attempt 3, failures 2", c.Job)
			}
			fail(f, h, true, queue.Failed)
			if j := f.get(s.ID, queue.Failed); j.Failures != 3 {
				f.Errorf("failures %d, want 3", j.Failures)
			}
		}},
		{name: "a caller that wants no retry gets none", run: func(f *fixture) {
			s := export("ann")
			s.Retry = 5
			fail(f, f.take(f.enqueue(s).ID), false, queue.Failed)
		}},
		{name: "a repeated failure counts once, also when others claimed since", run: func(f *fixture) {
			s := export("ann")
			s.Retry = 1
			f.enqueue(s)
			h := f.take(s.ID)
			fail(f, h, true, queue.Pending)
			fail(f, h, true, queue.Pending)
			if j := f.get(s.ID, queue.Pending); j.Failures != 1 {
				f.Errorf("failures %d, want 1", j.Failures)
			}
			next := f.take(s.ID)
			fail(f, h, true, queue.Pending)
			if j := f.get(s.ID, queue.Running); j.Failures != 1 || j.Error != "" {
				f.Errorf("failures %d, error %q", j.Failures, j.Error)
			}
			f.finish(next)
		}},
		{name: "a retry does not move the list in line", run: func(f *fixture) {
			s := export("ann")
			s.Retry = 1
			f.enqueue(s)
			h := f.take(s.ID)
			b := f.add("bob", 1)
			fail(f, h, true, queue.Pending)
			f.take(s.ID)
			f.take(b[0])
		}},
		{name: "a job that failed and then succeeded is done", run: func(f *fixture) {
			s := export("ann")
			s.Retry = 1
			f.enqueue(s)
			fail(f, f.take(s.ID), true, queue.Pending)
			f.must(f.Finish(f.ctx, f.take(s.ID), queue.Success{Outcome: []byte("ok")}))
			if j := f.get(s.ID, queue.Done); j.Error != "" || string(j.Outcome) != "ok" {
				f.Errorf("error %q, outcome %q", j.Error, j.Outcome)
			}
		}},
	})
}
