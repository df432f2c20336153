package memqueue

import (
	"context"

	"slashbatch/queue"
)

// Join implements queue.Queue.
func (q *Queue) Join(ctx context.Context, id, user string, runningCap int) (queue.Job, error) {
	if err := q.lock(ctx); err != nil {
		return queue.Job{}, err
	}
	defer q.mu.Unlock()

	j := q.jobs[id]
	if j == nil {
		return queue.Job{}, queue.ErrNotFound
	}
	if !j.State.Final() {
		q.ask(j, user, runningCap)
	}
	return q.view(j), nil
}

// Waits implements queue.Queue.
func (q *Queue) Waits(ctx context.Context, id, user string) (bool, error) {
	if err := q.lock(ctx); err != nil {
		return false, err
	}
	defer q.mu.Unlock()

	j := q.jobs[id]
	if j == nil {
		return false, nil
	}
	_, ok := j.waiters[user]
	return ok, nil
}

// Leave implements queue.Queue.
func (q *Queue) Leave(ctx context.Context, id, user string) (queue.Left, queue.Job, error) {
	if err := q.lock(ctx); err != nil {
		return "", queue.Job{}, err
	}
	defer q.mu.Unlock()

	j := q.jobs[id]
	if j == nil {
		return "", queue.Job{}, queue.ErrNotFound
	}
	if _, ok := j.waiters[user]; !ok {
		return "", queue.Job{}, queue.ErrNotFound
	}
	if j.Sealed || j.State.Final() {
		return queue.TooLate, q.view(j), nil
	}
	if len(j.waiters) == 1 {
		// The last one stays on record: the job is still theirs to look at, and
		// leaving again after a lost answer finds it cancelled.
		return q.cancel(j), q.view(j), nil
	}
	delete(j.waiters, user)
	q.unlist(user, j)
	if j.State == queue.Pending && j.User == user {
		q.move(j, q.heir(j))
	}
	return queue.StillWanted, q.view(j), nil
}

// Cancel implements queue.Queue.
func (q *Queue) Cancel(ctx context.Context, id string) (queue.Left, queue.Job, error) {
	if err := q.lock(ctx); err != nil {
		return "", queue.Job{}, err
	}
	defer q.mu.Unlock()

	j := q.jobs[id]
	if j == nil {
		return "", queue.Job{}, queue.ErrNotFound
	}
	return q.cancel(j), q.view(j), nil
}

// cancel ends a job unless it is too late. The claim of a running one stays,
// and with it what it takes, until its worker releases it or its lease ends.
func (q *Queue) cancel(j *job) queue.Left {
	switch {
	case j.State == queue.Pending:
		q.depart(j)
		q.undelay(j)
		q.end(j, queue.Cancelled)
		return queue.Removed
	case j.State == queue.Running && !j.Sealed:
		q.version++
		q.end(j, queue.Cancelled)
		return queue.Stopping
	}
	return queue.TooLate
}
