package jobs

import (
	"context"
	"errors"
	"slices"
	"strings"

	"slashbatch/cache"
	"slashbatch/internal/rows"
)

// publish makes a committed object the answer to its request; see the package
// comment for the order. Whatever is not published is deleted again, but for
// an answer of the catalogue that never came: then the object may be the
// published one.
func (a *exportTask) publish(ctx context.Context, sum rows.Summary, written rows.Written, columns []rows.Column, object string) (cache.Entry, error) {
	if err := a.insist(ctx, insistTries, func() error { return a.worker.Queue.Seal(ctx, a.holder) }); err != nil {
		a.discard(object) // sealed or not, nobody has been told its name
		return cache.Entry{}, err
	}
	// Sealed: the job cannot be cancelled any more. Neither does a drain stop
	// it here, since what is left takes a moment.
	ctx = a.worker.last
	var entry cache.Entry
	err := a.place(object, func() (file cache.File, kept bool, err error) {
		entry, kept, err = a.worker.Catalog.Publish(ctx, a.publication(sum, written, columns, object))
		return entry.File, kept, err
	})
	return entry, err
}

// placeTries is how many files may turn out to be missing while an object is published.
const placeTries = 5

// place publishes an object. Where another file stands for it already, that is looked at
// before the object is deleted: rows are not given up for a file that is not there.
func (h held) place(object string, publish func() (cache.File, bool, error)) error {
	ctx := h.worker.last
	var err error
	for range placeTries {
		var kept bool
		err = h.insist(ctx, insistTries, func() error {
			file, mine, err := publish()
			if err != nil || mine {
				kept = mine
				return err
			}
			_, err = h.worker.Store.Stat(ctx, file.Object)
			if errors.Is(err, cache.ErrNotFound) {
				err = errors.Join(err, h.worker.Catalog.Missing(ctx, file.Object))
			}
			return err
		})
		switch {
		case errors.Is(err, cache.ErrNotFound) && !errors.Is(err, cache.ErrUnavailable):
			continue // to be published once more, in the place of that file
		case err == nil && !kept:
			h.log.Info("these rows are stored already")
			h.discard(object)
		}
		return err
	}
	return err
}

func (a *exportTask) publication(sum rows.Summary, written rows.Written, columns []rows.Column, object string) cache.Publication {
	file := FileOf(object, sum.Rows, written, columns, a.plan.ContentType, a.plan.FileName)
	for i, c := range file.Columns {
		file.Columns[i].Array = c.Array || slices.Contains(a.plan.Arrays, c.Name)
	}
	return cache.Publication{
		Key: a.plan.Key, Endpoint: a.plan.Endpoint, User: a.job.User, Owner: a.plan.Owner,
		Job: a.job.ID, Claim: a.holder.Claim, Submitted: a.job.Submitted, SpecDigest: a.plan.SpecDigest,
		Generated: sum.Snapshot, MaxAge: a.plan.MaxAge, MinFresh: a.plan.MinFresh, Guard: sum.Guard,
		File: *file,
	}
}

// FileOf describes a committed csv, written as Export does it. Arrays of other types than
// PostgreSQL's own are known as such where a column has its type's name.
func FileOf(object string, count int64, written rows.Written, columns []rows.Column, contentType, name string) *cache.File {
	file := &cache.File{
		Object: object, Stored: written.Stored, Rows: count, Bytes: written.Plain, SHA256: written.SHA256,
		Gzipped: true, ContentType: contentType, FileName: name,
	}
	for _, c := range columns {
		file.Columns = append(file.Columns, cache.Column{
			Name: c.Name, OID: c.OID, Mod: c.Mod, Array: c.OID >= rows.FirstOwnType && strings.HasSuffix(c.Type, "[]"),
		})
	}
	for _, b := range written.Blocks {
		file.Blocks = append(file.Blocks, cache.Block(b))
	}
	return file
}

// discard removes an object that nothing refers to.
func (h held) discard(object string) {
	ctx, cancel := context.WithTimeout(context.Background(), lastWords)
	defer cancel()
	if err := h.worker.Store.Delete(ctx, object); err != nil {
		h.log.Warn("an unpublished object is left over", "object", object, "error", err)
	}
}
