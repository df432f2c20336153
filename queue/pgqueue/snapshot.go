package pgqueue

import (
	"context"
	"encoding/binary"
	"hash/fnv"
	"time"

	"github.com/jackc/pgx/v5"

	"slashbatch/queue"
)

// What a snapshot reads. All of it is ordered, since the version is its hash.
const (
	nowSQL = `SELECT clock_timestamp(), m.paused FROM slashbatch.queue_meta m`

	linesSQL = `
		SELECT l.lane, l.line, l.pending, l.running, l.place, l.estimates, l.id, l.delayed, l.cap, l.head, l.next, l.holes
		FROM slashbatch.queue_list l ORDER BY l.id`

	runsSQL = `
		SELECT c.lane, c.job, c.owner, c.worker, c.started, c.estimate, c.claim, c.cancelled, c.sealed
		FROM slashbatch.queue_claim c ORDER BY c.claim`

	workersSQL = `
		SELECT w.worker, w.slots FROM slashbatch.queue_worker w WHERE w.expires > clock_timestamp() ORDER BY w.worker`

	capacitiesSQL = `SELECT s.source, s.capacity FROM slashbatch.queue_source s ORDER BY s.source`
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
	v := version{fnv.New64a()}

	var b pgx.Batch
	b.Queue(`BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY`)
	b.Queue(nowSQL).QueryRow(func(row pgx.Row) error {
		if err := row.Scan(&s.Now, &s.Paused); err != nil {
			return err
		}
		s.Now = s.Now.UTC().Truncate(time.Millisecond)
		v.add(flag(s.Paused))
		return nil
	})
	b.Queue(linesSQL).Query(func(rows pgx.Rows) error {
		var lane string
		var l queue.Line
		var estimates int64
		var id, delayed, running, head, next, holes int64
		_, err := pgx.ForEachRow(rows, []any{&lane, &l.ID, &l.Pending, &l.Running, &l.Place, &estimates, &id, &delayed, &running, &head, &next, &holes}, func() error {
			l.Estimates = time.Duration(estimates) * time.Millisecond
			v.add(int64(l.ID), int64(l.Pending), int64(l.Running), l.Place, estimates, id, delayed, running, head, next, holes)
			if n := lanes[lane]; n != nil && l.Pending+l.Running > 0 {
				n.Lines = append(n.Lines, l)
			}
			return nil
		})
		return err
	})
	b.Queue(runsSQL).Query(func(rows pgx.Rows) error {
		var lane string
		var job, owner, worker, claim []byte
		var started time.Time
		var estimate int64
		var cancelled, sealed bool
		_, err := pgx.ForEachRow(rows, []any{&lane, &job, &owner, &worker, &started, &estimate, &claim, &cancelled, &sealed}, func() error {
			v.name(claim)
			v.add(flag(cancelled), flag(sealed))
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
		var worker []byte
		var slots map[string]int
		_, err := pgx.ForEachRow(rows, []any{&worker, &slots}, func() error {
			v.name(worker)
			for _, name := range queue.Lanes {
				lanes[string(name)].Slots += slots[string(name)]
				v.add(int64(slots[string(name)]))
			}
			slots = nil
			return nil
		})
		return err
	})
	b.Queue(capacitiesSQL).Query(func(rows pgx.Rows) error {
		var source []byte
		var capacity int64
		_, err := pgx.ForEachRow(rows, []any{&source, &capacity}, func() error {
			v.name(source)
			v.add(capacity)
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
	s.Version = v.sum()
	return s, nil
}

// version is a hash of everything added to it.
type version struct {
	hash interface {
		Write([]byte) (int, error)
		Sum64() uint64
	}
}

func (v version) add(numbers ...int64) {
	var b [8]byte
	for _, n := range numbers {
		binary.LittleEndian.PutUint64(b[:], uint64(n))
		_, _ = v.hash.Write(b[:])
	}
}

func (v version) name(name []byte) {
	v.add(int64(len(name)))
	_, _ = v.hash.Write(name)
}

// sum is positive, for people.
func (v version) sum() int64 { return int64(v.hash.Sum64() >> 1) }

func flag(b bool) int64 {
	if b {
		return 1
	}
	return 0
}
