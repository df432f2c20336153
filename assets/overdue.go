package assets

import (
	"context"
	"errors"

	"github.com/jackc/pgx/v5"
)

// Errors of members that nobody has told an outcome of: TimedOut of one that waited too long,
// Deleted of one whose asset was deleted while it waited, Superseded of one that waited in a
// batch that later ones have replaced.
const (
	TimedOut   = "timed out"
	Deleted    = "deleted"
	Superseded = "superseded"
)

// EndOverdue finishes batches whose deadline is over: what waits in them is in error. It
// returns how many it has finished.
func (s *Store) EndOverdue(ctx context.Context) (n int, err error) {
	for {
		err := s.change(ctx, "end an overdue batch", func(ctx context.Context, tx pgx.Tx) error {
			var batch int64
			if err := tx.QueryRow(ctx, `
				SELECT id FROM slashbatch.batch WHERE finished IS NULL AND deadline <= now()
				ORDER BY deadline LIMIT 1 FOR NO KEY UPDATE SKIP LOCKED`).Scan(&batch); err != nil {
				return err
			}
			if err := giveUp(ctx, tx, batch, TimedOut); err != nil {
				return err
			}
			return settle(ctx, tx, batch, true)
		})
		if errors.Is(err, ErrNotFound) {
			return n, nil
		}
		if err != nil {
			return n, err
		}
		n++
	}
}

// giveUp ends what waits in a batch, at its assets, too.
func giveUp(ctx context.Context, tx pgx.Tx, batch int64, why string) error {
	ended, err := column[string](ctx, tx, `
		UPDATE slashbatch.batch_asset SET status = 'error', error = $2, finished = clock_timestamp(), leased_until = NULL
		WHERE batch_id = $1 AND status = 'waiting' RETURNING asset_id`, batch, why)
	if err != nil {
		return err
	}
	_, err = tx.Exec(ctx, `
		WITH mine AS MATERIALIZED (
			SELECT id FROM slashbatch.asset WHERE id = ANY ($2) AND batch = $1 AND ingesting ORDER BY id FOR NO KEY UPDATE
		)
		UPDATE slashbatch.asset a SET ingesting = false, finished = clock_timestamp(), error = $3 FROM mine WHERE a.id = mine.id`, batch, ended, why)
	return err
}
