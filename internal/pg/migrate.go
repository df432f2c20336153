package pg

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strconv"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
)

// migrateLock is the key of the advisory lock under which one process of a
// fleet migrates while the others wait: "slashbat" as a number.
const migrateLock = 0x736c617368626174

// Migration is one numbered step of a component's schema.
type Migration struct {
	Version int
	Name    string
	sql     string
}

// String is the name of the migration's file without its extension.
func (m Migration) String() string { return fmt.Sprintf("%03d_%s", m.Version, m.Name) }

// Names are the names of migrations, for people.
func Names(migrations []Migration) []string {
	names := make([]string, len(migrations))
	for i, m := range migrations {
		names[i] = m.String()
	}
	return names
}

// Migrations reads the files 001_name.sql, 002_name.sql, … of a folder. The
// numbers must be without gaps, so that two branches cannot both add one.
func Migrations(files fs.FS) ([]Migration, error) {
	names, err := fs.Glob(files, "*.sql")
	if err != nil {
		return nil, err
	}
	slices.Sort(names)
	out := make([]Migration, len(names))
	for i, name := range names {
		number, title, ok := strings.Cut(strings.TrimSuffix(name, ".sql"), "_")
		version, err := strconv.Atoi(number)
		if !ok || err != nil || version != i+1 {
			return nil, fmt.Errorf("migration %s: expected %03d_name.sql", name, i+1)
		}
		text, err := fs.ReadFile(files, name)
		if err != nil {
			return nil, err
		}
		out[i] = Migration{Version: version, Name: title, sql: string(text)}
	}
	return out, nil
}

// Migrate applies what is missing, each migration in its own transaction, and
// returns what it applied. A component notes its migrations in a table of its own,
// in schema slashbatch. Any number of processes may call it at once. A
// schema that is newer than this program is left alone: during a rolling
// restart the older program goes on working.
func Migrate(ctx context.Context, pool *pgxpool.Pool, table string, migrations []Migration) ([]Migration, error) {
	conn, err := pool.Acquire(ctx)
	if err != nil {
		return nil, err
	}
	defer conn.Release()
	table = qualified(table)
	prepare := `
		CREATE SCHEMA IF NOT EXISTS slashbatch;
		CREATE TABLE IF NOT EXISTS ` + table + ` (
			version integer PRIMARY KEY,
			name text NOT NULL,
			applied timestamptz NOT NULL DEFAULT now()
		)`
	// Even CREATE IF NOT EXISTS fails when two run at once, so it is under the lock too.
	if err := locked(ctx, conn.Conn(), func(tx pgx.Tx) error {
		_, err := tx.Exec(ctx, prepare)
		return err
	}); err != nil {
		return nil, err
	}
	var applied []Migration
	for _, m := range migrations {
		err := locked(ctx, conn.Conn(), func(tx pgx.Tx) error {
			var known bool
			err := tx.QueryRow(ctx, `SELECT EXISTS (SELECT FROM `+table+` WHERE version = $1)`, m.Version).Scan(&known)
			if err != nil || known {
				return errors.Join(err, skipped(known))
			}
			// What carries much data over takes its time; ours is a connection whose statements
			// are short otherwise.
			if _, err := tx.Exec(ctx, `SET LOCAL statement_timeout = 0`); err != nil {
				return err
			}
			if _, err := tx.Exec(ctx, m.sql); err != nil {
				return err
			}
			_, err = tx.Exec(ctx, `INSERT INTO `+table+` (version, name) VALUES ($1, $2)`, m.Version, m.Name)
			return err
		})
		if errors.Is(err, errKnown) {
			continue
		}
		if err != nil {
			return applied, fmt.Errorf("migration %s: %w", m, err)
		}
		applied = append(applied, m)
	}
	return applied, nil
}

// Behind returns the migrations that Migrate would apply. It changes nothing.
func Behind(ctx context.Context, pool *pgxpool.Pool, table string, migrations []Migration) ([]Migration, error) {
	var known []int
	rows, err := pool.Query(ctx, `SELECT version FROM `+qualified(table))
	if err == nil {
		known, err = pgx.CollectRows(rows, pgx.RowTo[int])
	}
	if answer, ok := errors.AsType[*pgconn.PgError](err); ok && answer.Code == "42P01" { // no such table: none was applied
		return migrations, nil
	}
	if err != nil {
		return nil, err
	}
	var missing []Migration
	for _, m := range migrations {
		if !slices.Contains(known, m.Version) {
			missing = append(missing, m)
		}
	}
	return missing, nil
}

func qualified(table string) string { return pgx.Identifier{"slashbatch", table}.Sanitize() }

var errKnown = errors.New("known")

func skipped(known bool) error {
	if known {
		return errKnown
	}
	return nil
}

// locked runs f in a transaction that holds the migration lock.
func locked(ctx context.Context, conn *pgx.Conn, f func(pgx.Tx) error) error {
	return pgx.BeginFunc(ctx, conn, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, `SELECT pg_advisory_xact_lock($1)`, int64(migrateLock)); err != nil {
			return err
		}
		return f(tx)
	})
}
