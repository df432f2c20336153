package jobs

import (
	"context"
	"time"

	"slashbatch/internal/rows"
	"slashbatch/queue"
)

// A job that is cancelled is claimed by nobody any more, so if its worker is lost, or
// stands still, nobody else ends what it has left running in the database: so does the
// process that cancels it, once the worker has had its time.
const (
	stopsItself = 500 * time.Millisecond
	endsWithin  = 30 * time.Second
)

// endLeft ends, in the background, the server processes of a cancelled job's steps. They
// are of no other use: a worker that cannot record how a step has ended closes its session.
func (s *Service) endLeft(ctx context.Context, job queue.Job, plan SQLPlan) {
	source := s.sources[plan.Source]
	document, err := decodeSteps(job.Steps, len(plan.Steps))
	if source == nil || err != nil || job.State != queue.Cancelled {
		return
	}
	var left []rows.Backend
	for _, step := range document.all() {
		if step.State == StepRunning && step.Backend != nil {
			left = append(left, *step.Backend)
		}
	}
	if len(left) == 0 {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), endsWithin)
	go func() {
		defer cancel()
		wait(ctx, stopsItself, nil)
		for _, backend := range left {
			_ = source.End(ctx, backend) // one that is gone is no error, and more cannot be done here
		}
	}()
}
