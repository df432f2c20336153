package queuetest

import (
	"testing"

	"slashbatch/queue"
)

func testCapacity(t *testing.T, open Open) {
	on := func(user, source string) queue.Submission {
		s := export(user)
		s.Source = source
		s.RunningCap = 10
		return s
	}
	tell(t, open, []story{
		{name: "a source runs no more than its capacity over all users", run: func(f *fixture) {
			f.must(f.SetCapacities(f.ctx, map[string]int{"pg": 2}))
			for _, user := range []string{"ann", "bob", "cec", "ann"} {
				f.enqueue(on(user, "pg"))
			}
			h := f.take("")
			f.take("")
			f.nothing()
			f.finish(h)
			f.take("")
			f.nothing()
		}},
		{name: "others pass while a list waits for its source", run: func(f *fixture) {
			f.must(f.SetCapacities(f.ctx, map[string]int{"pg": 1}))
			f.enqueue(on("ann", "pg"))
			f.take("")
			waiting := f.enqueue(on("ann", "pg")).ID
			f.enqueue(on("ann", "other")) // behind the head of its own list
			passes := f.enqueue(on("bob", "other")).ID
			f.take(passes)
			f.nothing()
			f.get(waiting, queue.Pending)
		}},
		{name: "a waiting list keeps its place in line", run: func(f *fixture) {
			f.must(f.SetCapacities(f.ctx, map[string]int{"pg": 1}))
			h := f.take(f.enqueue(on("zoe", "pg")).ID)
			a := f.enqueue(on("ann", "pg")).ID
			b := f.enqueue(on("bob", "pg")).ID
			f.finish(f.take(f.enqueue(on("cec", "other")).ID))
			c := f.enqueue(on("cec", "pg")).ID
			f.finish(h)
			for _, id := range []string{a, b, c} {
				f.finish(f.take(id))
			}
		}},
		{name: "both lanes share a source", run: func(f *fixture) {
			f.must(f.SetCapacities(f.ctx, map[string]int{"pg": 1}))
			s := on("ann", "pg")
			s.Lane = queue.LaneSQL
			f.enqueue(s)
			e := f.enqueue(on("bob", "pg")).ID
			h, c := f.claim(queue.LaneSQL)
			if c == nil {
				f.Fatal("lane sql: nothing to claim")
			}
			f.nothing()
			f.finish(h)
			f.take(e)
		}},
		{name: "settings are replaced as a whole, also under load", run: func(f *fixture) {
			for range 8 {
				f.enqueue(on("ann", "pg"))
			}
			f.take("")
			f.take("")
			f.must(f.SetCapacities(f.ctx, map[string]int{"pg": 1})) // below what runs
			f.nothing()
			f.must(f.SetCapacities(f.ctx, map[string]int{"pg": 3}))
			h := f.take("")
			f.nothing()
			f.must(f.SetCapacities(f.ctx, map[string]int{"pg": 2}))
			f.finish(h)
			f.nothing()
			f.must(f.SetCapacities(f.ctx, map[string]int{"other": 1})) // pg is unlimited again
			f.take("")
			f.take("")
			f.must(f.SetCapacities(f.ctx, nil))
			f.take("")
		}},
		{name: "a capacity of 0 closes a source", run: func(f *fixture) {
			f.must(f.SetCapacities(f.ctx, map[string]int{"pg": 0}))
			id := f.enqueue(on("ann", "pg")).ID
			f.nothing()
			f.must(f.SetCapacities(f.ctx, nil))
			f.take(id)
		}},
		{name: "give-back, failure and cancel free capacity", run: func(f *fixture) {
			f.must(f.SetCapacities(f.ctx, map[string]int{"pg": 1}))
			id := f.enqueue(on("ann", "pg")).ID
			f.must(f.Release(f.ctx, f.take(id)))
			h := f.take(id)
			next := f.enqueue(on("bob", "pg")).ID
			_, err := f.Fail(f.ctx, h, queue.Failure{Reason: "no"})
			f.must(err)
			h = f.take(next)
			last := f.enqueue(on("cec", "pg")).ID
			f.cancel(next, queue.Stopping)
			f.nothing() // until the worker has stopped
			f.must(f.Release(f.ctx, h))
			f.take(last)
		}},
		{name: "what stands behind the head counts once it is the head", run: func(f *fixture) {
			f.must(f.SetCapacities(f.ctx, map[string]int{"pg": 1, "my": 1}))
			first := f.enqueue(on("ann", "pg")).ID
			second := f.enqueue(on("ann", "my")).ID
			other := f.enqueue(on("bob", "my")).ID
			f.take(first)
			h := f.take(other) // bob has fewer running
			f.nothing()
			f.finish(h)
			f.take(second)
		}},
	})
}
