package jobs

import (
	"context"
	"errors"
	"fmt"
	"time"

	"slashbatch/queue"
)

// beatEvery is the longest time between two beats.
const beatEvery = 5 * time.Second

// beatLoop extends leases and sweeps, until ctx ends. It sweeps only after a beat
// that was answered: a sweep that finds the queue back from an outage gives every
// lease a new start, and this process's claims are to be known to be alive by then.
func (w *Worker) beatLoop(ctx context.Context) {
	cancels := w.Hub.Cancels()
	for ctx.Err() == nil {
		if w.beat(ctx) && !w.draining.Load() {
			w.sweep(ctx)
		}
		wait(ctx, min(w.Poll, beatEvery), cancels)
	}
}

// beat extends all leases in one call, and stops the runs whose claim is lost.
// When the queue cannot be asked the runs go on: a lease that ran out meanwhile
// is still good as long as nobody else has claimed the job, and publishing asks again.
func (w *Worker) beat(ctx context.Context) (answered bool) {
	runs := w.running()
	beats := make([]queue.Beat, len(runs))
	for i, r := range runs {
		beats[i] = queue.Beat{Holder: r.holder, Progress: r.progress()}
	}
	answers, err := w.Queue.Beat(ctx, w.announced(), beats)
	if err != nil {
		if ctx.Err() == nil && !w.away {
			w.Log.Warn("leases could not be extended; trying again", "running", len(runs), "error", err)
			w.away = true // said once: an outage must not fill the log
		}
		return false
	}
	if w.away {
		w.Log.Info("the queue answers again", "running", len(runs))
		w.away = false
	}
	for i, answer := range answers {
		if lost, ok := errors.AsType[*queue.LostError](answer); ok {
			runs[i].cancel(fmt.Errorf("%w: %w", errLost, lost))
		}
	}
	return true
}

func (w *Worker) sweep(ctx context.Context) {
	swept, err := w.Queue.Sweep(ctx)
	if err != nil {
		return // the beat has told the log already
	}
	if swept.Recovered > 0 || swept.Failed > 0 {
		w.Log.Warn("jobs of dead workers recovered", "again", swept.Recovered, "failed", swept.Failed)
	}
}

func (w *Worker) deregister() {
	ctx, cancel := context.WithTimeout(w.last, lastWords)
	defer cancel()
	if _, err := w.Queue.Beat(ctx, queue.Worker{ID: w.ID}, nil); err != nil {
		w.Log.Warn("the worker could not say goodbye; its slots count until its lease ends", "error", err)
	}
}
