// Command drain times how fast SQL jobs are drained, beside the no-op tasks of asynq,
// a job library that many would take instead:
//
//	asynq      a task that does nothing, by as many workers
//	no rows    DO $$ BEGIN END $$, recorded before and after, of as many users as run at once
//	select 1   the same with a row, which becomes a file and an entry of the catalogue
//	100 users  no rows, of so many users that nearly every job needs a fresh session
//
// All sides run in turn on the same Redis, PostgreSQL and folder, and ratios are printed
// with minimum, median and maximum. asynq has no database to ask and no step to record:
// it is the floor, not a rival.
//
// Run it with the services, in this folder: ../../scripts/services run -- go run .
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"os"
	"slices"
	"sync/atomic"
	"time"

	"slashbatch/cache/catalog"
	"slashbatch/cache/filestore"
	"slashbatch/internal/rows"
	"slashbatch/internal/testenv"
	"slashbatch/jobs"
	"slashbatch/queue"
	"slashbatch/queue/redisqueue"

	"github.com/google/uuid"
	"github.com/hibiken/asynq"
	"github.com/redis/go-redis/v9"
)

func main() {
	n := flag.Int("jobs", 1000, "jobs of each side and round")
	slots := flag.Int("slots", 8, "jobs that run at once")
	rounds := flag.Int("rounds", 5, "how often each side runs")
	flag.Parse()
	if err := compare(context.Background(), *n, *slots, *rounds); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// side drains so many jobs and tells how long that took.
type side struct {
	name  string
	drain func(ctx context.Context, n, slots int) (time.Duration, error)
	took  []time.Duration
}

func compare(ctx context.Context, n, slots, rounds int) error {
	address, database := os.Getenv(testenv.RedisVar), os.Getenv(testenv.PostgresVar)
	if address == "" || database == "" {
		return errors.New("no services; use: ../../scripts/services run -- go run .")
	}
	dir, err := os.MkdirTemp("", "drain")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	ours, err := newSite(ctx, address, database, dir)
	if err != nil {
		return err
	}
	defer ours.close()
	sides := []*side{
		{name: "asynq", drain: noops{address}.drain},
		{name: "no rows", drain: ours.drain("DO $$ BEGIN END $$", slots)},
		{name: "select 1", drain: ours.drain("SELECT 1", slots)},
		{name: "100 users", drain: ours.drain("DO $$ BEGIN END $$", 100)},
	}
	for range rounds {
		for _, s := range sides {
			took, err := s.drain(ctx, n, slots)
			if err != nil {
				return fmt.Errorf("%s: %w", s.name, err)
			}
			s.took = append(s.took, took)
		}
	}
	fmt.Printf("%d jobs, %d at once, %d rounds\n%-10s %10s   × asynq: min  median     max\n", n, slots, rounds, "", "jobs/s")
	for _, s := range sides {
		var ratios []float64
		for i, took := range s.took {
			ratios = append(ratios, float64(took)/float64(sides[0].took[i]))
		}
		slices.Sort(ratios)
		middle := slices.Sorted(slices.Values(s.took))[rounds/2]
		fmt.Printf("%-10s %10.0f %15.2f %7.2f %7.2f\n", s.name, float64(n)/middle.Seconds(), ratios[0], ratios[rounds/2], ratios[rounds-1])
	}
	return nil
}

// noops are asynq's tasks, in a database of Redis of their own.
type noops struct{ address string }

func (a noops) drain(ctx context.Context, n, slots int) (time.Duration, error) {
	options, err := redis.ParseURL(a.address)
	if err != nil {
		return 0, err
	}
	options.DB = 9
	plain := redis.NewClient(options)
	defer func() { _ = plain.Close() }()
	if err := plain.FlushDB(ctx).Err(); err != nil {
		return 0, err
	}
	to := asynq.RedisClientOpt{Addr: options.Addr, DB: options.DB}
	client := asynq.NewClient(to)
	defer func() { _ = client.Close() }()
	for range n {
		if _, err := client.EnqueueContext(ctx, asynq.NewTask("noop", nil)); err != nil {
			return 0, err
		}
	}
	var left atomic.Int64
	left.Store(int64(n))
	done := make(chan struct{})
	server := asynq.NewServer(to, asynq.Config{Concurrency: slots, LogLevel: asynq.FatalLevel})
	start := time.Now()
	if err := server.Start(asynq.HandlerFunc(func(context.Context, *asynq.Task) error {
		if left.Add(-1) == 0 {
			close(done)
		}
		return nil
	})); err != nil {
		return 0, err
	}
	<-done
	took := time.Since(start)
	server.Shutdown()
	return took, nil
}

// site is slashbatch without HTTP.
type site struct {
	queue   *redisqueue.Queue
	catalog *catalog.Catalog
	store   *filestore.Store
	source  *rows.Source
}

func newSite(ctx context.Context, address, database, dir string) (*site, error) {
	var s site
	var err error
	if s.queue, err = redisqueue.Open(ctx, address, redisqueue.Options{Prefix: "drain-" + uuid.NewString()[:8]}); err != nil {
		return nil, err
	}
	if s.catalog, err = catalog.Open(database); err != nil {
		return nil, err
	}
	if _, err = s.catalog.Migrate(ctx); err != nil {
		return nil, err
	}
	if s.store, err = filestore.Open(dir); err != nil {
		return nil, err
	}
	id, _, err := s.catalog.StoreByURL(ctx, "file://"+dir)
	if err != nil {
		return nil, err
	}
	s.catalog.Use(id)
	s.source, err = rows.Open("default", database, rows.SourceOptions{MaxConns: 8, Application: "drain"})
	return &s, err
}

func (s *site) close() {
	s.source.Close()
	s.catalog.Close()
	_ = s.queue.Close()
}

// drain sends SQL jobs of so many users and runs them.
func (s *site) drain(sql string, users int) func(ctx context.Context, n, slots int) (time.Duration, error) {
	return func(ctx context.Context, n, slots int) (time.Duration, error) {
		service := jobs.NewService(jobs.Options{Queue: s.queue, Catalog: s.catalog, Store: s.store})
		left := map[string]bool{}
		for i := range n {
			job, err := service.SubmitSQL(ctx, jobs.SQLRequest{
				Plan: jobs.SQLPlan{Source: "default", Steps: []jobs.SQLStep{{SQL: sql}}, MaxAge: time.Hour},
				User: fmt.Sprint("user", i%users), RunningCap: slots,
			})
			if err != nil {
				return 0, err
			}
			left[job.ID] = true
		}
		watching, stopWatching := context.WithCancel(ctx)
		defer stopWatching()
		events, err := s.queue.Subscribe(watching)
		if err != nil {
			return 0, err
		}
		hub := jobs.NewHub()
		go hub.Run(watching, s.queue)
		worker := jobs.NewWorker(jobs.WorkerOptions{
			Queue: s.queue, Catalog: s.catalog, Store: s.store, Sources: map[string]*rows.Source{"default": s.source},
			Hub: hub, Log: slog.New(slog.DiscardHandler), ID: uuid.NewString(),
			Slots: map[queue.Lane]int{queue.LaneSQL: slots}, Poll: time.Second, RetryInit: time.Second, Drain: time.Minute,
		})
		working, stop := context.WithCancel(ctx)
		ended := make(chan struct{})
		start := time.Now()
		go func() { defer close(ended); worker.Run(working, ctx) }()
		err = s.await(ctx, events, left)
		took := time.Since(start)
		stop()
		<-ended
		return took, err
	}
}

// await waits until all these jobs are done.
func (s *site) await(ctx context.Context, events <-chan queue.Event, left map[string]bool) error {
	for len(left) > 0 {
		select {
		case e := <-events:
			if e.Kind == queue.Changed && e.State == queue.Done {
				delete(left, e.Job)
				continue
			}
			if e.Kind == queue.Changed && e.State == queue.Failed && left[e.Job] {
				return fmt.Errorf("job %s has failed", e.Job)
			}
			if e.Kind != queue.Resync {
				continue
			}
		case <-time.After(time.Second):
		}
		for id := range left { // what no event told of
			job, err := s.queue.Get(ctx, id)
			if err != nil {
				return err
			}
			if job.State == queue.Done {
				delete(left, id)
			}
		}
	}
	return nil
}
