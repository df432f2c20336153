package redisqueue

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"slashbatch/queue"
)

// TestFailover kills the primary of a queue that is reached through a sentinel.
// Everything that a replica had confirmed is there on the new primary, the same
// Queue and its subscription go on there, and passwords go where they belong.
func TestFailover(t *testing.T) {
	const name = "prime"
	auth := []string{"--requirepass", "of-redis", "--masterauth", "of-redis"}
	primary := startServer(t, auth...)
	replica := primary.startReplica(auth...)
	sentinel := primary.startSentinel(name, "sentinel auth-pass "+name+" of-redis", "requirepass of-sentinel")
	url := fmt.Sprintf("redis+sentinel://:of-redis@127.0.0.1:%s,127.0.0.1:1/?master_name=%s&sentinel_password=of-sentinel", sentinel.port, name)
	q := open(t, url, Options{Replicas: 1})
	ctx := t.Context()
	sentinelKnows(t, sentinel, name, replica.port)

	var want []string
	for i := range 100 {
		want = append(want, enqueue(t, q, fmt.Sprint("user", i%7)).ID)
	}
	held := claim(t, q)
	if err := q.Seal(ctx, held); err != nil {
		t.Fatal(err)
	}
	events, err := q.Subscribe(ctx)
	if err != nil {
		t.Fatal(err)
	}
	receive := func(want queue.Event) {
		t.Helper()
		for timeout := time.After(30 * time.Second); ; {
			select {
			case e := <-events:
				if e == want {
					return
				}
			case <-timeout:
				t.Fatalf("no event %+v", want)
			}
		}
	}
	receive(queue.Event{Kind: queue.Resync}) // the first of every subscription

	primary.kill()
	if _, err := q.Enqueue(ctx, submission("late")); !errors.Is(err, queue.ErrUnavailable) {
		t.Errorf("Enqueue without a primary: %v", err)
	}
	receive(queue.Event{Kind: queue.Resync}) // there again
	eventually(t, "the queue answers", func() bool { return q.Ping(ctx) == nil })

	// Nobody confirms for the new primary yet.
	q.confirm = 50 * time.Millisecond
	unconfirmed := submission("late")
	if _, err := q.Enqueue(ctx, unconfirmed); !errors.Is(err, queue.ErrUnavailable) {
		t.Errorf("Enqueue without a replica: %v", err)
	}
	q.confirm = confirmTime
	replica.startReplica(auth...)
	if e, err := q.Enqueue(ctx, unconfirmed); err != nil || !e.Created {
		t.Fatalf("Enqueue on the new primary: %+v, %v", e, err)
	}

	answers, err := q.Beat(ctx, queue.Worker{ID: "w"}, []queue.Beat{{Holder: held}})
	if err != nil || answers[0] != nil {
		t.Fatalf("beat after the failover: %v, %v", answers, err)
	}
	if j, err := q.Get(ctx, held.Job); err != nil || !j.Sealed {
		t.Errorf("the sealed job after the failover: %+v, %v", j, err)
	}
	s := submission("new")
	if _, err := q.Enqueue(ctx, s); err != nil {
		t.Fatal(err)
	}
	receive(queue.Event{Kind: queue.Changed, Job: s.ID, State: queue.Pending})
	finished := map[string]bool{held.Job: true}
	finish(t, q, held)
	for range len(want) + 1 { // less the one held, and two late ones
		h := claim(t, q)
		finish(t, q, h)
		finished[h.Job] = true
	}
	for _, id := range want {
		if !finished[id] {
			t.Errorf("job %s was lost", id)
		}
	}
}

// sentinelKnows waits until a sentinel could make a failover to this replica.
func sentinelKnows(t *testing.T, sentinel *server, name, replica string) {
	t.Helper()
	s := redis.NewSentinelClient(&redis.Options{Addr: "127.0.0.1:" + sentinel.port, Password: "of-sentinel"})
	defer s.Close()
	eventually(t, "the sentinel knows the replica", func() bool {
		replicas, err := s.Replicas(t.Context(), name).Result()
		return err == nil && len(replicas) == 1 && replicas[0]["port"] == replica &&
			replicas[0]["flags"] == "slave" && replicas[0]["master-link-status"] == "ok"
	})
}
