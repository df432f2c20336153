package pgqueue

import (
	"context"
	"errors"
	"math"

	"github.com/jackc/pgx/v5"

	"slashbatch/queue"
)

// Get implements queue.Queue.
func (q *Queue) Get(ctx context.Context, id string) (queue.Job, error) {
	return q.one(ctx, `SELECT v.* FROM slashbatch.queue_view v WHERE v.id = $1`, []byte(id))
}

// ByKey implements queue.Queue.
func (q *Queue) ByKey(ctx context.Context, k string) (queue.Job, error) {
	return q.one(ctx, `
		SELECT v.* FROM slashbatch.queue_view v WHERE v.id = (
			SELECT j.id FROM slashbatch.queue_job j WHERE sha256(j.key) = sha256($1) AND j.key IS NOT NULL
			ORDER BY j.ord DESC LIMIT 1)`, key(k))
}

// one reads one job.
func (q *Queue) one(ctx context.Context, sql string, arg []byte) (queue.Job, error) {
	jobs, err := q.some(ctx, sql, arg)
	if err != nil {
		return queue.Job{}, err
	}
	if len(jobs) == 0 {
		return queue.Job{}, queue.ErrNotFound
	}
	return jobs[0], nil
}

// List implements queue.Queue.
func (q *Queue) List(ctx context.Context, user string, before int64, n int) ([]queue.Job, error) {
	if before <= 0 {
		before = math.MaxInt64
	}
	// The page first, so that no more jobs are read than it has.
	return q.some(ctx, `
		SELECT v.* FROM (
			SELECT w.job, w.ord FROM slashbatch.queue_waiter w
			WHERE sha256(w.owner) = sha256($1) AND w.ord < $2
			ORDER BY w.ord DESC LIMIT $3
		) w JOIN slashbatch.queue_view v ON v.id = w.job
		ORDER BY w.ord DESC`, []byte(user), before, max(n, 0))
}

// some reads jobs.
func (q *Queue) some(ctx context.Context, sql string, args ...any) ([]queue.Job, error) {
	var jobs []queue.Job
	err := q.do(ctx, func(ctx context.Context) error {
		rows, err := q.pool.Query(ctx, sql, args...)
		if err != nil {
			return err
		}
		jobs, err = pgx.CollectRows(rows, func(row pgx.CollectableRow) (queue.Job, error) {
			var v view
			err := row.Scan(v.columns()...)
			return v.job(), err
		})
		return err
	})
	return jobs, err
}

// Definition implements queue.Queue.
func (q *Queue) Definition(ctx context.Context, id string) ([]byte, error) {
	var definition []byte
	err := q.do(ctx, func(ctx context.Context) error {
		definition = nil
		err := q.pool.QueryRow(ctx, `SELECT j.definition FROM slashbatch.queue_job j WHERE j.id = $1`, []byte(id)).Scan(&definition)
		if errors.Is(err, pgx.ErrNoRows) {
			return nil
		}
		return err
	})
	if err == nil && definition == nil {
		err = queue.ErrNotFound
	}
	return definition, err
}
