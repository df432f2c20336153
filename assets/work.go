package assets

import (
	"context"

	"github.com/jackc/pgx/v5"
)

// Work is something for an ingester: a member of a batch, or, Batch 0, an asset that is
// ingested outside of any.
type Work struct {
	Batch int64
	Asset string
}

// MostWork is the most that is handed out at once.
const MostWork = 500

// Claim hands out what waits at a customer's, each to one ingester until its lease is over:
// priority batches first, then older ones, then assets outside of batches.
func (s *Store) Claim(ctx context.Context, customer, limit int) (work []Work, err error) {
	limit = min(limit, MostWork)
	err = s.change(ctx, "hand out work", func(ctx context.Context, tx pgx.Tx) error {
		work = nil
		// Claims of one customer pass what others have in their hands.
		members, err := claimed(ctx, tx, `
			WITH free AS MATERIALIZED (
				SELECT b.id AS batch_id, m.asset_id, b.priority
				FROM (SELECT id, priority FROM slashbatch.batch WHERE customer = $1 AND finished IS NULL ORDER BY priority DESC, id) AS b
				     CROSS JOIN LATERAL (
				         SELECT asset_id FROM slashbatch.batch_asset
				         WHERE batch_id = b.id AND status = 'waiting' AND (leased_until IS NULL OR leased_until <= now())
				         ORDER BY asset_id LIMIT $2 FOR NO KEY UPDATE SKIP LOCKED
				     ) AS m
				LIMIT $2
			), taken AS (
				UPDATE slashbatch.batch_asset m SET leased_until = now() + $3::interval, attempt = m.attempt + 1
				FROM free WHERE m.batch_id = free.batch_id AND m.asset_id = free.asset_id
				RETURNING m.batch_id, m.asset_id, free.priority
			)
			SELECT batch_id, asset_id FROM taken ORDER BY priority DESC, batch_id, asset_id`, customer, limit, s.Lease)
		if err != nil {
			return err
		}
		work = members
		if len(work) == limit {
			return nil
		}
		alone, err := claimed(ctx, tx, `
			WITH free AS MATERIALIZED (
				SELECT id FROM slashbatch.asset
				WHERE customer = $1 AND ingesting AND batch IS NULL AND (leased_until IS NULL OR leased_until <= now())
				ORDER BY id LIMIT $2 FOR NO KEY UPDATE SKIP LOCKED
			)
			UPDATE slashbatch.asset a SET leased_until = now() + $3::interval, attempt = a.attempt + 1
			FROM free WHERE a.id = free.id RETURNING 0::bigint, a.id`, customer, limit-len(work), s.Lease)
		work = append(work, alone...)
		return err
	})
	return work, err
}

func claimed(ctx context.Context, tx pgx.Tx, sql string, args ...any) ([]Work, error) {
	rows, err := tx.Query(ctx, sql, args...)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowToStructByPos[Work])
}
