package jobs

import (
	"context"
	"errors"
	"fmt"

	"slashbatch/queue"
)

// beatLoop extends leases and sweeps, until ctx ends. While draining it
// announces no slots.
func (w *Worker) beatLoop(ctx, claiming context.Context) {
	cancels := w.Hub.Cancels()
	for ctx.Err() == nil {
		slots := w.Slots
		if claiming.Err() != nil {
			slots = nil
		}
		w.beat(ctx, slots)
		if claiming.Err() == nil {
			w.sweep(ctx)
		}
		wait(ctx, w.Poll, cancels)
	}
}

// beat extends all leases in one call, and stops the runs whose claim is lost.
// When the queue cannot be asked the runs go on: a lease that ran out meanwhile
// is still good as long as nobody else has claimed the job, and publishing asks again.
func (w *Worker) beat(ctx context.Context, slots map[queue.Lane]int) {
	runs := w.running()
	beats := make([]queue.Beat, len(runs))
	for i, r := range runs {
		beats[i] = queue.Beat{Holder: r.holder, Progress: r.progress()}
	}
	answers, err := w.Queue.Beat(ctx, queue.Worker{ID: w.ID, Slots: slots}, beats)
	if err != nil {
		if ctx.Err() == nil && !w.away {
			w.Log.Warn("leases could not be extended; trying again", "running", len(runs), "error", err)
			w.away = true // said once: an outage must not fill the log
		}
		return
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
	ctx, cancel := context.WithTimeout(context.Background(), lastWords)
	defer cancel()
	if _, err := w.Queue.Beat(ctx, queue.Worker{ID: w.ID}, nil); err != nil {
		w.Log.Warn("the worker could not say goodbye; its slots count until its lease ends", "error", err)
	}
}
