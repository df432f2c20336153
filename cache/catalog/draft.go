package catalog

import (
	"context"
	"fmt"
	"time"
)

// draftAge is how long a draft is known for a file to be: longer than any job is paused, or
// waits for what is out of reach, that will be gone on with.
const draftAge = 30 * 24 * time.Hour

// Draft implements cache.Catalog. The row stays when the object is published, and then
// means nothing; Expire takes it away.
func (c *Catalog) Draft(ctx context.Context, object string) error {
	stores := c.inReach()
	if len(stores) == 0 {
		return fmt.Errorf("note a draft: %w", errNoStore)
	}
	// A walk may have listed it before it was noted.
	return c.exec(ctx, "note a draft", `
		WITH kept AS (DELETE FROM slashbatch.removal WHERE store = $1 AND object = $2)
		INSERT INTO slashbatch.draft (store, object) VALUES ($1, $2)
		ON CONFLICT (store, object) DO UPDATE SET made = now()`, stores[0], object)
}

// DropDraft implements cache.Catalog.
func (c *Catalog) DropDraft(ctx context.Context, object string) error {
	return c.exec(ctx, "forget a draft", `DELETE FROM slashbatch.draft WHERE object = $1 AND store = ANY ($2)`, object, c.inReach())
}

// Drafts counts the objects of a store that are still to be published.
func (c *Catalog) Drafts(ctx context.Context, store int64) (int, error) {
	var n int
	err := c.one(ctx, &n, `
		SELECT count(*) FROM slashbatch.draft d WHERE d.store = $1 AND d.made > now() - $2::interval
		AND NOT EXISTS (SELECT FROM slashbatch.location l WHERE l.store = d.store AND l.object = d.object)`, store, draftAge)
	return n, failure("count drafts", err)
}
