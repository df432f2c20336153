package redisqueue

import (
	"errors"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/redis/go-redis/v9"

	"slashbatch/internal/testenv"
	"slashbatch/queue"
)

// lossy is a queue behind a proxy that loses the answer of a call after it has
// happened. The client sends the call again by itself; it must count once.
type lossy struct {
	*testing.T
	q     *Queue
	proxy *cutter
}

func newLossy(t *testing.T) *lossy {
	proxy, url := newCutter(t, testenv.Redis(t))
	q := open(t, url, Options{})
	// Else the answer lost may be that the server does not know the script yet.
	for _, s := range []*redis.Script{
		enqueueScript, joinScript, leaveScript, claimScript, beatScript, sealScript,
		finishScript, failScript, releaseScript, pauseScript, sweepScript,
	} {
		if err := s.Load(t.Context(), q.client).Err(); err != nil {
			t.Fatal(err)
		}
	}
	return &lossy{t, q, proxy}
}

// lose does a call whose first answer is lost.
func (l *lossy) lose(name string, call func() error) {
	l.Helper()
	if err := l.q.Ping(l.Context()); err != nil { // a connection that works
		l.Fatal(err)
	}
	before := l.proxy.cuts.Load()
	l.proxy.armed.Store(true)
	if err := call(); err != nil {
		l.Fatalf("%s: %v", name, err)
	}
	if l.proxy.cuts.Load() == before {
		l.Fatalf("%s: no answer was lost", name)
	}
}

// take claims an export that must be there, losing the answer.
func (l *lossy) take() queue.Holder {
	l.Helper()
	h := queue.Holder{Claim: uuid.NewString()}
	l.lose("claim", func() error {
		c, err := l.q.Claim(l.Context(), queue.ClaimRequest{ClaimID: h.Claim, Worker: "w", Lane: queue.LaneExport})
		if err == nil && c == nil {
			return errors.New("nothing to claim")
		}
		if err == nil {
			h.Job = c.Job.ID
		}
		return err
	})
	return h
}

// job holds in which state a job is, and how often it was claimed.
func (l *lossy) job(id string, want queue.State, attempt int) queue.Job {
	l.Helper()
	j, err := l.q.Get(l.Context(), id)
	if err != nil {
		l.Fatal(err)
	}
	if j.State != want || j.Attempt != attempt {
		l.Fatalf("job is %s at attempt %d, want %s at %d", j.State, j.Attempt, want, attempt)
	}
	return j
}

// counts holds how many exports there are.
func (l *lossy) counts(pending, delayed, running int) {
	l.Helper()
	s, err := l.q.Stats(l.Context())
	if err != nil {
		l.Fatal(err)
	}
	snap, err := l.q.Snapshot(l.Context())
	if err != nil {
		l.Fatal(err)
	}
	n, runs := s.Lanes[queue.LaneExport], len(snap.Lanes[queue.LaneExport].Runs)
	if n.Pending != pending || n.Delayed != delayed || n.Running != running || runs != running {
		l.Fatalf("%+v and %d runs, want %d pending, %d delayed, %d running", n, runs, pending, delayed, running)
	}
}

func TestLostAnswer(t *testing.T) {
	l := newLossy(t)
	q, ctx := l.q, t.Context()
	s := submission("ann")
	s.Retry = 1
	l.lose("enqueue", func() error {
		e, err := q.Enqueue(ctx, s)
		if err == nil && !e.Created {
			return errors.New("not created")
		}
		return err
	})
	enqueue(t, q, "ann")
	l.counts(2, 0, 0)
	h := l.take()
	l.job(s.ID, queue.Running, 1)
	l.counts(1, 0, 1)
	l.lose("release", func() error { return q.Release(ctx, h) })
	l.job(s.ID, queue.Pending, 1)
	l.counts(2, 0, 0)
	h = l.take()
	l.lose("beat", func() error {
		answers, err := q.Beat(ctx, queue.Worker{ID: "w"}, []queue.Beat{{Holder: h}})
		return errors.Join(append(answers, err)...)
	})
	l.lose("fail", func() error {
		state, err := q.Fail(ctx, h, queue.Failure{Reason: "once", Retry: true})
		if err == nil && state != queue.Pending {
			return errors.New("failed for good: counted twice")
		}
		return err
	})
	l.counts(2, 0, 0)
	h = l.take()
	l.job(s.ID, queue.Running, 3)
	l.lose("seal", func() error { return q.Seal(ctx, h) })
	l.lose("finish", func() error { return q.Finish(ctx, h, queue.Success{Outcome: []byte("ok")}) })
	l.job(s.ID, queue.Done, 3)
	l.counts(1, 0, 0)
	h = l.take()
	l.lose("fail for good", func() error { _, err := q.Fail(ctx, h, queue.Failure{Reason: "no"}); return err })
	l.job(h.Job, queue.Failed, 1)
	l.counts(0, 0, 0)
}

// TestLostAnswerDelayed goes through a retry that waits, and what is learned then.
func TestLostAnswerDelayed(t *testing.T) {
	l := newLossy(t)
	q, ctx := l.q, t.Context()
	s := submission("ann")
	s.Retry, s.Class = 1, "c"
	if _, err := q.Enqueue(ctx, s); err != nil {
		t.Fatal(err)
	}
	h := l.take()
	l.lose("fail", func() error {
		state, err := q.Fail(ctx, h, queue.Failure{Reason: "once", Retry: true, After: 50 * time.Millisecond})
		if err == nil && state != queue.Pending {
			return errors.New("failed for good: counted twice")
		}
		return err
	})
	if j := l.job(s.ID, queue.Pending, 1); j.Failures != 1 || j.Standing.NotBefore.IsZero() {
		t.Fatalf("%+v, want it to wait for its only retry", j)
	}
	l.counts(0, 1, 0)
	for !l.job(s.ID, queue.Pending, 1).Standing.NotBefore.IsZero() {
		l.lose("sweep", func() error { _, err := q.Sweep(ctx); return err })
	}
	l.counts(1, 0, 0)
	h = l.take()
	l.lose("finish", func() error { return q.Finish(ctx, h, queue.Success{Measured: true}) })
	if got := q.client.HGet(ctx, q.keys.prefix+":estimates", "c").Val(); got[:2] != "1 " {
		t.Errorf("learned %q, want one run", got)
	}
	l.counts(0, 0, 0)
}

// TestLostAnswerShared goes through taking over, leaving and pausing.
func TestLostAnswerShared(t *testing.T) {
	l := newLossy(t)
	q, ctx := l.q, t.Context()
	enqueue(t, q, "ann")
	s := submission("ann")
	s.Key = "k"
	if _, err := q.Enqueue(ctx, s); err != nil {
		t.Fatal(err)
	}
	of := func(want string, j queue.Job, err error) error {
		if err == nil && j.User != want {
			return errors.New("it is of " + j.User)
		}
		return err
	}
	for _, user := range []string{"bob", "cec"} { // the second finds nothing to gain
		l.lose("join", func() error {
			j, err := q.Join(ctx, s.ID, user, 1)
			return of("bob", j, err)
		})
	}
	l.lose("enqueue by key", func() error {
		again := submission("dan")
		again.Key = "k"
		e, err := q.Enqueue(ctx, again)
		return of("bob", e.Job, err)
	})
	l.counts(2, 0, 0)
	if n := q.client.HLen(ctx, q.keys.prefix+":waiters:"+s.ID).Val(); n != 4 {
		t.Fatalf("%d waiters, want 4", n)
	}
	// Who has left does not wait any more: the repetition says so.
	l.lose("leave", func() error {
		if _, _, err := q.Leave(ctx, s.ID, "bob"); !errors.Is(err, queue.ErrNotFound) {
			return errors.Join(errors.New("left twice"), err)
		}
		return nil
	})
	if j := l.job(s.ID, queue.Pending, 0); j.User != "cec" {
		t.Fatalf("it is of %s, want the first to join of those who have nothing", j.User)
	}
	l.counts(2, 0, 0)
	l.lose("pause", func() error { return q.SetPaused(ctx, true) })
	l.lose("claim while paused", func() error {
		c, err := q.Claim(ctx, queue.ClaimRequest{ClaimID: uuid.NewString(), Lane: queue.LaneExport})
		if c != nil {
			return errors.New("claimed while paused")
		}
		return err
	})
	l.lose("resume", func() error { return q.SetPaused(ctx, false) })
	l.take()
	l.counts(1, 0, 1)
}
