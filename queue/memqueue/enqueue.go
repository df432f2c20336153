package memqueue

import (
	"bytes"
	"context"

	"slashbatch/queue"
)

// Enqueue implements queue.Queue.
func (q *Queue) Enqueue(ctx context.Context, s queue.Submission) (queue.Enqueued, error) {
	if err := q.lock(ctx); err != nil {
		return queue.Enqueued{}, err
	}
	defer q.mu.Unlock()

	if j := q.jobs[s.ID]; j != nil {
		return queue.Enqueued{Job: q.view(j), Created: true}, nil
	}
	if last := q.keys[s.Key]; last != nil && s.Key != "" {
		if !last.State.Final() {
			q.ask(last, s.User, s.RunningCap)
			return queue.Enqueued{Job: q.view(last)}, nil
		}
		if last.ID != s.After {
			return queue.Enqueued{Job: q.view(last)}, nil
		}
	}
	n := q.lane(s.Lane)
	if l := n.lists[s.User]; l != nil && s.QueuedCap > 0 && l.queued() >= s.QueuedCap {
		return queue.Enqueued{}, &queue.FullError{Queued: l.queued(), Cap: s.QueuedCap}
	}

	q.order++
	j := &job{
		Job: queue.Job{
			ID:        s.ID,
			Key:       s.Key,
			User:      s.User,
			Lane:      s.Lane,
			Kind:      s.Kind,
			Source:    s.Source,
			Class:     s.Class,
			Retry:     s.Retry,
			Estimate:  q.estimate(s),
			State:     queue.Pending,
			Order:     q.order,
			Submitted: q.now(),
		},
		definition: bytes.Clone(s.Definition),
		waiters:    map[string]*waiter{},
	}
	q.jobs[j.ID] = j
	if j.Key != "" {
		q.keys[j.Key] = j
	}
	q.wait(j, s.User, s.RunningCap)
	q.arrive(j, s.User)
	return queue.Enqueued{Job: q.view(j), Created: true}, nil
}

// arrive puts a pending job at the end of the list of one of its waiters, whose
// running cap comes with it. One that waits for a retry goes on waiting there.
func (q *Queue) arrive(j *job, user string) {
	n := q.lane(j.Lane)
	l := q.line(n, user)
	l.cap = j.waiters[user].cap
	j.User = user
	if j.waits() {
		l.delayed++
	} else {
		l.append(j)
	}
	q.settle(n, l)
	q.changed(j)
	if !j.waits() {
		q.wake(user)
	}
}
