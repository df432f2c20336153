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

// A window of so many batches is looked at without locks; a step locks so many of those that
// have something to remove, and removes so many records at most.
const (
	pruneWindow  = 1000
	pruneBatches = 20
	pruneRecords = 1000
)

// Prune removes records of finished batches as the closest policy of each says, service being
// the service's, in many short transactions. Dry only counts. It tells after each step what
// was removed so far, and can be stopped and repeated at any time.
func (s *Store) Prune(ctx context.Context, service Retention, dry bool, tell func(Pruned)) (all Pruned, err error) {
	for after := int64(0); ; {
		batches, err := s.prunable(ctx, service, after)
		if err != nil || len(batches) == 0 {
			return all, err
		}
		after = batches[len(batches)-1].ID
		p := policies(batches, service)
		if dry {
			counted, err := s.doomed(ctx, p)
			if err != nil {
				return all, err
			}
			for _, n := range counted {
				all.Records, all.Batches = all.Records+n, all.Batches+1
			}
			continue
		}
		if err := s.pruneDoomed(ctx, p, &all, tell); err != nil {
			return all, err
		}
	}
}

// pruneDoomed removes what is doomed in some batches.
func (s *Store) pruneDoomed(ctx context.Context, p policyColumns, all *Pruned, tell func(Pruned)) error {
	doomed, err := s.doomed(ctx, p)
	if err != nil {
		return err
	}
	p = p.only(doomed)
	for len(p.ids) > 0 {
		n := min(pruneBatches, len(p.ids))
		step := p.part(0, n)
		seen := map[int64]bool{}
		for {
			removed, from, err := s.pruneStep(ctx, step)
			if err != nil {
				return err
			}
			for _, batch := range from {
				seen[batch] = true
			}
			all.Records += removed
			if tell != nil && removed > 0 {
				tell(Pruned{all.Records, all.Batches + int64(len(seen))})
			}
			if removed < pruneRecords {
				break
			}
		}
		all.Batches += int64(len(seen))
		p = p.part(n, len(p.ids))
	}
	return nil
}

// pruneStep is one transaction. A batch that somebody has a lock on is left for the next time.
func (s *Store) pruneStep(ctx context.Context, p policyColumns) (removed int64, from []int64, err error) {
	err = s.change(ctx, "prune batches", func(ctx context.Context, tx pgx.Tx) error {
		removed, from = 0, nil
		locked, err := column[int64](ctx, tx, `
			SELECT id FROM slashbatch.batch WHERE id = ANY ($1) AND finished IS NOT NULL ORDER BY id FOR NO KEY UPDATE SKIP LOCKED`, p.ids)
		if err != nil || len(locked) == 0 {
			return err
		}
		mine := map[int64]int64{}
		for _, batch := range locked {
			mine[batch] = 1
		}
		p := p.only(mine)
		return tx.QueryRow(ctx, doomedSQL+`, few AS (SELECT * FROM doomed ORDER BY batch_id LIMIT $6), gone AS (
				DELETE FROM slashbatch.batch_asset m USING few d WHERE m.batch_id = d.batch_id AND m.asset_id = d.asset_id RETURNING m.batch_id
			), noted AS (
				UPDATE slashbatch.batch b SET pruned_count = b.pruned_count + g.n, pruned_at = now(), revision = b.revision + 1
				FROM (SELECT batch_id, count(*) AS n FROM gone GROUP BY batch_id) AS g WHERE b.id = g.batch_id RETURNING b.id, g.n
			)
			SELECT coalesce(sum(n), 0)::bigint, coalesce(array_agg(id), '{}') FROM noted`,
			p.ids, p.completed, p.errors, p.superseded, p.keep, pruneRecords).Scan(&removed, &from)
	})
	return removed, from, err
}

// doomed counts the records that may go, by their batches.
func (s *Store) doomed(ctx context.Context, p policyColumns) (map[int64]int64, error) {
	counted := map[int64]int64{}
	if len(p.ids) == 0 {
		return counted, nil
	}
	err := s.change(ctx, "look for records to prune", func(ctx context.Context, tx pgx.Tx) error {
		clear(counted)
		rows, err := tx.Query(ctx, doomedSQL+` SELECT batch_id, count(*) FROM doomed GROUP BY batch_id`, p.ids, p.completed, p.errors, p.superseded, p.keep)
		if err != nil {
			return err
		}
		var batch, n int64
		_, err = pgx.ForEachRow(rows, []any{&batch, &n}, func() error { counted[batch] = n; return nil })
		return err
	})
	return counted, err
}

// prunedBatch is a finished batch with the policies that may hold for it.
type prunedBatch struct {
	ID            int64
	Own, Customer *Retention
}

// prunable returns the next finished batches that have records and a policy. Those that only
// the service's holds for are old enough for it.
func (s *Store) prunable(ctx context.Context, service Retention, after int64) (batches []prunedBatch, err error) {
	var youngest *float64 // whose records may go, in seconds
	for _, age := range []time.Duration{service.Completed, service.Errors, service.Superseded} {
		if seconds := age.Seconds(); age > 0 && (youngest == nil || seconds < *youngest) {
			youngest = &seconds
		}
	}
	err = s.change(ctx, "look for batches to prune", func(ctx context.Context, tx pgx.Tx) error {
		rows, err := tx.Query(ctx, `
			SELECT b.id, b.retention, c.retention FROM slashbatch.batch b JOIN slashbatch.customer c ON c.id = b.customer
			WHERE b.id > $1 AND b.finished IS NOT NULL AND b.pruned_count < b.count
			  AND (b.retention IS NOT NULL OR c.retention IS NOT NULL OR b.finished < now() - make_interval(secs => $3::float8))
			ORDER BY b.id LIMIT $2`, after, pruneWindow, youngest)
		if err != nil {
			return err
		}
		batches, err = pgx.CollectRows(rows, pgx.RowToStructByPos[prunedBatch])
		return err
	})
	return batches, err
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

// part are some of them, by place.
func (p policyColumns) part(from, to int) policyColumns {
	return policyColumns{p.ids[from:to], p.completed[from:to], p.errors[from:to], p.superseded[from:to], p.keep[from:to]}
}

// only are those of the batches that are keys.
func (p policyColumns) only(batches map[int64]int64) (some policyColumns) {
	for i, id := range p.ids {
		if _, ok := batches[id]; ok {
			one := p.part(i, i+1)
			some = policyColumns{
				append(some.ids, one.ids...), append(some.completed, one.completed...), append(some.errors, one.errors...),
				append(some.superseded, one.superseded...), append(some.keep, one.keep...),
			}
		}
	}
	return some
}

// doomedSQL begins a statement with the records that may go.
const doomedSQL = `
	WITH policy AS (
		SELECT * FROM unnest($1::bigint[], $2::float8[], $3::float8[], $4::float8[], $5::int[]) AS p(id, completed, errors, superseded, keep)
	), doomed AS (
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
	)`
