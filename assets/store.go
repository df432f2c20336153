package assets

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"time"

	"slashbatch/internal/pg"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
)

// Errors that answers are made of; any other error wraps ErrUnavailable.
var (
	// ErrNotFound: there is no such thing, or it is another customer's.
	ErrNotFound = errors.New("assets: not found")
	// ErrUnavailable: the database could not be asked.
	ErrUnavailable = errors.New("assets: backend unavailable")
	// ErrTaken: the name, or the number, belongs to another one.
	ErrTaken = errors.New("assets: taken")
)

// RefusedError says what is wrong with what was asked for, in the words that clients are told.
type RefusedError struct{ Reason string }

func (e *RefusedError) Error() string { return e.Reason }

func refused(format string, args ...any) error { return &RefusedError{fmt.Sprintf(format, args...)} }

// Options of a Store.
type Options struct {
	// Deadline is how long a member may wait for its outcome (default 24 h), Lease how long it
	// is an ingester's (default 5 min).
	Deadline, Lease time.Duration
}

// Store keeps customers, assets and batches in PostgreSQL. The clock is the database's.
type Store struct {
	pool *pgxpool.Pool
	Options
}

//go:embed migrations/*.sql
var migrationFiles embed.FS

//go:embed lists/*.yaml
var listFiles embed.FS

// Lists are the declared endpoints over these tables, as files of YAML.
func Lists() fs.FS {
	files, err := fs.Sub(listFiles, "lists")
	if err != nil {
		panic(err) // it is embedded
	}
	return files
}

// conns is how many connections a process has for these tables.
const conns = 8

// Open prepares a Store over the database of the catalogue, without connecting.
func Open(url string, o Options) (*Store, error) {
	pool, err := pg.Open(url, "slashbatch assets", conns)
	if err != nil {
		return nil, err
	}
	if o.Deadline == 0 {
		o.Deadline = 24 * time.Hour
	}
	if o.Lease == 0 {
		o.Lease = 5 * time.Minute
	}
	return &Store{pool: pool, Options: o}, nil
}

// Close lets go of the connections.
func (s *Store) Close() { s.pool.Close() }

const migrationTable = "assets_migration"

// Migrate brings the tables up to date and returns the names of what it applied.
func (s *Store) Migrate(ctx context.Context) ([]string, error) {
	return s.migrations(ctx, pg.Migrate)
}

// Behind returns the names of what Migrate would apply.
func (s *Store) Behind(ctx context.Context) ([]string, error) {
	return s.migrations(ctx, pg.Behind)
}

func (s *Store) migrations(ctx context.Context, do func(context.Context, *pgxpool.Pool, string, []pg.Migration) ([]pg.Migration, error)) ([]string, error) {
	files, err := fs.Sub(migrationFiles, "migrations")
	if err != nil {
		return nil, err
	}
	all, err := pg.Migrations(files)
	if err != nil {
		return nil, err
	}
	done, err := do(ctx, s.pool, migrationTable, all)
	if err != nil && pg.IsAway(err) {
		err = failure("migrate", err)
	}
	return pg.Names(done), err
}

// patience bounds one call.
const patience = 15 * time.Second

// change runs f in a transaction, again where PostgreSQL has ended it for the sake of another.
func (s *Store) change(ctx context.Context, doing string, f func(ctx context.Context, tx pgx.Tx) error) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	const tries = 10
	for try := 1; ; try++ {
		err := pgx.BeginFunc(ctx, s.pool, func(tx pgx.Tx) error { return f(ctx, tx) })
		if code := codeOf(err); try == tries || code != "40P01" && code != "40001" {
			return failure(doing, err)
		}
	}
}

func codeOf(err error) string {
	if answer, ok := errors.AsType[*pgconn.PgError](err); ok {
		return answer.Code
	}
	return ""
}

// failure is what callers are told of an error: what is an answer stays, what is not wraps
// ErrUnavailable.
func failure(doing string, err error) error {
	if err == nil {
		return nil
	}
	if errors.Is(err, pgx.ErrNoRows) {
		return ErrNotFound
	}
	if _, told := errors.AsType[*RefusedError](err); told || errors.Is(err, ErrNotFound) || errors.Is(err, ErrTaken) {
		return err
	}
	switch code := codeOf(err); {
	case code == "23505": // a unique index has it
		return ErrTaken
	case strings.HasPrefix(code, "22"), strings.HasPrefix(code, "54"): // data, or a limit of the database's
		answer, _ := errors.AsType[*pgconn.PgError](err)
		return refused("the database does not take a value: %s", answer.Message)
	}
	return fmt.Errorf("%w: could not %s: %w", ErrUnavailable, doing, err)
}

// row reads the one row of a statement.
func (s *Store) row(ctx context.Context, doing, sql string, args []any, into ...any) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	return failure(doing, s.pool.QueryRow(ctx, sql, args...).Scan(into...))
}

// column reads the one column of a statement.
func column[T any](ctx context.Context, tx pgx.Tx, sql string, args ...any) ([]T, error) {
	rows, err := tx.Query(ctx, sql, args...)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowTo[T])
}

// AssetID is the id of an asset among those of all customers.
func AssetID(customer, space int, key string) string {
	return fmt.Sprintf("%d/%d/%s", customer, space, key)
}
