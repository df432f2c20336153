package queuetest

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"slashbatch/queue"
)

func testClaim(t *testing.T, open Open) {
	tell(t, open, []story{
		{name: "a claimed job runs", run: func(f *fixture) { // S-028, S-032
			s := f.enqueue(export("ann"))
			if !s.Started.IsZero() || !s.Ended.IsZero() || s.Attempt != 0 {
				f.Errorf("pending: started %v, ended %v, attempt %d", s.Started, s.Ended, s.Attempt)
			}
			h, c := f.claim(queue.LaneExport)
			j := c.Job
			if j.Started.Before(s.Submitted) || !j.Ended.IsZero() || j.Attempt != 1 {
				f.Errorf("running: submitted %v, started %v, ended %v, attempt %d", s.Submitted, j.Started, j.Ended, j.Attempt)
			}
			if diff := cmp.Diff(j, f.get(s.ID, queue.Running)); diff != "" {
				f.Errorf("Get (-claimed +got):\n%s", diff)
			}
			if diff := cmp.Diff(queue.Standing{}, j.Standing); diff != "" {
				f.Errorf("a running job has a standing:\n%s", diff)
			}
			f.finish(h)
			if j := f.get(s.ID, queue.Done); j.Ended.Before(j.Started) || j.Started.IsZero() { // S-031
				f.Errorf("done: started %v, ended %v", j.Started, j.Ended)
			}
			f.nothing()
		}},
		{name: "a repeated claim returns the same job and counts once", run: func(f *fixture) {
			ids := f.add("ann", 1)
			f.add("bob", 1)
			r := queue.ClaimRequest{ClaimID: uuid.NewString(), Worker: "w1", Lane: queue.LaneExport}
			for range 3 {
				c, err := f.Claim(f.ctx, r)
				f.must(err)
				if c == nil || c.Job.ID != ids[0] || c.Job.Attempt != 1 || string(c.Definition) != `{}` {
					f.Fatalf("claimed %+v, want job %s at attempt 1", c, ids[0])
				}
			}
			if runs := f.snapshot().Lanes[queue.LaneExport].Runs; len(runs) != 1 {
				f.Errorf("%d runs, want 1", len(runs))
			}
			// One finish ends it: nothing else was taken by the repetitions.
			f.finish(queue.Holder{Job: ids[0], Claim: r.ClaimID})
			if got := f.drainOrder(); got != "bob" {
				f.Errorf("then served %q, want bob", got)
			}
		}},
		{name: "a claim id yields one job ever", run: func(f *fixture) {
			ends := map[string]func(h queue.Holder) error{
				"finish":  func(h queue.Holder) error { return f.Finish(f.ctx, h, queue.Success{}) },
				"release": func(h queue.Holder) error { return f.Release(f.ctx, h) },
				"fail": func(h queue.Holder) error {
					_, err := f.Fail(f.ctx, h, queue.Failure{Reason: "no"})
					return err
				},
			}
			f.add("ann", 1+len(ends))
			for name, end := range ends {
				h := f.take("")
				f.must(end(h))
				c, err := f.Claim(f.ctx, queue.ClaimRequest{ClaimID: h.Claim, Worker: "w1", Lane: queue.LaneExport})
				f.must(err)
				if c != nil {
					f.Fatalf("after %s: the claim id yields job %s", name, c.Job.ID)
				}
			}
			f.take("")
		}},
		{name: "a claim that found nothing may find something later", run: func(f *fixture) {
			r := queue.ClaimRequest{ClaimID: uuid.NewString(), Worker: "w1", Lane: queue.LaneExport}
			c, err := f.Claim(f.ctx, r)
			f.must(err)
			if c != nil {
				f.Fatal("claimed from an empty queue")
			}
			id := f.add("ann", 1)[0]
			c, err = f.Claim(f.ctx, r)
			f.must(err)
			if c == nil || c.Job.ID != id {
				f.Fatalf("claimed %+v, want job %s", c, id)
			}
		}},
		{name: "attempts count claims", run: func(f *fixture) {
			id := f.add("ann", 1)[0]
			for want := 1; want <= 3; want++ {
				h, c := f.claim(queue.LaneExport)
				if c.Job.Attempt != want {
					f.Errorf("attempt %d, want %d", c.Job.Attempt, want)
				}
				f.must(f.Release(f.ctx, h))
			}
			if j := f.get(id, queue.Pending); j.Crashes != 0 || j.Failures != 0 {
				f.Errorf("crashes %d, failures %d after releases", j.Crashes, j.Failures)
			}
		}},
	})
}

func testFence(t *testing.T, open Open) {
	// deny holds that a holder can do nothing to its job.
	deny := func(f *fixture, h queue.Holder, want queue.State) {
		f.Helper()
		before, err := f.Get(f.ctx, h.Job)
		known := err == nil
		f.lost("Beat", f.beat(queue.Beat{Holder: h, Progress: queue.Progress{Rows: 99}, Steps: []byte("late")}), want)
		f.lost("Seal", f.Seal(f.ctx, h), want)
		f.lost("Finish", f.Finish(f.ctx, h, queue.Success{Outcome: []byte("late")}), want)
		_, err = f.Fail(f.ctx, h, queue.Failure{Reason: "late", Retry: true, Outcome: []byte("late")})
		f.lost("Fail", err, want)
		if known {
			after, err := f.Get(f.ctx, h.Job)
			f.must(err)
			if diff := cmp.Diff(before, after); diff != "" {
				f.Errorf("a holder that lost its claim changed the job:\n%s", diff)
			}
		}
	}
	tell(t, open, []story{
		{name: "an unknown job", run: func(f *fixture) { // S-040, C-101, C-105
			h := queue.Holder{Job: uuid.NewString(), Claim: uuid.NewString()}
			deny(f, h, "")
			f.lost("Release", f.Release(f.ctx, h), "")
			f.nothing()
		}},
		{name: "a pending job that nobody claimed", run: func(f *fixture) { // S-040
			h := queue.Holder{Job: f.add("ann", 1)[0], Claim: uuid.NewString()}
			deny(f, h, queue.Pending)
			f.lost("Release", f.Release(f.ctx, h), queue.Pending)
			f.take(h.Job)
		}},
		{name: "a running job under another claim", run: func(f *fixture) { // I-10
			h := f.take(f.add("ann", 1)[0])
			other := f.take(f.add("bob", 1)[0])
			for _, claim := range []string{uuid.NewString(), other.Claim} {
				wrong := queue.Holder{Job: h.Job, Claim: claim}
				deny(f, wrong, queue.Running)
				f.lost("Release", f.Release(f.ctx, wrong), queue.Running)
			}
			f.finish(h)
			f.finish(other)
		}},
		{name: "a job claimed by somebody else since", run: func(f *fixture) {
			h := f.take(f.add("ann", 1)[0])
			f.must(f.Release(f.ctx, h))
			deny(f, h, queue.Pending)
			next := f.take(h.Job)
			deny(f, h, queue.Running)
			f.must(f.Release(f.ctx, h)) // a repetition, which changes nothing
			f.get(h.Job, queue.Running)
			f.finish(next)
			deny(f, h, queue.Done)
		}},
		{name: "a cancelled job", run: func(f *fixture) {
			h := f.take(f.add("ann", 1)[0])
			f.cancel(h.Job, queue.Stopping)
			deny(f, h, queue.Cancelled)
		}},
		{name: "an ended job ended otherwise", run: func(f *fixture) { // I-11
			h := f.take(f.add("ann", 1)[0])
			f.finish(h)
			_, err := f.Fail(f.ctx, h, queue.Failure{Reason: "late"})
			f.lost("Fail", err, queue.Done)
			f.lost("Release", f.Release(f.ctx, h), queue.Done)
			f.lost("Beat", f.beat(queue.Beat{Holder: h}), queue.Done)

			h = f.take(f.add("ann", 1)[0])
			_, err = f.Fail(f.ctx, h, queue.Failure{Reason: "no"})
			f.must(err)
			f.lost("Finish", f.Finish(f.ctx, h, queue.Success{}), queue.Failed)
		}},
		{name: "repeated ends by the same claim succeed once more and change nothing", run: func(f *fixture) { // I-11, I-12
			h := f.take(f.add("ann", 1)[0])
			f.must(f.Seal(f.ctx, h))
			f.must(f.Seal(f.ctx, h))
			f.must(f.Finish(f.ctx, h, queue.Success{Outcome: []byte("one")}))
			done := f.get(h.Job, queue.Done)
			time.Sleep(2 * time.Millisecond) // a repetition must not move Ended
			f.must(f.Finish(f.ctx, h, queue.Success{Outcome: []byte("two")}))
			if diff := cmp.Diff(done, f.get(h.Job, queue.Done)); diff != "" {
				f.Errorf("a repeated Finish changed the job:\n%s", diff)
			}
			if string(done.Outcome) != "one" {
				f.Errorf("outcome %q", done.Outcome)
			}
		}},
		{name: "one call answers many beats in their order", run: func(f *fixture) {
			a, b := f.take(f.add("ann", 1)[0]), f.take(f.add("bob", 1)[0])
			gone := queue.Holder{Job: uuid.NewString(), Claim: uuid.NewString()}
			f.cancel(b.Job, queue.Stopping)
			answers, err := f.Beat(f.ctx, queue.Worker{ID: "w1"}, []queue.Beat{{Holder: b}, {Holder: a, Progress: queue.Progress{Rows: 1}}, {Holder: gone}})
			f.must(err)
			if len(answers) != 3 || answers[1] != nil {
				f.Fatalf("answers %v, want the second to be nil", answers)
			}
			f.lost("the first", answers[0], queue.Cancelled)
			f.lost("the third", answers[2], "")
			if j := f.get(a.Job, queue.Running); j.Progress.Rows != 1 {
				f.Errorf("progress %+v", j.Progress)
			}
			answers, err = f.Beat(f.ctx, queue.Worker{ID: "w1"}, nil)
			f.must(err)
			if len(answers) != 0 {
				f.Errorf("answers %v to no beats", answers)
			}
		}},
	})
}
