package catalog

import (
	"context"
	"errors"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5"
)

// Name is what a word leads to: a result, and by which name.
type Name struct {
	Result int64
	// Key or Alias is the word, where it is one; where both are empty it was the
	// result's id.
	Key, Alias string
}

// Find returns what a word leads to: the id of a result, a request key, or an alias, in
// this order. Valid or expired does not matter. ErrNotFound: it is none of them.
func (c *Catalog) Find(ctx context.Context, word string) (Name, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	id, err := strconv.ParseInt(word, 10, 64)
	if err != nil {
		id = 0 // ids begin at 1
	}
	var n Name
	err = c.pool.QueryRow(ctx, `
		SELECT result, key, alias FROM (
			SELECT 1 AS rank, id AS result, '' AS key, '' AS alias FROM slashbatch.result WHERE id = $2
			UNION ALL SELECT 2, result, key, '' FROM slashbatch.request WHERE key = $1
			UNION ALL SELECT 3, result, '', name FROM slashbatch.alias WHERE name = $1
		) n ORDER BY rank LIMIT 1`, word, id).Scan(&n.Result, &n.Key, &n.Alias)
	return n, failure("look up a name", err)
}

// DropRequest removes a request key, so that the next request for it is computed
// again. Nothing else goes: a result without any other name is collected after the
// grace, which begins now. ErrNotFound: there was no such key.
func (c *Catalog) DropRequest(ctx context.Context, key string) error {
	return c.drop(ctx, "remove a request", key,
		`SELECT result FROM slashbatch.request WHERE key = $1`,
		`DELETE FROM slashbatch.request WHERE key = $1 AND result = $2`)
}

// RemoveAlias is DropRequest for a public name, which an operator needs no token for.
func (c *Catalog) RemoveAlias(ctx context.Context, name string) error {
	return c.drop(ctx, "remove an alias", name,
		`SELECT result FROM slashbatch.alias WHERE name = $1`,
		`DELETE FROM slashbatch.alias WHERE name = $1 AND result = $2`)
}

// dropTries bounds how often a name is looked at again that has begun to lead to
// another result meanwhile.
const dropTries = 5

// errMoved: the name leads to another result now.
var errMoved = errors.New("it keeps changing")

// drop removes a name. The row of its result is locked before its own, as everywhere:
// so whoever publishes or evicts at the same time comes before or after this. A name
// that leads elsewhere by then is looked at again.
func (c *Catalog) drop(ctx context.Context, doing, name, look, remove string) error {
	var err error
	for range dropTries {
		err = c.inTx(ctx, doing, func(ctx context.Context, tx pgx.Tx) error {
			var result int64
			if err := tx.QueryRow(ctx, look, name).Scan(&result); err != nil {
				return err
			}
			if _, err := tx.Exec(ctx, `UPDATE slashbatch.result SET accessed = now() WHERE id = $1`, result); err != nil {
				return err
			}
			tag, err := tx.Exec(ctx, remove, name, result)
			if err == nil && tag.RowsAffected() == 0 {
				return errMoved
			}
			return err
		})
		if !errors.Is(err, errMoved) {
			break
		}
	}
	return err
}

// Now is the catalogue's time, and what has to be submitted when to answer a key: now,
// or with what answers it already where the queue's clock is ahead.
func (c *Catalog) Now(ctx context.Context, key string) (now, submitted time.Time, err error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	err = c.pool.QueryRow(ctx, `
		SELECT now(), greatest(now(), (SELECT submitted FROM slashbatch.request WHERE key = $1))`, key).Scan(&now, &submitted)
	return now, submitted, failure("ask for the time", err)
}
