package catalog

import (
	"context"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"
)

// Purged is a result that was killed, with all that led to it.
type Purged struct {
	ID    int64
	Owner string
	// Keys and Aliases are the names that went.
	Keys, Aliases []string
	// Objects is how many files are left to a sweeper to take out of their stores.
	Objects int
}

// Purge kills a result at once, with all its requests, aliases and files: whoever reads
// a file of it just now may see it end early. There is no result with this id: found is
// false, and that is no error.
func (c *Catalog) Purge(ctx context.Context, id int64) (p Purged, found bool, err error) {
	gone, err := c.purge(ctx, []int64{id}, true)
	if err != nil || len(gone) == 0 {
		return Purged{}, false, err
	}
	return gone[0], true, nil
}

// purge kills results in one transaction, in the order in which everybody locks rows:
// result, variant and location, request and alias. Those that are pinned are left, unless
// they are to go as well. The files' names go to slashbatch.removal, which survives this
// process: whatever happens, somebody deletes them.
func (c *Catalog) purge(ctx context.Context, candidates []int64, pinned bool) ([]Purged, error) {
	var all []Purged
	err := c.inTx(ctx, "purge results", func(ctx context.Context, tx pgx.Tx) error {
		rows, err := tx.Query(ctx, `SELECT id, owner FROM slashbatch.result WHERE id = ANY ($1) ORDER BY id FOR UPDATE`, candidates)
		if err != nil {
			return err
		}
		locked, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (p Purged, err error) {
			err = row.Scan(&p.ID, &p.Owner)
			return p, err
		})
		if err != nil {
			return err
		}
		kept, err := ids(ctx, tx, `SELECT DISTINCT result FROM slashbatch.request WHERE result = ANY ($1) AND pinned AND NOT $2`, candidates, pinned)
		if err != nil {
			return err
		}
		for _, p := range locked {
			if slices.Contains(kept, p.ID) {
				continue
			}
			if err := p.purge(ctx, tx); err != nil {
				return err
			}
			all = append(all, p)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return all, nil
}

// purge removes the rows of a result that is locked.
func (p *Purged) purge(ctx context.Context, tx pgx.Tx) error {
	objects, err := texts(ctx, tx, `
		INSERT INTO slashbatch.removal (store, object)
		SELECT l.store, l.object FROM slashbatch.variant v JOIN slashbatch.location l ON l.variant = v.id
		WHERE v.result = $1 ON CONFLICT DO NOTHING RETURNING object`, p.ID)
	if err != nil {
		return err
	}
	p.Objects = len(objects)
	if _, err := tx.Exec(ctx, `DELETE FROM slashbatch.variant WHERE result = $1`, p.ID); err != nil { // and its locations
		return err
	}
	if p.Keys, err = texts(ctx, tx, `DELETE FROM slashbatch.request WHERE result = $1 RETURNING key`, p.ID); err != nil {
		return err
	}
	if p.Aliases, err = texts(ctx, tx, `DELETE FROM slashbatch.alias WHERE result = $1 RETURNING name`, p.ID); err != nil {
		return err
	}
	slices.Sort(p.Keys)
	slices.Sort(p.Aliases)
	_, err = tx.Exec(ctx, `DELETE FROM slashbatch.result WHERE id = $1`, p.ID) // and what its jobs have published
	return err
}

// texts reads a column of texts.
func texts(ctx context.Context, tx pgx.Tx, sql string, args ...any) ([]string, error) {
	rows, err := tx.Query(ctx, sql, args...)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowTo[string])
}

// Extent chooses what to clear, and counts it.
type Extent struct {
	// Endpoint's requests only; empty: all.
	Endpoint string
	// Pinned ones, too.
	Pinned bool
	// Until is when the counting was: what came later is left alone.
	Until time.Time

	// Requests and Results are those that will go, or lead to what will; Unique is how
	// many of the requests nothing can compute again.
	Requests, Results, Unique int
	// PinnedRequests is how many requests are pinned, whether or not they go.
	PinnedRequests int
	// Aliases is how many public names lead to the results.
	Aliases int
}

// Count tells what there is to clear now.
func (c *Catalog) Count(ctx context.Context, endpoint string, pinned bool) (Extent, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	e := Extent{Endpoint: endpoint, Pinned: pinned}
	err := c.pool.QueryRow(ctx, `
		WITH q AS (
			SELECT result, pinned, unique_rows, $2 OR NOT pinned AS goes FROM slashbatch.request WHERE $1 = '' OR endpoint = $1
		), r AS (
			SELECT id FROM slashbatch.result r
			WHERE ($1 = '' OR EXISTS (SELECT FROM q WHERE q.result = r.id))
			  AND ($2 OR NOT EXISTS (SELECT FROM slashbatch.request p WHERE p.result = r.id AND p.pinned))
		)
		SELECT now(), count(*) FILTER (WHERE goes), count(*) FILTER (WHERE goes AND unique_rows), count(*) FILTER (WHERE pinned),
		       (SELECT count(*) FROM r), (SELECT count(*) FROM slashbatch.alias a JOIN r ON r.id = a.result WHERE a.expires > now())
		FROM q`, endpoint, pinned).
		Scan(&e.Until, &e.Requests, &e.Unique, &e.PinnedRequests, &e.Results, &e.Aliases)
	return e, failure("count results", err)
}

// ClearRequests removes up to n request keys that come after a key in order, as
// DropRequest does, in one transaction. It returns the last key that it looked at: who
// goes on from there has cleared all when that is empty.
func (c *Catalog) ClearRequests(ctx context.Context, e Extent, after string, n int) (cleared int, last string, err error) {
	err = c.inTx(ctx, "clear requests", func(ctx context.Context, tx pgx.Tx) error {
		keys, err := texts(ctx, tx, `
			SELECT key FROM slashbatch.request
			WHERE key > $1 AND ($2 = '' OR endpoint = $2) AND ($3 OR NOT pinned) AND published <= $4 ORDER BY key LIMIT $5`,
			after, e.Endpoint, e.Pinned, e.Until, n)
		if err != nil || len(keys) == 0 {
			return err
		}
		last = keys[len(keys)-1]
		results, err := ids(ctx, tx, `
			SELECT id FROM slashbatch.result WHERE id IN (SELECT result FROM slashbatch.request WHERE key = ANY ($1)) ORDER BY id FOR UPDATE`, keys)
		if err != nil {
			return err
		}
		if _, err := tx.Exec(ctx, `UPDATE slashbatch.result SET accessed = now() WHERE id = ANY ($1)`, results); err != nil {
			return err
		}
		gone, err := tx.Exec(ctx, `
			DELETE FROM slashbatch.request WHERE key = ANY ($1) AND result = ANY ($2) AND ($3 OR NOT pinned) AND published <= $4`,
			keys, results, e.Pinned, e.Until)
		cleared = int(gone.RowsAffected())
		return err
	})
	if err != nil {
		return 0, "", err
	}
	return cleared, last, nil
}

// PurgeNext purges up to n results that come after an id in order, in one transaction.
// It returns the last id that it looked at, 0 at the end.
func (c *Catalog) PurgeNext(ctx context.Context, e Extent, after int64, n int) (gone []Purged, last int64, err error) {
	next, err := list(ctx, c, "look for results to purge", pgx.RowTo[int64], `
		SELECT id FROM slashbatch.result r
		WHERE id > $1 AND created <= $4
		  AND ($2 = '' OR EXISTS (SELECT FROM slashbatch.request q WHERE q.result = r.id AND q.endpoint = $2))
		  AND ($3 OR NOT EXISTS (SELECT FROM slashbatch.request q WHERE q.result = r.id AND q.pinned))
		ORDER BY id LIMIT $5`, after, e.Endpoint, e.Pinned, e.Until, n)
	if err != nil || len(next) == 0 {
		return nil, 0, err
	}
	gone, err = c.purge(ctx, next, e.Pinned)
	return gone, next[len(next)-1], err
}
