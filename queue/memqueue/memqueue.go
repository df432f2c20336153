// Package memqueue is the queue within one process: the same behaviour as the
// backends that are shared, for demonstrations and tests. Nothing survives the
// process.
//
// One mutex guards everything. An operation costs O(log lists); only taking a
// job out of the middle of a list is O(jobs behind it in that list), Leave is
// O(waiters of the job), and Snapshot and Stats are O(lists with work).
package memqueue

import (
	"context"
	"fmt"
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
	users   map[string][]*job // what each waits or waited for, by Order
	lanes   map[queue.Lane]*lane
	sources map[string]*source
	learned map[string]average // by class
	claims  map[string]*claim  // those that take a place, and for one lease those that did
	leases  ordered[*claim]    // those that take a place
	over    fifo[*claim]       // those that did
	delayed ordered[*job]      // pending jobs that wait for a retry
	ended   fifo[*job]         // final jobs
	workers map[string]*worker
	swept   time.Time
	paused  bool
	order   int64
	place   int64
	joined  int64
	version int64
	subs    map[*subscription]struct{}
	closed  bool
}

var _ queue.Queue = (*Queue)(nil)

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
		learned:  map[string]average{},
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
