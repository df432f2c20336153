package queuetest

import (
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/google/uuid"

	"slashbatch/queue"
)

// together calls do n times at once and returns the first error.
func together(n int, do func(i int) error) error {
	var wg sync.WaitGroup
	errs := make(chan error, n)
	for i := range n {
		wg.Go(func() {
			if err := do(i); err != nil {
				errs <- fmt.Errorf("caller %d: %w", i, err)
			}
		})
	}
	wg.Wait()
	close(errs)
	return <-errs
}

func testConcurrency(t *testing.T, open Open) {
	tell(t, open, []story{
		{name: "each job is claimed once", run: func(f *fixture) { // S-043, R-072
			const workers, jobs = 16, 1000
			f.must(f.SetCapacities(f.ctx, map[string]int{"s0": 3}))
			f.must(together(8, func(i int) error {
				for n := range jobs / 8 {
					s := export(fmt.Sprint("user", (i+n)%20))
					s.Source = fmt.Sprint("s", n%3)
					s.RunningCap = 2
					if _, err := f.Enqueue(f.ctx, s); err != nil {
						return err
					}
				}
				return nil
			}))
			var claimed sync.Map
			var done atomic.Int64
			f.must(together(workers, func(i int) error {
				for done.Load() < jobs {
					r := queue.ClaimRequest{ClaimID: uuid.NewString(), Worker: fmt.Sprint("w", i), Lane: queue.LaneExport}
					c, err := f.Claim(f.ctx, r)
					if err != nil {
						return err
					}
					if c == nil {
						continue // the others hold what is left
					}
					if by, twice := claimed.LoadOrStore(c.Job.ID, i); twice {
						return fmt.Errorf("job %s was claimed by %v before", c.Job.ID, by)
					}
					if err := f.Finish(f.ctx, queue.Holder{Job: c.Job.ID, Claim: r.ClaimID}, queue.Success{}); err != nil {
						return err
					}
					done.Add(1)
				}
				return nil
			}))
			f.nothing()
			if n := f.snapshot().Lanes[queue.LaneExport]; len(n.Lines) != 0 || len(n.Runs) != 0 {
				f.Errorf("%+v at the end", n)
			}
		}},
		{name: "equal requests at once make one job", run: func(f *fixture) { // S-044, I-09
			const clients = 32
			var created atomic.Int64
			var ids sync.Map
			f.must(together(clients, func(i int) error {
				e, err := f.Enqueue(f.ctx, keyed(fmt.Sprint("user", i), "k", ""))
				if e.Created {
					created.Add(1)
				}
				ids.Store(e.Job.ID, true)
				return err
			}))
			n := 0
			ids.Range(func(id, _ any) bool {
				n++
				for i := range clients {
					waits, err := f.Waits(f.ctx, id.(string), fmt.Sprint("user", i))
					f.must(err)
					if !waits {
						f.Errorf("user%d does not wait", i)
					}
				}
				return true
			})
			if created.Load() != 1 || n != 1 {
				f.Errorf("%d made, %d ids; want one", created.Load(), n)
			}
			f.take("")
			f.nothing()
		}},
		{name: "one submission sent many times at once makes one job", run: func(f *fixture) {
			s := export("ann")
			f.must(together(16, func(int) error {
				e, err := f.Enqueue(f.ctx, s)
				if err == nil && (!e.Created || e.Job.ID != s.ID) {
					err = fmt.Errorf("%+v", e)
				}
				return err
			}))
			f.take(s.ID)
			f.nothing()
		}},
		{name: "one claim sent many times at once takes one job", run: func(f *fixture) {
			for i := range 5 {
				f.add(fmt.Sprint("user", i), 1)
			}
			r := queue.ClaimRequest{ClaimID: uuid.NewString(), Lane: queue.LaneExport}
			f.must(together(16, func(int) error {
				c, err := f.Claim(f.ctx, r)
				if err == nil && (c == nil || c.Job.User != "user0") {
					err = fmt.Errorf("claimed %+v", c)
				}
				return err
			}))
			if n := len(f.snapshot().Lanes[queue.LaneExport].Runs); n != 1 {
				f.Errorf("%d jobs run, want 1", n)
			}
		}},
		{name: "a cap holds against many at once", run: func(f *fixture) {
			var made atomic.Int64
			err := together(32, func(int) error {
				s := export("ann")
				s.QueuedCap = 5
				e, err := f.Enqueue(f.ctx, s)
				if e.Created {
					made.Add(1)
				}
				return err
			})
			var full *queue.FullError
			if !errors.As(err, &full) || made.Load() != 5 {
				f.Errorf("%d made, %v; want 5 and a FullError", made.Load(), err)
			}
		}},
		{name: "cancel and claim agree", run: func(f *fixture) {
			for range 50 {
				id := f.add("ann", 1)[0]
				r := queue.ClaimRequest{ClaimID: uuid.NewString(), Lane: queue.LaneExport}
				var left queue.Left
				var claimed *queue.Claimed
				f.must(together(2, func(i int) (err error) {
					if i == 0 {
						left, _, err = f.Cancel(f.ctx, id)
					} else {
						claimed, err = f.Claim(f.ctx, r)
					}
					return err
				}))
				if (left == queue.Removed) != (claimed == nil) {
					f.Fatalf("cancel: %s, claimed: %v", left, claimed != nil)
				}
				if claimed != nil {
					f.must(f.Release(f.ctx, queue.Holder{Job: id, Claim: r.ClaimID}))
				}
				f.get(id, queue.Cancelled)
			}
		}},
	})
}
