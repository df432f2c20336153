package catalog

import (
	"context"
	"errors"
	"time"

	"slashbatch/cache"
)

// ClaimChore tells whether a chore is due, and this worker the one of the fleet to do it
// now: then it is due again after every. A chore that nobody has heard of is due
// after first.
func (c *Catalog) ClaimChore(ctx context.Context, name, worker string, every, first time.Duration) (bool, error) {
	if err := c.exec(ctx, "note a chore", `
		INSERT INTO slashbatch.chore (name, due, worker) VALUES ($1, now() + $3::interval, $2)
		ON CONFLICT DO NOTHING`, name, worker, first); err != nil {
		return false, err
	}
	var claimed string
	err := failure("claim a chore", c.one(ctx, &claimed, `
		UPDATE slashbatch.chore SET due = now() + $3::interval, worker = $2
		WHERE name = $1 AND due <= now() RETURNING name`, name, worker, every))
	if errors.Is(err, cache.ErrNotFound) {
		return false, nil
	}
	return err == nil, err
}

// EndChore notes what came of a chore, and that it is due again after again, if
// that is sooner than it would be.
func (c *Catalog) EndChore(ctx context.Context, name, worker, report string, again time.Duration) error {
	return c.exec(ctx, "note the outcome of a chore", `
		UPDATE slashbatch.chore SET report = $3, due = least(due, now() + $4::interval)
		WHERE name = $1 AND worker = $2`, name, worker, report, again)
}
