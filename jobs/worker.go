package jobs

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"slashbatch/cache"
	"slashbatch/internal/rows"
	"slashbatch/queue"

	"github.com/google/uuid"
)

// WorkerOptions set up a Worker.
type WorkerOptions struct {
	Queue   queue.Queue
	Catalog cache.Catalog
	Store   cache.Store
	// Sources by name; a plan names one.
	Sources map[string]*rows.Source
	// Hub tells when there may be work.
	Hub *Hub
	Log *slog.Logger
	// ID names the process in the registry and the log.
	ID string
	// Slots is how many jobs of each lane run at once.
	Slots map[queue.Lane]int
	// Poll is how long a lost notification can go unnoticed, and how often
	// leases are extended and swept.
	Poll time.Duration
	// RetryInit is the pause of a slot after something that a job needs could
	// not be reached.
	RetryInit time.Duration
	// Drain is how long running jobs may go on once the worker is to stop.
	Drain time.Duration
	// Crashes is how many workers of one job may be lost before it is given up. The
	// queue has a limit of its own, which has to be higher: a job that reaches
	// that is failed without a worker, and none of its steps run.
	Crashes int
}

// Worker runs jobs until it is told to stop.
type Worker struct {
	WorkerOptions
	mu      sync.Mutex
	runs    map[string]*run // by claim id
	stopped error           // why running jobs were stopped, once they were
	// last ends a moment after that: whoever has not answered by then is not
	// waited for any longer. asking does so after the last claims were to be made.
	last, asking       context.Context
	giveUp, stopAsking context.CancelFunc
	draining           atomic.Bool // no more claims
	sessions           *rows.Sessions
	away               bool // the queue did not answer the last beat; used by beatLoop only
}

// NewWorker returns a worker; Run starts it.
func NewWorker(o WorkerOptions) *Worker {
	o.Queue = prompt{o.Queue}
	w := &Worker{WorkerOptions: o, runs: map[string]*run{}, sessions: rows.NewSessions(slots(o.Slots))}
	w.last, w.giveUp = context.WithCancel(context.Background())
	w.asking, w.stopAsking = context.WithCancel(w.last)
	return w
}

func slots(lanes map[queue.Lane]int) (n int) {
	for _, of := range lanes {
		n += of
	}
	return n
}

// What ends a run from outside.
var (
	errDrain = errors.New("the worker is stopping")
	errLost  = errors.New("the claim was lost")
)

// Run claims and runs jobs until ctx ends. Then it claims no more, lets what
// runs go on for Drain, and gives the rest back to the heads of their lists.
// It returns when nothing of it runs any more. When hard ends, running jobs are
// given back at once. A backend that does not answer then holds the worker up
// for a moment only: what it could not be told is left to the leases.
func (w *Worker) Run(ctx, hard context.Context) {
	defer w.giveUp()
	defer w.stopAsking()
	defer w.sessions.Close()
	w.Log.Info("worker started", "worker", w.ID, "slots", w.Slots)
	// Beating goes on during the drain: what still runs must keep its leases.
	beating, stopBeating := context.WithCancel(context.WithoutCancel(ctx))
	var beats, slots sync.WaitGroup
	beats.Go(func() { w.beatLoop(beating) })
	for lane, n := range w.Slots {
		if n > 0 {
			slots.Go(func() { w.serveLane(ctx, lane, n) })
		}
	}
	<-ctx.Done()
	w.draining.Store(true)
	time.AfterFunc(lastWords, w.stopAsking)
	ended := make(chan struct{})
	go func() { slots.Wait(); close(ended) }()
	select {
	case <-ended:
	case <-time.After(w.Drain):
		w.stopRuns(errDrain)
	case <-hard.Done():
		w.stopRuns(errDrain)
	}
	<-ended
	stopBeating()
	beats.Wait()
	w.deregister()
	w.Log.Info("worker stopped", "worker", w.ID)
}

// serveLane keeps n slots of a lane busy.
func (w *Worker) serveLane(ctx context.Context, lane queue.Lane, n int) {
	free := make(chan struct{}, n)
	for range n {
		free <- struct{}{}
	}
	wakes := w.Hub.Wakes()
	var running sync.WaitGroup
	defer running.Wait()
	for turn := 0; ; turn++ {
		select {
		case <-ctx.Done():
			return
		case <-free:
		}
		claimed, claim := w.claim(ctx, lane, wakes)
		if claimed == nil {
			return // ctx ended
		}
		running.Go(func() {
			if pause := w.serveJob(ctx, claimed, claim, turn); pause {
				wait(ctx, w.RetryInit, nil)
			}
			free <- struct{}{}
		})
	}
}

// claim waits for a job; nil means that ctx has ended. A call whose answer was
// lost is repeated with the same claim id, so that what it may have claimed is
// not left to run out its lease.
func (w *Worker) claim(ctx context.Context, lane queue.Lane, wakes <-chan struct{}) (*queue.Claimed, string) {
	id, failures := uuid.NewString(), 0
	for ctx.Err() == nil {
		// A call on its way is not given up when ctx ends: what it takes would be
		// lost for a lease.
		claimed, err := w.Queue.Claim(w.asking, queue.ClaimRequest{ClaimID: id, Worker: w.ID, Lane: lane})
		switch {
		case err != nil && ctx.Err() != nil:
			w.giveBackLost(lane, id)
			return nil, ""
		case err != nil:
			if failures++; failures == 1 {
				w.Log.Warn("the queue cannot be asked for work; trying again", "lane", lane, "error", err)
			}
			wait(ctx, backoff(failures, w.Poll), nil)
		case claimed != nil && ctx.Err() != nil:
			w.giveBack(queue.Holder{Job: claimed.Job.ID, Claim: id})
			return nil, ""
		case claimed != nil:
			return claimed, id
		default:
			// Not the same id again: a claim of it whose answer was lost may have
			// ended meanwhile, and an ended one yields nothing for a whole lease.
			id, failures = uuid.NewString(), 0
			wait(ctx, w.Poll, wakes)
		}
	}
	return nil, ""
}

// giveBack releases a job that was claimed while stopping.
func (w *Worker) giveBack(h queue.Holder) {
	w.tell(w.Log.With("job", h.Job), "release", func(ctx context.Context) error { return w.Queue.Release(ctx, h) })
}

// giveBackLost repeats a claim whose answer was lost while stopping, to learn
// which job it took, if any, and releases that.
func (w *Worker) giveBackLost(lane queue.Lane, id string) {
	ctx, cancel := context.WithTimeout(w.last, lastWords)
	defer cancel()
	claimed, err := w.Queue.Claim(ctx, queue.ClaimRequest{ClaimID: id, Worker: w.ID, Lane: lane})
	if err == nil && claimed != nil {
		err = w.Queue.Release(ctx, queue.Holder{Job: claimed.Job.ID, Claim: id})
	}
	if err != nil {
		w.Log.Warn("a claim made while stopping is left to its lease", "claim", id, "error", err)
	}
}

// gaveUp reports whether so many workers of a job were lost that it is not to be
// begun again.
func (w *Worker) gaveUp(j queue.Job) bool { return w.Crashes > 0 && j.Crashes >= w.Crashes }

// announced is what this process is to the queue: without slots once it drains.
func (w *Worker) announced() queue.Worker {
	if w.draining.Load() {
		return queue.Worker{ID: w.ID}
	}
	return queue.Worker{ID: w.ID, Slots: w.Slots}
}

// lastWords bounds what a stopping worker says to the queue, and how long it
// waits for a database to say how a step has ended.
const lastWords = 8 * time.Second

// wait sleeps for d, until ctx ends, or until woken.
func wait(ctx context.Context, d time.Duration, wakes <-chan struct{}) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-wakes:
	case <-timer.C:
	}
}

// backoff doubles from 50 ms up to most.
func backoff(failures int, most time.Duration) time.Duration {
	return min(50*time.Millisecond<<min(failures-1, 10), max(most, 50*time.Millisecond))
}
