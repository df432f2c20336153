package queuetest

import (
	"testing"
	"time"

	"github.com/google/uuid"

	"slashbatch/queue"
)

func testPause(t *testing.T, open Open) {
	pause := func(f *fixture, paused bool) {
		f.Helper()
		f.must(f.SetPaused(f.ctx, paused))
		stats, err := f.Stats(f.ctx)
		f.must(err)
		if got := f.snapshot().Paused; got != paused || stats.Paused != paused {
			f.Errorf("paused %v in the snapshot, %v in the stats; want %v", got, stats.Paused, paused)
		}
	}
	tell(t, open, []story{
		{name: "nothing is claimed while paused, everything else goes on", run: func(f *fixture) {
			s := export("ann")
			s.RunningCap, s.Retry = 10, 1
			f.enqueue(s)
			var held []queue.Holder
			for range 4 {
				s.ID = export("").ID
				f.enqueue(s)
				held = append(held, f.take(""))
			}
			pause(f, true)
			pause(f, true)
			f.nothing()
			sql := export("ann")
			sql.Lane = queue.LaneSQL
			f.enqueue(sql)
			if _, c := f.claim(queue.LaneSQL); c != nil {
				f.Error("lane sql: claimed while paused")
			}
			f.finish(held[0])
			f.must(f.Release(f.ctx, held[1]))
			f.retry(held[2], 0)
			f.cancel(held[3].Job, queue.Stopping)
			f.must(f.Release(f.ctx, held[3]))
			bob := f.shared("bob", 2)
			f.join(bob[1], "cec", 1, "cec")
			f.leave(bob[1], "cec", queue.StillWanted)
			f.cancel(bob[1], queue.Removed)
			f.nothing()
			pause(f, false)
			pause(f, false)
			if _, c := f.claim(queue.LaneSQL); c == nil {
				f.Error("lane sql: nothing to claim")
			}
			for range 4 {
				f.finish(f.take(""))
			}
			f.nothing()
		}},
		{name: "a claim made before is repeated as ever", run: func(f *fixture) {
			id := f.add("ann", 1)[0]
			r := queue.ClaimRequest{ClaimID: uuid.NewString(), Worker: "w1", Lane: queue.LaneExport}
			for range 2 {
				c, err := f.Claim(f.ctx, r)
				f.must(err)
				if c == nil || c.Job.ID != id || c.Job.Attempt != 1 {
					f.Fatalf("claimed %+v, want job %s at attempt 1", c, id)
				}
				pause(f, true)
			}
		}},
		{name: "leases and retries go on", settings: queue.Settings{Lease: short}, run: func(f *fixture) {
			id := f.retryable("ann")
			f.retry(f.take(id), 20*time.Millisecond)
			lost := f.add("bob", 1)[0]
			f.take(lost)
			pause(f, true)
			f.sweepUntil("the retry is due", f.due(id))
			f.sweepUntil("the lost job is pending", f.inState(lost, queue.Pending))
			f.nothing()
			pause(f, false)
			f.take("")
			f.take("")
		}},
		{name: "order is as if nothing had been", run: func(f *fixture) {
			pause(f, true)
			for _, user := range "AABAC" {
				f.add(string(user), 1)
			}
			pause(f, false)
			if got := f.drainOrder(); got != "ABCAA" {
				f.Errorf("served %s, want ABCAA", got)
			}
		}},
		{name: "a restart wakes when there is something to claim", run: func(f *fixture) {
			f.must(f.SetPaused(f.ctx, true))
			ann := f.add("ann", 1)[0]
			events := subscribe(f)
			f.must(f.SetPaused(f.ctx, false))
			until(f, events, wake("ann"))
			f.must(f.SetPaused(f.ctx, true))
			sql := export("bob")
			sql.Lane = queue.LaneSQL
			f.cancel(ann, queue.Removed)
			f.enqueue(sql)
			until(f, events, wake("bob"))
			f.must(f.SetPaused(f.ctx, false))
			until(f, events, wake("bob"))
		}},
		{name: "the version tells", run: func(f *fixture) {
			before := f.snapshot().Version
			f.must(f.SetPaused(f.ctx, true))
			between := f.snapshot().Version
			f.must(f.SetPaused(f.ctx, false))
			if after := f.snapshot().Version; before == between || between == after {
				f.Errorf("versions %d, %d, %d", before, between, after)
			}
		}},
	})
}
