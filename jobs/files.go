package jobs

import (
	"context"
	"errors"
	"strings"

	"slashbatch/cache"
	"slashbatch/internal/rows"
	"slashbatch/queue"
)

// FileRequest asks for a result as a file of some form.
type FileRequest struct {
	Form rows.Form
	// User waits for it, if it has to be made; see Request.
	User                  string
	Method                Method
	RunningCap, QueuedCap int
}

// plain reports whether a form is the one that runs write.
func plain(f rows.Form) bool {
	return f.Format == "" || f.Format == rows.FormatCSV && f.Options() == ""
}

// FormName is a form as the catalogue names it.
func FormName(f rows.Form) cache.Form {
	if plain(f) {
		return cache.FormCSV
	}
	return cache.Form{Format: f.Format, Options: f.Options()}
}

func (r FileRequest) wish() cache.Wish {
	return cache.Wish{Form: FormName(r.Form), User: r.User, RunningCap: r.RunningCap}
}

// SubmitFile finds the file of a result in a form, or queues the making of it, once
// over the fleet. Until it is there the status is that of its job and has no entry.
// A *rows.FormError says that the rows cannot have this form.
func (s *Service) SubmitFile(ctx context.Context, e cache.Entry, r FileRequest) (Status, error) {
	if plain(r.Form) {
		return Status{Key: e.Key, Word: WordCompleted, Entry: &e, File: &e.File}, nil
	}
	if err := s.fits(ctx, e, r.Form); err != nil {
		return Status{}, err
	}
	if r.Method != Look {
		// What the file is made from is not to be evicted while the job waits. Where it just
		// was, the job says so.
		if err := s.catalog.Touch(ctx, e, cache.FormCSV); err != nil && !errors.Is(err, cache.ErrNotFound) {
			return Status{}, err
		}
	}
	var file cache.File
	status, err := s.settle(ctx, wanted{
		key: variantKey(e.Result, FormName(r.Form)), policy: policy{method: r.Method, retryHold: s.retryHold}, user: r.User, runningCap: r.RunningCap,
		entry: func(ctx context.Context) (cache.Entry, error) {
			var err error
			if file, err = s.catalog.Variant(ctx, e.Result, FormName(r.Form)); err == nil {
				err = s.checked(ctx, file.Object)
			}
			return cache.Entry{Valid: true}, err
		},
		submission: func(after string) (queue.Submission, error) {
			return variantSubmission(e.Result, e.File.Rows, r.wish(), r.QueuedCap, after)
		},
	})
	status.Key = e.Key
	if err == nil && status.Entry != nil {
		file.FileName = strings.TrimSuffix(e.File.FileName, ".csv") + "." + r.Form.Extension()
		status.Entry, status.File = &e, &file
	}
	return status, err
}

// madeMeanwhile is the entry that answers a request whose job was active a moment ago; nil
// while there is none.
func (s *Service) madeMeanwhile(ctx context.Context, p Plan, job string) (*cache.Entry, error) {
	entry, err := s.catalog.ByKey(ctx, p.Key)
	switch {
	case errors.Is(err, cache.ErrNotFound), err == nil && p.Fresh && entry.Job != job:
		return nil, nil
	case err == nil && entry.Job != job: // what was waited for is taken, whatever its guard gives now
		err = s.current(ctx, p.guard(), &entry, true)
	}
	if err != nil || !entry.Valid {
		return nil, err
	}
	return &entry, nil
}

// FileJob is the last job that was to make the file of a request's result in a form.
// queue.ErrNotFound when there is none, as for the form that the run itself writes.
func (s *Service) FileJob(ctx context.Context, key string, form rows.Form) (queue.Job, error) {
	entry, err := s.catalog.ByKey(ctx, key)
	if errors.Is(err, cache.ErrNotFound) || plain(form) {
		return queue.Job{}, queue.ErrNotFound
	}
	if err != nil {
		return queue.Job{}, err
	}
	return s.queue.ByKey(ctx, variantKey(entry.Result, FormName(form)))
}

// LeaveFile is LeaveKey for a request's file in a form: the user leaves the run, or, where
// that has ended or is none of theirs, the job that makes the file.
func (s *Service) LeaveFile(ctx context.Context, key string, form rows.Form, user string) (Status, error) {
	if plain(form) {
		return s.LeaveKey(ctx, key, user)
	}
	run, err := s.queue.ByKey(ctx, key)
	if err != nil && !errors.Is(err, queue.ErrNotFound) {
		return Status{}, err
	}
	if err == nil && !run.State.Final() {
		if left, err := s.Leave(ctx, run.ID, user); !errors.Is(err, queue.ErrNotFound) {
			return left, err
		}
	}
	made, err := s.FileJob(ctx, key, form)
	if err != nil {
		return Status{}, err
	}
	return s.Leave(ctx, made.ID, user)
}

// fits refuses early what the worker would refuse.
func (s *Service) fits(ctx context.Context, e cache.Entry, f rows.Form) error {
	if f.Format != rows.FormatXLSX {
		return nil
	}
	columns, err := s.catalog.Columns(ctx, e.Result)
	if err != nil {
		return err
	}
	return rows.FitsXLSX(e.File.Rows, len(columns))
}

// grant queues the files that were asked for while the result was still to come. It is
// called once that is published and before the job ends, so that there is no moment in
// which nothing is under way. That is also why nobody's list is too full for them: whoever
// wished had a place for the run.
func (a *exportTask) grant(ctx context.Context, e cache.Entry) error {
	var wishes []cache.Wish
	err := a.insist(ctx, insistTries, func() (err error) {
		wishes, err = a.worker.Catalog.Wishes(ctx, a.plan.Key)
		return err
	})
	if err != nil || len(wishes) == 0 {
		return err
	}
	for _, w := range wishes {
		if err := a.insist(ctx, insistTries, func() error { return a.queueFile(ctx, e, w) }); err != nil {
			return err
		}
	}
	return a.insist(ctx, insistTries, func() error { return a.worker.Catalog.Grant(ctx, a.plan.Key) })
}

func (a *exportTask) queueFile(ctx context.Context, e cache.Entry, w cache.Wish) error {
	if _, err := a.worker.Catalog.Variant(ctx, e.Result, w.Form); err == nil || !errors.Is(err, cache.ErrNotFound) {
		return err
	}
	after := ""
	switch last, err := a.worker.Queue.ByKey(ctx, variantKey(e.Result, w.Form)); {
	case err == nil:
		after = last.ID
	case !errors.Is(err, queue.ErrNotFound):
		return err
	}
	submission, err := variantSubmission(e.Result, e.File.Rows, w, 0, after)
	if err != nil {
		return err
	}
	made, err := a.worker.Queue.Enqueue(ctx, submission)
	if err != nil || made.Created || made.Job.State.Final() {
		return err
	}
	// Somebody else's, who is not to be the only one that it is made for.
	if _, err = a.worker.Queue.Join(ctx, made.Job.ID, w.User, w.RunningCap); errors.Is(err, queue.ErrNotFound) {
		return nil
	}
	return err
}
