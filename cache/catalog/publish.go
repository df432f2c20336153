package catalog

import (
	"context"
	"errors"
	"fmt"

	"slashbatch/cache"
)

// errNoStore is a mistake of the program: nothing is published before Use.
var errNoStore = errors.New("no store is in use")

// publishTries bounds how often a publication is repeated because what another claim had
// published was purged before it could be looked at.
const publishTries = 3

// Publish implements cache.Catalog; slashbatch.publish in the migrations does it.
func (c *Catalog) Publish(ctx context.Context, p cache.Publication) (e cache.Entry, kept bool, err error) {
	for range publishTries {
		var won bool
		if e, won, kept, err = c.publish(ctx, p); err != nil || won {
			return e, kept, err
		}
		if e, err = c.ByJob(ctx, p.Job); !errors.Is(err, cache.ErrNotFound) {
			return e, kept, err
		}
	}
	return e, kept, fmt.Errorf("%w: what the job publishes is taken away again", cache.ErrUnavailable)
}

// publish returns an entry only if it won.
func (c *Catalog) publish(ctx context.Context, p cache.Publication) (e cache.Entry, won, kept bool, err error) {
	stores := c.inReach()
	if len(stores) == 0 {
		return cache.Entry{}, false, false, fmt.Errorf("publish a result: %w", errNoStore)
	}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	f := p.File
	digest := cache.ContentDigest(p.Owner, f.Columns, f.SHA256)
	var result int64
	err = c.pool.QueryRow(ctx, `
		SELECT won, kept, result_id, file_object, file_stored FROM slashbatch.publish(
			$1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22, $23, $24, $25)`,
		p.Job, p.Claim, p.Key, p.Owner, p.Endpoint, p.User, f.FileName,
		p.Submitted, p.SpecDigest, p.Generated, p.MaxAge, p.MinFresh, p.Unique, p.Pinned,
		digest[:], f.Rows, notNil(f.Columns), f.ContentType, f.Bytes, f.SHA256, f.Stored, notNil(f.Blocks),
		f.Object, stores, p.Guard).Scan(&won, &kept, &result, &f.Object, &f.Stored)
	if err != nil {
		return cache.Entry{}, false, false, failure("publish a result", err)
	}
	f.Gzipped, f.Columns, f.Blocks = true, nil, nil
	return cache.Entry{
		Key: p.Key, Result: result, Job: p.Job, Claim: p.Claim, Generated: p.Generated, Pinned: p.Pinned, Valid: true, File: f,
	}, won, kept, nil
}

// PublishVariant implements cache.Catalog.
func (c *Catalog) PublishVariant(ctx context.Context, result int64, form cache.Form, f cache.File) (cache.File, bool, error) {
	stores := c.inReach()
	if len(stores) == 0 {
		return cache.File{}, false, fmt.Errorf("publish a file: %w", errNoStore)
	}
	waiting, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	var kept *bool
	err := c.pool.QueryRow(waiting, `SELECT slashbatch.publish_variant($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)`,
		result, form.Format, form.Options, f.ContentType, f.Gzipped, f.Bytes, f.SHA256, f.Stored, notNil(f.Blocks), f.Object, stores).Scan(&kept)
	switch {
	case err != nil:
		return cache.File{}, false, failure("publish a file", err)
	case kept == nil:
		return cache.File{}, false, cache.ErrNotFound
	case *kept:
		f.Blocks = nil
		return f, true, nil
	}
	file, err := c.Variant(ctx, result, form)
	return file, false, err
}

// notNil keeps an empty list from becoming JSON null.
func notNil[T any](list []T) []T {
	if list == nil {
		return []T{}
	}
	return list
}
