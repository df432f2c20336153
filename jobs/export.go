package jobs

import (
	"context"
	"encoding/json"
	"errors"
	"math/rand/v2"
	"sync/atomic"
	"time"

	"slashbatch/cache"
	"slashbatch/internal/rows"
	"slashbatch/queue"
)

// exportTask is one run of an export under one claim.
type exportTask struct {
	held
	plan  Plan
	steps steps

	// begun: the database has taken the query, so a failure may be its own doing.
	begun  atomic.Bool
	export atomic.Pointer[rows.Export]
	total  atomic.Int64
	// whole: this claim has run the query from beginning to end.
	whole bool
}

// run makes the result, publishes it, and says how that went.
func (a *exportTask) run(ctx context.Context) ending {
	started := time.Now()
	outcome, err := a.result(ctx)
	if err != nil {
		return a.broke(ctx, err)
	}
	a.log.Info("export finished", "endpoint", a.plan.Endpoint, "key", a.plan.Key, "rows", outcome.Rows, "bytes", outcome.Bytes, "took", time.Since(started))
	document, _ := json.Marshal(outcome) // three numbers
	return ending{verdict: finished, success: queue.Success{Outcome: document, Measured: a.whole}}
}

// panicked implements task.
func (a *exportTask) panicked(err error) ending { return a.broke(a.worker.last, err) }

// broke is the ending of a run that did not come to its end.
func (a *exportTask) broke(ctx context.Context, err error) ending {
	switch judge(err, context.Cause(ctx), a.begun.Load(), a.steps.Broken) {
	case lost:
		a.log.Warn("claim lost, the job is left alone", "error", err)
		return ending{verdict: lost}
	case giveBack:
		e := ending{verdict: giveBack, pause: outOfReach(err)}
		if e.pause {
			a.log.Warn("export given back: something it needs is out of reach", "error", err)
		}
		if e.pause && a.begun.Load() {
			a.steps.Broken++
			e.steps = a.steps.encode()
		}
		return e
	}
	a.log.Warn("export failed", "endpoint", a.plan.Endpoint, "key", a.plan.Key, "error", err)
	_, crashed := errors.AsType[crashedError](err)
	f := queue.Failure{Reason: reasonFor(err), Retry: !crashed}
	if !f.Retry || a.job.Failures >= a.job.Retry {
		if err := a.onError(ctx, f.Reason); err != nil {
			return ending{verdict: judge(err, context.Cause(ctx), false, 0), steps: a.steps.encode()}
		}
	} else {
		f.After = retryDelay(a.job.Failures+1, rand.Float64()) //nolint:gosec // not a secret
	}
	return ending{verdict: failed, failure: f}
}

// progress is read by the heartbeat.
func (a *exportTask) progress() queue.Progress {
	p := queue.Progress{Total: a.total.Load()}
	if e := a.export.Load(); e != nil {
		p.Rows, p.Bytes = e.Progress()
	}
	return p
}

// result makes the result, or finds it made already, and publishes it.
func (a *exportTask) result(ctx context.Context) (Outcome, error) {
	entry, found, err := a.answered(ctx)
	if err != nil {
		return Outcome{}, err
	}
	if found && entry.Job != a.job.ID {
		a.log.Info("answered by a result that is there already", "key", a.plan.Key)
		return outcomeOf(entry), a.grant(ctx, entry)
	}
	if !found && a.worker.gaveUp(a.job) {
		return Outcome{}, crashedError{a.job.Crashes}
	}
	if !found {
		if entry, err = a.make(ctx); err != nil {
			return Outcome{}, err
		}
	}
	a.begun.Store(false) // what fails from here on is not the query's doing
	if err := a.grant(ctx, entry); err != nil {
		return Outcome{}, err
	}
	if err := a.onSuccess(ctx, entry); err != nil {
		return Outcome{}, err
	}
	return outcomeOf(entry), nil
}

func outcomeOf(e cache.Entry) Outcome {
	return Outcome{Result: e.Result, Rows: e.File.Rows, Bytes: e.File.Bytes}
}

// answered looks for a result that makes running needless: one that an earlier
// claim of this job has published, or a valid one of the same request whose guard has
// not changed. A fresh job takes only what was read after it was submitted.
func (a *exportTask) answered(ctx context.Context) (cache.Entry, bool, error) {
	if a.job.Attempt > 1 {
		switch entry, err := a.worker.Catalog.ByJob(ctx, a.job.ID); {
		case err == nil:
			return entry, true, nil
		case !errors.Is(err, cache.ErrNotFound):
			return cache.Entry{}, false, err
		}
	}
	entry, err := a.worker.Catalog.ByKey(ctx, a.plan.Key)
	switch {
	case errors.Is(err, cache.ErrNotFound):
		return cache.Entry{}, false, nil
	case err != nil:
		return cache.Entry{}, false, err
	case !entry.Valid, a.plan.Fresh && !entry.Pinned && !entry.Generated.After(a.job.Submitted):
		return cache.Entry{}, false, nil
	}
	if changed, err := a.plan.guard().changed(ctx, a.worker.Sources, entry); err != nil || changed {
		return cache.Entry{}, false, err
	}
	// What the catalogue says is checked against the store: a job is often
	// there just because somebody found the file gone.
	_, err = a.worker.Store.Stat(ctx, entry.File.Object)
	if errors.Is(err, cache.ErrNotFound) {
		// What else leads to these rows is to be mended by this run, too.
		return cache.Entry{}, false, a.worker.Catalog.Missing(ctx, entry.File.Object)
	}
	return entry, err == nil, err
}

// make makes a result of rows that were put there by hand, else by a run of the query.
func (a *exportTask) make(ctx context.Context) (cache.Entry, error) {
	object, put, err := a.premade(ctx)
	if err != nil {
		return cache.Entry{}, err
	}
	if put {
		return a.adopt(ctx, object)
	}
	entry, err := a.produce(ctx)
	a.whole = err == nil
	return entry, err
}

// produce runs the query into a new object and publishes it.
func (a *exportTask) produce(ctx context.Context) (cache.Entry, error) {
	source, ok := a.worker.Sources[a.plan.Source]
	if !ok {
		// Another worker of the fleet may have it: the configurations of two
		// versions stand side by side during a rolling restart.
		return cache.Entry{}, &rows.Error{Kind: rows.Unavailable, Reason: "this worker has no data source " + a.plan.Source}
	}
	if a.steps.Broken > 0 {
		// Small results reach the store only at the end: asked first, a store
		// that is away costs one run of the query, not one per claim.
		if err := a.worker.Store.Ping(ctx); err != nil {
			return cache.Entry{}, err
		}
	}
	// Writing ends with the run of the query, too: a store that stands still must
	// not hold up the end of a query that has failed.
	writing, stopWriting := context.WithCancel(ctx)
	defer stopWriting()
	object := ObjectName(a.holder, "csv.gz")
	writer, err := a.worker.Store.Create(writing, object, cache.ObjectOptions{ContentType: a.plan.ContentType})
	if err != nil {
		return cache.Entry{}, err
	}
	defer func() { _ = writer.Abort() }() // after Commit it does nothing

	export := rows.NewExport(writing, writer, a.plan.ResultBytes)
	a.export.Store(export)
	sum, err := source.Stream(ctx, rows.Read{
		Statement: rows.Statement{SQL: a.plan.SQL, Args: a.plan.Args},
		Timeout:   a.plan.Timeout,
		Guard:     a.plan.Guard,
		Estimate: func(n int64) {
			a.total.Store(n)
			a.begun.Store(true)
		},
	}, export)
	if err != nil {
		stopWriting()
		export.Cancel()
		return cache.Entry{}, err
	}
	written, err := export.Close()
	if err != nil {
		return cache.Entry{}, err
	}
	if err := a.commit(ctx, writer, object, written.Stored); err != nil {
		return cache.Entry{}, err
	}
	return a.publish(ctx, sum, written, export.Header(), object)
}

// commit ends the writing of an object of so many bytes.
func (h held) commit(ctx context.Context, writer cache.Writer, object string, size int64) error {
	stored, err := writer.Commit(ctx)
	if err == nil && stored.Size != size {
		err = errors.Join(cache.ErrUnavailable, errors.New("the store confirmed another size than was written"))
	}
	if err != nil {
		h.discard(object) // it may be there after all: a lost answer is an error, too
	}
	return err
}

// ObjectName is the name of a file that a claim makes. It carries the claim, so that a
// late writer can never overwrite what another claim has published. The two digits keep
// folders small.
func ObjectName(h queue.Holder, extension string) string {
	return "results/" + h.Job[:2] + "/" + h.Job + "." + h.Claim + "." + extension
}
