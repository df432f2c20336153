package queuetest

import (
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
