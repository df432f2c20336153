package jobs

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"slashbatch/cache"
	"slashbatch/internal/rows"
)

// premadeFolder is where any other tool may put the rows of a request: as
// premade/<key>.csv or premade/<key>.csv.gz. They are taken in place of a run.
const premadeFolder = "premade/"

// premade looks for rows that were put into the store for this request. A fresh job
// takes only what was put there after it was submitted, as it does with results.
func (a *exportTask) premade(ctx context.Context) (cache.Object, bool, error) {
	for object, err := range a.worker.Store.List(ctx, premadeFolder+a.plan.Key+".csv") {
		if err != nil {
			return cache.Object{}, false, err
		}
		if end := strings.TrimPrefix(object.Name, premadeFolder+a.plan.Key); end != ".csv" && end != ".csv.gz" {
			continue
		}
		if a.plan.Fresh && !object.Modified.After(a.job.Submitted) {
			continue
		}
		return object, true, nil
	}
	return cache.Object{}, false, nil
}

// premadeError is what is wrong with a premade file; its asker is told.
type premadeError struct {
	object string
	err    error
}

func (e *premadeError) Error() string {
	return fmt.Sprintf("%s, which was put into the store for this request, is no CSV file of rows: %v", e.object, e.err)
}

// adopt makes a result of a premade file, like a run of the query. The file itself
// stays where it is, and its owner's.
func (a *exportTask) adopt(ctx context.Context, premade cache.Object) (cache.Entry, error) {
	a.log.Info("rows were put into the store for this request", "object", premade.Name)
	if a.steps.Broken > 0 {
		if err := a.worker.Store.Ping(ctx); err != nil { // see produce
			return cache.Entry{}, err
		}
	}
	a.begun.Store(true) // an object that cannot be read is not tried for ever
	working, stop := context.WithCancel(ctx)
	defer stop()
	body, _, err := a.worker.Store.Open(working, premade.Name, 0, -1)
	if err != nil {
		return cache.Entry{}, err
	}
	defer func() { _ = body.Close() }() // it was read only
	object := ObjectName(a.holder, "csv.gz")
	writer, err := a.worker.Store.Create(working, object, cache.ObjectOptions{ContentType: a.plan.ContentType})
	if err != nil {
		return cache.Entry{}, err
	}
	defer func() { _ = writer.Abort() }() // after Commit it does nothing
	adopted, err := rows.Adopt(working, body, writer, a.plan.ResultBytes)
	if err != nil {
		if !errors.Is(err, cache.ErrUnavailable) && !errors.Is(err, rows.ErrTooLarge) && ctx.Err() == nil {
			err = &premadeError{premade.Name, err}
		}
		return cache.Entry{}, err
	}
	if err := a.commit(ctx, writer, object, adopted.Stored); err != nil {
		return cache.Entry{}, err
	}
	sum := rows.Summary{Rows: adopted.Rows, Snapshot: putAt(premade)}
	return a.publish(ctx, sum, adopted.Written, adopted.Columns, object)
}

// putAt is when a premade file was put into the store, by its clock: not later than now,
// or it would never expire.
func putAt(o cache.Object) time.Time {
	at := o.Modified
	if now := time.Now(); at.After(now) {
		at = now
	}
	return at.Truncate(time.Microsecond)
}
