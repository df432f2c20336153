package assets

import (
	"context"
	"strings"

	"github.com/jackc/pgx/v5"
)

// Recorded is what has become of outcomes.
type Recorded struct {
	// Recorded have changed a record; Unchanged said what was known, or that somebody is still
	// at work, or an error of a member that is completed; Late came for a batch
	// that is finished, or for a record that was pruned.
	Recorded, Unchanged, Late int
}

// Record notes the outcomes of members of a batch, and finishes it with the last of them.
// Repeating a call changes nothing. ErrNotFound: the customer has no such batch. A
// *RefusedError names members that were never recorded in it; nothing is noted then.
func (s *Store) Record(ctx context.Context, customer int, batch int64, outcomes []Outcome) (r Recorded, err error) {
	o := columnsOf(customer, outcomes)
	err = s.change(ctx, "record outcomes", func(ctx context.Context, tx pgx.Tx) error {
		r = Recorded{}
		var frozen, pruned bool
		if err := tx.QueryRow(ctx, `
			SELECT finished IS NOT NULL, pruned_count > 0 FROM slashbatch.batch WHERE id = $1 AND customer = $2 FOR NO KEY UPDATE`,
			batch, customer).Scan(&frozen, &pruned); err != nil {
			return err
		}
		if err := recordedThere(ctx, tx, batch, o.assets, pruned); err != nil {
			return err
		}
		if frozen {
			r.Late = len(outcomes)
			changed, err := o.toAssets(ctx, tx, batch, o.assets)
			if err == nil && changed {
				_, err = tx.Exec(ctx, `UPDATE slashbatch.batch SET revision = revision + 1 WHERE id = $1`, batch)
			}
			return err
		}
		changed, err := o.toRecords(ctx, tx, batch)
		if err != nil {
			return err
		}
		if _, err := tx.Exec(ctx, `
			UPDATE slashbatch.batch_asset m SET leased_until = now() + $4::interval
			FROM unnest($2::text[], $3::text[]) AS o(asset, status)
			WHERE m.batch_id = $1 AND m.asset_id = o.asset AND o.status = 'waiting' AND m.status = 'waiting'`,
			batch, o.assets, o.statuses, s.Lease); err != nil {
			return err
		}
		r.Recorded = len(changed)
		r.Unchanged = len(outcomes) - r.Recorded
		if len(changed) == 0 {
			return nil
		}
		if _, err := o.toAssets(ctx, tx, batch, changed); err != nil {
			return err
		}
		return settle(ctx, tx, batch, false)
	})
	return r, err
}

// recordedThere refuses members that the batch does not have.
func recordedThere(ctx context.Context, tx pgx.Tx, batch int64, assets []string, pruned bool) error {
	unknown, err := column[string](ctx, tx, `
		SELECT a FROM unnest($2::text[]) AS a
		WHERE NOT EXISTS (SELECT FROM slashbatch.batch_asset WHERE batch_id = $1 AND asset_id = a) ORDER BY a`, batch, assets)
	if err != nil || len(unknown) == 0 || pruned {
		return err
	}
	more := ""
	if len(unknown) > mostNamed {
		unknown, more = unknown[:mostNamed], ", …"
	}
	return &UnknownMembersError{RefusedError{"Batch has no such members: " + strings.Join(unknown, ", ") + more}}
}

// mostNamed is how many assets an error names.
const mostNamed = 20

// UnknownMembersError is a RefusedError about members that a batch does not have.
type UnknownMembersError struct{ RefusedError }

// Unwrap makes it a *RefusedError, too.
func (e *UnknownMembersError) Unwrap() error { return &e.RefusedError }

// outcomeColumns are outcomes as lists of equal length.
type outcomeColumns struct {
	assets, statuses, errors []string
	widths                   []*int
	heights, durations       []*int
}

func columnsOf(customer int, outcomes []Outcome) (c outcomeColumns) {
	for _, o := range outcomes {
		c.assets = append(c.assets, AssetID(customer, o.Space, o.Key))
		c.statuses = append(c.statuses, o.Status)
		c.errors = append(c.errors, o.Error)
		c.widths, c.heights, c.durations = append(c.widths, o.Width), append(c.heights, o.Height), append(c.durations, o.Duration)
	}
	return c
}

// toRecords notes outcomes in the records of a batch, and returns the assets whose changed.
// What is completed stays so; an error that becomes a success loses its text.
func (c outcomeColumns) toRecords(ctx context.Context, tx pgx.Tx, batch int64) ([]string, error) {
	return column[string](ctx, tx, `
		UPDATE slashbatch.batch_asset m
		SET status = o.status, error = o.error, finished = clock_timestamp(), leased_until = NULL
		FROM unnest($2::text[], $3::text[], $4::text[]) AS o(asset, status, error)
		WHERE m.batch_id = $1 AND m.asset_id = o.asset AND o.status <> 'waiting' AND m.status <> 'completed'
		  AND (m.status, m.error) IS DISTINCT FROM (o.status, o.error)
		RETURNING m.asset_id`, batch, c.assets, c.statuses, c.errors)
}

// toAssets notes the outcomes of some at the assets whose latest batch this is, and reports
// whether that changed any. One that is well stays so.
func (c outcomeColumns) toAssets(ctx context.Context, tx pgx.Tx, batch int64, some []string) (bool, error) {
	tag, err := tx.Exec(ctx, `
		WITH mine AS MATERIALIZED (
			SELECT id FROM slashbatch.asset WHERE id = ANY ($8) AND batch = $1 ORDER BY id FOR NO KEY UPDATE
		)
		UPDATE slashbatch.asset a SET ingesting = false, finished = clock_timestamp(), error = o.error,
			width = coalesce(o.width, a.width), height = coalesce(o.height, a.height), duration = coalesce(o.duration, a.duration)
		FROM mine JOIN unnest($2::text[], $3::text[], $4::text[], $5::int[], $6::int[], $7::int[])
			AS o(asset, status, error, width, height, duration) ON o.asset = mine.id
		WHERE a.id = mine.id AND o.status <> 'waiting' AND (a.ingesting OR a.error <> '' AND a.error <> o.error)`,
		batch, c.assets, c.statuses, c.errors, c.widths, c.heights, c.durations, some)
	return tag.RowsAffected() > 0, err
}
