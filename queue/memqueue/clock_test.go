package memqueue_test

import (
	"fmt"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"slashbatch/queue"
	"slashbatch/queue/memqueue"
)

// clock is a clock that stands still until it is moved.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

func submission(user string) queue.Submission {
	return queue.Submission{ID: uuid.NewString(), User: user, Lane: queue.LaneExport, Estimate: time.Second, RunningCap: 1}
}

func newQueue(t *testing.T, s queue.Settings) (*memqueue.Queue, *clock) {
	c := &clock{now: time.Date(2026, 10, 25, 0, 59, 59, 0, time.UTC)}
	q := memqueue.New(s, memqueue.WithClock(c.Now))
	t.Cleanup(func() { _ = q.Close() })
	return q, c
}

func enqueue(t *testing.T, q queue.Queue, s queue.Submission) {
	t.Helper()
	if _, err := q.Enqueue(t.Context(), s); err != nil {
		t.Fatal(err)
	}
}

func claim(t *testing.T, q queue.Queue, id string) *queue.Claimed {
	t.Helper()
	c, err := q.Claim(t.Context(), queue.ClaimRequest{ClaimID: id, Lane: queue.LaneExport})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func sweep(t *testing.T, q queue.Queue) queue.Swept {
	t.Helper()
	s, err := q.Sweep(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// TestLease holds the exact times, which the suite cannot see on a clock that runs.
func TestLease(t *testing.T) {
	q, clock := newQueue(t, queue.Settings{Lease: 30 * time.Second})
	s := submission("ann")
	enqueue(t, q, s)
	sweep(t, q)
	claim(t, q, "c1")
	steps := []struct {
		advance time.Duration
		want    queue.Swept
	}{
		{15 * time.Second, queue.Swept{}},                                // half a lease since the last sweep is regular
		{14*time.Second + 999*time.Millisecond, queue.Swept{}},           // the last moment of the lease
		{time.Millisecond, queue.Swept{Recovered: 1}},                    // it is over
		{15*time.Second + time.Millisecond, queue.Swept{Extended: true}}, // nobody swept
	}
	for i, step := range steps {
		clock.advance(step.advance)
		if got := sweep(t, q); got != step.want {
			t.Errorf("step %d: swept %+v, want %+v", i, got, step.want)
		}
	}
}

func TestClaimIDIsRememberedForOneLease(t *testing.T) {
	q, clock := newQueue(t, queue.Settings{Lease: 30 * time.Second})
	for range 2 {
		enqueue(t, q, submission("ann"))
	}
	first := claim(t, q, "c1")
	clock.advance(time.Hour)
	if err := q.Finish(t.Context(), queue.Holder{Job: first.Job.ID, Claim: "c1"}, queue.Success{}); err != nil {
		t.Fatal(err)
	}
	clock.advance(30*time.Second - time.Millisecond)
	sweep(t, q)
	if c := claim(t, q, "c1"); c != nil {
		t.Fatalf("the claim id yields job %s before the lease is over", c.Job.ID)
	}
	clock.advance(time.Millisecond)
	sweep(t, q)
	if c := claim(t, q, "c1"); c == nil {
		t.Error("the claim id is remembered for longer than a lease")
	}
}

// TestRetention holds that sweeps forget in bounded portions, and everything in the end.
func TestRetention(t *testing.T) {
	q, clock := newQueue(t, queue.Settings{Retention: time.Hour})
	const jobs = 2500
	for i := range jobs {
		enqueue(t, q, submission(fmt.Sprint("user", i%7)))
	}
	for range jobs {
		id := uuid.NewString()
		c := claim(t, q, id)
		if err := q.Finish(t.Context(), queue.Holder{Job: c.Job.ID, Claim: id}, queue.Success{}); err != nil {
			t.Fatal(err)
		}
	}
	kept := func() (n int) {
		for i := range 7 {
			page, err := q.List(t.Context(), fmt.Sprint("user", i), 0, jobs)
			if err != nil {
				t.Fatal(err)
			}
			n += len(page)
		}
		return n
	}
	clock.advance(time.Hour - time.Millisecond)
	sweep(t, q)
	if n := kept(); n != jobs {
		t.Errorf("%d jobs before their time is over, want %d", n, jobs)
	}
	clock.advance(time.Millisecond)
	for _, want := range []int{1500, 500, 0} {
		sweep(t, q)
		if n := kept(); n != want {
			t.Errorf("%d jobs after a sweep, want %d", n, want)
		}
	}
}

// TestIdleUsersNeedNoMemory holds that nothing is left of users whose jobs are forgotten.
func TestIdleUsersNeedNoMemory(t *testing.T) {
	q, clock := newQueue(t, queue.Settings{Retention: time.Minute})
	heap := func() uint64 {
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	round := func() {
		for range 2000 {
			s := submission(uuid.NewString())
			s.Key = s.ID
			s.Definition = make([]byte, 1000)
			enqueue(t, q, s)
			c := claim(t, q, s.ID)
			if err := q.Finish(t.Context(), queue.Holder{Job: c.Job.ID, Claim: s.ID}, queue.Success{}); err != nil {
				t.Fatal(err)
			}
		}
		clock.advance(time.Hour)
		for range 3 {
			sweep(t, q)
		}
	}
	round()
	before := heap()
	for range 5 {
		round()
	}
	if after := heap(); after > before+2<<20 { // 10,000 jobs kept would be over 15 MB
		t.Errorf("heap %d kB, then %d kB", before>>10, after>>10)
	}
	runtime.KeepAlive(q)
}
