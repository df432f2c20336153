package catalog

import (
	"context"

	"slashbatch/cache"

	"github.com/jackc/pgx/v5"
)

// Wish implements cache.Catalog.
func (c *Catalog) Wish(ctx context.Context, key string, w cache.Wish) error {
	return c.exec(ctx, "note a wish", `
		INSERT INTO slashbatch.wish (key, format, options, user_name, running_cap)
		VALUES ($1, $2, $3, $4, $5)
		ON CONFLICT (key, format, options, user_name) DO NOTHING`,
		key, w.Form.Format, w.Form.Options, w.User, w.RunningCap)
}

// Wishes implements cache.Catalog.
func (c *Catalog) Wishes(ctx context.Context, key string) ([]cache.Wish, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	rows, err := c.pool.Query(ctx, `
		SELECT format, options, user_name, running_cap FROM slashbatch.wish WHERE key = $1 ORDER BY made, format, options, user_name`, key)
	if err != nil {
		return nil, failure("look up wishes", err)
	}
	wishes, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (w cache.Wish, err error) {
		err = row.Scan(&w.Form.Format, &w.Form.Options, &w.User, &w.RunningCap)
		return w, err
	})
	return wishes, failure("look up wishes", err)
}

// Grant implements cache.Catalog.
func (c *Catalog) Grant(ctx context.Context, key string) error {
	return c.exec(ctx, "forget wishes", `DELETE FROM slashbatch.wish WHERE key = $1`, key)
}
