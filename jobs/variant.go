package jobs

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"time"

	"slashbatch/cache"
	"slashbatch/internal/rows"
	"slashbatch/queue"

	"github.com/google/uuid"
	"github.com/klauspost/compress/gzip"
)

// VariantPlan is everything a worker needs to make a further file of a result.
type VariantPlan struct {
	Version int    `json:"v"`
	Kind    string `json:"kind"`
	// Result is the catalogue's number of it; Rows is how many it has.
	Result int64 `json:"result"`
	Rows   int64 `json:"rows"`
	// Format and Options are those of a rows.Form.
	Format  string `json:"format"`
	Options string `json:"options,omitempty"`
	// User asked for it first.
	User string `json:"user,omitempty"`
}

// variantKey is the queue's key for the job that makes a file, so that there is one
// over the fleet however many ask. No request key looks like it.
func variantKey(result int64, form cache.Form) string {
	return strings.TrimSuffix(fmt.Sprintf("variant:%d.%s.%s", result, form.Format, form.Options), ".")
}

// variantEstimate is how long a file is thought to take as long as none was made.
const variantEstimate = 10 * time.Second

// variantSubmission is the job that makes a file.
func variantSubmission(result, count int64, w cache.Wish, queuedCap int, after string) (queue.Submission, error) {
	definition, err := json.Marshal(VariantPlan{
		Version: planVersion, Kind: KindVariant,
		Result: result, Rows: count, Format: w.Form.Format, Options: w.Form.Options, User: w.User,
	})
	return queue.Submission{
		ID: uuid.NewString(), Key: variantKey(result, w.Form), After: after,
		User: w.User, Lane: queue.LaneExport, Kind: KindVariant, Class: "variant " + w.Form.Format, Estimate: variantEstimate,
		RunningCap: w.RunningCap, QueuedCap: queuedCap, Definition: definition,
	}, err
}

// variantTask makes a further file of a result from its csv.
type variantTask struct {
	held
	plan  VariantPlan
	steps steps        // only how often it was broken off
	made  atomic.Int64 // rows so far
	// begun: the store was asked for the rows, so that a failure may be that object's doing.
	begun atomic.Bool
	ran   bool
}

// run makes the file, publishes it, and says how that went.
func (v *variantTask) run(ctx context.Context) ending {
	file, err := v.file(ctx)
	if err != nil {
		return v.broke(ctx, err)
	}
	v.log.Info("file made", "result", v.plan.Result, "format", v.plan.Format, "options", v.plan.Options, "bytes", file.Stored)
	document, _ := json.Marshal(Outcome{Result: v.plan.Result, Rows: file.Rows, Bytes: file.Bytes}) // three numbers
	return ending{verdict: finished, success: queue.Success{Outcome: document, Measured: v.ran}}
}

// panicked implements task.
func (v *variantTask) panicked(err error) ending { return v.broke(v.worker.last, err) }

// progress implements task.
func (v *variantTask) progress() queue.Progress {
	return queue.Progress{Rows: v.made.Load(), Total: v.plan.Rows}
}

func (v *variantTask) broke(ctx context.Context, err error) ending {
	switch judge(err, context.Cause(ctx), v.begun.Load(), v.steps.Broken) {
	case lost:
		v.log.Warn("claim lost, the job is left alone", "error", err)
		return ending{verdict: lost}
	case giveBack:
		e := ending{verdict: giveBack, pause: outOfReach(err)}
		if e.pause {
			v.log.Warn("job given back: something it needs is out of reach", "error", err)
		}
		if e.pause && v.begun.Load() {
			v.steps.Broken++
			e.steps = v.steps.encode()
		}
		return e
	}
	v.log.Error("a file could not be made", "result", v.plan.Result, "format", v.plan.Format, "options", v.plan.Options, "error", err)
	return ending{verdict: failed, failure: queue.Failure{Reason: variantReason(err)}}
}

// errGone: the result was evicted, or its file is missing.
var errGone = errors.New("the rows that this file is made from are gone; the same request reads them again")

// variantReason is what the asker is told.
func variantReason(err error) string {
	if e, ok := errors.AsType[*rows.FormError](err); ok {
		return e.Reason
	}
	if e, ok := errors.AsType[crashedError](err); ok {
		return e.Error()
	}
	if errors.Is(err, errGone) {
		return errGone.Error()
	}
	return "the file could not be made"
}

// file finds the file made, or makes and publishes it.
func (v *variantTask) file(ctx context.Context) (cache.File, error) {
	form, err := rows.ParseForm(v.plan.Format, v.plan.Options)
	if err != nil {
		return cache.File{}, &rows.FormError{Reason: err.Error()}
	}
	name := cache.Form{Format: v.plan.Format, Options: v.plan.Options}
	file, err := v.worker.Catalog.Variant(ctx, v.plan.Result, name)
	if err == nil {
		// Looked at in the store: a job is often there just because it was not.
		if _, err = v.worker.Store.Stat(ctx, file.Object); err == nil {
			return file, nil
		}
	}
	if !errors.Is(err, cache.ErrNotFound) {
		return cache.File{}, err
	}
	if file.Object != "" {
		if err := v.worker.Catalog.Missing(ctx, file.Object); err != nil {
			return cache.File{}, err
		}
	}
	if v.worker.gaveUp(v.job) {
		return cache.File{}, crashedError{v.job.Crashes}
	}
	if file, err = v.convert(ctx, form); err != nil {
		return cache.File{}, err
	}
	v.ran = true
	return v.publish(ctx, name, file)
}

// convert writes the csv of the result in another form, as an object.
func (v *variantTask) convert(ctx context.Context, form rows.Form) (cache.File, error) {
	source, err := v.worker.Catalog.Variant(ctx, v.plan.Result, cache.FormCSV)
	if errors.Is(err, cache.ErrNotFound) {
		return cache.File{}, errGone
	}
	if err != nil {
		return cache.File{}, err
	}
	columns, err := v.worker.Catalog.Columns(ctx, v.plan.Result)
	if err != nil {
		return cache.File{}, err
	}
	if v.steps.Broken > 0 {
		// A store that is away costs no try.
		if err := v.worker.Store.Ping(ctx); err != nil {
			return cache.File{}, err
		}
	}
	v.begun.Store(true)
	// Reading ends with the writing, and the other way round.
	working, stop := context.WithCancel(ctx)
	defer stop()
	body, _, err := v.worker.Store.Open(working, source.Object, 0, -1)
	if errors.Is(err, cache.ErrNotFound) {
		return cache.File{}, cmp.Or(v.worker.Catalog.Missing(ctx, source.Object), errGone)
	}
	if err != nil {
		return cache.File{}, err
	}
	defer func() { _ = body.Close() }() // it was read only
	plain, err := gzip.NewReader(body)
	if err != nil {
		return cache.File{}, err
	}
	extension := form.Extension()
	if form.Gzipped() {
		extension += ".gz"
	}
	object := ObjectName(v.holder, extension)
	writer, err := v.worker.Store.Create(working, object, cache.ObjectOptions{ContentType: form.ContentType()})
	if err != nil {
		return cache.File{}, err
	}
	defer func() { _ = writer.Abort() }() // after Commit it does nothing
	made, err := rows.Convert(working, plain, rowColumns(columns), form, writer, v.made.Store)
	if err == nil && made.Rows != source.Rows {
		err = fmt.Errorf("%d rows were read of %d", made.Rows, source.Rows)
	}
	if err != nil {
		return cache.File{}, err
	}
	if err := v.commit(ctx, writer, object, made.Stored); err != nil {
		return cache.File{}, err
	}
	file := cache.File{
		Object: object, Stored: made.Stored, Rows: made.Rows, Bytes: made.Plain, SHA256: made.SHA256,
		Gzipped: form.Gzipped(), ContentType: form.ContentType(),
	}
	for _, b := range made.Blocks {
		file.Blocks = append(file.Blocks, cache.Block(b))
	}
	return file, nil
}

// publish makes a committed object the result's file; the order is that of exports.
func (v *variantTask) publish(ctx context.Context, form cache.Form, file cache.File) (cache.File, error) {
	v.begun.Store(false) // what fails from here on is not the object's doing
	if err := v.insist(ctx, insistTries, func() error { return v.worker.Queue.Seal(ctx, v.holder) }); err != nil {
		v.discard(file.Object)
		return cache.File{}, err
	}
	var published cache.File
	err := v.place(file.Object, func() (_ cache.File, kept bool, err error) {
		published, kept, err = v.worker.Catalog.PublishVariant(v.worker.last, v.plan.Result, form, file)
		if errors.Is(err, cache.ErrNotFound) {
			v.discard(file.Object)
			err = errGone
		}
		return published, kept, err
	})
	return published, err // where it is not known what came of it, the object may be the published one
}

func rowColumns(columns []cache.Column) []rows.Column {
	out := make([]rows.Column, len(columns))
	for i, c := range columns {
		out[i] = rows.Column{Name: c.Name, OID: c.OID, Mod: c.Mod}
		if c.Array {
			out[i].Type = "[]"
		}
	}
	return out
}
