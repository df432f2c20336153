package redisqueue

import (
	"bytes"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"slashbatch/queue"
)

// TestReplicas freezes the only replica of a queue that wants one to confirm. What
// must be confirmed fails, as often as it is repeated and whoever asks, and gives
// the first answer once the replica goes on; the rest works as ever.
func TestReplicas(t *testing.T) {
	primary := startServer(t)
	replica := primary.startReplica()
	q := open(t, primary.url, Options{Replicas: 1})
	ctx := t.Context()
	done := claimOf(t, q, enqueue(t, q, "zoe").ID)

	replica.freeze()
	q.confirm = 50 * time.Millisecond
	unconfirmed := func(what string, err error) {
		t.Helper()
		if !errors.Is(err, queue.ErrUnavailable) || !strings.Contains(err.Error(), "0 of 1 replicas") {
			t.Errorf("%s: %v, want it unavailable, 0 of 1 replicas", what, err)
		}
	}
	s := submission("ann")
	s.Key = "k"
	same := submission("bob")
	same.Key = "k"
	h := queue.Holder{Job: s.ID, Claim: uuid.NewString()}
	r := queue.ClaimRequest{ClaimID: h.Claim, Worker: "w", Lane: queue.LaneExport}
	for range 2 {
		_, err := q.Enqueue(ctx, s)
		unconfirmed("Enqueue", err)
	}
	for range 2 {
		_, err := q.Enqueue(ctx, same)
		unconfirmed("Enqueue of the same key", err)
	}
	for range 2 {
		_, err := q.Claim(ctx, r)
		unconfirmed("Claim", err)
	}
	for range 2 {
		unconfirmed("Seal", q.Seal(ctx, h))
	}
	// In a call of its own connection, which has written nothing yet.
	late := open(t, primary.url, Options{Replicas: 1, Prefix: q.keys.prefix})
	late.confirm = q.confirm
	_, err := late.Enqueue(ctx, s)
	unconfirmed("Enqueue by another process", err)
	_, err = late.Claim(ctx, r)
	unconfirmed("Claim by another process", err)
	if j, err := q.Get(ctx, s.ID); err != nil || j.State != queue.Running || !j.Sealed || j.Attempt != 1 {
		t.Errorf("Get: %+v, %v; want it sealed at its first attempt", j, err)
	}
	finish(t, q, done)

	replica.thaw()
	q.confirm = 2 * time.Second // it has to catch up
	e, err := q.Enqueue(ctx, s)
	if err != nil || !e.Created || e.Job.ID != s.ID {
		t.Errorf("Enqueue: %+v, %v; want the job as created", e, err)
	}
	e, err = q.Enqueue(ctx, same)
	if err != nil || e.Created || e.Job.ID != s.ID {
		t.Errorf("Enqueue of the same key: %+v, %v; want the job as found", e, err)
	}
	c, err := q.Claim(ctx, r)
	if err != nil || c == nil || c.Job.ID != s.ID || c.Job.Attempt != 1 {
		t.Errorf("Claim: %+v, %v; want the job at its first attempt", c, err)
	}
	if err := q.Seal(ctx, h); err != nil {
		t.Errorf("Seal: %v", err)
	}
	stats, err := q.Stats(ctx)
	if n := stats.Lanes[queue.LaneExport]; err != nil || n.Running != 1 || n.Pending != 0 || n.Lists != 1 {
		t.Errorf("%+v, %v; want one running job", n, err)
	}
	// The replica really has it.
	c2 := replica.client()
	defer c2.Close()
	if n := c2.HGet(ctx, q.keys.job(s.ID), "sealed").Val(); n != "1" {
		t.Errorf("sealed on the replica: %q", n)
	}
}

// TestReplicasRepeated holds that an answer about what an earlier call did comes
// with a write of its own. Without one WAIT, which since Redis 7.2 looks no further
// than the last write of its connection, would confirm nothing.
func TestReplicasRepeated(t *testing.T) {
	primary := startServer(t)
	primary.startReplica()
	q := open(t, primary.url, Options{Replicas: 1})
	ctx := t.Context()
	writes := func(what string, call func() error) {
		t.Helper()
		count := func() string { return parseInfo(q.client.Info(ctx, "commandstats").Val())["cmdstat_hset"] }
		before := count()
		if err := call(); err != nil {
			t.Fatalf("%s: %v", what, err)
		}
		if count() == before {
			t.Errorf("%s wrote nothing", what)
		}
	}
	s := submission("ann")
	s.Key = "k"
	enqueue := func(id string) func() error {
		s.ID = id
		return func() error { _, err := q.Enqueue(ctx, s); return err }
	}
	first := s.ID
	writes("the first Enqueue", enqueue(first))
	writes("Enqueue repeated", enqueue(first))
	writes("Enqueue of the same key", enqueue(uuid.NewString()))
	r := queue.ClaimRequest{ClaimID: uuid.NewString(), Worker: "w", Lane: queue.LaneExport}
	take := func() error { _, err := q.Claim(ctx, r); return err }
	writes("the first Claim", take)
	writes("Claim repeated", take)
	seal := func() error { return q.Seal(ctx, queue.Holder{Job: first, Claim: r.ClaimID}) }
	writes("the first Seal", seal)
	writes("Seal repeated", seal)
	finish(t, q, queue.Holder{Job: first, Claim: r.ClaimID})
	writes("Enqueue of the key of an ended job", enqueue(uuid.NewString()))
}

// TestReplicasScriptsUnknown sends scripts to a server that has forgotten them.
func TestReplicasScriptsUnknown(t *testing.T) {
	primary := startServer(t)
	primary.startReplica()
	q := open(t, primary.url, Options{Replicas: 1})
	flush := func() {
		t.Helper()
		if err := q.client.ScriptFlush(t.Context()).Err(); err != nil {
			t.Fatal(err)
		}
	}
	flush()
	id := enqueue(t, q, "ann").ID
	flush()
	h := claimOf(t, q, id)
	flush()
	if err := q.Seal(t.Context(), h); err != nil {
		t.Fatal(err)
	}
	finish(t, q, h)
}

func TestReplicasMissing(t *testing.T) {
	var log bytes.Buffer
	q := open(t, startServer(t).url, Options{Replicas: 2, Logger: slog.New(slog.NewTextHandler(&log, nil))})
	if !strings.Contains(log.String(), "fewer replicas") {
		t.Errorf("warnings %q, want one about replicas", log.String())
	}
	q.confirm = 20 * time.Millisecond
	_, err := q.Enqueue(t.Context(), submission("ann"))
	if !errors.Is(err, queue.ErrUnavailable) || !strings.Contains(err.Error(), "0 of 2 replicas") {
		t.Errorf("Enqueue: %v", err)
	}
}

// claimOf claims the only job there is.
func claimOf(t *testing.T, q *Queue, want string) queue.Holder {
	t.Helper()
	h := claim(t, q)
	if h.Job != want {
		t.Fatalf("claimed %s, want %s", h.Job, want)
	}
	return h
}
