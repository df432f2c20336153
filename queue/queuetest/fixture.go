package queuetest

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"slashbatch/queue"
)

// patience is how long something that must happen may take on a slow machine.
const patience = 20 * time.Second

// hung is how long a whole story may take.
const hung = 2 * time.Minute

// tester is what a fixture needs of a *testing.T, or of a *rapid.T.
type tester interface {
	Helper()
	Error(args ...any)
	Errorf(format string, args ...any)
	Fatal(args ...any)
	Fatalf(format string, args ...any)
}

// fixture is a queue under test with its caller: its own methods fail the test
// on every error that is not the subject.
type fixture struct {
	tester
	queue.Queue
	ctx context.Context
}

// story is one thing the contract promises, shown on a fresh queue.
type story struct {
	name     string
	settings queue.Settings
	run      func(f *fixture)
}

// atOnce is how many stories are told at a time: many of them mostly wait, for time
// to pass or for a backend to answer.
const atOnce = 6

func tell(t *testing.T, open Open, stories []story) {
	var wg sync.WaitGroup
	turn := make(chan struct{}, atOnce)
	for _, s := range stories {
		turn <- struct{}{}
		wg.Go(func() {
			defer func() { <-turn }()
			t.Run(s.name, func(t *testing.T) { s.run(newFixture(t, open, s.settings)) })
		})
	}
	wg.Wait()
}

func newFixture(t *testing.T, open Open, s queue.Settings) *fixture {
	// Not the context of the test alone: a backend that hangs shall fail one
	// test and not the whole run.
	ctx, cancel := context.WithTimeout(t.Context(), hung)
	t.Cleanup(cancel)
	return &fixture{tester: t, Queue: open(t, s), ctx: ctx}
}

func (f *fixture) must(err error) {
	f.Helper()
	if err != nil {
		f.Fatal(err)
	}
}

// export is a plain submission of a user, to be varied.
func export(user string) queue.Submission {
	return queue.Submission{
		ID:         uuid.NewString(),
		User:       user,
		Lane:       queue.LaneExport,
		Kind:       "export",
		Estimate:   time.Second,
		RunningCap: 1,
		Definition: []byte(`{}`),
	}
}

// keyed is an export under a request key.
func keyed(user, key, after string) queue.Submission {
	s := export(user)
	s.Key, s.After = key, after
	return s
}

// enqueue submits a job that must be made.
func (f *fixture) enqueue(s queue.Submission) queue.Job {
	f.Helper()
	e, err := f.Enqueue(f.ctx, s)
	f.must(err)
	if !e.Created || e.Job.ID != s.ID || e.Job.State != queue.Pending {
		f.Fatalf("Enqueue: created %v, job %s, %s; want a new pending job %s", e.Created, e.Job.ID, e.Job.State, s.ID)
	}
	return e.Job
}

// add submits n plain jobs of a user and returns their ids.
func (f *fixture) add(user string, n int) []string {
	f.Helper()
	var ids []string
	for range n {
		ids = append(ids, f.enqueue(export(user)).ID)
	}
	return ids
}

// claim asks for a job of a lane; the job is nil when there is none.
func (f *fixture) claim(lane queue.Lane) (queue.Holder, *queue.Claimed) {
	f.Helper()
	id := uuid.NewString()
	c, err := f.Claim(f.ctx, queue.ClaimRequest{ClaimID: id, Worker: "w1", Lane: lane})
	f.must(err)
	if c == nil {
		return queue.Holder{}, nil
	}
	if c.Job.State != queue.Running {
		f.Fatalf("Claim: job is %s", c.Job.State)
	}
	return queue.Holder{Job: c.Job.ID, Claim: id}, c
}

// take claims an export that must be there; want is its id unless empty.
func (f *fixture) take(want string) queue.Holder {
	f.Helper()
	h, c := f.claim(queue.LaneExport)
	if c == nil {
		f.Fatal("Claim: nothing")
	}
	if want != "" && h.Job != want {
		f.Fatalf("Claim: job %s (of %s), want %s", h.Job, c.Job.User, want)
	}
	return h
}

// nothing holds that no export may be claimed.
func (f *fixture) nothing() {
	f.Helper()
	if h, c := f.claim(queue.LaneExport); c != nil {
		f.Fatalf("Claim: job %s of %s, want nothing", h.Job, c.Job.User)
	}
}

func (f *fixture) finish(h queue.Holder) {
	f.Helper()
	f.must(f.Finish(f.ctx, h, queue.Success{}))
}

// get returns a job that must be in the given state.
func (f *fixture) get(id string, want queue.State) queue.Job {
	f.Helper()
	j, err := f.Get(f.ctx, id)
	f.must(err)
	if j.State != want {
		f.Fatalf("job is %s, want %s", j.State, want)
	}
	return j
}

func (f *fixture) snapshot() *queue.Snapshot {
	f.Helper()
	s, err := f.Snapshot(f.ctx)
	f.must(err)
	return s
}

// cancel cancels a job, with what must come of it.
func (f *fixture) cancel(id string, want queue.Left) queue.Job {
	f.Helper()
	left, j, err := f.Cancel(f.ctx, id)
	f.must(err)
	if left != want {
		f.Fatalf("Cancel: %s, want %s", left, want)
	}
	return j
}

// leave takes a user off a job, with what must come of it.
func (f *fixture) leave(id, user string, want queue.Left) {
	f.Helper()
	left, j, err := f.Leave(f.ctx, id, user)
	f.must(err)
	if left != want || j.ID != id {
		f.Fatalf("Leave: %s for job %s, want %s", left, j.ID, want)
	}
}

// retry fails a claim so that another attempt follows after a while.
func (f *fixture) retry(h queue.Holder, after time.Duration) {
	f.Helper()
	state, err := f.Fail(f.ctx, h, queue.Failure{Reason: "not yet", Retry: true, After: after})
	f.must(err)
	if state != queue.Pending {
		f.Fatalf("Fail: %s, want pending", state)
	}
}

// due is a condition for sweepUntil: a job does not wait for a retry any more.
func (f *fixture) due(id string) func() bool {
	return func() bool { return f.get(id, queue.Pending).Standing.NotBefore.IsZero() }
}

// beat extends one claim and returns the answer.
func (f *fixture) beat(b queue.Beat) error {
	f.Helper()
	answers, err := f.Beat(f.ctx, queue.Worker{ID: "w1", Slots: map[queue.Lane]int{queue.LaneExport: 1}}, []queue.Beat{b})
	f.must(err)
	if len(answers) != 1 {
		f.Fatalf("Beat: %d answers to one beat", len(answers))
	}
	return answers[0]
}

// lost holds that an answer says that the claim is gone, with the job's state.
func (f *fixture) lost(what string, err error, want queue.State) {
	f.Helper()
	var l *queue.LostError
	if !errors.As(err, &l) {
		f.Fatalf("%s: %v, want a LostError", what, err)
	}
	if l.State != want {
		f.Fatalf("%s: lost, the job is %q; want %q", what, l.State, want)
	}
}

// eventually polls until ok, which must come true.
func (f *fixture) eventually(what string, ok func() bool) {
	f.Helper()
	for end := time.Now().Add(patience); !ok(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			f.Fatalf("after %v still not: %s", patience, what)
		}
	}
}

// sweepUntil sweeps as a worker process does, often, until ok.
func (f *fixture) sweepUntil(what string, ok func() bool) {
	f.Helper()
	f.eventually(what, func() bool {
		_, err := f.Sweep(f.ctx)
		f.must(err)
		return ok()
	})
}

// inState is a condition for eventually.
func (f *fixture) inState(id string, want queue.State) func() bool {
	return func() bool {
		j, err := f.Get(f.ctx, id)
		f.must(err)
		return j.State == want
	}
}

// drainOrder claims and finishes until nothing is left, and returns the users
// in the order in which they were served.
func (f *fixture) drainOrder() string {
	f.Helper()
	var users strings.Builder
	for {
		h, c := f.claim(queue.LaneExport)
		if c == nil {
			return users.String()
		}
		users.WriteString(c.Job.User)
		f.finish(h)
	}
}
