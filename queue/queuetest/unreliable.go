package queuetest

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	"slashbatch/queue"
)

// Fault is what an unreliable queue does to some of its calls.
type Fault string

// The faults.
const (
	// CallsFail: a call fails before it happens.
	CallsFail Fault = "calls fail"
	// AnswersLost: a call happens, and its answer is lost.
	AnswersLost Fault = "answers lost"
	// CallsSlow: a call is held up for a moment, before it happens or after.
	CallsSlow Fault = "calls slow"
)

// FaultError is the error of a call that an unreliable queue made fail. It wraps
// queue.ErrUnavailable.
type FaultError struct {
	// Op is the method that was called.
	Op string
	// Lost is what the call would have returned, without its error, when only
	// the answer was lost; LostErr that error.
	Lost    any
	LostErr error
}

func (e *FaultError) Error() string {
	return fmt.Sprintf("%v: a fault in %s", queue.ErrUnavailable, e.Op)
}

// Unwrap returns queue.ErrUnavailable.
func (e *FaultError) Unwrap() error { return queue.ErrUnavailable }

// Unreliable returns a queue that does to about every third call of q, chosen at
// random from this seed, what the fault says. Close is never touched.
func Unreliable(q queue.Queue, fault Fault, seed uint64) queue.Queue {
	return newUnreliable(q, fault, seed)
}

func newUnreliable(q queue.Queue, fault Fault, seed uint64) *unreliable {
	return &unreliable{Queue: q, fault: fault, random: rand.New(rand.NewPCG(seed, 0))}
}

type unreliable struct {
	queue.Queue // Close
	fault       Fault

	mu     sync.Mutex
	random *rand.Rand
}

func (u *unreliable) roll(n int) int {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.random.IntN(n)
}

// faulty does a call, or what the fault makes of it.
func faulty[T any](u *unreliable, op string, call func() (T, error)) (answer T, err error) {
	if u.roll(3) > 0 {
		return call()
	}
	switch u.fault {
	case CallsFail:
		return answer, &FaultError{Op: op}
	case AnswersLost:
		lost, err := call()
		return answer, &FaultError{Op: op, Lost: lost, LostErr: err}
	default:
		pause := time.Duration(1+u.roll(1000)) * time.Microsecond
		if u.roll(2) == 0 {
			time.Sleep(pause)
			return call()
		}
		defer time.Sleep(pause)
		return call()
	}
}

// done is the answer of a call that has none but its error.
type done struct{}

func (u *unreliable) do(op string, call func() error) error {
	_, err := faulty(u, op, func() (done, error) { return done{}, call() })
	return err
}

// ended is the answer of Leave and Cancel.
type ended struct {
	left queue.Left
	job  queue.Job
}

func (u *unreliable) Enqueue(ctx context.Context, s queue.Submission) (queue.Enqueued, error) {
	return faulty(u, "Enqueue", func() (queue.Enqueued, error) { return u.Queue.Enqueue(ctx, s) })
}

func (u *unreliable) Join(ctx context.Context, id, user string, runningCap int) (queue.Job, error) {
	return faulty(u, "Join", func() (queue.Job, error) { return u.Queue.Join(ctx, id, user, runningCap) })
}

func (u *unreliable) Waits(ctx context.Context, id, user string) (bool, error) {
	return faulty(u, "Waits", func() (bool, error) { return u.Queue.Waits(ctx, id, user) })
}

func (u *unreliable) Leave(ctx context.Context, id, user string) (queue.Left, queue.Job, error) {
	e, err := faulty(u, "Leave", func() (e ended, err error) {
		e.left, e.job, err = u.Queue.Leave(ctx, id, user)
		return e, err
	})
	return e.left, e.job, err
}

func (u *unreliable) Cancel(ctx context.Context, id string) (queue.Left, queue.Job, error) {
	e, err := faulty(u, "Cancel", func() (e ended, err error) {
		e.left, e.job, err = u.Queue.Cancel(ctx, id)
		return e, err
	})
	return e.left, e.job, err
}

func (u *unreliable) Claim(ctx context.Context, r queue.ClaimRequest) (*queue.Claimed, error) {
	return faulty(u, "Claim", func() (*queue.Claimed, error) { return u.Queue.Claim(ctx, r) })
}

func (u *unreliable) Beat(ctx context.Context, w queue.Worker, beats []queue.Beat) ([]error, error) {
	return faulty(u, "Beat", func() ([]error, error) { return u.Queue.Beat(ctx, w, beats) })
}

func (u *unreliable) Seal(ctx context.Context, h queue.Holder) error {
	return u.do("Seal", func() error { return u.Queue.Seal(ctx, h) })
}

func (u *unreliable) Finish(ctx context.Context, h queue.Holder, s queue.Success) error {
	return u.do("Finish", func() error { return u.Queue.Finish(ctx, h, s) })
}

func (u *unreliable) Fail(ctx context.Context, h queue.Holder, f queue.Failure) (queue.State, error) {
	return faulty(u, "Fail", func() (queue.State, error) { return u.Queue.Fail(ctx, h, f) })
}

func (u *unreliable) Release(ctx context.Context, h queue.Holder) error {
	return u.do("Release", func() error { return u.Queue.Release(ctx, h) })
}

func (u *unreliable) Get(ctx context.Context, id string) (queue.Job, error) {
	return faulty(u, "Get", func() (queue.Job, error) { return u.Queue.Get(ctx, id) })
}

func (u *unreliable) ByKey(ctx context.Context, key string) (queue.Job, error) {
	return faulty(u, "ByKey", func() (queue.Job, error) { return u.Queue.ByKey(ctx, key) })
}

func (u *unreliable) List(ctx context.Context, user string, before int64, n int) ([]queue.Job, error) {
	return faulty(u, "List", func() ([]queue.Job, error) { return u.Queue.List(ctx, user, before, n) })
}

func (u *unreliable) Definition(ctx context.Context, id string) ([]byte, error) {
	return faulty(u, "Definition", func() ([]byte, error) { return u.Queue.Definition(ctx, id) })
}

func (u *unreliable) Snapshot(ctx context.Context) (*queue.Snapshot, error) {
	return faulty(u, "Snapshot", func() (*queue.Snapshot, error) { return u.Queue.Snapshot(ctx) })
}

func (u *unreliable) Stats(ctx context.Context) (*queue.Stats, error) {
	return faulty(u, "Stats", func() (*queue.Stats, error) { return u.Queue.Stats(ctx) })
}

// Subscribe ends a subscription whose answer is lost, since nobody reads it.
func (u *unreliable) Subscribe(ctx context.Context) (<-chan queue.Event, error) {
	own, cancel := context.WithCancel(ctx)
	events, err := faulty(u, "Subscribe", func() (<-chan queue.Event, error) { return u.Queue.Subscribe(own) })
	if err != nil {
		cancel()
		return nil, err
	}
	context.AfterFunc(ctx, cancel)
	return events, nil
}

func (u *unreliable) SetCapacities(ctx context.Context, capacities map[string]int) error {
	return u.do("SetCapacities", func() error { return u.Queue.SetCapacities(ctx, capacities) })
}

func (u *unreliable) SetPaused(ctx context.Context, paused bool) error {
	return u.do("SetPaused", func() error { return u.Queue.SetPaused(ctx, paused) })
}

func (u *unreliable) Sweep(ctx context.Context) (queue.Swept, error) {
	return faulty(u, "Sweep", func() (queue.Swept, error) { return u.Queue.Sweep(ctx) })
}

func (u *unreliable) Ping(ctx context.Context) error {
	return u.do("Ping", func() error { return u.Queue.Ping(ctx) })
}
