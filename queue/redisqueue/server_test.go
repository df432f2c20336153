package redisqueue

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"slashbatch/queue"
)

// TestRestart kills Redis while a queue is in use: callers learn that it is not
// there, the same Queue works again afterwards, and every job is still there.
func TestRestart(t *testing.T) {
	s := startServer(t, "--appendonly", "yes", "--appendfsync", "always")
	q := open(t, s.url, Options{})
	ctx := t.Context()
	var want []string
	for i := range 200 {
		want = append(want, enqueue(t, q, fmt.Sprintf("user%d", i%7)).ID)
	}
	held := claim(t, q)
	events, err := q.Subscribe(ctx)
	if err != nil {
		t.Fatal(err)
	}

	s.kill()
	if _, err := q.Get(ctx, want[0]); !errors.Is(err, queue.ErrUnavailable) {
		t.Errorf("Get without a server: %v", err)
	}
	if err := q.Ping(ctx); !errors.Is(err, queue.ErrUnavailable) {
		t.Errorf("Ping without a server: %v", err)
	}
	if _, err := Open(ctx, s.url, Options{}); !errors.Is(err, queue.ErrUnavailable) {
		t.Errorf("Open without a server: %v", err)
	}
	s.start()

	answers, err := q.Beat(ctx, queue.Worker{ID: "w"}, []queue.Beat{{Holder: held}})
	if err != nil || answers[0] != nil {
		t.Fatalf("beat after the restart: %v, %v", answers, err)
	}
	for _, id := range want {
		if _, err := q.Get(ctx, id); err != nil {
			t.Fatalf("job %s after the restart: %v", id, err)
		}
	}
	receive := func(want queue.Event) {
		t.Helper()
		select {
		case e := <-events:
			if e != want {
				t.Fatalf("event %+v, want %+v", e, want)
			}
		case <-time.After(20 * time.Second):
			t.Fatalf("no event, want %+v", want)
		}
	}
	receive(queue.Event{Kind: queue.Resync}) // the first of every subscription
	receive(queue.Event{Kind: queue.Resync}) // after the restart
	id := enqueue(t, q, "late").ID
	receive(queue.Event{Kind: queue.Wake, User: "late"})
	receive(queue.Event{Kind: queue.Changed, Job: id, State: queue.Pending})
	finished := map[string]bool{held.Job: true}
	finish(t, q, held)
	for range want { // and the late one
		h := claim(t, q)
		finish(t, q, h)
		finished[h.Job] = true
	}
	if len(finished) != len(want)+1 {
		t.Errorf("%d jobs finished, want %d", len(finished), len(want)+1)
	}
}

// TestOutOfMemory holds that a full server takes no new jobs and waiters, and that
// the jobs it has can still be worked off.
func TestOutOfMemory(t *testing.T) {
	s := startServer(t, "--maxmemory-policy", "noeviction")
	q := open(t, s.url, Options{})
	ctx := t.Context()
	for range 7 {
		j := submission("ann")
		j.Retry = 1
		if _, err := q.Enqueue(ctx, j); err != nil {
			t.Fatal(err)
		}
	}
	held, seen := claim(t, q), claim(t, q)
	shared := enqueue(t, q, "cec").ID
	if _, err := q.Join(ctx, shared, "dan", 1); err != nil {
		t.Fatal(err)
	}
	c := s.client()
	defer c.Close()
	if err := c.ConfigSet(ctx, "maxmemory", "1mb").Err(); err != nil {
		t.Fatal(err)
	}

	if _, err := q.Enqueue(ctx, submission("bob")); !errors.Is(err, queue.ErrUnavailable) {
		t.Fatalf("Enqueue on a full server: %v", err)
	}
	if _, err := q.Join(ctx, held.Job, "bob", 1); !errors.Is(err, queue.ErrUnavailable) {
		t.Fatalf("Join on a full server: %v", err)
	}
	for _, call := range []struct {
		name string
		err  func() error
	}{
		{"beat", func() error { _, err := q.Beat(ctx, queue.Worker{ID: "w"}, []queue.Beat{{Holder: held}}); return err }},
		{"seal", func() error { return q.Seal(ctx, held) }},
		{"finish", func() error { return q.Finish(ctx, held, queue.Success{Outcome: []byte("done"), Measured: true}) }},
		{"get", func() error { _, err := q.Get(ctx, held.Job); return err }},
		{"list", func() error { _, err := q.List(ctx, "ann", 0, 10); return err }},
		{"release", func() error { return q.Release(ctx, seen) }},
		{"cancel", func() error { _, _, err := q.Cancel(ctx, seen.Job); return err }},
		{"leave", func() error { _, _, err := q.Leave(ctx, shared, "cec"); return err }},
		{"fail", func() error { _, err := q.Fail(ctx, claim(t, q), queue.Failure{Reason: "no"}); return err }},
		{"retry", func() error {
			_, err := q.Fail(ctx, claim(t, q), queue.Failure{Reason: "no", Retry: true, After: time.Millisecond})
			return err
		}},
		{"sweep", func() error { _, err := q.Sweep(ctx); return err }},
		{"snapshot", func() error { _, err := q.Snapshot(ctx); return err }},
		{"stats", func() error { _, err := q.Stats(ctx); return err }},
		{"pause", func() error { return q.SetPaused(ctx, true) }},
		{"restart", func() error { return q.SetPaused(ctx, false) }},
	} {
		if err := call.err(); err != nil {
			t.Errorf("%s on a full server: %v", call.name, err)
		}
	}
}

// TestOpenRefuses goes through servers and data that will not do.
func TestOpenRefuses(t *testing.T) {
	s := startServer(t)
	c := s.client()
	defer c.Close()
	ctx := t.Context()
	refused := func(url, prefix, want string) {
		t.Helper()
		_, err := Open(ctx, url, Options{Prefix: prefix})
		if err == nil || errors.Is(err, queue.ErrUnavailable) || !strings.Contains(err.Error(), want) {
			t.Errorf("Open: %v, want an error for good with %q", err, want)
		}
	}
	policy := func(p string) {
		t.Helper()
		if err := c.ConfigSet(ctx, "maxmemory-policy", p).Err(); err != nil {
			t.Fatal(err)
		}
	}

	policy("allkeys-lru")
	refused(s.url, "", "allkeys-lru")
	policy("volatile-ttl")
	var log bytes.Buffer
	open(t, s.url, Options{Logger: slog.New(slog.NewTextHandler(&log, nil))})
	for _, want := range []string{"volatile-ttl", "persists nothing"} {
		if !strings.Contains(log.String(), want) {
			t.Errorf("warnings %q, want one with %q", log.String(), want)
		}
	}
	policy("noeviction")

	if err := c.Set(ctx, "other:layout", "99", 0).Err(); err != nil {
		t.Fatal(err)
	}
	refused(s.url, "other", `"99"`)
	q := open(t, s.url, Options{Prefix: "mine"})
	if err := c.Set(ctx, "mine:layout", "1", 0).Err(); err != nil {
		t.Fatal(err)
	}
	if _, err := q.Enqueue(ctx, submission("ann")); !errors.Is(err, queue.ErrUnavailable) || !strings.Contains(err.Error(), "layout") {
		t.Errorf("Enqueue under another layout: %v", err)
	}

	refused("postgres://localhost", "", "postgres")
	refused("redis://:secret@local host", "", "not a URL")
}

func TestCheckServer(t *testing.T) {
	q := &Queue{log: slog.New(slog.DiscardHandler)}
	for _, test := range []struct {
		name, version, mode, want string
	}{
		{"current", "7.0.15", "standalone", ""},
		{"newer", "8.2.1", "standalone", ""},
		{"too old", "6.2.14", "standalone", "7.0 or later"},
		{"no Redis", "", "", "7.0 or later"},
		{"cluster", "7.2.0", "cluster", "Cluster"},
	} {
		err := q.checkServer(map[string]string{"redis_version": test.version, "redis_mode": test.mode})
		if test.want == "" && err != nil || test.want != "" && (err == nil || !strings.Contains(err.Error(), test.want)) {
			t.Errorf("%s: %v, want %q", test.name, err, test.want)
		}
	}
}
