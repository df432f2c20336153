package pgqueue

import (
	"context"
	"errors"

	"slashbatch/queue"
)

// Join implements queue.Queue.
func (q *Queue) Join(ctx context.Context, id, user string, runningCap int) (queue.Job, error) {
	const sql = `SELECT f.o_answer, (f.o_job).* FROM slashbatch.queue_join($1, $2, $3) f`
	var answer string
	var v view
	err := q.do(ctx, func(ctx context.Context) error {
		v = view{}
		return q.pool.QueryRow(ctx, sql, []byte(id), []byte(user), count(runningCap, 1)).Scan(append([]any{&answer}, v.columns()...)...)
	})
	switch {
	case err != nil:
		return queue.Job{}, err
	case answer == "none":
		return queue.Job{}, queue.ErrNotFound
	case answer == "moved":
		q.moved(v.job())
	}
	return v.job(), nil
}

// moved tells that a job has come into another list.
func (q *Queue) moved(j queue.Job) {
	q.out.say(changed(j.ID, j.State))
	if j.Standing.NotBefore.IsZero() {
		q.out.say(wake(j.User))
	}
}

// Waits implements queue.Queue.
func (q *Queue) Waits(ctx context.Context, id, user string) (bool, error) {
	const sql = `SELECT EXISTS (SELECT FROM slashbatch.queue_waiter w WHERE w.job = $1 AND sha256(w.owner) = sha256($2))`
	var waits bool
	err := q.do(ctx, func(ctx context.Context) error {
		return q.pool.QueryRow(ctx, sql, []byte(id), []byte(user)).Scan(&waits)
	})
	return waits, err
}

// Leave implements queue.Queue.
func (q *Queue) Leave(ctx context.Context, id, user string) (queue.Left, queue.Job, error) {
	left, job, repeated, err := q.left(ctx, `SELECT f.o_answer, f.o_wakes, (f.o_job).* FROM slashbatch.queue_leave($1, $2) f`, []byte(id), []byte(user))
	if repeated && errors.Is(err, queue.ErrNotFound) {
		// The call whose answer was lost may have taken the user off. Then others
		// wait: the last one stays on record.
		job, err = q.Get(ctx, id)
		left = queue.StillWanted
	}
	if err != nil {
		return "", queue.Job{}, err
	}
	return left, job, nil
}

// Cancel implements queue.Queue.
func (q *Queue) Cancel(ctx context.Context, id string) (queue.Left, queue.Job, error) {
	left, job, _, err := q.left(ctx, `SELECT f.o_answer, f.o_wakes, (f.o_job).* FROM slashbatch.queue_cancel($1) f`, []byte(id))
	return left, job, err
}

// left makes a call that may be the end of a job. It tells whether it was made
// again after its answer was lost.
func (q *Queue) left(ctx context.Context, sql string, args ...any) (left queue.Left, j queue.Job, repeated bool, err error) {
	var answer string
	var users [][]byte
	var v view
	lost := false
	err = q.do(ctx, func(ctx context.Context) error {
		repeated = lost
		v = view{}
		err := q.pool.QueryRow(ctx, sql, args...).Scan(append([]any{&answer, &users}, v.columns()...)...)
		lost = lost || err != nil && whatFor(err) == disconnected
		return err
	})
	if err != nil {
		return "", queue.Job{}, repeated, err
	}
	j = v.job()
	switch answer {
	case "none":
		return "", queue.Job{}, repeated, queue.ErrNotFound
	case "moved":
		q.moved(j)
		answer = string(queue.StillWanted)
	case string(queue.Removed), string(queue.Stopping):
		q.out.say(changed(j.ID, j.State))
	}
	q.out.say(wakeAll(users)...)
	return queue.Left(answer), j, repeated, nil
}
