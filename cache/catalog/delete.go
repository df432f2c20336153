package catalog

import (
	"context"
	"time"

	"slashbatch/cache"

	"github.com/jackc/pgx/v5"
)

// deleteResults deletes those of these results that still may go: not accessed for
// as long as idle, and not kept by a name; age is the $2 of kept. Their names, runs and
// files go with them.
func (c *Catalog) deleteResults(ctx context.Context, candidates []int64, idle time.Duration, age *time.Duration) (cache.Freed, error) {
	var freed cache.Freed
	err := c.inTx(ctx, "evict results", func(ctx context.Context, tx pgx.Tx) error {
		locked, err := ids(ctx, tx, `
			SELECT id FROM slashbatch.result WHERE id = ANY ($1) AND accessed < now() - $2::interval
			ORDER BY accessed, id FOR UPDATE SKIP LOCKED`, candidates, idle)
		if err != nil || len(locked) == 0 {
			return err
		}
		// Nobody changes the files any more; nor, from here on, the requests.
		for _, lock := range []string{
			`SELECT FROM slashbatch.variant WHERE result = ANY ($1) ORDER BY id FOR UPDATE`,
			`SELECT FROM slashbatch.request WHERE result = ANY ($1) ORDER BY key FOR UPDATE`,
		} {
			if _, err := tx.Exec(ctx, lock, locked); err != nil {
				return err
			}
		}
		rows, err := tx.Query(ctx, `
			SELECT p.id, EXISTS (SELECT FROM slashbatch.request q WHERE q.result = p.id)
			          OR EXISTS (SELECT FROM slashbatch.alias a WHERE a.result = p.id) AS named,
			       (SELECT coalesce(sum(v.stored), 0)::bigint FROM slashbatch.variant v WHERE v.result = p.id) AS bytes
			FROM slashbatch.result p WHERE p.id = ANY ($1) AND NOT `+kept, locked, age)
		if err != nil {
			return err
		}
		going, err := pgx.CollectRows(rows, pgx.RowToStructByPos[struct {
			ID    int64
			Named bool
			Bytes int64
		}])
		if err != nil || len(going) == 0 {
			return err
		}
		gone := make([]int64, len(going))
		for i, g := range going {
			gone[i] = g.ID
			freed.Bytes += g.Bytes
			if g.Named {
				freed.Aged++
			} else {
				freed.Collected++
			}
		}
		for _, sql := range []string{
			`INSERT INTO slashbatch.removal (store, object)
				SELECT l.store, l.object FROM slashbatch.location l JOIN slashbatch.variant v ON v.id = l.variant
				WHERE v.result = ANY ($1) ON CONFLICT DO NOTHING`,
			`DELETE FROM slashbatch.variant WHERE result = ANY ($1)`, // and with them the locations
			`DELETE FROM slashbatch.request WHERE result = ANY ($1)`,
			`DELETE FROM slashbatch.alias WHERE result = ANY ($1)`,
			`DELETE FROM slashbatch.result WHERE id = ANY ($1)`, // and with them the runs
		} {
			if _, err := tx.Exec(ctx, sql, gone); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		freed = cache.Freed{}
	}
	return freed, err
}

// deleteFiles deletes those of these files that were not accessed for as long as idle.
func (c *Catalog) deleteFiles(ctx context.Context, candidates []candidate, idle time.Duration) (cache.Freed, error) {
	var freed cache.Freed
	var files, results []int64
	for _, p := range candidates {
		files, results = append(files, p.ID), append(results, p.Result)
	}
	err := c.inTx(ctx, "evict files", func(ctx context.Context, tx pgx.Tx) error {
		locked, err := ids(ctx, tx, `
			SELECT id FROM slashbatch.result WHERE id = ANY ($1) ORDER BY id FOR NO KEY UPDATE SKIP LOCKED`, results)
		if err != nil || len(locked) == 0 {
			return err
		}
		gone, err := ids(ctx, tx, `
			SELECT v.id FROM slashbatch.variant v
			WHERE v.id = ANY ($1) AND v.result = ANY ($2) AND `+further+` AND v.accessed < now() - $3::interval
			ORDER BY v.id FOR UPDATE`, files, locked, idle)
		if err != nil || len(gone) == 0 {
			return err
		}
		if _, err := tx.Exec(ctx, `
			INSERT INTO slashbatch.removal (store, object)
			SELECT store, object FROM slashbatch.location WHERE variant = ANY ($1) ON CONFLICT DO NOTHING`, gone); err != nil {
			return err
		}
		freed.Files = len(gone)
		return tx.QueryRow(ctx, `
			WITH gone AS (DELETE FROM slashbatch.variant WHERE id = ANY ($1) RETURNING stored)
			SELECT coalesce(sum(stored), 0)::bigint FROM gone`, gone).Scan(&freed.Bytes)
	})
	if err != nil {
		freed = cache.Freed{}
	}
	return freed, err
}
