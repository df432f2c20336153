package jobs

import (
	"context"
	"strconv"
	"time"

	"slashbatch/cache"
	"slashbatch/internal/sqltext"
)

// stepTimeout bounds a step of an endpoint; it holds a worker's slot.
const stepTimeout = 10 * time.Minute

// onSuccess runs the endpoint's step for a published result. Whatever comes of
// the step, the job is done; an error says that the queue could not be told of
// it, so that it has not begun.
func (a *exportTask) onSuccess(ctx context.Context, e cache.Entry) error {
	return a.step(ctx, &a.steps.OnSuccess, a.plan.OnSuccess, sqltext.OnSuccess, map[string]string{
		sqltext.JobID: a.job.ID, sqltext.RowCount: strconv.FormatInt(e.File.Rows, 10), sqltext.ResultURL: a.plan.ResultURL,
	})
}

// onError runs the endpoint's step for a job that is about to be failed.
func (a *exportTask) onError(ctx context.Context, reason string) {
	_ = a.step(ctx, &a.steps.OnError, a.plan.OnError, sqltext.OnError, map[string]string{sqltext.JobID: a.job.ID, sqltext.ErrorMessage: reason})
}

func (a *exportTask) step(ctx context.Context, at **step, sql string, names []string, values map[string]string) error {
	if sql == "" {
		return nil
	}
	now := time.Now().UTC()
	if known := *at; known != nil {
		if known.State == StepRunning {
			known.move(StepUnknown, lostReason, now)
			a.log.Warn("a step of an earlier claim may or may not have run; it is not repeated")
			_ = a.record(ctx)
		}
		return nil
	}
	// Neither losing the claim nor a drain cuts a step short, but the end of
	// all patience does: then its transaction is undone.
	ctx, cancel := context.WithTimeout(a.worker.last, stepTimeout)
	defer cancel()
	s := &step{State: StepPending}
	s.move(StepRunning, "", now)
	*at = s
	if err := a.record(ctx); err != nil {
		// Not recorded, so not run: run unrecorded it could run twice.
		a.log.Error("a step was not begun because it could not be recorded", "error", err)
		*at = nil
		return err
	}
	state, reason := StepDone, ""
	if source, ok := a.worker.Sources[a.plan.StepsSource]; !ok {
		state, reason = StepFailed, "this worker has no data source "+a.plan.StepsSource
	} else if template, err := sqltext.Parse(sql, names...); err != nil {
		state, reason = StepFailed, err.Error()
	} else if err := source.Run(ctx, template.Fill(values), sqltext.Settings(values)); err != nil {
		state, reason = StepFailed, err.Error()
	}
	s.move(state, reason, time.Now().UTC())
	if state == StepFailed {
		a.log.Warn("a step failed; the job's own outcome stands", "error", reason)
	}
	_ = a.record(ctx) // the claim is checked again when the job ends
	return nil
}

// record sends the steps document until it is answered.
func (a *exportTask) record(ctx context.Context) error {
	return a.insist(ctx, insistTries, func() error { return a.send(ctx, a.steps.encode(), a.progress()) })
}
