package jobs

import (
	"context"
	"errors"
	"fmt"
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

var (
	errStepTimeout  = errors.New("the step ran into its time limit")
	errPendingAgain = errors.New("the step is to be run again")
)

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
			return ending{verdict: finished, steps: t.steps.encode()}
		case giveUp:
			if r := t.steps.Result; r != nil { // of a step before
				t.discard(r.Object)
				t.steps.Result = nil
			}
			return t.failed(t.steps.failure(p.step), t.steps.encode())
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
	if s.Backend != nil {
		if err := t.end(ctx, source, *s.Backend); err != nil {
			return err
		}
	}
	if t.repeatable(p) && t.steps.Broken <= maxBroken && !t.worker.gaveUp(t.job) {
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

// endPatience is how long a server process may take to end.
const endPatience = 30 * time.Second

// end makes sure that a server process does nothing more.
func (t *sqlTask) end(ctx context.Context, source *rows.Source, b rows.Backend) error {
	ctx, cancel := context.WithTimeout(ctx, endPatience)
	defer cancel()
	return source.End(ctx, b)
}

// runStep runs a pending step. An error says that it is still pending: it was
// not sent, or had no effect, or may be repeated; or that the claim is lost.
func (t *sqlTask) runStep(ctx context.Context, source *rows.Source, p place) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	s := t.steps.at(p)
	sql, limit := t.plan.text(p, &t.steps)
	options := rows.SessionOptions{Application: "slashbatch job " + t.job.ID, Timeout: limit}
	if p.fallback {
		template, err := sqltext.Parse(sql, Placeholders...)
		if err != nil { // it should not have been taken
			s.move(StepRunning, "", now())
			t.steps.settle(p, StepFailed, err.Error(), now())
			return t.record(ctx, insistTries)
		}
		values := map[string]string{sqltext.JobID: t.job.ID, sqltext.ErrorMessage: t.steps.cause()}
		sql, options.Settings = template.Fill(values), sqltext.Settings(values)
	}
	session, err := source.Session(ctx, options)
	if err != nil {
		if outOfReach(err) || ctx.Err() != nil {
			return err
		}
		s.move(StepRunning, "", now()) // refused by the database, as by the role's rights
		t.steps.settle(p, StepFailed, err.Error(), now())
		return t.record(ctx, insistTries)
	}
	defer session.Close()

	// Recorded before it is sent, with what a later claim needs to end it: sent
	// unrecorded it could run twice.
	backend := session.Backend()
	s.move(StepRunning, "", now())
	s.Backend = &backend
	if err := t.record(ctx, insistTries); err != nil {
		s.move(StepPending, "", now()) // it was not sent
		return err
	}

	running, stop := ctx, context.CancelFunc(func() {})
	if limit > 0 {
		running, stop = context.WithTimeoutCause(ctx, limit, errStepTimeout)
	}
	var sink rows.Sink
	result := &capture{task: t, ctx: t.worker.last, step: p.step}
	defer result.drop()
	if !p.fallback {
		sink = result
	}
	ended := session.Run(running, sql, sink)
	cause := context.Cause(running)
	stop()
	if ended.Broken {
		// The database may not know yet that nobody is there any more.
		if err := t.end(t.worker.last, source, backend); err != nil {
			if cause == nil {
				t.steps.Broken++
			}
			return err // the next claim finds it running
		}
	}
	return t.after(p, ended, cause, result)
}

// after records what a step that was sent has come to.
func (t *sqlTask) after(p place, ended rows.Ended, cause error, result *capture) error {
	superseded := ""
	s := t.steps.at(p)
	state, reason := judgeStep(ended, cause, t.repeatable(p), t.steps.Broken)
	switch {
	case errors.Is(cause, errLost):
		return cause // nothing more is written
	case state == StepPending:
		if cause == nil {
			t.steps.Broken++
		}
		s.move(StepPending, "", now())
		return errors.Join(errPendingAgain, ended.Err)
	case state == StepDone:
		superseded = t.keepResult(result)
		s.move(StepDone, "", now())
	default:
		t.log.Warn("a step did not do what it was to do", "step", p, "id", t.plan.id(p), "state", state, "error", reason)
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
		return err
	})
}

// judgeStep is what a step that was sent has come to. cause is why it was
// stopped, nil when nobody did; broken is how often its job has lost a database
// in the middle of a step before. A step is pending again only when it had no
// effect or may be repeated.
func judgeStep(e rows.Ended, cause error, repeatable bool, broken int) (StepState, string) {
	stopped := e.Broken || rows.KindOf(e.Err) == rows.Cancelled || rows.KindOf(e.Err) == rows.Timeout
	switch {
	case e.Err == nil:
		return StepDone, ""
	case rows.KindOf(e.Err) == rows.SinkFailed && outOfReach(e.Err) && (e.Undone || repeatable) && broken < maxBroken:
		return StepPending, "" // the store is away
	case errors.Is(cause, errStepTimeout) && stopped:
		return StepFailed, "canceling statement due to statement timeout"
	case errors.Is(cause, errDrain) && stopped && (e.Undone || repeatable):
		return StepPending, ""
	case errors.Is(cause, errDrain) && stopped:
		return StepUnknown, stoppedReason
	case e.Broken && repeatable && broken < maxBroken:
		return StepPending, ""
	case e.Broken:
		return StepUnknown, fmt.Sprintf("%s; the effect of this step is unknown", e.Err)
	}
	reason := e.Err.Error()
	if failed, ok := errors.AsType[*rows.Error](e.Err); ok && reason == "" {
		reason = "the database gave no reason (SQLSTATE " + failed.Code + ")"
	}
	return StepFailed, reason
}

func now() time.Time { return time.Now().UTC() }
