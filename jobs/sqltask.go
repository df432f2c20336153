package jobs

import (
	"bytes"
	"context"
	"errors"
	"sync/atomic"
	"time"

	"slashbatch/cache"
	"slashbatch/internal/rows"
	"slashbatch/internal/sqltext"
	"slashbatch/queue"
)

// sqlTask is one run of a SQL job under one claim: it goes on where the steps
// document says that earlier claims have left off.
type sqlTask struct {
	held
	plan  SQLPlan
	steps steps
	// stray: a document was sent whose answer was lost, and which may reach the
	// queue later than newer ones.
	stray bool
	// recorded is the document that the queue is known to have.
	recorded []byte
	// export is what the step that runs now writes; blocks are those of the result.
	export atomic.Pointer[rows.Export]
	blocks []cache.Block
}

// progress implements task: how many rows the step that runs now has given.
func (t *sqlTask) progress() (p queue.Progress) {
	if e := t.export.Load(); e != nil {
		p.Rows, p.Bytes = e.Progress()
	}
	return p
}

var errPendingAgain = errors.New("the step is to be run again")

// run does one step after the other until the job is over or has to be given up.
func (t *sqlTask) run(ctx context.Context) ending {
	source, ok := t.worker.Sources[t.plan.Source]
	if !ok {
		// As for exports: another worker of the fleet may have it.
		return t.away(&rows.Error{Kind: rows.Unavailable, Reason: "this worker has no data source " + t.plan.Source})
	}
	started := time.Now()
	for {
		p, m := t.steps.next(&t.plan)
		if m == runStep && !p.fallback && t.worker.gaveUp(t.job) {
			t.steps.Reason = crashedError{t.job.Crashes}.Error()
			t.steps.skip(now())
			continue // fallbacks tell of it
		}
		if m == runStep && t.stray {
			// A late document of this claim could undo the record of the next step;
			// one of a claim that has ended cannot.
			t.log.Info("SQL job given back between two steps: the queue did not answer for a while")
			return ending{verdict: giveBack}
		}
		if m != endStep && t.steps.unpublished(p, m) {
			if err := t.publish(); err != nil {
				return t.away(err)
			}
		}
		var err error
		switch m {
		case complete:
			t.log.Info("SQL job finished", "steps", len(t.steps.Main), "took", time.Since(started))
			return ending{verdict: finished, steps: t.unrecorded()}
		case giveUp:
			if r := t.steps.Result; r != nil { // of a step before
				t.discard(r.Object)
				t.steps.Result = nil
			}
			return t.failed(t.steps.failure(p.step), t.unrecorded())
		case endStep:
			err = t.endStep(ctx, source, p)
		case runStep:
			err = t.runStep(ctx, source, p)
		}
		switch {
		case err == nil:
		case errors.Is(context.Cause(ctx), errLost), isLost(err):
			t.log.Warn("claim lost, the job is left alone", "error", errors.Join(err, context.Cause(ctx)))
			return ending{verdict: lost}
		case errors.Is(context.Cause(ctx), errDrain):
			return ending{verdict: giveBack, steps: t.steps.encode()}
		default:
			return t.away(err)
		}
	}
}

// failed is the ending of a job for a reason, which its sender may know: it is
// about their own statements. document is what is still to be recorded.
func (t *sqlTask) failed(reason string, document []byte) ending {
	t.log.Warn("SQL job failed", "error", reason)
	return ending{verdict: failed, steps: document, failure: queue.Failure{Reason: clipped(reason)}}
}

// away is the ending of a run for which something is out of reach.
func (t *sqlTask) away(err error) ending {
	t.log.Warn("SQL job given back: something it needs is out of reach", "error", errors.Join(err, errors.Unwrap(err)))
	return ending{verdict: giveBack, steps: t.steps.encode(), pause: true}
}

// panicked implements task.
func (t *sqlTask) panicked(err error) ending {
	t.log.Error("SQL job broke off", "error", err)
	if p, m := t.steps.next(&t.plan); m == endStep {
		t.steps.settle(p, StepUnknown, lostReason, now())
	}
	t.steps.Reason = "something went wrong in the worker"
	t.steps.skip(now())
	return t.failed(t.steps.Reason, t.steps.encode())
}

// endStep settles a step that an earlier claim has left running. Its server
// process is ended first, and exactly that one: whatever the earlier worker
// still does, it does nothing more in the database.
func (t *sqlTask) endStep(ctx context.Context, source *rows.Source, p place) error {
	s := t.steps.at(p)
	reached := true
	if s.Backend != nil {
		err := t.end(ctx, source, *s.Backend)
		if reached = rows.KindOf(err) != rows.Refused; reached && err != nil {
			return err
		}
	}
	if reached && t.repeatable(p) && t.steps.Broken <= maxBroken && !t.worker.gaveUp(t.job) {
		t.log.Warn("a step of an earlier claim is run again: it is repeatable", "step", p)
		s.move(StepPending, "", now())
		return nil // recorded when it begins
	}
	t.log.Warn("a step of an earlier claim may or may not have run; it is not repeated", "step", p)
	t.steps.settle(p, StepUnknown, lostReason, now())
	return t.record(ctx, insistTries)
}

// repeatable: running the statement twice does no harm. Nobody can say that of a
// fallback.
func (t *sqlTask) repeatable(p place) bool { return !p.fallback && t.plan.Steps[p.step].Repeatable }

// runStep runs a pending step. An error says that it is still pending: it was
// not sent, or had no effect, or may be repeated; or that the claim is lost.
func (t *sqlTask) runStep(ctx context.Context, source *rows.Source, p place) error {
	s := t.steps.at(p)
	sql, limit := t.plan.text(p, &t.steps)
	q := statement{source: source, sql: sql, limit: limit}
	q.options = rows.SessionOptions{Owner: t.job.User, Application: "slashbatch job " + t.job.ID, Timeout: limit}
	result := &capture{task: t, ctx: t.worker.last, step: p.step}
	defer result.drop()
	if p.fallback {
		template, err := sqltext.Parse(sql, Placeholders...)
		if err != nil { // it should not have been taken
			s.move(StepRunning, "", now())
			t.steps.settle(p, StepFailed, err.Error(), now())
			return t.record(ctx, insistTries)
		}
		values := map[string]string{sqltext.JobID: t.job.ID, sqltext.ErrorMessage: t.steps.cause()}
		q.sql, q.options.Settings = template.Fill(values), sqltext.Settings(values)
	} else {
		q.sink = result
	}
	e, err := t.execute(ctx, s, q, func() error { return t.record(ctx, insistTries) })
	if err != nil {
		if s.State == StepRunning && context.Cause(ctx) == nil {
			t.steps.Broken++
		}
		return err
	}
	err = t.after(p, e, result)
	e.close(err == nil && !t.stray)
	return err
}

// after records what a step that was sent has come to.
func (t *sqlTask) after(p place, e *execution, result *capture) error {
	superseded := ""
	s := t.steps.at(p)
	state, reason := judgeStep(e.Ended, e.cause, t.repeatable(p), t.steps.Broken)
	switch {
	case errors.Is(e.cause, errLost):
		return e.cause // nothing more is written
	case state == StepPending:
		if e.cause == nil {
			t.steps.Broken++
		}
		s.move(StepPending, "", now())
		return errors.Join(errPendingAgain, e.Err)
	case state == StepDone:
		superseded = t.keepResult(result, e.Refused)
		s.move(StepDone, "", now())
	default:
		t.log.Warn("a step did not do what it was to do", "step", p, "id", t.plan.id(p), "state", state, "reason", reason, "error", e.Err)
		t.steps.settle(p, state, reason, now())
	}
	// Nobody else knows what has become of it, so neither an outage of the queue
	// nor a drain puts an end to this: what is not recorded is unknown.
	err := t.record(t.worker.last, 0)
	if err == nil && superseded != "" {
		t.discard(superseded)
	}
	return err
}

// record sends the steps document until it is answered, or tries are used up; 0
// is for as long as ctx lasts.
func (t *sqlTask) record(ctx context.Context, tries int) error {
	document := t.steps.encode()
	return t.insist(ctx, tries, func() error {
		err := t.send(ctx, document, queue.Progress{})
		t.stray = t.stray || errors.Is(err, queue.ErrUnavailable)
		if err == nil {
			t.recorded = document
		}
		return err
	})
}

// unrecorded is the document where the queue may have another one, and nil where not.
func (t *sqlTask) unrecorded() []byte {
	document := t.steps.encode()
	if !t.stray && bytes.Equal(document, t.recorded) {
		return nil
	}
	return document
}
