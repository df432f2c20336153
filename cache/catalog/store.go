package catalog

import (
	"context"

	"slashbatch/cache"

	"github.com/jackc/pgx/v5"
)

// Name is the catalogue's own name, which the stores it uses are marked with.
func (c *Catalog) Name(ctx context.Context) (string, error) {
	var name string
	err := c.one(ctx, &name, `SELECT value FROM slashbatch.setting WHERE name = 'catalog'`)
	return name, failure("ask for the catalogue's name", err)
}

// StoreByURL returns the id of the store at a URL, which is without credentials. A store that
// was not known becomes so.
func (c *Catalog) StoreByURL(ctx context.Context, url string) (id int64, marked bool, err error) {
	if err := c.exec(ctx, "note a store", `INSERT INTO slashbatch.store (url) VALUES ($1) ON CONFLICT DO NOTHING`, url); err != nil {
		return 0, false, err
	}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	err = c.pool.QueryRow(ctx, `SELECT id, marked IS NOT NULL FROM slashbatch.store WHERE url = $1`, url).Scan(&id, &marked)
	return id, marked, failure("look up a store", err)
}

// MoveStore notes that a store is found under another URL now, which SetAside has freed.
// ErrNotFound: there is no such store.
func (c *Catalog) MoveStore(ctx context.Context, id int64, url string) error {
	err := c.one(ctx, &id, `
		UPDATE slashbatch.store SET url = $2, marked = coalesce(marked, now()) WHERE id = $1 RETURNING id`, id, url)
	return failure("note where a store is", err)
}

// Marked notes that a store bears our marker.
func (c *Catalog) Marked(ctx context.Context, id int64) error {
	return c.exec(ctx, "note the marker of a store", `UPDATE slashbatch.store SET marked = coalesce(marked, now()) WHERE id = $1`, id)
}

// Unplaced returns the store of the first version, as long as nobody has said which one that
// is, and up to n of its files, the youngest. An id of 0: there is none.
func (c *Catalog) Unplaced(ctx context.Context, n int) (id int64, files []cache.Located, err error) {
	if err := c.one(ctx, &id, `SELECT coalesce((SELECT id FROM slashbatch.store WHERE url = ''), 0)`); err != nil || id == 0 {
		return 0, nil, failure("look up a store", err)
	}
	files, err = list(ctx, c, "list files of a store", located, `
		SELECT `+locatedColumns+`
		FROM slashbatch.location l JOIN slashbatch.variant v ON v.id = l.variant
		WHERE l.store = $1 AND l.state = 'live'
		ORDER BY l.variant DESC`+limit(n), id)
	return id, files, err
}

// Place notes that the store of the first version is the one at a URL. Where another row
// has that URL already, its files become that one's, some at a time; killed in between it goes on
// when it is called again. Of several processes that do so each has the same in the end.
func (c *Catalog) Place(ctx context.Context, unplaced int64, url string) error {
	named, err := c.affected(ctx, "note where a store is", `
		UPDATE slashbatch.store SET url = $2
		WHERE id = $1 AND url = '' AND NOT EXISTS (SELECT FROM slashbatch.store WHERE url = $2)`, unplaced, url)
	if err != nil || named > 0 {
		return err
	}
	id, _, err := c.StoreByURL(ctx, url)
	if err != nil || id == unplaced {
		return err
	}
	// A row that the other has already is of the same object.
	if err := c.exec(ctx, "forget files", `
		DELETE FROM slashbatch.location o WHERE store = $1
		AND EXISTS (SELECT FROM slashbatch.location t WHERE t.store = $2 AND t.variant = o.variant)`, unplaced, id); err != nil {
		return err
	}
	for moved := 1; moved > 0; {
		if moved, err = c.placeSome(ctx, unplaced, id); err != nil {
			return err
		}
	}
	// What was to be removed there is an object that nobody knows; a walk finds it.
	return c.exec(ctx, "forget a store", `
		DELETE FROM slashbatch.store s WHERE id = $1 AND NOT EXISTS (SELECT FROM slashbatch.location l WHERE l.store = s.id)`, unplaced)
}

// placeSome makes some files of one store those of another, and returns how many.
func (c *Catalog) placeSome(ctx context.Context, from, to int64) (n int, err error) {
	err = c.inTx(ctx, "note where files are", func(ctx context.Context, tx pgx.Tx) error {
		// Two processes that changed the same rows would wait for each other.
		if _, err := tx.Exec(ctx, `SELECT pg_advisory_xact_lock(hashtextextended('slashbatch place', 0))`); err != nil {
			return err
		}
		tag, err := tx.Exec(ctx, `
			UPDATE slashbatch.location l SET store = $2
			FROM (SELECT variant FROM slashbatch.location WHERE store = $1`+limit(placeAtOnce)+`) few
			WHERE l.variant = few.variant AND l.store = $1`, from, to)
		n = int(tag.RowsAffected())
		return err
	})
	return n, err
}

// placeAtOnce is how many rows are changed in a statement: none takes long.
const placeAtOnce = 5000
