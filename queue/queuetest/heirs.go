package queuetest

import (
	"testing"
	"time"

	"slashbatch/queue"
)

func testHeirs(t *testing.T, open Open) {
	// A job at the head of a list in which nothing runs: nobody takes it over by
	// joining, so its waiters are all still there when its owner leaves.
	left := func(f *fixture, waiters ...string) string {
		f.Helper()
		id := f.shared("ann", 1)[0]
		for _, user := range waiters {
			f.join(id, user, 1, "ann")
		}
		return id
	}
	goes := func(f *fixture, id, to string) {
		f.Helper()
		how, j, err := f.Leave(f.ctx, id, "ann")
		f.must(err)
		if how != queue.StillWanted || j.State != queue.Pending || j.User != to {
			f.Fatalf("Leave: %s, a %s job of %s; want it still wanted, pending, of %s", how, j.State, j.User, to)
		}
		if j := f.get(id, queue.Pending); j.User != to {
			f.Fatalf("then it is of %s, want %s", j.User, to)
		}
		f.waits(id, "ann", false)
		f.waits(id, to, true)
	}
	tell(t, open, []story{
		{name: "the waiter with the fewest pending and running jobs", run: func(f *fixture) {
			f.add("bob", 2)
			f.take("")
			cec := f.add("cec", 1)
			f.add("dan", 3)
			f.take(cec[0])
			id := left(f, "dan", "bob", "cec")
			goes(f, id, "cec") // one running, against two each
			f.stands(id, "cec", 0)
		}},
		{name: "at the end of the list, caps not asked", run: func(f *fixture) {
			s := export("bob")
			s.QueuedCap = 1
			f.enqueue(s)
			id := left(f, "bob")
			behind := f.add("ann", 1)[0]
			goes(f, id, "bob")
			f.stands(id, "bob", 1)
			f.stands(behind, "ann", 0)
			s.ID, s.QueuedCap = export("").ID, 2
			full(f, s, 2)
		}},
		{name: "of equals the one furthest ahead in line", run: func(f *fixture) {
			f.add("cec", 1)
			f.add("bob", 1)
			f.add("dan", 1)
			goes(f, left(f, "dan", "bob", "cec"), "cec")
			// Who starts a job goes to the end of the line: cec has two, bob and
			// dan one each, of which bob's has started since.
			f.finish(f.take(""))
			f.take("")
			goes(f, left(f, "cec", "bob", "dan"), "dan")
		}},
		{name: "of those without work the one who joined first", run: func(f *fixture) {
			f.add("zoe", 1)
			id := left(f, "zoe", "dan", "bob", "cec")
			f.leave(id, "dan", queue.StillWanted)
			f.join(id, "dan", 1, "ann")
			f.join(id, "cec", 1, "ann") // who waits already
			goes(f, id, "bob")
			// By another way, and again.
			f.must(f.Release(f.ctx, f.take("")))
			id = left(f)
			for _, user := range []string{"fay", "eve"} {
				f.submit(id, user, 1, "ann")
			}
			goes(f, id, "fay")
		}},
		{name: "a former owner may come to it again", run: func(f *fixture) {
			ann := f.shared("ann", 2)
			f.join(ann[1], "bob", 1, "bob")
			f.leave(ann[1], "bob", queue.StillWanted)
			f.stands(ann[1], "ann", 1)
			f.leave(ann[1], "ann", queue.Removed)
		}},
		{name: "whose list it was not moves nothing by leaving", run: func(f *fixture) {
			id := left(f, "bob", "cec")
			f.leave(id, "bob", queue.StillWanted)
			f.stands(id, "ann", 0)
			goes(f, id, "cec")
			f.leave(id, "cec", queue.Removed)
			f.nothing()
		}},
		{name: "the heir's running cap holds for the list", run: func(f *fixture) {
			for _, runningCap := range []int{1, 2} {
				ids := append(f.shared("ann", 1), f.shared("eve", 1)...)
				f.join(ids[0], "bob", 2, "ann")
				f.join(ids[1], "bob", 3-runningCap, "eve")
				f.submit(ids[1], "bob", runningCap, "eve") // the newest word holds
				f.leave(ids[0], "ann", queue.StillWanted)
				f.leave(ids[1], "eve", queue.StillWanted)
				held := []queue.Holder{f.take(ids[0])}
				if runningCap == 2 {
					held = append(held, f.take(ids[1]))
				}
				f.nothing()
				for _, h := range held {
					f.finish(h)
				}
				f.drainOrder()
			}
		}},
		{name: "a list that it leaves empty joins the line again at its end", run: func(f *fixture) {
			id := left(f, "C")
			f.add("B", 1)
			goes(f, id, "C")
			f.add("ann", 1)
			if got := f.drainOrder(); got != "BCann" {
				f.Errorf("served %s, want BCann", got)
			}
		}},
		{name: "a list that it leaves with work keeps its place", run: func(f *fixture) {
			id := left(f, "C")
			f.add("ann", 1)
			f.add("B", 1)
			goes(f, id, "C")
			if got := f.drainOrder(); got != "annBC" {
				f.Errorf("served %s, want annBC", got)
			}
		}},
		{name: "a job that waits for a retry goes on waiting for the heir's list", run: func(f *fixture) {
			for _, after := range []time.Duration{50 * time.Millisecond, time.Hour} {
				s := export("ann")
				s.Retry = 1
				id := f.enqueue(s).ID
				f.join(id, "bob", 1, "ann")
				f.retry(f.take(id), after)
				until := f.get(id, queue.Pending).Standing.NotBefore
				goes(f, id, "bob")
				if j := f.get(id, queue.Pending); !j.Standing.NotBefore.Equal(until) || until.IsZero() {
					f.Errorf("not before %v, then %v", until, j.Standing.NotBefore)
				}
				bob := f.add("bob", 1)
				f.add("ann", 1)
				if after == time.Hour { // bob has kept the place that came with it
					if got := f.drainOrder(); got != "bobann" {
						f.Errorf("served %s, want bobann", got)
					}
					break
				}
				f.sweepUntil("the retry is due", f.due(id))
				f.stands(id, "bob", 0)
				f.stands(bob[0], "bob", 1)
				f.drainOrder()
			}
		}},
		{name: "one that waits for a retry counts among a waiter's pending jobs", run: func(f *fixture) {
			s := export("bob")
			s.Retry = 1
			f.retry(f.take(f.enqueue(s).ID), time.Hour)
			goes(f, left(f, "bob", "cec"), "cec")
		}},
	})
}
