package jobs

import (
	"context"
	"encoding/json"
	"strconv"
	"time"

	"slashbatch/cache"
	"slashbatch/queue"
)

// steps is the document in which the queue keeps how the steps of an
// endpoint's job stand. A step has effects, so it is never run twice: it is
// recorded as running, fenced by the claim, before it is sent, and a claim
// that finds it so from an earlier claim marks it unknown and goes on.
type steps struct {
	OnSuccess *step `json:"onsuccess,omitempty"`
	OnError   *step `json:"onerror,omitempty"`
	// Broken counts the runs that broke off because a service went away after
	// the database had taken the query. Attempts do not tell: they count drains
	// and every try during an outage, too.
	Broken int `json:"broken,omitempty"`
}

type step struct {
	Status  string    `json:"status"`
	Started time.Time `json:"started"`
	Error   string    `json:"error,omitempty"`
}

// The statuses of a step.
const (
	stepRunning = "running"
	stepDone    = "done"
	stepFailed  = "failed"
	stepUnknown = "unknown"
)

func decodeSteps(data []byte) steps {
	var s steps
	if data != nil {
		_ = json.Unmarshal(data, &s) // written by another version: as if none had run
	}
	return s
}

// stepTimeout bounds a step; it holds a worker's slot.
const stepTimeout = 10 * time.Minute

// onSuccess runs the endpoint's step for a published result. Whatever comes of
// the step, the job is done; an error says that the queue could not be told of
// it, so that it has not begun.
func (a *attempt) onSuccess(ctx context.Context, e cache.Entry) error {
	return a.step(ctx, &a.steps.OnSuccess, a.plan.OnSuccess, map[string]string{
		"batch.job_id": a.job.ID, "batch.row_count": strconv.FormatInt(e.File.Rows, 10),
	})
}

// onError runs the endpoint's step for a job that is about to be failed.
func (a *attempt) onError(ctx context.Context, reason string) {
	_ = a.step(ctx, &a.steps.OnError, a.plan.OnError, map[string]string{
		"batch.job_id": a.job.ID, "batch.error_message": reason,
	})
}

func (a *attempt) step(ctx context.Context, at **step, sql string, settings map[string]string) error {
	if sql == "" {
		return nil
	}
	if known := *at; known != nil {
		if known.Status == stepRunning {
			known.Status, known.Error = stepUnknown, "worker lost while this step ran; its effect is unknown"
			a.log.Warn("a step of an earlier claim may or may not have run; it is not repeated")
			_ = a.record(ctx)
		}
		return nil
	}
	// Neither losing the claim nor a drain cuts a step short, but the end of
	// all patience does: then its transaction is undone.
	ctx, cancel := context.WithTimeout(a.worker.last, stepTimeout)
	defer cancel()
	*at = &step{Status: stepRunning, Started: time.Now().UTC()}
	if err := a.record(ctx); err != nil {
		// Not recorded, so not run: run unrecorded it could run twice.
		a.log.Error("a step was not begun because it could not be recorded", "error", err)
		*at = nil
		return err
	}
	source, ok := a.worker.Sources[a.plan.StepsSource]
	if !ok {
		(*at).Status, (*at).Error = stepFailed, "this worker has no data source "+a.plan.StepsSource
	} else if err := source.Run(ctx, sql, settings); err != nil {
		(*at).Status, (*at).Error = stepFailed, err.Error()
	} else {
		(*at).Status = stepDone
	}
	if (*at).Status == stepFailed {
		a.log.Warn("a step failed; the job's own outcome stands", "error", (*at).Error)
	}
	_ = a.record(ctx) // the claim is checked again when the job ends
	return nil
}

// record sends the steps document until it is answered.
func (a *attempt) record(ctx context.Context) error {
	return a.insist(ctx, func() error { return a.send(ctx) })
}

// send sends the steps document, fenced by the claim.
func (a *attempt) send(ctx context.Context) error {
	document, err := json.Marshal(a.steps)
	if err != nil {
		return err
	}
	answers, err := a.worker.Queue.Beat(ctx, queue.Worker{ID: a.worker.ID, Slots: a.worker.Slots},
		[]queue.Beat{{Holder: a.holder, Progress: a.progress(), Steps: document}})
	if err != nil {
		return err
	}
	return answers[0]
}
