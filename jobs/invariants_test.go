package jobs

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"slashbatch/cache"
	"slashbatch/internal/pgtest"
	"slashbatch/internal/rows"
	"slashbatch/internal/testenv"
	"slashbatch/queue"

	"github.com/google/uuid"
)

// ran asks for a request's csv, runs what is needed, and returns its entry.
func (s *site) ran(t *testing.T, service *Service, r Request) cache.Entry {
	t.Helper()
	if _, err := service.Submit(t.Context(), r); err != nil {
		t.Fatal(err)
	}
	entry := s.fileOf(t, service, r).Entry
	s.await(t, entry.Job, queue.Done, 10*time.Second) // it is there a moment before its job has ended
	return *entry
}

// I-04: rows in another order are another result, in the same order the same one. Without
// an order the database's own counts: two such runs are one result if it gave them alike.
func TestI04OrderCounts(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.start(t)
	service := s.service()
	entry := func(key, sql string) int64 {
		r := s.request(key, Post)
		r.Plan.SQL = sql
		return s.ran(t, service, r).Result
	}
	up := entry("k1", "SELECT n FROM generate_series(1, 9) n ORDER BY n")
	if again := entry("k2", "SELECT n FROM generate_series(1, 9) n ORDER BY n"); again != up {
		t.Errorf("the same rows in the same order: result %d, want %d", again, up)
	}
	if down := entry("k3", "SELECT n FROM generate_series(1, 9) n ORDER BY n DESC"); down == up {
		t.Error("the same rows in another order are the same result")
	}
}

// I-08: while an answer is good nothing runs; one that has expired, or whose file is gone,
// is never given out again.
func TestI08OnlyWhatIsGoodIsServed(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.start(t)
	service := s.service()
	r := s.request("k", Get)
	r.Plan.SQL = "SELECT clock_timestamp() AS at"
	first := s.ran(t, service, r)
	for range 3 {
		if e := s.ran(t, service, r); e.Result != first.Result || s.store.begun.Load() != 1 {
			t.Errorf("a good answer: result %d after %d runs, want %d after one", e.Result, s.store.begun.Load(), first.Result)
		}
	}
	if _, err := s.pool.Exec(t.Context(), `UPDATE slashbatch.request SET expires = now()`); err != nil {
		t.Fatal(err)
	}
	second := s.ran(t, service, r)
	if second.Result == first.Result {
		t.Error("an expired answer was served")
	}
	if err := s.store.Delete(t.Context(), second.File.Object); err != nil {
		t.Fatal(err)
	}
	if err := service.Lost(t.Context(), second.File); err != nil {
		t.Fatal(err)
	}
	if third := s.ran(t, service, r); third.Result == second.Result {
		t.Error("an answer without a file was served")
	}
}

// I-09: equal requests of many run the query once, also when whoever ran it first is gone.
func TestI09RunnerDies(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	service := s.service()
	var made atomic.Int32
	var wg sync.WaitGroup
	for range 20 {
		wg.Go(func() {
			status, err := service.Submit(context.Background(), s.request("k", Get))
			if err != nil {
				t.Error(err)
			}
			if status.Created {
				made.Add(1)
			}
		})
	}
	wg.Wait()
	// A worker that claims it and is not heard of again.
	dead, err := s.queue.Queue.Claim(t.Context(), queue.ClaimRequest{ClaimID: uuid.NewString(), Worker: "dead", Lane: queue.LaneExport})
	if err != nil || dead == nil || made.Load() != 1 {
		t.Fatalf("%d jobs were made; claimed %v, %v", made.Load(), dead, err)
	}
	s.start(t)
	entry := s.fileOf(t, service, s.request("k", Get)).Entry
	if job := s.job(t, dead.Job.ID); entry.Job != job.ID || job.Attempt != 2 || s.store.begun.Load() != 1 {
		t.Errorf("made by %s in attempt %d, %d runs; want one, in the second", entry.Job, job.Attempt, s.store.begun.Load())
	}
}

// I-11, I-13: a job comes to one end, once, and what is said twice, because an answer was
// lost, changes nothing: neither in the queue nor in the catalogue.
func TestI11OneEnd(t *testing.T) {
	t.Parallel()
	w := openKillSite(t, pgtest.New(t), t.TempDir())
	q, ctx := w.Queue, t.Context()
	sub := queue.Submission{ID: uuid.NewString(), Key: "k", User: "ann", Lane: queue.LaneExport, Kind: KindExport, RunningCap: 1, Definition: []byte("{}")}
	for i := range 2 {
		if made, err := q.Enqueue(ctx, sub); err != nil || made.Job.ID != sub.ID {
			t.Fatalf("enqueued %d times: %+v, %v", i+1, made, err)
		}
	}
	claim := queue.ClaimRequest{ClaimID: uuid.NewString(), Worker: "w", Lane: queue.LaneExport}
	for range 2 {
		if c, err := q.Claim(ctx, claim); err != nil || c == nil || c.Job.ID != sub.ID || c.Job.Attempt != 1 {
			t.Fatalf("claimed %+v, %v; want the job, at its first attempt", c, err)
		}
	}
	h := queue.Holder{Job: sub.ID, Claim: claim.ClaimID}
	p := cache.Publication{
		Key: "k", Owner: cache.OwnerShared, Job: sub.ID, Claim: claim.ClaimID, Submitted: time.Now(), Generated: time.Now(), MaxAge: time.Hour,
		File: cache.File{Object: "o", SHA256: fmt.Sprintf("%064x", 1), ContentType: "text/csv", FileName: "x.csv"},
	}
	twice := func(what string, call func() error) {
		for range 2 {
			if err := call(); err != nil {
				t.Fatalf("%s: %v", what, err)
			}
		}
	}
	twice("seal", func() error { return q.Seal(ctx, h) })
	twice("publish", func() error {
		e, kept, err := w.Catalog.Publish(ctx, p)
		if err == nil && (!kept || e.Job != sub.ID) {
			err = fmt.Errorf("%+v, kept %v", e, kept)
		}
		return err
	})
	twice("finish", func() error { return q.Finish(ctx, h, queue.Success{}) })
	if _, err := q.Fail(ctx, h, queue.Failure{Reason: "late"}); err == nil {
		t.Error("a job that was done was failed")
	}
	if job, err := q.Get(ctx, sub.ID); err != nil || job.State != queue.Done || job.Error != "" {
		t.Errorf("%+v, %v", job, err)
	}
}

// I-10: a claim that is lost publishes nothing, whatever it has written.
func TestI10LostClaim(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	var refused atomic.Int32
	s.queue.fault = func(op string, _ func() error) error {
		if op == "seal" && refused.Add(1) == 1 {
			if n := s.rowsOf(t, "run"); n != 0 {
				t.Errorf("%d runs have published before they were sealed", n)
			}
			return &queue.LostError{State: queue.Cancelled}
		}
		return nil
	}
	id := s.submit(t, "SELECT 1 AS one", "")
	s.start(t)
	s.await(t, id, queue.Done, 10*time.Second)
	s.published(t, 1)
	if e, err := s.Catalog.ByJob(t.Context(), id); err != nil || s.job(t, id).Attempt != 2 {
		t.Errorf("%+v, %v; attempt %d, want 2", e, err, s.job(t, id).Attempt)
	}
}

func (s *site) rowsOf(t *testing.T, table string) (n int) {
	t.Helper()
	if err := s.pool.QueryRow(t.Context(), "SELECT count(*) FROM slashbatch."+table).Scan(&n); err != nil {
		t.Error(err)
	}
	return n
}

// I-14: without any notification everything is done, at the pace of polling.
func TestI14NoNotifications(t *testing.T) {
	t.Parallel()
	s := newSite(t) // nothing runs the hub, so nobody is ever woken
	s.start(t)
	service := s.service()
	for i := range 20 {
		r := s.request(fmt.Sprint("k", i), Post)
		if i%2 == 0 {
			r.Form = ndjson
		}
		s.ran(t, service, r)
	}
}

// Equal requests of twelve clients, for the csv and for another form, while answers expire
// and files disappear: no error, and no more runs than jobs.
func TestRaceOfEqualRequests(t *testing.T) {
	s := newSite(t)
	s.Slots = map[queue.Lane]int{queue.LaneExport: 4}
	s.start(t)
	service := s.service()
	var made, asked, served atomic.Int32
	race(t, 12, func(random *rand.Rand) {
		r := s.request(fmt.Sprint("k", random.IntN(4)), []Method{Get, Post, Look}[random.IntN(3)])
		r.Plan.SQL, r.RunningCap = "SELECT clock_timestamp() AS at", 4
		if random.IntN(2) == 0 {
			r.Form = ndjson
		}
		asked.Add(1)
		status, err := service.Submit(context.Background(), r)
		if err != nil {
			t.Error(err)
			return
		}
		if status.Created {
			made.Add(1)
		}
		if status.Entry != nil {
			served.Add(1)
			if err := s.Catalog.Touch(context.Background(), *status.Entry, FormName(r.Form)); err != nil {
				t.Error("touch: ", err)
			}
		}
		switch random.IntN(100) {
		case 0:
			_, err = s.pool.Exec(context.Background(), `UPDATE slashbatch.request SET expires = now()`)
		case 1:
			if status.File != nil {
				err = errors.Join(s.store.Delete(context.Background(), status.File.Object), service.Lost(context.Background(), *status.File))
			}
		}
		if err != nil {
			t.Error(err)
		}
	})
	// Files of other forms are also queued by the worker, for those who wished them.
	if begun := s.store.begun.Load(); begun > 2*made.Load() {
		t.Errorf("%d files were begun by %d jobs", begun, made.Load())
	}
	testenv.Report(t, "race: equal requests: 12 clients asked %d times, %d jobs were made, %d times served at once", asked.Load(), made.Load(), served.Load())
}

// Fifty clients who ask for a file at once get the one that is made; again and again, for
// other results.
func TestRaceForOneFile(t *testing.T) {
	s := newSite(t)
	s.Slots = map[queue.Lane]int{queue.LaneExport: 4}
	s.start(t)
	servers := []*Service{s.service(), s.service(), s.service()}
	rounds := 0
	for end := time.Now().Add(testenv.Race()); time.Now().Before(end); rounds++ {
		r := s.request(fmt.Sprint("k", rounds), Post)
		r.Plan.SQL, r.RunningCap = fmt.Sprintf("SELECT %d AS n", rounds), 4
		entry := s.ran(t, servers[0], r)
		before := s.store.begun.Load()
		var wg sync.WaitGroup
		for i := range 50 {
			wg.Go(func() {
				request := FileRequest{Form: rows.Form{Format: rows.FormatParquet}, User: fmt.Sprint("user", i%7), Method: Get, RunningCap: 4}
				for {
					status, err := servers[i%3].SubmitFile(context.Background(), entry, request)
					if err != nil {
						t.Error(err)
						return
					}
					if status.Entry != nil {
						return
					}
					time.Sleep(time.Millisecond)
				}
			})
		}
		wg.Wait()
		if n := s.store.begun.Load() - before; n != 1 {
			t.Fatalf("the file was made %d times", n)
		}
	}
	testenv.Report(t, "race: one file: 50 clients asked at once in %d rounds; each file was made once", rounds)
}

// race lets so many clients act for as long as races last.
func race(t *testing.T, clients int, act func(*rand.Rand)) {
	t.Helper()
	var wg sync.WaitGroup
	end := time.Now().Add(testenv.Race())
	for i := range clients {
		wg.Go(func() {
			random := rand.New(rand.NewPCG(uint64(i), 7)) //nolint:gosec // not a secret
			for time.Now().Before(end) && !t.Failed() {
				act(random)
			}
		})
	}
	wg.Wait()
}
