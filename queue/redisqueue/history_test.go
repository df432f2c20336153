package redisqueue

import (
	"errors"
	"testing"
	"time"

	"slashbatch/internal/testenv"
	"slashbatch/queue"
)

// TestHistoryOutlivesRetention joins somebody else's job that takes much longer
// than ended ones are kept: it stays in the history of who only waits for it.
func TestHistoryOutlivesRetention(t *testing.T) {
	const retention = 100 * time.Millisecond
	q := open(t, testenv.Redis(t), Options{Settings: queue.Settings{Retention: retention}})
	ctx := t.Context()
	id := enqueue(t, q, "ann").ID
	if _, err := q.Join(ctx, id, "bob", 1); err != nil {
		t.Fatal(err)
	}
	own := enqueue(t, q, "bob").ID
	if _, _, err := q.Cancel(ctx, own); err != nil { // now bob has no list
		t.Fatal(err)
	}
	check := func(want ...string) bool {
		t.Helper()
		if _, err := q.Sweep(ctx); err != nil {
			t.Fatal(err)
		}
		page, err := q.List(ctx, "bob", 0, 10)
		if err != nil {
			t.Fatal(err)
		}
		if len(page) != len(want) {
			return false
		}
		for i, j := range page {
			if j.ID != want[i] {
				return false
			}
		}
		return true
	}
	until := func(what string, ok func() bool) {
		t.Helper()
		for end := time.Now().Add(20 * time.Second); !ok(); time.Sleep(5 * time.Millisecond) {
			if time.Now().After(end) {
				t.Fatal("still not: " + what)
			}
		}
	}
	until("the own job is gone", func() bool { return check(id) })
	for end := time.Now().Add(5 * retention); time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
		if !check(id) {
			t.Fatal("the job that bob waits for is not in the history")
		}
	}
	entries := func() int64 { return q.client.ZCard(ctx, q.keys.prefix+":mine:bob").Val() }
	until("the entry of the own job is gone", func() bool { check(id); return entries() == 1 })
	if _, _, err := q.Cancel(ctx, id); err != nil {
		t.Fatal(err)
	}
	until("the history is gone", func() bool { return check() && entries() == 0 })
}

// TestHistoryIsTrimmed holds that a history does not grow with all the jobs there
// ever were, also behind an old one that is still there, and without any Sweep.
func TestHistoryIsTrimmed(t *testing.T) {
	q := open(t, testenv.Redis(t), Options{Settings: queue.Settings{Retention: time.Millisecond}})
	ctx := t.Context()
	enqueue(t, q, "ann")
	for range 1000 {
		// The record may be gone before the script that ends the job reads it for its answer.
		if _, _, err := q.Cancel(ctx, enqueue(t, q, "ann").ID); err != nil && !errors.Is(err, queue.ErrNotFound) {
			t.Fatal(err)
		}
	}
	// Each new entry looks at one of n at random: about the root of 2 * 1000 stay.
	if n := q.client.ZCard(ctx, q.keys.prefix+":mine:ann").Val(); n > 150 {
		t.Errorf("the history of one job has %d entries", n)
	}
}
