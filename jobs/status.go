package jobs

import (
	"context"
	"errors"
	"time"

	"slashbatch/cache"
	"slashbatch/internal/rows"
	"slashbatch/queue"
)

// Word is what the status calls the state of a request or job.
type Word string

// The words, as SAPI-NT has them, and Cancelled.
const (
	WordPending    Word = "Pending"
	WordInProgress Word = "InProgress"
	WordCompleted  Word = "Completed"
	WordFailed     Word = "Failed"
	WordCancelled  Word = "Cancelled"
	WordUnknown    Word = "Unknown"
)

// Final reports whether the status will not change by itself.
func (w Word) Final() bool { return w != WordPending && w != WordInProgress }

// wordOf maps the queue's states; a done job is Completed only with its file.
var wordOf = map[queue.State]Word{
	queue.Pending: WordPending, queue.Running: WordInProgress,
	queue.Done: WordCompleted, queue.Failed: WordFailed, queue.Cancelled: WordCancelled,
}

// Status is how a request or a job stands.
type Status struct {
	Key  string
	Word Word
	// Job is set when the queue knows one; Created tells that this call made it.
	Job     *queue.Job
	Created bool
	// Entry is set when Completed; File is the file in the form that was asked for.
	Entry *cache.Entry
	File  *cache.File
	// Position: 0 running, 1 next; ETA until complete. Set while Pending and
	// InProgress; ETA is nil when its own run has overrun the estimate, and while
	// the queue is paused.
	Position *int
	ETA      *time.Duration
	// Progress is between 0 and 1 when a total is expected.
	Progress *float64
}

// Lookup says which request is looked for.
type Lookup struct {
	Key string
	// Fresh asks for a fresh run that is under way rather than for what is there.
	Fresh bool
	// Form of the file, as in Request.
	Form rows.Form
	// Guard, Source and MinFresh are the plan's. Without a guard a result is good until it expires.
	Guard    *rows.Statement
	Source   string
	MinFresh time.Duration
}

// StatusOfKey is StatusOf for a request that has no guard.
func (s *Service) StatusOfKey(ctx context.Context, key string, fresh bool, form rows.Form) (Status, error) {
	return s.StatusOf(ctx, Lookup{Key: key, Fresh: fresh, Form: form})
}

// StatusOf tells how a request stands: its run, and once that is there the file in
// this form. It never queues. Never seen, or ended and not cached any more, is
// WordUnknown; so is a result whose guard has changed.
func (s *Service) StatusOf(ctx context.Context, l Lookup) (Status, error) {
	status, err := s.settle(ctx, wanted{
		key: l.Key, policy: policy{method: Look, fresh: l.Fresh}, guard: guard{l.Guard, l.Source, l.MinFresh},
		entry: func(ctx context.Context) (cache.Entry, error) { return s.entry(ctx, l.Key) },
	})
	if err != nil || status.Entry == nil || plain(l.Form) {
		return status, err
	}
	look := func() (Status, error) {
		return s.SubmitFile(ctx, *status.Entry, FileRequest{Form: l.Form, Method: Look})
	}
	file, err := look()
	if err != nil || file.Word != WordUnknown {
		return file, err
	}
	// The run may have published, and not yet have queued the files that were asked for.
	switch job, err := s.queue.ByKey(ctx, l.Key); {
	case errors.Is(err, queue.ErrNotFound):
		return file, nil
	case err != nil:
		return Status{}, err
	case !job.State.Final():
		return s.ofJob(ctx, job)
	}
	return look()
}

// StatusOfJob tells how a job stands; queue.ErrNotFound when there is none.
func (s *Service) StatusOfJob(ctx context.Context, id string) (Status, error) {
	job, err := s.queue.Get(ctx, id)
	if err != nil {
		return Status{}, err
	}
	return s.ofJob(ctx, job)
}

// ready is the status of a request with a valid entry.
func (s *Service) ready(saw seen) Status {
	status := Status{Key: saw.entry.Key, Word: WordCompleted, Entry: saw.entry, File: &saw.entry.File}
	if saw.job != nil && saw.job.ID == saw.entry.Job {
		status.Job = saw.job
	}
	return status
}

// ofJob is the status of a job, with what only the snapshot and the catalogue know.
func (s *Service) ofJob(ctx context.Context, job queue.Job) (Status, error) {
	status := Status{Key: job.Key, Word: wordOf[job.State], Job: &job}
	switch job.State {
	case queue.Pending, queue.Running:
		snapshot, err := s.snapshots.Get(ctx)
		if err != nil {
			return Status{}, err
		}
		status.place(job, snapshot)
	case queue.Done:
		if job.Kind != KindExport {
			return status, nil // it answers no request by itself
		}
		entry, err := s.entryOfJob(ctx, job)
		if errors.Is(err, cache.ErrNotFound) {
			status.Word = WordUnknown // finished once, but the file is gone
			return status, nil
		}
		if err != nil {
			return Status{}, err
		}
		status.Entry, status.File = &entry, &entry.File
	}
	return status, nil
}

// entryOfJob returns the entry that answers the job's request: its own, or the
// one that made running it needless. Whoever waited for the job gets that also if its
// guard has changed since.
func (s *Service) entryOfJob(ctx context.Context, job queue.Job) (cache.Entry, error) {
	entry, err := s.entry(ctx, job.Key)
	if err != nil {
		return cache.Entry{}, err
	}
	if !entry.Valid {
		return cache.Entry{}, cache.ErrNotFound
	}
	return entry, nil
}

// place fills in position, ETA and progress.
func (s *Status) place(job queue.Job, snapshot *queue.Snapshot) {
	s.Position, s.ETA = Place(job, snapshot)
	if p := job.Progress; job.State == queue.Running && p.Total > 0 {
		done := min(float64(p.Rows)/float64(p.Total), 0.99) // 1 is for the published file
		s.Progress = &done
	}
}

// Place is the position of a pending or running job, and the time until it is
// complete, nil when nothing can be said: its own run has overrun, or the queue
// is paused.
func Place(job queue.Job, snapshot *queue.Snapshot) (position *int, eta *time.Duration) {
	lane := snapshot.Lanes[job.Lane]
	now := snapshot.Now
	n, left, ok := 0, time.Duration(0), true
	if job.State == queue.Pending {
		n = queue.Position(lane, job.Standing)
		left = queue.ETA(lane, now, job.Standing, job.Estimate)
	} else {
		if now.Before(job.Started) { // the snapshot is from before the claim
			now = job.Started
		}
		left, ok = queue.Remaining(now, job.Started, job.Estimate)
	}
	if !ok || snapshot.Paused {
		return &n, nil
	}
	return &n, &left
}
