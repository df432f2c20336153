package catalog

import (
	"context"
	"time"

	"slashbatch/cache"
)

// touchEvery is how exact the times of access are.
const touchEvery = time.Minute

// Touch implements cache.Catalog. Whoever evicts locks the row of the result, or of
// the variant, and looks at its time under that lock. So either the update here finds
// the row, or the row is gone, or somebody else has touched it a moment ago: of these two
// only a lock tells which, since a look would see what was there when the statement began.
func (c *Catalog) Touch(ctx context.Context, e cache.Entry, form cache.Form) error {
	var there bool
	err := c.one(ctx, &there, `
		WITH r AS (
			UPDATE slashbatch.result SET accessed = now() WHERE id = $1 AND accessed < now() - $5::interval RETURNING id
		), v AS (
			UPDATE slashbatch.variant SET accessed = now()
			WHERE result = $1 AND format = $3 AND options = $4 AND accessed < now() - $5::interval RETURNING id
		), q AS (
			UPDATE slashbatch.request SET accessed = now() WHERE key = $2 AND accessed < now() - $5::interval
		)
		SELECT (EXISTS (SELECT FROM r) OR EXISTS (SELECT FROM slashbatch.result WHERE id = $1 FOR KEY SHARE))
		   AND (EXISTS (SELECT FROM v) OR EXISTS (SELECT FROM slashbatch.variant
		                                          WHERE result = $1 AND format = $3 AND options = $4 FOR KEY SHARE))`,
		e.Result, e.Key, form.Format, form.Options, touchEvery)
	if err == nil && !there {
		return cache.ErrNotFound
	}
	return failure("note an access", err)
}

// Missing implements cache.Catalog.
func (c *Catalog) Missing(ctx context.Context, object string) error {
	return c.exec(ctx, "note that a file is missing", `
		UPDATE slashbatch.location SET state = 'missing', verified = now()
		WHERE store = ANY ($2) AND object = $1 AND state = 'live'`, object, c.inReach())
}

// exec runs a statement that gives no rows.
func (c *Catalog) exec(ctx context.Context, doing, sql string, args ...any) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	_, err := c.pool.Exec(ctx, sql, args...)
	return failure(doing, err)
}
