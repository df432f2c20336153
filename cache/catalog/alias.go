package catalog

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"errors"

	"slashbatch/cache"
)

// Mint implements cache.Catalog.
func (c *Catalog) Mint(ctx context.Context, a cache.Alias) error {
	var name string
	err := c.one(ctx, &name, `
		WITH r AS (
			UPDATE slashbatch.result SET accessed = now() WHERE id = $2 RETURNING id
		)
		INSERT INTO slashbatch.alias (name, result, token, owner, file_name, generated, expires)
		SELECT $1, id, $3, $4, $5, $6, now() + $7::interval FROM r
		RETURNING name`, a.Name, a.Result, a.Token[:], a.Owner, a.FileName, a.Generated, a.TTL)
	return failure("mint an alias", err)
}

// DropAlias implements cache.Catalog. The result is read for the last time now, so to
// say: if this was its last name it is collected after the grace, unless it gets another.
func (c *Catalog) DropAlias(ctx context.Context, name string, token [sha256.Size]byte) error {
	var known []byte
	err := failure("look up an alias", c.one(ctx, &known, `SELECT token FROM slashbatch.alias WHERE name = $1`, name))
	switch {
	case errors.Is(err, cache.ErrNotFound):
		return nil
	case err != nil:
		return err
	case subtle.ConstantTimeCompare(known, token[:]) != 1:
		return cache.ErrToken
	}
	return c.exec(ctx, "drop an alias", `
		WITH r AS (
			UPDATE slashbatch.result SET accessed = now()
			WHERE id = (SELECT result FROM slashbatch.alias WHERE name = $1) RETURNING id
		)
		DELETE FROM slashbatch.alias WHERE name = $1 AND result IN (SELECT id FROM r)`, name)
}
