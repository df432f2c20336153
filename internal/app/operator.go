package app

import (
	"context"
	"errors"
	"log/slog"
	"slices"

	"slashbatch/internal/config"
	"slashbatch/internal/problem"
	"slashbatch/jobs"
	"slashbatch/queue"
)

// Operator looks into the queue and changes it by hand. It opens nothing else, so
// it works where the databases and the store cannot be reached from.
type Operator struct {
	queue  queue.Queue
	config *config.Config
}

// OpenOperator connects to the queue of a configuration. The caller closes the
// Operator.
func OpenOperator(ctx context.Context, c *config.Config, log *slog.Logger) (*Operator, error) {
	if c.Queue.URL.Scheme() == "memory" {
		return nil, problem.List{{File: c.File, Path: "queue.url", Message: "a memory queue lives inside its process, and cannot be reached from here"}}
	}
	q, err := dial(ctx, c, log)
	if err != nil {
		return nil, err
	}
	return &Operator{q, c}, nil
}

// Close lets go of the queue.
func (o *Operator) Close() { _ = o.queue.Close() } // nothing is sent any more

// Stats counts what is there.
func (o *Operator) Stats(ctx context.Context) (*queue.Stats, error) { return o.queue.Stats(ctx) }

// SetPaused stops and restarts the claiming of jobs over the fleet.
func (o *Operator) SetPaused(ctx context.Context, paused bool) error {
	return o.queue.SetPaused(ctx, paused)
}

// Cancel ends a job for everybody who waits for it.
func (o *Operator) Cancel(ctx context.Context, id string) (queue.Left, queue.Job, error) {
	return o.queue.Cancel(ctx, id)
}

// Running is a job that takes a worker's slot now.
type Running struct {
	queue.Job
	Worker string
}

// Running returns what runs now over the fleet, longest first. A cancelled job is
// among them until its worker has stopped.
func (o *Operator) Running(ctx context.Context) ([]Running, error) {
	snapshot, err := o.queue.Snapshot(ctx)
	if err != nil {
		return nil, err
	}
	var all []Running
	for _, lane := range queue.Lanes {
		for _, r := range snapshot.Lanes[lane].Runs {
			job, err := o.queue.Get(ctx, r.Job)
			if errors.Is(err, queue.ErrNotFound) {
				continue // it has ended meanwhile, and is forgotten
			}
			if err != nil {
				return nil, err
			}
			all = append(all, Running{job, r.Worker})
		}
	}
	slices.SortFunc(all, func(a, b Running) int { return a.Started.Compare(b.Started) })
	return all, nil
}

// listPage is how many jobs are asked for at once.
const listPage = 200

// List returns the newest jobs that a user asked for, at most n (0: all), in this
// state ("": in any).
func (o *Operator) List(ctx context.Context, user string, state queue.State, n int) ([]queue.Job, error) {
	var all []queue.Job
	for before := int64(0); ; {
		page, err := o.queue.List(ctx, user, before, listPage)
		if err != nil || len(page) == 0 {
			return all, err
		}
		for _, job := range page {
			if state != "" && job.State != state {
				continue
			}
			if all = append(all, job); len(all) == n {
				return all, nil
			}
		}
		before = page[len(page)-1].Order
	}
}

// Shown is a job with all that can be said of it.
type Shown struct {
	jobs.Status
	Steps []jobs.Step
}

// Show returns a job; queue.ErrNotFound when there is none.
func (o *Operator) Show(ctx context.Context, id string) (Shown, error) {
	job, err := o.queue.Get(ctx, id)
	if err != nil {
		return Shown{}, err
	}
	shown := Shown{Status: jobs.Status{Key: job.Key, Job: &job}}
	if !job.State.Final() {
		snapshot, err := o.queue.Snapshot(ctx)
		if err != nil {
			return Shown{}, err
		}
		shown.Position, shown.ETA = jobs.Place(job, snapshot)
	}
	definition, err := o.queue.Definition(ctx, id)
	if err != nil {
		return Shown{}, err
	}
	shown.Steps, _ = jobs.StepsOf(job, definition) // of another version: the rest is worth showing
	return shown, nil
}
