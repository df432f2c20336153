package redisqueue

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"

	"slashbatch/queue"
)

// recordSize is the size of a list's record in the table.
const recordSize = 24

// Snapshot implements queue.Queue. It reads the packed tables with plain GETs
// in one round trip, for building the same answer in a script would hold up
// everybody else some hundred times longer, and a transaction is refused while
// memory is full. Redis all but always serves such a batch at one go; that it
// did shows the counter, read before and after.
func (q *Queue) Snapshot(ctx context.Context) (*queue.Snapshot, error) {
	const tries = 10
	for range tries {
		s, err := q.snapshot(ctx)
		if s != nil || err != nil {
			return s, err
		}
	}
	return nil, fmt.Errorf("%w: the queue changed during each of %d snapshots", queue.ErrUnavailable, tries)
}

// snapshot returns nil when the queue changed meanwhile.
func (q *Queue) snapshot(ctx context.Context) (*queue.Snapshot, error) {
	var (
		before, after *redis.StringCmd
		clock         *redis.TimeCmd
		runs, workers *redis.MapStringStringCmd
		paused        *redis.IntCmd
		tables        = map[queue.Lane]*redis.StringCmd{}
	)
	commands, _ := q.client.Pipelined(ctx, func(p redis.Pipeliner) error {
		before = p.Get(ctx, q.keys.seq())
		clock = p.Time(ctx)
		runs = p.HGetAll(ctx, q.keys.runs())
		workers = p.HGetAll(ctx, q.keys.workers())
		paused = p.Exists(ctx, q.keys.paused())
		for _, lane := range queue.Lanes {
			tables[lane] = p.Get(ctx, q.keys.table(lane))
		}
		after = p.Get(ctx, q.keys.seq())
		return nil
	})
	for _, c := range commands {
		if err := c.Err(); err != nil && !errors.Is(err, redis.Nil) { // an absent key is an empty one
			return nil, unavailable(ctx, err)
		}
	}
	if before.Val() != after.Val() {
		return nil, nil
	}

	var r reader
	s := &queue.Snapshot{
		Version: r.integer(before.Val()),
		Now:     clock.Val().UTC().Truncate(time.Millisecond),
		Paused:  paused.Val() == 1,
		Lanes:   map[queue.Lane]queue.LaneSnapshot{},
	}
	running, alive := decodeRuns(&r, runs.Val()), decodeWorkers(&r, workers.Val(), s.Now)
	for _, lane := range queue.Lanes {
		n := queue.LaneSnapshot{Lines: decodeTable(tables[lane].Val()), Runs: running[lane]}
		for _, slots := range alive {
			n.Slots += slots[lane]
		}
		s.Lanes[lane] = n
	}
	if r.err != nil {
		return nil, fmt.Errorf("%w: snapshot: %w", queue.ErrUnavailable, r.err)
	}
	return s, nil
}

// decodeTable reads the records of one lane; one without jobs is free.
func decodeTable(table string) []queue.Line {
	data := []byte(table)
	lines := make([]queue.Line, 0, len(data)/recordSize)
	for i := 0; i+recordSize <= len(data); i += recordSize {
		b := data[i : i+recordSize]
		l := queue.Line{
			ID:        uint32(i / recordSize),
			Pending:   int(binary.LittleEndian.Uint32(b)),
			Running:   int(binary.LittleEndian.Uint32(b[4:])),
			Place:     int64(binary.LittleEndian.Uint64(b[8:])),
			Estimates: time.Duration(binary.LittleEndian.Uint64(b[16:])) * time.Millisecond,
		}
		if l.Pending > 0 || l.Running > 0 {
			lines = append(lines, l)
		}
	}
	return lines
}

// decodeRuns reads "id started estimate list worker" of the claims, by lane.
func decodeRuns(r *reader, runs map[string]string) map[queue.Lane][]queue.Run {
	decoded := map[queue.Lane][]queue.Run{}
	for _, run := range runs {
		f := strings.SplitN(run, " ", 5)
		if len(f) != 5 {
			r.fail(fmt.Errorf("%q has %d fields, want 5", run, len(f)))
			continue
		}
		user, lane := r.list(f[3])
		decoded[lane] = append(decoded[lane], queue.Run{
			Job:      f[0],
			User:     user,
			Worker:   f[4],
			Started:  r.time(f[1]),
			Estimate: time.Duration(r.integer(f[2])) * time.Millisecond,
		})
	}
	return decoded
}

// decodeWorkers returns the slots of the workers alive now, each "expires lane=n
// lane=n".
func decodeWorkers(r *reader, workers map[string]string, now time.Time) map[string]map[queue.Lane]int {
	decoded := map[string]map[queue.Lane]int{}
	for id, w := range workers {
		f := strings.Fields(w)
		if len(f) == 0 || !r.time(f[0]).After(now) {
			continue
		}
		slots := map[queue.Lane]int{}
		for _, s := range f[1:] {
			lane, n, _ := strings.Cut(s, "=")
			slots[queue.Lane(lane)] = int(r.integer(n))
		}
		decoded[id] = slots
	}
	return decoded
}
