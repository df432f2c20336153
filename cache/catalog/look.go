package catalog

import (
	"context"

	"slashbatch/cache"
)

// fileSQL finds the csv of a result r in the stores $2. All of its locations hold
// the same file under the same name, so any will do.
const fileSQL = `
	JOIN slashbatch.variant v ON v.result = r.id AND v.format = 'csv' AND v.options = ''
	JOIN LATERAL (
		SELECT l.object FROM slashbatch.location l
		WHERE l.variant = v.id AND l.state = 'live' AND l.store = ANY ($2) LIMIT 1
	) l ON true`

const fileColumns = `
	r.id, l.object, v.stored, r.rows, v.bytes, v.sha256, v.gzipped, v.content_type`

// ByKey implements cache.Catalog.
func (c *Catalog) ByKey(ctx context.Context, key string) (cache.Entry, error) {
	return c.entry(ctx, key, `
		SELECT q.key, q.job, q.claim, q.generated, q.published, q.expires, q.pinned,
		       q.pinned OR q.expires > now(), now() - q.published, q.guard, q.file_name,`+fileColumns+`
		FROM slashbatch.request q JOIN slashbatch.result r ON r.id = q.result`+fileSQL+`
		WHERE q.key = $1`)
}

// ByJob implements cache.Catalog. A result that does not answer the job's key any
// more has expired.
func (c *Catalog) ByJob(ctx context.Context, job string) (cache.Entry, error) {
	return c.entry(ctx, job, `
		SELECT u.key, u.job, u.claim, u.generated, u.created, coalesce(q.expires, u.created), coalesce(q.pinned, false),
		       coalesce(q.pinned OR q.expires > now(), false), now() - u.created, NULL, u.file_name,`+fileColumns+`
		FROM slashbatch.run u JOIN slashbatch.result r ON r.id = u.result
		LEFT JOIN slashbatch.request q ON q.key = u.key AND q.result = u.result`+fileSQL+`
		WHERE u.job = $1`)
}

// ByAlias implements cache.Catalog.
func (c *Catalog) ByAlias(ctx context.Context, name string) (cache.Entry, error) {
	return c.entry(ctx, name, `
		SELECT '', '', '', a.generated, a.created, a.expires, false, true, now() - a.created, NULL, a.file_name,`+fileColumns+`
		FROM slashbatch.alias a JOIN slashbatch.result r ON r.id = a.result`+fileSQL+`
		WHERE a.name = $1 AND a.expires > now()`)
}

func (c *Catalog) entry(ctx context.Context, name, sql string) (cache.Entry, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	var e cache.Entry
	err := c.pool.QueryRow(ctx, sql, name, c.inReach()).Scan(
		&e.Key, &e.Job, &e.Claim, &e.Generated, &e.Published, &e.Expires, &e.Pinned, &e.Valid, &e.Age, &e.Guard, &e.File.FileName,
		&e.Result, &e.File.Object, &e.File.Stored, &e.File.Rows, &e.File.Bytes, &e.File.SHA256, &e.File.Gzipped, &e.File.ContentType)
	return e, failure("look up a result", err)
}

// Variant implements cache.Catalog.
func (c *Catalog) Variant(ctx context.Context, result int64, form cache.Form) (cache.File, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	var f cache.File
	err := c.pool.QueryRow(ctx, `
		SELECT l.object, v.stored, r.rows, v.bytes, v.sha256, v.gzipped, v.content_type
		FROM slashbatch.variant v JOIN slashbatch.result r ON r.id = v.result
		JOIN LATERAL (
			SELECT l.object FROM slashbatch.location l
			WHERE l.variant = v.id AND l.state = 'live' AND l.store = ANY ($2) LIMIT 1
		) l ON true
		WHERE v.result = $1 AND v.format = $3 AND v.options = $4`, result, c.inReach(), form.Format, form.Options).
		Scan(&f.Object, &f.Stored, &f.Rows, &f.Bytes, &f.SHA256, &f.Gzipped, &f.ContentType)
	return f, failure("look up a file", err)
}

// Columns implements cache.Catalog.
func (c *Catalog) Columns(ctx context.Context, result int64) ([]cache.Column, error) {
	var columns []cache.Column
	err := c.one(ctx, &columns, `SELECT columns FROM slashbatch.result WHERE id = $1`, result)
	return columns, failure("look up the columns of a result", err)
}

// Blocks implements cache.Catalog.
func (c *Catalog) Blocks(ctx context.Context, result int64, form cache.Form) ([]cache.Block, error) {
	var blocks []cache.Block
	err := c.one(ctx, &blocks, `SELECT blocks FROM slashbatch.variant WHERE result = $1 AND format = $2 AND options = $3`, result, form.Format, form.Options)
	return blocks, failure("look up the blocks of a file", err)
}

// one reads a single value.
func (c *Catalog) one(ctx context.Context, into any, sql string, args ...any) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	return c.pool.QueryRow(ctx, sql, args...).Scan(into)
}
