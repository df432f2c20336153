package assets

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"
)

// Pruned is what pruning has removed, or, tried only, would remove.
type Pruned struct {
	// Records in so many Batches.
	Records, Batches int64
}

// One step looks at so many batches and removes so many records at most: locks are short.
const (
	pruneBatches = 20
	pruneRecords = 1000
)

// Prune removes records of finished batches as the closest policy of each says, service being
// the service's, in many short transactions. Dry only counts. It tells after each step what
// was removed so far, and can be stopped and repeated at any time.
func (s *Store) Prune(ctx context.Context, service Retention, dry bool, tell func(Pruned)) (all Pruned, err error) {
	latest := int64(0) // batch that has lost records
	for after := int64(0); ; {
		step, last, err := s.pruneStep(ctx, service, after, dry)
		if err != nil {
			return all, err
		}
		all.Records, all.Batches = all.Records+step.Records, all.Batches+step.Batches
		if step.Records > 0 && step.first == latest {
			all.Batches-- // it was counted in the step before
		}
		latest = max(latest, step.latest)
		if tell != nil && step.Records > 0 {
			tell(all)
		}
		if last == 0 {
			return all, nil
		}
		after = last
	}
}

// pruneStep is one transaction. last is the batch behind which to go on, 0 at the end. Where
// a step removes as much as it may it goes on with its own last batch.
func (s *Store) pruneStep(ctx context.Context, service Retention, after int64, dry bool) (step prunedStep, last int64, err error) {
	err = s.change(ctx, "prune batches", func(ctx context.Context, tx pgx.Tx) error {
		step, last = prunedStep{}, 0
		batches, err := prunable(ctx, tx, after, dry)
		if err != nil || len(batches) == 0 {
			return err
		}
		last = batches[len(batches)-1].ID
		p := policies(batches, service)
		if len(p.ids) == 0 {
			return nil
		}
		most := any(pruneRecords)
		if dry {
			most = nil
		}
		if err := tx.QueryRow(ctx, pruneSQL(dry), p.ids, p.completed, p.errors, p.superseded, p.keep, most).Scan(&step.Records, &step.Batches, &step.first, &step.latest); err != nil {
			return err
		}
		if step.Records == pruneRecords && !dry {
			last = step.latest - 1 // which may have more
		}
		return nil
	})
	return step, last, err
}

// prunedStep is what one step has removed, and from which batches.
type prunedStep struct {
	Pruned
	first, latest int64
}

// prunedBatch is a finished batch with the policies that may hold for it.
type prunedBatch struct {
	ID            int64
	Own, Customer *Retention
}

// prunable locks the next finished batches that have records. One that somebody has a lock
// on is left for the next time.
func prunable(ctx context.Context, tx pgx.Tx, after int64, dry bool) ([]prunedBatch, error) {
	lock := "FOR NO KEY UPDATE OF b SKIP LOCKED"
	if dry {
		lock = ""
	}
	rows, err := tx.Query(ctx, `
		SELECT b.id, b.retention, c.retention FROM slashbatch.batch b JOIN slashbatch.customer c ON c.id = b.customer
		WHERE b.id > $1 AND b.finished IS NOT NULL AND b.pruned_count < b.count ORDER BY b.id LIMIT $2 `+lock, after, pruneBatches)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowToStructByPos[prunedBatch])
}

// policyColumns are batches and what holds for each, in seconds; 0: for ever.
type policyColumns struct {
	ids                           []int64
	completed, errors, superseded []float64
	keep                          []int
}

func policies(batches []prunedBatch, service Retention) (p policyColumns) {
	for _, b := range batches {
		r := Closest(b.Own, b.Customer, service)
		if r.Completed == 0 && r.Errors == 0 && r.Superseded == 0 {
			continue
		}
		p.ids, p.keep = append(p.ids, b.ID), append(p.keep, r.KeepLast)
		for _, c := range []struct {
			to  *[]float64
			age time.Duration
		}{{&p.completed, r.Completed}, {&p.errors, r.Errors}, {&p.superseded, r.Superseded}} {
			*c.to = append(*c.to, c.age.Seconds())
		}
	}
	return p
}

// pruneSQL removes, or counts, records that may go, and says how many, of how many batches,
// and which the first and the last one are.
func pruneSQL(dry bool) string {
	doomed := `
		WITH policy AS (
			SELECT * FROM unnest($1::bigint[], $2::float8[], $3::float8[], $4::float8[], $5::int[]) AS p(id, completed, errors, superseded, keep)
		), doomed AS MATERIALIZED (
			SELECT m.batch_id, m.asset_id
			FROM policy p JOIN slashbatch.batch b ON b.id = p.id JOIN slashbatch.batch_asset m ON m.batch_id = p.id,
			     LATERAL (SELECT now() - coalesce(m.finished, b.finished) AS age) AS a
			WHERE m.status <> 'waiting'
			  AND (m.status = 'completed' AND p.completed > 0 AND a.age > make_interval(secs => p.completed)
			    OR m.status = 'error' AND p.errors > 0 AND a.age > make_interval(secs => p.errors)
			    OR p.superseded > 0 AND a.age > make_interval(secs => p.superseded)
			       AND EXISTS (SELECT FROM slashbatch.batch_asset n
			                   WHERE n.asset_id = m.asset_id AND n.batch_id > m.batch_id AND n.status <> 'waiting'))
			  AND (p.keep = 0 OR p.keep <= (SELECT count(*) FROM (
			       SELECT FROM slashbatch.batch_asset n WHERE n.asset_id = m.asset_id AND n.batch_id > m.batch_id LIMIT p.keep) AS newer))
			ORDER BY m.batch_id LIMIT $6
		)`
	if dry {
		return doomed + ` SELECT count(*), count(DISTINCT batch_id), coalesce(min(batch_id), 0), coalesce(max(batch_id), 0) FROM doomed`
	}
	return doomed + `, gone AS (
			DELETE FROM slashbatch.batch_asset m USING doomed d WHERE m.batch_id = d.batch_id AND m.asset_id = d.asset_id RETURNING m.batch_id
		), noted AS (
			UPDATE slashbatch.batch b SET pruned_count = b.pruned_count + g.n, pruned_at = now(), revision = b.revision + 1
			FROM (SELECT batch_id, count(*) AS n FROM gone GROUP BY batch_id) AS g WHERE b.id = g.batch_id RETURNING b.id, g.n
		)
		SELECT coalesce(sum(n), 0)::bigint, count(*), coalesce(min(id), 0), coalesce(max(id), 0) FROM noted`
}
