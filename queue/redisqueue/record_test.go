package redisqueue

import (
	"testing"
	"time"

	"github.com/google/uuid"

	"slashbatch/queue"
)

// TestRecordSize holds that Redis keeps the record of an ordinary job in its
// compact form in every state: no field but the definition is over 64 bytes, the
// limit by default, and a record may be tested without one.
func TestRecordSize(t *testing.T) {
	s := startServer(t)
	q := open(t, s.url, Options{})
	ctx := t.Context()
	if err := q.client.Set(ctx, q.keys.seq(), 12_000_000, 0).Err(); err != nil { // a queue with a past
		t.Fatal(err)
	}
	j := submission("analyst@example.org")
	j.Key, j.Source, j.Class, j.Retry = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef", "batch", "packages-by-month", 3
	j.Estimate = 10 * time.Minute
	if _, err := q.Enqueue(ctx, j); err != nil {
		t.Fatal(err)
	}
	compact := func(when string) {
		t.Helper()
		if got := q.client.ObjectEncoding(ctx, q.keys.job(j.ID)).Val(); got != "listpack" {
			t.Errorf("%s: the record is a %s: %v", when, got, q.client.HGetAll(ctx, q.keys.job(j.ID)).Val())
		}
	}
	compact("pending")
	h := queue.Holder{Job: j.ID, Claim: uuid.NewString()}
	take := func() {
		t.Helper()
		if c, err := q.Claim(ctx, queue.ClaimRequest{ClaimID: h.Claim, Worker: "w", Lane: j.Lane}); err != nil || c == nil {
			t.Fatalf("claim: %v, %v", c, err)
		}
	}
	take()
	if _, err := q.Beat(ctx, queue.Worker{ID: "w"}, []queue.Beat{{Holder: h, Progress: queue.Progress{Rows: 1e9, Bytes: 1e12, Total: 1e9}}}); err != nil {
		t.Fatal(err)
	}
	compact("running")
	if _, err := q.Fail(ctx, h, queue.Failure{Reason: "not yet", Retry: true, After: time.Millisecond}); err != nil {
		t.Fatal(err)
	}
	compact("delayed")
	eventually(t, "it is back", func() bool {
		if _, err := q.Sweep(ctx); err != nil {
			t.Fatal(err)
		}
		got, err := q.Get(ctx, j.ID)
		return err == nil && got.Standing.NotBefore.IsZero()
	})
	compact("back")
	h.Claim = uuid.NewString()
	take()
	if err := q.Finish(ctx, h, queue.Success{Outcome: []byte(`{"rows":1}`)}); err != nil {
		t.Fatal(err)
	}
	compact("done")
}
