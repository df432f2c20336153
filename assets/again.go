package assets

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"
)

// Retry makes a new batch of the members of one that are in error and whose assets are
// there, and leaves the old one as it is. ErrNotFound: there is no such batch. A
// *RefusedError: there is nothing to try again.
// once is the client's name of this call, "" for none: repeated, it has the same answer.
func (s *Store) Retry(ctx context.Context, customer int, batch int64, once string) (id int64, err error) {
	digest := sha256.Sum256(fmt.Appendf(nil, "retry %d", batch))
	err = s.change(ctx, "try a batch again", func(ctx context.Context, tx pgx.Tx) error {
		if err := tx.QueryRow(ctx, `SELECT id FROM slashbatch.batch WHERE id = $1 AND customer = $2 FOR NO KEY UPDATE`, batch, customer).Scan(new(int64)); err != nil {
			return err
		}
		err := replay(ctx, tx, NewBatch{Customer: customer, IdempotencyKey: once, Digest: digest}, &id)
		if !errors.Is(err, pgx.ErrNoRows) {
			return err
		}
		members, err := column[string](ctx, tx, `
			SELECT a.id FROM slashbatch.asset a
			WHERE NOT a.not_for_delivery AND a.id IN (SELECT asset_id FROM slashbatch.batch_asset WHERE batch_id = $1 AND status = 'error')
			ORDER BY a.id FOR NO KEY UPDATE`, batch)
		if err != nil {
			return err
		}
		if len(members) == 0 {
			return refused("Batch has no members in error on record whose assets still exist: there is nothing to retry")
		}
		if err := tx.QueryRow(ctx, `
			INSERT INTO slashbatch.batch (customer, count, priority, deadline, retention, retry_of, idempotency_key, body_digest)
			SELECT customer, $2, priority, now() + $3::interval, retention, id, nullif($4, ''), $5 FROM slashbatch.batch WHERE id = $1 RETURNING id`,
			batch, len(members), s.Deadline, once, digest[:]).Scan(&id); err != nil {
			return err
		}
		if _, err := tx.Exec(ctx, `
			UPDATE slashbatch.asset SET batch = $2, ingesting = true, finished = NULL, error = '', leased_until = NULL WHERE id = ANY ($1)`,
			members, id); err != nil {
			return err
		}
		_, err = tx.Exec(ctx, `INSERT INTO slashbatch.batch_asset (batch_id, asset_id) SELECT $1, unnest($2::text[])`, id, members)
		return err
	})
	return id, err
}

// Reconcile looks at a batch as its records say: one in which nothing waits any more is
// finished, and one whose members are all recorded in later batches, too, is superseded: what
// still waits in it is in error. What was counted is not made less. It reports whether that
// changed anything.
func (s *Store) Reconcile(ctx context.Context, customer int, batch int64) (changed bool, err error) {
	err = s.change(ctx, "reconcile a batch", func(ctx context.Context, tx pgx.Tx) error {
		changed = false
		var open, was, pruned bool
		if err := tx.QueryRow(ctx, `
			SELECT finished IS NULL, superseded, pruned_count > 0 FROM slashbatch.batch WHERE id = $1 AND customer = $2 FOR NO KEY UPDATE`,
			batch, customer).Scan(&open, &was, &pruned); err != nil {
			return err
		}
		var waiting, left bool
		if err := tx.QueryRow(ctx, `
			SELECT EXISTS (SELECT FROM slashbatch.batch_asset WHERE batch_id = $1 AND status = 'waiting'),
			       EXISTS (SELECT FROM slashbatch.asset WHERE batch = $1)
			       OR EXISTS (SELECT FROM slashbatch.batch_asset m WHERE m.batch_id = $1
			                  AND NOT EXISTS (SELECT FROM slashbatch.batch_asset n WHERE n.asset_id = m.asset_id AND n.batch_id > $1))`,
			batch).Scan(&waiting, &left); err != nil {
			return err
		}
		left = left || pruned // what its records would say is not known any more
		if !left && waiting && open {
			if err := giveUp(ctx, tx, batch, Superseded); err != nil {
				return err
			}
			waiting = false
		}
		if !left && !was {
			changed = true
			if _, err := tx.Exec(ctx, `UPDATE slashbatch.batch SET superseded = true, revision = revision + 1 WHERE id = $1`, batch); err != nil {
				return err
			}
		}
		if !open {
			return nil
		}
		recounted, finished, err := recount(ctx, tx, batch, !left && !waiting)
		changed = changed || recounted
		if err != nil || !finished {
			return err
		}
		return announce(ctx, tx, customer, batch)
	})
	return changed, err
}

// recount counts an open batch from its records, never less than is known: it may be older
// than these records. It reports whether that changed anything, and finished it.
func recount(ctx context.Context, tx pgx.Tx, batch int64, force bool) (changed, finished bool, err error) {
	err = tx.QueryRow(ctx, `
		WITH counted AS (
			SELECT count(*) FILTER (WHERE status = 'completed') AS completed, count(*) FILTER (WHERE status = 'error') AS errors
			FROM slashbatch.batch_asset WHERE batch_id = $1
		)
		UPDATE slashbatch.batch b SET
			completed = greatest(b.completed, c.completed), errors = greatest(b.errors, c.errors), revision = b.revision + 1,
			finished = CASE WHEN $2 OR greatest(b.completed, c.completed) + greatest(b.errors, c.errors) >= b.count THEN clock_timestamp() END
		FROM counted c WHERE b.id = $1
			AND (c.completed > b.completed OR c.errors > b.errors OR $2 OR b.completed + b.errors >= b.count)
		RETURNING b.finished IS NOT NULL`, batch, force).Scan(&finished)
	if errors.Is(err, pgx.ErrNoRows) {
		return false, false, nil
	}
	return err == nil, finished, err
}
