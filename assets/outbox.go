package assets

import (
	"context"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
)

// Event tells that a batch has finished. IDs of one customer's events go up.
type Event struct {
	ID int64
	// UUID is the same however often the event is told.
	UUID uuid.UUID
	// Body is a JSON object: id, customer, count, completed, errors, superseded, submitted, finished.
	Body []byte
}

// Events returns up to limit of a customer's events after an id, the oldest first. Who goes on
// behind the last one misses none.
func (s *Store) Events(ctx context.Context, customer int, after int64, limit int) ([]Event, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	rows, err := s.pool.Query(ctx, `
		SELECT id, event, body FROM slashbatch.outbox WHERE customer = $1 AND id > $2 ORDER BY id LIMIT $3`, customer, after, limit)
	if err != nil {
		return nil, failure("read events", err)
	}
	events, err := pgx.CollectRows(rows, pgx.RowToStructByPos[Event])
	return events, failure("read events", err)
}

// LastEvent is the id of a customer's last event, 0 before the first.
func (s *Store) LastEvent(ctx context.Context, customer int) (id int64, err error) {
	err = s.row(ctx, "read events", `SELECT coalesce(max(id), 0) FROM slashbatch.outbox WHERE customer = $1`, []any{customer}, &id)
	return id, err
}

// DropEvents removes events that are older than age, and returns how many.
func (s *Store) DropEvents(ctx context.Context, age time.Duration) (n int64, err error) {
	err = s.row(ctx, "drop old events", `
		WITH gone AS (DELETE FROM slashbatch.outbox WHERE id IN (
			SELECT id FROM slashbatch.outbox WHERE created < now() - $1::interval ORDER BY created LIMIT 10000) RETURNING id)
		SELECT count(*) FROM gone`, []any{age}, &n)
	return n, err
}
