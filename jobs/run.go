package jobs

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"slashbatch/queue"
)

// task is what a claimed job comes to in this process.
type task interface {
	// run does the work, or what is left of it, until that has ended or ctx has.
	run(ctx context.Context) ending
	// panicked is the ending of a run that did.
	panicked(err error) ending
	// progress is read by the heartbeat meanwhile.
	progress() queue.Progress
}

// ending is how a run ended, and what the queue is to be told of it.
type ending struct {
	verdict verdict
	// success and failure are what is told when it has finished or failed.
	success queue.Success
	failure queue.Failure
	// steps is a document to be recorded before that; nil for none, as when the
	// claim is lost.
	steps []byte
	// pause: the slot waits before it asks for more.
	pause bool
}

// held is a job under a claim of this process.
type held struct {
	worker *Worker
	job    queue.Job
	holder queue.Holder
	log    *slog.Logger
}

// task makes a task of a held job by its definition.
func (h held) task(definition []byte) (task, error) {
	plan, err := decodePlan(definition)
	if err != nil {
		return nil, err
	}
	steps, err := decodeSteps(h.job.Steps, plan.sql.steps())
	if err != nil {
		return nil, err
	}
	if plan.variant != nil {
		return &variantTask{held: h, plan: *plan.variant, steps: steps}, nil
	}
	if plan.sql != nil {
		return &sqlTask{held: h, plan: *plan.sql, steps: steps}, nil
	}
	return &exportTask{held: h, plan: *plan.export, steps: steps}, nil
}

// serveJob runs a claimed job and tells the queue what came of it. turn grows
// with every claim of the lane. pause is true when the slot should wait before
// it asks for more.
func (w *Worker) serveJob(ctx context.Context, c *queue.Claimed, claim string, turn int) (pause bool) {
	h := held{
		worker: w, job: c.Job, holder: queue.Holder{Job: c.Job.ID, Claim: claim},
		log: w.Log.With("job", c.Job.ID, "attempt", c.Job.Attempt, "user", c.Job.User),
	}
	t, err := h.task(c.Definition)
	// A run outlives ctx: stopping the worker means draining first.
	work, cancel := context.WithCancelCause(context.WithoutCancel(ctx))
	defer cancel(nil)
	r := &run{holder: h.holder, job: c.Job, turn: turn, cancel: cancel, ended: make(chan struct{})}
	r.progress = func() queue.Progress { return queue.Progress{} }
	if t != nil {
		r.progress = t.progress
	}
	w.add(r)
	defer w.remove(r)

	var e ending
	switch {
	case errors.Is(err, errUnknownPlan):
		h.log.Warn(c.Job.Kind+" given back", "error", err)
		e = ending{verdict: giveBack, pause: true}
	case err != nil:
		h.log.Error(c.Job.Kind+" failed", "error", err)
		e = ending{verdict: failed, failure: queue.Failure{Reason: err.Error()}}
	default:
		e = guarded(work, t)
	}
	h.conclude(e, r.progress())
	return e.pause
}

// guarded runs a task and turns a panic into its ending: one broken job must
// not take the others of the process with it.
func guarded(ctx context.Context, t task) (e ending) {
	defer func() {
		if p := recover(); p != nil {
			e = t.panicked(fmt.Errorf("panic: %v", p))
		}
	}()
	return t.run(ctx)
}

// conclude tells the queue how a run ended.
func (h held) conclude(e ending, p queue.Progress) {
	q := h.worker.Queue
	release := func(ctx context.Context) error { return q.Release(ctx, h.holder) }
	what, call := "release", release
	switch e.verdict {
	case finished:
		what, call = "finish", func(ctx context.Context) error { return q.Finish(ctx, h.holder, e.success) }
	case failed:
		what, call = "fail", func(ctx context.Context) error {
			_, err := q.Fail(ctx, h.holder, e.failure)
			return err
		}
	}
	h.worker.tell(h.log, what, func(ctx context.Context) error {
		var err error
		if e.steps != nil {
			err = h.send(ctx, e.steps, p)
		}
		if err == nil {
			e.steps = nil
			err = call(ctx)
		}
		if isLost(err) && what != "release" {
			h.log.Warn("claim lost, the queue refused to "+what+" the job", "error", err)
			what, call, e.steps = "release", release, nil
		}
		if isLost(err) {
			// Of a cancelled job this is the acknowledgement that frees its place.
			return release(ctx)
		}
		return err
	})
}

// send sends the steps document once, fenced by the claim.
func (h held) send(ctx context.Context, document []byte, progress queue.Progress) error {
	answers, err := h.worker.Queue.Beat(ctx, h.worker.announced(),
		[]queue.Beat{{Holder: h.holder, Progress: progress, Steps: document}})
	if err != nil {
		return err
	}
	return answers[0]
}

// insistTries is how often a step of the work is tried while a backend does not
// answer. Giving up at the first stumble could throw hours of work away.
const insistTries = 20

// insist repeats a step that may be repeated until the backend answers, ctx
// ends, or so many tries (0: no number) are used up.
func (h held) insist(ctx context.Context, tries int, step func() error) error {
	for failures := 1; ; failures++ {
		err := step()
		if err == nil || !outOfReach(err) || failures == tries {
			return err
		}
		if failures == 1 {
			h.log.Warn("the work waits for a backend", "error", err)
		}
		if wait(ctx, backoff(failures, h.worker.RetryInit), nil); ctx.Err() != nil {
			return context.Cause(ctx)
		}
	}
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
			if !isLost(err) {
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
