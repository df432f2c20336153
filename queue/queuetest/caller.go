package queuetest

import (
	"context"
	"errors"
	"fmt"

	"slashbatch/queue"
)

// caller repeats every call that an unreliable queue made fail, with the very same
// arguments, as real callers do. So a test sees the answers of a queue without
// faults, or an error when the repetition was not harmless.
type caller struct{ *unreliable }

// repeat calls until there is an answer, and returns the first of those that were
// lost before it; nil when none was.
func repeat[T any](call func() (T, error)) (answer T, lost *FaultError, err error) {
	for {
		answer, err = call()
		var fault *FaultError
		if !errors.As(err, &fault) {
			return answer, lost, err
		}
		if lost == nil && fault.Lost != nil {
			lost = fault
		}
	}
}

func again[T any](call func() (T, error)) (T, error) {
	answer, _, err := repeat(call)
	return answer, err
}

func redo(call func() error) error {
	_, err := again(func() (done, error) { return done{}, call() })
	return err
}

// end repeats a Leave or Cancel, whose second answer is another than the first:
// who has left waits no more, and what has ended cannot be cancelled.
func end(call func() (queue.Left, queue.Job, error)) (queue.Left, queue.Job, error) {
	now, lost, err := repeat(func() (e ended, err error) {
		e.left, e.job, err = call()
		return e, err
	})
	if lost == nil {
		return now.left, now.job, err
	}
	first := lost.Lost.(ended)
	ok := false
	switch {
	case lost.LostErr != nil:
		ok = errors.Is(err, lost.LostErr)
	case first.left == queue.StillWanted:
		ok = errors.Is(err, queue.ErrNotFound)
	default:
		ok = err == nil && now.left == queue.TooLate && now.job.State == first.job.State
	}
	if !ok {
		return "", queue.Job{}, fmt.Errorf("%s, repeated after %s, %w: %s, a %s job, %w", lost.Op, first.left, lost.LostErr, now.left, now.job.State, err)
	}
	return first.left, first.job, lost.LostErr
}

func (c caller) Enqueue(ctx context.Context, s queue.Submission) (queue.Enqueued, error) {
	return again(func() (queue.Enqueued, error) { return c.unreliable.Enqueue(ctx, s) })
}

func (c caller) Join(ctx context.Context, id, user string, runningCap int) (queue.Job, error) {
	return again(func() (queue.Job, error) { return c.unreliable.Join(ctx, id, user, runningCap) })
}

func (c caller) Waits(ctx context.Context, id, user string) (bool, error) {
	return again(func() (bool, error) { return c.unreliable.Waits(ctx, id, user) })
}

func (c caller) Leave(ctx context.Context, id, user string) (queue.Left, queue.Job, error) {
	return end(func() (queue.Left, queue.Job, error) { return c.unreliable.Leave(ctx, id, user) })
}

func (c caller) Cancel(ctx context.Context, id string) (queue.Left, queue.Job, error) {
	return end(func() (queue.Left, queue.Job, error) { return c.unreliable.Cancel(ctx, id) })
}

func (c caller) Claim(ctx context.Context, r queue.ClaimRequest) (*queue.Claimed, error) {
	return again(func() (*queue.Claimed, error) { return c.unreliable.Claim(ctx, r) })
}

func (c caller) Beat(ctx context.Context, w queue.Worker, beats []queue.Beat) ([]error, error) {
	return again(func() ([]error, error) { return c.unreliable.Beat(ctx, w, beats) })
}

func (c caller) Seal(ctx context.Context, h queue.Holder) error {
	return redo(func() error { return c.unreliable.Seal(ctx, h) })
}

func (c caller) Finish(ctx context.Context, h queue.Holder, s queue.Success) error {
	return redo(func() error { return c.unreliable.Finish(ctx, h, s) })
}

func (c caller) Fail(ctx context.Context, h queue.Holder, f queue.Failure) (queue.State, error) {
	return again(func() (queue.State, error) { return c.unreliable.Fail(ctx, h, f) })
}

func (c caller) Release(ctx context.Context, h queue.Holder) error {
	return redo(func() error { return c.unreliable.Release(ctx, h) })
}

func (c caller) Get(ctx context.Context, id string) (queue.Job, error) {
	return again(func() (queue.Job, error) { return c.unreliable.Get(ctx, id) })
}

func (c caller) ByKey(ctx context.Context, key string) (queue.Job, error) {
	return again(func() (queue.Job, error) { return c.unreliable.ByKey(ctx, key) })
}

func (c caller) List(ctx context.Context, user string, before int64, n int) ([]queue.Job, error) {
	return again(func() ([]queue.Job, error) { return c.unreliable.List(ctx, user, before, n) })
}

func (c caller) Definition(ctx context.Context, id string) ([]byte, error) {
	return again(func() ([]byte, error) { return c.unreliable.Definition(ctx, id) })
}

func (c caller) Snapshot(ctx context.Context) (*queue.Snapshot, error) {
	return again(func() (*queue.Snapshot, error) { return c.unreliable.Snapshot(ctx) })
}

func (c caller) Stats(ctx context.Context) (*queue.Stats, error) {
	return again(func() (*queue.Stats, error) { return c.unreliable.Stats(ctx) })
}

func (c caller) Subscribe(ctx context.Context) (<-chan queue.Event, error) {
	return again(func() (<-chan queue.Event, error) { return c.unreliable.Subscribe(ctx) })
}

func (c caller) SetCapacities(ctx context.Context, capacities map[string]int) error {
	return redo(func() error { return c.unreliable.SetCapacities(ctx, capacities) })
}

func (c caller) SetPaused(ctx context.Context, paused bool) error {
	return redo(func() error { return c.unreliable.SetPaused(ctx, paused) })
}

// Sweep counts what all calls together did.
func (c caller) Sweep(ctx context.Context) (queue.Swept, error) {
	var sum queue.Swept
	add := func(s queue.Swept) {
		sum.Recovered += s.Recovered
		sum.Failed += s.Failed
		sum.Extended = sum.Extended || s.Extended
	}
	swept, err := again(func() (queue.Swept, error) {
		swept, err := c.unreliable.Sweep(ctx)
		var fault *FaultError
		if errors.As(err, &fault) && fault.Lost != nil {
			add(fault.Lost.(queue.Swept))
		}
		return swept, err
	})
	add(swept)
	return sum, err
}

func (c caller) Ping(ctx context.Context) error {
	return redo(func() error { return c.unreliable.Ping(ctx) })
}
