package assets

import (
	"context"

	"github.com/jackc/pgx/v5"
)

// FamilyImage is the family of images.
const FamilyImage = "I"

// DeleteAsset removes an asset. Where it waits in a batch it is in error there; its history
// stays. ErrNotFound: there is none.
func (s *Store) DeleteAsset(ctx context.Context, customer, space int, key string) error {
	id := AssetID(customer, space, key)
	return s.change(ctx, "delete an asset", func(ctx context.Context, tx pgx.Tx) error {
		left, err := leave(ctx, tx, id)
		if err != nil {
			return err
		}
		if _, err := tx.Exec(ctx, `
			UPDATE slashbatch.batch SET revision = revision + 1
			WHERE id <> ALL ($2) AND id IN (SELECT batch_id FROM slashbatch.batch_asset WHERE asset_id = $1)`, id, left); err != nil {
			return err
		}
		if err := tx.QueryRow(ctx, `DELETE FROM slashbatch.asset WHERE id = $1 RETURNING id`, id).Scan(new(string)); err != nil {
			return err
		}
		// A batch may have taken it on before the row was locked.
		_, err = leave(ctx, tx, id)
		return err
	})
}

// leave ends what waits of an asset in open batches, and returns these.
func leave(ctx context.Context, tx pgx.Tx, asset string) ([]int64, error) {
	batches, err := column[int64](ctx, tx, `
		SELECT b.id FROM slashbatch.batch b
		WHERE b.finished IS NULL AND b.id IN (SELECT m.batch_id FROM slashbatch.batch_asset m WHERE m.asset_id = $1 AND m.status = 'waiting')
		ORDER BY b.id FOR NO KEY UPDATE`, asset)
	if err != nil || len(batches) == 0 {
		return []int64{}, err
	}
	if _, err := tx.Exec(ctx, `
		UPDATE slashbatch.batch_asset SET status = 'error', error = $3, finished = clock_timestamp(), leased_until = NULL
		WHERE asset_id = $1 AND batch_id = ANY ($2) AND status = 'waiting'`, asset, batches, Deleted); err != nil {
		return nil, err
	}
	for _, batch := range batches {
		if err := settle(ctx, tx, batch, false); err != nil {
			return nil, err
		}
	}
	return batches, nil
}

// Reingest has an image ingested once more, outside of any batch. ErrNotFound: there is
// none. A *RefusedError: it is no image.
func (s *Store) Reingest(ctx context.Context, customer, space int, key string) error {
	return s.change(ctx, "ingest an asset again", func(ctx context.Context, tx pgx.Tx) error {
		var family string
		var withheld bool
		err := tx.QueryRow(ctx, `
			SELECT family, not_for_delivery FROM slashbatch.asset WHERE id = $1 FOR NO KEY UPDATE`,
			AssetID(customer, space, key)).Scan(&family, &withheld)
		switch {
		case err != nil:
			return err
		case family != FamilyImage:
			return refused("Invalid operation - cannot reingest non-Image asset")
		case withheld:
			return refused("Cannot use API to modify a NotForDelivery asset.")
		}
		_, err = tx.Exec(ctx, `
			UPDATE slashbatch.asset SET batch = NULL, ingesting = true, error = '', leased_until = NULL, attempt = 0 WHERE id = $1`,
			AssetID(customer, space, key))
		return err
	})
}

// RecordAlone notes the outcome of an asset that is ingested outside of any batch. ErrNotFound:
// there is none. ErrInBatch: it belongs to a batch, where its outcome is to be told.
func (s *Store) RecordAlone(ctx context.Context, customer int, o Outcome) error {
	return s.change(ctx, "record an outcome", func(ctx context.Context, tx pgx.Tx) error {
		id := AssetID(customer, o.Space, o.Key)
		var batch *int64
		if err := tx.QueryRow(ctx, `SELECT batch FROM slashbatch.asset WHERE id = $1 FOR NO KEY UPDATE`, id).Scan(&batch); err != nil {
			return err
		}
		if batch != nil {
			return &InBatchError{*batch}
		}
		if o.Status == OutcomeWaiting {
			_, err := tx.Exec(ctx, `UPDATE slashbatch.asset SET leased_until = now() + $2::interval WHERE id = $1 AND ingesting`, id, s.Lease)
			return err
		}
		_, err := tx.Exec(ctx, `
			UPDATE slashbatch.asset SET ingesting = false, finished = clock_timestamp(), error = $2, leased_until = NULL,
				width = coalesce($3, width), height = coalesce($4, height), duration = coalesce($5, duration)
			WHERE id = $1 AND (ingesting OR error <> '' AND error <> $2)`, id, o.Error, o.Width, o.Height, o.Duration)
		return err
	})
}

// InBatchError says that an asset is ingested in a batch.
type InBatchError struct{ Batch int64 }

func (e *InBatchError) Error() string { return "assets: the asset belongs to a batch" }
