package jobs

import (
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"slashbatch/queue"

	"github.com/google/uuid"
)

// A claim whose answer was lost, and which the queue took back before it could
// be asked again, costs no more than that: the lane goes on at once.
func TestClaimAnswerLost(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.Slots = map[queue.Lane]int{queue.LaneExport: 2}
	id := s.submit(t, "SELECT 1 AS one", "")
	var calls atomic.Int32
	recovered := make(chan struct{})
	s.queue.fault = func(op string, call func() error) error {
		if op != "claim" {
			return nil
		}
		switch calls.Add(1) {
		case 1:
			_ = call()
			return queue.ErrUnavailable
		case 2:
			<-recovered
		}
		return nil
	}
	s.start(t)
	s.await(t, id, queue.Running, 5*time.Second)
	s.await(t, id, queue.Pending, 5*time.Second)
	close(recovered)
	s.await(t, id, queue.Done, 700*time.Millisecond) // a lease is a second
	s.published(t, 1)
}

// Drains, and tries while a service is away, are no sign of a query that breaks
// its database: only runs that broke off are.
func TestBackendTerminated(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	id := s.submit(t, "SELECT pg_sleep(0.3)", "")
	for range 2 * maxBroken {
		claim := uuid.NewString()
		if c, err := s.queue.Claim(t.Context(), queue.ClaimRequest{ClaimID: claim, Worker: "x", Lane: queue.LaneExport}); err != nil || c == nil {
			t.Fatal(c, err)
		}
		if err := s.queue.Release(t.Context(), queue.Holder{Job: id, Claim: claim}); err != nil {
			t.Fatal(err)
		}
	}
	s.start(t)
	if _, err := s.pool.Exec(t.Context(), "SELECT pg_terminate_backend($1)", s.activity(t)); err != nil {
		t.Fatal(err)
	}
	s.await(t, id, queue.Done, 5*time.Second)
	if n := s.job(t, id).Attempt; n != 2*maxBroken+2 {
		t.Errorf("%d attempts", n)
	}
	s.published(t, 1)
}

// A query that breaks its connection each time fails in the end.
func TestBreaksEachTime(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	id := s.submit(t, "SELECT pg_terminate_backend(pg_backend_pid())", "")
	s.start(t)
	s.await(t, id, queue.Failed, 5*time.Second)
	if n := s.job(t, id).Attempt; n != maxBroken+1 {
		t.Errorf("%d attempts, want %d", n, maxBroken+1)
	}
	s.published(t, 0)
}

// A store that is away for long costs each job one run of its query, however
// often it is claimed meanwhile, and no job its life.
func TestStoreAway(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.store.away.Store(true)
	id := s.submit(t, "SELECT 1 AS one", "")
	s.start(t)
	for end := time.Now().Add(5 * time.Second); s.job(t, id).Attempt < 4*maxBroken; time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("%+v", s.job(t, id))
		}
	}
	if n := s.store.begun.Load(); n != 1 {
		t.Errorf("the query ran %d times", n)
	}
	s.store.away.Store(false)
	s.await(t, id, queue.Done, 5*time.Second)
	s.published(t, 1)
}

// Whoever is not allowed to publish, or hears nothing, takes its object back.
func TestSealRefused(t *testing.T) {
	for name, tt := range map[string]struct {
		answer error
		times  int32
	}{
		"lost":             {&queue.LostError{State: queue.Running}, 1},
		"never answered":   {queue.ErrUnavailable, insistTries},
		"answered in time": {queue.ErrUnavailable, insistTries - 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newSite(t)
			var left atomic.Int32
			left.Store(tt.times)
			s.queue.fault = func(op string, call func() error) error {
				if op == "seal" && left.Add(-1) >= 0 {
					return tt.answer
				}
				return nil
			}
			id := s.submit(t, "SELECT 1 AS one", "")
			s.start(t)
			s.await(t, id, queue.Done, 10*time.Second)
			s.published(t, 1)
		})
	}
}

// A step is run once, also when the queue could not be told for long that it
// is about to begin: the next claim finds the result and goes on with it.
func TestStepAfterSilence(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	if _, err := s.pool.Exec(t.Context(), "CREATE TABLE seen (job text)"); err != nil {
		t.Fatal(err)
	}
	var left atomic.Int32
	left.Store(insistTries)
	s.queue.fault = func(op string, call func() error) error {
		if op == "steps" && left.Add(-1) >= 0 {
			return queue.ErrUnavailable
		}
		return nil
	}
	id := s.submit(t, "SELECT 1 AS one", "INSERT INTO seen VALUES (current_setting('batch.job_id'))")
	s.start(t)
	s.await(t, id, queue.Done, 10*time.Second)
	var n int
	if err := s.pool.QueryRow(t.Context(), "SELECT count(*) FROM seen WHERE job = $1", id).Scan(&n); err != nil || n != 1 {
		t.Errorf("the step ran %d times, %v", n, err)
	}
	if n := s.store.begun.Load(); n != 1 {
		t.Errorf("the query ran %d times", n)
	}
	s.published(t, 1)
}

// A job whose claim is answered when the others have been stopped already is
// given back as well.
func TestClaimedWhileStopping(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.Slots = map[queue.Lane]int{queue.LaneExport: 2}
	asked, answer := make(chan struct{}), make(chan struct{})
	var calls atomic.Int32
	s.queue.fault = func(op string, call func() error) error {
		if op == "claim" && calls.Add(1) == 1 {
			close(asked)
			<-answer
		}
		return nil
	}
	// Queued before the worker starts, so that the one call finds it.
	id := s.submit(t, "SELECT pg_sleep(60)", "")
	stop, kill, ended := s.start(t)
	<-asked
	stop()
	kill()
	time.Sleep(50 * time.Millisecond) // let the worker stop what runs: nothing
	close(answer)
	select {
	case <-ended:
	case <-time.After(lastWords - time.Second):
		t.Fatal("the worker runs what it claimed while stopping")
	}
	if job := s.job(t, id); job.State != queue.Pending {
		t.Errorf("%+v", job)
	}
}

// A second signal ends the worker within a moment, also when nobody hears what
// it has to say, or a call hangs whatever becomes of its context; the lease does
// the rest.
func TestStopWithoutQueue(t *testing.T) {
	for _, hangs := range []bool{false, true} {
		t.Run(fmt.Sprintf("hangs %v", hangs), func(t *testing.T) {
			t.Parallel()
			s := newSite(t)
			var away atomic.Bool
			s.queue.fault = func(string, func() error) error {
				if !away.Load() {
					return nil
				}
				if hangs {
					<-t.Context().Done()
				}
				return queue.ErrUnavailable
			}
			s.submit(t, "SELECT pg_sleep(60)", "")
			stop, kill, ended := s.start(t)
			s.activity(t)
			away.Store(true)
			stop()
			kill()
			select {
			case <-ended:
			case <-time.After(lastWords + 3*time.Second):
				t.Fatal("the worker goes on talking to a queue that is not there")
			}
			s.published(t, 0)
		})
	}
}
