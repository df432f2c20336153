package jobs

import (
	"context"
	"sync"
	"time"

	"slashbatch/queue"
)

// Hub shares one subscription of the queue among everybody in this process who
// waits for a job to change, and for work to arrive. Events are hints: whoever
// waits looks for itself after every one, and now and then without one.
type Hub struct {
	mu      sync.Mutex
	waiters map[string]map[chan struct{}]bool // by job id
	wakes   []chan struct{}
	cancels []chan struct{}
}

// NewHub returns a hub; Run feeds it.
func NewHub() *Hub {
	return &Hub{waiters: map[string]map[chan struct{}]bool{}}
}

// resubscribe is the pause after a subscription could not be made or ended.
const resubscribe = time.Second

// Run subscribes and passes events on until ctx ends.
func (h *Hub) Run(ctx context.Context, q queue.Queue) {
	for ctx.Err() == nil {
		events, err := q.Subscribe(ctx)
		if err == nil {
			for e := range events {
				h.pass(e)
			}
		}
		h.pass(queue.Event{Kind: queue.Resync})
		select {
		case <-ctx.Done():
		case <-time.After(resubscribe):
		}
	}
}

func (h *Hub) pass(e queue.Event) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if e.Kind != queue.Changed {
		for _, c := range h.wakes {
			signal(c)
		}
	}
	if e.Kind == queue.Wake {
		return
	}
	if e.Kind != queue.Changed || e.State == queue.Cancelled {
		for _, c := range h.cancels {
			signal(c)
		}
	}
	if e.Kind == queue.Changed {
		for c := range h.waiters[e.Job] {
			signal(c)
		}
		return
	}
	for _, set := range h.waiters {
		for c := range set {
			signal(c)
		}
	}
}

// signal leaves one mark for a reader that may be busy.
func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// Wakes returns a channel that is signalled when there may be work.
func (h *Hub) Wakes() <-chan struct{} {
	c := make(chan struct{}, 1)
	h.mu.Lock()
	defer h.mu.Unlock()
	h.wakes = append(h.wakes, c)
	return c
}

// Cancels returns a channel that is signalled when some job may have been cancelled.
func (h *Hub) Cancels() <-chan struct{} {
	c := make(chan struct{}, 1)
	h.mu.Lock()
	defer h.mu.Unlock()
	h.cancels = append(h.cancels, c)
	return c
}

// Follow returns a channel that is signalled when the job may have changed, and
// a function that ends the following.
func (h *Hub) Follow(id string) (changed <-chan struct{}, stop func()) {
	c := make(chan struct{}, 1)
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.waiters[id] == nil {
		h.waiters[id] = map[chan struct{}]bool{}
	}
	h.waiters[id][c] = true
	return c, func() {
		h.mu.Lock()
		defer h.mu.Unlock()
		delete(h.waiters[id], c)
		if len(h.waiters[id]) == 0 {
			delete(h.waiters, id)
		}
	}
}
