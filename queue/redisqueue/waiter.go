package redisqueue

import (
	"context"

	"slashbatch/queue"
)

// Join implements queue.Queue.
func (q *Queue) Join(ctx context.Context, id, user string, runningCap int) (queue.Job, error) {
	return found(q.run(ctx, joinScript, id, encodeUser(user), boundCap(runningCap), millis(q.settings.Retention)))
}

// Waits implements queue.Queue.
func (q *Queue) Waits(ctx context.Context, id, user string) (bool, error) {
	answer, err := q.run(ctx, waitsScript, id, encodeUser(user))
	return answer == int64(1), err
}

// Leave implements queue.Queue.
func (q *Queue) Leave(ctx context.Context, id, user string) (queue.Left, queue.Job, error) {
	return left(q.run(ctx, leaveScript, id, encodeUser(user), millis(q.settings.Retention)))
}

// Cancel implements queue.Queue.
func (q *Queue) Cancel(ctx context.Context, id string) (queue.Left, queue.Job, error) {
	return left(q.run(ctx, cancelScript, id, millis(q.settings.Retention)))
}

// left reads the answer of leave and cancel.
func left(answer any, err error) (queue.Left, queue.Job, error) {
	if err != nil {
		return "", queue.Job{}, err
	}
	if answer == nil {
		return "", queue.Job{}, queue.ErrNotFound
	}
	fields, _ := answer.([]any)
	if len(fields) != 2 {
		return "", queue.Job{}, malformed(answer)
	}
	if fields[1] == nil { // kept so shortly that it was gone before the answer
		return "", queue.Job{}, queue.ErrNotFound
	}
	how, _ := fields[0].(string)
	j, err := decodeView(fields[1])
	return queue.Left(how), j, err
}
