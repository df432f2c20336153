package jobs

import (
	"cmp"
	"context"
	"errors"
	"strconv"
	"time"

	"slashbatch/cache"
	"slashbatch/internal/rows"
	"slashbatch/internal/sqltext"
)

// stepTimeout bounds a step of an endpoint; it holds a worker's slot.
const stepTimeout = 10 * time.Minute

// onSuccess runs the endpoint's step for a published result. Whatever comes of the
// step, the job is done. An error says that it has not come to its end: a later claim
// finds the result, and goes on with the step.
func (a *exportTask) onSuccess(ctx context.Context, e cache.Entry) error {
	return a.step(ctx, &a.steps.OnSuccess, a.plan.OnSuccess, 1, sqltext.OnSuccess, map[string]string{
		sqltext.JobID: a.job.ID, sqltext.RowCount: strconv.FormatInt(e.File.Rows, 10), sqltext.ResultURL: a.plan.ResultURL,
	})
}

// onError runs the endpoint's step for a job that is about to be failed. An error says
// that this claim is not to fail it. A database that is away is no such reason: each
// further claim would run the query again.
func (a *exportTask) onError(ctx context.Context, reason string) error {
	err := a.step(ctx, &a.steps.OnError, a.plan.OnError, insistTries, sqltext.OnError, map[string]string{
		sqltext.JobID: a.job.ID, sqltext.ErrorMessage: reason,
	})
	if err == nil || isLost(err) || ctx.Err() != nil {
		return err
	}
	s := a.steps.OnError
	if s == nil {
		s = &step{State: StepPending}
		s.move(StepRunning, "", now())
		a.steps.OnError = s
	}
	state, why := StepFailed, err.Error()
	if s.Backend != nil {
		state, why = StepUnknown, lostReason
	}
	s.move(state, why, now())
	_ = a.record(a.worker.last) // the claim is checked again when the job ends
	return nil
}

// step runs the step of an endpoint that is kept at this place, unless that has been
// done. tries is how often its database is asked for a session.
func (a *exportTask) step(ctx context.Context, at **step, sql string, tries int, names []string, values map[string]string) error {
	if sql == "" || *at != nil && (*at).State.Final() {
		return nil
	}
	source, known := a.worker.Sources[a.plan.StepsSource]
	if *at != nil && (*at).State == StepRunning {
		return a.endStep(ctx, source, *at, tries)
	}
	s := &step{State: StepPending}
	*at = s
	template, err := sqltext.Parse(sql, names...)
	if !known {
		err = errors.New("this worker has no data source " + a.plan.StepsSource)
	}
	if err != nil {
		s.move(StepRunning, "", now())
		return a.settle(s, &execution{Ended: rows.Ended{Err: err, Undone: true}})
	}
	q := statement{source: source, sql: template.Fill(values), limit: stepTimeout}
	q.options = rows.SessionOptions{Application: "slashbatch job " + a.job.ID, Timeout: stepTimeout, Settings: sqltext.Settings(values)}
	var e *execution
	var sent error
	err = a.insist(ctx, tries, func() error {
		e, sent = a.execute(ctx, s, q, func() error { return a.record(ctx) })
		if s.State == StepRunning {
			return nil // sent, so it is not for another try
		}
		return sent
	})
	if err = cmp.Or(err, sent); err != nil {
		if s.State == StepPending {
			a.log.Warn("a step was not begun", "error", err)
			*at = nil
		}
		return err
	}
	return a.settle(s, e)
}

// settle records what a step has come to.
func (a *exportTask) settle(s *step, e *execution) error {
	if errors.Is(e.cause, errLost) {
		e.close(false)
		return e.cause // nothing more is written
	}
	state, reason := judgeStep(e.Ended, e.cause, false, 0)
	s.move(state, reason, now())
	if state != StepDone {
		a.log.Warn("a step did not do what it was to do; the job's own outcome stands", "state", state, "error", reason)
	}
	err := a.record(a.worker.last)
	e.close(err == nil)
	if state == StepPending {
		return e.cause
	}
	return nil // the claim is checked again when the job ends
}

// endStep settles a step that an earlier claim has left running: its server process is
// ended, so that what it has done by now is all that it does.
func (a *exportTask) endStep(ctx context.Context, source *rows.Source, s *step, tries int) error {
	if s.Backend != nil && source != nil {
		err := a.insist(ctx, tries, func() error { return a.end(ctx, source, *s.Backend) })
		if err != nil {
			return err
		}
	}
	a.log.Warn("a step of an earlier claim may or may not have run; it is not repeated")
	s.move(StepUnknown, lostReason, now())
	_ = a.record(ctx)
	return nil
}

// record sends the steps document until it is answered.
func (a *exportTask) record(ctx context.Context) error {
	return a.insist(ctx, insistTries, func() error { return a.send(ctx, a.steps.encode(), a.progress()) })
}
