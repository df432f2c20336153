package queuetest

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"slashbatch/queue"
)

func changed(id string, s queue.State) queue.Event {
	return queue.Event{Kind: queue.Changed, Job: id, State: s}
}

func wake(user string) queue.Event { return queue.Event{Kind: queue.Wake, User: user} }

// subscribe returns a subscription whose first Resync has been read.
func subscribe(f *fixture) <-chan queue.Event {
	f.Helper()
	events, err := f.Subscribe(f.ctx)
	f.must(err)
	until(f, events, queue.Event{Kind: queue.Resync})
	return events
}

// until reads events up to the last one of those that are wanted, in any order.
func until(f *fixture, events <-chan queue.Event, want ...queue.Event) {
	f.Helper()
	timeout := time.After(patience)
	for len(want) > 0 {
		select {
		case e, ok := <-events:
			if !ok {
				f.Fatalf("the channel was closed before %+v", want)
			}
			if i := slices.Index(want, e); i >= 0 {
				want = slices.Delete(want, i, i+1)
			}
		case <-timeout:
			f.Fatalf("after %v still no %+v", patience, want)
		}
	}
}

func testEvents(t *testing.T, open Open) {
	tell(t, open, []story{
		{name: "the first event is a Resync", run: func(f *fixture) {
			events, err := f.Subscribe(f.ctx)
			f.must(err)
			f.add("ann", 1)
			select {
			case e := <-events:
				if e.Kind != queue.Resync {
					f.Fatalf("%+v, want a Resync", e)
				}
			case <-time.After(patience):
				f.Fatal("no first event")
			}
		}},
		{name: "a new job wakes, each state is told", run: func(f *fixture) { // C-106, C-107, C-108, C-110, C-111, S-038, R-068
			events := subscribe(f)
			for _, user := range []string{"ann", "a:b%{}\n é"} {
				id := f.add(user, 1)[0]
				until(f, events, wake(user))
				h := f.take(id)
				until(f, events, changed(id, queue.Running))
				f.finish(h)
				until(f, events, changed(id, queue.Done))
			}
		}},
		{name: "what is given back wakes again", run: func(f *fixture) {
			events := subscribe(f)
			s := export("ann")
			s.Retry = 1
			f.enqueue(s)
			until(f, events, wake("ann"))
			f.must(f.Release(f.ctx, f.take(s.ID)))
			until(f, events, changed(s.ID, queue.Running))
			until(f, events, wake("ann"))
			_, err := f.Fail(f.ctx, f.take(s.ID), queue.Failure{Reason: "no", Retry: true})
			f.must(err)
			until(f, events, changed(s.ID, queue.Running))
			until(f, events, wake("ann"))
			_, err = f.Fail(f.ctx, f.take(s.ID), queue.Failure{Reason: "no", Retry: true})
			f.must(err)
			until(f, events, changed(s.ID, queue.Failed))
		}},
		{name: "the end of a job wakes those whom its cap or its capacity held up", run: func(f *fixture) {
			f.must(f.SetCapacities(f.ctx, map[string]int{"s": 1}))
			gated := func(user string) string {
				s := export(user)
				s.Source = "s"
				return f.enqueue(s).ID
			}
			f.add("ann", 2) // whose cap is 1
			gated("bob")
			gated("carl")
			first, second := f.take(""), f.take("")
			f.nothing()
			events := subscribe(f)
			f.finish(first)
			until(f, events, wake("ann"))
			f.finish(second)
			until(f, events, wake("carl"))
			f.take("")
			third := f.take("")
			f.nothing()
			gated("dave")
			until(f, events, wake("dave"))
			f.must(f.SetCapacities(f.ctx, map[string]int{"s": 2}))
			until(f, events, wake("dave"))
			f.finish(third)
		}},
		{name: "a cancel is told, a stopped worker wakes", run: func(f *fixture) {
			events := subscribe(f)
			ids := f.add("ann", 2)
			f.cancel(ids[1], queue.Removed)
			until(f, events, changed(ids[1], queue.Cancelled))
			h := f.take(ids[0])
			f.cancel(ids[0], queue.Stopping)
			until(f, events, changed(ids[0], queue.Cancelled))
			f.must(f.Release(f.ctx, h))
			until(f, events, wake("ann"))
		}},
		{name: "a recovered job wakes", settings: queue.Settings{Lease: short}, run: func(f *fixture) {
			events := subscribe(f)
			id := f.add("ann", 1)[0]
			f.take(id)
			until(f, events, changed(id, queue.Running))
			f.sweepUntil("the job is pending", f.inState(id, queue.Pending))
			until(f, events, wake("ann"))
		}},
		{name: "every subscription hears", run: func(f *fixture) {
			a, b := subscribe(f), subscribe(f)
			id := f.add("ann", 1)[0]
			f.take(id)
			for _, events := range []<-chan queue.Event{a, b} {
				until(f, events, wake("ann"))
				until(f, events, changed(id, queue.Running))
			}
		}},
		{name: "a slow reader blocks nobody and is told that it missed something", run: func(f *fixture) {
			events := subscribe(f)
			// More than any sensible buffer holds; this must not block.
			f.must(together(8, func(i int) error {
				for range 400 {
					s := export(fmt.Sprint("user", i))
					if _, err := f.Enqueue(f.ctx, s); err != nil {
						return err
					}
					if _, _, err := f.Cancel(f.ctx, s.ID); err != nil {
						return err
					}
				}
				return nil
			}))
			until(f, events, queue.Event{Kind: queue.Resync})
			// It hears again what happens once it has caught up. A hint may be
			// lost while it still reads what is left over, so there are several.
			hears := make(chan struct{})
			go func() {
				defer close(hears)
				for e := range events {
					if e == wake("bob") {
						return
					}
				}
			}()
			f.eventually("a new wake is heard", func() bool {
				f.add("bob", 1)
				select {
				case <-hears:
					return true
				case <-time.After(20 * time.Millisecond):
					return false
				}
			})
		}},
		{name: "a subscription ends with its context", run: func(f *fixture) {
			ctx, cancel := context.WithCancel(f.ctx)
			events, err := f.Subscribe(ctx)
			f.must(err)
			cancel()
			timeout := time.After(patience)
			for {
				select {
				case _, open := <-events:
					if !open {
						f.add("ann", 1) // which nobody hears
						return
					}
				case <-timeout:
					f.Fatal("the channel stays open")
				}
			}
		}},
	})
}
