package jobs

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"sync/atomic"
	"testing"
	"time"

	"slashbatch/cache"
	"slashbatch/cache/catalog"
	"slashbatch/cache/filestore"
	"slashbatch/internal/pgtest"
	"slashbatch/internal/rows"
	"slashbatch/queue"
	"slashbatch/queue/memqueue"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgxpool"
)

// site is everything a worker needs, with places to break it.
type site struct {
	queue *faultyQueue
	store *faultyStore
	pool  *pgxpool.Pool
	WorkerOptions
}

// faultyQueue asks fault before each call of a worker; what that returns is the
// answer, unless it is nil. A fault may make the call itself, to lose its answer.
type faultyQueue struct {
	queue.Queue
	fault func(op string, call func() error) error
}

func (q *faultyQueue) try(op string, call func() error) error {
	if err := q.fault(op, call); err != nil {
		return err
	}
	return call()
}

func (q *faultyQueue) ByKey(ctx context.Context, key string) (j queue.Job, err error) {
	err = q.try("key", func() (err error) { j, err = q.Queue.ByKey(ctx, key); return err })
	return j, err
}

func (q *faultyQueue) Claim(ctx context.Context, r queue.ClaimRequest) (c *queue.Claimed, err error) {
	err = q.try("claim", func() (err error) { c, err = q.Queue.Claim(ctx, r); return err })
	if err != nil {
		return nil, err
	}
	return c, nil
}

func (q *faultyQueue) Beat(ctx context.Context, w queue.Worker, beats []queue.Beat) (answers []error, err error) {
	op := "beat"
	if len(beats) == 1 && beats[0].Steps != nil {
		op = "steps"
	}
	err = q.try(op, func() (err error) { answers, err = q.Queue.Beat(ctx, w, beats); return err })
	return answers, err
}

func (q *faultyQueue) Seal(ctx context.Context, h queue.Holder) error {
	return q.try("seal", func() error { return q.Queue.Seal(ctx, h) })
}

func (q *faultyQueue) Finish(ctx context.Context, h queue.Holder, s queue.Success) error {
	return q.try("finish", func() error { return q.Queue.Finish(ctx, h, s) })
}

func (q *faultyQueue) Release(ctx context.Context, h queue.Holder) error {
	return q.try("release", func() error { return q.Queue.Release(ctx, h) })
}

func (q *faultyQueue) Fail(ctx context.Context, h queue.Holder, f queue.Failure) (state queue.State, err error) {
	err = q.try("fail", func() (err error) { state, err = q.Queue.Fail(ctx, h, f); return err })
	return state, err
}

// faultyStore is out of reach while away, and counts the objects begun.
type faultyStore struct {
	*filestore.Store
	away  atomic.Bool
	full  atomic.Bool // nothing can be begun
	begun atomic.Int32
}

func (s *faultyStore) Ping(ctx context.Context) error {
	if s.away.Load() {
		return cache.ErrUnavailable
	}
	return s.Store.Ping(ctx)
}

func (s *faultyStore) Create(ctx context.Context, name string, o cache.ObjectOptions) (cache.Writer, error) {
	s.begun.Add(1)
	if s.full.Load() {
		return nil, fmt.Errorf("%w: no space left in /secret/place", cache.ErrUnavailable)
	}
	w, err := s.Store.Create(ctx, name, o)
	return &faultyWriter{w, s}, err
}

type faultyWriter struct {
	cache.Writer
	store *faultyStore
}

func (w *faultyWriter) Commit(ctx context.Context) (cache.Object, error) {
	if w.store.away.Load() {
		return cache.Object{}, cache.ErrUnavailable
	}
	return w.Writer.Commit(ctx)
}

func newSite(t *testing.T) *site {
	t.Helper()
	url := pgtest.New(t)
	record, err := catalog.Open(url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(record.Close)
	if _, err := record.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	store, _, err := record.StoreByURL(t.Context(), "file:///one")
	if err != nil {
		t.Fatal(err)
	}
	record.Use(store)
	pool, err := pgxpool.New(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(pool.Close)
	source, err := rows.Open("default", url, rows.SourceOptions{MaxConns: 4, Application: "slashbatch default"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(source.Close)
	files, err := filestore.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	s := &site{
		queue: &faultyQueue{memqueue.New(queue.Settings{Lease: time.Second}), func(string, func() error) error { return nil }},
		store: &faultyStore{Store: files}, pool: pool,
	}
	s.WorkerOptions = WorkerOptions{
		Queue: s.queue, Store: s.store, Catalog: record, Sources: map[string]*rows.Source{"default": source},
		Hub: NewHub(), Log: slog.New(slog.NewTextHandler(io.Discard, nil)), ID: "w",
		Slots: map[queue.Lane]int{queue.LaneExport: 2, queue.LaneSQL: 2},
		Poll:  20 * time.Millisecond, RetryInit: 20 * time.Millisecond, Drain: time.Minute,
	}
	return s
}

// start runs a worker until stop or kill ends it; ended is closed when it has.
func (s *site) start(t *testing.T) (stop, kill func(), ended <-chan struct{}) {
	t.Helper()
	return startWorker(t, s.WorkerOptions)
}

func startWorker(t *testing.T, o WorkerOptions) (stop, kill func(), ended <-chan struct{}) {
	t.Helper()
	ctx, stop := context.WithCancel(context.Background())
	hard, kill := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		NewWorker(o).Run(ctx, hard)
	}()
	t.Cleanup(func() {
		stop()
		kill()
		<-done
	})
	return stop, kill, done
}

// submit queues an export of a statement, with a step.
func (s *site) submit(t *testing.T, sql, step string) string {
	t.Helper()
	id := uuid.NewString()
	definition, err := Plan{
		Kind: KindExport, Key: "k-" + id, Endpoint: "e", Owner: "shared", Source: "default", StepsSource: "default",
		SQL: sql, OnSuccess: step, FileName: "x.csv", ContentType: "text/csv", MaxAge: time.Hour,
	}.Encode()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.queue.Enqueue(t.Context(), queue.Submission{
		ID: id, Key: "k-" + id, User: "alice", Lane: queue.LaneExport, Kind: KindExport, Source: "default", RunningCap: 2, Definition: definition,
	}); err != nil {
		t.Fatal(err)
	}
	return id
}

func (s *site) job(t *testing.T, id string) queue.Job {
	t.Helper()
	job, err := s.queue.Get(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	return job
}

func (s *site) await(t *testing.T, id string, state queue.State, limit time.Duration) {
	t.Helper()
	for end := time.Now().Add(limit); s.job(t, id).State != state; time.Sleep(2 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("not %s within %v: %+v", state, limit, s.job(t, id))
		}
	}
}

// published asks that the catalogue has want files, and the store exactly
// their objects.
func (s *site) published(t *testing.T, want int) {
	t.Helper()
	var files int
	if err := s.pool.QueryRow(t.Context(), "SELECT count(*) FROM slashbatch.location").Scan(&files); err != nil {
		t.Fatal(err)
	}
	objects := 0
	for _, err := range s.store.List(t.Context(), "") {
		if err != nil {
			t.Fatal(err)
		}
		objects++
	}
	if files != want || objects != want {
		t.Errorf("%d files and %d objects, want %d of each", files, objects, want)
	}
}

// activity waits until the source runs something, and returns its backend.
func (s *site) activity(t *testing.T) (pid int) {
	t.Helper()
	for end := time.Now().Add(10 * time.Second); ; time.Sleep(5 * time.Millisecond) {
		err := s.pool.QueryRow(t.Context(), `SELECT pid FROM pg_stat_activity WHERE datname = current_database()
			AND application_name = 'slashbatch default' AND state = 'active' AND query LIKE '%pg_sleep%' AND query NOT LIKE 'EXPLAIN%'`).Scan(&pid)
		if err == nil {
			return pid
		}
		if time.Now().After(end) {
			t.Fatal("the query does not run: ", err)
		}
	}
}
