package jobs

import (
	"context"
	"errors"
	"fmt"
	"time"

	"slashbatch/internal/rows"
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
}

// progress implements task: how far a SQL job is, its steps tell.
func (t *sqlTask) progress() queue.Progress { return queue.Progress{} }

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
		i, m := t.steps.next()
		if m == runStep && t.worker.gaveUp(t.job) {
			t.steps.skip(now())
			return t.failed(crashedError{t.job.Crashes}.Error(), t.steps.encode())
		}
		if m == runStep && t.stray {
			// A late document of this claim could undo the record of the next step;
			// one of a claim that has ended cannot.
			t.log.Info("SQL job given back between two steps: the queue did not answer for a while")
			return ending{verdict: giveBack}
		}
		var err error
		switch m {
		case complete:
			t.log.Info("SQL job finished", "steps", len(t.steps.Main), "took", time.Since(started))
			return ending{verdict: finished}
		case giveUp:
			return t.failed(t.steps.Main[i].Error, nil)
		case endStep:
			err = t.endStep(ctx, source, i)
		case runStep:
			err = t.runStep(ctx, source, i)
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
	return ending{verdict: failed, steps: document, failure: queue.Failure{Reason: reason}}
}

// away is the ending of a run for which something is out of reach.
func (t *sqlTask) away(err error) ending {
	t.log.Warn("SQL job given back: something it needs is out of reach", "error", errors.Join(err, errors.Unwrap(err)))
	return ending{verdict: giveBack, steps: t.steps.encode(), pause: true}
}

// panicked implements task.
func (t *sqlTask) panicked(err error) ending {
	t.log.Error("SQL job broke off", "error", err)
	if i, m := t.steps.next(); m == endStep {
		t.steps.stopAt(i, StepUnknown, lostReason, now())
	}
	t.steps.skip(now())
	return t.failed("something went wrong in the worker", t.steps.encode())
}

// endStep settles a step that an earlier claim has left running. Its server
// process is ended first, and exactly that one: whatever the earlier worker
// still does, it does nothing more in the database.
func (t *sqlTask) endStep(ctx context.Context, source *rows.Source, i int) error {
	s := &t.steps.Main[i]
	if s.Backend != nil {
		ctx, cancel := context.WithTimeout(ctx, endPatience)
		defer cancel()
		if err := source.End(ctx, *s.Backend); err != nil {
			return err
		}
	}
	if t.plan.Steps[i].Repeatable && !t.worker.gaveUp(t.job) {
		t.log.Warn("a step of an earlier claim is run again: it is repeatable", "step", i+1)
		s.move(StepPending, "", now())
		return nil // recorded when it begins
	}
	t.log.Warn("a step of an earlier claim may or may not have run; it is not repeated", "step", i+1)
	t.steps.stopAt(i, StepUnknown, lostReason, now())
	return t.record(ctx, insistTries)
}

// endPatience is how long a server process may take to end.
const endPatience = 30 * time.Second

// runStep runs a pending step. An error says that it is still pending: it was
// not sent, or had no effect, or may be repeated; or that the claim is lost.
func (t *sqlTask) runStep(ctx context.Context, source *rows.Source, i int) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	s, limit := &t.steps.Main[i], t.plan.timeout(i)
	session, err := source.Session(ctx, rows.SessionOptions{Application: "slashbatch job " + t.job.ID, Timeout: limit})
	if err != nil {
		if outOfReach(err) || ctx.Err() != nil {
			return err
		}
		s.move(StepRunning, "", now()) // refused by the database, as by the role's rights
		t.steps.stopAt(i, StepFailed, err.Error(), now())
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
	ended := session.Run(running, t.plan.Steps[i].SQL)
	cause := context.Cause(running)
	stop()
	return t.after(ctx, i, ended, cause)
}

// after records what a step that was sent has come to.
func (t *sqlTask) after(ctx context.Context, i int, ended rows.Ended, cause error) error {
	s := &t.steps.Main[i]
	state, reason := judgeStep(ended, cause, t.plan.Steps[i].Repeatable, t.steps.Broken)
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
		s.move(StepDone, "", now())
	default:
		t.log.Warn("a step did not do what it was to do", "step", i+1, "state", state, "error", reason)
		t.steps.stopAt(i, state, reason, now())
	}
	// Nobody else knows what has become of it, so neither an outage of the queue
	// nor a drain puts an end to this: what is not recorded is unknown.
	return t.record(t.worker.last, 0)
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
	return StepFailed, e.Err.Error()
}

func now() time.Time { return time.Now().UTC() }
