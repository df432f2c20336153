package jobs

import (
	"context"
	"fmt"

	"slashbatch/queue"
)

// prompt is a queue whose calls by a worker return as soon as their context
// ends, also where a backend only looks at it before it sends. What becomes of
// such a call is unknown, like that of any whose answer was lost.
type prompt struct{ queue.Queue }

func promptly[T any](ctx context.Context, call func() (T, error)) (T, error) {
	type answer struct {
		value T
		err   error
	}
	c := make(chan answer, 1)
	go func() {
		value, err := call()
		c <- answer{value, err}
	}()
	select {
	case a := <-c:
		return a.value, a.err
	case <-ctx.Done():
		var none T
		return none, fmt.Errorf("%w: %w", queue.ErrUnavailable, context.Cause(ctx))
	}
}

// promptlyDo is promptly for calls without an answer but their error.
func promptlyDo(ctx context.Context, call func() error) error {
	_, err := promptly(ctx, func() (struct{}, error) { return struct{}{}, call() })
	return err
}

func (q prompt) Claim(ctx context.Context, r queue.ClaimRequest) (*queue.Claimed, error) {
	return promptly(ctx, func() (*queue.Claimed, error) { return q.Queue.Claim(ctx, r) })
}

func (q prompt) Beat(ctx context.Context, w queue.Worker, beats []queue.Beat) ([]error, error) {
	return promptly(ctx, func() ([]error, error) { return q.Queue.Beat(ctx, w, beats) })
}

func (q prompt) Seal(ctx context.Context, h queue.Holder) error {
	return promptlyDo(ctx, func() error { return q.Queue.Seal(ctx, h) })
}

func (q prompt) Finish(ctx context.Context, h queue.Holder, s queue.Success) error {
	return promptlyDo(ctx, func() error { return q.Queue.Finish(ctx, h, s) })
}

func (q prompt) Fail(ctx context.Context, h queue.Holder, f queue.Failure) (queue.State, error) {
	return promptly(ctx, func() (queue.State, error) { return q.Queue.Fail(ctx, h, f) })
}

func (q prompt) Release(ctx context.Context, h queue.Holder) error {
	return promptlyDo(ctx, func() error { return q.Queue.Release(ctx, h) })
}

func (q prompt) Sweep(ctx context.Context) (queue.Swept, error) {
	return promptly(ctx, func() (queue.Swept, error) { return q.Queue.Sweep(ctx) })
}
