package catalog

import (
	"context"
	"errors"
	"fmt"

	"slashbatch/cache"

	"github.com/jackc/pgx/v5"
)

// Sole counts the files that are in a store and, by the books, in no other.
func (c *Catalog) Sole(ctx context.Context, store int64) (int, error) {
	var n int
	err := c.one(ctx, &n, `
		SELECT count(*) FROM slashbatch.location l WHERE l.store = $1 AND l.state = 'live'
		AND NOT EXISTS (SELECT FROM slashbatch.location o WHERE o.variant = l.variant AND o.store <> $1 AND o.state = 'live')`, store)
	return n, failure("count the files of a store", err)
}

// Vacate takes files of a store out of its books, and lists their objects for removal. It
// returns how many it was. ErrSole: one of them is in no other store, and all are left as
// they are.
func (c *Catalog) Vacate(ctx context.Context, store int64, variants []int64) (vacated int, err error) {
	sole := false
	err = c.inTx(ctx, "take files out of a store", func(ctx context.Context, tx pgx.Tx) error {
		for _, lock := range []string{
			`SELECT FROM slashbatch.result WHERE id IN (SELECT result FROM slashbatch.variant WHERE id = ANY ($1)) ORDER BY id FOR NO KEY UPDATE`,
			`SELECT FROM slashbatch.location WHERE variant = ANY ($1) ORDER BY variant, store FOR UPDATE`,
		} {
			if _, err := tx.Exec(ctx, lock, variants); err != nil {
				return err
			}
		}
		if err := tx.QueryRow(ctx, `
			SELECT EXISTS (
				SELECT FROM slashbatch.location l WHERE l.store = $1 AND l.variant = ANY ($2) AND l.state = 'live'
				AND NOT EXISTS (SELECT FROM slashbatch.location o WHERE o.variant = l.variant AND o.store <> $1 AND o.state = 'live'))`,
			store, variants).Scan(&sole); err != nil || sole {
			return err
		}
		tag, err := tx.Exec(ctx, `
			WITH gone AS (DELETE FROM slashbatch.location WHERE store = $1 AND variant = ANY ($2) RETURNING store, object)
			INSERT INTO slashbatch.removal (store, object) SELECT store, object FROM gone ON CONFLICT DO NOTHING`, store, variants)
		vacated = int(tag.RowsAffected())
		return err
	})
	switch {
	case err != nil:
		return 0, err
	case sole:
		return 0, cache.ErrSole
	}
	return vacated, nil
}

// Copies returns where files are live: those of the variants, in other stores than this
// one, and in any store those whose objects have one of the names.
func (c *Catalog) Copies(ctx context.Context, store int64, variants []int64, names []string) ([]cache.Copy, error) {
	return list(ctx, c, "look for copies of files", pgx.RowToStructByPos[cache.Copy], `
		SELECT l.variant, l.store, l.object, v.stored
		FROM slashbatch.location l JOIN slashbatch.variant v ON v.id = l.variant
		WHERE l.variant = ANY ($2) AND l.store <> $1 AND l.state = 'live'
		UNION
		SELECT l.variant, l.store, l.object, v.stored
		FROM slashbatch.store s JOIN slashbatch.location l ON l.store = s.id AND l.object = ANY ($3) JOIN slashbatch.variant v ON v.id = l.variant
		WHERE l.state = 'live'`, store, variants, names)
}

// Stores returns all stores that the catalogue knows.
func (c *Catalog) Stores(ctx context.Context) ([]cache.Registered, error) {
	return list(ctx, c, "list the stores", pgx.RowToStructByPos[cache.Registered],
		`SELECT id, url, marked IS NOT NULL FROM slashbatch.store ORDER BY id`)
}

// SetAside takes a URL from any other store than this one, which has been found there.
// A store that nothing was ever put into is forgotten; others get a URL back when they
// are found.
func (c *Catalog) SetAside(ctx context.Context, id int64, url string) error {
	if err := c.exec(ctx, "forget an empty store", `
		DELETE FROM slashbatch.store s WHERE url = $2 AND id <> $1 AND marked IS NULL
		AND NOT EXISTS (SELECT FROM slashbatch.location l WHERE l.store = s.id)`, id, url); err != nil {
		return err
	}
	return c.exec(ctx, "note that a store has moved", `
		UPDATE slashbatch.store SET url = url || ' (not there any more, store ' || id || ')' WHERE url = $2 AND id <> $1`, id, url)
}

// errInUse says why a store is not forgotten.
var errInUse = errors.New("files have been put there meanwhile")

// ForgetStore deletes a store that has no files any more.
func (c *Catalog) ForgetStore(ctx context.Context, id int64) error {
	n, err := c.affected(ctx, "forget a store", `
		DELETE FROM slashbatch.store s WHERE id = $1 AND NOT EXISTS (SELECT FROM slashbatch.location l WHERE l.store = s.id)`, id)
	if err == nil && n == 0 {
		if _, err := c.storeExists(ctx, id); errors.Is(err, cache.ErrNotFound) {
			return nil // forgotten before
		}
		err = fmt.Errorf("%w: could not forget a store: %w", cache.ErrUnavailable, errInUse)
	}
	return err
}

func (c *Catalog) storeExists(ctx context.Context, id int64) (found int64, err error) {
	err = c.one(ctx, &found, `SELECT id FROM slashbatch.store WHERE id = $1`, id)
	return found, failure("look up a store", err)
}
