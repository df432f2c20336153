package pgqueue

import (
	"context"
	"errors"
	"time"

	"github.com/jackc/pgx/v5"

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

// Subscribe implements queue.Queue, over a connection of its own. It returns once
// PostgreSQL listens, so nothing that happens afterwards is missed unseen.
func (q *Queue) Subscribe(ctx context.Context) (<-chan queue.Event, error) {
	ctx, cancel := context.WithCancel(ctx)
	stop := context.AfterFunc(q.open, cancel)
	s := &subscription{queue: q, events: make(chan queue.Event, subscriptionBuffer+1)}
	conn, err := s.connect(ctx)
	if err != nil {
		stop()
		cancel()
		return nil, unavailable(ctx, err)
	}
	go func() {
		defer cancel()
		defer stop()
		s.follow(ctx, conn)
	}()
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

// connect begins to listen, and says that something may have been missed before.
func (s *subscription) connect(ctx context.Context) (*pgx.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	conn, err := pgx.ConnectConfig(ctx, s.queue.pool.Config().ConnConfig)
	if err != nil {
		return nil, err
	}
	if _, err := conn.Exec(ctx, `LISTEN `+channel); err != nil {
		hangUp(conn)
		return nil, err
	}
	s.send(queue.Event{Kind: queue.Resync})
	return conn, nil
}

// follow receives until the context ends, over a new connection when one breaks or
// does not answer.
func (s *subscription) follow(ctx context.Context, conn *pgx.Conn) {
	defer close(s.events)
	for ctx.Err() == nil {
		if conn == nil {
			var err error
			if conn, err = s.connect(ctx); err != nil {
				select {
				case <-ctx.Done():
				case <-time.After(reconnectPause):
				}
			}
			continue
		}
		if err := s.receive(ctx, conn); err != nil {
			hangUp(conn)
			conn = nil
		}
	}
	if conn != nil {
		hangUp(conn)
	}
}

// receive waits for one notification and passes on what it holds; when nothing
// comes it tests the connection.
func (s *subscription) receive(ctx context.Context, conn *pgx.Conn) error {
	waiting, cancel := context.WithTimeout(ctx, s.queue.quiet)
	defer cancel()
	n, err := conn.WaitForNotification(waiting)
	switch {
	case err == nil:
		for _, e := range events(n.Payload) {
			s.send(e)
		}
		return nil
	case errors.Is(err, context.DeadlineExceeded) && ctx.Err() == nil && !conn.IsClosed():
		testing, cancel := context.WithTimeout(ctx, s.queue.quiet)
		defer cancel()
		return conn.Ping(testing)
	}
	return err
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

// hangUp ends a connection whose other end may not be there.
func hangUp(conn *pgx.Conn) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	_ = conn.Close(ctx)
}
