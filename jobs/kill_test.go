package jobs

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"slashbatch/cache"
	"slashbatch/cache/catalog"
	"slashbatch/cache/filestore"
	"slashbatch/cache/upkeep"
	"slashbatch/internal/pgtest"
	"slashbatch/internal/rows"
	"slashbatch/queue"
	"slashbatch/queue/pgqueue"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

// moments are where a worker is killed: after which step of publishing, the first time
// that it is done.
var moments = []string{"written", "committed", "sealed", "catalogued", "wished", "stepped", "finished"}

// I-12, R-042, R-051: a worker that is killed between any two steps of publishing leaves
// what the next look at the request is true about; another worker brings the request to
// its end, with the same rows, and what is left over is found and removed.
func TestI12KilledWhilePublishing(t *testing.T) {
	for _, kind := range []string{KindExport, KindVariant} {
		for _, moment := range moments {
			if kind == KindVariant && (moment == "wished" || moment == "stepped") {
				continue // a file has no step, and nobody waits for a file of it
			}
			t.Run(kind+" "+moment, func(t *testing.T) {
				t.Parallel()
				killedWhilePublishing(t, kind, moment)
			})
		}
	}
}

func killedWhilePublishing(t *testing.T, kind, moment string) {
	url, dir := pgtest.New(t), t.TempDir()
	w := openKillSite(t, url, dir)
	pool, err := pgxpool.New(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(pool.Close)
	if _, err := pool.Exec(t.Context(), `CREATE TABLE seen (job text)`); err != nil {
		t.Fatal(err)
	}
	s := &site{store: &faultyStore{Store: w.Store.(*filestore.Store)}, pool: pool, WorkerOptions: w}
	service := NewService(Options{Queue: w.Queue, Catalog: w.Catalog, Store: w.Store, RetryHold: time.Minute})
	r := s.request("k", Post)
	r.Plan.SQL = "SELECT n FROM generate_series(1, 1000) n"
	r.Plan.StepsSource, r.Plan.OnSuccess = "default", "INSERT INTO seen VALUES (current_setting('batch.job_id'))"
	r.Form = ndjson
	if _, err := service.Submit(t.Context(), r); err != nil {
		t.Fatal(err)
	}

	child := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestKilledChild$", "-test.count=1")
	child.Env = append(os.Environ(), "SLASHBATCH_KILL="+strings.Join([]string{kind, moment, url, dir}, "|"))
	said, err := child.CombinedOutput()
	if exit, ok := errors.AsType[*exec.ExitError](err); !ok || exit.Sys().(syscall.WaitStatus).Signal() != syscall.SIGKILL {
		t.Fatalf("the worker was not killed: %v\n%s", err, said)
	}

	// The next look is true: nothing is called Completed that cannot be read.
	for _, form := range []rows.Form{{}, ndjson} {
		status, err := service.StatusOfKey(t.Context(), "k", false, form)
		if err != nil {
			t.Fatal(err)
		}
		if status.Entry != nil {
			s.lines(t, status, form)
		} else if status.Word == WordCompleted || status.Word == WordFailed || status.Word == WordCancelled {
			t.Errorf("%v is %s", form, status.Word)
		}
	}
	stop, _, ended := s.start(t)
	for _, form := range []rows.Form{ndjson, {}} {
		r.Form = form
		if _, err := service.Submit(t.Context(), r); err != nil {
			t.Fatal(err)
		}
		s.lines(t, s.fileOf(t, service, r), form)
	}
	var steps, runs int
	if err := pool.QueryRow(t.Context(), `SELECT (SELECT count(*) FROM seen), (SELECT count(*) FROM slashbatch.run)`).Scan(&steps, &runs); err != nil {
		t.Fatal(err)
	}
	if steps > 1 || runs != 1 {
		t.Errorf("the step has run %d times, %d runs have published", steps, runs)
	}
	stop()
	<-ended
	s.swept(t, "file://"+dir)
}

// swept sweeps, as if everything were old, and asks that the store has nothing but the
// files of the catalogue, its marker, and nothing half written.
func (s *site) swept(t *testing.T, url string) {
	t.Helper()
	ctx, record := t.Context(), s.Catalog.(*catalog.Catalog)
	registered, err := upkeep.Register(ctx, record, s.Store, url)
	if err != nil {
		t.Fatal(err)
	}
	store := upkeep.Store{ID: registered.ID, URL: url, Store: s.Store}
	if _, err := upkeep.Walk(ctx, record, store, 0); err != nil {
		t.Error("walk: ", err)
	}
	if _, err := upkeep.SweepTemps(ctx, record, []upkeep.Store{store}, 0); err != nil {
		t.Error("temporary files: ", err)
	}
	if _, err := upkeep.Remove(ctx, record, store); err != nil {
		t.Error("removal: ", err)
	}
	known := map[string]bool{"slashbatch.json": true}
	files, err := s.pool.Query(ctx, `SELECT object FROM slashbatch.location WHERE state = 'live'`)
	if err != nil {
		t.Fatal(err)
	}
	live, err := pgx.CollectRows(files, pgx.RowTo[string])
	if err != nil || len(live) != 2 {
		t.Errorf("%d live files, %v; want the csv and the ndjson", len(live), err)
	}
	for _, object := range live {
		known[object] = true
	}
	for object, err := range s.store.List(ctx, "") {
		if err != nil {
			t.Fatal(err)
		}
		if !known[object.Name] {
			t.Errorf("%s is left over", object.Name)
		}
		delete(known, object.Name)
	}
	if len(known) > 0 {
		t.Errorf("not in the store: %v", known)
	}
	if left, err := os.ReadDir(strings.TrimPrefix(url, "file://") + "/.tmp,"); err == nil && len(left) > 0 {
		t.Errorf("%d temporary files are left", len(left))
	}
}

// lines asks that a file holds the thousand rows.
func (s *site) lines(t *testing.T, status Status, form rows.Form) {
	t.Helper()
	text, want := s.content(t, *status.File), 1001
	if !plain(form) {
		want = 1000
	}
	if n := strings.Count(text, "\n"); n != want {
		t.Errorf("%v: %d lines, want %d", form, n, want)
	}
}

// openKillSite is what a worker needs, over backends that outlive it.
func openKillSite(t *testing.T, url, dir string) WorkerOptions {
	t.Helper()
	if _, err := pgqueue.Migrate(t.Context(), url); err != nil {
		t.Fatal(err)
	}
	q, err := pgqueue.Open(t.Context(), url, pgqueue.Options{Settings: queue.Settings{Lease: time.Second}, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = q.Close() })
	record, err := catalog.Open(url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(record.Close)
	if _, err := record.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	files, err := filestore.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	store, err := upkeep.Register(t.Context(), record, files, "file://"+dir)
	if err != nil {
		t.Fatal(err)
	}
	record.Use(store.ID)
	source, err := rows.Open("default", url, rows.SourceOptions{MaxConns: 4, Application: "slashbatch default"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(source.Close)
	return WorkerOptions{
		Queue: q, Store: files, Catalog: record, Sources: map[string]*rows.Source{"default": source},
		Hub: NewHub(), Log: slog.New(slog.DiscardHandler), ID: "w",
		Slots: map[queue.Lane]int{queue.LaneExport: 1}, Poll: 100 * time.Millisecond, RetryInit: 20 * time.Millisecond, Drain: time.Minute,
	}
}

// TestKilledChild is the worker that is killed; it runs in a process of its own.
func TestKilledChild(t *testing.T) {
	order := strings.Split(os.Getenv("SLASHBATCH_KILL"), "|")
	if len(order) != 4 {
		t.Skip("run by TestI12KilledWhilePublishing")
	}
	w := openKillSite(t, order[2], order[3])
	k := &killer{kind: order[0], moment: order[1]}
	w.Store, w.Catalog, w.Queue = killStore{w.Store, k}, killCatalog{w.Catalog, k}, killQueue{w.Queue, k}
	NewWorker(w).Run(t.Context(), t.Context())
}

// killer kills this process after a step of publishing what the current job makes.
type killer struct{ kind, moment, job string }

func (k *killer) after(moment string) {
	if moment == k.moment && k.job == k.kind {
		_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
		select {}
	}
}

type killQueue struct {
	queue.Queue
	*killer
}

func (q killQueue) Claim(ctx context.Context, r queue.ClaimRequest) (*queue.Claimed, error) {
	c, err := q.Queue.Claim(ctx, r)
	if c != nil {
		q.job = c.Job.Kind
	}
	return c, err
}

func (q killQueue) Seal(ctx context.Context, h queue.Holder) error {
	err := q.Queue.Seal(ctx, h)
	q.after("sealed")
	return err
}

func (q killQueue) Enqueue(ctx context.Context, s queue.Submission) (queue.Enqueued, error) {
	made, err := q.Queue.Enqueue(ctx, s)
	q.after("wished")
	return made, err
}

func (q killQueue) Beat(ctx context.Context, w queue.Worker, beats []queue.Beat) ([]error, error) {
	answers, err := q.Queue.Beat(ctx, w, beats)
	for _, b := range beats {
		if strings.Contains(string(b.Steps), `"done"`) {
			q.after("stepped")
		}
	}
	return answers, err
}

func (q killQueue) Finish(ctx context.Context, h queue.Holder, s queue.Success) error {
	err := q.Queue.Finish(ctx, h, s)
	q.after("finished")
	return err
}

type killStore struct {
	cache.Store
	*killer
}

func (s killStore) Create(ctx context.Context, name string, o cache.ObjectOptions) (cache.Writer, error) {
	w, err := s.Store.Create(ctx, name, o)
	return killWriter{w, s.killer}, err
}

type killWriter struct {
	cache.Writer
	*killer
}

func (w killWriter) Commit(ctx context.Context) (cache.Object, error) {
	w.after("written")
	o, err := w.Writer.Commit(ctx)
	w.after("committed")
	return o, err
}

type killCatalog struct {
	cache.Catalog
	*killer
}

func (c killCatalog) Publish(ctx context.Context, p cache.Publication) (cache.Entry, bool, error) {
	e, kept, err := c.Catalog.Publish(ctx, p)
	c.after("catalogued")
	return e, kept, err
}

func (c killCatalog) PublishVariant(ctx context.Context, result int64, form cache.Form, f cache.File) (cache.File, bool, error) {
	f, kept, err := c.Catalog.PublishVariant(ctx, result, form, f)
	c.after("catalogued")
	return f, kept, err
}

var _ io.Writer = killWriter{}
