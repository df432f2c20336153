package catalog

import (
	"context"
	"time"

	"slashbatch/cache"

	"github.com/jackc/pgx/v5"
)

// Details are everything about a result. Tokens of aliases are not among it.
type Details struct {
	ID    int64
	Owner string
	// Digest is what it is known by, beside owner and length, in hex.
	Digest            string
	Rows, Bytes       int64
	Created, Accessed time.Time
	Columns           []TypedColumn
	Files             []StoredFile
	// Requests and Aliases are the first so many in order of their names; the counts are
	// of all.
	Requests                 []RequestName
	Aliases                  []AliasName
	RequestCount, AliasCount int
}

// TypedColumn is a column with the name of its type, which is empty for types that are
// the data source's own.
type TypedColumn struct {
	cache.Column
	Type string
}

// StoredFile is one file of a result, and where it is.
type StoredFile struct {
	Form          cache.Form
	ContentType   string
	Gzipped       bool
	Bytes, Stored int64
	SHA256        string
	// Blocks is how many parts of it can be inflated by themselves.
	Blocks            int
	Created, Accessed time.Time
	Locations         []Location
}

// Location is a store that has, had, or is about to have a file. The URL is without
// credentials; State is copying, live or missing.
type Location struct {
	Store, Object, State string
	Verified             time.Time
}

// RequestName is a request key of a result.
type RequestName struct {
	Key, Endpoint, User, Job      string
	Generated, Published, Expires time.Time
	Accessed                      time.Time
	Pinned, Valid                 bool
}

// AliasName is a public name of a result.
type AliasName struct {
	Name, Owner, FileName       string
	Generated, Created, Expires time.Time
	Valid                       bool
}

// mostNames is how many names of one result are shown.
const mostNames = 1000

// Details returns everything about a result. ErrNotFound: there is none with this id.
func (c *Catalog) Details(ctx context.Context, id int64) (Details, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	var d Details
	// One snapshot, so that what is shown fits together.
	err := pgx.BeginTxFunc(ctx, c.pool, pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly}, func(tx pgx.Tx) error {
		if err := tx.QueryRow(ctx, `
			SELECT id, owner, encode(digest, 'hex'), rows, bytes, created, accessed,
			       (SELECT count(*) FROM slashbatch.request WHERE result = r.id), (SELECT count(*) FROM slashbatch.alias WHERE result = r.id)
			FROM slashbatch.result r WHERE id = $1`, id).
			Scan(&d.ID, &d.Owner, &d.Digest, &d.Rows, &d.Bytes, &d.Created, &d.Accessed, &d.RequestCount, &d.AliasCount); err != nil {
			return err
		}
		if err := d.readColumns(ctx, tx); err != nil {
			return err
		}
		if err := d.readFiles(ctx, tx); err != nil {
			return err
		}
		if err := collect(ctx, tx, &d.Requests, `
			SELECT key, endpoint, user_name, job, generated, published, expires, accessed, pinned, pinned OR expires > now()
			FROM slashbatch.request WHERE result = $1 ORDER BY key LIMIT $2`, id, mostNames); err != nil {
			return err
		}
		return collect(ctx, tx, &d.Aliases, `
			SELECT name, owner, file_name, generated, created, expires, expires > now()
			FROM slashbatch.alias WHERE result = $1 ORDER BY name LIMIT $2`, id, mostNames)
	})
	return d, failure("look up a result", err)
}

// readColumns names the types that PostgreSQL itself has: those have one id everywhere.
func (d *Details) readColumns(ctx context.Context, tx pgx.Tx) error {
	const firstOwn = 16384 // the first id that is not PostgreSQL's
	rows, err := tx.Query(ctx, `
		SELECT c.name, c.oid, coalesce(c.mod, 0), CASE WHEN c.oid < $2 THEN coalesce(format_type(c.oid::oid, nullif(c.mod, 0)), '') ELSE '' END
		FROM slashbatch.result r, ROWS FROM (jsonb_to_recordset(r.columns) AS (name text, oid bigint, mod int)) WITH ORDINALITY AS c(name, oid, mod, n)
		WHERE r.id = $1 ORDER BY c.n`, d.ID, firstOwn)
	if err != nil {
		return err
	}
	d.Columns, err = pgx.CollectRows(rows, func(row pgx.CollectableRow) (t TypedColumn, err error) {
		err = row.Scan(&t.Name, &t.OID, &t.Mod, &t.Type)
		return t, err
	})
	return err
}

func (d *Details) readFiles(ctx context.Context, tx pgx.Tx) error {
	rows, err := tx.Query(ctx, `
		SELECT v.format, v.options, v.content_type, v.gzipped, v.bytes, v.stored, v.sha256, jsonb_array_length(v.blocks), v.created, v.accessed,
		       s.url, l.object, l.state, l.verified
		FROM slashbatch.variant v
		LEFT JOIN slashbatch.location l ON l.variant = v.id
		LEFT JOIN slashbatch.store s ON s.id = l.store
		WHERE v.result = $1 ORDER BY v.format <> 'csv', v.format, v.options, s.id`, d.ID)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var f StoredFile
		var store, object, state *string
		var verified *time.Time
		if err := rows.Scan(&f.Form.Format, &f.Form.Options, &f.ContentType, &f.Gzipped, &f.Bytes, &f.Stored, &f.SHA256, &f.Blocks, &f.Created, &f.Accessed,
			&store, &object, &state, &verified); err != nil {
			return err
		}
		if n := len(d.Files); n == 0 || d.Files[n-1].Form != f.Form {
			d.Files = append(d.Files, f)
		}
		if object != nil {
			last := &d.Files[len(d.Files)-1]
			last.Locations = append(last.Locations, Location{value(store), *object, value(state), value(verified)})
		}
	}
	return rows.Err()
}

// collect reads rows into structs, field by field.
func collect[T any](ctx context.Context, tx pgx.Tx, into *[]T, sql string, args ...any) error {
	rows, err := tx.Query(ctx, sql, args...)
	if err != nil {
		return err
	}
	*into, err = pgx.CollectRows(rows, pgx.RowToStructByPos[T])
	return err
}
