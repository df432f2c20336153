package pgqueue

import (
	"context"
	"embed"
	"io/fs"

	"github.com/jackc/pgx/v5/pgxpool"

	"slashbatch/internal/pg"
)

//go:embed migrations/*.sql
var files embed.FS

// table is where the applied migrations are noted, apart from the catalogue's.
const table = "queue_migration"

func migrations() ([]pg.Migration, error) {
	folder, err := fs.Sub(files, "migrations")
	if err != nil {
		return nil, err
	}
	return pg.Migrations(folder)
}

// Migrate brings the schema of the queue in the database at a URL up to date and
// returns the names of the migrations that it applied. The error wraps
// queue.ErrUnavailable when the database could not be reached; any other is final.
func Migrate(ctx context.Context, url string) ([]string, error) {
	return onSchema(ctx, url, pg.Migrate)
}

// Behind returns the names of the migrations that Migrate would apply, and changes
// nothing. Errors are as Migrate's.
func Behind(ctx context.Context, url string) ([]string, error) {
	return onSchema(ctx, url, pg.Behind)
}

func onSchema(ctx context.Context, url string, do func(context.Context, *pgxpool.Pool, string, []pg.Migration) ([]pg.Migration, error)) ([]string, error) {
	all, err := migrations()
	if err != nil {
		return nil, err
	}
	config, err := configure(url, 1)
	if err != nil {
		return nil, err
	}
	pool, err := pgxpool.NewWithConfig(ctx, config)
	if err != nil {
		return nil, err
	}
	defer pool.Close()
	some, err := do(ctx, pool, table, all)
	if err != nil {
		err = reachable(err)
	}
	return pg.Names(some), err
}
