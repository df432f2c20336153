package memqueue

import (
	"bytes"
	"context"
	"maps"
	"time"

	"slashbatch/queue"
)

// claim is one worker's hold on a job. While it takes a place it is in leases;
// afterwards it is remembered for one lease, so that a late repetition of a
// call is known as such and the id yields no second job.
type claim struct {
	id      string
	worker  string
	job     *job
	source  *source
	started time.Time
	expires time.Time // of the lease, later of the memory
	ending  ending
	state   queue.State // what Fail made of the job

	index int
}

// ending is the call that ended a claim.
type ending int

const (
	held ending = iota
	finished
	failed
	released
	recovered
)

func (c *claim) before(d *claim) bool { return c.expires.Before(d.expires) }
func (c *claim) slot() *int           { return &c.index }

// Claim implements queue.Queue.
func (q *Queue) Claim(ctx context.Context, r queue.ClaimRequest) (*queue.Claimed, error) {
	if err := q.lock(ctx); err != nil {
		return nil, err
	}
	defer q.mu.Unlock()

	if c := q.claims[r.ClaimID]; c != nil {
		if c.ending != held {
			return nil, nil
		}
		return q.claimed(c.job), nil
	}
	n := q.lane(r.Lane)
	g, ok := n.open.first()
	if !ok || q.paused {
		return nil, nil
	}
	l, now := g.ready[0], q.now()
	j := l.head()
	l.remove(j)
	c := &claim{id: r.ClaimID, worker: r.Worker, job: j, source: g.source, started: now, expires: now.Add(q.settings.Lease)}
	q.claims[c.id] = c
	q.leases.set(c, true)
	n.runs[c] = struct{}{}

	j.State, j.Started = queue.Running, now
	j.Attempt++
	j.Sealed, j.Progress, j.Error = false, queue.Progress{}, ""

	l.running++
	l.place = q.nextPlace()
	c.source.running++
	q.settle(n, l)
	q.settleSource(c.source)
	q.changed(j)
	return q.claimed(j), nil
}

func (q *Queue) claimed(j *job) *queue.Claimed {
	return &queue.Claimed{Job: q.view(j), Definition: bytes.Clone(j.definition)}
}

// Beat implements queue.Queue.
func (q *Queue) Beat(ctx context.Context, w queue.Worker, beats []queue.Beat) ([]error, error) {
	if err := q.lock(ctx); err != nil {
		return nil, err
	}
	defer q.mu.Unlock()

	q.register(w)
	answers := make([]error, len(beats))
	for i, b := range beats {
		c, err := q.running(b.Holder)
		if err != nil {
			answers[i] = err
			continue
		}
		c.expires = q.now().Add(q.settings.Lease)
		q.leases.set(c, true)
		c.job.Progress = b.Progress
		if b.Steps != nil {
			c.job.Steps = bytes.Clone(b.Steps)
		}
	}
	return answers, nil
}

func (q *Queue) register(w queue.Worker) {
	slots := 0
	for _, n := range w.Slots {
		slots += n
	}
	old := q.workers[w.ID]
	if slots == 0 {
		if old != nil {
			q.version++
			delete(q.workers, w.ID)
		}
		return
	}
	if old == nil || !maps.Equal(old.slots, w.Slots) {
		q.version++
	}
	q.workers[w.ID] = &worker{slots: maps.Clone(w.Slots), expires: q.now().Add(q.settings.Lease)}
}

// Seal implements queue.Queue.
func (q *Queue) Seal(ctx context.Context, h queue.Holder) error {
	if err := q.lock(ctx); err != nil {
		return err
	}
	defer q.mu.Unlock()

	c, err := q.running(h)
	if err != nil {
		return err
	}
	c.job.Sealed = true
	return nil
}

// running returns the claim of a holder that may still do something.
func (q *Queue) running(h queue.Holder) (*claim, error) {
	c := q.claims[h.Claim]
	if c == nil || c.job.ID != h.Job || c.ending != held || c.job.State != queue.Running {
		return nil, q.lost(h.Job)
	}
	return c, nil
}

// endedBy returns the claim of a holder when this very call has ended it before.
func (q *Queue) endedBy(h queue.Holder, e ending) *claim {
	if c := q.claims[h.Claim]; c != nil && c.job.ID == h.Job && c.ending == e {
		return c
	}
	return nil
}

func (q *Queue) lost(id string) error {
	if j := q.jobs[id]; j != nil {
		return &queue.LostError{State: j.State}
	}
	return &queue.LostError{}
}
