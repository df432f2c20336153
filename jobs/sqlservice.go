package jobs

import (
	"context"
	"errors"

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
	_, plan, err := decodePlan(definition)
	if err != nil {
		return SQLJob{}, err
	}
	if plan == nil {
		return SQLJob{}, queue.ErrNotFound
	}
	status, err := SQLStatusOf(job, *plan)
	return SQLJob{job, *plan, status}, err
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
	if job, err = s.sqlJob(ctx, cancelled); err == nil && left == queue.TooLate && cancelled.State != queue.Cancelled {
		err = &StepStateError{job.Status.Status, StepCancelled}
	}
	return job, err
}

// SQLJobs lists SQL jobs of a user, newest first: at most n of those before the order
// given by the last one of the page before, 0 for the first page. more tells that there
// are others.
func (s *Service) SQLJobs(ctx context.Context, user string, before int64, n int, keep func(SQLJob) bool) (page []SQLJob, more bool, err error) {
	const portion = 100
	for {
		list, err := s.queue.List(ctx, user, before, portion)
		if err != nil {
			return nil, false, err
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
			if err != nil {
				return nil, false, err
			}
			if !keep(found) {
				continue
			}
			if len(page) == n {
				return page, true, nil
			}
			page = append(page, found)
		}
		if len(list) < portion {
			return page, false, nil
		}
	}
}

// RunningSQL are the ids of the SQL jobs that run, by user: of one, or of all for "".
func (s *Service) RunningSQL(ctx context.Context, user string) (map[string][]string, error) {
	snapshot, err := s.queue.Snapshot(ctx) // now, and not a moment ago
	if err != nil {
		return nil, err
	}
	running := map[string][]string{}
	for _, run := range snapshot.Lanes[queue.LaneSQL].Runs {
		if user != "" && run.User != user {
			continue
		}
		// One that was cancelled takes its place until its worker has stopped, and one
		// that is done until its worker has said so.
		switch job, err := s.SQLJob(ctx, run.Job, run.User); {
		case errors.Is(err, queue.ErrNotFound):
		case err != nil:
			return nil, err
		case job.State == queue.Running && !job.Status.Ended():
			running[run.User] = append(running[run.User], run.Job)
		}
	}
	return running, nil
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
