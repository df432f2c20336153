package assets

import (
	"context"
	"time"
)

// Waiting is what waits at a customer's: members in the usual and in the priority queue, and
// batches, in both.
type Waiting struct {
	Usual, Priority int64
	Batches         int64
}

// Waiting counts what waits, from the open batches. Superseded ones are not counted.
func (s *Store) Waiting(ctx context.Context, customer int) (w Waiting, err error) {
	if _, err := s.CustomerByID(ctx, customer); err != nil {
		return w, err
	}
	err = s.row(ctx, "count what waits", waitingSQL+` AND customer = $1`, []any{customer}, &w.Usual, &w.Priority, &w.Batches)
	return w, err
}

// AllWaiting is Waiting of all customers.
func (s *Store) AllWaiting(ctx context.Context) (w Waiting, err error) {
	err = s.row(ctx, "count what waits", waitingSQL, nil, &w.Usual, &w.Priority, &w.Batches)
	return w, err
}

const waitingSQL = `
	SELECT coalesce(sum(count - completed - errors) FILTER (WHERE NOT priority), 0),
	       coalesce(sum(count - completed - errors) FILTER (WHERE priority), 0), count(*)
	FROM slashbatch.batch WHERE finished IS NULL AND NOT superseded`

// BatchState is what matters about a batch to what is read of it.
type BatchState struct {
	ID int64
	// Pruned is how many of its records were removed, PrunedAt when the last was.
	Pruned   int64
	PrunedAt *time.Time
}

// Batch returns the state of a batch. ErrNotFound: the customer has no such batch.
func (s *Store) Batch(ctx context.Context, customer int, id int64) (b BatchState, err error) {
	err = s.row(ctx, "look up a batch", `
		SELECT id, pruned_count, pruned_at FROM slashbatch.batch WHERE id = $1 AND customer = $2`, []any{id, customer}, &b.ID, &b.Pruned, &b.PrunedAt)
	return b, err
}

// mostPruned is how many pruned batches an error names.
const mostPruned = 20

// Pruned returns those of a customer's batches that were pruned, at most the first few.
func (s *Store) Pruned(ctx context.Context, customer int, batches []int64) (pruned []int64, err error) {
	err = s.row(ctx, "look up batches", `
		SELECT array(SELECT id FROM slashbatch.batch WHERE customer = $1 AND id = ANY ($2) AND pruned_count > 0 ORDER BY id LIMIT $3)`,
		[]any{customer, batches, mostPruned}, &pruned)
	return pruned, err
}

// HasAsset is nil when there is the asset, or was in any batch; else ErrNotFound.
func (s *Store) HasAsset(ctx context.Context, customer, space int, key string) error {
	return s.row(ctx, "look up an asset", `
		SELECT FROM slashbatch.asset WHERE id = $1
		UNION ALL SELECT FROM slashbatch.batch_asset WHERE asset_id = $1 LIMIT 1`, []any{AssetID(customer, space, key)})
}

// HasSpace is nil when the customer has the space; else ErrNotFound.
func (s *Store) HasSpace(ctx context.Context, customer, space int) error {
	return s.row(ctx, "look up a space", `SELECT FROM slashbatch.space WHERE customer = $1 AND id = $2`, []any{customer, space})
}
