// Package memqueue is the queue within one process: the same behaviour as the
// backends that are shared, for demonstrations and tests. Nothing survives the
// process.
//
// One mutex guards everything. An operation costs O(log lists); only the cancel
// of a job in the middle of a list is O(jobs behind it in that list), and
// Snapshot is O(lists with work).
package memqueue

import (
	"bytes"
	"container/list"
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"slashbatch/queue"
)

// Queue implements queue.Queue.
type Queue struct {
	settings queue.Settings
	clock    func() time.Time

	mu      sync.Mutex
	jobs    map[string]*job
	keys    map[string]*job   // request key to its last job
	users   map[string][]*job // by Order, for List
	lanes   map[queue.Lane]*lane
	sources map[string]*source
	claims  map[string]*claim // those that take a place, and for one lease those that did
	leases  ordered[*claim]   // those that take a place
	over    fifo[*claim]      // those that did
	ended   fifo[*job]        // final jobs
	workers map[string]*worker
	swept   time.Time
	order   int64
	place   int64
	version int64
	subs    map[*subscription]struct{}
	closed  bool
}

var _ queue.Queue = (*Queue)(nil)

// job is a queue.Job with what the queue needs to keep order. Its embedded
// Standing stays empty; it is computed when somebody asks.
type job struct {
	queue.Job
	definition []byte
	retry      int
	waiters    map[string]struct{}

	element *list.Element // while pending; number and total as line explains
	number  int64
	total   time.Duration
}

type worker struct {
	slots   map[queue.Lane]int
	expires time.Time
}

// Option changes how a Queue works.
type Option func(*Queue)

// WithClock sets the queue's clock, time.Now by default. It must be safe for
// concurrent use and must not run backwards.
func WithClock(now func() time.Time) Option {
	return func(q *Queue) { q.clock = now }
}

// New returns an empty queue.
func New(settings queue.Settings, opts ...Option) *Queue {
	q := &Queue{
		settings: settings.WithDefaults(),
		clock:    time.Now,
		jobs:     map[string]*job{},
		keys:     map[string]*job{},
		users:    map[string][]*job{},
		lanes:    map[queue.Lane]*lane{},
		sources:  map[string]*source{},
		claims:   map[string]*claim{},
		workers:  map[string]*worker{},
		subs:     map[*subscription]struct{}{},
	}
	for _, o := range opts {
		o(q)
	}
	return q
}

// Close ends all subscriptions; every later call fails.
func (q *Queue) Close() error {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.closed = true
	for s := range q.subs {
		q.unsubscribe(s)
	}
	return nil
}

// Ping reports whether the queue is open.
func (q *Queue) Ping(ctx context.Context) error {
	if err := q.lock(ctx); err != nil {
		return err
	}
	q.mu.Unlock()
	return nil
}

// lock begins an operation. After an error the queue is not locked.
func (q *Queue) lock(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("%w: %w", queue.ErrUnavailable, err)
	}
	q.mu.Lock()
	if q.closed {
		q.mu.Unlock()
		return fmt.Errorf("%w: closed", queue.ErrUnavailable)
	}
	return nil
}

// now is the clock in the resolution that the contract promises.
func (q *Queue) now() time.Time { return q.clock().UTC().Truncate(time.Millisecond) }

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
			last.waiters[s.User] = struct{}{}
			return queue.Enqueued{Job: q.view(last)}, nil
		}
		if last.ID != s.After {
			return queue.Enqueued{Job: q.view(last)}, nil
		}
	}
	n := q.lane(s.Lane)
	if l := n.lists[s.User]; l != nil && s.QueuedCap > 0 && l.pending.Len() >= s.QueuedCap {
		return queue.Enqueued{}, &queue.FullError{Queued: l.pending.Len(), Cap: s.QueuedCap}
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
			Estimate:  s.Estimate,
			State:     queue.Pending,
			Order:     q.order,
			Submitted: q.now(),
		},
		definition: bytes.Clone(s.Definition),
		retry:      s.Retry,
		waiters:    map[string]struct{}{s.User: {}},
	}
	q.jobs[j.ID] = j
	if j.Key != "" {
		q.keys[j.Key] = j
	}
	q.users[j.User] = append(q.users[j.User], j)
	l := q.line(n, j.User)
	l.cap = max(s.RunningCap, 1)
	l.append(j)
	q.settle(n, l)
	q.changed(j)
	q.wake(j.User)
	return queue.Enqueued{Job: q.view(j), Created: true}, nil
}

// view is what callers see of a job.
func (q *Queue) view(j *job) queue.Job {
	v := j.Job
	v.Steps, v.Outcome = bytes.Clone(v.Steps), bytes.Clone(v.Outcome)
	if v.State == queue.Pending {
		v.Standing = q.lane(j.Lane).lists[j.User].standing(j)
	}
	return v
}

// end makes a job final.
func (q *Queue) end(j *job, s queue.State) {
	j.State, j.Ended = s, q.now()
	q.ended.push(j)
	q.changed(j)
}

// forget drops a final job, and its key's entry unless a newer job has taken it.
func (q *Queue) forget(j *job) {
	delete(q.jobs, j.ID)
	if q.keys[j.Key] == j {
		delete(q.keys, j.Key)
	}
	mine := q.users[j.User]
	if at, ok := byOrder(mine, j.Order); ok {
		mine = slices.Delete(mine, at, at+1)
	}
	if len(mine) == 0 {
		delete(q.users, j.User)
		return
	}
	q.users[j.User] = mine
}

// byOrder finds the first of a user's jobs that was not submitted before order.
func byOrder(jobs []*job, order int64) (int, bool) {
	return slices.BinarySearchFunc(jobs, order, func(j *job, o int64) int {
		switch {
		case j.Order < o:
			return -1
		case j.Order > o:
			return 1
		}
		return 0
	})
}
