package queuetest

import (
	"testing"
	"time"

	"slashbatch/queue"
)

// configured is an estimate that no run of these tests comes near.
const configured = 1000 * time.Second

// classed is an export of a class.
func classed(class string) queue.Submission {
	s := export("ann")
	s.Class, s.Estimate = class, configured
	return s
}

// run runs a job of a class for at least a while and returns how long it took
// by the backend's clock.
func (f *fixture) run(class string, atLeast time.Duration, measured bool) time.Duration {
	f.Helper()
	id := f.enqueue(classed(class)).ID
	h := f.take(id)
	time.Sleep(atLeast)
	s := queue.Success{Measured: measured}
	f.must(f.Finish(f.ctx, h, s))
	f.must(f.Finish(f.ctx, h, s)) // once more counts for nothing
	j := f.get(id, queue.Done)
	return j.Ended.Sub(j.Started)
}

// estimate is what a new job of a class is given.
func (f *fixture) estimate(class string) time.Duration {
	f.Helper()
	j := f.enqueue(classed(class))
	f.cancel(j.ID, queue.Removed)
	return j.Estimate
}

func testEstimates(t *testing.T, open Open) {
	// A job's times are whole milliseconds, which a backend may round before or
	// after it takes their difference.
	const rounding = 2 * time.Millisecond
	near := func(f *fixture, what string, got, want time.Duration) {
		f.Helper()
		if got > want+rounding || got < want-rounding {
			f.Errorf("%s: estimate %v, want %v", what, got, want)
		}
	}
	tell(t, open, []story{
		{name: "the mean of up to eight runs, then an eighth each", run: func(f *fixture) {
			near(f, "before any run", f.estimate("c"), configured)
			var mean time.Duration
			var runs int
			for _, atLeast := range []time.Duration{150, 0, 0, 60, 0, 0, 0, 0, 400, 0} {
				took := f.run("c", atLeast*time.Millisecond, true)
				mean, runs = queue.Learn(mean, runs, took)
				near(f, "after a run", f.estimate("c"), mean)
			}
		}},
		{name: "a run of no time is a run", run: func(f *fixture) {
			took := f.run("c", 0, true)
			near(f, "after a run", f.estimate("c"), took)
		}},
		{name: "what was not measured teaches nothing", run: func(f *fixture) {
			f.run("c", 0, false)
			near(f, "after an unmeasured run", f.estimate("c"), configured)
			s := classed("c")
			s.Retry = 1
			f.enqueue(s)
			f.must(f.Release(f.ctx, f.take(s.ID)))
			f.retry(f.take(s.ID), 0)
			_, err := f.Fail(f.ctx, f.take(s.ID), queue.Failure{Reason: "no"})
			f.must(err)
			h := f.take(f.enqueue(classed("c")).ID)
			f.cancel(h.Job, queue.Stopping)
			f.must(f.Release(f.ctx, h))
			near(f, "after runs that came to nothing", f.estimate("c"), configured)
			mean := f.run("c", 20*time.Millisecond, true)
			f.run("c", 0, false)
			near(f, "after the first measured one", f.estimate("c"), mean)
		}},
		{name: "jobs without a class teach nothing and learn nothing", run: func(f *fixture) {
			f.run("", 0, true)
			near(f, "after a run", f.estimate(""), configured)
			f.run("c", 0, true)
			near(f, "after a run of a class", f.estimate(""), configured)
		}},
		{name: "each class learns for itself, over users and lanes", run: func(f *fixture) {
			names := []string{"c", "C", "c ", "c:1", "%", "{c}\n", "é", "\xff\x00"}
			for i, class := range names {
				near(f, "before any run", f.estimate(class), configured)
				took := f.run(class, time.Duration(10*i)*time.Millisecond, true)
				near(f, "after a run", f.estimate(class), took)
			}
			s := classed("c")
			s.User, s.Lane = "bob", queue.LaneSQL
			near(f, "another user's in another lane", f.enqueue(s).Estimate, f.estimate("c"))
		}},
		{name: "only the last attempt is timed", run: func(f *fixture) {
			s := classed("c")
			s.Retry = 1
			f.enqueue(s)
			h := f.take(s.ID)
			time.Sleep(200 * time.Millisecond)
			f.retry(h, 0)
			f.must(f.Finish(f.ctx, f.take(s.ID), queue.Success{Measured: true}))
			j := f.get(s.ID, queue.Done)
			near(f, "after a second attempt", f.estimate("c"), j.Ended.Sub(j.Started))
		}},
		{name: "a job keeps the estimate it was given", run: func(f *fixture) {
			first := f.enqueue(classed("c")).ID
			s := classed("c")
			s.User = "bob"
			waiting := f.enqueue(s).ID
			s.ID = export("").ID
			behind := f.enqueue(s).ID
			f.must(f.Finish(f.ctx, f.take(first), queue.Success{Measured: true}))
			for i, id := range []string{waiting, behind} {
				j := f.get(id, queue.Pending)
				if j.Estimate != configured || j.Standing.Ahead != time.Duration(i)*configured {
					f.Errorf("job %d: estimate %v, %v ahead", i, j.Estimate, j.Standing.Ahead)
				}
			}
			h := f.take(waiting)
			if runs := f.snapshot().Lanes[queue.LaneExport].Runs; len(runs) != 1 || runs[0].Estimate != configured {
				f.Errorf("runs %+v", runs)
			}
			f.must(f.Release(f.ctx, h))
			if j := f.get(waiting, queue.Pending); j.Estimate != configured {
				f.Errorf("given back: estimate %v", j.Estimate)
			}
		}},
	})
}
