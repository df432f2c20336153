package pgqueue

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"

	"slashbatch/queue"
)

// What a snapshot reads.
const (
	nowSQL = `SELECT clock_timestamp(), m.paused FROM slashbatch.queue_meta m`

	// Whatever changes a row changes its xmin.
	linesSQL = `
		SELECT l.lane, l.line, l.pending, l.running, l.place, l.estimates, l.xmin
		FROM slashbatch.queue_list l`

	runsSQL = `
		SELECT c.lane, c.job, c.owner, c.worker, c.started, c.estimate, c.claim, c.cancelled, c.sealed
		FROM slashbatch.queue_claim c`

	workersSQL = `
		SELECT w.worker, w.slots FROM slashbatch.queue_worker w WHERE w.expires > clock_timestamp()`

	capacitiesSQL = `SELECT s.source, s.capacity FROM slashbatch.queue_source s`
)

// Snapshot implements queue.Queue, in one transaction that sees one moment, and one
// round trip. Its version is a hash of what it saw, and of what else of the queue
// may change.
func (q *Queue) Snapshot(ctx context.Context) (*queue.Snapshot, error) {
	var s *queue.Snapshot
	err := q.do(ctx, func(ctx context.Context) (err error) {
		s, err = q.snapshot(ctx)
		return err
	})
	return s, err
}

func (q *Queue) snapshot(ctx context.Context) (*queue.Snapshot, error) {
	s := &queue.Snapshot{Lanes: map[queue.Lane]queue.LaneSnapshot{}}
	lanes := map[string]*queue.LaneSnapshot{}
	for _, name := range queue.Lanes {
		lanes[string(name)] = &queue.LaneSnapshot{Lines: []queue.Line{}, Runs: []queue.Run{}}
	}
	var v version

	var b pgx.Batch
	b.Queue(`BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY`)
	b.Queue(nowSQL).QueryRow(func(row pgx.Row) error {
		if err := row.Scan(&s.Now, &s.Paused); err != nil {
			return err
		}
		s.Now = s.Now.UTC().Truncate(time.Millisecond)
		if s.Paused {
			v.add([][]byte{[]byte("paused")})
		}
		return nil
	})
	b.Queue(linesSQL).Query(func(rows pgx.Rows) error {
		var lane pgtype.UndecodedBytes
		var l queue.Line
		var estimates int64
		_, err := pgx.ForEachRow(rows, []any{&lane, &l.ID, &l.Pending, &l.Running, &l.Place, &estimates, nil}, func() error {
			v.add(rows.RawValues())
			l.Estimates = time.Duration(estimates) * time.Millisecond
			if n := lanes[string(lane)]; n != nil && l.Pending+l.Running > 0 {
				n.Lines = append(n.Lines, l)
			}
			return nil
		})
		return err
	})
	b.Queue(runsSQL).Query(func(rows pgx.Rows) error {
		var lane string
		var job, owner, worker []byte
		var started time.Time
		var estimate int64
		_, err := pgx.ForEachRow(rows, []any{&lane, &job, &owner, &worker, &started, &estimate, nil, nil, nil}, func() error {
			v.add(rows.RawValues())
			if n := lanes[lane]; n != nil {
				n.Runs = append(n.Runs, queue.Run{
					Job: string(job), User: string(owner), Worker: string(worker),
					Started: started.UTC(), Estimate: time.Duration(estimate) * time.Millisecond,
				})
			}
			return nil
		})
		return err
	})
	b.Queue(workersSQL).Query(func(rows pgx.Rows) error {
		var slots map[string]int
		_, err := pgx.ForEachRow(rows, []any{nil, &slots}, func() error {
			v.add(rows.RawValues())
			for _, name := range queue.Lanes {
				lanes[string(name)].Slots += slots[string(name)]
			}
			slots = nil
			return nil
		})
		return err
	})
	b.Queue(capacitiesSQL).Query(func(rows pgx.Rows) error {
		_, err := pgx.ForEachRow(rows, []any{nil, nil}, func() error {
			v.add(rows.RawValues())
			return nil
		})
		return err
	})
	b.Queue(`COMMIT`)
	if err := q.pool.SendBatch(ctx, &b).Close(); err != nil {
		return nil, err
	}
	for name, n := range lanes {
		s.Lanes[queue.Lane(name)] = *n
	}
	s.Version = v.positive()
	return s, nil
}

// version is the sum of the hashes of some rows, so that their order does not matter.
type version uint64

// add takes a row in, by the FNV-1a hash of its columns and their lengths.
func (v *version) add(row [][]byte) {
	const basis, prime = 14695981039346656037, 1099511628211
	hash := uint64(basis)
	for _, column := range row {
		hash = (hash ^ uint64(len(column))) * prime
		for _, b := range column {
			hash = (hash ^ uint64(b)) * prime
		}
	}
	*v += version(hash)
}

// positive is for people.
func (v *version) positive() int64 { return int64(*v >> 1) }
