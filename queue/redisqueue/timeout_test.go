package redisqueue

import (
	"context"
	"errors"
	"net"
	"testing"
	"time"

	"slashbatch/internal/testenv"
	"slashbatch/queue"
)

// TestTimeouts holds what callers may rely on when Redis does not answer.
func TestTimeouts(t *testing.T) {
	q := open(t, testenv.Redis(t), Options{})
	done, cancel := context.WithCancel(t.Context())
	cancel()
	if err := q.Ping(done); !errors.Is(err, queue.ErrUnavailable) || !errors.Is(err, context.Canceled) {
		t.Errorf("with a cancelled context: %v", err)
	}
	late, cancel := context.WithDeadline(t.Context(), time.Now())
	defer cancel()
	if _, err := q.Claim(late, queue.ClaimRequest{ClaimID: "c", Lane: queue.LaneExport}); !errors.Is(err, queue.ErrUnavailable) || !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("after the deadline: %v", err)
	}
	deaf, err := net.Listen("tcp", "127.0.0.1:0") // accepts and never answers
	if err != nil {
		t.Fatal(err)
	}
	defer deaf.Close()
	short, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := Open(short, "redis://"+deaf.Addr().String(), Options{}); !errors.Is(err, queue.ErrUnavailable) || !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Open of a server that does not answer: %v", err)
	}
	_ = q.Close()
	if err := q.Ping(t.Context()); !errors.Is(err, queue.ErrUnavailable) {
		t.Errorf("after Close: %v", err)
	}
}

// TestSilentConnection mutes the connection of a subscription without closing
// it, as a dropped network path does: it is tested, replaced, and the reader told.
func TestSilentConnection(t *testing.T) {
	proxy, url := newCutter(t, testenv.Redis(t))
	q := open(t, url, Options{})
	q.quiet = 300 * time.Millisecond // and as long may an answer take
	events, err := q.Subscribe(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if e := <-events; e.Kind != queue.Resync {
		t.Fatalf("first event %+v", e)
	}
	before := proxy.answers.Load()
	eventually(t, "it was tested twice", func() bool { return proxy.answers.Load() >= before+2 })
	if len(events) > 0 { // a quiet connection that answers is kept
		t.Fatalf("event %+v on a healthy connection", <-events)
	}
	proxy.muted.Store(proxy.opened.Load())
	if e := <-events; e.Kind != queue.Resync {
		t.Fatalf("event %+v, want a Resync", e)
	}
}

// TestCloseEndsSubscriptions holds that no reader waits for ever.
func TestCloseEndsSubscriptions(t *testing.T) {
	q := open(t, testenv.Redis(t), Options{})
	events, err := q.Subscribe(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := q.Close(); err != nil {
		t.Fatal(err)
	}
	for range events {
	}
}
