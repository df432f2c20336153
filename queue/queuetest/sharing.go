package queuetest

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"slashbatch/queue"
)

// shared submits n jobs of a user, each with its id as request key.
func (f *fixture) shared(user string, n int) []string {
	f.Helper()
	var ids []string
	for range n {
		s := export(user)
		s.Key = s.ID
		ids = append(ids, f.enqueue(s).ID)
	}
	return ids
}

// ask is how a user comes to wait for a job; owner is in whose list it must
// stand then.
type ask func(f *fixture, id, user string, runningCap int, owner string) queue.Job

// join asks by Join.
func (f *fixture) join(id, user string, runningCap int, owner string) queue.Job {
	f.Helper()
	j, err := f.Join(f.ctx, id, user, runningCap)
	f.must(err)
	if j.ID != id || j.User != owner {
		f.Fatalf("Join by %s: job %s of %s, want %s of %s", user, j.ID, j.User, id, owner)
	}
	return j
}

// submit asks by submitting the request of a shared job again.
func (f *fixture) submit(id, user string, runningCap int, owner string) queue.Job {
	f.Helper()
	s := keyed(user, id, "")
	s.RunningCap = runningCap
	e, err := f.Enqueue(f.ctx, s)
	f.must(err)
	if e.Created || e.Job.ID != id || e.Job.User != owner {
		f.Fatalf("Enqueue by %s: created %v, job %s of %s; want %s of %s", user, e.Created, e.Job.ID, e.Job.User, id, owner)
	}
	return e.Job
}

// stands holds in whose list a pending job stands, and what is before it there.
func (f *fixture) stands(id, owner string, index int) {
	f.Helper()
	j := f.get(id, queue.Pending)
	if s := j.Standing; j.User != owner || s.Index != index || s.Ahead != time.Duration(index)*time.Second {
		f.Fatalf("in the list of %s at index %d, %v ahead; want %s at %d", j.User, s.Index, s.Ahead, owner, index)
	}
}

// waits holds whether a user waits for a job.
func (f *fixture) waits(id, user string, want bool) {
	f.Helper()
	got, err := f.Waits(f.ctx, id, user)
	f.must(err)
	if got != want {
		f.Errorf("Waits(%s): %v, want %v", user, got, want)
	}
}

func testSharing(t *testing.T, open Open) {
	for name, ask := range map[string]ask{"Enqueue": (*fixture).submit, "Join": (*fixture).join} {
		t.Run(name, func(t *testing.T) { tell(t, open, takeOver(ask)) })
	}
	tell(t, open, []story{
		{name: "caps are not asked, but what came counts", run: func(f *fixture) {
			ann := f.shared("ann", 6)
			s := export("bob")
			s.QueuedCap = 1
			f.enqueue(s)
			f.submit(ann[4], "bob", 1, "bob")
			f.submit(ann[5], "bob", 1, "bob")
			s.ID, s.QueuedCap = export("").ID, 3
			full(f, s, 3)
			s.User, s.QueuedCap = "ann", 4
			full(f, s, 4)
			s.QueuedCap = 5
			f.enqueue(s)
		}},
		{name: "only the lane of the job is compared", run: func(f *fixture) {
			ann := f.shared("ann", 3)
			for range 5 {
				s := export("bob")
				s.Lane = queue.LaneSQL
				f.enqueue(s)
			}
			s := keyed("bob", ann[1], "")
			s.Lane = queue.LaneSQL
			e, err := f.Enqueue(f.ctx, s)
			f.must(err)
			if e.Job.User != "bob" || e.Job.Lane != queue.LaneExport {
				f.Errorf("job of %s in lane %s, want bob's export", e.Job.User, e.Job.Lane)
			}
			f.stands(ann[1], "bob", 0)
		}},
		{name: "a running job stays with the list it was claimed from", run: func(f *fixture) {
			ann := f.shared("ann", 2)
			h := f.take(ann[0])
			f.join(h.Job, "bob", 1, "ann")
			f.leave(h.Job, "ann", queue.StillWanted)
			f.waits(h.Job, "ann", false)
			if j := f.get(h.Job, queue.Running); j.User != "ann" {
				f.Errorf("a running job of %s, want ann", j.User)
			}
			if runs := f.snapshot().Lanes[queue.LaneExport].Runs; len(runs) != 1 || runs[0].User != "ann" {
				f.Errorf("runs %+v, want one of ann", runs)
			}
			f.nothing() // ann is at her running cap
			f.must(f.Release(f.ctx, h))
			f.stands(h.Job, "ann", 0)
			f.stands(ann[1], "ann", 1)
			f.waits(h.Job, "ann", false)
			f.join(h.Job, "cec", 1, "ann")           // nothing is before it
			f.leave(h.Job, "bob", queue.StillWanted) // whose list it was not
			f.stands(h.Job, "ann", 0)
			f.leave(h.Job, "cec", queue.Removed)
			f.take(ann[1])
		}},
		{name: "a recovered job goes back to the list of an owner who left", settings: queue.Settings{Lease: short}, run: func(f *fixture) {
			ann := f.shared("ann", 2)
			f.take(ann[0])
			f.join(ann[0], "bob", 1, "ann")
			f.leave(ann[0], "ann", queue.StillWanted)
			f.sweepUntil("the job is pending", f.inState(ann[0], queue.Pending))
			f.stands(ann[0], "ann", 0)
			f.take(ann[0])
		}},
		{name: "a job that waits for a retry is not taken over until it is back", run: func(f *fixture) {
			s := keyed("ann", "k", "")
			s.Retry = 1
			id := f.enqueue(s).ID
			f.add("ann", 1)
			f.retry(f.take(id), 50*time.Millisecond)
			f.take("") // ann's other job, so that bob would be sooner
			f.join(id, "bob", 1, "ann")
			f.sweepUntil("the retry is due", f.due(id))
			f.stands(id, "ann", 0)
			f.join(id, "bob", 1, "bob")
			f.take(id)
		}},
		{name: "nobody else's jobs move", run: func(f *fixture) {
			var others []string
			for range 3 {
				others = append(others, f.add("dan", 1)[0], f.add("eve", 1)[0])
			}
			h := f.take(others[0])
			ann := f.shared("ann", 4)
			standings := func() (all []queue.Standing) {
				f.Helper()
				for _, id := range others[1:] {
					all = append(all, f.get(id, queue.Pending).Standing)
				}
				return all
			}
			before := standings()
			f.join(ann[3], "bob", 1, "bob")
			f.leave(ann[3], "bob", queue.StillWanted)
			f.join(ann[1], "cec", 1, "cec")
			if diff := cmp.Diff(before, standings()); diff != "" {
				f.Errorf("the others' standings (-before +after):\n%s", diff)
			}
			f.finish(h)
		}},
		{name: "the new owner is woken, and the job's move told", run: func(f *fixture) {
			ann := f.shared("ann", 2)
			events := subscribe(f)
			f.join(ann[1], "bob", 1, "bob")
			until(f, events, wake("bob"), changed(ann[1], queue.Pending))
			f.join(ann[0], "cec", 1, "ann")
			f.leave(ann[0], "ann", queue.StillWanted)
			until(f, events, wake("cec"), changed(ann[0], queue.Pending))
		}},
	})
}

// takeOver is what holds however a waiter asks.
func takeOver(ask ask) []story {
	return []story{
		{name: "who would reach a job sooner takes it over", run: func(f *fixture) {
			ann := f.shared("ann", 4)
			j := ask(f, ann[2], "bob", 1, "bob")
			if diff := cmp.Diff(j, f.get(ann[2], queue.Pending)); diff != "" {
				f.Errorf("Get (-answer +got):\n%s", diff)
			}
			ask(f, ann[2], "bob", 1, "bob") // which changes nothing
			f.stands(ann[2], "bob", 0)
			for i, id := range []string{ann[0], ann[1], ann[3]} {
				f.stands(id, "ann", i)
			}
			f.waits(ann[2], "ann", true)
			f.waits(ann[2], "bob", true)
			f.take(ann[0])
			h := f.take(ann[2])
			f.nothing() // both are at their running caps
			if runs := f.snapshot().Lanes[queue.LaneExport].Runs; len(runs) != 2 || runs[0].User == runs[1].User {
				f.Errorf("runs %+v, want one of each", runs)
			}
			f.finish(h)
			f.nothing()
		}},
		{name: "only strictly sooner will do", run: func(f *fixture) {
			ann := f.shared("ann", 3)
			ask(f, ann[0], "idle", 1, "ann") // nothing against nothing before it
			f.add("bob", 1)
			ask(f, ann[1], "bob", 1, "ann") // one pending against one before it
			f.finish(f.take(ann[0]))
			f.take("")                      // bob's runs
			ask(f, ann[2], "bob", 1, "ann") // one running against one before it
			f.take(ann[1])
			f.add("cec", 1)
			ask(f, ann[2], "cec", 1, "ann") // one pending against one running
			ask(f, ann[2], "dan", 1, "dan") // nothing against one running
		}},
		{name: "the comparison is made each time", run: func(f *fixture) {
			ann := f.shared("ann", 5)
			bob := f.add("bob", 3)
			ask(f, ann[3], "bob", 1, "ann")
			for _, id := range bob {
				f.cancel(id, queue.Removed)
			}
			f.stands(ann[3], "ann", 3) // nobody has asked again
			ask(f, ann[3], "bob", 1, "bob")
			ask(f, ann[4], "bob", 1, "bob")
			// Its first owner may have it back.
			ask(f, ann[4], "ann", 1, "bob")
			for _, id := range ann[:3] {
				f.cancel(id, queue.Removed)
			}
			ask(f, ann[4], "ann", 1, "ann")
		}},
		{name: "it arrives as a new job does", run: func(f *fixture) {
			a := f.shared("A", 6)
			f.add("B", 1)
			ask(f, a[5], "B", 1, "B")
			ask(f, a[4], "B", 1, "B")
			f.stands(a[5], "B", 1) // behind her own
			f.stands(a[4], "B", 2)
			f.add("C", 1)
			ask(f, a[3], "D", 1, "D") // who had no work, and so joins the line at its end
			if got := f.drainOrder(); got != "ABCDABAB" {
				f.Errorf("served %s, want ABCDABAB", got)
			}
		}},
		{name: "the list it leaves keeps its place in line", run: func(f *fixture) {
			a := f.shared("A", 3)
			f.add("B", 2)
			ask(f, a[2], "C", 1, "C")
			if got := f.drainOrder(); got != "ABCAB" {
				f.Errorf("served %s, want ABCAB", got)
			}
		}},
		{name: "the running cap that comes with it holds for the list", run: func(f *fixture) {
			ann := f.shared("ann", 8)
			f.take(ann[0])
			f.take(f.add("bob", 1)[0])
			ask(f, ann[7], "bob", 1, "bob")
			f.nothing() // both are at their caps
			ask(f, ann[6], "bob", 3, "bob")
			h := f.take(ann[7])
			f.take(ann[6])
			ask(f, ann[5], "bob", 2, "bob")
			f.nothing()
			f.finish(h)
			f.nothing() // two run still
		}},
	}
}
