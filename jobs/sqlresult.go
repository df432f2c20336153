package jobs

import (
	"context"
	"fmt"

	"slashbatch/cache"
	"slashbatch/internal/rows"
)

// ResultKey is the key under which the catalogue has the result of a SQL job. No
// request key looks like it.
func ResultKey(job string) string { return "sql:" + job }

const sqlContentType = "text/csv"

// capture is a sink that makes a file of the rows of the last statement of a step
// that gives any.
type capture struct {
	task *sqlTask
	ctx  context.Context // of the writing
	step int

	files  int
	object string
	writer cache.Writer
	export *rows.Export
}

// Columns implements rows.Sink: what came before is not the result.
func (c *capture) Columns(columns []rows.Column) error {
	c.drop()
	c.files++
	object := fmt.Sprintf("results/%s/%s.%s.%d-%d.csv.gz", c.task.holder.Job[:2], c.task.holder.Job, c.task.holder.Claim, c.step+1, c.files)
	writer, err := c.task.worker.Store.Create(c.ctx, object, cache.ObjectOptions{ContentType: sqlContentType})
	if err != nil {
		return err
	}
	c.object, c.writer, c.export = object, writer, rows.NewExport(c.ctx, writer, c.task.plan.ResultBytes)
	c.task.export.Store(c.export)
	return c.export.Columns(columns)
}

// Row implements rows.Sink.
func (c *capture) Row(values [][]byte) error { return c.export.Row(values) }

// drop throws away what has not been kept.
func (c *capture) drop() {
	if c.export != nil {
		c.export.Cancel()
		_ = c.writer.Abort()
		c.export, c.writer = nil, nil
	}
}

// keep makes an object of the rows; nil when no statement gave any.
func (c *capture) keep(ctx context.Context) (*cache.File, error) {
	if c.export == nil {
		return nil, nil
	}
	export, writer := c.export, c.writer
	c.export, c.writer = nil, nil
	written, err := export.Close()
	if err != nil {
		_ = writer.Abort()
		return nil, err
	}
	if err := c.task.commit(ctx, writer, c.object, written.Stored); err != nil {
		return nil, err
	}
	count, _ := export.Progress()
	return FileOf(c.object, count, written, export.Header(), sqlContentType, "job-"+c.task.job.ID+".csv"), nil
}

// keepResult makes the rows of a step that is done the result of the job. What the step
// has done stands, so a store that fails costs the rows and not the step. refused is why
// rows were not taken, if so.
func (t *sqlTask) keepResult(c *capture, refused error) (superseded string) {
	var file *cache.File
	err := refused
	if err != nil {
		c.drop()
	} else {
		file, err = c.keep(t.worker.last)
	}
	if err == nil && file == nil {
		if t.steps.Result != nil { // still to be published, and the next step may take its time
			t.noteDraft(t.steps.Result.Object, 1)
		}
		return ""
	}
	if t.steps.Result != nil {
		superseded = t.steps.Result.Object
	}
	t.steps.Result, t.steps.ResultError = file, ""
	if err != nil {
		t.log.Error("the rows of a step could not be stored", "step", c.step+1, "error", err)
		t.steps.ResultError = "step " + place{step: c.step}.String() + ": " + sinkReason(err)
		return superseded
	}
	t.noteDraft(file.Object, insistTries)
	// The document travels with every beat; a file without blocks is read from its
	// beginning.
	t.blocks, file.Blocks = file.Blocks, nil
	return superseded
}

// publish records the result of a job whose steps are all done. A claim that finds it
// unpublished does so again, which changes nothing.
func (t *sqlTask) publish() error {
	file := *t.steps.Result
	file.Blocks = t.blocks
	err := t.place(file.Object, func() (cache.File, bool, error) {
		e, kept, err := t.worker.Catalog.Publish(t.worker.last, cache.Publication{
			Key: ResultKey(t.job.ID), Endpoint: KindSQL, User: t.job.User, Owner: cache.OwnerUser(t.job.User),
			Job: t.job.ID, Claim: t.holder.Claim, Submitted: t.job.Submitted, Generated: t.steps.Main[len(t.steps.Main)-1].Ended,
			MaxAge: t.plan.MaxAge, MinFresh: t.plan.MaxAge, Unique: true, File: file,
		})
		return e.File, kept, err
	})
	if err != nil {
		return err
	}
	t.steps.Published = true
	return nil
}

// noteDraft lets the catalogue know of an object that is published once all steps are done,
// which may be days from now: a sweep would take it for an orphan by then. Where the
// catalogue does not answer, the rows are kept all the same, since they cannot be read again: no
// sweep takes an object that is younger than the grace and the longest query together, and
// every further step notes it anew.
func (t *sqlTask) noteDraft(object string, tries int) {
	err := t.insist(t.worker.last, tries, func() error { return t.worker.Catalog.Draft(t.worker.last, object) })
	if err != nil {
		t.log.Warn("the catalogue could not be told of rows that are still to be published", "object", object, "error", err)
	}
}

// discard removes an object, and what noteDraft has noted.
func (t *sqlTask) discard(object string) {
	t.held.discard(object)
	ctx, cancel := context.WithTimeout(context.Background(), lastWords)
	defer cancel()
	if err := t.worker.Catalog.DropDraft(ctx, object); err != nil { // in time it goes by itself
		t.log.Warn("a draft of an object that is gone is left in the catalogue", "object", object, "error", err)
	}
}
