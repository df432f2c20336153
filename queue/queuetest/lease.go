package queuetest

import (
	"testing"
	"time"

	"github.com/google/uuid"

	"slashbatch/queue"
)

// short is a lease that a test can wait for.
const short = 300 * time.Millisecond

func testLease(t *testing.T, open Open) {
	settings := queue.Settings{Lease: short}
	tell(t, open, []story{
		{name: "a dead worker's job is given back", settings: settings, run: func(f *fixture) { // C-236, S-046, I-09, R-079, R-097, R-099
			ids := f.add("ann", 2)
			h, claimed := f.claim(queue.LaneExport)
			f.sweepUntil("the job is pending", f.inState(h.Job, queue.Pending))
			j := f.get(h.Job, queue.Pending)
			if at := f.snapshot().Now.Sub(claimed.Job.Started); at < short {
				f.Errorf("given back %v after the claim, before the lease was over", at)
			}
			if j.Crashes != 1 || j.Attempt != 1 || j.Failures != 0 || !j.Started.IsZero() {
				f.Errorf("crashes %d, attempt %d, failures %d, started %v", j.Crashes, j.Attempt, j.Failures, j.Started)
			}
			// It stands at the head again, and its first holder is out.
			next := f.take(h.Job)
			f.lost("Finish", f.Finish(f.ctx, h, queue.Success{}), queue.Running)
			f.lost("Beat", f.beat(queue.Beat{Holder: h}), queue.Running)
			f.lost("Release", f.Release(f.ctx, h), queue.Running)
			f.finish(next)
			f.take(ids[1])
		}},
		{name: "a recovered claim's id yields nothing", settings: settings, run: func(f *fixture) {
			h := f.take(f.add("ann", 1)[0])
			f.sweepUntil("the job is pending", f.inState(h.Job, queue.Pending))
			c, err := f.Claim(f.ctx, queue.ClaimRequest{ClaimID: h.Claim, Lane: queue.LaneExport})
			f.must(err)
			if c != nil {
				f.Errorf("claimed job %s", c.Job.ID)
			}
		}},
		{name: "a beating worker keeps its job", settings: queue.Settings{Lease: time.Second}, run: func(f *fixture) { // C-113, R-061, R-078
			h := f.take(f.add("ann", 1)[0])
			for start := time.Now(); time.Since(start) < 1500*time.Millisecond; time.Sleep(50 * time.Millisecond) {
				f.must(f.beat(queue.Beat{Holder: h}))
				_, err := f.Sweep(f.ctx)
				f.must(err)
			}
			if j := f.get(h.Job, queue.Running); j.Crashes != 0 {
				f.Errorf("crashes %d", j.Crashes)
			}
			f.finish(h)
		}},
		{name: "nobody loses a job to an expired lease alone", settings: settings, run: func(f *fixture) {
			h := f.take(f.add("ann", 1)[0])
			other := f.take(f.add("bob", 1)[0])
			time.Sleep(short + short/2)
			f.must(f.beat(queue.Beat{Holder: h}))
			f.must(f.Seal(f.ctx, h))
			f.finish(other)
			f.finish(h)
		}},
		{name: "the first sweep after a gap only extends", settings: settings, run: func(f *fixture) {
			_, err := f.Sweep(f.ctx)
			f.must(err)
			h := f.take(f.add("ann", 1)[0])
			time.Sleep(short + short/2) // nobody sweeps, nobody beats: an outage
			swept, err := f.Sweep(f.ctx)
			f.must(err)
			if !swept.Extended || swept.Recovered != 0 || swept.Failed != 0 {
				f.Fatalf("swept %+v, want leases extended only", swept)
			}
			f.get(h.Job, queue.Running)
			// The worker is really dead: found out once sweeps are regular.
			f.sweepUntil("the job is pending", f.inState(h.Job, queue.Pending))
		}},
		{name: "a job that kills its workers fails at the limit", settings: queue.Settings{Lease: short, Crashes: 2}, run: func(f *fixture) {
			id := f.enqueue(keyed("ann", "k", "")).ID
			f.take(id)
			f.sweepUntil("the job is pending", f.inState(id, queue.Pending))
			h := f.take(id)
			f.sweepUntil("the job is failed", f.inState(id, queue.Failed))
			j := f.get(id, queue.Failed)
			if j.Crashes != 2 || j.Attempt != 2 || j.Failures != 0 || j.Error == "" || j.Ended.IsZero() {
				f.Errorf("crashes %d, attempt %d, failures %d, error %q, ended %v", j.Crashes, j.Attempt, j.Failures, j.Error, j.Ended)
			}
			f.lost("Finish", f.Finish(f.ctx, h, queue.Success{}), queue.Failed)
			f.nothing()
			f.enqueue(keyed("ann", "k", id))
		}},
		{name: "a crash frees cap and capacity", settings: settings, run: func(f *fixture) {
			f.must(f.SetCapacities(f.ctx, map[string]int{"pg": 1}))
			s := export("ann")
			s.Source = "pg"
			h := f.take(f.enqueue(s).ID)
			f.nothing()
			f.sweepUntil("the job is pending", f.inState(h.Job, queue.Pending))
			f.finish(f.take(h.Job))
			if l := f.snapshot().Lanes[queue.LaneExport]; len(l.Lines) != 0 || len(l.Runs) != 0 {
				f.Errorf("%+v at the end", l)
			}
		}},
		{name: "a sealed job given back can be cancelled", settings: settings, run: func(f *fixture) {
			h := f.take(f.add("ann", 1)[0])
			f.must(f.Seal(f.ctx, h))
			f.cancel(h.Job, queue.TooLate)
			f.sweepUntil("the job is pending", f.inState(h.Job, queue.Pending))
			f.cancel(h.Job, queue.Removed)

			h = f.take(f.add("ann", 1)[0])
			f.must(f.Seal(f.ctx, h))
			f.leave(h.Job, "ann", queue.TooLate)
			f.must(f.Release(f.ctx, h))
			f.leave(h.Job, "ann", queue.Removed)
		}},
		{name: "a cancelled job whose worker died gives up its place", settings: settings, run: func(f *fixture) {
			ids := f.add("ann", 2)
			h := f.take(ids[0])
			f.cancel(h.Job, queue.Stopping)
			f.nothing()
			var next *queue.Claimed
			f.sweepUntil("the next job can be claimed", func() bool {
				_, next = f.claim(queue.LaneExport)
				return next != nil
			})
			if next.Job.ID != ids[1] {
				f.Errorf("claimed %s, want %s", next.Job.ID, ids[1])
			}
			if j := f.get(h.Job, queue.Cancelled); j.Crashes != 0 {
				f.Errorf("crashes %d", j.Crashes)
			}
		}},
		{name: "a lost worker's jobs come back in their order", settings: settings, run: func(f *fixture) {
			for range 3 {
				s := export("ann")
				s.RunningCap = 3
				f.enqueue(s)
			}
			var ids []string
			for range 3 {
				ids = append(ids, f.take("").Job)
			}
			// An extending sweep makes the leases end together, so that one
			// sweep recovers all of them.
			f.eventually("a sweep that extends", func() bool {
				time.Sleep(short)
				swept, err := f.Sweep(f.ctx)
				f.must(err)
				return swept.Extended
			})
			f.sweepUntil("all are pending", func() bool {
				return f.inState(ids[0], queue.Pending)() && f.inState(ids[1], queue.Pending)() && f.inState(ids[2], queue.Pending)()
			})
			for _, id := range ids {
				f.take(id)
			}
		}},
		{name: "recovery keeps the list's place in line", settings: settings, run: func(f *fixture) {
			h := f.take(f.add("ann", 1)[0])
			bob := f.add("bob", 1) // behind ann, who started before
			f.sweepUntil("the job is pending", f.inState(h.Job, queue.Pending))
			f.take(h.Job)
			f.take(bob[0])
		}},
		{name: "a dead worker's slots are forgotten", settings: settings, run: func(f *fixture) {
			w := queue.Worker{ID: uuid.NewString(), Slots: map[queue.Lane]int{queue.LaneSQL: 1, queue.LaneExport: 2}}
			_, err := f.Beat(f.ctx, w, nil)
			f.must(err)
			f.sweepUntil("no slots", func() bool { return f.snapshot().Lanes[queue.LaneExport].Slots == 0 })
		}},
		{name: "sweeps by many do no harm", settings: settings, run: func(f *fixture) {
			h := f.take(f.add("ann", 1)[0])
			done := make(chan error)
			for range 8 {
				go func() {
					var err error
					for range 20 {
						if _, e := f.Sweep(f.ctx); e != nil {
							err = e
						}
						time.Sleep(10 * time.Millisecond)
					}
					done <- err
				}()
			}
			for range 8 {
				f.must(<-done)
			}
			f.sweepUntil("the job is pending", f.inState(h.Job, queue.Pending))
			if j := f.get(h.Job, queue.Pending); j.Crashes != 1 {
				f.Errorf("crashes %d, want 1", j.Crashes)
			}
		}},
	})
}
