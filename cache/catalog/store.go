package catalog

import (
	"context"
	"errors"

	"slashbatch/cache"
)

// Name is the catalogue's own name, which the stores it uses are marked with.
func (c *Catalog) Name(ctx context.Context) (string, error) {
	var name string
	err := c.one(ctx, &name, `SELECT value FROM slashbatch.setting WHERE name = 'catalog'`)
	return name, failure("ask for the catalogue's name", err)
}

// StoreByURL returns the id of the store at a URL, which is without credentials. A store that
// was not known becomes so; the first of all is the one whose URL was not noted, if
// there is one.
func (c *Catalog) StoreByURL(ctx context.Context, url string) (id int64, marked bool, err error) {
	if err := c.exec(ctx, "note a store", `
		UPDATE slashbatch.store SET url = $1
		WHERE url = '' AND NOT EXISTS (SELECT FROM slashbatch.store WHERE url = $1)`, url); err != nil {
		return 0, false, err
	}
	if err := c.exec(ctx, "note a store", `INSERT INTO slashbatch.store (url) VALUES ($1) ON CONFLICT DO NOTHING`, url); err != nil {
		return 0, false, err
	}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	err = c.pool.QueryRow(ctx, `SELECT id, marked IS NOT NULL FROM slashbatch.store WHERE url = $1`, url).Scan(&id, &marked)
	return id, marked, failure("look up a store", err)
}

// MoveStore notes that a store is found under another URL now. ErrNotFound: there is
// no such store.
func (c *Catalog) MoveStore(ctx context.Context, id int64, url string) error {
	err := c.one(ctx, &id, `
		WITH other AS (
			-- A row that nothing was ever put under is in the way.
			DELETE FROM slashbatch.store s WHERE url = $2 AND id <> $1 AND marked IS NULL
			AND NOT EXISTS (SELECT FROM slashbatch.location l WHERE l.store = s.id)
		)
		UPDATE slashbatch.store SET url = $2, marked = coalesce(marked, now()) WHERE id = $1 RETURNING id`, id, url)
	if errors.Is(err, cache.ErrNotFound) {
		return cache.ErrNotFound
	}
	return failure("note where a store is", err)
}

// Marked notes that a store bears our marker.
func (c *Catalog) Marked(ctx context.Context, id int64) error {
	return c.exec(ctx, "note the marker of a store", `UPDATE slashbatch.store SET marked = coalesce(marked, now()) WHERE id = $1`, id)
}
