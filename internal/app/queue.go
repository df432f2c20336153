package app

import (
	"context"
	"errors"
	"log/slog"

	"slashbatch/internal/config"
	"slashbatch/queue"
	"slashbatch/queue/memqueue"
	"slashbatch/queue/pgqueue"
	"slashbatch/queue/redisqueue"
)

// settings are the queue's, the same in every process of a fleet. Its limit of
// crashes is one more than ours: a worker gives a job up before the queue does, so
// that its onerror step runs. What takes even that worker with it is left to the queue.
func settings(c *config.Config) queue.Settings {
	p := c.Batch.Process
	return queue.Settings{Lease: p.Lease.Std(), Crashes: p.Crashes + 1, Retention: c.Batch.Retention.Jobs.Std()}
}

// dial opens the queue that a configuration names.
func dial(ctx context.Context, c *config.Config, log *slog.Logger) (queue.Queue, error) {
	if database, ok := c.Queue.Database(c.Catalog.URL); ok {
		q, err := pgqueue.Open(ctx, database.Reveal(), pgqueue.Options{Settings: settings(c), Logger: log})
		if err != nil {
			return nil, err // and no nil *Queue, which in an interface is not nil
		}
		return q, nil
	}
	if c.Queue.URL.Scheme() == "memory" {
		return memqueue.New(settings(c)), nil
	}
	q, err := redisqueue.Open(ctx, c.Queue.URL.Reveal(), redisqueue.Options{
		Prefix: c.Queue.Prefix, Settings: settings(c), Replicas: c.Queue.Replicas, Logger: log,
	})
	if err != nil {
		return nil, err
	}
	return q, nil
}

// openQueue connects to the queue and tells it the capacities.
func (a *App) openQueue(ctx context.Context) (queue.Queue, error) {
	q, err := dial(ctx, a.config, a.log)
	if err != nil {
		return nil, err
	}
	capacities := map[string]int{}
	for name, source := range a.config.DataSources {
		if source.Capacity > 0 {
			capacities[name] = source.Capacity
		}
	}
	if err := q.SetCapacities(ctx, capacities); err != nil {
		return nil, errors.Join(err, q.Close())
	}
	return q, nil
}
