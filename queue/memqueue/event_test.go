package memqueue

import (
	"testing"

	"slashbatch/queue"
)

// TestOverflow holds the story of the subscription's comment: the reader gets
// what fitted, then a Resync, and after that every later event.
func TestOverflow(t *testing.T) {
	q := New(queue.Settings{})
	defer q.Close()
	events, err := q.Subscribe(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	next := func(want queue.EventKind, user string) {
		t.Helper()
		select {
		case e := <-events:
			if e.Kind != want || e.User != user {
				t.Fatalf("event %+v, want kind %d of %q", e, want, user)
			}
		default:
			t.Fatalf("no event, want kind %d of %q", want, user)
		}
	}
	next(queue.Resync, "")
	for range 2 * subscriptionBuffer {
		q.wake("early")
	}
	next(queue.Wake, "early")
	next(queue.Wake, "early")
	q.wake("late")
	for range subscriptionBuffer - 2 {
		next(queue.Wake, "early")
	}
	next(queue.Resync, "")
	next(queue.Wake, "late")
	select {
	case e := <-events:
		t.Errorf("one more event: %+v", e)
	default:
	}
}
