// Package catalog is the cache.Catalog in PostgreSQL: schema slashbatch.
package catalog

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"time"

	"slashbatch/cache"
	"slashbatch/internal/pg"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

//go:embed migrations/*.sql
var files embed.FS

// Catalog implements cache.Catalog.
type Catalog struct {
	pool *pgxpool.Pool
}

var _ cache.Catalog = (*Catalog)(nil)

// conns is how many connections one process opens at most: its statements are
// short, and every request makes one or two.
const conns = 8

// Open prepares the catalogue in the database at a URL without connecting.
// Migrate comes before anything else.
func Open(url string) (*Catalog, error) {
	pool, err := pg.Open(url, "slashbatch catalog", conns)
	if err != nil {
		return nil, err
	}
	return &Catalog{pool: pool}, nil
}

// Close ends all connections.
func (c *Catalog) Close() { c.pool.Close() }

// table is where the applied migrations are noted.
const table = "migration"

// Migrate brings the schema up to date and returns the names of the migrations
// that it applied. The error wraps cache.ErrUnavailable when the database
// could not be reached; any other is final.
func (c *Catalog) Migrate(ctx context.Context) ([]string, error) {
	return c.migrations(ctx, pg.Migrate)
}

// Behind returns the names of the migrations that Migrate would apply, and changes
// nothing. Errors are as Migrate's.
func (c *Catalog) Behind(ctx context.Context) ([]string, error) {
	return c.migrations(ctx, pg.Behind)
}

func (c *Catalog) migrations(ctx context.Context, do func(context.Context, *pgxpool.Pool, string, []pg.Migration) ([]pg.Migration, error)) ([]string, error) {
	folder, err := fs.Sub(files, "migrations")
	if err != nil {
		return nil, err
	}
	all, err := pg.Migrations(folder)
	if err != nil {
		return nil, err
	}
	some, err := do(ctx, c.pool, table, all)
	if err != nil && pg.IsAway(err) {
		err = fmt.Errorf("%w: %w", cache.ErrUnavailable, err)
	}
	return pg.Names(some), err
}

const entryColumns = `
	SELECT q.key, q.published, q.expires, q.expires > now(), now() - q.published,
	       r.id, r.job, r.claim, r.generated, r.object, r.stored, r.rows, r.bytes, r.sha256, r.content_type, r.file_name`

// ByKey implements cache.Catalog.
func (c *Catalog) ByKey(ctx context.Context, key string) (cache.Entry, error) {
	return c.entry(ctx, entryColumns+`
		FROM slashbatch.request q JOIN slashbatch.result r ON r.id = q.result
		WHERE q.key = $1`, key)
}

// ByJob implements cache.Catalog. A result that answers no key any more has
// expired.
func (c *Catalog) ByJob(ctx context.Context, job string) (cache.Entry, error) {
	return c.entry(ctx, `
		SELECT coalesce(q.key, ''), coalesce(q.published, r.created), coalesce(q.expires, r.created),
		       coalesce(q.expires > now(), false), now() - r.created,
		       r.id, r.job, r.claim, r.generated, r.object, r.stored, r.rows, r.bytes, r.sha256, r.content_type, r.file_name
		FROM slashbatch.result r LEFT JOIN slashbatch.request q ON q.result = r.id
		WHERE r.job = $1`, job)
}

// patience is a little more than the database itself allows our statements:
// past it there is nobody at the other end of the connection.
const patience = 20 * time.Second

func (c *Catalog) entry(ctx context.Context, sql string, arg string) (cache.Entry, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	var e cache.Entry
	err := c.pool.QueryRow(ctx, sql, arg).Scan(&e.Key, &e.Published, &e.Expires, &e.Valid, &e.Age,
		&e.Result, &e.Job, &e.Claim, &e.Generated, &e.File.Object, &e.File.Stored, &e.File.Rows, &e.File.Bytes,
		&e.File.SHA256, &e.File.ContentType, &e.File.FileName)
	return e, failure("look up a result", err)
}

// publishSQL records the result and its details, and lets it answer its key
// unless a later submitted job's result does already and is still valid (the
// queue's clock may have stepped back): one statement, so that
// all of it happens or nothing. It returns no row when the job has published before.
const publishSQL = `
	WITH made AS (
		INSERT INTO slashbatch.result
		       (job, claim, owner, endpoint, user_name, object, stored, rows, bytes, sha256, content_type, file_name, generated)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)
		ON CONFLICT (job) DO NOTHING
		RETURNING id
	), detailed AS (
		INSERT INTO slashbatch.detail (result, columns, blocks)
		SELECT id, $14::jsonb, $15::jsonb FROM made
	), answers AS (
		INSERT INTO slashbatch.request AS q (key, result, submitted, spec_digest, expires)
		SELECT $16, id, $17, $18, greatest($13::timestamptz + $19::interval, now() + $20::interval) FROM made
		ON CONFLICT (key) DO UPDATE
		SET result = excluded.result, submitted = excluded.submitted, spec_digest = excluded.spec_digest,
		    published = now(), expires = excluded.expires, accessed = now()
		WHERE q.submitted <= excluded.submitted OR q.expires <= now()
	)
	SELECT id FROM made`

// Publish implements cache.Catalog.
func (c *Catalog) Publish(ctx context.Context, p cache.Publication) (cache.Entry, bool, error) {
	waiting, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	f := p.File
	var id int64
	err := c.pool.QueryRow(waiting, publishSQL,
		p.Job, p.Claim, p.Owner, p.Endpoint, p.User, f.Object, f.Stored, f.Rows, f.Bytes, f.SHA256,
		f.ContentType, f.FileName, p.Generated,
		notNil(f.Columns), notNil(f.Blocks), p.Key, p.Submitted, p.SpecDigest, p.MaxAge, p.MinFresh).Scan(&id)
	if err == nil {
		return cache.Entry{Key: p.Key, Result: id, Job: p.Job, Claim: p.Claim, Generated: p.Generated, Valid: true, File: f}, true, nil
	}
	if !errors.Is(err, pgx.ErrNoRows) {
		return cache.Entry{}, false, failure("publish a result", err)
	}
	// The job has published: this very claim, whose answer was lost, or another.
	e, err := c.ByJob(ctx, p.Job)
	return e, e.Claim == p.Claim, err
}

// notNil keeps an empty list from becoming JSON null.
func notNil[T any](list []T) []T {
	if list == nil {
		return []T{}
	}
	return list
}

// Details implements cache.Catalog.
func (c *Catalog) Details(ctx context.Context, result int64) ([]cache.Column, []cache.Block, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	var columns []cache.Column
	var blocks []cache.Block
	err := c.pool.QueryRow(ctx, `SELECT columns, blocks FROM slashbatch.detail WHERE result = $1`, result).Scan(&columns, &blocks)
	return columns, blocks, failure("look up the details of a result", err)
}

// touchEvery is how exact the time of the last access is.
const touchEvery = time.Minute

// Touch implements cache.Catalog.
func (c *Catalog) Touch(ctx context.Context, key string) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	_, err := c.pool.Exec(ctx, `UPDATE slashbatch.request SET accessed = now() WHERE key = $1 AND accessed < now() - $2::interval`, key, touchEvery)
	return failure("note an access", err)
}

// Forget implements cache.Catalog.
func (c *Catalog) Forget(ctx context.Context, key string, result int64) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	_, err := c.pool.Exec(ctx, `DELETE FROM slashbatch.request WHERE key = $1 AND result = $2`, key, result)
	return failure("forget a result", err)
}

// Ping implements cache.Catalog. It asks for our own table, so that a database
// without our schema is not taken for ready.
func (c *Catalog) Ping(ctx context.Context) error {
	_, err := c.pool.Exec(ctx, `SELECT FROM slashbatch.request LIMIT 1`)
	return failure("ask the catalogue", err)
}

// failure maps errors to the contract's. The message of a failed connection
// names host and user but no password.
func failure(doing string, err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, pgx.ErrNoRows):
		return cache.ErrNotFound
	}
	return fmt.Errorf("%w: could not %s: %w", cache.ErrUnavailable, doing, err)
}
