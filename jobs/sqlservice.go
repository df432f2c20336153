package jobs

import (
	"context"
	"encoding/json"
	"errors"
	"iter"
	"slices"

	"slashbatch/cache"
	"slashbatch/queue"
)

// SQLJob is a SQL job as its sender sees it.
type SQLJob struct {
	queue.Job
	Plan   SQLPlan
	Status SQLStatus
}

// Open reports whether anything of the job may still run.
func (j SQLJob) Open() bool { return !j.Job.State.Final() }

// SQLJob returns a SQL job of a user. Every other job is queue.ErrNotFound, whosever
// it is.
func (s *Service) SQLJob(ctx context.Context, id, user string) (SQLJob, error) {
	job, err := s.queue.Get(ctx, id)
	if err != nil {
		return SQLJob{}, err
	}
	if job.Kind != KindSQL || job.User != user {
		return SQLJob{}, queue.ErrNotFound
	}
	return s.sqlJob(ctx, job)
}

func (s *Service) sqlJob(ctx context.Context, job queue.Job) (SQLJob, error) {
	definition, err := s.queue.Definition(ctx, job.ID)
	if err != nil {
		return SQLJob{}, err
	}
	plan, err := decodePlan(definition)
	if err != nil {
		return SQLJob{}, err
	}
	if plan.sql == nil {
		return SQLJob{}, queue.ErrNotFound
	}
	status, err := SQLStatusOf(job, *plan.sql)
	return SQLJob{job, *plan.sql, status}, err
}

// CancelSQL cancels a SQL job of a user: one whose steps have ended may still have its
// fallback cancelled. A *StepStateError says that it is too late, and comes with the job;
// queue.ErrNotFound says that the user has no such job.
func (s *Service) CancelSQL(ctx context.Context, id, user string) (SQLJob, error) {
	job, err := s.SQLJob(ctx, id, user)
	if err != nil {
		return SQLJob{}, err
	}
	if !job.Open() || job.Status.Ended() {
		return job, &StepStateError{job.Status.Status, StepCancelled}
	}
	left, cancelled, err := s.queue.Cancel(ctx, id)
	if err != nil {
		return SQLJob{}, err
	}
	s.endLeft(ctx, cancelled, job.Plan)
	if job, err = s.sqlJob(ctx, cancelled); err == nil && left == queue.TooLate && cancelled.State != queue.Cancelled {
		err = &StepStateError{job.Status.Status, StepCancelled}
	}
	return job, err
}

// SQLJobs are the SQL jobs of a user, newest first: those before the order of a job, 0
// for all. They are read as the caller goes on; an error is the last that comes.
func (s *Service) SQLJobs(ctx context.Context, user string, before int64) iter.Seq2[SQLJob, error] {
	const portion = 25 // a job's record may be large
	return func(yield func(SQLJob, error) bool) {
		before := before
		for {
			list, err := s.queue.List(ctx, user, before, portion)
			if err != nil {
				yield(SQLJob{}, err)
				return
			}
			for _, job := range list {
				before = job.Order
				if job.Kind != KindSQL || job.User != user {
					continue
				}
				found, err := s.sqlJob(ctx, job)
				if errors.Is(err, queue.ErrNotFound) {
					continue // forgotten meanwhile
				}
				if !yield(found, err) || err != nil {
					return
				}
			}
			if len(list) < portion {
				return
			}
		}
	}
}

// RunningSQL are the ids of the SQL jobs that run, by user: of one, or of all for "".
// One that has just begun may be missing, since the snapshot is shared with everybody
// who looks at the queue; one that has ended is not among them.
func (s *Service) RunningSQL(ctx context.Context, user string) (map[string][]string, error) {
	snapshot, err := s.snapshots.Get(ctx)
	if err != nil {
		return nil, err
	}
	running := map[string][]string{}
	for _, run := range snapshot.Lanes[queue.LaneSQL].Runs {
		if user != "" && run.User != user {
			continue
		}
		runs, err := s.runsSQL(ctx, run.Job)
		if err != nil {
			return nil, err
		}
		if runs {
			running[run.User] = append(running[run.User], run.Job)
		}
	}
	return running, nil
}

// runsSQL reports whether a SQL job that has a place still runs. A cancelled one keeps
// its place until its worker has stopped, and one that is done until its worker has said so.
func (s *Service) runsSQL(ctx context.Context, id string) (bool, error) {
	job, err := s.queue.Get(ctx, id)
	switch {
	case errors.Is(err, queue.ErrNotFound):
		return false, nil
	case err != nil || job.State != queue.Running:
		return false, err
	case !stepsEnded(job):
		return true, nil
	}
	// What is to follow the last step, only the definition tells.
	whole, err := s.sqlJob(ctx, job)
	if errors.Is(err, queue.ErrNotFound) {
		return false, nil
	}
	return err == nil && !whole.Status.Ended(), err
}

// stepsEnded reports whether all main steps on a job's record have ended; there are none
// before the first one has begun.
func stepsEnded(job queue.Job) bool {
	var record steps
	if json.Unmarshal(job.Steps, &record) != nil || len(record.Main) == 0 {
		return false
	}
	return !slices.ContainsFunc(record.Main, func(main step) bool { return !main.State.Final() })
}

// SQLResult is the file of the rows of a SQL job; cache.ErrNotFound when it has none,
// or not yet, or no longer.
func (s *Service) SQLResult(ctx context.Context, id string) (cache.Entry, error) {
	entry, err := s.entry(ctx, ResultKey(id))
	if err == nil && !entry.Valid {
		err = cache.ErrNotFound
	}
	return entry, err
}
