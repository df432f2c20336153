package memqueue

import (
	"context"

	"slashbatch/queue"
)

// subscriptionBuffer is how many events a reader may lag behind.
const subscriptionBuffer = 256

// subscription is one reader of events. Its channel has one place more than
// the buffer, which only a Resync takes: when the buffer is full, the event is
// dropped and the Resync becomes the last thing in the channel, so a reader
// that catches up always meets it after whatever it missed.
type subscription struct {
	events chan queue.Event
	stop   func() bool
}

// Subscribe implements queue.Queue.
func (q *Queue) Subscribe(ctx context.Context) (<-chan queue.Event, error) {
	if err := q.lock(ctx); err != nil {
		return nil, err
	}
	defer q.mu.Unlock()

	s := &subscription{events: make(chan queue.Event, subscriptionBuffer+1)}
	s.events <- queue.Event{Kind: queue.Resync}
	q.subs[s] = struct{}{}
	s.stop = context.AfterFunc(ctx, func() {
		q.mu.Lock()
		defer q.mu.Unlock()
		q.unsubscribe(s)
	})
	return s.events, nil
}

func (q *Queue) unsubscribe(s *subscription) {
	if _, ok := q.subs[s]; ok {
		delete(q.subs, s)
		s.stop()
		close(s.events)
	}
}

// publish hands an event to every subscription without ever waiting. Only
// publish sends, under the mutex, so a channel found not full stays so.
func (q *Queue) publish(e queue.Event) {
	for s := range q.subs {
		switch n := len(s.events); {
		case n < subscriptionBuffer:
			s.events <- e
		case n == subscriptionBuffer:
			s.events <- queue.Event{Kind: queue.Resync}
		}
	}
}

func (q *Queue) wake(user string) {
	q.publish(queue.Event{Kind: queue.Wake, User: user})
}

func (q *Queue) changed(j *job) {
	q.publish(queue.Event{Kind: queue.Changed, Job: j.ID, State: j.State})
}
