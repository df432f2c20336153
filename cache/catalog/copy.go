package catalog

import (
	"context"
	"fmt"
	"time"

	"slashbatch/cache"

	"github.com/jackc/pgx/v5"
)

// A file is copied in the steps of the location's state. Intend notes that an object
// is about to be written, so that whatever is left of it has a row; then come the
// bytes, which take their time without any lock; Landed makes it live, if it is still
// the file that was meant. Each locks the row of the result first, as who evicts or
// replaces the file does.

// LockCopy makes this process the only one that copies from a store, until release
// or its death. ErrBusy: another one is at it.
func (c *Catalog) LockCopy(ctx context.Context, source int64) (release func(), err error) {
	// A lock belongs to a session, so the session is nobody else's.
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	conn, err := pgx.ConnectConfig(ctx, c.pool.Config().ConnConfig)
	if err != nil {
		return nil, failure("connect", err)
	}
	release = func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		_ = conn.Close(ctx) // which ends the lock, one way or the other
	}
	var locked bool
	if err = conn.QueryRow(ctx, `SELECT pg_try_advisory_lock(hashtextextended('slashbatch copy ' || $1, 0))`, fmt.Sprint(source)).Scan(&locked); err == nil && locked {
		return release, nil
	}
	release()
	if err == nil {
		err = cache.ErrBusy
		return nil, err
	}
	return nil, failure("lock a store", err)
}

// NoteCopy notes for people that a copy begins, and returns its id.
func (c *Catalog) NoteCopy(ctx context.Context, source, target int64) (int64, error) {
	var id int64
	err := c.one(ctx, &id, `INSERT INTO slashbatch.store_copy (source, target) VALUES ($1, $2) RETURNING id`, source, target)
	return id, failure("note a copy", err)
}

// EndCopy notes that a copy is complete.
func (c *Catalog) EndCopy(ctx context.Context, id int64) error {
	return c.exec(ctx, "note the end of a copy", `UPDATE slashbatch.store_copy SET finished = now() WHERE id = $1`, id)
}

// toCopy are the locations l that are live in $1 and not in $2.
const toCopy = `
	FROM slashbatch.location l JOIN slashbatch.variant v ON v.id = l.variant
	WHERE l.store = $1 AND l.state = 'live'
	  AND NOT EXISTS (SELECT FROM slashbatch.location t WHERE t.variant = l.variant AND t.store = $2 AND t.state = 'live')`

// ToCopy returns files that are in the source and not in the target, at most n, in the
// order of their variants after one.
func (c *Catalog) ToCopy(ctx context.Context, source, target, after int64, n int) ([]cache.Located, error) {
	return list(ctx, c, "list the files to copy", located,
		`SELECT `+locatedColumns+toCopy+` AND l.variant > $3 ORDER BY l.variant`+limit(n), source, target, after)
}

// LeftToCopy counts all of them, and their bytes.
func (c *Catalog) LeftToCopy(ctx context.Context, source, target int64) (n int, bytes int64, err error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	err = c.pool.QueryRow(ctx, `SELECT count(*), coalesce(sum(v.stored), 0)::bigint`+toCopy, source, target).Scan(&n, &bytes)
	return n, bytes, failure("count the files to copy", err)
}

// lockResult locks the row of a file's result; false when it is gone.
func lockResult(ctx context.Context, tx pgx.Tx, variant int64) (bool, error) {
	locked, err := ids(ctx, tx, `
		SELECT id FROM slashbatch.result WHERE id = (SELECT result FROM slashbatch.variant WHERE id = $1)
		FOR NO KEY UPDATE`, variant)
	return len(locked) > 0, err
}

// Intend notes that a file is about to be written to the target, under the name it has
// in the source. It returns false when there is nothing to do: the file is
// gone or another one by now, or has been copied.
func (c *Catalog) Intend(ctx context.Context, f cache.Located, source, target int64) (bool, error) {
	intended := false
	err := c.inTx(ctx, "note what is copied", func(ctx context.Context, tx pgx.Tx) error {
		if there, err := lockResult(ctx, tx, f.Variant); !there {
			return err
		}
		same, err := ids(ctx, tx, `
			SELECT v.id FROM slashbatch.variant v
			JOIN slashbatch.location l ON l.variant = v.id AND l.store = $2 AND l.object = $3 AND l.state = 'live'
			WHERE v.id = $1 AND v.sha256 = $4 AND v.stored = $5`, f.Variant, source, f.Object, f.SHA256, f.Stored)
		if err != nil || len(same) == 0 {
			return err
		}
		// An earlier attempt may have been about an earlier file.
		if _, err := tx.Exec(ctx, `
			INSERT INTO slashbatch.removal (store, object)
			SELECT store, object FROM slashbatch.location WHERE variant = $1 AND store = $2 AND object <> $3 AND state <> 'live'
			ON CONFLICT DO NOTHING`, f.Variant, target, f.Object); err != nil {
			return err
		}
		tag, err := tx.Exec(ctx, `
			INSERT INTO slashbatch.location AS l (variant, store, object, state) VALUES ($1, $2, $3, 'copying')
			ON CONFLICT (variant, store) DO UPDATE SET object = excluded.object, state = 'copying', verified = now()
			WHERE l.state <> 'live'`, f.Variant, target, f.Object)
		if err != nil || tag.RowsAffected() == 0 {
			return err
		}
		intended = true
		_, err = tx.Exec(ctx, `DELETE FROM slashbatch.removal WHERE store = $1 AND object = $2`, target, f.Object)
		return err
	})
	return intended && err == nil, err
}

// Landed notes that a file has been copied. It returns false when it is not wanted any
// more: the result has gone, or has another file. Then its object in the target is
// listed for removal.
func (c *Catalog) Landed(ctx context.Context, f cache.Located, target int64) (bool, error) {
	live := false
	err := c.inTx(ctx, "note what was copied", func(ctx context.Context, tx pgx.Tx) error {
		there, err := lockResult(ctx, tx, f.Variant)
		if err != nil {
			return err
		}
		if there {
			found, err := ids(ctx, tx, `
				UPDATE slashbatch.location SET state = 'live', verified = now()
				WHERE variant = $1 AND store = $2 AND object = $3 AND state IN ('copying', 'live') RETURNING variant`, f.Variant, target, f.Object)
			if live = len(found) > 0; live || err != nil {
				return err
			}
		}
		_, err = tx.Exec(ctx, `
			INSERT INTO slashbatch.removal (store, object)
			SELECT $1, $2 WHERE NOT EXISTS (SELECT FROM slashbatch.location WHERE store = $1 AND object = $2)
			ON CONFLICT DO NOTHING`, target, f.Object)
		return err
	})
	return live && err == nil, err
}

// GiveUp takes back what Intend has noted. What is there of the object is listed for
// removal.
func (c *Catalog) GiveUp(ctx context.Context, f cache.Located, target int64) error {
	_, err := c.takeBack(ctx, f.Variant, &target, 0)
	return err
}

// Abandon takes back what Intend has noted, for copies that nobody has gone on with for
// as long as age, in any store. What is there of their objects is listed for removal.
func (c *Catalog) Abandon(ctx context.Context, age time.Duration) (abandoned int, err error) {
	var last int64
	for {
		variants, err := list(ctx, c, "look for abandoned copies", pgx.RowTo[int64], `
			SELECT DISTINCT variant FROM slashbatch.location
			WHERE state = 'copying' AND verified < now() - $1::interval AND variant > $2
			ORDER BY variant`+limit(atOnce), age, last)
		if err != nil || len(variants) == 0 {
			return abandoned, err
		}
		for _, last = range variants {
			n, err := c.takeBack(ctx, last, nil, age)
			abandoned += n
			if err != nil {
				return abandoned, err
			}
		}
	}
}

// takeBack deletes the copies of a file that nobody has gone on with for as long as age,
// in one store or in all.
func (c *Catalog) takeBack(ctx context.Context, variant int64, store *int64, age time.Duration) (n int, err error) {
	err = c.inTx(ctx, "take back a copy", func(ctx context.Context, tx pgx.Tx) error {
		if there, err := lockResult(ctx, tx, variant); !there {
			return err
		}
		tag, err := tx.Exec(ctx, `
			WITH gone AS (
				DELETE FROM slashbatch.location
				WHERE variant = $1 AND state = 'copying' AND verified <= now() - $2::interval AND ($3::bigint IS NULL OR store = $3)
				RETURNING store, object
			)
			INSERT INTO slashbatch.removal (store, object) SELECT store, object FROM gone ON CONFLICT DO NOTHING`, variant, age, store)
		n = int(tag.RowsAffected())
		return err
	})
	return n, err
}
