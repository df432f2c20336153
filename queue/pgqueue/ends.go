package pgqueue

import (
	"context"

	"slashbatch/queue"
)

// Finish implements queue.Queue.
func (q *Queue) Finish(ctx context.Context, h queue.Holder, s queue.Success) error {
	_, err := q.ended(ctx, h, `SELECT f.o_answer, f.o_state, f.o_wakes FROM slashbatch.queue_finish($1, $2, $3, $4, $5) f`,
		[]byte(h.Job), []byte(h.Claim), s.Outcome, s.Measured, millis(q.settings.Lease))
	return err
}

// Fail implements queue.Queue.
func (q *Queue) Fail(ctx context.Context, h queue.Holder, f queue.Failure) (queue.State, error) {
	return q.ended(ctx, h, `SELECT f.o_answer, f.o_state, f.o_wakes FROM slashbatch.queue_fail($1, $2, $3, $4, $5, $6, $7) f`,
		[]byte(h.Job), []byte(h.Claim), []byte(f.Reason), f.Retry, millis(f.After), f.Outcome, millis(q.settings.Lease))
}

// Release implements queue.Queue.
func (q *Queue) Release(ctx context.Context, h queue.Holder) error {
	_, err := q.ended(ctx, h, `SELECT f.o_answer, f.o_state, f.o_wakes FROM slashbatch.queue_release($1, $2, $3) f`,
		[]byte(h.Job), []byte(h.Claim), millis(q.settings.Lease))
	return err
}

// ended makes a call that ends a claim, and tells of it.
func (q *Queue) ended(ctx context.Context, h queue.Holder, sql string, args ...any) (queue.State, error) {
	state, users, err := q.held(ctx, sql, args...)
	if err != nil {
		return "", err
	}
	// Without users it is a repetition, whose job may be elsewhere by now.
	if users != nil || state.Final() {
		q.out.say(changed(h.Job, state))
		q.out.say(wakeAll(users)...)
	}
	return state, nil
}

// held makes a call of a holder: it returns the state that the job came to and whom
// to wake, or a LostError.
func (q *Queue) held(ctx context.Context, sql string, args ...any) (queue.State, [][]byte, error) {
	var answer string
	var state *string
	var users [][]byte
	err := q.do(ctx, func(ctx context.Context) error {
		return q.pool.QueryRow(ctx, sql, args...).Scan(&answer, &state, &users)
	})
	if err == nil && answer == "lost" {
		err = &queue.LostError{State: queue.State(value(state))}
	}
	return queue.State(value(state)), users, err
}
