package pgqueue

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"

	"slashbatch/queue"
)

func submission(user string) queue.Submission {
	return queue.Submission{
		ID: uuid.NewString(), User: user, Lane: queue.LaneExport, Kind: "export", RunningCap: 4, Definition: []byte("{}"),
	}
}

func with(t *testing.T, address, key, value string) string {
	t.Helper()
	u, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	query := u.Query()
	query.Set(key, value)
	u.RawQuery = strings.ReplaceAll(query.Encode(), "+", "%20") // pgx reads no plus
	return u.String()
}

// A process that stands still in the middle of a sweep does not keep others from it.
func TestFrozenSweep(t *testing.T) {
	ctx := t.Context()
	address := database(t, "")
	q := open(t, address, Options{Settings: queue.Settings{Lease: 200 * time.Millisecond}})
	q.frozen = 100 * time.Millisecond
	other := open(t, address, Options{})
	conn, err := other.pool.Acquire(ctx)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Release()
	var got bool
	if err := conn.QueryRow(ctx, `SELECT pg_try_advisory_lock(1936482929, $1)`, sweepLock).Scan(&got); err != nil || !got {
		t.Fatal(got, err)
	}

	s := submission("ann")
	if _, err := q.Enqueue(ctx, s); err != nil {
		t.Fatal(err)
	}
	if c, err := q.Claim(ctx, queue.ClaimRequest{ClaimID: uuid.NewString(), Worker: "dead", Lane: queue.LaneExport}); err != nil || c == nil {
		t.Fatal(c, err)
	}
	for end := time.Now().Add(20 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		if _, err := q.Sweep(ctx); err != nil {
			t.Fatal(err)
		}
		if j, err := q.Get(ctx, s.ID); err != nil || j.State == queue.Pending {
			break
		}
		if time.Now().After(end) {
			t.Fatal("the claim of a dead worker was not recovered")
		}
	}
}

// Whatever the database's own choice, a check made after a lock sees what was
// committed before it was had.
func TestIsolation(t *testing.T) {
	q := open(t, with(t, database(t, ""), "default_transaction_isolation", "repeatable read"), Options{})
	ids := sync.Map{}
	var wg sync.WaitGroup
	for i := range 16 {
		wg.Go(func() {
			s := submission(fmt.Sprint("user", i))
			s.Key = "k"
			e, err := q.Enqueue(t.Context(), s)
			if err != nil {
				t.Error(err)
			}
			ids.Store(e.Job.ID, true)
		})
	}
	wg.Wait()
	n := 0
	ids.Range(func(_, _ any) bool { n++; return true })
	if n != 1 {
		t.Errorf("%d jobs of one key, want 1", n)
	}
}

// While nothing can be sent an announcer tries again at a slower and slower pace,
// and tells the log once; then it tells that something was missed.
func TestAnnouncerAway(t *testing.T) {
	var tries atomic.Int32
	var away atomic.Bool
	away.Store(true)
	sent := make(chan string, 100)
	var lines counter
	a := newAnnouncer(func(_ context.Context, payloads []string) error {
		tries.Add(1)
		if away.Load() {
			return errors.New("away")
		}
		for _, p := range payloads {
			sent <- p
		}
		return nil
	}, slog.New(slog.NewTextHandler(&lines, nil)))
	defer a.close(t.Context())
	a.say(wake("ann"))
	for start := time.Now(); tries.Load() < 4; time.Sleep(time.Millisecond) {
		if time.Since(start) > 20*time.Second {
			t.Fatalf("%d tries", tries.Load())
		}
	}
	away.Store(false)
	if got := events(<-sent); len(got) != 1 || got[0].Kind != queue.Resync {
		t.Errorf("%+v, want a Resync", got)
	}
	if lines.Load() != 1 {
		t.Errorf("%d lines in the log, want 1", lines.Load())
	}
	// 20 ms, 40 ms, … 1 s: what a second of outage costs.
	away.Store(true)
	tries.Store(0)
	a.say(wake("ann"))
	time.Sleep(time.Second)
	if n := tries.Load(); n > 8 {
		t.Errorf("%d tries in a second", n)
	}
}

// counter counts the writes to it.
type counter struct{ atomic.Int32 }

func (c *counter) Write(b []byte) (int, error) { c.Add(1); return len(b), nil }

// A user who is taken off a job by a call whose answer is lost on the way is not told
// that there was nothing to leave.
func TestLeaveAnswerLost(t *testing.T) {
	ctx := t.Context()
	address := database(t, "")
	behind := open(t, address, Options{})
	cut := newCutter(t, address)
	q := open(t, cut.url, Options{Conns: 1})
	shared := func() string {
		s := submission("ann")
		if _, err := behind.Enqueue(ctx, s); err != nil {
			t.Fatal(err)
		}
		if _, err := behind.Join(ctx, s.ID, "bob", 1); err != nil {
			t.Fatal(err)
		}
		return s.ID
	}
	for round := range 2 { // the first time the statement is prepared, too
		id := shared()
		cut.armed.Store(round == 1)
		left, j, err := q.Leave(ctx, id, "bob")
		if err != nil || left != queue.StillWanted || j.ID != id {
			t.Errorf("round %d: %q, job %q, %v", round, left, j.ID, err)
		}
		if waits, err := behind.Waits(ctx, id, "bob"); err != nil || waits {
			t.Errorf("bob still waits: %v, %v", waits, err)
		}
	}
	if cut.armed.Load() {
		t.Error("nothing was cut: the test has lost its point")
	}
	if _, _, err := q.Leave(ctx, shared(), "carol"); !errors.Is(err, queue.ErrNotFound) {
		t.Errorf("who did not wait: %v", err)
	}
}

// cutter is a TCP proxy that, once armed, swallows the next answer and cuts the
// connection: the call failed, but it happened.
type cutter struct {
	url   string
	armed atomic.Bool
}

func newCutter(t *testing.T, target string) *cutter {
	t.Helper()
	u, err := url.Parse(target)
	if err != nil {
		t.Fatal(err)
	}
	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = listener.Close() })
	c, upstream := &cutter{}, u.Host
	u.Host = listener.Addr().String()
	c.url = u.String()
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go c.serve(conn, upstream)
		}
	}()
	return c
}

func (c *cutter) serve(conn net.Conn, upstream string) {
	defer func() { _ = conn.Close() }()
	up, err := (&net.Dialer{}).DialContext(context.Background(), "tcp", upstream)
	if err != nil {
		return
	}
	defer func() { _ = up.Close() }()
	go func() { _, _ = io.Copy(up, conn); _ = up.Close() }()
	buffer := make([]byte, 64<<10)
	for {
		n, err := up.Read(buffer)
		if err != nil || c.armed.CompareAndSwap(true, false) {
			return
		}
		if _, err := conn.Write(buffer[:n]); err != nil {
			return
		}
	}
}
