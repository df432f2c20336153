package queuetest

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"slashbatch/queue"
)

func testStats(t *testing.T, open Open) {
	stats := func(f *fixture) *queue.Stats {
		f.Helper()
		s, err := f.Stats(f.ctx)
		f.must(err)
		return s
	}
	lane := func(f *fixture, name queue.Lane, want queue.LaneStats) {
		f.Helper()
		if diff := cmp.Diff(want, stats(f).Lanes[name]); diff != "" {
			f.Errorf("lane %s (-want +got):\n%s", name, diff)
		}
	}
	tell(t, open, []story{
		{name: "an empty queue", run: func(f *fixture) {
			s := stats(f)
			if s.Now.IsZero() || s.Paused {
				f.Errorf("now %v, paused %v", s.Now, s.Paused)
			}
			if len(s.Sources) != 0 || len(s.Workers) != 0 {
				f.Errorf("sources %v, workers %v", s.Sources, s.Workers)
			}
			for _, name := range queue.Lanes {
				lane(f, name, queue.LaneStats{})
			}
		}},
		{name: "jobs are counted where they are", run: func(f *fixture) {
			first := f.enqueue(export("ann"))
			id := f.retryable("ann")
			lane(f, queue.LaneExport, queue.LaneStats{Lists: 1, Pending: 2, Oldest: first.Submitted})
			time.Sleep(5 * time.Millisecond) // so that ages differ
			bob := f.enqueue(export("bob"))
			h := f.take(first.ID)
			// The head of ann's list is her second job now.
			oldest := f.get(id, queue.Pending).Submitted
			lane(f, queue.LaneExport, queue.LaneStats{Lists: 2, Pending: 2, Running: 1, Oldest: oldest})
			f.cancel(first.ID, queue.Stopping)
			lane(f, queue.LaneExport, queue.LaneStats{Lists: 2, Pending: 2, Running: 1, Oldest: oldest})
			f.must(f.Release(f.ctx, h))
			lane(f, queue.LaneExport, queue.LaneStats{Lists: 2, Pending: 2, Oldest: oldest})
			f.finish(f.take(bob.ID))
			f.retry(f.take(id), time.Hour)
			cec := f.enqueue(export("cec"))
			lane(f, queue.LaneExport, queue.LaneStats{Lists: 2, Pending: 1, Delayed: 1, Oldest: cec.Submitted})
			f.take(cec.ID)
			lane(f, queue.LaneExport, queue.LaneStats{Lists: 2, Delayed: 1, Running: 1})
			lane(f, queue.LaneSQL, queue.LaneStats{})
			if s := stats(f); s.Now.Before(cec.Submitted) {
				f.Errorf("now %v, after %v", s.Now, cec.Submitted)
			}
		}},
		{name: "the oldest head of all lists, not the oldest job", run: func(f *fixture) {
			b := f.enqueue(export("bob"))
			time.Sleep(5 * time.Millisecond)
			a := f.shared("ann", 1)
			oldest := f.get(a[0], queue.Pending).Submitted
			f.add("ann", 3)
			f.finish(f.take(b.ID))
			lane(f, queue.LaneExport, queue.LaneStats{Lists: 1, Pending: 4, Oldest: oldest})
		}},
		{name: "sources that run jobs or have a capacity", run: func(f *fixture) {
			f.must(f.SetCapacities(f.ctx, map[string]int{"closed": 0, "pg": 3}))
			want := func(want map[string]queue.SourceStats) {
				f.Helper()
				// Jobs without a source are nobody's business here.
				unnamed := cmpopts.IgnoreMapEntries(func(name string, _ queue.SourceStats) bool { return name == "" })
				if diff := cmp.Diff(want, stats(f).Sources, unnamed, cmpopts.EquateEmpty()); diff != "" {
					f.Errorf("sources (-want +got):\n%s", diff)
				}
			}
			want(map[string]queue.SourceStats{"closed": {}, "pg": {Capacity: 3}})
			var held []queue.Holder
			for _, source := range []string{"pg", "a:b%{}\n é", "", "pg"} {
				s := export("ann")
				s.Source, s.RunningCap = source, 10
				held = append(held, f.take(f.enqueue(s).ID))
			}
			sql := export("ann")
			sql.Lane, sql.Source = queue.LaneSQL, "pg"
			f.enqueue(sql)
			h, _ := f.claim(queue.LaneSQL)
			held = append(held, h)
			f.cancel(held[3].Job, queue.Stopping) // takes its place until its worker stops
			want(map[string]queue.SourceStats{"closed": {}, "pg": {Running: 3, Capacity: 3}, "a:b%{}\n é": {Running: 1, Capacity: -1}})
			f.must(f.SetCapacities(f.ctx, nil))
			want(map[string]queue.SourceStats{"pg": {Running: 3, Capacity: -1}, "a:b%{}\n é": {Running: 1, Capacity: -1}})
			for _, h := range held {
				f.must(f.Release(f.ctx, h))
			}
			want(nil)
		}},
		{name: "workers that are alive", settings: queue.Settings{Lease: short}, run: func(f *fixture) {
			slots := map[queue.Lane]int{queue.LaneSQL: 1, queue.LaneExport: 2}
			for _, id := range []string{"w1", "w:2 é", "gone"} {
				_, err := f.Beat(f.ctx, queue.Worker{ID: id, Slots: slots}, nil)
				f.must(err)
			}
			_, err := f.Beat(f.ctx, queue.Worker{ID: "gone"}, nil)
			f.must(err)
			_, err = f.Beat(f.ctx, queue.Worker{ID: "w:2 é", Slots: map[queue.Lane]int{queue.LaneExport: 5}}, nil)
			f.must(err)
			// A slow machine may take longer than a lease to come here.
			if got := stats(f).Workers; len(got) == 2 {
				if diff := cmp.Diff(slots, got["w1"]); diff != "" {
					f.Errorf("slots of w1 (-want +got):\n%s", diff)
				}
				if got["w:2 é"][queue.LaneExport] != 5 {
					f.Errorf("workers %v", got)
				}
			} else if _, there := got["gone"]; there {
				f.Errorf("workers %v", got)
			}
			f.sweepUntil("no workers", func() bool { return len(stats(f).Workers) == 0 })
		}},
	})
}
