package catalog

import (
	"context"
	"time"

	"slashbatch/cache"

	"github.com/jackc/pgx/v5"
)

const locatedColumns = `
	l.variant, l.object, l.state = 'live', l.state = 'missing', l.verified, v.stored, v.bytes, v.sha256, v.gzipped, v.content_type`

// Clock is the catalogue's time.
func (c *Catalog) Clock(ctx context.Context) (time.Time, error) {
	var now time.Time
	err := c.one(ctx, &now, `SELECT now()`)
	return now, failure("ask for the time", err)
}

// Locations returns the files that the books have in a store, at most n: those whose
// object comes after one and begins with a prefix, which ends with a slash, in the
// order in which stores list.
func (c *Catalog) Locations(ctx context.Context, store int64, prefix, after string, n int) ([]cache.Located, error) {
	end := prefix[:len(prefix)-1] + "0" // which comes after the slash
	return list(ctx, c, "list the files of a store", located, `
		SELECT `+locatedColumns+`
		FROM slashbatch.location l JOIN slashbatch.variant v ON v.id = l.variant
		WHERE l.store = $1 AND l.object > $2 AND l.object < $3
		ORDER BY l.object`+limit(n), store, max(prefix, after), end)
}

// Located returns what the books have of an object of a store. ErrNotFound: no file is
// there.
func (c *Catalog) Located(ctx context.Context, store int64, object string) (cache.Located, error) {
	found, err := list(ctx, c, "look up a file of a store", located, `
		SELECT `+locatedColumns+`
		FROM slashbatch.location l JOIN slashbatch.variant v ON v.id = l.variant
		WHERE l.store = $1 AND l.object = $2`, store, object)
	if err == nil && len(found) == 0 {
		err = cache.ErrNotFound
	}
	if err != nil {
		return cache.Located{}, err
	}
	return found[0], nil
}

// Held counts the files that are to be read in a store, and their bytes.
func (c *Catalog) Held(ctx context.Context, store int64) (n int, bytes int64, err error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	err = c.pool.QueryRow(ctx, `
		SELECT count(*), coalesce(sum(v.stored), 0)::bigint
		FROM slashbatch.location l JOIN slashbatch.variant v ON v.id = l.variant
		WHERE l.store = $1 AND l.state = 'live'`, store).Scan(&n, &bytes)
	return n, bytes, failure("count the files of a store", err)
}

// Unlisted returns those of these objects of a store that the books know nothing of:
// neither as files, nor as drafts that are not old, nor as something to remove.
func (c *Catalog) Unlisted(ctx context.Context, store int64, objects []string) ([]string, error) {
	return list(ctx, c, "look for objects without a row", pgx.RowTo[string], `
		SELECT o FROM unnest($2::text[]) o
		WHERE NOT EXISTS (SELECT FROM slashbatch.location l WHERE l.store = $1 AND l.object = o)
		  AND NOT EXISTS (SELECT FROM slashbatch.removal r WHERE r.store = $1 AND r.object = o)
		  AND NOT EXISTS (SELECT FROM slashbatch.draft d WHERE d.store = $1 AND d.object = o AND d.made > now() - $3::interval)`,
		store, objects, draftAge)
}

func located(row pgx.CollectableRow) (l cache.Located, err error) {
	err = row.Scan(&l.Variant, &l.Object, &l.Live, &l.Missing, &l.Verified, &l.Stored, &l.Bytes, &l.SHA256, &l.Gzipped, &l.ContentType)
	return l, err
}

// MarkMissing notes that objects are not in a store, unless more was heard of them
// since. It returns of how many.
func (c *Catalog) MarkMissing(ctx context.Context, store int64, objects []string, since time.Time) (int, error) {
	return c.affected(ctx, "note that files are missing", `
		WITH gone AS MATERIALIZED (
			SELECT variant FROM slashbatch.location
			WHERE store = $1 AND object = ANY ($2) AND state = 'live' AND verified < $3
			FOR UPDATE SKIP LOCKED
		)
		UPDATE slashbatch.location l SET state = 'missing', verified = now() FROM gone
		WHERE l.variant = gone.variant AND l.store = $1`, store, objects, since)
}

// MarkLive notes that objects that were missing from a store are there again, unless
// something was heard of them since. It returns of how many.
func (c *Catalog) MarkLive(ctx context.Context, store int64, objects []string, since time.Time) (int, error) {
	return c.affected(ctx, "note that files are there again", `
		WITH back AS MATERIALIZED (
			SELECT variant FROM slashbatch.location
			WHERE store = $1 AND object = ANY ($2) AND state = 'missing' AND verified < $3
			FOR UPDATE SKIP LOCKED
		)
		UPDATE slashbatch.location l SET state = 'live', verified = now() FROM back
		WHERE l.variant = back.variant AND l.store = $1`, store, objects, since)
}
