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
// returns how many it has finished. One that cannot be finished does not hold up the others.
func (s *Store) EndOverdue(ctx context.Context) (n int, err error) {
	failed := []int64{}
	for {
		var batch int64
		again := s.change(ctx, "end an overdue batch", func(ctx context.Context, tx pgx.Tx) error {
			batch = 0
			if err := tx.QueryRow(ctx, `
				SELECT id FROM slashbatch.batch WHERE finished IS NULL AND deadline <= now() AND id <> ALL ($1)
				ORDER BY deadline LIMIT 1 FOR NO KEY UPDATE SKIP LOCKED`, failed).Scan(&batch); err != nil {
				return err
			}
			if err := giveUp(ctx, tx, batch, TimedOut); err != nil {
				return err
			}
			return settle(ctx, tx, batch, true)
		})
		switch {
		case errors.Is(again, ErrNotFound):
			return n, err
		case again != nil && (batch == 0 || ctx.Err() != nil || len(failed) >= mostFailed):
			return n, errors.Join(err, again)
		case again != nil:
			failed, err = append(failed, batch), errors.Join(err, again)
		default:
			n++
		}
	}
}

// mostFailed is how many batches may fail before the rest is left for later.
const mostFailed = 20

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
