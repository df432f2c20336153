package jobs

import (
	"context"
	"errors"
	"fmt"
	"time"

	"slashbatch/cache"
	"slashbatch/internal/rows"
	"slashbatch/queue"

	"github.com/google/uuid"
)

// Service submits requests and tells how they stand. It is the same on every
// server of a fleet; all state is in the queue and the catalogue.
type Service struct {
	queue     queue.Queue
	catalog   cache.Catalog
	store     cache.Store
	sources   map[string]*rows.Source
	snapshots *queue.Snapshots
	retryHold time.Duration
	minFresh  time.Duration
	present   *present
}

// Options of a Service.
type Options struct {
	Queue   queue.Queue
	Catalog cache.Catalog
	Store   cache.Store
	// Sources by name, as workers have them: what a cancelled job has left running is
	// ended there, and guards are asked.
	Sources map[string]*rows.Source
	// RetryHold is how long after a failed run GET does not start another.
	RetryHold time.Duration
	// MinFresh is the least time between two fresh runs of one key.
	MinFresh time.Duration
}

// snapshotEvery is how old the positions and ETAs shown may be.
const snapshotEvery = 250 * time.Millisecond

// NewService returns a Service over these backends.
func NewService(o Options) *Service {
	return &Service{
		queue: o.Queue, catalog: o.Catalog, store: o.Store, sources: o.Sources,
		snapshots: queue.NewSnapshots(o.Queue, snapshotEvery),
		retryHold: o.RetryHold, minFresh: o.MinFresh,
		present: newPresent(),
	}
}

// Request asks for an export.
type Request struct {
	Plan Plan
	// Form of the file. The zero Form is the csv that the run writes; any other is
	// made from it, once.
	Form rows.Form
	// User waits for it: a known user, or a group of anonymous callers.
	User   string
	Method Method
	// Estimate is how long a run is thought to take.
	Estimate time.Duration
	// RunningCap and QueuedCap are the user's, in the export lane.
	RunningCap, QueuedCap int
}

// Submit finds what answers the request, or queues what is needed for it: the run,
// and then the file if it is of another form. Equal requests make one run, whoever
// asks, on any number of servers. A *queue.FullError says that the user's list is
// full, a *rows.FormError that the rows cannot have this form; nothing is queued then.
func (s *Service) Submit(ctx context.Context, r Request) (Status, error) {
	if plain(r.Form) {
		return s.settle(ctx, s.runWanted(r))
	}
	fileRequest := FileRequest{Form: r.Form, User: r.User, Method: r.Method, RunningCap: r.RunningCap, QueuedCap: r.QueuedCap}
	status, err := s.settle(ctx, s.runWanted(r))
	if err != nil || status.Entry == nil && status.Word.Final() {
		return status, err
	}
	if status.Entry == nil {
		// The worker looks for wishes once it has published. If it did before this one was
		// noted, the result is to be seen now.
		if err := s.catalog.Wish(ctx, r.Plan.Key, fileRequest.wish()); err != nil {
			return Status{}, err
		}
		entry, err := s.madeMeanwhile(ctx, r.Plan, status.Job.ID)
		if err != nil || entry == nil {
			return status, err
		}
		status.Entry = entry
	}
	return s.SubmitFile(ctx, *status.Entry, fileRequest)
}

// wanted is a job that a request may need.
type wanted struct {
	key    string
	policy policy
	// user waits for it.
	user       string
	runningCap int
	// entry is what the catalogue has for it, and guard what that depends on.
	entry func(ctx context.Context) (cache.Entry, error)
	guard guard
	// submission makes it, after the job seen last.
	submission func(after string) (queue.Submission, error)
}

// runWanted is the run of a request.
func (s *Service) runWanted(r Request) wanted {
	return wanted{
		key: r.Plan.Key, policy: policy{r.Method, r.Plan.Fresh, s.retryHold, s.minFresh}, user: r.User, runningCap: r.RunningCap,
		entry: func(ctx context.Context) (cache.Entry, error) { return s.entry(ctx, r.Plan.Key) }, guard: r.Plan.guard(),
		submission: func(after string) (queue.Submission, error) {
			r.Plan.User = r.User
			definition, err := r.Plan.Encode()
			return queue.Submission{
				ID: uuid.NewString(), Key: r.Plan.Key, After: after,
				User: r.User, Lane: queue.LaneExport, Kind: r.Plan.Kind, Source: r.Plan.Source,
				Class: r.Plan.Endpoint, Estimate: r.Estimate, RunningCap: r.RunningCap, QueuedCap: r.QueuedCap,
				Retry: r.Plan.Retry, Definition: definition,
			}, err
		},
	}
}

// submitTries bounds how often settle looks again when another server was
// faster; every round means that somebody else made progress.
const submitTries = 5

// settle finds what is wanted, or a job that will make it, or queues one.
func (s *Service) settle(ctx context.Context, w wanted) (Status, error) {
	for range submitTries {
		status, again, err := s.settleOnce(ctx, w)
		if err != nil || !again {
			return status, err
		}
	}
	return Status{}, fmt.Errorf("%w: the request's jobs keep changing", queue.ErrUnavailable)
}

func (s *Service) settleOnce(ctx context.Context, w wanted) (status Status, again bool, err error) {
	saw, err := s.look(ctx, w)
	if err != nil {
		return Status{}, false, err
	}
	switch decide(saw, w.policy) {
	case serve:
		return s.ready(saw), false, nil
	case nothing:
		status, err := s.untouched(ctx, w.key, saw)
		return status, false, err
	case join:
		if w.policy.method == Look {
			status, err := s.ofJob(ctx, *saw.job)
			return status, false, err
		}
		job, err := s.queue.Join(ctx, saw.job.ID, w.user, w.runningCap)
		if errors.Is(err, queue.ErrNotFound) || err == nil && job.State.Final() {
			return Status{}, true, nil // it ended meanwhile: there is something newer to see
		}
		if err != nil {
			return Status{}, false, err
		}
		status, err := s.ofJob(ctx, job)
		return status, false, err
	case hold:
		status, err := s.ofJob(ctx, *saw.job)
		return status, false, err
	}
	after := ""
	if saw.job != nil {
		after = saw.job.ID
	}
	submission, err := w.submission(after)
	if err != nil {
		return Status{}, false, err
	}
	made, err := s.enqueue(ctx, submission)
	if err != nil {
		return Status{}, false, err
	}
	if !made.Created && made.Job.State.Final() {
		return Status{}, true, nil // a newer job ran between our look and now
	}
	status, err = s.ofJob(ctx, made.Job)
	status.Created = made.Created
	return status, false, err
}

// untouched is the status where a job would be needed and none is queued: how the
// last one failed, or Unknown.
func (s *Service) untouched(ctx context.Context, key string, saw seen) (Status, error) {
	if saw.job != nil && (saw.job.State == queue.Failed || saw.job.State == queue.Cancelled) {
		return s.ofJob(ctx, *saw.job)
	}
	return Status{Key: key, Word: WordUnknown}, nil
}

// SubmitSQL queues a SQL job.
func (s *Service) SubmitSQL(ctx context.Context, r SQLRequest) (queue.Job, error) {
	sub, err := r.Submission(uuid.NewString())
	if err != nil {
		return queue.Job{}, err
	}
	made, err := s.enqueue(ctx, sub)
	return made.Job, err
}

// enqueue repeats a call whose answer was lost: the job's id makes that safe.
func (s *Service) enqueue(ctx context.Context, sub queue.Submission) (queue.Enqueued, error) {
	made, err := s.queue.Enqueue(ctx, sub)
	if errors.Is(err, queue.ErrUnavailable) && ctx.Err() == nil {
		return s.queue.Enqueue(ctx, sub)
	}
	return made, err
}

// look asks the queue, then the catalogue, in that order: a job that ends in
// between has published before it ended. A queue that cannot be asked matters
// only where there is no valid entry: a ready file is served without it.
func (s *Service) look(ctx context.Context, w wanted) (seen, error) {
	saw, away := s.lookQueue(ctx, w.key)
	if away != nil && !errors.Is(away, queue.ErrUnavailable) {
		return seen{}, away
	}
	entry, err := w.entry(ctx)
	if err == nil {
		saw.entry = &entry
		err = s.current(ctx, w.guard, saw.entry, saw.active())
	}
	switch {
	case err == nil:
	case !errors.Is(err, cache.ErrNotFound):
		return seen{}, err
	}
	if away != nil && (saw.entry == nil || !saw.entry.Valid) {
		return seen{}, away
	}
	return saw, nil
}

func (s *Service) lookQueue(ctx context.Context, key string) (seen, error) {
	job, err := s.queue.ByKey(ctx, key)
	if errors.Is(err, queue.ErrNotFound) {
		return seen{}, nil
	}
	if err != nil {
		return seen{}, err
	}
	saw := seen{job: &job}
	if job.State.Final() {
		saw.now, err = s.now(ctx)
	}
	return saw, err
}

// now is the queue's clock, from the snapshot that all callers share.
func (s *Service) now(ctx context.Context) (time.Time, error) {
	snapshot, err := s.snapshots.Get(ctx)
	if err != nil {
		return time.Time{}, err
	}
	return snapshot.Now, nil
}

// entry returns what the catalogue has for a key, unless its file is known to
// be gone.
func (s *Service) entry(ctx context.Context, key string) (cache.Entry, error) {
	e, err := s.catalog.ByKey(ctx, key)
	if err != nil || !e.Valid {
		return e, err
	}
	return e, s.checked(ctx, e.File.Object)
}

// checked is ErrNotFound for an object that is not in the store, which the catalogue
// learns, too.
func (s *Service) checked(ctx context.Context, object string) error {
	if s.present.check(ctx, s.store, object) {
		return nil
	}
	return errors.Join(cache.ErrNotFound, s.catalog.Missing(ctx, object))
}

// Lost tells that a file was not there when it was to be read. The next Submit
// makes it again.
func (s *Service) Lost(ctx context.Context, f cache.File) error {
	s.present.forget(f.Object)
	return s.catalog.Missing(ctx, f.Object)
}

// Leave takes the user off the waiters of a job and cancels it when nobody
// waits any more. Unknown jobs, and jobs the user does not wait for, are both
// queue.ErrNotFound.
func (s *Service) Leave(ctx context.Context, id, user string) (Status, error) {
	_, job, err := s.queue.Leave(ctx, id, user)
	if err != nil {
		return Status{}, err
	}
	return s.ofJob(ctx, job)
}

// LeaveKey is Leave for the active job of a request key.
func (s *Service) LeaveKey(ctx context.Context, key, user string) (Status, error) {
	job, err := s.queue.ByKey(ctx, key)
	if err != nil {
		return Status{}, err
	}
	return s.Leave(ctx, job.ID, user)
}

// FirstAsker is the user who asked for the export or file first; the job may stand in
// somebody else's list by now.
func (s *Service) FirstAsker(ctx context.Context, id string) (string, error) {
	definition, err := s.queue.Definition(ctx, id)
	if err != nil {
		return "", err
	}
	plan, _ := decodePlan(definition) // of another version: as if nobody had
	switch {
	case plan.export != nil:
		return plan.export.User, nil
	case plan.variant != nil:
		return plan.variant.User, nil
	}
	return "", nil
}

// Waits reports whether the user is among those who wait, or waited, for the job.
func (s *Service) Waits(ctx context.Context, id, user string) (bool, error) {
	return s.queue.Waits(ctx, id, user)
}
