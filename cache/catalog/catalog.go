// Package catalog is the cache.Catalog in PostgreSQL: schema slashbatch.
package catalog

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"sync/atomic"
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
	// stores are the ids of those in reach, the one that is written to first.
	stores atomic.Pointer[[]int64]
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
	c := &Catalog{pool: pool}
	c.Use()
	return c, nil
}

// Use tells which stores are in reach, by their ids: the one that is written to
// first. Without it no file is, and nothing can be published.
func (c *Catalog) Use(stores ...int64) { c.stores.Store(&stores) }

func (c *Catalog) inReach() []int64 { return *c.stores.Load() }

// patience is a little more than the database itself allows our statements:
// past it there is nobody at the other end of the connection.
const patience = 20 * time.Second

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
