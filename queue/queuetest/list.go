package queuetest

import (
	"fmt"
	"testing"
	"time"

	"slashbatch/queue"
)

func testList(t *testing.T, open Open) {
	tell(t, open, []story{
		{name: "pages, newest first, of both lanes", run: func(f *fixture) { // S-025
			const n = 25
			var want []string
			for i := range n {
				s := export("ann")
				s.Lane = queue.Lanes[i%2]
				want = append([]string{f.enqueue(s).ID}, want...)
				f.add("bob", 1)
			}
			f.cancel(want[3], queue.Removed)
			for _, size := range []int{1, 7, n, n + 1} {
				var got []string
				var before int64
				for {
					page, err := f.List(f.ctx, "ann", before, size)
					f.must(err)
					if len(page) == 0 {
						break
					}
					if len(page) > size || len(got) > n {
						f.Fatalf("page of %d, at most %d; %d before it of %d", len(page), size, len(got), n)
					}
					for _, j := range page {
						got = append(got, j.ID)
						before = j.Order
					}
				}
				if fmt.Sprint(got) != fmt.Sprint(want) {
					f.Errorf("pages of %d:\n%v\nwant\n%v", size, got, want)
				}
			}
		}},
		{name: "jobs are listed as Get returns them", run: func(f *fixture) {
			ids := f.add("ann", 3)
			f.finish(f.take(ids[0]))
			f.take(ids[1])
			page, err := f.List(f.ctx, "ann", 0, 10)
			f.must(err)
			for i, want := range []queue.State{queue.Pending, queue.Running, queue.Done} {
				if page[i].ID != ids[2-i] || page[i].State != want {
					f.Errorf("item %d: job %s, %s; want %s, %s", i, page[i].ID, page[i].State, ids[2-i], want)
				}
			}
		}},
		{name: "what was joined is listed, in the order of submission", run: func(f *fixture) {
			listed := func(user string, want ...string) {
				f.Helper()
				page, err := f.List(f.ctx, user, 0, 10)
				f.must(err)
				var got []string
				for _, j := range page {
					got = append(got, j.ID)
				}
				if fmt.Sprint(got) != fmt.Sprint(want) {
					f.Errorf("%s has %v, want %v", user, got, want)
				}
			}
			bob := f.shared("bob", 3)
			ann := f.add("ann", 1)
			f.join(bob[0], "ann", 1, "bob") // older than her own
			f.submit(bob[1], "ann", 1, "bob")
			listed("ann", ann[0], bob[1], bob[0])
			page, err := f.List(f.ctx, "ann", f.get(bob[1], queue.Pending).Order, 10)
			f.must(err)
			if len(page) != 1 || page[0].ID != bob[0] || page[0].User != "bob" {
				f.Errorf("before bob's second: %+v", page)
			}
			f.join(bob[2], "cec", 1, "cec") // taken over: it is both's
			listed("cec", bob[2])
			listed("bob", bob[2], bob[1], bob[0])

			f.leave(bob[1], "ann", queue.StillWanted)
			listed("ann", ann[0], bob[0])
			f.leave(bob[0], "bob", queue.StillWanted) // it is ann's alone now
			listed("bob", bob[2], bob[1])
			f.leave(bob[0], "ann", queue.Removed)
			listed("ann", ann[0], bob[0]) // the last one keeps it

			f.cancel(bob[2], queue.Removed)
			listed("bob", bob[2], bob[1])
			listed("cec", bob[2]) // who waited until it ended
			f.join(bob[2], "dan", 1, "cec")
			listed("dan")
		}},
		{name: "nobody's list is empty", run: func(f *fixture) {
			f.add("ann", 1)
			page, err := f.List(f.ctx, "bob", 0, 10)
			f.must(err)
			if len(page) != 0 {
				f.Errorf("bob has %v", page)
			}
		}},
	})
}

func testRetention(t *testing.T, open Open) {
	settings := queue.Settings{Lease: short, Retention: time.Second}
	gone := func(f *fixture, id string) func() bool {
		return func() bool { _, err := f.Get(f.ctx, id); return err != nil }
	}
	tell(t, open, []story{
		{name: "final jobs go after their time, others stay", settings: settings, run: func(f *fixture) { // C-241, S-041, S-042, R-082
			done := f.enqueue(keyed("ann", "done", "")).ID
			f.finish(f.take(done))
			failed := f.enqueue(keyed("ann", "failed", "")).ID
			_, err := f.Fail(f.ctx, f.take(failed), queue.Failure{Reason: "no"})
			f.must(err)
			cancelled := f.enqueue(keyed("ann", "cancelled", "")).ID
			f.cancel(cancelled, queue.Removed)
			pending := f.enqueue(keyed("ann", "pending", "")).ID
			joined := f.add("bob", 1)[0]
			f.join(joined, "cec", 1, "bob")
			f.cancel(joined, queue.Removed)
			for _, id := range []string{done, failed, cancelled, joined} {
				f.sweepUntil("the job is gone", gone(f, id))
				_, err := f.Get(f.ctx, id)
				notFound(f, "Get", err)
				_, err = f.Definition(f.ctx, id)
				notFound(f, "Definition", err)
			}
			f.get(pending, queue.Pending)
			for _, key := range []string{"done", "failed", "cancelled"} {
				_, err := f.ByKey(f.ctx, key)
				notFound(f, "ByKey", err)
				f.enqueue(keyed("bob", key, "")) // free for everybody
			}
			f.sweepUntil("only the pending job is listed", func() bool {
				page, err := f.List(f.ctx, "ann", 0, 10)
				f.must(err)
				return len(page) == 1 && page[0].ID == pending
			})
			f.sweepUntil("nothing is listed of a joined job", func() bool {
				page, err := f.List(f.ctx, "cec", 0, 10)
				f.must(err)
				return len(page) == 0
			})
		}},
		{name: "a key that a newer job has taken stays", settings: settings, run: func(f *fixture) {
			first := f.enqueue(keyed("ann", "k", "")).ID
			f.finish(f.take(first))
			second := f.enqueue(keyed("ann", "k", first)).ID
			f.sweepUntil("the first job is gone", gone(f, first))
			j, err := f.ByKey(f.ctx, "k")
			f.must(err)
			if j.ID != second {
				f.Errorf("ByKey: %s, want %s", j.ID, second)
			}
		}},
		{name: "a cancelled job's place outlives its record", settings: settings, run: func(f *fixture) {
			ids := f.add("ann", 2)
			h := f.take(ids[0])
			f.cancel(h.Job, queue.Stopping)
			f.sweepUntil("the record is gone", gone(f, h.Job))
			f.sweepUntil("its place is free", func() bool {
				_, c := f.claim(queue.LaneExport)
				return c != nil && c.Job.ID == ids[1]
			})
		}},
	})
}
