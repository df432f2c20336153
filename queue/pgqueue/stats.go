package pgqueue

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"

	"slashbatch/queue"
)

const (
	laneStatsSQL = `
		SELECT l.lane, count(*), sum(l.pending), sum(l.delayed), sum(l.running), min(j.submitted)
		FROM slashbatch.queue_list l
		LEFT JOIN LATERAL (
			SELECT h.submitted FROM slashbatch.queue_job h WHERE h.list = l.id AND h.number = l.head LIMIT 1
		) j ON true
		GROUP BY l.lane`

	// Sources without a capacity keep no count, so their claims are counted.
	sourceStatsSQL = `
		SELECT coalesce(s.source, c.source), coalesce(s.running, c.running), coalesce(s.capacity, -1)
		FROM slashbatch.queue_source s
		FULL JOIN (SELECT c.source, count(*) AS running FROM slashbatch.queue_claim c GROUP BY c.source) c ON c.source = s.source`
)

// Stats implements queue.Queue, in one round trip.
func (q *Queue) Stats(ctx context.Context) (*queue.Stats, error) {
	var s *queue.Stats
	err := q.do(ctx, func(ctx context.Context) (err error) {
		s, err = q.stats(ctx)
		return err
	})
	return s, err
}

func (q *Queue) stats(ctx context.Context) (*queue.Stats, error) {
	s := &queue.Stats{
		Lanes:   map[queue.Lane]queue.LaneStats{},
		Sources: map[string]queue.SourceStats{},
		Workers: map[string]map[queue.Lane]int{},
	}
	for _, name := range queue.Lanes {
		s.Lanes[name] = queue.LaneStats{}
	}
	var b pgx.Batch
	b.Queue(laneStatsSQL).Query(func(rows pgx.Rows) error {
		var lane queue.Lane
		var n queue.LaneStats
		var oldest *time.Time
		_, err := pgx.ForEachRow(rows, []any{&lane, &n.Lists, &n.Pending, &n.Delayed, &n.Running, &oldest}, func() error {
			n.Oldest = moment(oldest)
			s.Lanes[lane] = n
			return nil
		})
		return err
	})
	b.Queue(sourceStatsSQL).Query(func(rows pgx.Rows) error {
		var source []byte
		var n queue.SourceStats
		_, err := pgx.ForEachRow(rows, []any{&source, &n.Running, &n.Capacity}, func() error {
			if len(source) > 0 || n.Capacity >= 0 { // a job may do without a source
				s.Sources[string(source)] = n
			}
			return nil
		})
		return err
	})
	b.Queue(workersSQL).Query(func(rows pgx.Rows) error {
		var worker []byte
		var slots map[queue.Lane]int
		_, err := pgx.ForEachRow(rows, []any{&worker, &slots}, func() error {
			s.Workers[string(worker)] = slots
			slots = nil
			return nil
		})
		return err
	})
	b.Queue(nowSQL).QueryRow(func(row pgx.Row) error { return row.Scan(&s.Now, &s.Paused) }) // last, so that nothing seen is later
	if err := q.pool.SendBatch(ctx, &b).Close(); err != nil {
		return nil, err
	}
	s.Now = s.Now.UTC().Truncate(time.Millisecond)
	return s, nil
}
