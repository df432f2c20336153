package redisqueue

import (
	"context"
	"errors"
	"net"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"

	"slashbatch/queue"
)

const (
	// subscriptionBuffer is how many events a reader may lag behind.
	subscriptionBuffer = 256
	// quiet is how long nothing may come before the connection is tested, and
	// again how long the answer may take.
	quiet = 5 * time.Second
	// reconnectPause is the pause between attempts to connect again.
	reconnectPause = 200 * time.Millisecond
)

// Subscribe implements queue.Queue. It returns once Redis has confirmed the
// subscription, so nothing that happens afterwards is missed unseen.
func (q *Queue) Subscribe(ctx context.Context) (<-chan queue.Event, error) {
	if err := ctx.Err(); err != nil {
		return nil, unavailable(ctx, err)
	}
	s := &subscription{queue: q, events: make(chan queue.Event, subscriptionBuffer+1)}
	c := s.connect(ctx)
	for len(s.events) == 0 { // the Resync that every confirmation brings
		if err := c.receive(q.quiet); err != nil {
			c.close()
			return nil, unavailable(ctx, err)
		}
	}
	go s.follow(ctx, c)
	return s.events, nil
}

// subscription feeds one reader of events. The channel has one place more than
// the buffer, which only a Resync takes: when the buffer is full, an event is
// dropped and the Resync becomes the last thing in the channel, so a reader
// that catches up always meets it after whatever it missed.
type subscription struct {
	queue  *Queue
	events chan queue.Event
}

// follow receives until the context ends. go-redis connects and subscribes
// again by itself when it sees a connection break; one that has gone silent is
// replaced here.
func (s *subscription) follow(ctx context.Context, c *connection) {
	defer close(s.events)
	defer func() { c.close() }()
	tested := false
	for ctx.Err() == nil {
		err := c.receive(s.queue.quiet)
		var network net.Error
		switch {
		case err == nil:
			tested = false
		case errors.Is(err, redis.ErrClosed) && ctx.Err() == nil:
			return // the queue was closed
		case errors.As(err, &network) && network.Timeout() && !tested:
			tested = true
			_ = c.pubsub.Ping(ctx)
		case errors.As(err, &network) && network.Timeout():
			tested = false
			c.close()
			c = s.connect(ctx)
		default:
			tested = false
			select {
			case <-ctx.Done():
			case <-time.After(reconnectPause):
			}
		}
	}
}

// send hands an event over without ever waiting. Only one goroutine sends, so a
// channel found not full stays so.
func (s *subscription) send(e queue.Event) {
	switch n := len(s.events); {
	case n < subscriptionBuffer:
		s.events <- e
	case n == subscriptionBuffer:
		s.events <- queue.Event{Kind: queue.Resync}
	}
}

// connection is one connection of a subscription.
type connection struct {
	ctx    context.Context
	s      *subscription
	pubsub *redis.PubSub
	stop   func() bool
}

// connect begins to subscribe; what comes of it, receive tells.
func (s *subscription) connect(ctx context.Context) *connection {
	ps := s.queue.client.Subscribe(ctx, s.queue.keys.users(), s.queue.keys.changes())
	// A read does not end with its context, but when its connection is closed.
	stop := context.AfterFunc(ctx, func() { _ = ps.Close() })
	return &connection{ctx: ctx, s: s, pubsub: ps, stop: stop}
}

func (c *connection) close() {
	c.stop()
	_ = c.pubsub.Close()
}

// receive waits for one message and passes on what it means.
func (c *connection) receive(timeout time.Duration) error {
	message, err := c.pubsub.ReceiveTimeout(c.ctx, timeout)
	if err != nil {
		return err
	}
	k := c.s.queue.keys
	switch m := message.(type) {
	case *redis.Subscription:
		if m.Count == 2 { // both channels
			c.s.send(queue.Event{Kind: queue.Resync})
		}
	case *redis.Message:
		switch m.Channel {
		case k.users():
			if user, err := decodeUser(m.Payload); err == nil {
				c.s.send(queue.Event{Kind: queue.Wake, User: user})
			}
		case k.changes():
			if id, state, ok := strings.Cut(m.Payload, " "); ok {
				c.s.send(queue.Event{Kind: queue.Changed, Job: id, State: queue.State(state)})
			}
		}
	}
	return nil
}
