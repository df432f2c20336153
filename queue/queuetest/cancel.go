package queuetest

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"slashbatch/queue"
)

func testCancel(t *testing.T, open Open) {
	tell(t, open, []story{
		{name: "a pending job leaves its list at once", run: func(f *fixture) { // C-074
			ids := f.add("ann", 3)
			j := f.cancel(ids[1], queue.Removed)
			if j.ID != ids[1] || j.State != queue.Cancelled || j.Ended.IsZero() {
				f.Errorf("%+v, want it cancelled", j)
			}
			f.get(ids[1], queue.Cancelled)
			if n := f.snapshot().Lanes[queue.LaneExport].Lines[0]; n.Pending != 2 {
				f.Errorf("%d pending, want 2", n.Pending)
			}
			f.cancel(ids[1], queue.TooLate) // C-073, C-076
			f.finish(f.take(ids[0]))
			f.finish(f.take(ids[2]))
			f.nothing()
		}},
		{name: "the last pending job leaves nothing behind", run: func(f *fixture) {
			f.cancel(f.add("ann", 1)[0], queue.Removed)
			f.nothing()
			if lines := f.snapshot().Lanes[queue.LaneExport].Lines; len(lines) != 0 {
				f.Errorf("lines %+v, want none", lines)
			}
		}},
		{name: "a running job is cancelled at once, its place when the worker says so", run: func(f *fixture) { // C-072, C-073, C-076, C-102
			ids := f.add("ann", 2)
			h := f.take(ids[0])
			f.cancel(h.Job, queue.Stopping)
			f.cancel(h.Job, queue.TooLate)
			if j := f.get(h.Job, queue.Cancelled); j.Ended.IsZero() || j.Started.IsZero() {
				f.Errorf("started %v, ended %v", j.Started, j.Ended)
			}
			f.nothing() // the cap is 1
			n := f.snapshot().Lanes[queue.LaneExport]
			if len(n.Lines) != 1 || n.Lines[0].Running != 1 || len(n.Runs) != 1 {
				f.Errorf("%+v, want the place still taken", n)
			}
			f.lost("Beat", f.beat(queue.Beat{Holder: h}), queue.Cancelled)
			f.lost("Seal", f.Seal(f.ctx, h), queue.Cancelled)
			f.lost("Finish", f.Finish(f.ctx, h, queue.Success{}), queue.Cancelled)
			f.must(f.Release(f.ctx, h))
			f.must(f.Release(f.ctx, h))
			f.get(h.Job, queue.Cancelled)
			f.finish(f.take(ids[1]))
			if n := f.snapshot().Lanes[queue.LaneExport]; len(n.Lines) != 0 || len(n.Runs) != 0 {
				f.Errorf("%+v at the end", n)
			}
		}},
		{name: "a sealed job is too late", run: func(f *fixture) {
			h := f.take(f.add("ann", 1)[0])
			f.must(f.Seal(f.ctx, h))
			if !f.get(h.Job, queue.Running).Sealed {
				f.Error("not sealed")
			}
			f.cancel(h.Job, queue.TooLate)
			f.finish(h)
			f.get(h.Job, queue.Done)
		}},
		{name: "a seal ends with its claim", run: func(f *fixture) {
			id := f.add("ann", 1)[0]
			h := f.take(id)
			f.must(f.Seal(f.ctx, h))
			f.must(f.Release(f.ctx, h))
			h, c := f.claim(queue.LaneExport)
			if c.Job.Sealed {
				f.Error("the next claim begins sealed")
			}
			f.cancel(id, queue.Stopping)
			f.must(f.Release(f.ctx, h))
		}},
		{name: "ended jobs stay as they are", run: func(f *fixture) { // C-072
			done := f.add("ann", 1)[0]
			f.finish(f.take(done))
			failed := f.add("ann", 1)[0]
			_, err := f.Fail(f.ctx, f.take(failed), queue.Failure{Reason: "no"})
			f.must(err)
			for id, state := range map[string]queue.State{done: queue.Done, failed: queue.Failed} {
				before := f.get(id, state)
				if diff := cmp.Diff(before, f.cancel(id, queue.TooLate)); diff != "" {
					f.Errorf("%s job changed:\n%s", state, diff)
				}
			}
		}},
		{name: "any place of a long list", run: func(f *fixture) {
			ids := f.add("ann", 40)
			gone := map[int]bool{0: true, 1: true, 17: true, 20: true, 21: true, 38: true, 39: true}
			for i := range gone {
				f.cancel(ids[i], queue.Removed)
			}
			index := 0
			for i, id := range ids {
				if gone[i] {
					continue
				}
				if s := f.get(id, queue.Pending).Standing; s.Index != index || s.Ahead.Seconds() != float64(index) {
					f.Errorf("job %d: index %d, %v ahead; want %d", i, s.Index, s.Ahead, index)
				}
				index++
			}
			for i, id := range ids {
				if !gone[i] {
					f.finish(f.take(id))
				}
			}
			f.nothing()
		}},
		{name: "give-back and holes together", run: func(f *fixture) {
			ids := f.add("ann", 6)
			h := f.take(ids[0])
			f.cancel(ids[2], queue.Removed)
			f.cancel(ids[1], queue.Removed) // the head
			f.must(f.Release(f.ctx, h))
			f.cancel(ids[4], queue.Removed)
			for index, i := range []int{0, 3, 5} {
				if s := f.get(ids[i], queue.Pending).Standing; s.Index != index || s.Ahead.Seconds() != float64(index) {
					f.Errorf("job %d: index %d, %v ahead; want %d", i, s.Index, s.Ahead, index)
				}
			}
			for _, i := range []int{0, 3, 5} {
				f.finish(f.take(ids[i]))
			}
		}},
	})
}

func testWaiters(t *testing.T, open Open) {
	waits := func(f *fixture, id, user string, want bool) {
		f.Helper()
		got, err := f.Waits(f.ctx, id, user)
		f.must(err)
		if got != want {
			f.Errorf("Waits(%s): %v, want %v", user, got, want)
		}
	}
	join := func(f *fixture, id, user string, want queue.State) {
		f.Helper()
		j, err := f.Join(f.ctx, id, user, 1)
		f.must(err)
		if j.ID != id || j.State != want {
			f.Errorf("Join: job %s, %s; want %s, %s", j.ID, j.State, id, want)
		}
	}
	tell(t, open, []story{
		{name: "who submits and who joins waits", run: func(f *fixture) {
			id := f.add("ann", 1)[0]
			waits(f, id, "ann", true)
			waits(f, id, "bob", false)
			join(f, id, "bob", queue.Pending)
			join(f, id, "bob", queue.Pending)
			waits(f, id, "bob", true)
			h := f.take(id)
			join(f, id, "cec", queue.Running)
			waits(f, id, "cec", true)
			f.finish(h)
			for _, user := range []string{"ann", "bob", "cec"} {
				waits(f, id, user, true) // until it ended
			}
			join(f, id, "dan", queue.Done) // too late to wait
			waits(f, id, "dan", false)
		}},
		{name: "the last to leave cancels a pending job", run: func(f *fixture) {
			id := f.add("ann", 1)[0]
			join(f, id, "bob", queue.Pending)
			f.leave(id, "bob", queue.StillWanted)
			waits(f, id, "bob", false)
			_, _, err := f.Leave(f.ctx, id, "bob")
			notFound(f, "Leave by who has left", err)
			_, _, err = f.Leave(f.ctx, id, "eve")
			notFound(f, "Leave by who never waited", err)
			f.get(id, queue.Pending)
			f.leave(id, "ann", queue.Removed)
			f.get(id, queue.Cancelled)
			f.nothing()
			// It remains hers to look at, and saying so again does no harm.
			waits(f, id, "ann", true)
			f.leave(id, "ann", queue.TooLate)
		}},
		{name: "a job goes on when its first waiter leaves", run: func(f *fixture) {
			id := f.enqueue(keyed("ann", "k", "")).ID
			if _, err := f.Enqueue(f.ctx, keyed("bob", "k", "")); err != nil {
				f.Fatal(err)
			}
			f.leave(id, "ann", queue.StillWanted)
			waits(f, id, "ann", false)
			h := f.take(id)
			f.leave(id, "bob", queue.Stopping)
			f.get(id, queue.Cancelled)
			f.must(f.Release(f.ctx, h))
		}},
		{name: "the last to leave stops a running job", run: func(f *fixture) {
			id := f.add("ann", 1)[0]
			join(f, id, "bob", queue.Pending)
			h := f.take(id)
			f.leave(id, "bob", queue.StillWanted)
			f.must(f.beat(queue.Beat{Holder: h}))
			f.leave(id, "ann", queue.Stopping)
			f.lost("Beat", f.beat(queue.Beat{Holder: h}), queue.Cancelled)
			f.must(f.Release(f.ctx, h))
		}},
		{name: "nobody leaves a sealed or ended job", run: func(f *fixture) {
			id := f.add("ann", 1)[0]
			join(f, id, "bob", queue.Pending)
			h := f.take(id)
			f.must(f.Seal(f.ctx, h))
			f.leave(id, "bob", queue.TooLate)
			waits(f, id, "bob", true)
			f.finish(h)
			f.leave(id, "ann", queue.TooLate)
			waits(f, id, "ann", true)
			_, _, err := f.Leave(f.ctx, id, "eve")
			notFound(f, "Leave by who never waited", err)
		}},
		{name: "a cancel is for everybody", run: func(f *fixture) {
			id := f.add("ann", 1)[0]
			join(f, id, "bob", queue.Pending)
			f.cancel(id, queue.Removed)
			f.get(id, queue.Cancelled)
			waits(f, id, "bob", true)
		}},
		{name: "many may wait", run: func(f *fixture) {
			id := f.add("u0", 1)[0]
			users := []string{"u0"}
			for i := range 40 {
				user := "u" + string(rune('A'+i))
				join(f, id, user, queue.Pending)
				users = append(users, user)
			}
			for _, user := range users[1:] {
				f.leave(id, user, queue.StillWanted)
			}
			f.leave(id, "u0", queue.Removed)
		}},
	})
}
