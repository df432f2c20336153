package jobs

import (
	"context"
	"errors"
	"fmt"
	"time"

	"slashbatch/internal/rows"
)

// statement is SQL that may have effects, as a step sends it: at most once, unless the
// database says that it had none or its sender that repeating it does no harm.
type statement struct {
	source  *rows.Source
	sql     string
	options rows.SessionOptions
	// limit is by the worker's clock, since SQL can change its own; 0: none.
	limit time.Duration
	// sink takes the rows; nil for nobody.
	sink rows.Sink
}

// execution is a statement that was sent, or refused, and how it has ended.
type execution struct {
	rows.Ended
	// cause is why it was stopped; nil when nobody did.
	cause   error
	worker  *Worker
	session *rows.Session
}

// execute sends a statement for a pending step, after record has told the queue that
// the step runs, and where: sent unrecorded it could run twice, and a later claim needs
// to know what to end. With an error the step is still pending, or still running where
// its server process could not be ended.
func (h held) execute(ctx context.Context, s *step, q statement, record func() error) (*execution, error) {
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	session, err := h.worker.sessions.Take(ctx, q.source, q.options)
	if err != nil {
		if outOfReach(err) || ctx.Err() != nil {
			return nil, err
		}
		s.move(StepRunning, "", now()) // refused, as a login that is not good any more
		return &execution{Ended: rows.Ended{Err: err, Undone: true}}, nil
	}
	e := &execution{worker: h.worker, session: session}
	backend := session.Backend()
	s.move(StepRunning, "", now())
	s.Backend = &backend
	if err := record(); err != nil {
		e.close(false)
		s.move(StepPending, "", now()) // it was not sent
		return nil, err
	}

	running, stop := ctx, context.CancelFunc(func() {})
	if q.limit > 0 {
		running, stop = context.WithTimeoutCause(ctx, q.limit, errStepTimeout)
	}
	e.Ended = session.Run(running, q.sql, q.sink)
	e.cause = context.Cause(running)
	stop()
	if e.Broken {
		// The database may not know yet that nobody is there any more.
		if err := h.end(h.worker.last, q.source, backend); err != nil {
			e.close(false)
			return nil, err // the next claim finds it running
		}
	}
	return e, nil
}

// close ends the use of the session. recorded: the queue knows how the step has ended,
// so that nobody ends its server process any more.
func (e *execution) close(recorded bool) {
	switch {
	case e.session == nil:
	case recorded:
		e.worker.sessions.Give(e.session)
	default:
		e.session.Close()
	}
}

// endPatience is how long a server process may take to end.
const endPatience = 30 * time.Second

// end makes sure that a server process does nothing more.
func (h held) end(ctx context.Context, source *rows.Source, b rows.Backend) error {
	ctx, cancel := context.WithTimeout(ctx, endPatience)
	defer cancel()
	return source.End(ctx, b)
}

var errStepTimeout = errors.New("the step ran into its time limit")

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
	case rows.KindOf(e.Err) == rows.SinkFailed:
		return StepFailed, sinkReason(e.Err)
	}
	reason := e.Err.Error()
	if failed, ok := errors.AsType[*rows.Error](e.Err); ok && reason == "" {
		reason = "the database gave no reason (SQLSTATE " + failed.Code + ")"
	}
	return StepFailed, reason
}

// sinkReason is why rows were not taken, without the inner life of the store.
func sinkReason(err error) string {
	for _, known := range []error{rows.ErrTooLarge, rows.ErrLongRow, rows.ErrForm} {
		if errors.Is(err, known) {
			return known.Error()
		}
	}
	return "the rows could not be stored"
}

func now() time.Time { return time.Now().UTC() }
