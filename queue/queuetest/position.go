package queuetest

import (
	"fmt"
	"testing"
	"time"

	"slashbatch/queue"
)

// position is a pending job's position and ETA, from a snapshot taken now.
func (f *fixture) position(id string) (int, time.Duration) {
	f.Helper()
	j := f.get(id, queue.Pending)
	s := f.snapshot()
	lane := s.Lanes[j.Lane]
	return queue.Position(lane, j.Standing), queue.ETA(lane, s.Now, j.Standing, j.Estimate)
}

func testPosition(t *testing.T, open Open) {
	tell(t, open, []story{
		{name: "two pending, nothing running", run: func(f *fixture) { // S-024
			var ids []string
			for _, seconds := range []time.Duration{100, 50} {
				s := export("ann")
				s.Estimate = seconds * time.Second
				ids = append(ids, f.enqueue(s).ID)
			}
			for i, want := range []time.Duration{100 * time.Second, 150 * time.Second} {
				if p, eta := f.position(ids[i]); p != i+1 || eta != want {
					f.Errorf("job %d: position %d, eta %v; want %d, %v", i, p, eta, i+1, want)
				}
			}
			f.finish(f.take(ids[0]))
			if p, eta := f.position(ids[1]); p != 1 || eta != 50*time.Second { // S-030
				f.Errorf("position %d, eta %v; want 1, 50s", p, eta)
			}
		}},
		{name: "another lane is not in the way", run: func(f *fixture) {
			for range 3 {
				s := export("ann")
				s.Lane = queue.LaneSQL
				f.enqueue(s)
			}
			if p, eta := f.position(f.add("ann", 1)[0]); p != 1 || eta != time.Second {
				f.Errorf("position %d, eta %v; want 1, 1s", p, eta)
			}
		}},
		{name: "users take turns", run: func(f *fixture) {
			ann := f.add("ann", 3)
			bob := f.add("bob", 2)
			for i, id := range ann {
				if p, _ := f.position(id); p != []int{1, 3, 5}[i] {
					f.Errorf("ann's job %d: position %d", i, p)
				}
			}
			for i, id := range bob {
				if p, _ := f.position(id); p != []int{2, 4}[i] {
					f.Errorf("bob's job %d: position %d", i, p)
				}
			}
		}},
		{name: "running jobs count in the ETA", run: func(f *fixture) {
			s := export("ann")
			s.Estimate = 1000 * time.Second
			f.take(f.enqueue(s).ID)
			w := queue.Worker{ID: "w1", Slots: map[queue.Lane]int{queue.LaneExport: 2}}
			_, err := f.Beat(f.ctx, w, nil)
			f.must(err)
			s = export("bob")
			s.Estimate = 100 * time.Second
			_, eta := f.position(f.enqueue(s).ID)
			// What remains of 1000s over two slots, and its own 100s.
			if eta > 600*time.Second || eta < 600*time.Second-patience {
				f.Errorf("eta %v, want about 600s", eta)
			}
		}},
		{name: "a snapshot adds up", run: func(f *fixture) {
			f.add("ann", 3)
			f.take("")
			f.add("bob", 2)
			s := f.snapshot()
			n := s.Lanes[queue.LaneExport]
			var pending, running int
			var estimates time.Duration
			ids := map[uint32]bool{}
			for _, l := range n.Lines {
				pending, running, estimates = pending+l.Pending, running+l.Running, estimates+l.Estimates
				ids[l.ID] = true
			}
			if pending != 4 || running != 1 || estimates != 4*time.Second || len(ids) != 2 || len(n.Runs) != 1 {
				f.Errorf("%+v", n)
			}
			if s.Now.Before(n.Runs[0].Started) || n.Runs[0].Estimate != time.Second || n.Runs[0].Started.IsZero() {
				f.Errorf("now %v, run %+v", s.Now, n.Runs[0])
			}
		}},
		{name: "the version changes with the queue and rests with it", run: func(f *fixture) {
			last := f.snapshot().Version
			step := func(what string) {
				f.Helper()
				v := f.snapshot().Version
				if v == last {
					f.Errorf("%s: the version stays %d", what, v)
				}
				last = v
			}
			ids := f.add("ann", 2)
			step("Enqueue")
			h := f.take(ids[0])
			step("Claim")
			f.must(f.Release(f.ctx, h))
			step("Release")
			f.finish(f.take(ids[0]))
			step("Finish")
			f.cancel(ids[1], queue.Removed)
			step("Cancel")
			f.get(ids[1], queue.Cancelled)
			f.nothing()
			if v := f.snapshot().Version; v != last {
				f.Errorf("version %d, then %d, though nothing happened", last, v)
			}
		}},
	})
}

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
					if len(page) > size {
						f.Fatalf("page of %d, at most %d", len(page), size)
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

func testNames(t *testing.T, open Open) {
	// Each name must stay a user of its own: a backend encodes it into keys.
	names := []string{
		"ann", "ann:export", "ann:sql", "ann:", ":ann", "ann%3Aexport", "ann%3aexport", "%", "%%", "%25",
		"{ann}", "{}", "{", "a b", "a\nb", "a\r\nb", "a\x00b", "\x00", "\xff\xfe", "é", "e\u0301", "ß", "名前", "👩‍🚀",
		"*", "?", "[a]", "a/b", "../a", "'", `"`, `\`, "ANN", "~", ".", "-", "_", "users", "ready", "0", "-1",
		"2001:db8::/64", "nil", "false",
	}
	tell(t, open, []story{
		{name: "odd names are users of their own", run: func(f *fixture) {
			jobs := map[string]string{}
			for _, name := range names {
				sql := export(name)
				sql.Lane = queue.LaneSQL
				f.enqueue(sql)
				jobs[name] = f.add(name, 1)[0]
			}
			for _, lane := range queue.Lanes {
				for _, name := range names { // in the order of arrival: each has a line of its own
					h, c := f.claim(lane)
					if c == nil || c.Job.User != name {
						f.Fatalf("lane %s: claimed %+v, want a job of %q", lane, c, name)
					}
					f.finish(h)
				}
			}
			for _, name := range names {
				page, err := f.List(f.ctx, name, 0, 10)
				f.must(err)
				if len(page) != 2 || page[0].ID != jobs[name] || page[0].User != name {
					f.Errorf("List(%q): %+v", name, page)
				}
				for _, other := range names {
					waits, err := f.Waits(f.ctx, jobs[name], other)
					f.must(err)
					if waits != (other == name) {
						f.Errorf("job of %q: Waits(%q) is %v", name, other, waits)
					}
				}
			}
		}},
		{name: "odd names of waiters", run: func(f *fixture) {
			id := f.add("ann", 1)[0]
			for _, name := range names {
				_, err := f.Join(f.ctx, id, name)
				f.must(err)
			}
			for _, name := range names[1:] {
				f.leave(id, name, queue.StillWanted)
			}
			f.leave(id, "ann", queue.Removed)
		}},
		{name: "odd names of sources", run: func(f *fixture) {
			capacities := map[string]int{}
			for _, name := range names {
				capacities[name] = 1
			}
			f.must(f.SetCapacities(f.ctx, capacities))
			for i, name := range names {
				for range 2 {
					s := export(fmt.Sprint("user", i))
					s.Source, s.RunningCap = name, 2
					f.enqueue(s)
				}
			}
			for range names {
				f.take("")
			}
			f.nothing()
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
			_, err := f.Fail(f.ctx, f.take(failed), "no", false, nil)
			f.must(err)
			cancelled := f.enqueue(keyed("ann", "cancelled", "")).ID
			f.cancel(cancelled, queue.Removed)
			pending := f.enqueue(keyed("ann", "pending", "")).ID
			for _, id := range []string{done, failed, cancelled} {
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
