package jobs

import (
	"errors"
	"sync"
	"testing"
	"time"

	"slashbatch/internal/rows"
	"slashbatch/queue"

	"github.com/google/uuid"
)

func (s *site) service() *Service {
	return NewService(Options{Queue: s.queue, Catalog: s.Catalog, Store: s.Store, Sources: s.Sources, RetryHold: time.Minute, MinFresh: time.Minute})
}

func (s *site) request(key string, method Method) Request {
	return Request{
		User: "alice", Method: method, RunningCap: 2, Plan: Plan{
			Kind: KindExport, Key: key, Endpoint: "e", Owner: "shared", Source: "default",
			SQL: "SELECT 1 AS n", FileName: "x.csv", ContentType: "text/csv", MaxAge: time.Hour,
		},
	}
}

// A ready file is served, and its status told, while the queue is away; what
// would need a run is not promised.
func TestReadyWithoutQueue(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	service := s.service()
	status, err := service.Submit(t.Context(), s.request("k", Post))
	if err != nil || !status.Created {
		t.Fatalf("%+v, %v", status, err)
	}
	stop, _, ended := s.start(t)
	s.await(t, status.Job.ID, queue.Done, 10*time.Second)
	stop()
	<-ended
	s.queue.fault = func(string, func() error) error { return queue.ErrUnavailable }
	for _, method := range []Method{Get, Post} {
		if status, err := service.Submit(t.Context(), s.request("k", method)); err != nil || status.Entry == nil {
			t.Errorf("method %d: %+v, %v; want the file", method, status, err)
		}
	}
	if status, err := service.StatusOfKey(t.Context(), "k", false, rows.Form{}); err != nil || status.Word != WordCompleted {
		t.Errorf("status %s, %v; want Completed", status.Word, err)
	}
	if _, err := service.Submit(t.Context(), s.request("other", Get)); !errors.Is(err, queue.ErrUnavailable) {
		t.Errorf("a request without a file: %v, want ErrUnavailable", err)
	}
	if _, err := service.StatusOfKey(t.Context(), "other", false, rows.Form{}); !errors.Is(err, queue.ErrUnavailable) {
		t.Errorf("its status: %v, want ErrUnavailable rather than Unknown", err)
	}
}

// Equal requests make one job while it lives, from any number of callers on
// any number of servers, with a worker finishing jobs in between.
func TestEqualRequests(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.start(t)
	servers := []*Service{s.service(), s.service(), s.service()}
	var wg sync.WaitGroup
	var mu sync.Mutex
	made := 0
	for i := range 60 {
		wg.Go(func() {
			status, err := servers[i%3].Submit(t.Context(), s.request("k", Get))
			if err != nil {
				t.Error(err)
			}
			mu.Lock()
			defer mu.Unlock()
			if status.Created {
				made++
			}
		})
	}
	wg.Wait()
	if made != 1 {
		t.Errorf("%d jobs were made, want 1", made)
	}
}

// A plan of another version is left to a worker that knows it: two versions
// run side by side during a rolling restart.
func TestPlanOfAnotherVersion(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	id := uuid.NewString()
	if _, err := s.queue.Enqueue(t.Context(), queue.Submission{
		ID: id, User: "alice", Lane: queue.LaneExport, Kind: KindExport, RunningCap: 1, Definition: []byte(`{"v":3,"kind":"export"}`),
	}); err != nil {
		t.Fatal(err)
	}
	stop, _, ended := s.start(t)
	for s.job(t, id).Attempt < 2 {
		time.Sleep(time.Millisecond)
	}
	stop()
	<-ended
	if job := s.job(t, id); job.State != queue.Pending || job.Failures != 0 {
		t.Errorf("the job is %s with %d failures, want pending and 0", job.State, job.Failures)
	}
}

// So is a plan whose data source this worker does not have.
func TestNoSuchSource(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	complete := s.WorkerOptions
	s.Sources = nil
	id := s.submit(t, "SELECT 1 AS n", "")
	stop, _, ended := s.start(t)
	for s.job(t, id).Attempt < 2 {
		time.Sleep(time.Millisecond)
	}
	stop()
	<-ended
	if job := s.job(t, id); job.State != queue.Pending || job.Failures != 0 {
		t.Errorf("the job is %s with %d failures, want pending and 0", job.State, job.Failures)
	}
	s.WorkerOptions = complete
	s.start(t)
	s.await(t, id, queue.Done, 10*time.Second)
}

// Whoever asks again for a job that stands behind somebody else's backlog takes it
// over, by GET and by POST.
func TestAskingTakesOver(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	service := s.service()
	for _, method := range []Method{Get, Post} {
		key := "shared " + string(rune('0'+method))
		for _, k := range []string{"a " + key, "b " + key, key} {
			if _, err := service.Submit(t.Context(), s.request(k, Post)); err != nil {
				t.Fatal(err)
			}
		}
		r := s.request(key, method)
		r.User, r.RunningCap = "bob "+key, 3
		status, err := service.Submit(t.Context(), r)
		if err != nil || status.Job.User != r.User || status.Job.Standing.Index != 0 {
			t.Fatalf("%+v, %v", status.Job, err)
		}
		if *status.Position > 3 {
			t.Errorf("position %d", *status.Position)
		}
		if first, err := service.FirstAsker(t.Context(), status.Job.ID); err != nil || first != "alice" {
			t.Errorf("first asked for by %q, %v", first, err)
		}
		if waits, err := service.Waits(t.Context(), status.Job.ID, "alice"); err != nil || !waits {
			t.Errorf("alice waits: %v, %v", waits, err)
		}
	}
}
