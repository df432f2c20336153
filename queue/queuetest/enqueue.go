package queuetest

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/google/uuid"

	"slashbatch/queue"
)

func testEnqueue(t *testing.T, open Open) {
	tell(t, open, []story{
		{name: "an empty queue answers", run: func(f *fixture) {
			f.must(f.Ping(f.ctx))
			f.nothing() // S-020
			for _, lane := range queue.Lanes {
				n := f.snapshot().Lanes[lane]
				if len(n.Lines) != 0 || len(n.Runs) != 0 || n.Slots != 0 {
					f.Errorf("snapshot of lane %s: %+v, want nothing", lane, n)
				}
			}
		}},
		{name: "unknown jobs and keys are not found", run: func(f *fixture) { // S-021, C-087, C-088, C-095, C-099
			id := uuid.NewString()
			_, err := f.Get(f.ctx, id)
			notFound(f, "Get", err)
			_, err = f.ByKey(f.ctx, "no such key")
			notFound(f, "ByKey", err)
			_, err = f.Definition(f.ctx, id)
			notFound(f, "Definition", err)
			_, err = f.Join(f.ctx, id, "ann", 1)
			notFound(f, "Join", err)
			_, _, err = f.Leave(f.ctx, id, "ann")
			notFound(f, "Leave", err)
			_, _, err = f.Cancel(f.ctx, id)
			notFound(f, "Cancel", err)
			if waits, err := f.Waits(f.ctx, id, "ann"); waits || err != nil {
				f.Errorf("Waits: %v, %v", waits, err)
			}
		}},
		{name: "a job is kept as submitted", run: func(f *fixture) { // C-084, C-086, C-089, C-094, S-022, S-023
			s := queue.Submission{
				ID:         uuid.NewString(),
				Key:        "package?min-mass=1000&name=é%20\x00",
				User:       "ann",
				Lane:       queue.LaneExport,
				Kind:       "variant",
				Source:     "warehouse",
				Class:      "package: é\x00",
				Estimate:   1234 * time.Millisecond,
				RunningCap: 2,
				QueuedCap:  64,
				Retry:      3,
				Definition: []byte("{\"a\": \"\xff\x00é\"}\r\n"),
			}
			made := f.enqueue(s)
			want := queue.Job{
				ID:       s.ID,
				Key:      s.Key,
				User:     s.User,
				Lane:     s.Lane,
				Kind:     s.Kind,
				Source:   s.Source,
				Class:    s.Class,
				Retry:    s.Retry,
				Estimate: s.Estimate,
				State:    queue.Pending,
			}
			given := cmpopts.IgnoreFields(queue.Job{}, "Order", "Submitted", "Standing")
			if diff := cmp.Diff(want, made, given); diff != "" {
				f.Errorf("Enqueue (-want +got):\n%s", diff)
			}
			if made.Submitted.IsZero() || made.Order == 0 {
				f.Errorf("submitted %v, order %d", made.Submitted, made.Order)
			}
			if diff := cmp.Diff(made, f.get(s.ID, queue.Pending)); diff != "" {
				f.Errorf("Get (-enqueued +got):\n%s", diff)
			}
			byKey, err := f.ByKey(f.ctx, s.Key)
			f.must(err)
			if diff := cmp.Diff(made, byKey); diff != "" {
				f.Errorf("ByKey (-enqueued +got):\n%s", diff)
			}
			d, err := f.Definition(f.ctx, s.ID)
			f.must(err)
			if string(d) != string(s.Definition) {
				f.Errorf("Definition: %q, want %q", d, s.Definition)
			}
			_, c := f.claim(queue.LaneExport)
			if c == nil || string(c.Definition) != string(s.Definition) {
				f.Errorf("Claim: %+v, want the definition %q", c, s.Definition)
			}
		}},
		{name: "the same submission again makes no second job", run: func(f *fixture) { // I-13, R-090
			s := export("ann")
			first := f.enqueue(s)
			again := f.enqueue(s)
			if first.Order != again.Order {
				f.Errorf("order %d, then %d", first.Order, again.Order)
			}
			h := f.take(s.ID)
			for _, want := range []queue.State{queue.Running, queue.Done} {
				e, err := f.Enqueue(f.ctx, s)
				f.must(err)
				if !e.Created || e.Job.ID != s.ID || e.Job.State != want {
					f.Errorf("while %s: created %v, %s", want, e.Created, e.Job.State)
				}
				if want == queue.Running {
					f.finish(h)
				}
			}
			f.nothing()
		}},
		{name: "a repeated submission is not held against the cap", run: func(f *fixture) {
			s := export("ann")
			s.QueuedCap = 1
			f.enqueue(s)
			f.enqueue(s)
		}},
		{name: "order grows over users and lanes", run: func(f *fixture) {
			var last int64
			for i := range 10 {
				s := export([]string{"ann", "bob"}[i%2])
				s.Lane = queue.Lanes[i%3%2]
				j := f.enqueue(s)
				if j.Order <= last {
					f.Errorf("order %d after %d", j.Order, last)
				}
				last = j.Order
			}
		}},
		{name: "a call whose context has ended fails as unavailable", run: func(f *fixture) {
			ctx, cancel := context.WithCancel(f.ctx)
			cancel()
			if _, err := f.Enqueue(ctx, export("ann")); !errors.Is(err, queue.ErrUnavailable) {
				f.Errorf("Enqueue: %v, want ErrUnavailable", err)
			}
			if _, err := f.Get(ctx, uuid.NewString()); !errors.Is(err, queue.ErrUnavailable) {
				f.Errorf("Get: %v, want ErrUnavailable", err)
			}
		}},
	})
}

func notFound(f *fixture, what string, err error) {
	f.Helper()
	if !errors.Is(err, queue.ErrNotFound) {
		f.Errorf("%s: %v, want ErrNotFound", what, err)
	}
}

func testDedupe(t *testing.T, open Open) {
	// same holds that a submission is answered by a job that stood already.
	same := func(f *fixture, s queue.Submission, id string, state queue.State) {
		f.Helper()
		e, err := f.Enqueue(f.ctx, s)
		f.must(err)
		if e.Created || e.Job.ID != id || e.Job.State != state {
			f.Fatalf("created %v, job %s, %s; want job %s, %s", e.Created, e.Job.ID, e.Job.State, id, state)
		}
	}
	tell(t, open, []story{
		{name: "an active job stands for its key", run: func(f *fixture) { // S-034, S-035, S-037, R-075
			first := f.enqueue(keyed("ann", "k", "")).ID
			same(f, keyed("ann", "k", ""), first, queue.Pending)
			same(f, keyed("bob", "k", first), first, queue.Pending)
			h := f.take(first)
			same(f, keyed("cec", "k", ""), first, queue.Running)
			for _, user := range []string{"ann", "bob", "cec"} {
				if waits, err := f.Waits(f.ctx, first, user); err != nil || !waits {
					f.Errorf("Waits(%s): %v, %v", user, waits, err)
				}
			}
			f.finish(h)
			f.nothing()
		}},
		{name: "an ended job stands until it is named", run: func(f *fixture) { // S-036, R-076
			first := f.enqueue(keyed("ann", "k", "")).ID
			f.finish(f.take(first))
			same(f, keyed("ann", "k", ""), first, queue.Done)
			same(f, keyed("ann", "k", uuid.NewString()), first, queue.Done)
			second := f.enqueue(keyed("bob", "k", first)).ID
			same(f, keyed("ann", "k", first), second, queue.Pending)
			j, err := f.ByKey(f.ctx, "k")
			f.must(err)
			if j.ID != second {
				f.Errorf("ByKey: %s, want %s", j.ID, second)
			}
			f.get(first, queue.Done)
		}},
		{name: "a failed and a cancelled job give way alike", run: func(f *fixture) { // S-036
			first := f.enqueue(keyed("ann", "k", "")).ID
			if _, err := f.Fail(f.ctx, f.take(first), queue.Failure{Reason: "no"}); err != nil {
				f.Fatal(err)
			}
			same(f, keyed("ann", "k", ""), first, queue.Failed)
			second := f.enqueue(keyed("ann", "k", first)).ID
			f.cancel(second, queue.Removed)
			same(f, keyed("ann", "k", first), second, queue.Cancelled)
			third := f.enqueue(keyed("ann", "k", second)).ID
			f.finish(f.take(third))
		}},
		{name: "a job ends without touching the key of a newer one", run: func(f *fixture) {
			first := f.enqueue(keyed("ann", "k", "")).ID
			h := f.take(first)
			f.cancel(first, queue.Stopping)
			second := f.enqueue(keyed("ann", "k", first)).ID // the key is free at once
			f.must(f.Release(f.ctx, h))
			j, err := f.ByKey(f.ctx, "k")
			f.must(err)
			if j.ID != second || j.State != queue.Pending {
				f.Errorf("ByKey: %s, %s; want %s, pending", j.ID, j.State, second)
			}
		}},
		{name: "a key never seen matches any after", run: func(f *fixture) {
			f.enqueue(keyed("ann", "k", uuid.NewString()))
		}},
		{name: "jobs without a key are never shared", run: func(f *fixture) {
			a, b := f.enqueue(export("ann")), f.enqueue(export("ann"))
			if a.ID == b.ID {
				f.Errorf("one job for both")
			}
			_, err := f.ByKey(f.ctx, "")
			notFound(f, "ByKey of the empty key", err)
		}},
		{name: "keys are compared as bytes", run: func(f *fixture) {
			long := make([]byte, 10_000)
			for i := range long {
				long[i] = 'x'
			}
			for _, key := range []string{"k", "K", "k ", "k:", "k:1", "k%3A", "{k}", "k\n", "\xff", "é", "e\u0301", string(long), string(long) + "y"} {
				f.enqueue(keyed("ann", key, ""))
			}
		}},
		{name: "joining does not count against a cap", run: func(f *fixture) {
			first := f.enqueue(keyed("ann", "k", "")).ID
			full := export("bob")
			full.QueuedCap = 1
			f.enqueue(full)
			s := keyed("bob", "k", "")
			s.QueuedCap = 1
			same(f, s, first, queue.Pending)
		}},
	})
}
