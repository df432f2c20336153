package jobs

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"slashbatch/queue"
	"slashbatch/queue/memqueue"

	"github.com/google/uuid"
)

// plan queues an export by its plan.
func (s *site) plan(t *testing.T, p Plan, change func(*queue.Submission)) string {
	t.Helper()
	id := uuid.NewString()
	p.Kind, p.Key, p.Endpoint, p.Owner, p.Source = KindExport, "k-"+id, "e", "shared", "default"
	if p.StepsSource == "" {
		p.StepsSource = "default"
	}
	p.FileName, p.ContentType, p.MaxAge = "x.csv", "text/csv", time.Hour
	definition, err := p.Encode()
	if err != nil {
		t.Fatal(err)
	}
	sub := queue.Submission{
		ID: id, Key: p.Key, User: "alice", Lane: queue.LaneExport, Kind: KindExport, Source: "default",
		RunningCap: 2, Retry: p.Retry, Definition: definition,
	}
	if change != nil {
		change(&sub)
	}
	if _, err := s.queue.Enqueue(t.Context(), sub); err != nil {
		t.Fatal(err)
	}
	return id
}

// A job that takes its workers with it is given up at the limit, and its onerror
// step runs: once, like any other.
func TestCrashLimit(t *testing.T) {
	t.Parallel()
	s := newSQLSite(t)
	s.Crashes = 2
	export := s.plan(t, Plan{SQL: "SELECT 1 AS one", OnError: "INSERT INTO seen VALUES (current_setting('batch.error_message'))"}, nil)
	sql := s.submitSQL(t, held3(SQLStep{SQL: holdAt2})...)
	for range s.Crashes {
		for _, lane := range queue.Lanes {
			if c, err := s.queue.Claim(t.Context(), queue.ClaimRequest{ClaimID: uuid.NewString(), Worker: "dead", Lane: lane}); err != nil || c == nil {
				t.Fatal(c, err)
			}
		}
		s.recovered(t, export)
		s.recovered(t, sql)
	}
	s.start(t)
	for _, id := range []string{export, sql} {
		s.await(t, id, queue.Failed, 10*time.Second)
		if job := s.job(t, id); job.Error != "the worker was lost 2 times" || job.Crashes != 2 {
			t.Errorf("%+v", job)
		}
	}
	if got := s.seen(t); !slices.Equal(got, []string{"the worker was lost 2 times"}) {
		t.Error(got)
	}
	if got := s.steps(t, sql); got != "skipped, skipped, skipped" {
		t.Error(got)
	}
	s.published(t, 0)
}

// A failed run is tried again after a while, as often as its submission says.
func TestRetry(t *testing.T) {
	t.Parallel()
	s := newSQLSite(t)
	s.start(t)
	id := s.plan(t, Plan{SQL: "SELECT 1 / 0", Retry: 1, OnError: "INSERT INTO seen VALUES ('onerror')"}, nil)
	later := s.plan(t, Plan{SQL: "SELECT 1 AS one"}, nil)
	s.await(t, later, queue.Done, 10*time.Second)
	if job := s.job(t, id); job.State == queue.Pending && (job.Standing.NotBefore.IsZero() || job.Error != "division by zero") {
		t.Errorf("%+v", job)
	}
	s.await(t, id, queue.Failed, 10*time.Second)
	if job := s.job(t, id); job.Attempt != 2 || job.Failures != 2 || job.Started.Sub(job.Submitted) < 800*time.Millisecond {
		t.Errorf("%+v", job)
	}
	if got := s.seen(t); !slices.Equal(got, []string{"onerror"}) {
		t.Error(got)
	}
}

// Only a claim that ran its query from beginning to end says how long that takes.
func TestMeasured(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	var mu sync.Mutex
	measured := map[string]bool{}
	recording := &recorder{Queue: s.queue, finish: func(h queue.Holder, e queue.Success) {
		mu.Lock()
		defer mu.Unlock()
		measured[h.Job] = e.Measured
	}}
	s.WorkerOptions.Queue = recording
	var lose atomic.Bool
	lose.Store(true)
	s.queue.fault = func(op string, _ func() error) error {
		if op == "finish" && lose.Swap(false) {
			return &queue.LostError{} // it has published, and nobody knows
		}
		return nil
	}
	whole := s.plan(t, Plan{SQL: "SELECT 1 AS one"}, nil)
	s.start(t)
	s.await(t, whole, queue.Done, 10*time.Second)
	status, err := s.service().Submit(t.Context(), s.request("k", Post))
	if err != nil {
		t.Fatal(err)
	}
	s.await(t, status.Job.ID, queue.Done, 10*time.Second)
	// The same request again, past the check of who submits it.
	answered := s.plan(t, s.request("k", Post).Plan, func(sub *queue.Submission) {
		p := s.request("k", Post).Plan
		var err error
		if sub.Definition, err = p.Encode(); err != nil {
			t.Fatal(err)
		}
	})
	s.await(t, answered, queue.Done, 10*time.Second)
	mu.Lock()
	defer mu.Unlock()
	if measured[whole] || !measured[status.Job.ID] || measured[answered] {
		t.Errorf("measured: of the claim that found its result published %v, of a whole run %v, of one that was answered %v",
			measured[whole], measured[status.Job.ID], measured[answered])
	}
	if got := s.job(t, status.Job.ID).Class; got != "e" {
		t.Errorf("class %q, want the endpoint's name", got)
	}
}

// recorder hears what is finished.
type recorder struct {
	queue.Queue
	finish func(queue.Holder, queue.Success)
}

func (q *recorder) Finish(ctx context.Context, h queue.Holder, s queue.Success) error {
	q.finish(h, s)
	return q.Queue.Finish(ctx, h, s)
}

// A claim that is lost stops its query in the database, and writes nothing.
func TestLostClaim(t *testing.T) {
	for _, cancelled := range []bool{true, false} {
		t.Run(fmt.Sprintf("cancelled %v", cancelled), func(t *testing.T) {
			t.Parallel()
			s := newSite(t)
			var away atomic.Bool
			s.queue.fault = func(op string, _ func() error) error {
				if away.Load() {
					return queue.ErrUnavailable
				}
				return nil
			}
			id := s.submit(t, "SELECT pg_sleep(60)", "")
			s.start(t)
			pid := s.activity(t)
			if cancelled {
				if _, _, err := s.queue.Cancel(t.Context(), id); err != nil {
					t.Fatal(err)
				}
			} else {
				away.Store(true) // longer than its lease: another one takes the job
				s.recovered(t, id)
				other := queue.ClaimRequest{ClaimID: uuid.NewString(), Worker: "other", Lane: queue.LaneExport}
				if c, err := s.queue.Queue.Claim(t.Context(), other); err != nil || c == nil {
					t.Fatal(c, err)
				}
				away.Store(false)
			}
			s.gone(t, pid)
			s.published(t, 0)
		})
	}
}

// A job that is cancelled in the moment in which it is told how its run ended
// gives up its place all the same: nothing else would say that the worker has stopped.
func TestCancelledAtItsEnd(t *testing.T) {
	t.Parallel()
	s := newSQLSite(t)
	s.queue.Queue = memqueue.New(queue.Settings{}) // whose leases end after the test
	s.queue.fault = func(op string, _ func() error) error {
		if op == "finish" || op == "fail" {
			for _, job := range s.runningSQL(t) {
				if _, _, err := s.queue.Cancel(context.Background(), job); err != nil {
					t.Error(err)
				}
			}
		}
		return nil
	}
	done := s.submitSQL(t, SQLStep{SQL: "SELECT 1"})
	failed := s.submitSQL(t, SQLStep{SQL: "SELECT 1 / 0"})
	s.start(t)
	for _, id := range []string{done, failed} { // one at a time: the second one needs the first one's place
		s.await(t, id, queue.Cancelled, 10*time.Second)
	}
	for end := time.Now().Add(10 * time.Second); len(s.runningSQL(t)) > 0; time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("a cancelled job keeps its place")
		}
	}
}

func (s *site) runningSQL(t *testing.T) (ids []string) {
	t.Helper()
	snapshot, err := s.queue.Snapshot(context.Background())
	if err != nil {
		t.Error(err)
		return nil
	}
	for _, r := range snapshot.Lanes[queue.LaneSQL].Runs {
		ids = append(ids, r.Job)
	}
	return ids
}

// recovered sweeps until the job's lease has run out.
func (s *site) recovered(t *testing.T, id string) {
	t.Helper()
	for end := time.Now().Add(10 * time.Second); s.job(t, id).State != queue.Pending; time.Sleep(20 * time.Millisecond) {
		if _, err := s.queue.Queue.Sweep(t.Context()); err != nil {
			t.Fatal(err)
		}
		if time.Now().After(end) {
			t.Fatalf("%+v", s.job(t, id))
		}
	}
}

// While the queue is paused workers wait; they do not ask again and again.
func TestPausedQueue(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	var claims, beats atomic.Int32
	s.queue.fault = func(op string, _ func() error) error {
		switch op {
		case "claim":
			claims.Add(1)
		case "beat":
			beats.Add(1)
		}
		return nil
	}
	if err := s.queue.SetPaused(t.Context(), true); err != nil {
		t.Fatal(err)
	}
	s.start(t)
	id := s.submit(t, "SELECT 1 AS one", "")
	for end := time.Now().Add(10 * time.Second); beats.Load() < 20; time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("the worker does not beat")
		}
	}
	// Each of the two lanes asks once for each time the worker beats.
	if n, most := claims.Load(), 3*beats.Load(); n > most {
		t.Errorf("%d claims in %d beats", n, beats.Load())
	}
	if job := s.job(t, id); job.State != queue.Pending {
		t.Errorf("%+v", job)
	}
	status, err := s.service().StatusOfJob(t.Context(), id)
	if err != nil || status.ETA != nil || *status.Position != 1 {
		t.Errorf("%+v, %v", status, err)
	}
	if err := s.queue.SetPaused(t.Context(), false); err != nil {
		t.Fatal(err)
	}
	s.await(t, id, queue.Done, 10*time.Second)
}

// Jobs that are given back stand in their list as they were claimed, also when
// one of them was taken over from another list and is older than the one before it.
func TestGivenBackInOrder(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	if err := s.queue.SetCapacities(t.Context(), map[string]int{"full": 0}); err != nil {
		t.Fatal(err)
	}
	bob := func(source string) func(*queue.Submission) {
		return func(sub *queue.Submission) { sub.User, sub.Source = "bob", source }
	}
	for range 2 {
		s.plan(t, Plan{SQL: "SELECT 1"}, bob("full"))
	}
	old := s.plan(t, Plan{SQL: "SELECT pg_sleep(60)"}, bob("default"))
	young := s.plan(t, Plan{SQL: "SELECT pg_sleep(60)"}, nil)
	if job, err := s.queue.Join(t.Context(), old, "alice", 2); err != nil || job.User != "alice" {
		t.Fatal(job, err) // she reaches it sooner
	}
	stop, kill, ended := s.start(t)
	s.await(t, young, queue.Running, 5*time.Second)
	s.await(t, old, queue.Running, 5*time.Second)
	stop()
	kill()
	<-ended
	for i, id := range []string{young, old} {
		if job := s.job(t, id); job.State != queue.Pending || job.Standing.Index != i {
			t.Errorf("job %d: %s at %d", i, job.State, job.Standing.Index)
		}
	}
}

// An outage of the queue costs no job its lease, though its processes come back
// one after the other.
func TestOutageRecoversNothing(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	var away [2]atomic.Bool
	var swept atomic.Int32
	var ids []string
	for i := range away {
		o := s.WorkerOptions
		o.ID, o.Slots = fmt.Sprint("worker ", i), map[queue.Lane]int{queue.LaneExport: 1}
		o.Queue = &sweptQueue{&faultyQueue{s.queue.Queue, func(string, func() error) error {
			if away[i].Load() {
				return queue.ErrUnavailable
			}
			return nil
		}}, &swept}
		ids = append(ids, s.plan(t, Plan{SQL: "SELECT pg_sleep(4)"}, nil))
		startWorker(t, o)
		s.await(t, ids[i], queue.Running, 5*time.Second)
	}
	for i := range away {
		away[i].Store(true)
	}
	time.Sleep(1500 * time.Millisecond) // a lease and a half
	swept.Store(0)
	away[0].Store(false)
	for end := time.Now().Add(5 * time.Second); swept.Load() == 0; time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("nobody sweeps")
		}
	}
	time.Sleep(200 * time.Millisecond) // some more sweeps before the other one is back
	away[1].Store(false)
	for _, id := range ids {
		s.await(t, id, queue.Done, 10*time.Second)
		if job := s.job(t, id); job.Attempt != 1 || job.Crashes != 0 {
			t.Errorf("%+v", job)
		}
	}
}

// sweptQueue counts the sweeps that were answered.
type sweptQueue struct {
	*faultyQueue
	count *atomic.Int32
}

func (q *sweptQueue) Sweep(ctx context.Context) (swept queue.Swept, err error) {
	err = q.try("sweep", func() (err error) { swept, err = q.faultyQueue.Queue.Sweep(ctx); return err })
	if err == nil {
		q.count.Add(1)
	}
	return swept, err
}
