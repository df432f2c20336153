package jobs

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"time"

	"slashbatch/queue"
)

// run is one claimed job in this process.
type run struct {
	holder   queue.Holder
	job      queue.Job
	turn     int // grows with every claim of the lane
	cancel   context.CancelCauseFunc
	progress func() queue.Progress
	ended    chan struct{} // closed when the queue has been told
}

func (w *Worker) add(r *run) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.runs[r.holder.Claim] = r
	if w.stopped != nil { // claimed by a call that was on its way when the others were stopped
		r.cancel(w.stopped)
	}
}

func (w *Worker) remove(r *run) {
	w.mu.Lock()
	defer w.mu.Unlock()
	delete(w.runs, r.holder.Claim)
	close(r.ended)
}

// running returns what runs now, in no order.
func (w *Worker) running() []*run {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Collect(maps.Values(w.runs))
}

// stopRuns cancels everything that runs, and whatever still begins to. Of each
// list what was claimed last is given back first, since each job goes to the
// head: so they keep their order.
func (w *Worker) stopRuns(cause error) {
	w.mu.Lock()
	w.stopped = cause
	w.mu.Unlock()
	time.AfterFunc(lastWords, w.giveUp)
	type list struct {
		lane queue.Lane
		user string
	}
	byList := map[list][]*run{}
	for _, r := range w.running() {
		l := list{r.job.Lane, r.job.User}
		byList[l] = append(byList[l], r)
	}
	for _, runs := range byList {
		slices.SortFunc(runs, func(a, b *run) int { return cmp.Compare(b.turn, a.turn) })
		go func() {
			for _, r := range runs {
				r.cancel(cause)
				<-r.ended
			}
		}()
	}
}
