package redisqueue

import (
	"context"
	"errors"
	"io"
	"net"
	"net/url"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"

	"slashbatch/internal/testenv"
	"slashbatch/queue"
)

// cutter is a TCP proxy that, once armed, forwards the next request, swallows
// its answer and cuts the connection: failed, but it happened.
type cutter struct {
	listener net.Listener
	target   string
	armed    atomic.Bool
	cuts     atomic.Int32
	opened   atomic.Int32
	muted    atomic.Int32 // this many of the first connections stay open and silent
}

// newCutter returns a proxy in front of the Redis at a URL, and the URL of the proxy.
func newCutter(t *testing.T, target string) (*cutter, string) {
	t.Helper()
	u, err := url.Parse(target)
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	c := &cutter{listener: l, target: u.Host}
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go c.serve(conn)
		}
	}()
	u.Host = l.Addr().String()
	return c, u.String()
}

func (c *cutter) serve(conn net.Conn) {
	defer conn.Close()
	number := c.opened.Add(1)
	up, err := net.Dial("tcp", c.target)
	if err != nil {
		return
	}
	defer up.Close()
	go func() { _, _ = io.Copy(up, conn); _ = up.Close() }()
	buffer := make([]byte, 64<<10)
	for {
		n, err := up.Read(buffer)
		if err != nil || c.armed.CompareAndSwap(true, false) {
			if err == nil {
				c.cuts.Add(1)
			}
			return
		}
		if number <= c.muted.Load() {
			continue
		}
		if _, err := conn.Write(buffer[:n]); err != nil {
			return
		}
	}
}

// TestLostAnswer loses the answer of every changing call after it has happened.
// The client sends it again by itself; it must count once.
func TestLostAnswer(t *testing.T) {
	direct := testenv.Redis(t)
	proxy, url := newCutter(t, direct)
	q := open(t, url, Options{})
	ctx := t.Context()
	lose := func(name string, call func() error) {
		t.Helper()
		if err := q.Ping(ctx); err != nil { // a connection that works
			t.Fatal(err)
		}
		before := proxy.cuts.Load()
		proxy.armed.Store(true)
		if err := call(); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if proxy.cuts.Load() == before {
			t.Fatalf("%s: no answer was lost", name)
		}
	}
	job := func(id string, want queue.State, attempt int) {
		t.Helper()
		j, err := q.Get(ctx, id)
		if err != nil {
			t.Fatal(err)
		}
		if j.State != want || j.Attempt != attempt {
			t.Fatalf("job is %s at attempt %d, want %s at %d", j.State, j.Attempt, want, attempt)
		}
	}
	lines := func(pending, running int) {
		t.Helper()
		s, err := q.Snapshot(ctx)
		if err != nil {
			t.Fatal(err)
		}
		var p, r int
		for _, l := range s.Lanes[queue.LaneExport].Lines {
			p, r = p+l.Pending, r+l.Running
		}
		if p != pending || r != running || len(s.Lanes[queue.LaneExport].Runs) != running {
			t.Fatalf("%d pending, %d running, %d runs; want %d and %d", p, r, len(s.Lanes[queue.LaneExport].Runs), pending, running)
		}
	}
	var h queue.Holder
	take := func() error {
		h.Claim = uuid.NewString()
		c, err := q.Claim(ctx, queue.ClaimRequest{ClaimID: h.Claim, Worker: "w", Lane: queue.LaneExport})
		if err == nil && c == nil {
			return errors.New("nothing to claim")
		}
		if err == nil {
			h.Job = c.Job.ID
		}
		return err
	}

	s := submission("ann")
	s.Retry = 1
	lose("enqueue", func() error {
		e, err := q.Enqueue(ctx, s)
		if err == nil && !e.Created {
			return errors.New("not created")
		}
		return err
	})
	enqueue(t, q, "ann")
	lines(2, 0)
	lose("claim", take)
	job(s.ID, queue.Running, 1)
	lines(1, 1)
	lose("release", func() error { return q.Release(ctx, h) })
	job(s.ID, queue.Pending, 1)
	lines(2, 0)
	lose("claim", take)
	lose("beat", func() error {
		answers, err := q.Beat(ctx, queue.Worker{ID: "w"}, []queue.Beat{{Holder: h}})
		return errors.Join(append(answers, err)...)
	})
	lose("fail", func() error {
		state, err := q.Fail(ctx, h, queue.Failure{Reason: "once", Retry: true})
		if err == nil && state != queue.Pending {
			return errors.New("failed for good: counted twice")
		}
		return err
	})
	lines(2, 0)
	lose("claim", take)
	job(s.ID, queue.Running, 3)
	lose("seal", func() error { return q.Seal(ctx, h) })
	lose("finish", func() error { return q.Finish(ctx, h, queue.Success{Outcome: []byte("ok")}) })
	job(s.ID, queue.Done, 3)
	lines(1, 0)
	lose("claim", take)
	lose("fail for good", func() error { _, err := q.Fail(ctx, h, queue.Failure{Reason: "no"}); return err })
	job(h.Job, queue.Failed, 1)
	lines(0, 0)
}

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
	q.quiet = 50 * time.Millisecond
	events, err := q.Subscribe(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if e := <-events; e.Kind != queue.Resync {
		t.Fatalf("first event %+v", e)
	}
	time.Sleep(3 * q.quiet) // a quiet connection that answers is kept
	if len(events) > 0 {
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
