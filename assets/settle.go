package assets

import (
	"context"
	"errors"

	"github.com/jackc/pgx/v5"
)

// settle counts a batch whose records have changed, and finishes it when all its members are
// over, or, forced, whatever is missing. The caller holds the lock of its row. Of a batch
// that is finished only the revision changes.
//
// The first statement sees all that was committed before the lock was had, since each
// statement has a snapshot of its own.
func settle(ctx context.Context, tx pgx.Tx, batch int64, force bool) error {
	var customer int
	var finished bool
	err := tx.QueryRow(ctx, `
		WITH counted AS (
			SELECT count(*) FILTER (WHERE status = 'completed') AS completed, count(*) FILTER (WHERE status = 'error') AS errors
			FROM slashbatch.batch_asset WHERE batch_id = $1
		)
		UPDATE slashbatch.batch b SET
			completed = c.completed, errors = c.errors, revision = b.revision + 1,
			finished = CASE WHEN $2 OR c.completed + c.errors >= b.count THEN clock_timestamp() END
		FROM counted c WHERE b.id = $1 AND b.finished IS NULL
		RETURNING b.customer, b.finished IS NOT NULL`, batch, force).Scan(&customer, &finished)
	if errors.Is(err, pgx.ErrNoRows) {
		_, err = tx.Exec(ctx, `UPDATE slashbatch.batch SET revision = revision + 1 WHERE id = $1`, batch)
		return err
	}
	if err != nil || !finished {
		return err
	}
	return announce(ctx, tx, customer, batch)
}

// eventLock is the first key of the advisory locks under which events of a customer are
// written: so they commit in the order of their ids, and who reads on behind an id misses none.
const eventLock = 0x736c6f75 // "slou"

// announce writes the event of a batch that is finished.
func announce(ctx context.Context, tx pgx.Tx, customer int, batch int64) error {
	if _, err := tx.Exec(ctx, `SELECT pg_advisory_xact_lock($1, $2)`, eventLock, customer); err != nil {
		return err
	}
	_, err := tx.Exec(ctx, `
		INSERT INTO slashbatch.outbox (customer, batch, body)
		SELECT customer, id, jsonb_build_object(
			'id', id, 'customer', customer, 'count', count, 'completed', completed, 'errors', errors, 'superseded', superseded,
			'submitted', to_jsonb(submitted AT TIME ZONE 'UTC') #>> '{}' || 'Z', 'finished', to_jsonb(finished AT TIME ZONE 'UTC') #>> '{}' || 'Z')
		FROM slashbatch.batch WHERE id = $1
		ON CONFLICT (batch) DO NOTHING`, batch)
	return err
}
