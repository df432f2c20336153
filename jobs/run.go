package jobs

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"slashbatch/cache"
	"slashbatch/internal/rows"
	"slashbatch/queue"
)

// verdict is what an attempt came to, as far as the queue is concerned.
type verdict int

const (
	finished verdict = iota + 1 // the result is published
	failed                      // it ended in an error that the asker should see
	giveBack                    // something it needs is out of reach, or the worker stops
	lost                        // somebody else decides about the job
)

// maxBroken is how often an export is begun again after the database or the
// store went away in the middle of it, before that is taken for its own doing.
const maxBroken = 3

// judge decides what an attempt that ended in err comes to. cause is why its
// context ended, if it has; begun says that the database had taken the query,
// so that its end may be the query's own doing; broken is how often that has
// happened before.
func judge(err, cause error, begun bool, broken int) verdict {
	switch {
	case err == nil:
		return finished
	case errors.Is(cause, errLost):
		return lost
	case errors.Is(cause, errDrain):
		return giveBack
	}
	if _, ok := errors.AsType[*queue.LostError](err); ok {
		return lost
	}
	if outOfReach(err) && (!begun || broken < maxBroken) {
		return giveBack
	}
	return failed
}

// outOfReach reports whether a database, the store, the catalogue or the queue
// could not be asked: nothing is wrong with the job itself.
func outOfReach(err error) bool {
	return rows.KindOf(err) == rows.Unavailable || errors.Is(err, cache.ErrUnavailable) || errors.Is(err, queue.ErrUnavailable)
}

// serveJob runs a claimed job and tells the queue what came of it. pause is
// true when the slot should wait before it asks for more.
func (w *Worker) serveJob(ctx context.Context, c *queue.Claimed, claim string) (pause bool) {
	holder := queue.Holder{Job: c.Job.ID, Claim: claim}
	log := w.Log.With("job", c.Job.ID, "attempt", c.Job.Attempt, "user", c.Job.User)
	// A run outlives ctx: stopping the worker means draining first.
	work, cancel := context.WithCancelCause(context.WithoutCancel(ctx))
	defer cancel(nil)
	a := &attempt{worker: w, job: c.Job, holder: holder, log: log, steps: decodeSteps(c.Job.Steps)}
	r := &run{holder: holder, job: c.Job, cancel: cancel, progress: a.progress, ended: make(chan struct{})}
	w.add(r)
	defer w.remove(r)

	plan, err := DecodePlan(c.Definition)
	if errors.Is(err, errUnknownPlan) {
		log.Warn("export given back", "error", err)
		w.tell(log, "release", func(ctx context.Context) error { return w.Queue.Release(ctx, holder) })
		return true
	}
	if err != nil {
		w.tell(log, "fail", func(ctx context.Context) error {
			_, err := w.Queue.Fail(ctx, holder, err.Error(), false, nil)
			return err
		})
		return false
	}
	a.plan = plan
	started := time.Now()
	outcome, err := a.guard(work)
	switch judge(err, context.Cause(work), a.begun.Load(), a.steps.Broken) {
	case finished:
		document, _ := json.Marshal(outcome) // three numbers
		w.tell(log, "finish", func(ctx context.Context) error { return w.Queue.Finish(ctx, holder, document) })
		log.Info("export finished", "endpoint", plan.Endpoint, "key", plan.Key, "rows", outcome.Rows, "bytes", outcome.Bytes, "took", time.Since(started))
	case failed:
		reason := reasonFor(err)
		log.Warn("export failed", "endpoint", plan.Endpoint, "key", plan.Key, "error", err)
		if c.Job.Failures >= plan.Retry {
			a.onError(work, reason)
		}
		w.tell(log, "fail", func(ctx context.Context) error {
			_, err := w.Queue.Fail(ctx, holder, reason, true, nil)
			return err
		})
	case giveBack:
		pause = outOfReach(err)
		if pause {
			log.Warn("export given back: something it needs is out of reach", "error", err)
		}
		broke := pause && a.begun.Load()
		if broke {
			a.steps.Broken++
		}
		w.tell(log, "release", func(ctx context.Context) error {
			if broke {
				if err := a.send(ctx); err != nil {
					return err
				}
			}
			return w.Queue.Release(ctx, holder)
		})
	case lost:
		log.Warn("claim lost, the job is left alone", "error", err)
		// For a cancelled job this is the acknowledgement that frees its place.
		w.tell(log, "release", func(ctx context.Context) error { return w.Queue.Release(ctx, holder) })
	}
	return pause
}

// code is the SQLSTATE in words for whoever looks the failure up.
func code(e *rows.Error) string {
	if e.Code == "" {
		return ""
	}
	return " (SQLSTATE " + e.Code + "); the log has the details"
}

// reasonFor is what the asker is told: what they can act on. The rest is for
// the log.
func reasonFor(err error) string {
	if e, ok := errors.AsType[*rows.Error](err); ok {
		switch e.Kind {
		case rows.BadValue, rows.Timeout, rows.Cancelled:
			return e.Reason
		case rows.BadQuery:
			if strings.HasPrefix(e.Code, "22") {
				return e.Reason // about the data: a division by zero
			}
			// Other words of the database name tables, columns and rights of an
			// endpoint whose author the asker need not be.
			return "the query of this endpoint failed" + code(e)
		}
		if errors.Is(err, rows.ErrTooLarge) {
			return rows.ErrTooLarge.Error()
		}
	}
	if outOfReach(err) {
		return "the export broke off again and again because a service it needs went away"
	}
	return "the export could not be written"
}

// tellFor is how long a worker goes on trying to tell the queue how a job
// ended, while it is not stopping itself; past that the lease runs out and the
// next claim finds what was published.
const tellFor = 2 * time.Minute

// tell repeats a call to the queue until it is answered. Losing the claim
// meanwhile is an answer.
func (w *Worker) tell(log *slog.Logger, what string, call func(context.Context) error) {
	ctx, cancel := context.WithTimeout(w.last, tellFor)
	defer cancel()
	for failures := 1; ; failures++ {
		err := call(ctx)
		if err == nil {
			return
		}
		if !errors.Is(err, queue.ErrUnavailable) {
			if _, ok := errors.AsType[*queue.LostError](err); !ok || what != "release" {
				log.Warn("the queue refused to "+what+" the job", "error", err)
			}
			return
		}
		if wait(ctx, backoff(failures, w.Poll), nil); ctx.Err() != nil {
			log.Error("the queue could not be told to "+what+" the job; its lease will run out", "error", err)
			return
		}
	}
}

// guard runs the attempt and turns a panic into its error: one broken job must
// not take the others of the process with it.
func (a *attempt) guard(ctx context.Context) (out Outcome, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic: %v", p)
		}
	}()
	return a.run(ctx)
}
