package memqueue

import (
	"bytes"
	"context"
	"time"

	"slashbatch/queue"
)

// Finish implements queue.Queue.
func (q *Queue) Finish(ctx context.Context, h queue.Holder, s queue.Success) error {
	if err := q.lock(ctx); err != nil {
		return err
	}
	defer q.mu.Unlock()

	if q.endedBy(h, finished) != nil {
		return nil
	}
	c, err := q.running(h)
	if err != nil {
		return err
	}
	if s.Measured {
		q.learn(c)
	}
	c.job.Outcome = bytes.Clone(s.Outcome)
	q.end(c.job, queue.Done)
	q.letGo(c, finished)
	return nil
}

// Fail implements queue.Queue.
func (q *Queue) Fail(ctx context.Context, h queue.Holder, f queue.Failure) (queue.State, error) {
	if err := q.lock(ctx); err != nil {
		return "", err
	}
	defer q.mu.Unlock()

	if c := q.endedBy(h, failed); c != nil {
		return c.state, nil
	}
	c, err := q.running(h)
	if err != nil {
		return "", err
	}
	j := c.job
	j.Failures++
	j.Error, j.Outcome = f.Reason, bytes.Clone(f.Outcome)
	switch {
	case !f.Retry || j.Failures > j.Retry:
		q.end(j, queue.Failed)
		q.letGo(c, failed)
	case f.After > 0:
		q.delay(c, f.After)
	default:
		q.giveBack(c, failed)
	}
	c.state = j.State
	return j.State, nil
}

// Release implements queue.Queue.
func (q *Queue) Release(ctx context.Context, h queue.Holder) error {
	if err := q.lock(ctx); err != nil {
		return err
	}
	defer q.mu.Unlock()

	if q.endedBy(h, released) != nil {
		return nil
	}
	c := q.claims[h.Claim]
	if c == nil || c.job.ID != h.Job || c.ending != held {
		return q.lost(h.Job)
	}
	if c.job.State == queue.Running {
		q.giveBack(c, released)
		return nil
	}
	q.letGo(c, released)
	q.wake(c.job.User)
	return nil
}

// giveBack ends a claim and puts its job at the head of its list. The list
// keeps its place in line.
func (q *Queue) giveBack(c *claim, e ending) {
	j := c.job
	l := q.lane(j.Lane).lists[j.User]
	j.State, j.Started, j.Sealed = queue.Pending, time.Time{}, false
	l.giveBack(j)
	q.drop(c, e, l)
	q.changed(j)
	q.wake(j.User)
}

// letGo ends the claim of a final job. The list goes to the end of the line.
func (q *Queue) letGo(c *claim, e ending) {
	l := q.lane(c.job.Lane).lists[c.job.User]
	l.place = q.nextPlace()
	q.drop(c, e, l)
}

// drop frees the place of a claim under cap and capacity, and remembers its id.
// Who was held up by them is woken: workers may have looked in vain.
func (q *Queue) drop(c *claim, e ending, l *line) {
	n := q.lane(c.job.Lane)
	heldUp, full := l.running >= l.cap && l.pending.Len() > 0, !c.source.free()
	q.leases.set(c, false)
	delete(n.runs, c)
	c.ending, c.expires = e, q.now().Add(q.settings.Lease)
	q.over.push(c)
	l.running--
	c.source.running--
	q.settle(n, l)
	q.settleSource(c.source)
	if heldUp {
		q.wake(l.user)
	}
	if full {
		q.wakeGates(c.source)
	}
}
