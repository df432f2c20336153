package queue

import (
	"context"
	"fmt"
	"sync"
	"time"
)

// SnapshotEvery is how old a shared snapshot may be.
const SnapshotEvery = 250 * time.Millisecond

// Snapshots shares the snapshots of a queue within a process, so that any
// number of status pages costs the backend one Snapshot per interval. Safe for
// concurrent use.
type Snapshots struct {
	queue Queue
	every time.Duration

	mu    sync.Mutex
	last  *Snapshot
	asked time.Time // when last was asked for
	wait  *snapshotCall
}

// snapshotCall is a Snapshot on its way, and then its answer.
type snapshotCall struct {
	done chan struct{}
	snap *Snapshot
	err  error
}

// NewSnapshots returns a cache that asks q at most once per interval; 0 stands
// for SnapshotEvery.
func NewSnapshots(q Queue, every time.Duration) *Snapshots {
	if every == 0 {
		every = SnapshotEvery
	}
	return &Snapshots{queue: q, every: every}
}

// Get returns the last snapshot if it was asked for within the interval, else a
// new one. Callers that come while one is on its way wait for it. The snapshot
// is shared and must not be changed. An error is told to those who waited and
// is not kept: the next caller asks again.
func (s *Snapshots) Get(ctx context.Context) (*Snapshot, error) {
	s.mu.Lock()
	if s.last != nil && time.Since(s.asked) < s.every {
		defer s.mu.Unlock()
		return s.last, nil
	}
	call := s.wait
	if call == nil {
		call = &snapshotCall{done: make(chan struct{})}
		s.wait = call
		// In its own goroutine and without this caller's end: the others
		// who wait for the answer shall get it when this one hangs up.
		go s.ask(context.WithoutCancel(ctx), call)
	}
	s.mu.Unlock()

	select {
	case <-call.done:
		return call.snap, call.err
	case <-ctx.Done():
		return nil, fmt.Errorf("%w: %w", ErrUnavailable, ctx.Err())
	}
}

// askTimeout ends a call that a backend does not answer, so that one lost
// answer cannot hold up every later caller.
const askTimeout = 10 * time.Second

func (s *Snapshots) ask(ctx context.Context, call *snapshotCall) {
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	asked := time.Now()
	call.snap, call.err = s.queue.Snapshot(ctx)
	if call.err == nil {
		call.snap = call.snap.prepared()
	}

	s.mu.Lock()
	if call.err == nil {
		s.last, s.asked = call.snap, asked
	}
	s.wait = nil
	s.mu.Unlock()
	close(call.done)
}
